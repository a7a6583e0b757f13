"""The columns that say when, however they are written."""

import re

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.drafting.clock import find_clock
from seq2seq_kit.errors import DataError
from tests.drafting.tables import hours


def clock_of(frame: pd.DataFrame):  # type: ignore[no-untyped-def]
    found = find_clock(frame, "t.csv")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "form", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S", "%b %d %Y %H:%M"]
)
def test_times_are_read_however_they_are_written(form: str) -> None:
    frame = hours(1_000)
    found = clock_of(frame.assign(at=frame["at"].dt.strftime(form)))
    assert found.columns == ["at"]
    assert (found.times == pd.DatetimeIndex(frame["at"])).all()


def test_the_order_of_day_and_month_is_told_with_its_evidence() -> None:
    frame = hours(1_000)
    said = " ".join(text for _, text in clock_of(frame.assign(at=frame["at"].dt.strftime("%d/%m/%Y %H:%M"))).said)
    assert "the day stands first" in said
    assert "the first number is above 12" in said


def test_what_no_row_settles_is_refused_with_the_key_that_does() -> None:
    frame = hours(48)
    with pytest.raises(DataError, match=r"data\.time_format") as caught:
        find_clock(frame.assign(at=frame["at"].dt.strftime("%d/%m/%Y %H:%M")), "t.csv")
    assert caught.value.code == "ambiguous_dates"


def test_a_date_and_a_time_of_day_are_one_clock() -> None:
    frame = hours()
    texts = pd.DataFrame(
        {"Uhrzeit": frame["at"].dt.strftime("%H:%M"), "Datum": frame["at"].dt.strftime("%d.%m.%Y"), "kW": frame["load"]}
    )
    found = clock_of(texts)
    assert found.columns == ["Datum", "Uhrzeit"]
    assert (found.times == pd.DatetimeIndex(frame["at"])).all()


@pytest.mark.parametrize(("unit", "word"), [("s", "epoch_s"), ("ms", "epoch_ms")])
def test_numbers_that_count_time_are_times(unit: str, word: str) -> None:
    frame = hours()
    counted = pd.DatetimeIndex(frame["at"]).as_unit(unit).asi8  # type: ignore[arg-type]
    found = clock_of(pd.DataFrame({"value": frame["load"], "ts": counted}))
    assert found.columns == ["ts"]
    assert found.keys == {"time_format": word}
    assert (found.times == pd.DatetimeIndex(frame["at"])).all()


def test_measured_numbers_are_no_times() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"load": rng.integers(1_000_000_000, 2_000_000_000, 300), "year": np.arange(300) % 7})
    assert find_clock(frame, "t.csv") is None


def test_weeks_begin_on_their_monday() -> None:
    mondays = pd.date_range("2020-01-06", periods=120, freq="W-MON")
    found = clock_of(pd.DataFrame({"week": mondays.strftime("%G-W%V"), "units": np.arange(120.0)}))
    assert (found.times == mondays).all()
    assert found.keys == {"time_format": "iso_week"}


def test_the_zone_is_told_by_the_hours_that_clocks_skip_and_repeat() -> None:
    for zone in ("Europe/Berlin", "America/New_York"):
        local = pd.date_range("2023-01-01", periods=8_700, freq="h", tz=zone)
        found = clock_of(pd.DataFrame({"ts": local.tz_localize(None).strftime("%Y-%m-%d %H:%M"), "mw": 1.0}))
        assert found.keys == {"time_zone": zone}
        assert (found.times[1:] - found.times[:-1] == pd.Timedelta(hours=1)).all()


def test_the_zone_is_told_by_changing_offsets() -> None:
    local = pd.date_range("2023-01-01", periods=8_700, freq="h", tz="Europe/Berlin")
    assert clock_of(pd.DataFrame({"ts": [each.isoformat() for each in local], "mw": 1.0})).keys == {
        "time_zone": "Europe/Berlin"
    }


def test_doubles_are_no_clock_change() -> None:
    frame = hours(400)
    twice = pd.concat([frame, frame.iloc[100:103]]).sort_values("at", kind="stable").reset_index(drop=True)
    assert clock_of(twice.assign(at=twice["at"].astype(str))).keys == {}


