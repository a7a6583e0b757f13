"""Windows to forecast from that lie far from all that the model was trained on, as of another unit."""

from dataclasses import replace

import numpy as np

from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.windows.ahead import observed
from seq2seq_kit.recipe.fields import HorizonData

_FAR = 5.0  # scales of the training rows, beyond which no value of a usual window lies
_MOST_TOLD = 3


def is_far(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether the least and the largest scaled value of a window are far from the training rows, on one side."""
    return (low > _FAR) | (high < -_FAR)


def told_of_far_values(table: Table, data: HorizonData, scaler: Scaler) -> Table:
    """The table, with a note on inputs whose newest window lies wholly beyond five scales on one side of the training rows.

    Fractions where the training rows had percent, or thousands where they had units, do that. A level that has grown may, too:
    the forecast is made. Not looked at are columns that are transformed, whose scale is another one.
    """
    # Differences, and windows of a scale of their own, are made for levels that move.
    if scaler.transforms is not None or data.window_scaling != "none" or not len(table.series):
        return table
    codes = scaler.codes_of(table.series)
    starts = np.maximum(table.bounds[:-1], table.bounds[1:] - data.input_steps)
    edges = np.column_stack([starts, table.bounds[1:]]).ravel()
    found = []
    for name in observed(Columns.of(data)):
        if name not in scaler.columns:
            continue
        at = scaler.columns.index(name)
        center, scale = scaler.center[codes, at], scaler.scale[codes, at]
        values = np.append(table.values[:, table.columns.index(name)], np.nan)
        low, high = np.fmin.reduceat(values, edges)[::2], np.fmax.reduceat(values, edges)[::2]
        least, most = (low - center) / scale, (high - center) / scale
        flags = np.isin(low, (0, 1)) & np.isin(high, (0, 1))
        # A scale of 1 is that of `scaling: none` and of columns that did not change.
        far = is_far(least, most) & (scale != 1) & ~flags
        found += [
            f"{name}{f' of series {table.series[n]}' if table.series[n] else ''} is {low[n]:.6g} to {high[n]:.6g}, which is "
            f"{least[n]:.0f} to {most[n]:.0f} times the training rows' scale of {scale[n]:.4g} from {center[n]:.4g}"
            for n in np.flatnonzero(far)
        ]
    if not found:
        return table
    more = f", and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    told = f"{'; '.join(found[:_MOST_TOLD])}{more}"
    said = f"the newest {data.input_steps} rows lie far from the training rows: {told}. Is the unit the same?"
    return replace(table, notes=[*table.notes, said])
