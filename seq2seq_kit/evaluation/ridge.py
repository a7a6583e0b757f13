"""Ridge regression on windows, and the closed-form fits that other linear baselines share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.evaluation.naive import naive_error
from seq2seq_kit.evaluation.presentation import Presentation, has_newest
from seq2seq_kit.evaluation.stored import require_shapes

CHOOSE_WINDOWS = 5_000  # of validation, evenly spread, that a setting is chosen on
_FIT_WINDOWS = 20_000  # evenly spread; a closed-form fit of this size hardly changes with more
_FIT_CELLS = 60_000_000  # windows x features of such a fit: half a gigabyte
_WIDE = 4_000  # features beyond which as many windows are the most, so that no decomposition is larger
_CHUNK = 2_048
_PENALTIES = 10.0 ** np.arange(-12, 7)  # times the number of windows; scaled columns have a variance near 1
_ROUNDING = 10 * np.finfo(np.float32).eps ** 2  # of a mean square: what rounding adds to a variance, with room
_STILL_FALLING = 1e-3  # of the RMSE from the last but one penalty to the one at the edge


@dataclass(frozen=True)
class Ridge:
    """A linear map from all that the model sees, the window and the known future, to all targets.

    Attributes:
        normalise: As in `Presentation`; likewise `independent`.
        edge: In words, where validation chose a penalty at the edge of those tried and would have gone further; else empty.
    """

    name: str
    about: str
    mean: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    normalise: Literal["none", "last", "mean_std"] = "none"
    independent: bool = False
    edge: str = ""

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        chunks = [prepared.arrays(part, windows[chunk]) for chunk in _chunks(len(windows))]
        return prepared.restore(np.concatenate([self.of_arrays(prepared, each) for each in chunks]), part, windows)

    def of_arrays(self, prepared: Prepared, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Scaled predictions `(windows, output_steps, targets)` of windows as the model takes them: `Prepared.arrays`."""
        seen = Presentation(self.normalise, self.independent).of_arrays(prepared, arrays)
        width, outputs = seen.design.shape[1], self.offset.size
        require_shapes(
            self.name,
            mean=(self.mean, (width,)),
            weights=(self.weights, (width, outputs)),
            offset=(self.offset, (outputs,)),
        )
        return seen.scaled((seen.design - self.mean) @ self.weights + self.offset)


@dataclass(frozen=True)
class Regression:
    """Least squares with any L2 penalty: one eigendecomposition serves them all."""

    view: Presentation
    count: int
    mean: np.ndarray
    offset: np.ndarray
    spread: np.ndarray
    basis: np.ndarray
    rotated: np.ndarray

    def ridge(self, penalty: float, edge: str = "") -> Ridge:
        """The map with this penalty, which is counted for each row."""
        weights = self.basis @ (self.rotated / (self.spread + penalty * self.count)[:, None])
        taken = {"none": "", "last": ", less the newest value", "mean_std": ", less its mean, by its deviation"}
        how = taken[self.view.normalise] + (", the same for each column" if self.view.independent else "")
        about = f"linear map from window and known future{how}, penalty {penalty:g} chosen on validation"
        view = self.view
        return Ridge("ridge", about, self.mean, weights, self.offset, view.normalise, view.independent, edge)


def forms_of(prepared: Prepared, view: Presentation) -> list[Presentation]:
    """How ridge may see a window: as the model does, and less its newest value where windows have one.

    The second is NLinear's form (Zeng et al. 2023, "Are transformers effective for time series forecasting?"): a line of levels
    does not follow a series that leaves its training range, one of changes does.
    """
    less_newest = replace(view, normalise="last")
    return [view, less_newest] if view.normalise != "last" and has_newest(prepared) else [view]


def fit_ridge(prepared: Prepared, forms: Sequence[Presentation], *, chosen_on: Prepared | None = None) -> Ridge:
    """The ridge whose form and penalty have the smallest error over validation windows.

    Args:
        prepared: What it is fitted on.
        forms: How it may see a window, at least one.
        chosen_on: As for `fit_forecast_baselines`.
    """
    chooser = prepared if chosen_on is None else chosen_on
    regressions = [fit_regression(chooser, form) for form in forms]
    choices = [best_penalty(chooser, regression) for regression in regressions]
    best = min(range(len(forms)), key=lambda number: choices[number].error)
    regression = regressions[best] if chosen_on is None else fit_regression(prepared, forms[best])
    return regression.ridge(choices[best].penalty, choices[best].edge)