def months(form: str) -> pd.DataFrame:
    at = pd.date_range("2005-01-01", periods=60, freq="MS")
    return pd.DataFrame({"when": at.strftime(form), "units": np.arange(60.0)})


@pytest.mark.parametrize("form", ["%b-%y", "%y-%b", "%B %y"])
def test_months_with_a_year_of_two_digits_are_no_days_of_the_year_one(form: str) -> None:
    found = clock_of(months(form))
    assert found.keys == {"time_format": form}
    assert (found.times == pd.date_range("2005-01-01", periods=60, freq="MS")).all()


def test_days_without_a_year_are_refused() -> None:
    at = pd.date_range("2023-01-01", periods=365)
    with pytest.raises(DataError, match="a day without one") as caught:
        find_clock(pd.DataFrame({"day": at.strftime("%d-%b"), "units": np.arange(365.0)}), "t.csv")
    assert caught.value.code == "ambiguous_dates"


def test_days_with_a_year_of_two_digits_are_no_times_of_day() -> None:
    at = pd.date_range("2021-02-01", periods=400)
    found = clock_of(pd.DataFrame({"Datum": at.strftime("%d.%m.%y"), "n": np.arange(400.0)}))
    assert (found.times == at).all()


@pytest.mark.parametrize("form", ["{0.year}Q{0.quarter}", "Q{0.quarter} {0.year}", "{0.year}-Q{0.quarter}"])
def test_quarters_begin_on_their_first_day(form: str) -> None:
    at = pd.date_range("1990-01-01", periods=60, freq="QS")
    found = clock_of(pd.DataFrame({"q": [form.format(time) for time in at], "gdp": np.arange(60.0)}))
    assert (found.times == at).all()
    assert found.keys == {"time_format": "quarter"}


def test_year_and_month_and_date_and_hour_are_one_clock() -> None:
    at = pd.date_range("2005-01-01", periods=60, freq="MS")
    found = clock_of(pd.DataFrame({"Year": at.year, "Month": at.month, "n": np.arange(60.0)}))
    assert (found.columns, (found.times == at).all()) == (["Year", "Month"], True)
    frame = hours(500)
    at = pd.DatetimeIndex(frame["at"])
    for dates in (at.strftime("%d.%m.%Y"), at.normalize(), at.strftime("%Y%m%d").astype(int)):
        found = clock_of(pd.DataFrame({"day": dates, "hour": at.hour, "n": frame["load"]}))
        assert (found.columns, (found.times == at).all()) == (["day", "hour"], True)
    with pytest.raises(DataError, match="hours 1 to 24"):
        find_clock(pd.DataFrame({"day": at.strftime("%Y-%m-%d"), "hour": at.hour + 1, "n": frame["load"]}), "t.csv")


def test_a_year_and_its_day_or_month_by_name_are_one_clock() -> None:
    at = pd.date_range("2021-11-01", periods=400)
    found = clock_of(pd.DataFrame({"year": at.year, "doy": at.day_of_year, "n": np.arange(400.0)}))
    assert (found.columns, found.keys, (found.times == at).all()) == (["year", "doy"], {"time_format": "%Y %j"}, True)
    at = pd.date_range("2005-01-01", periods=60, freq="MS")
    for form in ("%B", "%b"):
        found = clock_of(pd.DataFrame({"Year": at.year, "Month": at.strftime(form), "n": np.arange(60.0)}))
        assert (found.columns, (found.times == at).all()) == (["Year", "Month"], True)


@pytest.mark.parametrize(("name", "key", "freq"), [("week", "iso_week", "W-MON"), ("Quarter", "quarter", "QS")])
def test_a_year_and_its_week_or_quarter_are_one_clock(name: str, key: str, freq: str) -> None:
    at = pd.date_range("2019-01-07" if name == "week" else "1990-01-01", periods=90, freq=freq)
    parts = at.isocalendar() if name == "week" else pd.DataFrame({"year": at.year, "Quarter": at.quarter})
    found = clock_of(
        pd.DataFrame({"year": parts["year"].to_numpy(), name: parts[name].to_numpy(), "n": np.arange(90.0)})
    )
    assert (found.columns, found.keys, (found.times == at).all()) == (["year", name], {"time_format": key}, True)


