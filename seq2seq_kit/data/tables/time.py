"""Time steps: from `every: 1h` to whole numbers of steps between timestamps and to the timestamps ahead."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MONTHS = {"mo": 1, "y": 12}
# Natural seasons in the unit they are counted in: a day, a week, a year of 365 days (weeks: 52).
_SEASON_SECONDS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "year": 364 * 86400}


@dataclass(frozen=True)
class Every:
    """The time from one row to the next: a fixed number of seconds, or of calendar months."""

    text: str
    seconds: int = 0
    months: int = 0

    @classmethod
    def parse(cls, text: str) -> "Every":
        """Reads `15min`, `1h`, `1mo`, ... The recipe's schema has checked the form already."""
        match = re.fullmatch(r"(\d+)(\w+)", text)
        assert match, text
        count, unit = int(match[1]), match[2]
        if unit in _MONTHS:
            return cls(text, months=count * _MONTHS[unit])
        return cls(text, seconds=count * _SECONDS[unit])

    @property
    def _by_the_day(self) -> bool:
        """Whole days are counted on the local clock: a day of 23 or 25 hours is one step."""
        return self.seconds % 86400 == 0

    def ticks(self, times: pd.DatetimeIndex, *, since: pd.DatetimeIndex | None = None) -> np.ndarray:
        """Steps since the first timestamp of `since`, by default of `times`.

        Shape `(rows,)` float64: a whole number for a row on the grid.
        """
        if len(times) == 0:
            return np.zeros(0)
        start = (times if since is None else since)[:1]
        if not self.months:
            if self._by_the_day:
                times, start = times.tz_localize(None), start.tz_localize(None)
            return np.asarray((times - start[0]) / pd.Timedelta(seconds=self.seconds), dtype=np.float64)
        times, start = times.tz_localize(None), start.tz_localize(None)
        whole = (times.year - start[0].year) * 12 + times.month - start[0].month
        # Part of the month that a row is off the day and time of the first row.
        origin, start_origin = (index.to_period("M").to_timestamp() for index in (times, start))
        off = ((times - origin) - (start[0] - start_origin[0])) / pd.Timedelta(days=31)
        # Month ends (31, 28, 30, ...) are one step apart although their day changes.
        days = np.where(times.is_month_end & start[0].is_month_end, 0.0, np.asarray(off))
        return (np.asarray(whole) + days) / self.months

    def ahead(self, times: pd.DatetimeIndex, steps: np.ndarray) -> pd.DatetimeIndex:
        """The timestamps `steps` rows after the last of `times`; month ends follow where all of them are month ends."""
        last = times[-1]
        if not self.months and self._by_the_day:
            days = [last + pd.DateOffset(days=int(step) * (self.seconds // 86400)) for step in steps]
            return pd.DatetimeIndex(days)
        if not self.months:
            return pd.DatetimeIndex(last + pd.to_timedelta(np.asarray(steps) * self.seconds, unit="s"))
        if times.is_month_end.all():
            return pd.DatetimeIndex([last + pd.offsets.MonthEnd(int(step) * self.months) for step in steps])
        return pd.DatetimeIndex([last + pd.DateOffset(months=int(step) * self.months) for step in steps])

    def seasons(self) -> dict[str, int]:
        """The natural seasons that are a whole number of steps, by name, shortest first: day 24 and week 168 for 1h."""
        if self.months:
            return {"year": 12 // self.months} if self.months < 12 and 12 % self.months == 0 else {}
        found = {}
        for name, length in _SEASON_SECONDS.items():
            if length % self.seconds == 0 and length // self.seconds > 1:
                found[name] = length // self.seconds
        if "year" in found and self.seconds < 7 * 86400:
            found["year"] = round(365 * 86400 / self.seconds)
        return found
