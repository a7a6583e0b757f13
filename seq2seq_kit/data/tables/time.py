"""Time steps: from `every: 1h` to whole numbers of steps between timestamps and to the timestamps ahead.

Steps of days and longer are counted on the local clock: a day of 23 or 25 hours is one step, and a day whose midnight the
clocks jump over begins when they have jumped. Month ends (31, 28, 30, ...) are one step apart, as are the last weekdays
of months, and the 30th of January, the last of February and the 30th of March.
"""

import re
from dataclasses import dataclass
from datetime import timedelta, tzinfo

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.holiday_dates import holiday_dates
from seq2seq_kit.data.tables.local_times import on_the_clock
from seq2seq_kit.recipe.time_fields import ROWS

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MONTHS = {"mo": 1, "y": 12}
# Natural seasons in the unit they are counted in: a day, a week, a year of 365 days (weeks: 52).
_SEASON_SECONDS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "year": 364 * 86400}

_WEEKDAYS = {"week": 5, "year": 261}
_MONDAY = pd.Timestamp("1900-01-01")  # where the grid of `resample` begins, on any clock


@dataclass(frozen=True)
class Every:
    """The time from one row to the next: a fixed number of seconds, of calendar months, or of days from Monday to Friday.

    Attributes:
        text: As in the recipe.
        seconds: Of a step; 0 for the other two kinds. Likewise `months`, `weekdays`.
        holidays: Whose holidays are no business days, as in the recipe; empty for nobody's.
    """

    text: str
    seconds: int = 0
    months: int = 0
    weekdays: int = 0
    holidays: str = ""

    @classmethod
    def of(cls, text: str | None, holidays: str | None = None) -> "Every | None":
        """The step of a recipe; None where it has none, or rows are steps whatever the clock says."""
        return None if text is None or text == ROWS else cls.parse(text, holidays)

    @classmethod
    def parse(cls, text: str, holidays: str | None = None) -> "Every":
        """Reads `15min`, `1h`, `1mo`, ... The recipe's schema has checked the form already."""
        match = re.fullmatch(r"(\d+)(\w+)", text)
        assert match, text
        count, unit = int(match[1]), match[2]
        if unit == "bd":
            return cls(text, weekdays=count, holidays=holidays or "")
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
            return self._business_days(times, start) / self.weekdays
        if not self.months:
            return np.asarray((times - start[0]) / pd.Timedelta(seconds=self.seconds), dtype=np.float64)
        whole = (times.year - start[0].year) * 12 + times.month - start[0].month
        # Part of the month that a row is off the day and time of the first row.
        due = np.minimum(start[0].day, times.days_in_month)
        of_day = (times - times.normalize()) - (start[0] - start[0].normalize())
        off = (np.asarray(times.day) - due) / 31 + np.asarray(of_day / pd.Timedelta(days=31))
        ends = _month_ends(times) & _month_ends(start) | _last_weekdays(times) & _last_weekdays(start)
        days = np.where(ends, 0.0, off)
        return (np.asarray(whole) + days) / self.months

    def ahead(self, times: pd.DatetimeIndex, steps: np.ndarray) -> pd.DatetimeIndex:
        """The timestamps `steps` rows after the last of `times`; month ends follow where all of them are month ends."""
        return self._later(times, -1, np.asarray(steps))

    def grid(self, times: pd.DatetimeIndex, steps: np.ndarray) -> pd.DatetimeIndex:
        """The timestamps `steps` rows after the first of `times`, which lie on the grid themselves."""
        return self._later(times, 0, np.asarray(steps))

    def floor(self, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The beginning of the step that each time lies in, on a grid of the clock that no row decides.

        Steps of less than days are counted from midnight of standard time, so that all take as long: `6h` in Berlin are 0, 6, 12
        and 18 o'clock in winter, 1, 7, 13 and 19 in summer. Weeks begin on a Monday, months on their first day; on days without
        business the step of the business day before goes on.
        """
        if self.fixed:
            anchor = _MONDAY if times.tz is None else _MONDAY.tz_localize("UTC") - _standard_offset(times.tz)
            step = pd.Timedelta(seconds=self.seconds)
            found = pd.DatetimeIndex(anchor + (times - anchor) // step * step).as_unit(times.unit)
            return found if times.tz is None else found.tz_convert(times.tz)
        local = _local(times)
        if self.weekdays:
            days = np.busday_offset(_days(local), 0, roll="preceding", holidays=self._holidays)
            since = np.busday_count(_MONDAY.date(), days, holidays=self._holidays) % self.weekdays
            starts: np.ndarray = np.busday_offset(days, -since, holidays=self._holidays)
        elif self.months:
            month = local.year.to_numpy() * 12 + local.month.to_numpy() - 1
            starts = (month // self.months * self.months - 1970 * 12).astype("M8[M]").astype("M8[D]")
        else:
            counted = (_days(local) - np.datetime64(_MONDAY, "D")).astype(np.int64)
            starts = _days(local) - counted % (self.seconds // 86400)
        found = pd.DatetimeIndex(starts).as_unit(times.unit)
        return found if times.tz is None else on_the_clock(found, times.tz)

    def _later(self, times: pd.DatetimeIndex, place: int, steps: np.ndarray) -> pd.DatetimeIndex:
        if self.fixed:
            return pd.DatetimeIndex(times[place] + pd.to_timedelta(steps * self.seconds, unit="s"))
        local = _local(times)
        start = local[place]
        if self.weekdays:
            # Behind a row of a day without business, which no table on this grid has, the first step is the next one.
            count = np.asarray(steps * self.weekdays, dtype=np.int64)
            days = np.busday_offset(_days(local)[place], count, roll="backward", holidays=self._holidays)
            found = pd.DatetimeIndex(days) + (start - start.normalize())
        elif not self.months:
            found = pd.DatetimeIndex(start + pd.to_timedelta(steps * (self.seconds // 86400), unit="D"))
        else:
            # Of the 30th of January and the last of February the day is the 30th.
            usual = int(local.day.max()) if start.day == start.days_in_month else start.day
            month = (start.year - 1970) * 12 + start.month - 1 + steps * self.months
            first = pd.DatetimeIndex(np.asarray(month, dtype=np.int64).astype("M8[M]").astype("M8[s]"))
            last = first.days_in_month.to_numpy()
            if _month_ends(local).all():
                day = last
            elif _last_weekdays(local).all():
                day = _last_weekday(first).day.to_numpy()
            else:
                day = np.minimum(usual, last)
            found = first + pd.to_timedelta(day - 1, unit="D") + (start - start.normalize())
        found = found.as_unit(times.unit)
        return found if times.tz is None else on_the_clock(found, times.tz)

    @property
    def _holidays(self) -> np.ndarray:
        return holiday_dates(self.holidays) if self.holidays else np.array([], dtype="M8[D]")

    def is_holiday(self, time: pd.Timestamp) -> bool:
        """Whether a time lies on a holiday, which is no business day then."""
        return bool(np.isin(_days(_local(pd.DatetimeIndex([time]))), self._holidays)[0])

    def _business_days(self, times: pd.DatetimeIndex, start: pd.DatetimeIndex) -> np.ndarray:
        """Business days since the first of `start`; half a step off for a row of another day."""
        days, of_day = _days(times), times - times.normalize()
        counted = np.busday_count(start[0].date(), days, holidays=self._holidays)
        off = np.asarray((of_day - (start[0] - start[0].normalize())) / pd.Timedelta(days=1))
        free = ~np.is_busday(days, holidays=self._holidays)
        return np.asarray(counted + off + 0.5 * free, dtype=np.float64)

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
    put_off = (shown != midnight) & (on_the_clock(midnight, times.tz) == times)
    return midnight.where(put_off, shown) if put_off.any() else shown


def _month_ends(local: pd.DatetimeIndex) -> np.ndarray:
    # Of an index with a frequency of business days `is_month_end` would tell the last weekday.
    return np.asarray(local.day == local.days_in_month)


def _last_weekdays(local: pd.DatetimeIndex) -> np.ndarray:
    """Which times lie on the last day of their month that is none of a weekend."""
    return np.asarray(_days(local) == _days(_last_weekday(local)))


def _last_weekday(local: pd.DatetimeIndex) -> pd.DatetimeIndex:
    months = local.to_numpy().astype("M8[M]")
    return pd.DatetimeIndex(np.busday_offset((months + np.timedelta64(1, "M")).astype("M8[D]"), -1, roll="forward"))


def _days(local: pd.DatetimeIndex) -> np.ndarray:
    """The dates of local times, shape `(rows,)` `datetime64[D]`."""
    return local.to_numpy().astype("M8[D]")


def _standard_offset(zone: tzinfo) -> timedelta:
    """How far the clocks of a zone are from UTC when they are not set for summer."""
    offsets = (pd.Timestamp(day).tz_localize(zone).utcoffset() for day in ("2024-01-15", "2024-07-15"))
    return min(offset for offset in offsets if offset is not None)
