"""Dates and halves of days in signs and words of other languages, and the words of a zone's clock."""

from collections.abc import Callable

import pandas as pd
import pytest

from seq2seq_kit.data.tables.time_style import TimeStyle
from seq2seq_kit.data.tables.time_texts import with_offsets
from seq2seq_kit.data.tables.time_words import in_digits
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.drafting.clock import find_clock
from seq2seq_kit.errors import DataError

HOURS = pd.date_range("2024-01-25", periods=100, freq="h")


def clock(at: pd.Timestamp) -> str:
    return f"{(at.hour - 1) % 12 + 1}:{at:%M}"


def half(at: pd.Timestamp, words: str) -> str:
    return words.split("|")[at.hour >= 12]


WRITTEN: dict[str, Callable[[pd.Timestamp], str]] = {
    "Chinese": lambda at: f"{at:%Y/%m/%d} {half(at, '上午|下午')} {clock(at)}:00",
    "Chinese, signs": lambda at: f"{at.year}年{at.month}月{at.day}日 {half(at, '上午|下午')}{clock(at)}",
    "Chinese, 24 hours": lambda at: f"{at.year}年{at.month}月{at.day}日 {at.hour}时{at.minute}分",
    "Japanese, from 0": lambda at: f"{at:%Y-%m-%d} {half(at, '午前|午後')}{at.hour % 12}:00",
    "Japanese, hours": lambda at: f"{at.year}年{at.month}月{at.day}日{at.hour}時",
    "Korean": lambda at: f"{at.year}. {at.month}. {at.day}. {half(at, '오전|오후')} {clock(at)}",
    "Korean, signs": lambda at: f"{at.year}년 {at.month}월 {at.day}일 {at.hour}시 {at.minute}분",
    "Spanish": lambda at: f"{at:%d/%m/%Y} {clock(at)}:00 {half(at, 'a. m.|p. m.')}",
    "Spanish, no break": lambda at: f"{at:%d/%m/%Y} {clock(at)}:00 {half(at, 'a. m.|p. m.')}".replace(
        ". m", ".\u00a0m"
    ),
    "Greek": lambda at: f"{at:%d/%m/%Y} {clock(at)}:00 {half(at, 'πμ|μμ')}",
    "Vietnamese": lambda at: f"{at:%d/%m/%Y} {clock(at)}:00 {half(at, 'SA|CH')}",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_they_are_read(name: str) -> None:
    cells = pd.Series([WRITTEN[name](at) for at in HOURS])
    found = find_clock(pd.DataFrame({"time": cells, "load": range(len(cells))}), "t.csv")
    assert found is not None
    assert found.keys == {}
    assert (found.times == HOURS).all()


@pytest.mark.parametrize(("form", "freq"), [("%Y年%m月%d日", "D"), ("%Y年%m月", "MS"), ("%Y년 %m월 %d일", "D")])
def test_days_and_months_are_read_with_and_without_a_format(form: str, freq: str) -> None:
    at = pd.date_range("2021-01-01", periods=60, freq=freq)
    for style in (TimeStyle(), TimeStyle(format=form)):  # earlier recipes have the format
        found, _ = read_times(pd.Series(at.strftime(form)), "time", "t.csv", style=style)
        assert (found == at).all()


@pytest.mark.parametrize(
    "cells", [["SA", "CH"], ["3 pm", "4 pm"], ["2024-01-31 1:00 PM"], [1.5, 2.5], ["1.2.2024", None]]
)
def test_other_cells_stay_as_they_are(cells: list[object]) -> None:
    column = pd.Series(cells)
    pd.testing.assert_series_equal(in_digits(column), column)


ZONES = ["America/New_York", "America/Chicago", "Europe/Berlin", "Europe/London", "Australia/Sydney"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M %Z", "%m/%d/%Y %I:%M %p %Z", "%d.%m.%Y %H:%M (%Z)"])
def test_both_words_of_a_clock_tell_its_zone(zone: str, form: str) -> None:
    at = pd.date_range("2023-01-20", periods=1_500, freq="6h", tz=zone)
    frame = pd.DataFrame({"time": at.strftime(form), "load": range(len(at))})
    found = find_clock(frame, "t.csv")
    assert found is not None
    assert found.keys == {"time_zone": zone}
    assert (found.times == at).all()
    # One word alone, later: it is that of the zone of training.
    trained = TimeStyle(zone, day_first=form.startswith("%d"))
    few, _ = read_times(frame["time"].head(24), "time", "t.csv", trained=trained)
    assert (few == at[:24]).all()


@pytest.mark.parametrize(
    ("word", "zone"), [("EDT", "America/New_York"), ("CEST", "Europe/Berlin"), ("CDT", "America/Chicago")]
)
def test_summer_alone_tells_the_zone_where_no_other_has_its_word(word: str, zone: str) -> None:
    at = pd.date_range("2023-06-01", periods=1_000, freq="h", tz=zone)
    found = find_clock(pd.DataFrame({"time": at.strftime("%Y-%m-%d %H:%M %Z"), "n": range(1_000)}), "t.csv")
    assert word in str(at.strftime("%Z")[0])
    assert found is not None
    assert found.keys == {"time_zone": zone}
    assert (found.times == at).all()


@pytest.mark.parametrize("word", ["CST", "BST", "IST"])
def test_a_word_of_several_zones_is_not_guessed(word: str) -> None:
    at = pd.date_range("2023-01-01", periods=100, freq="h").strftime("%Y-%m-%d %H:%M ") + word
    assert find_clock(pd.DataFrame({"time": at, "n": range(100)}), "t.csv") is None
    with pytest.raises(DataError) as caught:
        read_times(pd.Series(at), "time", "t.csv")
    assert caught.value.code == "invalid_timestamp"


def test_china_is_not_chicago() -> None:
    cells = pd.Series(["2023-01-01 08:00 CST"])
    assert with_offsets(cells, "Asia/Shanghai")[0] == "2023-01-01 08:00+08:00"
    assert with_offsets(cells, "America/Chicago")[0] == "2023-01-01 08:00-06:00"
    assert with_offsets(cells, "Europe/Berlin") is cells
