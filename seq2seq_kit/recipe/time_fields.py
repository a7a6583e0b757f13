"""What a recipe may say of time: its columns, their writing, the step, and what becomes of rows that do not fit the step."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from seq2seq_kit.recipe.section import Name, Section

Calendar = Literal[
    "minute",
    "hour",
    "day_of_week",
    "hour_of_week",
    "weekend",
    "day_of_month",
    "day_of_year",
    "week_of_year",
    "month",
    "month_end",
    "holidays",
    "days_to_holiday",
]
# `every` of rows that are steps whatever the clock says.
ROWS = "rows"
# Words of `time_format` that are no format of strftime.
EPOCHS: dict[str, Literal["s", "ms", "us", "ns"]] = {
    "epoch_s": "s",
    "epoch_ms": "ms",
    "epoch_us": "us",
    "epoch_ns": "ns",
}
EXCEL_DAYS = "excel_days"
ISO_WEEK = "iso_week"
MMWR_WEEK = "mmwr_week"
WEEKS = (ISO_WEEK, MMWR_WEEK)
QUARTER = "quarter"
WORDS = (*EPOCHS, EXCEL_DAYS, *WEEKS, QUARTER)
_LONGEST_STEP = {
    "s": 3_155_760_000,
    "min": 52_596_000,
    "h": 876_600,
    "d": 36_525,
    "bd": 26_090,
    "w": 5_217,
    "mo": 1_200,
    "y": 100,
}


def _at_most_a_century(every: str) -> str:
    """Timestamps are counted in 64 bits, which hold 292 years."""
    unit = every.lstrip("0123456789")
    if every != ROWS and int(every.removesuffix(unit)) > _LONGEST_STEP[unit]:
        raise ValueError(f"must be at most 100 years, {_LONGEST_STEP[unit]}{unit}. Received: {every!r}")
    return every


SEASON = (
    "Rows of a season: what the seasonal naive baseline looks back, MASE's denominator and `seasonal_diff`; default: the "
    "natural ones of `every`, none without a clock; 1: no season."
)
TimeColumns = Name | Annotated[list[Name], Field(min_length=1, max_length=6)]
# An integer, a unit and nothing else; the data room turns it into a step (data/tables/time.py).
Every = Annotated[
    str, Field(pattern=r"^([1-9][0-9]*(s|min|h|d|bd|w|mo|y)|rows)$", max_length=20), AfterValidator(_at_most_a_century)
]
Duplicates = Literal["refuse", "first", "last", "mean", "sum"]
Resample = Literal["mean", "sum", "last"]


def joined_name(time: str | Sequence[str] | None) -> str | None:
    """What the column of timestamps is called in answers: the names of several columns with `_` between them."""
    return time if time is None or isinstance(time, str) else "_".join(time)


class Timing(Section):
    """The time of a table's rows."""

    time: TimeColumns | None = Field(
        None, description="Column of timestamps, or columns that are joined: [date, time of day]; needs `every`."
    )
    every: Every | None = Field(
        None,
        description="Time from one row to the next: 30s, 15min, 1h, 1d, 1bd (business day), 1w, 1mo, 1y; or rows: each row is "
        "a step, whatever the clock says.",
    )
    time_format: str | None = Field(
        None,
        description="How `time` is written, as in strftime: '%d/%m/%Y %H:%M'; or epoch_s, epoch_ms, epoch_us, epoch_ns "
        "(since 1970 in UTC), excel_days (45292.5, as in a workbook), iso_week (2024-W05, as its Monday), mmwr_week (of the "
        "CDC, as its Sunday), quarter (2024Q1, Q1 2024, as its first day); default: year first, or as recognised.",
    )
    time_zone: str | None = Field(
        None,
        description="Zone whose clock the times follow, such as Europe/Berlin; those of other zones are converted to it.",
    )
    duplicates: Duplicates = Field(
        "refuse", description="Rows of a series with the same timestamp: which of them counts, or their mean or sum."
    )
    resample: Resample | None = Field(
        None, description="What rows at uneven times become on the grid of `every`, each step named by its beginning."
    )
    gaps: Literal["cut", "fill"] = Field(
        "cut",
        description="Absent rows: cut, so that no window crosses them; fill: rows of missing cells, for `missing` to treat.",
    )
    holidays: str | None = Field(
        None,
        pattern=r"^[A-Za-z]{2,5}(-[A-Za-z0-9]{1,10})?$",
        description="Country, state or exchange whose public holidays are no business days: DE, DE-BY, US, NYSE.",
    )

    @property
    def time_columns(self) -> list[str]:
        """Columns that hold the time; none without one."""
        return [] if self.time is None else [self.time] if isinstance(self.time, str) else list(self.time)

    @property
    def time_name(self) -> str | None:
        """What the column of timestamps is called in answers."""
        return joined_name(self.time)
