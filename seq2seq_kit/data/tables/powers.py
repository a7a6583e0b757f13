"""Box-Cox' lambda (Box and Cox 1964), chosen by likelihood in passes over a column that need not be in memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from seq2seq_kit.data.on_disk.rows import RowsOnDisk
from seq2seq_kit.data.tables.pieces import pieces_of

POWERS = (0.0, 2.0)  # below 0 a forecast beyond -1/power would have no value in original units
_CLOSE = 1e-4  # to the best power: far closer than the likelihood tells powers apart
_GOLDEN = (np.sqrt(5) - 1) / 2


def best_power(values: np.ndarray) -> float:
    """The lambda of the largest likelihood between 0 and 2, of positive values; 1 where they do not vary."""
    logs = _logs(values)
    return _best(lambda: [logs])


def best_power_on_disk(values: RowsOnDisk, column: int, rows: np.ndarray) -> float:
    """As `best_power` of a column in ranges of rows, `(first, end)` each; it is read some forty times."""

    def cells() -> Iterator[np.ndarray]:
        for first, end in rows.tolist():
            for piece in pieces_of(first, end):
                yield _logs(values[piece, column])

    return _best(cells)


def _best(cells: Callable[[], Iterable[np.ndarray]]) -> float:
    known = [(float(logs.min()), float(logs.max())) for logs in cells() if logs.size]
    if not known or max(high for _, high in known) - min(low for low, _ in known) < 1e-12:
        return 1.0
    mean, _ = _moments(cells())

    def loss(power: float) -> float:
        # Over the geometric mean the likelihood is that of the transform's variance alone.
        return _moments(np.expm1(power * (logs - mean)) / power if power else logs - mean for logs in cells())[1]

    low, high = POWERS
    while high - low > _CLOSE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    found = (low + high) / 2
    return 0.0 if found < 2 * _CLOSE else found


def _logs(cells: np.ndarray) -> np.ndarray:
    return np.log(cells[~np.isnan(cells)])


def _moments(pieces: Iterable[np.ndarray]) -> tuple[float, float]:
    """Mean and variance of numbers; pieces are joined as in `Moments`."""
    count, mean, variance = 0, 0.0, 0.0
    for cells in pieces:
        if not cells.size:
            continue
        own, part = float(cells.mean()), cells.size / (count + cells.size)
        variance = variance * (1 - part) + float(cells.var()) * part + (own - mean) ** 2 * part * (1 - part)
        mean = own if not count else mean + (own - mean) * part
        count += cells.size
    return mean, variance
