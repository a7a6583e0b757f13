"""A table as a draft sees it: source, clock, series, step and the roles of its columns, found once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import shown
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.written import is_text
from seq2seq_kit.drafting.clock import Clock, find_clock
from seq2seq_kit.drafting.grouping import codes_of, find_series
from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.roles import Roles, find_roles
from seq2seq_kit.drafting.source import Source, as_written
from seq2seq_kit.drafting.steps import Step, find_step
from seq2seq_kit.drafting.unread import unread_times
from seq2seq_kit.drafting.wide import refuse_series_in_rows
from seq2seq_kit.errors import DataError

_MOST_DOUBLES = 0.02
_BALANCE = re.compile(
    r"(?i)(?:(?:account|closing|running|available|current|new|end|konto)[\W_]*)?(?:balance|saldo|kontostand|solde|guthaben)(?:[\W_].*)?"
)
_SUMMED = r"(?i)sales|sold|qty|quantity|amount|units|count|orders|revenue|umsatz|menge|ventas|ventes"


@dataclass(frozen=True)
class Inspected:
    """What a table is.

    Attributes:
        source: Where it comes from.
        clock: None without timestamps.
        series: Columns that tell its series apart.
        codes: Number of each row's series.
        names: Of the series.
        step: None without a clock.
        roles: Of all other columns.
        order: Rows by series and time, doubles left out.
        doubles: Rows whose time their series has already.
        differ: Of them, those with other values.
    """

    source: Source
    clock: Clock | None
    series: list[str]
    codes: np.ndarray
    names: list[str]
    step: Step | None
    roles: Roles
    order: np.ndarray
    doubles: int = 0
    differ: int = 0
    _grids: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @property
    def resampled(self) -> bool:
        """Whether rows at uneven times are averaged to the step."""
        return self.step is not None and self.step.resampled

    @property
    def every(self) -> Every | None:
        """The step of the clock, if there is one."""
        return self.step.every if self.step else None

    def on_grid(self, name: str) -> list[np.ndarray]:
        """A column by series, on the grid of the step: NaN where a cell is missing or a row absent."""
        if name not in self._grids:
            cells = pd.to_numeric(self.source.frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            self._grids[name] = [self._of_series(cells, rows) for rows in self._rows_by_series()]
        return self._grids[name]

    def words_on_grid(self, name: str) -> list[np.ndarray]:
        """A column of words as codes, as `on_grid`; where rows are averaged, a step with several words has none."""
        codes = pd.factorize(self.source.frame[name])[0].astype(np.float64)
        found = [self._of_series(np.where(codes < 0, np.nan, codes), rows) for rows in self._rows_by_series()]
        return [np.where(cells == np.round(cells), cells, np.nan) for cells in found]

    def absent(self) -> list[np.ndarray]:
        """Steps of the grid without a row, by series, shape `(steps,)` bool."""
        marks = np.ones(len(self.codes))
        return [np.isnan(self._of_series(marks, rows)) for rows in self._rows_by_series()]

    def _rows_by_series(self) -> list[np.ndarray]:
        codes = self.codes[self.order]
        edges = np.searchsorted(codes, np.arange(len(self.names) + 1))
        return [self.order[first:end] for first, end in pairwise(edges)]

    def _of_series(self, cells: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.clock is None or self.every is None:
            return cells[rows]
        ticks = self.every.ticks(self.clock.times[rows])
        ticks = (np.floor(ticks) if self.resampled else np.round(ticks)).astype(np.int64)
        if not len(ticks) or ticks[-1] > 20 * len(ticks) + 1_000:  # mostly absent: the rows as they follow each other
            return cells[rows]
        known = np.isfinite(cells[rows])
        sums, counts = (np.zeros(int(ticks[-1]) + 1) for _ in range(2))
        np.add.at(sums, ticks[known], cells[rows][known])
        np.add.at(counts, ticks[known], 1)
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def inspect(
    source: Source,
    series: list[str],
    notes: Notes,
    *,
    given: Mapping[str, object] | None = None,
    resample: bool = False,
) -> Inspected:
    """Looks at a table; says what it saw of clock, series and columns.

    Args:
        source: The table.
        series: Columns that tell its series apart; empty: those that do.
        notes: Takes what was seen.
        given: Keys of `data` that are settled already.
        resample: Whether the kind of recipe can average rows at uneven times to a step.

    Raises:
        DataError: How times are written cannot be told; rows repeat times and nothing tells series apart.
    """
    frame, origin = source.frame, source.origin
    for name in series:
        if name not in frame.columns:
            raise DataError(
                f"{origin} lacks the column {name}; it has {listed(list(frame.columns))}", code="missing_column"
            )
    refuse_series_in_rows(frame, origin)
    clock = find_clock(frame, origin, {**(given or {}), **({"series": series} if series else {})})
    taken = [*(clock.columns if clock else []), *(clock.others if clock else [])]
    times = clock.times if clock else None
    # Words such as FY2000/01 look like times and name no series.
    unread = [] if clock else [name for name in map(str, frame.columns) if unread_times(frame[[name]])]
    found = series or find_series(frame, times, [*taken, *unread])
    if not found and times is not None and times.has_duplicates:
        names = [name for name in map(str, frame.columns) if name not in taken and not _is_measured(frame[name])]
        measured = [str(name) for name in frame.drop(columns=taken).select_dtypes("number").columns]
        # The only number is what is forecast.
        names = [name for name in names if len(measured) > 1 or name not in measured]
        written = as_written(source, names)
        counted = [name for name in names if pd.api.types.is_numeric_dtype(frame[name])]
        found = find_series(frame.assign(**{name: written[name] for name in names}), times, taken, counted=counted)
    if odd := [name for name in found if not is_text(frame[name]) or frame[name].isna().any()]:
        written = as_written(source, odd)
        frame = frame.assign(**{name: written[name] for name in odd})
        source = replace(source, frame=frame)
    codes, names = codes_of(frame, found)
    order = np.lexsort((times.asi8, codes)) if times is not None else np.argsort(codes, kind="stable")
    doubles = differ = 0
    if times is not None:
        same = np.concatenate([[False], (np.diff(codes[order]) == 0) & (np.diff(times.asi8[order]) == 0)])
        doubles = int(same.sum())
        values = frame.drop(columns=taken)
        differ = doubles - int(
            pd.concat([values, pd.Series(times.asi8, name="_at"), pd.Series(codes, name="_of")], axis=1)
            .duplicated()
            .sum()
        )
        order = order[~same]
        settled = "duplicates" in (given or {}) or _can_be_summed(frame, taken)
        if doubles > _MOST_DOUBLES * len(frame) and differ > doubles / 2 and not settled:
            ways = "last, mean, first or sum" if _balances(frame, taken) else "sum, mean, first or last"
            raise DataError(
                f"{origin}: {doubles:,} of {len(frame):,} rows repeat the time of another one, and no column tells series apart. "
                f"Name the column that does (--series COLUMN), or say what becomes of such rows (--set data.duplicates={ways}), "
                "or make one row for each time",
                code="duplicate_timestamp",
            )
    step = find_step(times[order], codes[order], resample=resample) if times is not None else None
    roles = find_roles(frame, [*taken, *found], codes, times)
    _tell(frame, clock, found, names, codes, notes)
    return Inspected(source, clock, found, codes, names, step, roles, order, doubles, differ)


def _is_measured(column: pd.Series) -> bool:
    """Whether a column holds fractions or times, which are no names."""
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_bool_dtype(column):
        return True
    return pd.api.types.is_float_dtype(column) and not bool((column.dropna() % 1 == 0).all())


def _can_be_summed(frame: pd.DataFrame, taken: list[str]) -> bool:
    return not _balances(frame, taken) and bool(frame.drop(columns=taken).columns.str.contains(_SUMMED).any())


def _balances(frame: pd.DataFrame, taken: list[str]) -> list[str]:
    """Columns of what an account holds, which no sum over its rows tells."""
    return [name for name in map(str, frame.columns) if name not in taken and _BALANCE.fullmatch(name)]


def _tell(
    frame: pd.DataFrame, clock: Clock | None, found: list[str], names: list[str], codes: np.ndarray, notes: Notes
) -> None:
    unread = unread_times(frame) if clock is None else None
    if clock is None and unread is not None:
        notes.say(
            "",
            f"{unread} looks like times that cannot be read ({shown(frame[unread])}): each row counts as a step, in the order of "
            "the file, which must be that of time; or write the times year first, 2024-01-31 (from counts: pandas.to_datetime "
            "with unit and origin), or say how they are written with --set data.time_format=...",
        )
    elif clock is None:
        notes.say("", "no column of timestamps: each row counts as a step, in the order of the file")
    else:
        notes.said.extend(clock.said)
    if found:
        rows = np.bincount(codes)
        lengths = f"{rows.min():,} rows each" if rows.min() == rows.max() else f"{rows.min():,} to {rows.max():,} rows"
        notes.say(
            "series",
            f"{' and '.join(found)} tell{'s' if len(found) == 1 else ''} {len(names):,} series apart, {lengths}",
        )
