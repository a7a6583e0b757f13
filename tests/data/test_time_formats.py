"""Times that are no texts of a date, and times in several columns: the instants that they are, or the key that tells."""

import re
from datetime import time as clock
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.data.tables.time_formats import as_written
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times
from seq2seq_kit.errors import DataError


def read(cells: Any, form: str | None = None, zone: str | None = None) -> list[str]:
    found, _ = read_times(pd.Series(cells), "t", "x", style=TimeStyle(format=form, reads_as=zone))
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("epoch_s", [1706659200, 1706662800]),
        ("epoch_s", [1706659200.0, 1706662800.0]),
        ("epoch_s", ["1706659200", "1706662800"]),
        ("epoch_ms", [1706659200000, 1706662800000]),
    ],
)
def test_counts_since_1970_are_instants_in_utc(form: str, cells: list[Any]) -> None:
    assert read(cells, form) == ["2024-01-31 00:00:00+00:00", "2024-01-31 01:00:00+00:00"]
    assert read(cells, form, "Europe/Berlin") == ["2024-01-31 01:00:00+01:00", "2024-01-31 02:00:00+01:00"]


def test_seconds_and_milliseconds_are_not_mistaken_for_each_other() -> None:
    with pytest.raises(DataError, match=r"set data\.time_format: epoch_s"):
        read([1706659200, 1706662800], "epoch_ms")
    with pytest.raises(DataError, match=r"Received: .*1706659200000.*epoch_ms"):
        read([1706659200000, 1706662800000], "epoch_s")


@pytest.mark.parametrize(
    ("cells", "key"),
    [
        ([1706659200, 1706662800], "data.time_format: epoch_s"),
        ([1706659200000, 1706662800000], "data.time_format: epoch_ms"),
        ([20240131, 20240201], "data.time_format: '%Y%m%d'"),
        ([202401, 202402], "data.time_format: '%Y%m'"),
        ([2023, 2024], "data.time_format: '%Y'"),
        ([1, 2, 3], "leave `time` and `every` out"),
    ],
)
def test_a_column_of_numbers_is_refused_with_the_key_that_reads_it(cells: list[int], key: str) -> None:
    with pytest.raises(DataError) as error:
        read(cells)
    assert key in str(error.value)
    assert error.value.code == "invalid_timestamp"


@pytest.mark.parametrize(
    ("cells", "form", "first"),
    [
        ([20240131, 20240201], "%Y%m%d", "2024-01-31 00:00:00"),
        ([20240131.0, 20240201.0], "%Y%m%d", "2024-01-31 00:00:00"),
        ([1012024, 11012024], "%d%m%Y", "2024-01-01 00:00:00"),
        ([202401, 202402], "%Y%m", "2024-01-01 00:00:00"),
        ([2023, 2024], "%Y", "2023-01-01 00:00:00"),
    ],
)
def test_numbers_are_read_as_the_format_writes_them(cells: list[float], form: str, first: str) -> None:
    assert read(cells, form)[0] == first


@pytest.mark.parametrize("cells", [["2024W05", "2024W06"], ["2024-W05", "2024-W06"], ["2024-W5", "2024-W6"]])
def test_a_week_is_its_monday(cells: list[str]) -> None:
    assert read(cells, "iso_week") == ["2024-01-29 00:00:00", "2024-02-05 00:00:00"]


def test_weeks_cross_years_as_the_iso_counts_them() -> None:
    assert read(["2020-W53", "2021-W01"], "iso_week") == ["2020-12-28 00:00:00", "2021-01-04 00:00:00"]
    with pytest.raises(DataError, match="ISO 8601 has no such week"):
        read(["2021-W52", "2021-W53"], "iso_week")


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["31-Jan-2024", "1-Feb-2024"], "2024-01-31 00:00:00"),
        (["2024/1/31 9:05 AM", "2024/1/31 9:05 PM"], "2024-01-31 09:05:00"),
        (["1/31/2024 12:05 AM", "1/31/2024 1:05 AM"], "2024-01-31 00:05:00"),
        (["31.1.2024 13:00", "31.1.2024 14:00"], "2024-01-31 13:00:00"),
        (["2024Q1", "2024Q2"], "2024-01-01 00:00:00"),
        (["Jan 2024", "Feb 2024"], "2024-01-01 00:00:00"),
        (["20240131", "20240201"], "2024-01-31 00:00:00"),
        (["2024-01-31T13:00:00Z", "2024-01-31T14:00:00Z"], "2024-01-31 13:00:00+00:00"),
    ],
)
def test_usual_ways_to_write_a_time_need_no_key(cells: list[str], first: str) -> None:
    assert read(cells)[0] == first


def joined(columns: dict[str, list[Any]], form: str | None = None, every: str = "1h") -> Table:
    frame = pd.DataFrame(columns | {"x": 1.0})
    return read_table(frame, columns=["x"], time=list(columns), every=every, style=TimeStyle(format=form))


