"""What the recipe says of the rows: step, doubles, gaps, missing cells, limits of what the file leaves open."""

from collections.abc import Sequence

import numpy as np

from seq2seq_kit.drafting.keys import has_key
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.drafting.seasons import find_seasons
from seq2seq_kit.drafting.signal import training_rows
from seq2seq_kit.drafting.sizes import LEAST_ROWS
from seq2seq_kit.drafting.table import Inspected
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Recipe

_HOLE = 24  # absent rows of a place, on average, from which nothing is filled
_FILLED = 0.4  # share of absent rows up to which they are filled
_LONGEST, _PLAIN = 96, 24  # steps of a window, at most and without a season
_APART = 3.0  # times that the typical size of one series may be that of another


def choose_window(
    table: Inspected, column: str, keys: dict[str, object], rows: Sequence[int], *, share: float, notes: Notes
) -> int:
    """The steps of a window that is read as a whole: a season, if one is seen that is short enough.

    Args:
        table: The rows.
        column: Whose season it is.
        keys: Those of the clock; empty where each row counts as a step.
        rows: Of each series, that no gap parts.
        share: Of the rows in validation and in test, which must hold a window.
        notes: Takes the decision.

    Raises:
        DataError: There are too few rows.
    """
    if max(rows) < LEAST_ROWS:
        said = f"the longest series without a gap has {max(rows)} rows. Expected at least {LEAST_ROWS}; give more rows"
        raise DataError(f"{table.source.origin}: {said}", code="too_few_rows")
    seasons = find_seasons(training_rows(table.on_grid(column)), table.every if keys else None)
    found = [season for season in seasons if season.steps <= _LONGEST]
    long = f"the season, {seasons[0].told}, is longer than {_LONGEST}" if seasons else "no season is seen"
    notes.say("input_steps", f"a season, {found[-1].told}" if found else f"two dozen rows, because {long}")
    return min(found[-1].steps if found else _PLAIN, int(max(rows) * share))


def training_windows(rows: Sequence[int], steps: int, *, share: float) -> int:
    """About how many windows training has, at least 1; arguments as of `choose_window`."""
    return sum(max(0, int(count * (1 - 2 * share)) - steps + 1) for count in rows) or 1


def clock_keys(table: Inspected, kind: type[Recipe], notes: Notes) -> dict[str, object]:
    """`time`, `every` and what goes with them.

    Raises:
        DataError: The times need a key that this kind of recipe does not have.
    """
    clock, step = table.clock, table.step
    if clock is None or step is None:
        return {}
    origin = table.source.origin
    if len(clock.columns) > 1 and not has_key(kind, "data.duplicates"):
        said = f"join {' and '.join(clock.columns)} into one column of timestamps"
        raise DataError(
            f"{origin}: date and time of day stand in two columns. Expected one: {said}", code="nothing_to_draft"
        )
    keys: dict[str, object] = {"time": clock.columns[0] if len(clock.columns) == 1 else list(clock.columns)}
    every = step.every
    if step.by_rows:
        notes.say("every", f"{step.apart}: each row counts as a step")
        return keys | {"every": "rows"} | clock.keys
    if every is None:
        notes.said[:] = [(key, text) for key, text in notes.said if key not in ("time", "time_format", "time_zone")]
        notes.say("", f"{step.apart}: no step of time, so each row counts as a step and {clock.columns[0]} is left out")
        return {}
    if step.resampled:
        notes.say("every", f"{step.apart}: no step of their own, so the rows are averaged to {every.text}")
        notes.say("gaps", "steps without a row are filled as missing cells are")
        return keys | {"every": every.text} | clock.keys | {"resample": "mean", "gaps": "fill"}
    notes.say("every", step.apart)
    keys |= {"every": every.text} | clock.keys
    if table.doubles:
        if not has_key(kind, "data.duplicates"):
            raise DataError(
                f"{origin}: {table.doubles:,} rows repeat the time of another one. Expected one row for each series and time; "
                "remove the others",
                code="duplicate_timestamp",
            )
        keys["duplicates"] = _of_doubles(table, notes)
    share = step.absent / (len(table.order) + step.absent)
    if step.gaps and has_key(kind, "data.gaps") and share <= _FILLED and step.absent <= _HOLE * step.gaps:
        places = "1 place" if step.gaps == 1 else f"{step.gaps:,} places"
        notes.say(
            "gaps",
            f"absent rows: {step.absent:,} in {places} ({share:.1%}); they are filled as missing cells are",
        )
        keys["gaps"] = "fill"
    elif step.gaps:
        notes.say("every", f"places where rows are absent: {step.gaps:,} ({step.absent:,} rows); no window crosses one")
    return keys


