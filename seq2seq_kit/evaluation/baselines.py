"""What a model has to beat: the obvious forecasts, and for autoencoders the obvious compressions.

Each baseline is fitted on the training windows, its settings are chosen on the validation windows, and it predicts the
same windows as the model. A fitted baseline is plain numbers, so a bundle keeps it beside the model and can repeat the
comparison on other data.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from seq2seq_kit.data.tables.pieces import cells_of, pieces_of
from seq2seq_kit.data.windows.prepare import Prepared

_FIT_WINDOWS = 20_000  # evenly spread; a closed-form fit of this size hardly changes with more
_FIT_CELLS = 60_000_000  # windows x features of such a fit: half a gigabyte
_WIDE = 4_000  # features beyond which as many windows are the most, so that no decomposition is larger
_CHOOSE_WINDOWS = 5_000
_CHUNK = 2_048
_RIDGE_PENALTIES = 10.0 ** np.arange(-8, 2)  # times the number of windows; scaled columns have a variance near 1


class Predictor(Protocol):
    """Anything that predicts windows: the model, or a baseline."""

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """Predictions in original units, shape `(windows, output_steps, targets)`."""


class Baseline(Predictor, Protocol):
    """A predictor with a name, and words for what it does and what was chosen."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...


@dataclass(frozen=True)
class LastValue:
    """Repeats the newest known value of each target."""

    name: str = "last value"
    about: str = "repeats the newest value of the inputs"

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        these = prepared.windows[part]
        newest = these.starts(windows) + these.shape.input_steps - 1
        return np.repeat(prepared.history.last(newest)[:, None, :], these.shape.output_steps, axis=1)


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the value of one season before; `season` is in steps."""

    name: str
    about: str
    season: int

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        these = prepared.windows[part]
        newest = these.starts(windows) + these.shape.input_steps - 1
        ahead = these.shape.target_offset - these.shape.input_steps + 1 + np.arange(these.shape.output_steps)
        return prepared.history.one_season_before(newest, ahead, self.season)


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
class TrainingMean:
    """Returns the centre of each column in the training rows."""

    name: str = "training mean"
    about: str = "returns the centre of each column in the training rows"

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        center = prepared.target_center[prepared.series_of(part, windows)]
        return np.repeat(center[:, None, :], prepared.windows[part].shape.output_steps, axis=1)


@dataclass(frozen=True)
class WindowPca:
    """The best linear autoencoder of whole windows."""

    name: str
    about: str
    mean: np.ndarray
    basis: np.ndarray

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        shape = (len(windows), prepared.windows[part].shape.output_steps, len(prepared.layout.targets))
        flat = _flat(prepared, part, windows) - self.mean
        return prepared.restore((flat @ self.basis @ self.basis.T + self.mean).reshape(shape), part, windows)


def fit_forecast_baselines(prepared: Prepared, *, chosen_on: Prepared | None = None) -> list[Baseline]:
    """Last value, the natural season that does best on validation, ridge.

    Args:
        prepared: What they are fitted on.
        chosen_on: What season and penalty are chosen on, if not `prepared`: where train holds the val rows, too, these would
            choose the penalty that bends furthest to them, and a weak ridge flatters the model.
    """
    chooser = prepared if chosen_on is None else chosen_on
    baselines: list[Baseline] = [LastValue()]
    seasons = held_seasons(chooser)
    if seasons:
        among = f", chosen on validation among {', '.join(seasons)}" if len(seasons) > 1 else ""
        peers = [
            SeasonalNaive(
                f"seasonal naive ({name})", f"repeats the value of one {name} ({length} steps) before{among}", length
            )
            for name, length in seasons.items()
        ]
        baselines.append(min(peers, key=lambda peer: _val_error(chooser, peer)))
    regression = _fit_regression(chooser)
    best = _best_penalty(chooser, regression)
    return [*baselines, (regression if chosen_on is None else _fit_regression(prepared)).ridge(best)]


def fit_autoencode_baselines(prepared: Prepared, *, latent_dim: int) -> list[Baseline]:
    """The training mean, and PCA of whole windows with the autoencoder's own latent width."""
    width = prepared.windows["train"].shape.output_steps * len(prepared.layout.targets)
    rows = _flat(prepared, "train", _fit_windows(prepared, width))
    mean = rows.mean(axis=0)
    _, basis = _spectrum(rows - mean)
    kept = basis[:, -min(latent_dim, basis.shape[1]) :]
    about = f"linear autoencoder of whole windows with a latent vector of {kept.shape[1]}"
    return [TrainingMean(), WindowPca(f"PCA ({kept.shape[1]})", about, mean, kept)]


