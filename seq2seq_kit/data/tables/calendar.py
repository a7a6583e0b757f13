"""Features of a timestamp that are known ahead of time; periodic ones become a sine and a cosine."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.holiday_dates import holiday_dates

# One column each, from 0 to 1; all others are periodic.
_FLAGS = ("weekend", "month_end", "holidays", "days_to_holiday")
_NEAR = 14  # days before a holiday from which on it counts
# Position within the period, and the period.
_PERIODIC: dict[str, tuple[Callable[["pd.DatetimeIndex | Clock"], np.ndarray], float]] = {
    "minute": (lambda t: np.asarray(t.minute) + np.asarray(t.second) / 60, 60),
    "hour": (lambda t: np.asarray(t.hour) + np.asarray(t.minute) / 60, 24),
    "day_of_week": (lambda t: np.asarray(t.day_of_week), 7),
    "hour_of_week": (lambda t: np.asarray(t.day_of_week) * 24 + np.asarray(t.hour) + np.asarray(t.minute) / 60, 168),
    "day_of_month": (lambda t: (np.asarray(t.day) - 1) / np.asarray(t.days_in_month), 1),
    "day_of_year": (lambda t: np.asarray(t.day_of_year) - 1, 365.25),
    "week_of_year": (lambda t: (np.asarray(t.day_of_year) - 1) / 7, 365.25 / 7),
    "month": (lambda t: np.asarray(t.month) - 1, 12),
}


def calendar_names(calendar: Sequence[str]) -> list[str]:
    """Names of the columns that `calendar_columns` makes."""
    names = []
    for name in calendar:
        names += [name] if name in _FLAGS else [f"{name}_sin", f"{name}_cos"]
    return names


class Clock:
    """The fields of a DatetimeIndex for timestamps without a zone, those of the day and the week by arithmetic.

    Args:
        times: Shape `(rows,)`, `datetime64`. For a hundred rows an index takes longer to make than all of its fields.
    """

    def __init__(self, times: np.ndarray) -> None:
        self.times = times
        seconds = times.astype("M8[s]").astype(np.int64)
        days, of_day = np.divmod(seconds, 86400)
        self.second: np.ndarray = of_day % 60
        self.minute: np.ndarray = of_day // 60 % 60
        self.hour: np.ndarray = of_day // 3600
        self.day_of_week: np.ndarray = (days + 3) % 7  # the epoch began on a Thursday

    def __len__(self) -> int:
        return len(self.times)

    def __getattr__(self, name: str) -> np.ndarray:
        return np.asarray(getattr(pd.DatetimeIndex(self.times), name))


def calendar_columns(
    times: pd.DatetimeIndex | Clock, calendar: Sequence[str], holidays: str | None = None
) -> np.ndarray:
    """The calendar of each row.

    Args:
        times: Timestamps in the clock the pattern follows (local time for a rush hour).
        calendar: Json of the recipe: `hour`, `hour_of_week`, `weekend`, ...
        holidays: Whose holidays, as in the recipe.

    Returns:
        Shape `(rows, columns)`, columns as in `calendar_names`: sine and cosine of a period; 0 or 1 for `weekend`,
            `month_end` and `holidays`; `days_to_holiday` from 0 on a holiday to 1 a fortnight before the next one.

    Raises:
        DataError: Holidays are asked for and the package `holidays` is absent.
    """
    columns: list[np.ndarray] = []
    for name in calendar:
        if name in _FLAGS:
            columns.append(_flag(times, name, holidays))
            continue
        position, period = _PERIODIC[name]
        angle = 2 * np.pi * position(times) / period
        columns += [np.sin(angle), np.cos(angle)]
    return np.column_stack(columns) if columns else np.zeros((len(times), 0))


def _flag(times: pd.DatetimeIndex | Clock, name: str, holidays: str | None) -> np.ndarray:
    if name == "weekend":
        return np.asarray(times.day_of_week >= 5, dtype=np.float64)
    if name == "month_end":
        return np.asarray(times.day == times.days_in_month, dtype=np.float64)
    free, days = holiday_dates(str(holidays)), _dates(times)
    following = np.minimum(np.searchsorted(free, days), len(free) - 1)
    away = np.clip((free[following] - days).astype(np.int64), 0, None) if len(free) else np.full(len(days), _NEAR)
    if name == "holidays":
        return np.asarray(np.isin(days, free), dtype=np.float64)
    return np.asarray(np.minimum(away, _NEAR) / _NEAR)


def _dates(times: pd.DatetimeIndex | Clock) -> np.ndarray:
    """The date that the clock shows, shape `(rows,)` `datetime64[D]`."""
    if isinstance(times, Clock):
        return times.times.astype("M8[D]")
    return times.tz_localize(None).to_numpy().astype("M8[D]")
