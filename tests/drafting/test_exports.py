"""Tables as programs export them: what is easily taken for something else in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

HOURS = pd.date_range("2024-01-01", periods=480, freq="h")


def daily(rows: int = 480) -> np.ndarray:
    return (100 + 20 * np.sin(np.arange(rows) * np.pi / 12) + np.random.default_rng(0).normal(size=rows)).round(2)


@pytest.mark.parametrize("marked", ["all", "some"])
def test_orders_that_are_called_by_a_number_sign_are_rows(marked: str, tmp_path: Path) -> None:
    names = [f"#{1000 + n}" if marked == "all" or n % 3 == 0 else f"EX{1000 + n}" for n in range(480)]
    path = tmp_path / "orders.csv"
    pd.DataFrame({"Name": names, "Created at": HOURS, "Total": daily()}).to_csv(path, index=False)
    draft = draft_recipe(path)
    data: Any = draft.recipe["data"]
    assert (data["every"], data["targets"]) == ("1h", ["Total"])
    assert not {"gaps", "missing"} & data.keys()
    assert "comment" not in data.get("format", {})
    assert len(read_source(str(path))) == 480


def test_rows_that_are_commented_out_stay_so(tmp_path: Path) -> None:
    lines = [
        f"{'#' if n % 40 == 7 else ''}{at:%Y-%m-%d %H:%M},{value}"
        for n, (at, value) in enumerate(zip(HOURS, daily(), strict=True))
    ]
    (tmp_path / "t.csv").write_text("\n".join(["time,load", *lines]), encoding="utf-8")
    draft = draft_recipe(tmp_path / "t.csv")
    data: Any = draft.recipe["data"]
    assert data["format"]["comment"] == "#"
    assert any("12 lines begin with '#'" in said for said in draft.decisions)


@pytest.mark.parametrize("mark", ["# 2024-01-03 02:00,9999", "#EOF,400", "#broken,1"])
def test_a_remark_with_as_many_cells_as_a_row_is_none(mark: str, tmp_path: Path) -> None:
    rows = [f"{at:%Y-%m-%d %H:%M},{value}" for at, value in zip(HOURS, daily(), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["time,load", *rows[:200], mark, *rows[200:]]), encoding="utf-8")
    data: Any = draft_recipe(tmp_path / "t.csv").recipe["data"]
    assert (data["every"], data["format"]["comment"]) == ("1h", "#")


def test_many_remarks_among_many_rows_are_looked_at_once(tmp_path: Path) -> None:
    """Each remark was looked up among all rows: 38 s for these."""
    rows = [f"#{n} remark,{n}\n{n},{n % 24}" for n in range(20_000)]
    (tmp_path / "t.csv").write_text("\n".join(["id,load", *rows]), encoding="utf-8")
    assert len(draft_recipe(tmp_path / "t.csv").decisions) > 3


@pytest.mark.parametrize("word", ["-999.99", "-99.99", "-9999.99", "1e20", "9.96921e+36", "-1.00E+31"])
def test_what_stands_for_missing_values_in_exports_is_no_number(word: str, tmp_path: Path) -> None:
    cells = [str(value) for value in daily()]
    cells[50:60] = [word] * 10
    pd.DataFrame({"time": HOURS, "load": cells}).to_csv(tmp_path / "t.csv", index=False)
    data: Any = draft_recipe(tmp_path / "t.csv").recipe["data"]
    assert data["format"]["missing_words"] == [float(word)]


def test_a_word_for_missing_values_counts_beside_a_column_of_nothing_else(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": HOURS, "load": daily(), "dew": 999.0})
    frame.loc[30:40, "load"] = 999.0
    frame.to_csv(tmp_path / "t.csv", index=False)
    data: Any = draft_recipe(tmp_path / "t.csv").recipe["data"]
    assert data["format"]["missing_words"] == [999]


def test_a_balance_is_not_added_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = np.sort(rng.integers(0, 200, 500))
    amounts = rng.normal(0, 50, 500).round(2)
    frame = pd.DataFrame(
        {"Date": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"), "Debit Amount": amounts}
    )
    frame = frame.assign(Balance=(30_000 + amounts.cumsum()).round(2))
    with pytest.raises(DataError, match=r"data\.duplicates=last") as caught:
        draft_recipe(frame)
    assert caught.value.code == "duplicate_timestamp"
    draft = draft_recipe(frame, target="Balance", given=["data.duplicates=last"])
    assert draft.recipe["data"]["duplicates"] == "last"  # type: ignore[index]
    assert not any("added up" in said for said in draft.decisions)


def test_dates_and_times_of_day_as_numbers_are_one_clock(tmp_path: Path) -> None:
    frame = pd.DataFrame({"<DATE>": HOURS.strftime("%Y%m%d"), "<TIME>": HOURS.strftime("%H%M%S"), "<CLOSE>": daily()})
    frame.to_csv(tmp_path / "stooq.txt", index=False)
    data: Any = draft_recipe(tmp_path / "stooq.txt").recipe["data"]
    assert (data["time"], data["time_format"], data["every"]) == (["<DATE>", "<TIME>"], "%Y%m%d %H%M%S", "1h")
    assert "series" not in data


@pytest.mark.parametrize("kind", ["race", "lap"])
def test_durations_as_numbers_are_measured(kind: str) -> None:
    rng = np.random.default_rng(0)
    if kind == "race":
        times = 10_000 * rng.integers(1, 5, 400) + 100 * rng.integers(0, 60, 400) + rng.integers(0, 60, 400)
    else:
        times = 10_000 + 100 * (np.arange(400) % 24) + np.arange(400) % 60
    days = pd.date_range("2024-01-01", periods=400 if kind == "lap" else 200)
    frame = pd.DataFrame({"date": days if kind == "lap" else days.repeat(2), "time": times, "runner": ["a", "b"] * 200})
    frame = frame.drop(columns="runner") if kind == "lap" else frame
    data: Any = draft_recipe(frame).recipe["data"]
    assert (data["time"], data["targets"]) == ("date", ["time"])


def test_the_year_of_a_date_goes_before_that_of_its_week() -> None:
    days = pd.date_range("2022-01-01", periods=400)
    week = days.isocalendar()
    frame = pd.DataFrame(
        {"iso_year": week["year"].to_numpy(int), "iso_week": week["week"].to_numpy(int), "year": days.year}
    )
    frame = frame.assign(month=days.month, day=days.day, sales=daily(400))
    data: Any = draft_recipe(frame).recipe["data"]
    assert (data["time"], data["every"]) == (["year", "month", "day"], "1d")


@pytest.mark.parametrize("name", ["sales_new_balance_shoes", "ventes_soldes", "energy_balanced"])
def test_words_that_hold_balance_are_no_balances(name: str) -> None:
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=200).repeat(3), name: daily(600), "qty": 1})
    data: Any = draft_recipe(frame, target=name).recipe["data"]
    assert data["duplicates"] == "sum"


def test_numbers_beside_times_that_cannot_be_read_are_no_table_of_texts() -> None:
    days = pd.date_range("2020-01-01", periods=60)
    dates = [f"{day:%A}, the {day:%d} of {day:%B}, {day:%Y} at noon" for day in [*days, *days]]
    frame = pd.DataFrame(
        {"Repository": ["a/b"] * 60 + ["c/d"] * 60, "Date": dates, "Stars": [*range(60), *range(7, 127, 2)]}
    )
    draft = draft_recipe(frame)
    assert (draft.recipe["task"], draft.recipe["data"]["targets"]) == ("forecast", ["Stars"])  # type: ignore[index]
    assert any("cannot be read" in said for said in draft.decisions)


def test_dates_of_javascript_are_times(tmp_path: Path) -> None:
    """As of star-history.com: of a clock with summer time, its name behind."""
    days = pd.date_range("2020-01-01", periods=300, tz="Europe/Berlin")
    names = {"CET": "Central European Standard Time", "CEST": "Central European Summer Time"}
    dates = [f"{day:%a %b %d %Y %H:%M:%S} GMT{day:%z} ({names[str(day.tzname())]})" for day in days]
    pd.DataFrame({"Repository": "a/b", "Date": dates, "Stars": daily(300)}).to_csv(tmp_path / "stars.csv", index=False)
    data: Any = draft_recipe(tmp_path / "stars.csv").recipe["data"]
    assert (data["time"], data["time_zone"], data["every"]) == ("Date", "Europe/Berlin", "1d")
    assert data["targets"] == ["Stars"]


@pytest.mark.parametrize("place", ["column", "index", "index without a name"])
def test_periods_are_times(place: str) -> None:
    periods = pd.period_range(
        "2023-01-01", periods=300, freq="D", name=None if place == "index without a name" else "day"
    )
    frame = pd.DataFrame({"load": daily(300)}, index=periods)
    frame = frame.reset_index() if place == "column" else frame
    data: Any = draft_recipe(frame).recipe["data"]
    assert (data["every"], data["targets"]) == ("1d", ["load"])


def test_numbers_as_categories_are_told_with_the_line_that_makes_them_numbers() -> None:
    frame = pd.DataFrame({"ts": HOURS, "v": pd.Categorical(np.arange(480) % 24)})
    with pytest.raises(DataError, match=r"astype\(float\)") as caught:
        draft_recipe(frame)
    assert caught.value.code == "nothing_to_draft"


def test_the_only_number_tells_no_series_apart() -> None:
    times = HOURS.append(HOURS[10:16]).sort_values()
    frame = pd.DataFrame({"creationDate": times, "value": (daily(486) * 3).astype(int)})
    data: Any = draft_recipe(frame).recipe["data"]
    assert data["targets"] == ["value"]


def test_too_few_rows_are_told_with_what_was_seen() -> None:
    frame = pd.DataFrame({"year": np.repeat([2021, 2022, 2023], 40), "sold": np.arange(120) % 7 + 0.5, "shop": "a"})
    with pytest.raises(DataError, match=r"What was seen: .*another choice: --series COLUMN") as caught:
        draft_recipe(frame, given=["data.duplicates=mean"])
    assert caught.value.code == "too_few_rows"


@pytest.mark.parametrize(
    ("last", "told"),
    [("2024-01-20 23:00,70", True), ("Total,9000", False), (",9000", False), ("Total 2024,9000", False)],
)
def test_a_row_that_is_left_out_as_a_footer_is_told(last: str, told: bool, tmp_path: Path) -> None:
    lines = [f"{at:%Y-%m-%d %H:%M},{value}" for at, value in zip(HOURS[:-1], daily(), strict=False)]
    (tmp_path / "t.csv").write_text("\n".join(["time,load", *lines, last, ""]), encoding="utf-8")
    form = Format(footer_rows=1)
    if told:
        with pytest.warns(UserWarning, match="'2024-01-20 23:00,70' at its end looks like a row"):
            frame = read_source(str(tmp_path / "t.csv"), form=form)
    else:
        frame = read_source(str(tmp_path / "t.csv"), form=form)
    assert len(frame) == 479


def test_another_unit_is_not_stripped_from_numbers(tmp_path: Path) -> None:
    from seq2seq_kit.data.tables.cures import cure_of_cells

    cells = pd.Series([f"{value} MiB" for value in daily(60)])
    said = cure_of_cells(cells, np.ones(60, dtype=bool), 0, count=60, total=60, form=Format(strip=["GiB"]))
    assert "convert them" in said
    assert "strip" not in said
    alike = pd.Series([f"{value} gib" for value in daily(60)])
    assert "convert" not in cure_of_cells(
        alike, np.ones(60, dtype=bool), 0, count=60, total=60, form=Format(strip=["GiB"])
    )
