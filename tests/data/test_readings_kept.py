"""What a recipe reads stays what it was, whatever other tables look like; what may be two things is not guessed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.time_style import TimeStyle
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.data.tables.weeks import read_weeks
from seq2seq_kit.drafting.clock import find_clock
from seq2seq_kit.drafting.counted import kind_of_numbers
from seq2seq_kit.drafting.parts import of_short_years
from seq2seq_kit.drafting.source import _may_be_names
from seq2seq_kit.drafting.wide import _go_on
from seq2seq_kit.errors import DataError

HOURS = pd.date_range("2024-01-31", periods=30, freq="h")


def read(cells: Iterable[str], form: str | None = None) -> pd.DatetimeIndex:
    return read_times(pd.Series(list(cells)), "at", "t.csv", style=TimeStyle(format=form))[0]


def test_an_offset_west_of_utc_is_no_span() -> None:
    west = HOURS.tz_localize("UTC-05:00")
    cells = [f"{at:%Y-%m-%d %H:%M}-05:00" for at in west]
    for found in (read(cells), read(cells, "%Y-%m-%d %H:%M%z")):
        assert list(found) == list(west)
    with_clock_change = [f"2024-02-{at:02d} 12:00-0{4 + at % 2}:00" for at in range(1, 9)]
    with pytest.raises(DataError, match="different offsets"):
        read(with_clock_change)


def test_intervals_of_a_day_are_read_by_their_start() -> None:
    cells = [f"{at:%d.%m.%Y %H:%M}-{at + pd.Timedelta('1h'):%H:%M}" for at in HOURS]
    assert list(read(cells, "%d.%m.%Y %H:%M")) == list(HOURS)
    whole = [f"{at:%d.%m.%Y %H:%M} - {at + pd.Timedelta('1h'):%d.%m.%Y %H:%M}" for at in HOURS]
    assert list(read(whole, "%d.%m.%Y %H:%M")) == list(HOURS)


@pytest.mark.parametrize("form", ["%Y - %m", "%m - %Y", "%Y%m%d - %H%M"])
def test_what_the_format_reads_is_no_span(form: str) -> None:
    times = pd.date_range("2024-01-01", periods=14, freq="h" if "%H" in form else "MS")
    assert list(read(times.strftime(form), form)) == list(times)


def test_a_year_and_a_month_are_no_span() -> None:
    assert list(read(["2024 - 05", "2024 - 06", "2024 - 07"])) == [pd.Timestamp(2024, at, 1) for at in (5, 6, 7)]


def test_months_are_no_weeks() -> None:
    assert read_weeks(pd.Series(["2024-01", "2024-02"])).isna().all()
    assert read_weeks(pd.Series(["2024-W01", "2024 2", "202403"])).notna().all()


def test_a_day_first_model_reads_a_few_rows_in_any_order() -> None:
    cells = pd.Series(["01/02/2024", "01/03/2024", "02/01/2024"])
    trained = TimeStyle("", day_first=True)
    found, _ = read_times(cells, "at", "t.csv", trained=trained)
    assert list(found) == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-03-01"), pd.Timestamp("2024-01-02")]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("time_s", np.arange(21_600, 54_000, 60), ""),
        ("uptime_s", np.arange(40_000, 43_600, 60), ""),
        ("candidate_votes", [36_600, 38_000, 41_000, 50_000], ""),
        ("time_id", np.arange(45_292, 45_400), ""),
        ("date", np.arange(45_292, 45_400), "excel_days"),
        ("Timestamp", 45_292 + np.arange(100) / 24, "excel_days"),
        ("monthly_revenue", [2.7e8 + 0.5, 3.3e8, 2.9e8], ""),
        ("monthly_revenue", [270_000_000, 330_000_000, 290_000_000], ""),
        ("time", [1.7e9, 1.7e9 + 0.5, 1.7e9 + 1], "epoch_s"),
        ("year_week", np.arange(202_401, 202_413), "iso_week"),
        ("date", np.arange(190_601, 190_613), "%y%m%d"),
        ("date", np.arange(200_501, 200_513), ""),
        ("date", [200_511, 200_512, 200_601, 200_602], "%Y%m"),
    ],
)
def test_numbers_tell_when_only_where_nothing_else_is_as_likely(name: str, cells: Any, kind: str) -> None:
    assert kind_of_numbers(pd.Series(cells), name) == kind


@pytest.mark.parametrize("name", ["open_time", "lead_time"])
def test_numbers_of_a_store_are_no_time_of_day(name: str) -> None:
    days = pd.date_range("2024-01-01", periods=40).repeat(3).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"date": days, "store": ["a", "b", "c"] * 40, name: [800, 900, 1000] * 40})
    clock = find_clock(frame, "t.csv")
    assert clock is not None
    assert clock.columns == ["date"]


def test_dates_that_go_back_are_not_turned() -> None:
    newest_first = pd.date_range("2010-01-01", "2010-01-12", freq="h")[::-1].strftime("%d/%m/%y %H:%M")
    assert of_short_years(pd.Series(newest_first)) is None


def test_a_row_below_a_preamble_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("logger 7\nfirmware 2\n" + "".join(f"{at},{at + 1},0.126,-0.{at}32\n" for at in range(3, 40)))
    try:
        found = detect(path).format.given
    except DataError:
        return  # refused, as nothing says what is what
    assert found.get("header_row") != 3


def test_names_written_as_texts_are_no_numbers() -> None:
    assert _may_be_names(pd.Series(["001", "002", "003"]))
    assert _may_be_names(pd.Series(["1"] * 20 + ["2"] * 20))
    assert not _may_be_names(pd.Series([str(at) for at in range(40)]))
    assert not _may_be_names(pd.Series(["1.5", "2"] * 20))


def test_names_with_a_number_are_no_dates() -> None:
    assert not _go_on([f"Market {at}" for at in range(1, 13)])
    assert _go_on(["1/22/20", "1/23/20", "1/24/20"])
