"""Time steps: from `every: 1h` to whole numbers of steps between timestamps and to the timestamps ahead.

Steps of days and longer are counted on the local clock: a day of 23 or 25 hours is one step, and a day whose midnight the
clocks jump over begins when they have jumped.
"""

import re
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import pandas as pd

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MONTHS = {"mo": 1, "y": 12}
# Natural seasons in the unit they are counted in: a day, a week, a year of 365 days (weeks: 52).
_SEASON_SECONDS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "year": 364 * 86400}

_WEEKDAYS = {"week": 5, "year": 261}


@dataclass(frozen=True)
class Every:
    """The time from one row to the next: a fixed number of seconds, of calendar months, or of days from Monday to Friday."""

    text: str
    seconds: int = 0
    months: int = 0
    weekdays: int = 0

    @classmethod
    def parse(cls, text: str) -> "Every":
        """Reads `15min`, `1h`, `1mo`, ... The recipe's schema has checked the form already."""
        match = re.fullmatch(r"(\d+)(\w+)", text)
        assert match, text
        count, unit = int(match[1]), match[2]
        if unit == "bd":
            return cls(text, weekdays=count)
        if unit in _MONTHS:
            return cls(text, months=count * _MONTHS[unit])
        return cls(text, seconds=count * _SECONDS[unit])

    @property
    def fixed(self) -> bool:
        """Whether each step takes the same time by the clock of physics: less than whole days."""
        return self.seconds % 86400 != 0

    def ticks(self, times: pd.DatetimeIndex, *, since: pd.DatetimeIndex | None = None) -> np.ndarray:
        """Steps since the first timestamp of `since`, by default of `times`.

        Shape `(rows,)` float64: a whole number for a row on the grid.
        """
        if len(times) == 0:
            return np.zeros(0)
        start = (times if since is None else since)[:1]
        if self.fixed:
            return np.asarray((times - start[0]) / pd.Timedelta(seconds=self.seconds), dtype=np.float64)
        times, start = _local(times), _local(start)
        if self.weekdays:
            return _weekdays(times, start) / self.weekdays
        if not self.months:
            return np.asarray((times - start[0]) / pd.Timedelta(seconds=self.seconds), dtype=np.float64)
        whole = (times.year - start[0].year) * 12 + times.month - start[0].month
        # Part of the month that a row is off the day and time of the first row.
        origin, start_origin = (index.to_period("M").to_timestamp() for index in (times, start))
        off = ((times - origin) - (start[0] - start_origin[0])) / pd.Timedelta(days=31)
        # Month ends (31, 28, 30, ...) are one step apart although their day changes.
        days = np.where(times.is_month_end & start[0].is_month_end, 0.0, np.asarray(off))
        return (np.asarray(whole) + days) / self.months

    def ahead(self, times: pd.DatetimeIndex, steps: np.ndarray) -> pd.DatetimeIndex:
        """The timestamps `steps` rows after the last of `times`; month ends follow where all of them are month ends."""
        if self.fixed:
            return pd.DatetimeIndex(times[-1] + pd.to_timedelta(np.asarray(steps) * self.seconds, unit="s"))
        local = _local(times)
        last = local[-1]
        offset = self._offset(months_end=bool(local.is_month_end.all()))
        later = pd.DatetimeIndex([last + offset * int(step) for step in steps]).as_unit(times.unit)
        return later if times.tz is None else _on_the_clock(later, times.tz)

    def _offset(self, *, months_end: bool) -> pd.offsets.BaseOffset:
        """One step, for what is counted by the calendar."""
        if self.weekdays:
            # Behind a row of a weekend, which no table on this grid has, the first step is the Monday.
            return pd.offsets.BusinessDay(self.weekdays)
        if not self.months:
            return pd.DateOffset(days=self.seconds // 86400)
        return pd.offsets.MonthEnd(self.months) if months_end else pd.DateOffset(months=self.months)

    def seasons(self) -> dict[str, int]:
        """The natural seasons that are a whole number of steps, by name, shortest first: day 24 and week 168 for 1h."""
        if self.months:
            return {"year": 12 // self.months} if self.months < 12 and 12 % self.months == 0 else {}
        if self.weekdays:
            return dict(_WEEKDAYS) if self.weekdays == 1 else {}
        found = {}
        for name, length in _SEASON_SECONDS.items():
            if length % self.seconds == 0 and length // self.seconds > 1:
                found[name] = length // self.seconds
        if "year" in found and self.seconds < 7 * 86400:
            found["year"] = round(365 * 86400 / self.seconds)
        return found


def _local(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """What the local clock shows, without a zone; a time to which a midnight was put off counts as that midnight."""
    if times.tz is None:
        return times
    shown = times.tz_localize(None)
    midnight = shown.normalize()
    put_off = (shown != midnight) & (_on_the_clock(midnight, times.tz) == times)
    return midnight.where(put_off, shown) if put_off.any() else shown


def _on_the_clock(local: pd.DatetimeIndex, zone: tzinfo) -> pd.DatetimeIndex:
    """Local times with their zone: of an hour that there is twice the first one, for one that there is not the next there is."""
    return local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")


def _weekdays(times: pd.DatetimeIndex, start: pd.DatetimeIndex) -> np.ndarray:
    """Days from Monday to Friday since the first of `start`; half a step off for a row of a weekend."""
    days, of_day = times.normalize(), times - times.normalize()
    counted = np.busday_count(start[0].date(), days.values.astype("M8[D]"))
    off = np.asarray((of_day - (start[0] - start[0].normalize())) / pd.Timedelta(days=1))
    return np.asarray(counted + off + 0.5 * np.asarray(days.day_of_week >= 5), dtype=np.float64)
