"""Whether another column helps to forecast the target: a ridge with and without it, on training rows alone."""

import numpy as np

_HELD_OUT = 0.25  # of the training rows, the newest, on which the two are compared
_BETTER = 0.02  # by what share the error must fall
_LAGS = 12
_MOST_ROWS = 20_000


def helps(target: np.ndarray, other: np.ndarray, *, season: int, ahead: int, known: bool = False) -> float:
    """By what share the error of a linear forecast falls when it also reads another column; below 0.02 is none.

    Args:
        target: Training rows on the grid, NaN where unknown, shape `(rows,)`.
        other: Likewise.
        season: Steps of the shortest season; 1 for none.
        ahead: Steps to forecast.
        known: Whether the other column is known at the step to forecast, too.
    """
    target, other = target[-_MOST_ROWS:], other[-_MOST_ROWS:]
    steps = sorted({1, (ahead + 1) // 2, ahead})
    gains = []
    for step in steps:
        own = _lagged(target, season, step, _LAGS)
        beside = np.column_stack([own, _lagged(other, season, step, _LAGS // 2)])
        wanted = _later(target, step)
        beside = np.column_stack([beside, _later(other, step)]) if known else beside
        without, with_it = _error(own, beside, wanted)
        gains.append(1 - with_it / without if without > 0 else 0.0)
    return float(np.mean(gains))


def _later(values: np.ndarray, step: int) -> np.ndarray:
    return np.concatenate([values[step:], np.full(min(step, len(values)), np.nan)])


def is_help(gain: float) -> bool:
    """Whether a gain of `helps` is more than chance."""
    return gain >= _BETTER


def _lagged(values: np.ndarray, season: int, step: int, lags: int) -> np.ndarray:
    """Columns of what is known at each row: the newest values, and those a season before what is to come."""
    back = list(range(min(lags, len(values) // 8)))
    if season > step:
        back += [season - step, season - step + 1]
    columns = []
    for lag in dict.fromkeys(back):
        column = np.full(len(values), np.nan)
        column[lag:] = values[: len(values) - lag] if lag else values
        columns.append(column)
    return np.column_stack(columns)


def _error(own: np.ndarray, beside: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    known = np.isfinite(beside).all(axis=1) & np.isfinite(wanted)
    rows = np.flatnonzero(known)
    if len(rows) < 4 * beside.shape[1]:
        return 0.0, 0.0
    border = int(len(rows) * (1 - _HELD_OUT))
    return tuple(_held_out(matrix[rows], wanted[rows], border) for matrix in (own, beside))  # type: ignore[return-value]


def _held_out(matrix: np.ndarray, wanted: np.ndarray, border: int) -> float:
    mean, spread = matrix[:border].mean(axis=0), matrix[:border].std(axis=0)
    scaled = (matrix - mean) / np.where(spread > 0, spread, 1)
    offset = wanted[:border].mean()
    gram = scaled[:border].T @ scaled[:border] + 1e-3 * border * np.eye(matrix.shape[1])
    weights = np.linalg.solve(gram, scaled[:border].T @ (wanted[:border] - offset))
    return float(np.sqrt(np.mean((scaled[border:] @ weights + offset - wanted[border:]) ** 2)))