def fit_regression(prepared: Prepared, view: Presentation | None = None) -> Regression:
    """Least squares on training windows, in closed form, from sums over chunks of them."""
    view = view or Presentation()
    width = view.width(prepared)
    windows = fit_windows(prepared, width)
    whole = True
    if prepared.columns.masked or prepared.columns.weight:
        observed = np.concatenate([_observed(prepared, windows[chunk]) for chunk in _chunks(len(windows))])
        # Where no window is whole, a missing target stands at its column's centre.
        windows, whole = (windows[observed], True) if observed.any() else (windows, False)

    def rows(chunk: slice) -> tuple[np.ndarray, np.ndarray]:
        seen = view.of(prepared, "train", windows[chunk])
        y = prepared.scaled_targets("train", windows[chunk]).astype(np.float64)
        return seen.design, seen.answers(y if whole else np.nan_to_num(y))

    if width > len(windows) and not view.independent:  # few windows: they are smaller than their products
        x, y = rows(slice(None))
        mean, offset = x.mean(axis=0), y.mean(axis=0)
        size = np.square(x).mean(axis=0).max()
        x = x - mean
        spread, basis = spectrum(x)
        rotated = _measured(spread, basis.T @ (x.T @ (y - offset)), len(x) * size)
        return Regression(view, len(x), mean, offset, spread, basis, rotated)
    pieces = _chunks(len(windows))
    # Sums about a first guess of the means, which costs no digits as sums about zero might, and no second look at the windows.
    near, first = (values.mean(axis=0) for values in rows(pieces[0]))
    count, sums, squares = 0, np.zeros(width), np.zeros((width, width))
    answers, products = np.zeros(len(first)), np.zeros((width, len(first)))
    for chunk in pieces:
        x, y = rows(chunk)
        x, y = x - near, y - first
        count += len(x)
        sums += x.sum(axis=0)
        squares += x.T @ x
        answers += y.sum(axis=0)
        products += x.T @ y
    squares -= np.outer(sums, sums) / count
    mean = near + sums / count
    size = (np.diag(squares) / count + np.square(mean)).max()
    spread, basis = _decomposed(squares)
    rotated = _measured(spread, basis.T @ (products - np.outer(sums, answers) / count), count * size)
    return Regression(view, count, mean, first + answers / count, spread, basis, rotated)


def _measured(spread: np.ndarray, rotated: np.ndarray, size: float) -> np.ndarray:
    """`rotated` without directions in which rows differ by the rounding of float32 only, such as the mean of windows scaled to 1.

    What they have to do with the answers is chance, and no small penalty holds their weights down.
    """
    return np.where(spread > _ROUNDING * size, rotated.T, 0.0).T


def _observed(prepared: Prepared, windows: np.ndarray) -> np.ndarray:
    """Whether all targets of a training window were observed, shape `(windows,)`."""
    return ~np.isnan(prepared.scaled_targets("train", windows)).any(axis=(1, 2))


@dataclass(frozen=True)
class Choice:
    """The penalty of a regression that did best on validation.

    Attributes:
        penalty: Counted for each row.
        edge: In words, that it lies at the edge of the grid with the error still falling there; else empty.
        error: Over validation windows, on the scale of skill.
    """

    penalty: float
    edge: str
    error: float


def best_penalty(prepared: Prepared, regression: Regression) -> Choice:
    """The penalty with the smallest error over validation windows, on the scale of skill.

    In the rotated basis a penalty is a factor for each direction, so the candidates need no weights of their own.
    """
    windows = prepared.windows["val"].evenly(CHOOSE_WINDOWS)
    shape = len(prepared.table.series), prepared.windows["val"].shape.output_steps, len(prepared.layout.targets)
    errors = [ErrorSums(shape, prepared.target_center) for _ in _PENALTIES]
    for chunk in _chunks(len(windows)):
        these = windows[chunk]
        truth, series = prepared.truth("val", these), prepared.series_of("val", these)
        seen = regression.view.of(prepared, "val", these)
        rotated = (seen.design - regression.mean) @ regression.basis
        for number, penalty in enumerate(_PENALTIES):
            shrunk = regression.rotated / (regression.spread + penalty * regression.count)[:, None]
            scaled = seen.scaled(rotated @ shrunk + regression.offset)
            errors[number].add(truth, prepared.restore(scaled, "val", these), series)
    naive = naive_error(prepared)
    found = np.array([sums.scaled_rmse(naive) for sums in errors])
    best = int(np.argmin(found))
    return Choice(float(_PENALTIES[best]), at_edge(_PENALTIES, found, best), float(found[best]))


def at_edge(penalties: np.ndarray, errors: np.ndarray, best: int) -> str:
    """In words that the best of the penalties, in ascending order, is the last of those tried; else nothing.

    Beyond an edge where the error hardly moves any more there is nothing to be had.
    """
    inner = {0: 1, len(errors) - 1: -2}.get(best)
    if inner is None or len(errors) == 1 or errors[inner] - errors[best] <= _STILL_FALLING * errors[inner]:
        return ""
    which = "smallest" if best == 0 else "largest"
    return f"penalty {penalties[best]:g}, the {which} of those tried"


def fit_windows(prepared: Prepared, width: int) -> np.ndarray:
    """Training windows for a fit in closed form on rows of so many features."""
    most = _FIT_WINDOWS if width <= _WIDE else _WIDE
    return prepared.windows["train"].evenly(min(most, _FIT_CELLS // width + 1))


def spectrum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of `x.T @ x`, ascending, and its eigenvectors as columns; through `x @ x.T` where that is smaller.

    Directions in which the rows do not vary may be left out: no row has a part in them.
    """
    rows, columns = x.shape
    if columns <= rows:
        return _decomposed(x.T @ x)
    spread, left = np.linalg.eigh(x @ x.T)
    kept = spread > spread.max(initial=0.0) * 1e-12
    return spread[kept], x.T @ (left[:, kept] / np.sqrt(spread[kept]))


def _decomposed(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread, basis = np.linalg.eigh(squares)
    return np.maximum(spread, 0.0), basis


def _chunks(count: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, count, _CHUNK)]