@pytest.mark.parametrize(
    ("name", "form", "freq"),
    [
        ("DATE", "%Y%m", "MS"),  # 200501 is no 1st of May 2020
        ("yyyymm", "%Y%m", "MS"),
        ("date", "%Y%m%d%H", "h"),  # nor are 2024010100 seconds since 1970
        ("MESS_DATUM", "%Y%m%d%H%M", "h"),
        ("DATE", "%Y.%m", "MS"),
        ("Monat", "%m.%Y", "MS"),
    ],
)
def test_numbers_of_digits_are_dates_before_they_are_counts(name: str, form: str, freq: str) -> None:
    at = pd.date_range("2005-01-01" if freq == "MS" else "2024-01-01", periods=180, freq=freq)
    numbers = pd.to_numeric(pd.Series(at.strftime(form)))
    found = clock_of(pd.DataFrame({name: numbers, "n": np.arange(180.0)}))
    assert (found.keys, (found.times == at).all()) == ({"time_format": form}, True)


def test_fractions_of_seconds_and_days_of_a_workbook_are_times() -> None:
    at = pd.date_range("2024-01-01", periods=300, freq="h")
    days = (at - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    for name, numbers, word in (("Date", days, "excel_days"), ("time", at.as_unit("ms").asi8 / 1e3 + 0.25, "epoch_s")):
        found = clock_of(pd.DataFrame({name: numbers, "n": np.arange(300.0)}))
        assert found.keys == {"time_format": word}
        assert (found.times.floor("s") == at).all()


@pytest.mark.parametrize(("start", "form"), [("2011-01-01", "%y/%m/%d"), ("2013-01-01", "%y.%m.%d %H:%M")])
def test_a_year_of_two_digits_in_front_is_told_by_the_order_of_the_rows(start: str, form: str) -> None:
    at = pd.date_range(start, periods=500)
    found = clock_of(pd.DataFrame({"date": at.strftime(form), "n": np.arange(500.0)}))
    assert (found.keys, (found.times == at).all()) == ({"time_format": form}, True)


@pytest.mark.parametrize("form", ["%Y-M%m", "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%d %H:%M:%S:000", "%Y-%d-%m"])
def test_further_ways_to_write(form: str) -> None:
    at = pd.date_range("2021-01-01", periods=60, freq="MS") + pd.Timedelta(days=0 if "d" not in form else 20)
    found = clock_of(pd.DataFrame({"date": at.strftime(form), "n": np.arange(60.0)}))
    assert (found.times.tz_localize(None) == at).all()


def test_offsets_of_no_zone_are_brought_to_utc() -> None:
    at = pd.date_range("2024-01-01", periods=60, freq="h", tz="UTC")
    cells = [(time.tz_convert("Europe/Berlin") if row % 2 else time).isoformat() for row, time in enumerate(at)]
    found = clock_of(pd.DataFrame({"ts": cells, "n": np.arange(60.0)}))
    assert (found.keys, (found.times == at).all()) == ({"time_zone": "UTC"}, True)


@pytest.mark.parametrize("last", ["1:00", "24:00"])
def test_spans_are_told_by_their_beginning(last: str) -> None:
    at = pd.date_range("2024-01-01", periods=500, freq="h")
    spans = [f"{x:%d.%m.%Y %H:%M} - {x + pd.Timedelta(hours=1):%d.%m.%Y %H:%M}" for x in at]
    assert (clock_of(pd.DataFrame({"MTU": spans, "n": np.arange(500.0)})).times == at).all()
    of_day = [f"{x:%H:%M}-{x + pd.Timedelta(hours=1):%H:%M}".replace("-0:00", f"-{last}") for x in at]
    found = clock_of(pd.DataFrame({"day": at.strftime("%Y-%m-%d"), "hour": of_day, "n": np.arange(500.0)}))
    assert (found.columns, (found.times == at).all()) == (["day", "hour"], True)


def test_numbers_of_hours_and_minutes_are_the_time_of_day_and_periods_are_refused() -> None:
    at = pd.date_range("2023-01-01", periods=2_000, freq="30min")
    frame = pd.DataFrame({"day": at.strftime("%d.%m.%Y"), "n": np.arange(2_000.0)})
    found = clock_of(frame.assign(time=at.hour * 100 + at.minute))
    assert (found.columns, (found.times == at).all()) == (["day", "time"], True)
    periods = frame.assign(SETTLEMENT_PERIOD=at.hour * 2 + at.minute // 30 + 1)
    with pytest.raises(DataError, match=r"count the 30 minutes of a day.*--series SETTLEMENT_PERIOD") as caught:
        find_clock(periods, "t.csv")
    assert caught.value.code == "invalid_timestamp"
    assert find_clock(periods, "t.csv", {"series": ["SETTLEMENT_PERIOD"]}) is not None


def test_hours_and_minutes_beside_a_date_are_the_time_of_day() -> None:
    at = pd.date_range("2023-01-01", periods=2_000, freq="15min")
    for dates in (at.strftime("%d.%m.%Y"), at.normalize()):
        found = clock_of(pd.DataFrame({"Date": dates, "Hour": at.hour, "Min": at.minute, "n": np.arange(2_000.0)}))
        assert (found.columns, (found.times == at).all()) == (["Date", "Hour", "Min"], True)


@pytest.mark.parametrize("form", ["%YM%m", "%y%m%d", "%d.%m.%Y %H.%M"])
def test_ways_to_write_that_only_a_format_reads_get_that_format(form: str) -> None:
    at = pd.date_range("2021-01-01", periods=60, freq="MS") + pd.Timedelta(days=0 if "d" not in form else 20)
    cells = at.strftime(form)
    found = clock_of(pd.DataFrame({"date": cells.astype(int) if form == "%y%m%d" else cells, "n": np.arange(60.0)}))
    assert found.keys == {"time_format": form}
    assert (found.times == at).all()


def test_what_cannot_be_read_is_read_as_it_is_said() -> None:
    at = pd.date_range("2021-01-01", periods=60)
    frame = pd.DataFrame({"date": at.strftime("%Y+%m+%d"), "n": np.arange(60.0)})
    assert find_clock(frame, "t.csv") is None
    found = find_clock(frame, "t.csv", {"time_format": "%Y+%m+%d"})
    assert found is not None
    assert (found.times == at).all()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("step", ["15min", "1h"])
def test_the_zone_is_told_by_the_one_hour_that_its_clock_skips(zone: str, step: str) -> None:
    begin = "2024-09-20" if zone.startswith("Australia") else "2024-03-01"
    local = pd.date_range(begin, periods=40 * (96 if step == "15min" else 24), freq=step, tz=zone)
    written = local.tz_localize(None).strftime("%Y-%m-%d %H:%M")
    found = clock_of(pd.DataFrame({"ts": written, "mw": 1.0}))
    assert (found.keys, (found.times == local).all()) == ({"time_zone": zone}, True)


def test_a_series_that_begins_later_does_not_hide_the_skipped_hour() -> None:
    local = pd.date_range("2024-03-01", periods=1_200, freq="h", tz="Europe/Berlin")
    rows = pd.DatetimeIndex(local.append(local[-300:])).tz_localize(None).strftime("%Y-%m-%d %H:%M")
    assert clock_of(pd.DataFrame({"ts": rows, "mw": 1.0})).keys == {"time_zone": "Europe/Berlin"}


@pytest.mark.parametrize("absent", ["another hour", "two hours", "two places", "none"])
def test_an_hour_that_is_absent_elsewhere_names_no_zone(absent: str) -> None:
    local = pd.date_range("2024-03-01", periods=960, freq="h")
    lost = {
        "another hour": ["2024-03-31 05:00"],
        "two hours": ["2024-03-31 02:00", "2024-03-31 03:00"],
        "two places": ["2024-03-31 02:00", "2024-03-12 07:00"],
        "none": [],
    }[absent]
    local = local.drop(pd.DatetimeIndex(lost))
    assert clock_of(pd.DataFrame({"ts": local.strftime("%Y-%m-%d %H:%M"), "mw": 1.0})).keys == {}


@pytest.mark.parametrize("order", ["newest first", "two series"])
def test_the_zone_is_told_for_rows_that_stand_newest_first_or_by_series(order: str) -> None:
    at = pd.date_range("2023-10-20", periods=1_500, freq="15min", tz="Europe/Berlin")
    rows = at[::-1] if order == "newest first" else pd.DatetimeIndex(at.append(at))
    found = clock_of(pd.DataFrame({"ts": rows.tz_localize(None).strftime("%Y-%m-%d %H:%M"), "mw": 1.0}))
    assert (found.keys, (found.times == rows).all()) == ({"time_zone": "Europe/Berlin"}, True)


@pytest.mark.parametrize("name", ["Time", "Duration", "Uhrzeit"])
def test_how_long_something_took_is_no_time_of_day(name: str) -> None:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2023-01-01", periods=200).repeat(2)
    took = [f"{1 + second // 3600}:{second // 60 % 60:02d}:{second % 60:02d}" for second in rng.integers(0, 9_000, 400)]
    frame = pd.DataFrame({"Date": dates.strftime("%Y-%m-%d"), name: took, "km": rng.uniform(3, 20, 400)})
    assert clock_of(frame).columns == ["Date"]


def test_times_of_day_that_fall_where_the_series_changes_are_a_clock() -> None:
    frame = hours(480)
    texts = pd.DataFrame(
        {
            "site": "a",
            "Datum": frame["at"].dt.strftime("%d.%m.%Y"),
            "Uhrzeit": frame["at"].dt.strftime("%H:%M"),
            "kW": 1.5,
        }
    )
    assert clock_of(pd.concat([texts, texts.assign(site="b")], ignore_index=True)).columns == ["Datum", "Uhrzeit"]


def test_dates_and_times_of_a_workbook_are_one_clock() -> None:
    at = pd.DatetimeIndex(hours()["at"])
    found = clock_of(pd.DataFrame({"Datum": at.normalize(), "Uhrzeit": at.time, "kW": hours()["load"], "n": 3}))
    assert found.columns == ["Datum", "Uhrzeit"]
    assert (found.times == at).all()


@pytest.mark.parametrize(
    ("names", "of_hours"),
    [
        (["YEAR", "MO", "DY"], False),
        (["YEAR", "MO", "DY", "HR"], True),
        (["yr", "mon", "dd"], False),
        (["Year", "Month", "Day of Month"], False),
        (["year", "month", "DATE"], False),
        (["год", "месяц", "день"], False),
        (["年", "月", "日"], False),
    ],
)
def test_the_day_is_a_part_of_the_clock_whatever_it_is_called(names: list[str], of_hours: bool) -> None:
    at = pd.date_range("2023-01-01", periods=2_000, freq="h" if of_hours else "D")
    parts = [at.year, at.month, at.day, at.hour][: len(names)]
    frame = pd.DataFrame(dict(zip(names, parts, strict=True)) | {"T2M": np.sin(np.arange(2_000) / 9)})
    found = clock_of(frame)
    assert found.columns == names
    assert (found.times == at).all()


def test_a_count_beside_years_and_months_is_no_day() -> None:
    at = pd.date_range("1990-01-01", periods=240, freq="MS")
    counts = np.random.default_rng(0).integers(1, 32, 240)
    frame = pd.DataFrame({"year": at.year, "month": at.month, "storms": counts, "rain": counts * 1.5})
    assert clock_of(frame).columns == ["year", "month"]


@pytest.mark.parametrize(
    "name", ["Hour Ending", "HE", "hour_ending", "Hr End", "Hour (local)", "Hour Beginning", "THE"]
)
def test_hours_are_those_that_fill_the_days_whatever_their_column_is_called(name: str) -> None:
    at, first = pd.date_range("2023-01-01", periods=480, freq="h"), int("Begin" not in name)
    for zones in (1, 3):
        frame = pd.DataFrame({"Date": at.strftime("%Y-%m-%d"), name: at.hour + first, "load": np.sin(np.arange(480.0))})
        frame = pd.concat([frame.assign(zone=f"z{number}", load=frame["load"] + number) for number in range(zones)])
        if name == "THE":  # no word for an hour
            assert find_clock(frame, "t.csv").columns == ["Date"]  # type: ignore[union-attr]
        elif first:
            with pytest.raises(DataError, match=rf"{re.escape(name)}: hours 1 to 24"):
                find_clock(frame, "t.csv")
        else:
            assert find_clock(frame, "t.csv").columns == ["Date", name]  # type: ignore[union-attr]


def test_hours_are_no_clock_beside_a_clock_and_as_series() -> None:
    at = pd.date_range("2023-01-01", periods=480, freq="h")
    frame = pd.DataFrame({"Date": at.strftime("%Y-%m-%d"), "Hour Ending": at.hour + 1.0, "v": np.arange(480.0)})
    with pytest.raises(DataError, match="Hour Ending: hours 1 to 24"):
        find_clock(frame, "t.csv")
    assert clock_of(frame.assign(timestamp=at.strftime("%Y-%m-%d %H:%M"))).columns == ["timestamp"]
    found = find_clock(frame, "t.csv", {"series": ["Hour Ending"]})
    assert found is not None
    assert found.columns == ["Date"]
    products = frame.rename(columns={"Hour Ending": "hourly_product"})
    assert clock_of(products).columns == ["Date"]


def test_hours_that_somebody_worked_are_no_clock() -> None:
    at, rng = pd.date_range("2023-01-01", periods=400), np.random.default_rng(0)
    found = clock_of(pd.DataFrame({"Date": at.strftime("%Y-%m-%d"), "hours worked": rng.integers(0, 25, 400)}))
    assert found.columns == ["Date"]


def test_hours_to_24_are_cured_by_the_line_that_is_told() -> None:
    at = pd.date_range("2023-01-01", periods=480, freq="h")
    for dates in (at.strftime("%Y%m%d").astype(int), at.strftime("%d/%m/%Y")):
        frame = pd.DataFrame({"YYYYMMDD": dates, "HH": at.hour + 1, "T": np.arange(480.0)})
        with pytest.raises(DataError, match="hours 1 to 24") as caught:
            find_clock(frame, "t.csv")
        cure = str(caught.value).split("Make it: ")[1].split(", which names")[0]
        exec(cure, {"pandas": pd, "frame": frame})
        assert (pd.DatetimeIndex(frame["time"]) == at).all()


@pytest.mark.parametrize("word", ["CET", "EST"])
def test_one_zone_behind_every_time_is_read_by_its_word(word: str) -> None:
    frame = hours()
    found = clock_of(frame.assign(at=frame["at"].dt.strftime("%Y-%m-%d %H:%M") + f" {word}"))
    assert found.keys == {"time_format": "%Y-%m-%d %H:%M %Z"}
    assert (found.times.tz_localize(None) == pd.DatetimeIndex(frame["at"])).all()


@pytest.mark.parametrize("form", ["%H.%M.%S", "%H.%M", "%Hh%M"])
def test_times_of_day_have_other_signs_than_colons(form: str) -> None:
    at = pd.DatetimeIndex(hours()["at"])
    found = clock_of(pd.DataFrame({"Date": at.strftime("%d/%m/%Y"), "Time": at.strftime(form), "CO": hours()["load"]}))
    assert found.columns == ["Date", "Time"]
    assert (found.times == at).all()


def test_months_and_minutes_are_told_apart_by_the_order_of_their_columns() -> None:
    at = pd.date_range("2023-01-01", periods=2_000, freq="30min")
    parts = {"YY": at.year, "MM": at.month, "DD": at.day, "hh": at.hour, "mm": at.minute}
    found = clock_of(pd.DataFrame(parts | {"WVHT": np.arange(2_000.0)}))
    assert found.columns == ["YY", "MM", "DD", "hh", "mm"]
    assert (found.times == at).all()


@pytest.mark.parametrize(
    ("freq", "parts"), [("MS", "year month"), ("D", "year month day"), ("h", "year month day hour")]
)
def test_columns_without_names_that_count_time_are_the_clock(freq: str, parts: str) -> None:
    at = pd.date_range("1990-03-01", periods=800, freq=freq)
    values = [getattr(at, part) for part in parts.split()] + [np.arange(800) % 7, np.arange(800.0)]
    found = clock_of(pd.DataFrame({f"column_{number}": each for number, each in enumerate(values, 1)}))
    assert found.columns == [f"column_{number}" for number in range(1, len(parts.split()) + 1)]
    assert (found.times == at).all()


def test_columns_without_names_that_do_not_count_time_are_none() -> None:
    rng = np.random.default_rng(0)
    years, months = rng.integers(1_900, 2_000, 300), rng.integers(1, 13, 300)
    frame = pd.DataFrame({"column_1": years, "column_2": months, "column_3": rng.normal(size=300)})
    assert find_clock(frame, "t.csv") is None