def naive_error(prepared: Prepared) -> np.ndarray:
    """MASE's denominator: MAE of the seasonal naive forecast inside the training rows, shape `(series, targets)`.

    The season is the shortest natural one, 1 where there is none (Hyndman and Koehler 2006).
    """
    season = min(held_seasons(prepared).values(), default=1)
    picked = [prepared.table.columns.index(name) for name in prepared.columns.targets]
    values, history = prepared.table.values, prepared.history
    sums, counts = (np.zeros((len(prepared.table.series), len(picked))) for _ in range(2))
    for series, (first, end) in enumerate(prepared.split.rows("train")):
        for piece in pieces_of(int(first), int(end)):
            rows = np.arange(piece.start, piece.stop)
            # By time and not by row: after a gap the row `season` rows before is another time of the day.
            before = history.row_at(history.key_of(rows) - season)
            there = before >= first
            steps = np.abs(cells_of(values, rows[there], picked) - cells_of(values, before[there], picked))
            sums[series] += np.nansum(steps, axis=0)
            counts[series] += (~np.isnan(steps)).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=sums > 0)


def held_seasons(prepared: Prepared) -> dict[str, int]:
    """The natural seasons, in steps, that the training rows of some series hold at least once."""
    every = prepared.table.every
    rows = prepared.split.rows("train")
    longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
    return {name: length for name, length in every.seasons().items() if length < longest} if every else {}


_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (LastValue, SeasonalNaive, Ridge, TrainingMean, WindowPca)
}


