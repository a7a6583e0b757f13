"""The validation loss on a scale that is each series' own, so that a few large series do not choose the epoch for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from seq2seq_kit.data.tables.pieces import Moments
from seq2seq_kit.data.windows.prepare import Prepared

_CHUNK = 4_096
_ROUNDING = 1e-12  # a deviation below this share of the level is none
_CELLS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "mse": np.square,
        "mae": np.abs,
        "huber": lambda error: np.where(np.abs(error) <= 1, 0.5 * error**2, np.abs(error) - 0.5),
    }
)


def own_ratio(prepared: Prepared) -> np.ndarray | None:
    """The scaler's scale of each series and target over its own standard deviation in the training rows.

    Returns:
        Shape `(series, targets)`, NaN where nothing varies; None where scaling has put each on a scale of its own already.
    """
    data, targets = prepared.data, prepared.columns.targets
    series = len(prepared.table.series)
    methods = [data.scaling if isinstance(data.scaling, str) else data.scaling.get(name, "") for name in targets]
    if (series == 1 or data.scale_per_series) and (series * len(targets) == 1 or "none" not in methods):
        return None
    if prepared.layout.own is not None:
        return None  # each window is on a scale of its own
    transformed = prepared.scaler.transforms is not None
    own = np.full((series, len(targets)), np.nan)
    for number, rows in enumerate(prepared.split.rows("train")):
        for position, name in enumerate(targets):
            # What the model sees of a transformed column is on the scale of its transform.
            seen = (prepared.matrix, prepared.layout.targets[position])
            plain = (prepared.table.values, prepared.table.columns.index(name))
            known = Moments.of(*(seen if transformed else plain), [(int(rows[0]), int(rows[1]))])
            if known.count and known.deviation > _ROUNDING * abs(known.mean):
                own[number, position] = known.deviation
    ratio: np.ndarray = (1.0 if transformed else prepared.target_scale) / own
    return ratio if np.isfinite(ratio).any() else None


def loss_by_series(
    predict: Callable[[np.ndarray], np.ndarray],
    truth: Callable[[np.ndarray], np.ndarray],
    series: np.ndarray,
    ratio: np.ndarray,
    loss: str,
    weights: np.ndarray | None = None,
) -> float:
    """The mean over series and targets of the mean loss of each one's own cells, in units of its own deviation.

    Args:
        predict: From numbers of examples to scaled predictions, `(examples, steps, targets)`.
        truth: Likewise to the scaled truth, NaN where nothing was observed.
        series: Series of each example.
        ratio: Of `own_ratio`.
        loss: `mse`, `mae` or `huber`.
        weights: Of the steps, shape `(steps,)`; all alike by default.
    """
    sums, cells = np.zeros(ratio.shape), np.zeros(ratio.shape)
    for first in range(0, len(series), _CHUNK):
        chunk = np.arange(first, min(first + _CHUNK, len(series)))
        right = truth(chunk).astype(np.float64)
        known = ~np.isnan(right)
        counts = known if weights is None else known * weights[:, None]
        error = np.where(known, predict(chunk) - right, 0.0) * ratio[series[chunk]][:, None, :]
        np.add.at(sums, series[chunk], (_CELLS[loss](error) * counts).sum(axis=1))
        np.add.at(cells, series[chunk], counts.sum(axis=1))
    there = (cells > 0) & np.isfinite(ratio)
    return float(np.mean(sums[there] / cells[there])) if there.any() else float("nan")
