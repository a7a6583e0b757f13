"""Which rows are labelled as anomalous: a column of 0 and 1, or a file of intervals. Only figures read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import require_columns
from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.names import read_series
from seq2seq_kit.data.tables.sources import ENDINGS, read_source
from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.data.tables.text_files import TEXT_ENDINGS
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times
from seq2seq_kit.data.windows.ahead import style_of, treatment_of
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Table as Section

_REST_OF_A_DAY = 24 * 60 * 60 * 10**9 - 1  # nanoseconds
_TRUTHS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


def is_file(labels: str) -> bool:
    """Whether `data.labels` names a file of intervals; else it is a column."""
    return labels.lower().endswith(ENDINGS)


def labelled_rows(
    labels: str,
    table: Table,
    frame: pd.DataFrame,
    data: Section,
    *,
    origin: str = "the data",
    of_more: bool = False,
) -> np.ndarray:
    """Whether each row of a table is labelled as anomalous, shape `(rows,)` bool.

    Args:
        labels: A column of `frame`, or the path of a file with the columns of the series if there are any, `start` and `end`:
            times, or numbers of rows counted from 1 in their series where rows have no time; the end belongs to the interval.
        table: The rows as they were prepared.
        frame: The rows as they were read.
        data: The recipe's section.
        origin: Name of the rows for messages.
        of_more: Whether a file of intervals is also of other rows; those that lie outside are then passed over.

    Raises:
        DataError: There is no such column or file, a label is neither 0 nor 1, an interval is none, lies outside the rows of
            its series or overlaps another one, or only one of rows and labels has a time zone.
    """
    if is_file(labels):
        return _rows_in_intervals(_intervals(labels, data), table, data, origin=labels, of_more=of_more)
    return _rows_of_column(labels, table, frame, data, origin)


def _intervals(path: str, data: Section) -> pd.DataFrame:
    """A file of intervals, written as the recipe says of the rows or, where that does not read it, as the file itself shows."""
    section, of_text = data.model_copy(update={"source": path}), path.lower().endswith(tuple(TEXT_ENDINGS))
    try:
        found = read_source(path, texts=data.series_columns, section=section)
    except DataError as error:
        if not of_text or error.code == "file_not_found":
            raise
    else:
        if not of_text or {"start", "end"} <= set(found.columns):
            return found
    section = section.model_copy(update={"format": detect(path).format})
    return read_source(path, texts=data.series_columns, section=section)


def flags_of(rows: pd.DataFrame, labelled: pd.DataFrame) -> np.ndarray:
    """Whether each of some rows is among the labelled ones; both frames name rows by the same columns."""
    names = list(rows.columns)
    merged = rows.merge(labelled.drop_duplicates(), on=names, how="left", indicator=True)
    return (merged["_merge"] == "both").to_numpy()


def _rows_of_column(column: str, table: Table, frame: pd.DataFrame, data: Section, origin: str) -> np.ndarray:
    require_columns(frame.columns, [column], origin, rows=len(frame), index=frame.index.names)
    values = _zeros_and_ones(frame[column], column, origin)
    clocks = [data.time] if isinstance(data.time, str) else list(data.time or [])
    named = frame[[*data.series_columns, *clocks]].assign(**{column: values})
    # Sorted, joined and put onto the grid as the rows themselves; a step with one labelled row is labelled.
    label = read_table(
        named,
        columns=[column],
        time=data.time,
        every=Every.of(data.every, data.holidays),
        series=data.series_columns,
        origin=origin,
        style=style_of(data),
        trained=table.style,
        treatment=treatment_of(data),
    )
    flags = np.zeros(len(table.values), dtype=bool)
    for place, series in enumerate(table.series):
        if series not in label.series:
            continue
        own = label.series.index(series)
        first, end = label.bounds[own : own + 2]
        begin = table.bounds[place] + (0 if table.pads is None else table.pads[place])
        rows = first + np.flatnonzero(np.asarray(label.values[first:end])[:, 0] > 0)
        if table.times is None or label.times is None:
            flags[begin + rows - first] = True
        else:
            own_times = table.times[begin : table.bounds[place + 1]]
            found = own_times.get_indexer(label.times[rows])
            flags[begin + found[found >= 0]] = True
    return flags


def _zeros_and_ones(column: pd.Series, name: str, origin: str) -> np.ndarray:
    texts = column.astype("object").map(lambda cell: str(cell).strip().lower())
    known = texts.isin(_TRUTHS)
    if not known.all():
        row = int(np.flatnonzero(~known.to_numpy())[0])
        raise DataError(
            f"{origin}, row {row + 1}, column {name}: a label is 1 for an anomalous row and 0 for any other. Received: "
            f"{column.iloc[row]!r}. Correct the {int((~known).sum())} rows that have neither, or name another column in "
            "data.labels",
            code="invalid_label",
        )
    return texts.map(_TRUTHS).to_numpy(dtype=float)


def _rows_in_intervals(written: pd.DataFrame, table: Table, data: Section, origin: str, *, of_more: bool) -> np.ndarray:
    require_columns(
        written.columns, [*data.series_columns, "start", "end"], origin, key=None
    )  # no row: nothing happened
    if of_more and data.series_columns and len(written):
        codes, names = read_series(written, data.series_columns, origin)
        written = written[np.isin(codes, [code for code, name in enumerate(names) if name in table.series])]
        written = written.reset_index(drop=True)
    series = _series_of(written, table, data.series_columns, origin)
    starts, ends = (_places(written[name], name, table, data, origin) for name in ("start", "end"))
    if table.times is not None and len(written) and bool(_are_dates(written["end"])):
        ends = ends + _REST_OF_A_DAY  # the day that is named belongs to the interval
    _refuse_reversed(written, starts, ends, origin)
    _refuse_overlap(written, series, starts, ends, origin)
    flags = np.zeros(len(table.values), dtype=bool)
    for interval, (place, start, end) in enumerate(zip(series, starts, ends, strict=True)):
        begin = int(table.bounds[place]) + (0 if table.pads is None else int(table.pads[place]))
        own = _clock(table, begin, int(table.bounds[place + 1]))
        if end < own[0] or start > own[-1]:
            if of_more:
                continue
            _refuse_outside(written, interval, table, begin, int(table.bounds[place + 1]) - 1, origin)
        first, last = np.searchsorted(own, start, side="left"), np.searchsorted(own, end, side="right")
        if data.resample and first and (first == len(own) or own[first] > start):
            first -= 1  # a step holds what was observed from its beginning on
        flags[begin + first : begin + last] = True
    return flags


def _series_of(written: pd.DataFrame, table: Table, columns: Sequence[str], origin: str) -> np.ndarray:
    if not columns or not len(written):
        return np.zeros(len(written), dtype=np.int64)
    codes, names = read_series(written, columns, origin)
    strange = [name for name in names if name not in table.series]
    if strange:
        raise DataError(
            f"{origin}: {table.origin} has no series {strange[0]!r}. Its series: {', '.join(table.series[:10])}. "
            "Correct the name, or leave the interval out",
            code="labels_outside_rows",
        )
    return np.array([table.series.index(name) for name in names])[codes]


def _places(column: pd.Series, name: str, table: Table, data: Section, origin: str) -> np.ndarray:
    """Times as int64, or numbers of rows."""
    if table.times is not None:
        if not len(column):
            return np.zeros(0, dtype=np.int64)
        style = TimeStyle(format=data.time_format, reads_as=data.time_zone)
        times, _ = read_times(column, name, origin, style=style, trained=table.style)
        return np.asarray(times.as_unit("ns").asi8)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero((numbers.isna() | (numbers % 1 != 0)).to_numpy())
    if bad.size:
        raise DataError(
            f"{origin}, row {bad[0] + 1}, column {name}: the rows have no time, so an interval goes from the number of a row to "
            f"another, counted from 1 in its series. Received: {column.iloc[bad[0]]!r}. Give numbers of rows, or name data.time",
            code="invalid_label",
        )
    return numbers.to_numpy(dtype=np.int64)


def _are_dates(column: pd.Series) -> bool:
    """Whether ends are written as days, without a time of day."""
    return pd.api.types.infer_dtype(column) == "string" and not column.str.contains(":").any()


def _clock(table: Table, first: int, end: int) -> np.ndarray:
    if table.times is None:
        return np.arange(1, end - first + 1)
    return np.asarray(table.times[first:end].as_unit("ns").asi8)


def _refuse_reversed(written: pd.DataFrame, starts: np.ndarray, ends: np.ndarray, origin: str) -> None:
    bad = np.flatnonzero(ends < starts)
    if bad.size:
        raise DataError(
            f"{origin}, row {bad[0] + 1}: the interval ends before it starts. Received: start "
            f"{written['start'].iloc[bad[0]]}, end {written['end'].iloc[bad[0]]}. Exchange the two, or correct them",
            code="invalid_label",
        )


def _refuse_overlap(
    written: pd.DataFrame, series: np.ndarray, starts: np.ndarray, ends: np.ndarray, origin: str
) -> None:
    order = np.lexsort((starts, series))
    same = series[order][1:] == series[order][:-1]
    bad = np.flatnonzero(same & (starts[order][1:] <= ends[order][:-1]))
    if bad.size:
        one, other = order[bad[0]], order[bad[0] + 1]
        raise DataError(
            f"{origin}, rows {one + 1} and {other + 1}: two intervals of a series overlap: {written['start'].iloc[one]} to "
            f"{written['end'].iloc[one]}, and {written['start'].iloc[other]} to {written['end'].iloc[other]}. An event "
            "counts once: write them as one interval",
            code="labels_overlap",
        )


def _refuse_outside(written: pd.DataFrame, interval: int, table: Table, first: int, last: int, origin: str) -> None:
    span = f"1 to {last - first + 1}" if table.times is None else f"{table.times[first]} to {table.times[last]}"
    raise DataError(
        f"{origin}, row {interval + 1}: the interval {written['start'].iloc[interval]} to {written['end'].iloc[interval]} lies "
        f"outside the rows of {table.origin}, which span {span}. Correct it, leave it out, or give the rows that it is about",
        code="labels_outside_rows",
    )
