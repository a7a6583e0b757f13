"""From a recipe's data section and a frame to rows that are ready for a model.

The stages: read (checked, sorted, cut at gaps, limits applied), split (train, val, test), fit (a scaler of the training rows),
fill (missing cells), scale (the matrix). Training goes through all of them. A prediction brings its scaler and puts all rows
into the test part, so it fits and splits nothing. Each function here goes through them for one kind of rows.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.data.on_disk.table import open_table
from seq2seq_kit.data.tables.categories import settle
from seq2seq_kit.data.tables.columns import Columns, parts_of, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import PARTS, Split, split_by_time, split_from_end, whole
from seq2seq_kit.data.tables.table import Table, read_table, refuse_huge
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle
from seq2seq_kit.data.windows.ahead import (
    append_ahead,
    empty_ends,
    empty_targets,
    observed,
    only_forecastable,
    read_targets,
    refuse_empty_ends,
    refuse_empty_targets,
    require_newest,
    style_of,
    told_of_stale_targets,
    too_short,
    treatment_of,
)
from seq2seq_kit.data.windows.prepared import Prepared, fill_and_scale, fit_fill_and_scale, scale
from seq2seq_kit.data.windows.stages import fill, fit_on, pad_short, refuse_bad_weights, rows_lost
from seq2seq_kit.data.windows.unusual import told_of_far_values
from seq2seq_kit.errors import DataError, SeriesTooShortError
from seq2seq_kit.recipe.fields import CalibratedSplit, Data, HorizonData, WindowData

__all__ = ["Prepared", "prepare", "prepare_ahead", "prepare_by_series", "prepare_new", "prepare_on_disk"]


def prepare(data: Data, frame: pd.DataFrame, *, windows: bool = True, origin: str = "the data") -> Prepared:
    """Checks, splits, fills, scales; `windows=False` for who cuts the rows into something else.

    Raises:
        DataError: See `read_table`; missing cells where the recipe refuses them.
        SeriesTooShortError: A part holds not one window.
    """
    table = read_rows(data, frame, origin)
    least = window_shape(data).span
    table, split = pad_short(data, table, _split(data, table), "train", least=least)
    prepared = fit_fill_and_scale(data, table, split)
    if windows:
        prepared.require_windows()
        if isinstance(data, WindowData) and data.short_series == "refuse":
            _refuse_short(prepared)
    return prepared


def prepare_on_disk(data: Data, path: str, *, origin: str | None = None) -> tuple[Prepared, FrameOnDisk]:
    """As `prepare` for a Parquet file whose rows stay on disk and are read when they are asked for.

    Args:
        data: The recipe's section.
        path: The file.
        origin: What it is called in messages; default: its path.

    Returns:
        The prepared rows, and the file as a frame.

    Raises:
        DataError: See `open_table`; missing cells.
        SeriesTooShortError: A part holds not one window.
    """
    step = Every.of(data.every, data.holidays)
    table, frame = open_table(
        path,
        columns=Columns.of(data).numbers,
        time=data.time_name,
        every=step,
        style=style_of(data),
        origin=origin or path,
        categories=Columns.of(data).words,
    )
    prepared = fit_fill_and_scale(data, refuse_bad_weights(data, table), _split(data, table))
    prepared.require_windows()
    return prepared, frame


def prepare_new(data: Data, frame: pd.DataFrame, scaler: Scaler, *, origin: str = "the data") -> Prepared:
    """As `prepare` for rows that a trained model has not seen: all of them in the test part, nothing is fitted.

    Every window has its ground truth in the frame; for the steps beyond it see `prepare_ahead`.
    """
    weight = Columns.of(data).weight
    if weight and weight not in frame and weight not in Columns.of(data).past:
        frame = frame.assign(**{weight: 1.0})  # it belongs to training
    table = read_rows(data, frame, origin, scaler.times)
    table, split = pad_short(data, table, whole(table), "test", least=window_shape(data).span)
    return fill_and_scale(data, table, split, scaler)


def prepare_by_series(
    data: Data,
    frame: pd.DataFrame,
    divide: Callable[[Sequence[str]], Mapping[str, np.ndarray]],
    *,
    origin: str = "the data",
) -> tuple[Prepared, dict[str, np.ndarray]]:
    """As `prepare` where whole series belong to train, val and test: `divide` gives their numbers by part from their names.

    Returns:
        All rows in the test part, scaled as the rows of the training series are; and the parts.

    Raises:
        DataError: See `read_table`; missing cells where the recipe refuses them; a part without a series.
    """
    table = read_rows(data, frame, origin)
    parts = dict(divide(table.series))
    for part in PARTS:
        if not len(parts[part]):
            raise DataError(
                f"{origin}: none of its {len(table.series)} series falls into the {part} part. Give more series, or larger "
                "shares in data.split",
                code="empty_part",
            )
    bounds = np.column_stack([table.bounds[:-1], table.bounds[1:]])
    scaler = fit_on(data, table, bounds[parts["train"]])
    return fill_and_scale(data, table, whole(table), scaler), parts


def prepare_ahead(
    data: HorizonData,
    frame: pd.DataFrame,
    scaler: Scaler,
    *,
    future: pd.DataFrame | None = None,
    least: int | None = None,
    origin: str = "the data",
) -> Prepared:
    """Rows to forecast from, with the steps ahead appended to each series; targets that the encoder does not read may be absent.

    Args:
        data: The recipe's section.
        frame: The rows.
        scaler: Of the training.
        future: What is known of the steps ahead.
        least: The fewest newest rows that anything of the model reads, which must hold a value of a target; None: all.
        origin: Name of the rows for messages.

    Raises:
        SeriesTooShortError: No series ends with `input_steps` rows without a gap; one does not, where the recipe refuses such.
        DataError: See `read_table` and `append_ahead`.
    """
    columns, least = Columns.of(data), least or data.input_steps
    # Targets that the encoder does not read are in no input window; zeros keep them from counting as missing.
    unread = [name for name in columns.numbers if name not in columns.past]
    read = data.model_copy(update={"limits": {key: pair for key, pair in data.limits.items() if key not in unread}})
    if unread:
        frame = frame.copy(deep=False)
        frame[unread] = 0.0 if scaler.transforms is None else 1.0  # which has a logarithm
    table = read_rows(read, frame, origin, scaler.times)
    if data.short_series != "refuse" and len(table.series) > 1:
        table = _forecastable(data, table, scaler, least)
    refuse_empty_ends(table, observed(columns))
    refuse_empty_targets(table, data, least)
    table, split = pad_short(data, table, whole(table), "test", least=data.input_steps)
    filled = fill(data, told_of_stale_targets(table, data), split)
    needed = data.input_steps + rows_lost(data, scaler)
    if data.short_series != "refuse":
        filled = only_forecastable(filled, too_short(filled, needed))
    require_newest(filled, needed)
    ahead = append_ahead(told_of_far_values(filled, data, scaler), data, future)
    return scale(data, ahead, ahead, whole(ahead), scaler)


def _forecastable(data: HorizonData, table: Table, scaler: Scaler, least: int) -> Table:
    """The series that can be forecast, as far as that can be told before cells are filled."""
    reasons = dict.fromkeys(scaler.unknown(table.series), "not in the training data")
    needed = data.input_steps + rows_lost(data, scaler)
    short = {} if data.short_series == "pad" else too_short(table, needed)
    empty = {
        series: f"no value in the newest {'row' if rows == 1 else f'{rows} rows'}"
        for series, rows in empty_ends(table, observed(Columns.of(data))).items()
    }
    names = ", ".join(read_targets(data))
    silent = {
        series: f"no value of {names} in the newest {rows} rows"
        for series, rows in empty_targets(table, data, least).items()
    }
    return only_forecastable(table, short | silent | empty | reasons)


def _refuse_short(prepared: Prepared) -> None:
    for part in parts_of(prepared.data):
        held = np.isin(np.arange(len(prepared.table.series)), prepared.windows[part].series)
        if not held.all():
            absent = [prepared.table.series[series] for series in np.flatnonzero(~held)]
            raise SeriesTooShortError(
                f"{prepared.table.origin}: {len(absent)} of {len(held)} series are too short for a {part} window: "
                f"{', '.join(absent[:10])}, and the recipe has data.short_series: refuse. Give them more rows, or set "
                "data.short_series: leave_out or pad",
                code="series_too_short",
            )


def read_rows(data: Data, frame: pd.DataFrame, origin: str, trained: TimeStyle | None = None) -> Table:
    """The stage `read`; `trained`: how the timestamps of the training rows were written, see `read_times`."""
    columns = Columns.of(data)
    table = read_table(
        frame,
        columns=columns.numbers,
        time=data.time,
        every=Every.of(data.every, data.holidays),
        series=data.series_columns,
        origin=origin,
        style=style_of(data),
        trained=trained,
        form=data.format,
        limits=data.limits,
        treatment=treatment_of(data),
        categories=columns.words,
        series_category=columns.series_category,
    )
    return refuse_bad_weights(data, refuse_huge(settle(table, columns.static)))


def _split(data: Data, table: Table) -> Split:
    leave_out = isinstance(data, WindowData) and data.short_series != "refuse"
    split = data.split
    share, held = (split.calibration, split.calibration_steps) if isinstance(split, CalibratedSplit) else (None, None)
    if split.from_end:
        return split_from_end(table, [split.val_steps or 0, held or 0, split.test_steps or 0], leave_out=leave_out)
    return split_by_time(
        table, val=split.val, test=split.test, train=split.train, calibration=share, leave_out=leave_out
    )