def _of_doubles(table: Inspected, notes: Notes) -> str:
    if not table.differ:
        notes.say("duplicates", f"rows that are there twice: {table.doubles:,}; one of each is kept")
        return "first"
    if table.doubles > 0.02 * len(table.codes):
        notes.say("duplicates", f"{table.doubles:,} rows repeat a time, as single sales do: they are added up")
        return "sum"
    notes.say(
        "duplicates",
        f"repeated times with other values: {table.differ:,}. Nothing tells which is right, so the first is kept; "
        "last, mean and sum are the other choices",
    )
    return "first"


def series_keys(table: Inspected, name: str, kind: type[Recipe], notes: Notes) -> dict[str, object]:
    """`series`, and how series of other size share a model; sizes are those of the training rows of the column `name`.

    Raises:
        DataError: The recipe takes one column, and it takes two to tell series apart.
    """
    if not table.series:
        return {}
    if len(table.series) > 1 and not has_key(kind, "data.static"):
        raise DataError(
            f"{table.source.origin}: {' and '.join(table.series)} tell its series apart only together. Join them, "
            f"frame[{table.series[0]!r}] + ' ' + frame[{table.series[1]!r}], and draft for that table",
            code="nothing_to_draft",
        )
    keys: dict[str, object] = {"series": table.series[0] if len(table.series) == 1 else table.series}
    rows_of = (training_rows([rows]) for rows in table.on_grid(name))
    sizes = [float(np.nanmedian(np.abs(rows))) for rows in rows_of if np.isfinite(rows).any()]
    sizes = [size for size in sizes if size > 0]
    if sizes and max(sizes) > _APART * min(sizes):
        apart = f"the series are up to {max(sizes) / min(sizes):,.3g} times as large as each other"
        if has_key(kind, "data.window_scaling"):
            notes.say("window_scaling", f"{apart}, so each window is scaled by its own size")
            keys["window_scaling"] = "mean_abs"
        else:
            notes.say(
                "scale_per_series", f"{apart}, so each has a scaler of its own; `predict` then knows these series only"
            )
            keys["scale_per_series"] = True
    return keys


def missing_keys(table: Inspected, columns: list[str], keys: dict[str, object], notes: Notes) -> dict[str, object]:
    """`missing`, if a used column has cells to fill."""
    cells = {name: int(table.source.frame[name].isna().sum()) for name in columns}
    empty = {name: count for name, count in cells.items() if count}
    if not empty and "gaps" not in keys:
        return {}
    if empty:
        counts = ", ".join(f"{name} {count:,}" for name, count in empty.items())
        notes.say("missing", f"missing cells ({counts}) are filled between their neighbours, never from a later part")
    else:
        notes.say("missing", "what is absent is filled between its neighbours, never from a later part")
    return {"missing": "interpolate"}


def usable_rows(table: Inspected, columns: list[str], keys: dict[str, object]) -> list[int]:
    """Lengths of the stretches that windows are cut from: series, or their parts between gaps."""
    found = []
    whole = "gaps" in keys or keys.get("every", "rows") == "rows"
    for absent, *rows in zip(table.absent(), *(table.on_grid(name) for name in columns), strict=True):
        known = np.flatnonzero(~np.isnan(np.stack(rows)).any(axis=0))
        begin = int(known[0]) if len(known) else len(absent)
        if whole:
            found.append(len(absent) - begin)
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[1], absent[begin:].astype(np.int8), [1]])))
        found += [int(length) for length in edges[1::2] - edges[::2]] or [0]
    return found
