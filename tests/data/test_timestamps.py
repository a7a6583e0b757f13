"""Times of any writing end on one clock; what may be read in two ways is refused."""

import re
from datetime import datetime, timedelta, tzinfo
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times, zone_of
from seq2seq_kit.errors import DataError


def _texts(form: str, *, start: str = "2024-03-01", days: int = 20) -> pd.Series:
    return pd.Series(pd.date_range(start, periods=days, freq="D").strftime(form), name="t")


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%d.%m.%Y %H:%M", "%d-%m-%y", "%m/%d/%Y", "%-m/%-d/%Y %H:%M:%S"])
def test_a_day_above_12_anywhere_settles_the_order_of_the_whole_column(form: str) -> None:
    found, style = read_times(_texts(form), "t", "x.csv")
    assert (found == pd.date_range("2024-03-01", periods=20, freq="D")).all()
    assert style.day_first is form.startswith("%d")


def test_dates_that_may_be_read_in_two_ways_are_refused_with_the_key() -> None:
    with pytest.raises(
        DataError, match=r"'01/03/2024' .*data.time_format: '%d/%m/%Y' \(day first\) or '%m/%d/%Y'"
    ) as error:
        read_times(_texts("%d/%m/%Y", days=12), "t", "x.csv")
    assert error.value.code == "ambiguous_dates"
    found, _ = read_times(_texts("%d/%m/%Y", days=12), "t", "x.csv", style=TimeStyle(format="%d/%m/%Y"))
    assert found[-1] == pd.Timestamp("2024-03-12")


def test_the_order_of_training_settles_new_rows() -> None:
    new = _texts("%d/%m/%Y", days=5)
    found, _ = read_times(new, "t", "x.csv", trained=TimeStyle(day_first=True))
    assert found[-1] == pd.Timestamp("2024-03-05")
    with pytest.raises(DataError, match="the training rows have the month first"):
        read_times(_texts("%d/%m/%Y"), "t", "x.csv", trained=TimeStyle(day_first=False))


def test_days_first_and_months_first_in_one_column_are_refused() -> None:
    with pytest.raises(DataError, match="some dates have the day first and others the month"):
        read_times(pd.Series(["13/01/2024", "01/14/2024"]), "t", "x.csv")


def test_times_are_brought_to_the_zone_of_training() -> None:
    utc = pd.Series(pd.date_range("2024-03-30 22:00", periods=30, freq="h", tz="UTC"))
    berlin = TimeStyle("Europe/Berlin")
    for written in (
        utc,
        utc.astype(str),
        utc.dt.tz_convert("America/New_York"),
        utc.dt.tz_convert("Europe/Berlin").map(str),
    ):
        found, style = read_times(written, "t", "x", trained=berlin)
        assert (found == pd.DatetimeIndex(utc)).all()
        assert str(found.tz) == style.zone == "Europe/Berlin"


@pytest.mark.parametrize(("trained", "zone"), [("Europe/Berlin", None), ("", "UTC")])
def test_a_zone_on_one_side_only_is_refused(trained: str, zone: str | None) -> None:
    times = pd.Series(pd.date_range("2024-01-01", periods=3, freq="h", tz=zone))
    with pytest.raises(DataError, match="the model was trained on times") as error:
        read_times(times, "t", "x", trained=TimeStyle(trained))
    assert error.value.code == "time_zone_differs"


def test_changing_offsets_and_local_times_need_the_zone() -> None:
    berlin = pd.Series(pd.date_range("2024-10-26 20:00", periods=20, freq="h", tz="Europe/Berlin"))
    offsets, local = berlin.map(lambda time: time.isoformat()), berlin.dt.tz_localize(None)
    with pytest.raises(DataError, match=r"data\.time_zone"):
        read_times(offsets, "t", "x")
    for written in (offsets, local, local.astype(str)):
        found, _ = read_times(written, "t", "x", style=TimeStyle(reads_as="Europe/Berlin"))
        assert (found == pd.DatetimeIndex(berlin)).all()
    with pytest.raises(DataError, match="not every time is one of the clock in Europe/Berlin"):
        read_times(pd.Series(["2024-03-31 02:30"]), "t", "x", style=TimeStyle(reads_as="Europe/Berlin"))


