"""Weeks of ISO 8601 and of the CDC as days, and which of the two a table has."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.data.tables.time_style import TimeStyle
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.data.tables.weeks import kind_of_weeks, read_weeks, write_weeks
from seq2seq_kit.errors import DataError

FIRSTS = {"iso_week": pd.date_range("1990-01-01", "2060-12-20", freq="W-MON")}
FIRSTS["mmwr_week"] = FIRSTS["iso_week"] - pd.Timedelta(days=1)


def test_weeks_of_the_cdc_are_those_of_its_calendar() -> None:
    """The CDC's calendars of MMWR weeks: week 1 of 2015 ends on 10 January, week 53 of 2014 on the 3rd, of 2020 on 2 January."""
    cells = pd.Series(["2015-W01", "2014-W53", "2020 53", "202553", "KW01/2024"])
    expected = ["2015-01-04", "2014-12-28", "2020-12-27", "2025-12-28", "2023-12-31"]
    assert read_weeks(cells, "mmwr_week").tolist() == [pd.Timestamp(day) for day in expected]


@pytest.mark.parametrize(
    "cell", ["2015-W53", "2019W53", "2024-W00", "2024-W54", "0001-W01", "9999-W01", "week 3", "2024-W05-3"]
)
def test_what_is_no_week_of_the_cdc_is_not_read(cell: str) -> None:
    assert read_weeks(pd.Series([cell]), "mmwr_week").isna().all()


@pytest.mark.parametrize("form", ["iso_week", "mmwr_week"])
def test_weeks_are_written_as_they_are_read(form: str) -> None:
    days = FIRSTS[form]
    written = pd.Series(write_weeks(days, form))
    assert pd.DatetimeIndex(read_weeks(written, form)).equals(days)
    # Of either count a week is of the year of its middle, and weeks of a year are counted from 1.
    middle = pd.Series((days + pd.Timedelta(days=3)).year)
    counted = middle.groupby(middle).cumcount() + 1
    assert (written.str[:4].astype(int) == middle).all()
    assert (written.str[6:8].astype(int) == counted).all()


@pytest.mark.parametrize(("form", "other"), [("iso_week", "mmwr_week"), ("mmwr_week", "iso_week")])
def test_a_week_that_a_count_has_not_names_the_other_count(form: str, other: str) -> None:
    only = {"iso_week": "2014-W53", "mmwr_week": "2015-W53"}[form]
    assert read_weeks(pd.Series([only]), other).notna().all()
    with pytest.raises(DataError, match=f"data.time_format: {other}") as caught:
        read_times(pd.Series(["2014-W01", only]), "week", "t.csv", style=TimeStyle(format=form))
    assert caught.value.code == "invalid_timestamp"


def test_a_week_53_or_a_name_tells_whose_weeks_they_are() -> None:
    assert kind_of_weeks(pd.Series(["2014-W52", "2014-W53"]), "week") == "mmwr_week"
    assert kind_of_weeks(pd.Series(["2015-W52", "2015-W53"]), "week") == "iso_week"
    assert kind_of_weeks(pd.Series(["2014-W01"]), "week") == "iso_week"
    assert kind_of_weeks(pd.Series(["2014-W01"]), "MMWR week") == "mmwr_week"
    assert kind_of_weeks(pd.Series(["2015-W53"]), "MMWR week") == "iso_week"
    assert kind_of_weeks(pd.Series(["2014-W01"]), "epiweek") == "iso_week"
    assert kind_of_weeks(pd.Series(["2014-W53", "2015-W53"]), "week") is None


@pytest.mark.parametrize("written", ["two columns", "number", "text"])
def test_a_table_of_the_cdc_is_drafted_with_its_weeks(written: str) -> None:
    days = pd.date_range("2012-01-01", periods=400, freq="W-SUN")
    weeks = write_weeks(days, "mmwr_week")
    cases = 100 + 40 * np.cos(np.arange(400) * 2 * np.pi / 52.18) + np.random.default_rng(0).normal(size=400)
    if written == "two columns":
        frame = pd.DataFrame({"YEAR": weeks.str[:4].astype(int), "WEEK": weeks.str[6:].astype(int), "ili": cases})
    elif written == "number":
        frame = pd.DataFrame({"epiweek": (weeks.str[:4] + weeks.str[6:]).astype(int), "ili": cases})
    else:
        frame = pd.DataFrame({"week": weeks, "ili": cases})
    data: Any = draft_recipe(frame).recipe["data"]
    assert (data["time_format"], data["every"]) == ("mmwr_week", "1w")
    assert "gaps" not in data
