"""Columns that gave no value while rows were watched: a sensor that died is a finding, not an end of the alarms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.findings import Finding

_NAMED = 5


def examine_silence(table: Table, columns: Sequence[str], *, longest: int | None, instead: str) -> list[Finding]:
    """The finding on columns without a value for longer than a window, or in all rows of a series.

    Args:
        table: The rows as they came, NaN where missing.
        columns: That the model reads or predicts.
        longest: Rows of a window; None where a series is one.
        instead: What the model reads in place of them.
    """
    spans = list(zip(table.bounds[:-1].tolist(), table.bounds[1:].tolist(), strict=True))
    pads = [0] * len(spans) if table.pads is None else table.pads.tolist()
    spans = [(first + pad, end) for (first, end), pad in zip(spans, pads, strict=True) if end > first + pad]
    said = [told for name in columns if (told := _silence(table, name, spans, longest))]
    if not said:
        return []
    more = f"; and {len(said) - _NAMED} more columns" if len(said) > _NAMED else ""
    advice = (
        f"Nothing is said of such cells, and the model reads {instead} there, so scores of the other columns are less sure. "
        "Mend the sensor; where it is gone for good, train without the column, or calibrate on usual rows without its values"
    )
    return [Finding("column_without_values", "warning", "; ".join(said[:_NAMED]) + more, advice)]


def _silence(table: Table, name: str, spans: list[tuple[int, int]], longest: int | None) -> str:
    cells, missing, series, still = table.values[:, table.columns.index(name)], 0, 0, False
    for first, end in spans:
        gone = np.isnan(cells[first:end])
        if not gone.any() or (longest is None and not gone.all()):
            continue
        if not gone.all() and _longest_run(gone) <= (longest or 0):
            continue
        missing, series = missing + int(gone.sum()), series + 1
        still = still or bool(gone[-1])
    if not series:
        return ""
    rows = sum(end - first for first, end in spans)
    where = f" ({series} of {len(spans)} series)" if len(spans) > 1 else ""
    return f"{name} gave no value in {missing:,} of {rows:,} rows{where}{', the newest among them' if still else ''}"


def _longest_run(gone: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