@pytest.mark.parametrize(
    ("columns", "form"),
    [
        ({"day": ["2024-01-31", "2024-01-31"], "hour": ["00:00", "01:00"]}, None),
        ({"day": ["31.01.2024", "31.01.2024"], "hour": ["0:00", "1:00"]}, None),
        ({"day": ["1/31/2024", "1/31/2024"], "hour": ["12:00 AM", "1:00 AM"]}, None),
        ({"day": ["2024-01-31", "2024-01-31"], "hour": [0, 1]}, None),
        ({"day": pd.to_datetime(["2024-01-31"] * 2), "hour": [clock(0), clock(1)]}, None),
        ({"day": pd.to_datetime(["2024-01-31"] * 2), "hour": pd.to_timedelta([0, 1], unit="h")}, None),
        ({"year": [2024, 2024], "month": [1, 1], "day": [31, 31], "hour": [0, 1]}, None),
        ({"year": ["2024", "2024"], "month": ["1", "1"], "day": ["31", "31"], "hour": ["0", "1"]}, None),
        ({"day": [20240131, 20240131], "hour": [0, 100]}, "%Y%m%d %H%M"),
        ({"day": ["31.01.24", "31.01.24"], "hour": [0, 1]}, "%d.%m.%y %H"),
    ],
)
def test_a_date_and_a_time_of_day_are_one_time(columns: dict[str, list[Any]], form: str | None) -> None:
    times = joined(columns, form).times
    assert times is not None
    assert [str(time) for time in times[:]] == ["2024-01-31 00:00:00", "2024-01-31 01:00:00"]


@pytest.mark.parametrize(
    "columns",
    [
        {"day": ["2024-01-31", "2024-01-31"], "hour": [1, 2]},  # 1 to 24?
        {"day": ["2024-01-31", "2024-01-31"], "hour": [900, 1000]},
        {"year": [2024, 2024], "part": [1, 2]},  # months or quarters
        {"day": [20240131, 20240131], "hour": [0, 1]},
    ],
)
def test_numbers_that_may_be_several_things_are_refused_with_the_key(columns: dict[str, list[Any]]) -> None:
    with pytest.raises(DataError, match=r"data\.time_format") as error:
        joined(columns)
    assert error.value.code == "invalid_timestamp"


def test_a_missing_time_of_day_is_a_missing_time() -> None:
    with pytest.raises(DataError, match="row 2, column day_hour"):
        joined({"day": ["2024-01-31", "2024-01-31"], "hour": ["00:00", None]})


@pytest.mark.parametrize(
    "form", [None, "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "excel_days", "iso_week", "%d.%m.%Y"]
)
def test_what_is_written_is_read_again(form: str | None) -> None:
    times = pd.date_range("2024-01-29", periods=3, freq="W-MON", tz="UTC")
    zone = "UTC" if form in ("excel_days", "iso_week", "%d.%m.%Y") else None
    assert read(as_written(times, form), form, zone) == [str(time) for time in times]


def test_half_seconds_are_written_as_such() -> None:
    times = pd.date_range("2024-01-29", periods=3, freq="500ms", tz="UTC")
    assert read(as_written(times, "epoch_s"), "epoch_s") == [str(time) for time in times]


@pytest.mark.parametrize(
    "cells", [["2024Q1", "2024Q2"], ["2024-Q1", "2024-Q2"], ["Q1 2024", "q2/2024"], ["T1 2024", "2T2024"]]
)
def test_a_quarter_is_its_first_day(cells: list[str]) -> None:
    assert read(cells, "quarter") == ["2024-01-01 00:00:00", "2024-04-01 00:00:00"]
    times = pd.DatetimeIndex(["2024-01-01", "2024-04-01"])
    assert read(as_written(times, "quarter"), "quarter") == [str(time) for time in times]


def test_a_quarter_is_told_as_a_quarter() -> None:
    with pytest.raises(DataError, match=r"A quarter is no date; data.time_format: quarter"):
        read(["Q1 2024", "Q2 2024"])


@pytest.mark.parametrize(
    ("cell", "form"), [("Jan-05", "%b-%y"), ("05-Jan", "%y-%b"), ("Jan 05", "%b %y"), ("January '05", "%B '%y")]
)
def test_months_with_a_number_of_two_digits_are_no_dates(cell: str, form: str) -> None:
    with pytest.raises(DataError, match=re.escape(form)) as caught:
        read([cell, cell.replace("Jan", "Jun")])
    assert caught.value.code == "ambiguous_dates"
    assert read([cell], form) == ["2005-01-01 00:00:00"]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["Thu 11/02/2021", "Sat 13/02/2021"], ["2021-02-11 00:00:00", "2021-02-13 00:00:00"]),
        (
            ["Thursday, February 11th, 2021", "Monday, February 22nd, 2021"],
            ["2021-02-11 00:00:00", "2021-02-22 00:00:00"],
        ),
        (["10:00 11/02/2021", "11:00 13/02/2021"], ["2021-02-11 10:00:00", "2021-02-13 11:00:00"]),
    ],
)
def test_names_of_days_and_endings_of_numbers_are_read(cells: list[str], found: list[str]) -> None:
    assert read(cells) == found


@pytest.mark.parametrize("cells", [["Thu 11/02/2021", "Fri 12/02/2021"], ["10:00 11/02/2021", "11:00 12/02/2021"]])
def test_day_and_month_behind_other_words_are_not_guessed(cells: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(cells)
    assert caught.value.code == "ambiguous_dates"


@pytest.mark.parametrize(
    "cells", [[202405, 202406], ["2024KW05", "2024KW06"], ["KW 05/2024", "KW 06/2024"], ["2024 5", "2024 6"]]
)
def test_weeks_of_other_writings_are_their_mondays(cells: list[Any]) -> None:
    assert read(cells, "iso_week") == ["2024-01-29 00:00:00", "2024-02-05 00:00:00"]


def test_counts_of_another_unit_are_refused_with_theirs() -> None:
    with pytest.raises(DataError, match=r"If they are microseconds, set data.time_format: epoch_us"):
        read([1706659200000000, 1706662800000000], "epoch_ms")