def dump_baselines(baselines: Sequence[Baseline]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Fitted baselines as plain words and arrays."""
    words: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for position, baseline in enumerate(baselines):
        fields: dict[str, Any] = asdict(baseline)  # type: ignore[call-overload]
        arrays |= {f"{position}.{key}": value for key, value in fields.items() if isinstance(value, np.ndarray)}
        plain = {key: value for key, value in fields.items() if not isinstance(value, np.ndarray)}
        words.append({"kind": type(baseline).__name__} | plain)
    return words, arrays


def restore_baselines(words: Sequence[dict[str, Any]], arrays: dict[str, np.ndarray]) -> list[Baseline]:
    """The inverse of `dump_baselines`; a `KeyError` or `TypeError` means that the words are foreign."""
    baselines = []
    for position, entry in enumerate(words):
        plain = {key: value for key, value in entry.items() if key != "kind"}
        own = {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{position}.")}
        baselines.append(_KINDS[entry["kind"]](**plain, **own))
    return baselines


def _val_error(prepared: Prepared, predict: Predictor) -> float:
    """RMSE over validation windows, each target in units of its scale."""
    windows = prepared.windows["val"].evenly(_CHOOSE_WINDOWS)
    error = predict(prepared, "val", windows) - prepared.truth("val", windows)
    scale = prepared.target_scale[prepared.series_of("val", windows)][:, None, :]
    return float(np.sqrt(np.nanmean((error / scale) ** 2)))


def _chunks(count: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, count, _CHUNK)]


def _design(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """A window and what is known of its future as one row, shape `(windows, features)` float64."""
    pieces = [array.reshape(len(windows), -1) for array in prepared.arrays(part, windows)]
    return np.concatenate(pieces, axis=1).astype(np.float64)


def _flat(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """The target columns of whole windows, missing cells at their centre, shape `(windows, steps * targets)`."""
    return np.nan_to_num(prepared.scaled_targets(part, windows)).reshape(len(windows), -1).astype(np.float64)


def _fit_windows(prepared: Prepared, width: int) -> np.ndarray:
    """Training windows for a fit in closed form on rows of so many features."""
    most = _FIT_WINDOWS if width <= _WIDE else _WIDE
    return prepared.windows["train"].evenly(min(most, _FIT_CELLS // width + 1))


@dataclass(frozen=True)
class _Regression:
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


def _fit_regression(prepared: Prepared) -> _Regression:
    """Least squares on training windows, in closed form, from sums over chunks of them."""
    shape, layout = prepared.windows["train"].shape, prepared.layout
    width = shape.input_steps * layout.inputs + shape.output_steps * len(layout.future)
    windows = _fit_windows(prepared, width)
    whole = True
    if prepared.data.missing == "mask":
        observed = np.concatenate([_observed(prepared, windows[chunk]) for chunk in _chunks(len(windows))])
        # Where no window is whole, a missing target stands at its column's centre.
        windows, whole = (windows[observed], True) if observed.any() else (windows, False)
    if width > len(windows):  # few windows: they are smaller than their products
        x, y = _design(prepared, "train", windows), _answers(prepared, windows, whole=whole)
        mean, offset = x.mean(axis=0), y.mean(axis=0)
        x -= mean
        spread, basis = _spectrum(x)
        return _Regression(len(x), mean, offset, spread, basis, basis.T @ (x.T @ (y - offset)))
    count, pieces = len(windows), _chunks(len(windows))
    first = _answers(prepared, windows[pieces[0]], whole=whole).mean(axis=0)
    # Sums about a first guess of the means, which costs no digits as sums about zero might, and no second look at the windows.
    near = _design(prepared, "train", windows[pieces[0]]).mean(axis=0)
    sums, squares = np.zeros(width), np.zeros((width, width))
    answers, products = np.zeros(len(first)), np.zeros((width, len(first)))
    for chunk in pieces:
        x, y = (
            _design(prepared, "train", windows[chunk]) - near,
            _answers(prepared, windows[chunk], whole=whole) - first,
        )
        sums += x.sum(axis=0)
        squares += x.T @ x
        answers += y.sum(axis=0)
        products += x.T @ y
    spread, basis = _decomposed(squares - np.outer(sums, sums) / count)
    rotated = basis.T @ (products - np.outer(sums, answers) / count)
    return _Regression(count, near + sums / count, first + answers / count, spread, basis, rotated)


def _answers(prepared: Prepared, windows: np.ndarray, *, whole: bool) -> np.ndarray:
    """Scaled targets of training windows, shape `(windows, steps * targets)`; missing ones at their centre if not `whole`."""
    y = prepared.scaled_targets("train", windows).reshape(len(windows), -1).astype(np.float64)
    return y if whole else np.nan_to_num(y)


def _observed(prepared: Prepared, windows: np.ndarray) -> np.ndarray:
    """Whether all targets of a training window were observed, shape `(windows,)`."""
    return ~np.isnan(prepared.scaled_targets("train", windows)).any(axis=(1, 2))


def _best_penalty(prepared: Prepared, regression: _Regression) -> float:
    """The penalty with the smallest RMSE over validation windows, as `_val_error` counts it.

    In the rotated basis a penalty is a factor for each direction, so the candidates need no weights of their own.
    """
    windows = prepared.windows["val"].evenly(_CHOOSE_WINDOWS)
    squares = np.zeros(len(_RIDGE_PENALTIES))
    for chunk in _chunks(len(windows)):
        these = windows[chunk]
        truth = prepared.truth("val", these)
        scale = prepared.target_scale[prepared.series_of("val", these)][:, None, :]
        rotated = (_design(prepared, "val", these) - regression.mean) @ regression.basis
        for number, penalty in enumerate(_RIDGE_PENALTIES):
            shrunk = regression.rotated / (regression.spread + penalty * regression.count)[:, None]
            scaled = (rotated @ shrunk + regression.offset).reshape(truth.shape)
            squares[number] += np.nansum(((prepared.restore(scaled, "val", these) - truth) / scale) ** 2)
    return float(_RIDGE_PENALTIES[int(np.argmin(squares))])


def _spectrum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
