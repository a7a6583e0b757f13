"""Ridge regression on windows, and the closed-form fits that other linear baselines share."""

from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared

CHOOSE_WINDOWS = 5_000  # of validation, evenly spread, that a setting is chosen on
_FIT_WINDOWS = 20_000  # evenly spread; a closed-form fit of this size hardly changes with more
_FIT_CELLS = 60_000_000  # windows x features of such a fit: half a gigabyte
_WIDE = 4_000  # features beyond which as many windows are the most, so that no decomposition is larger
_CHUNK = 2_048
_PENALTIES = 10.0 ** np.arange(-8, 2)  # times the number of windows; scaled columns have a variance near 1


@dataclass(frozen=True)
class Ridge:
    """A linear map from all that the model sees, the window and the known future, to all targets."""

    name: str
    about: str
    mean: np.ndarray
    weights: np.ndarray
    offset: np.ndarray

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        shape = (len(windows), prepared.windows[part].shape.output_steps, len(prepared.layout.targets))
        scaled = np.empty((len(windows), self.weights.shape[1]))
        for chunk in _chunks(len(windows)):
            scaled[chunk] = (_design(prepared, part, windows[chunk]) - self.mean) @ self.weights + self.offset
        return prepared.restore(scaled.reshape(shape), part, windows)


@dataclass(frozen=True)
class Regression:
    """Least squares with any L2 penalty: one eigendecomposition serves them all."""

    count: int
    mean: np.ndarray
    offset: np.ndarray
    spread: np.ndarray
    basis: np.ndarray
    rotated: np.ndarray

    def ridge(self, penalty: float) -> Ridge:
        """The map with this penalty, which is counted for each window."""
        weights = self.basis @ (self.rotated / (self.spread + penalty * self.count)[:, None])
        about = f"linear map from window and known future, penalty {penalty:g} chosen on validation"
        return Ridge("ridge", about, self.mean, weights, self.offset)


def fit_regression(prepared: Prepared) -> Regression:
    """Least squares on training windows, in closed form, from sums over chunks of them."""
    shape, layout = prepared.windows["train"].shape, prepared.layout
    width = shape.input_steps * layout.inputs + shape.output_steps * len(layout.future)
    windows = fit_windows(prepared, width)
    whole = True
    if prepared.data.missing == "mask":
        observed = np.concatenate([_observed(prepared, windows[chunk]) for chunk in _chunks(len(windows))])
        # Where no window is whole, a missing target stands at its column's centre.
        windows, whole = (windows[observed], True) if observed.any() else (windows, False)
    if width > len(windows):  # few windows: they are smaller than their products
        x, y = _design(prepared, "train", windows), _answers(prepared, windows, whole=whole)
        mean, offset = x.mean(axis=0), y.mean(axis=0)
        x -= mean
        spread, basis = spectrum(x)
        return Regression(len(x), mean, offset, spread, basis, basis.T @ (x.T @ (y - offset)))
    count, pieces = len(windows), _chunks(len(windows))
    first = _answers(prepared, windows[pieces[0]], whole=whole).mean(axis=0)
    # Sums about a first guess of the means, which costs no digits as sums about zero might, and no second look at the windows.
    near = _design(prepared, "train", windows[pieces[0]]).mean(axis=0)
    sums, squares = np.zeros(width), np.zeros((width, width))
    answers, products = np.zeros(len(first)), np.zeros((width, len(first)))
    for chunk in pieces:
        x = _design(prepared, "train", windows[chunk]) - near
        y = _answers(prepared, windows[chunk], whole=whole) - first
        sums += x.sum(axis=0)
        squares += x.T @ x
        answers += y.sum(axis=0)
        products += x.T @ y
    spread, basis = _decomposed(squares - np.outer(sums, sums) / count)
    rotated = basis.T @ (products - np.outer(sums, answers) / count)
    return Regression(count, near + sums / count, first + answers / count, spread, basis, rotated)


def _answers(prepared: Prepared, windows: np.ndarray, *, whole: bool) -> np.ndarray:
    """Scaled targets of training windows, shape `(windows, steps * targets)`; missing ones at their centre if not `whole`."""
    y = prepared.scaled_targets("train", windows).reshape(len(windows), -1).astype(np.float64)
    return y if whole else np.nan_to_num(y)


def _observed(prepared: Prepared, windows: np.ndarray) -> np.ndarray:
    """Whether all targets of a training window were observed, shape `(windows,)`."""
    return ~np.isnan(prepared.scaled_targets("train", windows)).any(axis=(1, 2))


def best_penalty(prepared: Prepared, regression: Regression) -> float:
    """The penalty with the smallest RMSE over validation windows, each target in units of its scale.

    In the rotated basis a penalty is a factor for each direction, so the candidates need no weights of their own.
    """
    windows = prepared.windows["val"].evenly(CHOOSE_WINDOWS)
    squares = np.zeros(len(_PENALTIES))
    for chunk in _chunks(len(windows)):
        these = windows[chunk]
        truth = prepared.truth("val", these)
        scale = prepared.target_scale[prepared.series_of("val", these)][:, None, :]
        rotated = (_design(prepared, "val", these) - regression.mean) @ regression.basis
        for number, penalty in enumerate(_PENALTIES):
            shrunk = regression.rotated / (regression.spread + penalty * regression.count)[:, None]
            scaled = (rotated @ shrunk + regression.offset).reshape(truth.shape)
            squares[number] += np.nansum(((prepared.restore(scaled, "val", these) - truth) / scale) ** 2)
    return float(_PENALTIES[int(np.argmin(squares))])


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


def _design(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """A window and what is known of its future as one row, shape `(windows, features)` float64."""
    pieces = [array.reshape(len(windows), -1) for array in prepared.arrays(part, windows)]
    return np.concatenate(pieces, axis=1).astype(np.float64)
