"""Predictions of windows as frames: which series, which time or row, which step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.gaps import other_step
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.windows.labels import series_labels, when
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import SeriesTooShortError

_CHUNK = 4_096


def in_chunks(
    prepared: Prepared, windows: np.ndarray, part: Callable[[Prepared, np.ndarray], pd.DataFrame]
) -> pd.DataFrame:
    """`part` of every window, in chunks; what was done to the rows stands in the frame's `attrs["notes"]`.

    `attrs["left_out"]` says by name why a series was left out, where any was.
    """
    chunks = [windows[first : first + _CHUNK] for first in range(0, len(windows), _CHUNK)]
    pieces = [part(prepared, chunk) for chunk in chunks]
    frame = pd.concat(pieces, ignore_index=True)
    renamed = [note for chunk in pieces[:1] for note in chunk.attrs.get("renamed", [])]
    frame.attrs = {"notes": [*prepared.notes, *renamed]}
    if prepared.table.left_out:
        frame.attrs["left_out"] = dict(prepared.table.left_out)
    return frame


def forecast_frame(
    prepared: Prepared, windows: np.ndarray, values: np.ndarray | Mapping[str, np.ndarray], *, paths: int = 0
) -> pd.DataFrame:
    """A row for each window and step: series, time (or row), `step`, a column for each target, and what stands beside it.

    Of sample paths there is a row for each window, path and step, with a column `sample`, counted from 1, before `step`.

    Args:
        prepared: Where the windows lie, in its test part.
        windows: Their numbers.
        values: Original units, `(windows, steps, targets)`, or `(windows, steps)` by column; the first steps of each window.
        paths: Of each window, which then stands as often in `values`.
    """
    if isinstance(values, np.ndarray):
        values = {name: values[:, :, position] for position, name in enumerate(prepared.columns.targets)}
    steps = next(iter(values.values())).shape[1]
    sample = {"sample": np.tile(np.repeat(np.arange(1, paths + 1), steps), len(windows))} if paths else {}
    windows = np.repeat(windows, paths) if paths else windows
    rows = prepared.windows["test"].target_rows(windows)[:, :steps]
    targets = {name: column.ravel() for name, column in values.items()}
    before = prepared.windows["test"].shape.before
    step = sample | {"step": np.tile(np.arange(1 - before, steps + 1 - before), len(windows))}
    series, at = _series_of(prepared, np.repeat(windows, steps)), when(prepared, rows.ravel())
    # The data's own names come first, the kit's row and step give way.
    if prepared.table.times is not None:
        return answer_frame(series, at, targets, step, order=(0, 1, 3, 2))
    return answer_frame(series, targets, at, step, order=(0, 2, 3, 1))


def window_labels(prepared: Prepared, windows: np.ndarray) -> pd.DataFrame:
    """A row for each window of the test part: series, first and last time (or row)."""
    rows = prepared.windows["test"].input_rows(windows)
    first, last = when(prepared, rows[:, 0], "first_"), when(prepared, rows[:, -1], "last_")
    return answer_frame(_series_of(prepared, windows), first, last)


def newest_windows(prepared: Prepared) -> np.ndarray:
    """The last window of each series."""
    windows = prepared.windows["test"]
    last_run = np.zeros(len(prepared.table.series), dtype=np.int64)
    last_run[windows.series] = np.arange(
        len(windows.series)
    )  # runs are in order of series and time: the last one stays
    return windows.ends[last_run] - 1


def require_some(prepared: Prepared) -> None:
    """Raises `SeriesTooShortError` unless the test part has a window."""
    windows = prepared.windows["test"]
    if not windows.count:
        raise SeriesTooShortError(
            f"{prepared.table.origin}: not one window fits. One window spans {windows.shape.span} rows without a gap "
            f"{prepared.why_none('test')}. {_cure(prepared)}",
            code="series_too_short",
        )


def _cure(prepared: Prepared) -> str:
    step = other_step(prepared.table)
    if not step:
        return "Give more rows"
    return f"{step[:1].upper()}{step[1:]}: give rows of that step, or use a model that was trained on such"


def _series_of(prepared: Prepared, windows: np.ndarray) -> dict[str, np.ndarray]:
    return series_labels(prepared.data.series_columns, prepared.table.series, prepared.series_of("test", windows))