class Nameless(tzinfo):
    """A zone as programs make them for themselves."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta(hours=1)

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str | None:
        return None


def test_a_zone_has_a_name_that_pandas_finds_again() -> None:
    dateutil = import_module("dateutil.tz")  # which has no types
    for tz in ("Europe/Berlin", "UTC", "UTC+05:30", dateutil.gettz("Europe/Berlin")):
        try:
            times = pd.DatetimeIndex(["2024-07-01"]).tz_localize(tz)
        except AttributeError:  # pandas before 3.1.1 knows no zones of dateutil 4
            assert not isinstance(tz, str)
            continue
        found = times.tz_convert(zone_of(times.tz, "t", "x"))
        assert (found == times).all()
        assert found.hour == times.hour
    with pytest.raises(DataError, match="no name that another machine knows"):
        zone_of(Nameless(), "t", "x")


@pytest.mark.parametrize("kind", [pd.PeriodIndex(["2024-01"], freq="M"), pd.to_timedelta(["1h"]), [3.0]])
def test_what_is_no_timestamp_is_refused(kind: object) -> None:
    with pytest.raises(DataError, match="expected timestamps"):
        read_times(pd.Series(kind), "t", "x")


def test_weeks_are_told_as_weeks() -> None:
    with pytest.raises(
        DataError, match=r"Received: '2018-W01'. A week is no date; data.time_format: iso_week"
    ) as error:
        read_times(pd.Series(["2018-W01", "2018-W02"]), "t", "x")
    assert "like '2018-W01'" not in str(error.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("texts", [["Jan 2000", "Feb 2000"], ["5.4.2024 5:00 PM", "25.4.2024 6:00 PM"]])
def test_pandas_warns_of_nothing(texts: list[str]) -> None:
    found, _ = read_times(pd.Series(texts), "t", "x")
    assert found[0] < found[1]


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Africa/Cairo"])
@pytest.mark.parametrize("every", ["1d", "1w", "1mo", "1bd"])
def test_days_and_months_whose_midnight_is_put_off_are_on_the_grid(zone: str, every: str) -> None:
    frequency = {"1d": "D", "1w": "W-SUN", "1mo": "MS", "1bd": "B"}[every]
    plain = pd.date_range("2009-01-01", "2018-12-31", freq=frequency)
    times = plain.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(plain), dtype=bool))
    step = Every.parse(every)
    np.testing.assert_array_equal(step.ticks(times), np.arange(len(times)))
    put_off = np.flatnonzero(times.hour != 0)
    for row in (*put_off[:3], len(times) // 2):
        np.testing.assert_array_equal(step.ticks(times[row:]), np.arange(len(times) - row))
        if 0 < row < len(times) - 2:
            assert (step.ahead(times[:row], np.arange(1, 3)) == times[row : row + 2]).all()
            assert step.ahead(times[: row + 1], np.array([1]))[0] == times[row + 1]


def test_business_days_pass_over_the_weekend() -> None:
    days = pd.bdate_range("2024-01-01", periods=10)
    assert Every.parse("1bd").ticks(days).tolist() == list(range(10))
    assert Every.parse("1bd").ahead(days[:5], np.arange(1, 3)).tolist() == days[5:7].tolist()
    assert Every.parse("1bd").seasons() == {"week": 5, "year": 261}


@pytest.mark.parametrize("form", ["%Y-%m-%d {}:00", "%d.%m.%Y {}:00", "%Y-%m-%dT{}:00:00", "%Y-%m-%dT{}:00:00Z"])
def test_24_is_midnight_at_the_end_of_the_day(form: str) -> None:
    at = pd.date_range("2024-01-31 22:00", periods=4, freq="h")
    cells = [
        (time - pd.Timedelta(hours=1)).strftime(form).format("24")
        if not time.hour
        else time.strftime(form).format(f"{time:%H}")
        for time in at
    ]
    found, _ = read_times(pd.Series(cells), "t", "x")
    assert (found.tz_localize(None) == at).all()
    said = TimeStyle(format="%Y-%m-%d %H")
    found, _ = read_times(pd.Series(["2024-01-31 23", "2024-01-31 24"]), "t", "x", style=said)
    assert found[1] == pd.Timestamp("2024-02-01")


def test_dates_that_changed_places_in_a_workbook_are_refused() -> None:
    at = pd.date_range("2024-01-01", periods=90)
    cells = pd.Series([time.strftime("%m/%d/%Y" if time.day > 12 else "%d/%m/%Y") for time in at])
    with pytest.raises(DataError, match="A workbook that was opened with another language does that") as error:
        read_times(cells, "t", "x")
    assert error.value.code == "ambiguous_dates"
    shuffled = pd.Series(at.strftime("%d/%m/%Y")).sample(frac=1, random_state=0)
    assert (read_times(shuffled, "t", "x")[0].sort_values() == at).all()


def test_a_year_of_two_digits_in_front_is_no_day() -> None:
    cells = pd.Series(pd.date_range("2013-01-01", periods=500).strftime("%y/%m/%d"))
    with pytest.raises(DataError, match=r"data.time_format: '%y/%m/%d'") as error:
        read_times(cells, "t", "x")
    assert error.value.code == "ambiguous_dates"


def test_both_orders_are_told_with_their_time_of_day() -> None:
    with pytest.raises(DataError, match=r"'%d/%m/%Y %I %p' \(day first\) or '%m/%d/%Y %I %p'"):
        read_times(pd.Series(["01/02/2024 12 AM", "01/02/2024 1 AM"]), "t", "x")


@pytest.mark.parametrize(
    ("word", "offset"),
    [
        ("GMT+1", 60),
        ("UTC+1", 60),
        ("UTC+02:00", 120),
        ("UTC+0530", 330),
        ("GMT-5", -300),
        ("utc-08", -480),
        ("(UTC+3)", 180),
    ],
)
def test_an_offset_behind_utc_is_east_of_it_where_it_is_positive(word: str, offset: int) -> None:
    local = pd.date_range("2023-01-01 05:00", periods=48, freq="h")
    found, _ = read_times(pd.Series(local.strftime("%Y-%m-%d %H:%M") + f" {word}"), "t", "x.csv")
    assert (found.tz_convert("UTC").tz_localize(None) == local - pd.Timedelta(minutes=offset)).all()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["00:00.5", "00:01.0", "00:01.5"], "a time without a date"),
        (["'0:00.500'", "'0:00.510'", "'0:00.520'"], "a time without a date"),
        (["09:00:00", "09:00:01", "09:00:02"], "a time without a date"),
        (["01/01  01:00:00", "01/01  02:00:00", "01/13  03:00:00"], "with a year"),
        (["Jan 01 05:00:00", "Jan 01 05:00:01", "Jan 01 05:00:02"], "with a year"),
    ],
)
def test_times_without_a_date_or_a_year_are_none(cells: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_times(pd.Series(cells), "t", "x.csv")


def turned(*, texts: bool) -> pd.Series:
    """Days as a workbook of another language has them: up to the 12th as dates with day and month changed, others as texts."""
    days = pd.date_range("2022-01-01", periods=200)
    cells = [datetime(day.year, day.day, day.month) if day.day <= 12 else day.strftime("%d/%m/%Y") for day in days]
    return pd.Series(cells if texts else [datetime(day.year, day.month, day.day) for day in days], dtype=object)


@pytest.mark.parametrize("form", [None, "%d/%m/%Y"])
def test_dates_that_a_workbook_has_turned_are_refused_however_they_are_said_to_be_written(form: str | None) -> None:
    with pytest.raises(DataError, match="day and month turned") as caught:
        read_times(turned(texts=True), "t", "x.xlsx", style=TimeStyle(format=form))
    assert caught.value.code == "ambiguous_dates"
    found, _ = read_times(turned(texts=False), "t", "x.xlsx")
    assert found[31] == pd.Timestamp("2022-02-01")


def test_utc_behind_times_with_and_without_fractions_is_read() -> None:
    texts = [f"2024-01-01 {hour:02d}:00:00{'.500' if hour % 3 else ''} UTC" for hour in range(24)]
    found, style = read_times(pd.Series(texts), "t", "x.csv")
    assert (str(found.tz), style.zone, found[1].microsecond) == ("UTC", "UTC", 500_000)


def test_times_with_and_without_an_offset_are_told_by_one_of_each() -> None:
    texts = [f"2024-01-01T{hour:02d}:00:00{'' if hour == 7 else 'Z'}" for hour in range(24)]
    with pytest.raises(DataError, match=r"such as 2024-01-01T00:00:00Z and 2024-01-01T07:00:00;"):
        read_times(pd.Series(texts), "t", "x.csv")


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M", "%d-%m-%Y"])
def test_series_below_each_other_are_read_as_one_by_one(form: str) -> None:
    at = pd.date_range("2024-01-20", periods=90, freq="7h" if "H" in form else "D")
    cells = pd.Series([*at.strftime(form)] * 3)
    found, style = read_times(cells, "time", "t.csv")
    assert (found == at.append([at, at])).all()
    assert style.day_first == {"%d": True, "%m": False}.get(form[:2])


@pytest.mark.parametrize("form", [None, "%Y-%m-%d"])
def test_days_that_a_workbook_has_turned_are_refused_however_they_are_kept(form: str | None) -> None:
    at = pd.date_range("2024-01-01", periods=366)
    turned = pd.Series([day.replace(month=day.day, day=day.month) if day.day <= 12 else day for day in at])
    cells = turned if form is None else turned.dt.strftime(form)
    with pytest.raises(DataError, match="day and month are turned") as caught:
        read_times(cells, "time", "t.csv")
    assert caught.value.code == "ambiguous_dates"
    mixed = pd.Series(at).sample(frac=1, random_state=0)  # in no order at all
    assert (read_times(mixed, "time", "t.csv")[0] == pd.DatetimeIndex(mixed)).all()


@pytest.mark.parametrize(
    ("written", "style"),
    [
        ("%b-%y", "%b-%y"),
        ("%d/%m/%y", None),
        ("%m/%d/%y", None),
        ("%y.%m.%d", "%y.%m.%d"),
        ("%d %b %y", None),
        ("%m/%d/%y 00:00:00.0000", None),
    ],
)
@pytest.mark.parametrize("first", [1949, 1965])
def test_years_of_two_digits_are_not_taken_for_the_century_to_come(written: str, style: str | None, first: int) -> None:
    days = pd.date_range(f"{first}-01-01", periods=2_000, freq="D")
    days = days[days.day == 1] if style == "%b-%y" else days
    frame = pd.DataFrame({"date": pd.Series(days.strftime(written))})
    with pytest.raises(DataError) as caught:
        read_times(frame["date"], "date", "t.csv", style=TimeStyle(format=style))
    assert caught.value.code == "ambiguous_dates"
    (cure,) = re.findall(r"times = .*", str(caught.value))
    names = {"frame": frame, "pandas": pd}
    exec(cure, names)
    assert (frame["date"] == days).all()


def test_years_of_two_digits_that_have_been_or_are_planned_are_read() -> None:
    for first in ("1970-01-01", "1999-06-01", "2030-01-01"):
        days = pd.date_range(first, periods=600, freq="D")
        found, _ = read_times(pd.Series(days.strftime("%m/%d/%y")), "date", "t.csv")
        assert (found == days).all()
    far = pd.date_range("2090-01-01", periods=600, freq="D")
    assert (read_times(pd.Series(far.strftime("%m/%d/%Y")), "date", "t.csv")[0] == far).all()


@pytest.mark.parametrize("text", [" 0930", " 10:00 UTC", " 10:00:00.1234", " 09:30 PM", " 10"])
def test_what_stands_behind_a_year_of_two_digits_is_read(text: str) -> None:
    days = pd.date_range("2020-06-01", periods=40, freq="D")
    short, _ = read_times(pd.Series(days.strftime("%m/%d/%y") + text), "date", "t.csv")
    whole, _ = read_times(pd.Series(days.strftime("%m/%d/%Y") + text), "date", "t.csv")
    assert (short == whole).all()
    assert str(short.tz) == str(whole.tz)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y/%m/%d %H:%M", "%d/%m/%Y", "%d-%m-%Y"])
def test_years_of_the_buddhist_era_are_cured_by_the_line_that_is_told(form: str) -> None:
    at = pd.date_range("2022-03-01", periods=1000)  # with a 29 February, which 2567 has not
    years = form.replace("%Y", "YEAR")
    frame = pd.DataFrame({"t": [day.strftime(years).replace("YEAR", str(day.year + 543)) for day in at]})
    with pytest.raises(DataError, match="years of the Buddhist era") as caught:
        read_times(frame["t"], "t", "x.csv")
    exec(str(caught.value).split("Make them: ")[1], {"frame": frame})
    assert list(frame["t"]) == list(at.strftime(form))
    assert (read_times(frame["t"], "t", "x.csv")[0] == at).all()


def test_days_of_other_calendars_are_refused_and_early_years_are_not() -> None:
    days = [f"{1400 + row // 372}/{row // 31 % 12 + 1:02}/{row % 31 + 1:02}" for row in range(200)]
    with pytest.raises(DataError, match="Persian or the Islamic calendar") as caught:
        read_times(pd.Series(days), "t", "x.csv")
    assert caught.value.code == "invalid_timestamp"
    years = pd.Series([str(year) for year in range(1300, 1500)])
    assert read_times(years, "t", "x.csv", style=TimeStyle(format="%Y"))[0][0].year == 1300
    scenario = pd.Series(pd.date_range("2400-01-01", periods=60_000).strftime("%Y-%m-%d")).iloc[::1000]
    late = pd.Series(["2015-01-01", *scenario])  # of a climate model
    assert read_times(late, "t", "x.csv")[0][0].year == 2015
    clock = pd.Series([f"2024-01-{day:02} 1400" for day in range(1, 29)])
    assert read_times(clock, "t", "x.csv", style=TimeStyle(format="%Y-%m-%d %H%M"))[0][0].hour == 14


def test_last_rows_without_a_time_are_told_as_totals() -> None:
    times = pd.Series([20230101.0, 20230102.0, np.nan, np.nan])
    for column in (times, pd.Series(["2023-01-01", "2023-01-02", None, None])):
        with pytest.raises(DataError, match=r"The last 2 rows have no time.* data\.format\.footer_rows: 2"):
            read_times(column, "Date", "x.csv", style=TimeStyle(format="%Y%m%d" if column is times else None))
    with pytest.raises(DataError, match="Correct it"):
        read_times(pd.Series(["2023-01-01", None, "2023-01-02"]), "Date", "x.csv")
