"""Features of a timestamp that are known ahead of time; periodic ones become a sine and a cosine."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

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
        names += [name] if name == "weekend" else [f"{name}_sin", f"{name}_cos"]
    return names


class Clock:
    """The fields of a DatetimeIndex for timestamps without a zone, those of the day and the week by arithmetic.

    Args:
        times: Shape `(rows,)`, `datetime64`. For a hundred rows an index takes longer to make than all of its fields.
    """

    def __init__(self, times: np.ndarray) -> None:
        self._times = times
        seconds = times.astype("M8[s]").astype(np.int64)
        days, of_day = np.divmod(seconds, 86400)
        self.second: np.ndarray = of_day % 60
        self.minute: np.ndarray = of_day // 60 % 60
        self.hour: np.ndarray = of_day // 3600
        self.day_of_week: np.ndarray = (days + 3) % 7  # the epoch began on a Thursday

    def __len__(self) -> int:
        return len(self._times)

    def __getattr__(self, name: str) -> np.ndarray:
        return np.asarray(getattr(pd.DatetimeIndex(self._times), name))


def calendar_columns(times: pd.DatetimeIndex | Clock, calendar: Sequence[str]) -> np.ndarray:
    """The calendar of each row.

    Args:
        times: Timestamps in the clock the pattern follows (local time for a rush hour).
        calendar: Json of the recipe: `hour`, `hour_of_week`, `weekend`, ...

    Returns:
        Shape `(rows, columns)`, columns as in `calendar_names`: sine and cosine of a period, 0 or 1 for `weekend`.
    """
    columns: list[np.ndarray] = []
    for name in calendar:
        if name == "weekend":
            columns.append(np.asarray(times.day_of_week >= 5, dtype=np.float64))
            continue
        position, period = _PERIODIC[name]
        angle = 2 * np.pi * position(times) / period
        columns += [np.sin(angle), np.cos(angle)]
    return np.column_stack(columns) if columns else np.zeros((len(times), 0))
