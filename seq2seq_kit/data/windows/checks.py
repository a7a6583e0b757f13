"""Diagnostics of the data before a training."""

from collections.abc import Collection

import numpy as np

from seq2seq_kit.data.tables.columns import parts_of, stride_key
from seq2seq_kit.data.tables.pieces import Moments, pieces_of
from seq2seq_kit.data.tables.seasons import season_notes
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError
from seq2seq_kit.findings import Finding

OUTLIER_DEVIATIONS = 20
_OUTSIDE_SHARE = 0.01
_OUTSIDE_ROWS = 3  # one or two of them are exceptions, such as a total in the last row, and no other range
_FEW_WINDOWS = {"train": 200, "val": 30, "test": 30}


def check_data(prepared: Prepared, *, level_free: Collection[str] = ()) -> list[Finding]:
    """Constant columns, outliers, test rows outside the training range, too few windows, and the notes of preparing.

    `level_free`: columns whose level the model takes out of each window, so that one outside of the training range is no matter.

    Raises:
        DataError: No target has a value in the training rows, so there would be nothing to learn; see `season_notes`.
    """
    values, train = prepared.table.values, prepared.split.rows("train")
    notes = [*prepared.notes, *season_notes(prepared.data, prepared.table, train)]
    findings = [Finding("data_note", "note", note, "") for note in notes]
    targets = prepared.columns.targets
    if not any(Moments.of(values, prepared.table.columns.index(name), train).count for name in targets):
        raise DataError(
            f"no target ({', '.join(targets)}) has a value in the training rows, so there is nothing to learn. Choose other "
            "targets, or another data.split",
            code="empty_column",
        )
    for position, name in enumerate(prepared.table.columns):
        if name == prepared.columns.weight or name in prepared.columns.categories:
            continue
        known = Moments.of(values, position, train)
        if not known.count or known.low == known.high:
            findings.append(_constant(name, known))
            continue
        findings += _outliers(prepared, name, position)
        transforms = prepared.scaler.transforms
        differenced = transforms is not None and transforms.lags[position]
        if not differenced and name not in level_free:  # a level that runs away is no matter for its changes
            findings += _outside(prepared, name, position, known)
    return findings + _few_windows(prepared) + _left_out_series(prepared)


def _constant(name: str, known: Moments) -> Finding:
    value = f"constant ({known.low:g})" if known.count else "empty"
    return Finding(
        "constant_column",
        "warning",
        f"column {name} is {value} in all training rows, so nothing can be learned from it",
        "Leave it out of inputs and targets, or train on rows where it varies",
    )


def _outliers(prepared: Prepared, name: str, position: int) -> list[Finding]:
    values, rows = prepared.table.values, len(prepared.table.values)
    all_cells = Moments.of(values, position, [(0, rows)])
    reach = max(all_cells.mean - all_cells.low, all_cells.high - all_cells.mean)
    if reach <= OUTLIER_DEVIATIONS * all_cells.deviation:
        return []
    count, worst, farthest = 0, 0, 0.0
    for piece in pieces_of(0, rows):
        distance = np.nan_to_num(np.abs(values[piece, position] - all_cells.mean) / all_cells.deviation)
        count += int((distance > OUTLIER_DEVIATIONS).sum())
        if distance.max() > farthest:
            worst, farthest = piece.start + int(distance.argmax()), float(distance.max())
    return [
        Finding(
            "outlier",
            "warning",
            f"column {name} has {count} {'value' if count == 1 else 'values'} beyond {OUTLIER_DEVIATIONS} standard "
            f"deviations; the farthest is {values[worst, position]:g}, {farthest:.0f} deviations off, in "
            f"{prepared.table.where(worst)}",
            f"If it cannot be real, set data.limits: {{{name}: [lowest, highest]}}; else try data.scaling: {{{name}: robust}}",
        )
    ]


def _outside(prepared: Prepared, name: str, position: int, known: Moments) -> list[Finding]:
    outside = rows = 0
    for piece in (piece for first, end in prepared.split.rows("test") for piece in pieces_of(first, end)):
        cells = prepared.table.values[piece, position]
        outside, rows = outside + int(((cells < known.low) | (cells > known.high)).sum()), rows + len(cells)
    share = outside / rows if rows else 0.0
    if share <= _OUTSIDE_SHARE or outside < _OUTSIDE_ROWS:
        return []
    return [
        Finding(
            "test_outside_training_range",
            "warning",
            f"{share:.1%} of the test rows of column {name} lie outside its training range {known.low:g} to {known.high:g}; "
            "a network is unreliable there",
            f"Try data.transform: {{{name}: diff}} (its changes instead of its level), more history, or without the column",
        )
    ]


def _few_windows(prepared: Prepared) -> list[Finding]:
    return [
        Finding(
            "few_windows",
            "warning",
            f"only {prepared.windows[part].count} {part} windows; figures from fewer than {_FEW_WINDOWS[part]} are unreliable",
            f"Use more rows, a smaller {stride_key(prepared.data, part)} or input_steps, or a larger share in data.split",
        )
        for part in parts_of(prepared.data)
        if prepared.windows[part].count < _FEW_WINDOWS[part]
    ]


def _left_out_series(prepared: Prepared) -> list[Finding]:
    """Series so short that a part has no window of theirs; with a single series that is an error before this."""
    findings = []
    for part in parts_of(prepared.data):
        held = set(prepared.windows[part].series.tolist())
        absent = [name for series, name in enumerate(prepared.table.series) if series not in held]
        if absent:
            findings.append(
                Finding(
                    "series_without_windows",
                    "warning",
                    f"{len(absent)} of {len(prepared.table.series)} series are too short for a {part} window: "
                    f"{', '.join(absent[:5])}{', ...' if len(absent) > 5 else ''}",
                    "They count for nothing there; give them more rows, leave them out, or set data.short_series: pad",
                )
            )
    return findings
