"""Recipes that are drafted: they say what the table is, and are valid at once."""

import sqlite3
import zipfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from seq2seq_kit import draft_recipe
from seq2seq_kit.drafting.grouping import find_series
from seq2seq_kit.drafting.targets import told_amounts
from seq2seq_kit.errors import ArgumentError, DataError
from tests.drafting.tables import days, hours


def data_of(frame: pd.DataFrame | Path, **given: Any) -> dict[str, Any]:
    section = draft_recipe(frame, **given).recipe["data"]
    assert isinstance(section, dict)
    return section


def test_a_single_series_gets_windows_of_its_seasons() -> None:
    data = data_of(hours(3_000))
    assert (data["time"], data["every"], data["targets"]) == ("at", "1h", ["load"])
    assert data["output_steps"] == 24
    assert data["input_steps"] % 24 == 0
    assert data["calendar"] == ["hour"]
    assert "series" not in data


def test_the_yaml_is_the_recipe_and_says_why() -> None:
    draft = draft_recipe(hours())
    assert YAML(typ="safe").load(draft.yaml) == draft.recipe
    assert "# a season" in draft.yaml or "# one season, a day of 24 steps" in draft.yaml
    assert any(said.startswith("targets: load is the only column of numbers") for said in draft.decisions)


def test_every_line_of_the_drafts_data_has_its_reason() -> None:
    lines = draft_recipe(hours()).yaml.splitlines()
    for key in ("time:", "every:", "targets:", "input_steps:", "output_steps:", "normalise:", "epochs:"):
        at = next(number for number, line in enumerate(lines) if line.strip().startswith(key))
        assert lines[at - 1].strip().startswith("#"), key


def long_table() -> pd.DataFrame:
    frames = [
        days(rows, seed=rows, size=size).assign(filiale=f"F{rows}") for rows, size in ((500, 1), (400, 20), (300, 300))
    ]
    return pd.concat(frames).assign(land="DE")


def test_the_series_of_a_long_table_are_told_apart() -> None:
    draft = draft_recipe(long_table())
    data: Any = draft.recipe["data"]
    assert data["series"] == "filiale"
    assert data["inputs"] == ["sold"]
    assert "window_scaling" in data or data.get("scale_per_series")
    assert any("land is DE in every row" in said for said in draft.decisions)


def test_series_at_times_of_their_own_are_told_apart() -> None:
    one = hours(400).assign(sensor="a")
    other = hours(400, seed=1).assign(sensor="b")
    other["at"] += pd.Timedelta(minutes=17)
    below, in_turns = pd.concat([one, other]), pd.concat([one, other]).sort_values("at")
    for frame in (below, in_turns):
        data = data_of(frame)
        assert (data["series"], data["every"]) == ("sensor", "1h")


def test_an_index_of_times_is_the_clock() -> None:
    frame = hours().set_index("at")
    frame.index.name = None
    draft = draft_recipe(frame)
    data: Any = draft.recipe["data"]
    assert data["time"] == "time"
    assert any("reset_index" in said for said in draft.decisions)


def test_a_column_that_is_there_twice_is_refused() -> None:
    frame = pd.DataFrame(np.ones((40, 2)), columns=["a", "a"])
    with pytest.raises(DataError) as caught:
        draft_recipe(frame)
    assert caught.value.code == "duplicate_column"


def test_what_is_forecast_leaves_room_for_what_is_read() -> None:
    data = data_of(hours(100))
    assert data["input_steps"] >= data["output_steps"]


def test_a_constant_target_is_told() -> None:
    with pytest.raises(DataError, match="load is 3 in every row"):
        draft_recipe(hours(100).assign(load=3))


def test_series_told_by_two_columns_are_read() -> None:
    frames = [days(200, seed=n).assign(shop=f"s{n % 2}", item=f"i{n // 2}") for n in range(4)]
    assert data_of(pd.concat(frames))["series"] == ["shop", "item"]


def test_columns_that_series_share_are_static_and_words_of_them_categories() -> None:
    frames = [
        days(200, seed=n, size=n + 1).assign(
            shop=f"s{n}", town=f"t{n}", region="north" if n % 2 else "south", floor=10 * n
        )
        for n in range(4)
    ]
    draft = draft_recipe(pd.concat(frames))
    data: Any = draft.recipe["data"]
    assert data["series"] == "shop"
    assert (data["static"], data["categories"]) == (["region", "floor"], ["region"])
    assert data["inputs"] == ["sold"]
    assert any("town, another name of each series" in said for said in draft.decisions)


def weathered() -> pd.DataFrame:
    """Hours whose load follows the weather of the hour, which lasts for some hours, and an action that is drawn by the hour."""
    rng, frame = np.random.default_rng(1), hours(2_000)
    weather = np.repeat(rng.choice(["sun", "rain", "snow"], 250), 8)
    action = rng.choice(["yes", "no"], 2_000)
    levels = pd.Series(weather).map({"sun": 0.0, "rain": 30.0, "snow": -60.0})
    # The weather leads by an hour, so its past tells something of the steps ahead.
    load = 500 + levels.shift(3).fillna(0) + 40 * (action == "yes") + rng.normal(0, 4, 2_000)
    return frame.assign(load=load, weather=weather, action=action, noise=rng.choice(["a", "b", "c"], 2_000))


def test_words_that_help_are_categories_and_those_known_ahead_are_told() -> None:
    draft = draft_recipe(weathered(), ahead=3)
    data: Any = draft.recipe["data"]
    assert "weather" in data["inputs"]
    assert "noise" not in data["inputs"]
    assert data["categories"] == data["inputs"][1:]
    assert "known_future" not in data
    said = [each for each in draft.decisions if "--known" in each]
    assert any("action known ahead" in each for each in said)
    assert not any("noise known ahead" in each for each in said)


def test_what_is_known_ahead_is_known_when_told() -> None:
    data = data_of(weathered(), ahead=3, known=["action"])
    assert data["known_future"] == ["action"]
    assert data["categories"] == ["action", "weather"]
    with pytest.raises(DataError, match=r"actoin.*action") as caught:
        draft_recipe(weathered(), known="actoin")
    assert caught.value.code == "missing_column"
    with pytest.raises(DataError, match="load is forecast") as caught:
        draft_recipe(weathered(), known="load")
    assert caught.value.code == "target_leak"
    for task in ("autoencode", "classify"):
        with pytest.raises(ArgumentError, match="known is for a forecast"):
            draft_recipe(weathered(), task=task, known="action")


def test_ids_constants_and_parts_of_the_time_are_left_out() -> None:
    frame = hours()
    frame = frame.assign(
        id=np.arange(len(frame)), fixed=3, nothing=np.nan, hour=frame["at"].dt.hour, month=frame["at"].dt.month
    )
    draft = draft_recipe(frame)
    data: Any = draft.recipe["data"]
    assert data["inputs"] == ["load"]
    for name in ("id", "fixed", "nothing", "hour", "month"):
        assert any(said.startswith(f"{name} ") for said in draft.decisions), name


def test_a_column_that_helps_is_read_and_one_that_does_not_is_left_out() -> None:
    rng, frame = np.random.default_rng(1), hours(2_000)
    lead = rng.normal(0, 1, 2_030)
    frame["load"] = 100 + 20 * lead[30 - 3 : 2_030 - 3] + rng.normal(0, 1, 2_000)
    data = data_of(frame.assign(lead=lead[30:], noise=rng.normal(size=2_000)), target="load", ahead=3)
    assert data["inputs"] == ["load", "lead"]


def test_truth_values_are_read_where_they_help() -> None:
    rng, frame = np.random.default_rng(1), hours(2_000)
    open_ = rng.random(2_030) < 0.3
    frame["load"] = 100 + 20 * open_[30 - 3 : 2_030 - 3] + rng.normal(0, 1, 2_000)
    assert data_of(frame.assign(open=open_[30:]), target="load", ahead=3)["inputs"] == ["load", "open"]


def test_a_column_with_an_odd_cell_is_told_with_the_cell(tmp_path: Path) -> None:
    frame = days(300)
    frame["load"] = [f"{row % 30},5" for row in range(300)]
    frame.loc[40, "load"] = "12x4"
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    said = "\n".join(draft_recipe(path).decisions)
    assert "load is left out: 299 of its 300 cells are numbers, and '12x4' in row 41 is none. Correct it" in said
    with pytest.raises(DataError, match=r"column load: 299 of its 300 cells .* '12x4' in row 41") as error:
        draft_recipe(path, target="load")
    assert error.value.code == "not_a_number"


def test_codes_of_which_few_have_letters_are_a_category() -> None:
    frame = days(300)
    frame["store"] = [str(101 + row % 12) if row % 20 else "A12" for row in range(300)]
    draft = draft_recipe(frame, target="sold")
    assert not [said for said in draft.decisions if "store is left out" in said]
    frame["store"] = [str(row * 7 % 290) if row != 40 else "12x4" for row in range(300)]
    assert [said for said in draft_recipe(frame, target="sold").decisions if "store is left out: 299 of" in said]


def test_a_wide_table_is_several_targets_of_one_model() -> None:
    frame = hours(1_000).rename(columns={"load": "north"})
    draft = draft_recipe(frame.assign(south=frame["north"] * 1.2, west=frame["north"] * 0.8))
    model: Any = draft.recipe["model"]
    data: Any = draft.recipe["data"]
    assert data["targets"] == ["north", "south", "west"]
    assert model["channels"] == "independent"


def test_a_table_with_a_series_in_each_row_is_told_how_to_turn() -> None:
    frame = pd.DataFrame(np.arange(400.0).reshape(10, 40), columns=[f"V{n}" for n in range(40)])
    frame.insert(0, "name", [f"h{n}" for n in range(10)])
    frame.loc[3, "V30":] = np.nan
    with pytest.raises(DataError, match="each row is a series") as caught:
        draft_recipe(frame)
    assert caught.value.code == "series_in_rows"


def test_few_rows_still_leave_windows_to_judge_by() -> None:
    at = np.arange(144)
    rows = (100 + at) * (1 + 0.3 * np.sin(at * np.pi / 6))
    draft = draft_recipe(pd.DataFrame({"month": pd.date_range("1949-01", periods=144, freq="MS"), "people": rows}))
    data: Any = draft.recipe["data"]
    assert data["output_steps"] == 12
    assert draft.windows["val"] >= 5
    assert draft.windows["test"] >= 5
    model: Any = draft.recipe["model"]
    assert model["normalise"] == "last"


def test_many_short_series_are_divided_from_their_own_ends() -> None:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"step": np.arange(rows), "site": f"s{number:02d}", "load": 100 + rng.normal(size=rows).cumsum()})
        for number, rows in enumerate(rng.integers(40, 60, size=30))
    ]
    found: Any = draft_recipe(pd.concat(frames, ignore_index=True).drop(columns="step"), ahead=8)
    assert found.recipe["data"]["split"] == {"val_steps": 8, "test_steps": 8}
    assert found.windows["val"] == found.windows["test"] == 30
    few: Any = draft_recipe(pd.concat(frames[:3], ignore_index=True).drop(columns="step"), ahead=8)
    assert set(few.recipe["data"]["split"]) == {"val", "test"}


@pytest.mark.parametrize(("ahead", "steps"), [("36h", 36), (12, 12), ("2d", 48), ("12", 12)])
def test_how_far_to_forecast_may_be_said(ahead: str | int, steps: int) -> None:
    assert data_of(hours(2_000), ahead=ahead)["output_steps"] == steps


@pytest.mark.parametrize("ahead", ["soon", "90min", "0", -3, "1bd"])
def test_what_is_no_whole_number_of_steps_is_refused(ahead: str | int) -> None:
    with pytest.raises(ArgumentError) as caught:
        draft_recipe(hours(), ahead=ahead)
    assert caught.value.code == "invalid_ahead"


def test_more_steps_than_the_rows_carry_are_refused_with_the_most() -> None:
    with pytest.raises(DataError, match="--ahead") as caught:
        draft_recipe(days(100), ahead=60)
    assert caught.value.code == "ahead_too_long"


def test_a_dozen_rows_are_refused() -> None:
    with pytest.raises(DataError, match="12 rows") as caught:
        draft_recipe(days(12))
    assert caught.value.code == "too_few_rows"


def test_a_target_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean load"):
        draft_recipe(hours(), target="laod")
    with pytest.raises(DataError, match="a column of numbers") as caught:
        draft_recipe(hours().assign(kind=["x", "y"] * 750), target="kind")
    assert caught.value.code == "invalid_target"


def test_no_training_row_after_the_split_changes_a_decision() -> None:
    """What the newest rows hold, test among them, is not looked at."""
    frame = hours(2_000)
    other = frame.copy()
    other.loc[1_700:, "load"] = 500 + np.random.default_rng(3).normal(0, 300, 300)
    assert draft_recipe(frame).recipe == draft_recipe(other).recipe


def test_rows_out_of_order_are_the_same_table() -> None:
    frame = hours(1_000)
    assert draft_recipe(frame.sample(frac=1, random_state=0)).recipe == draft_recipe(frame).recipe


def test_missing_cells_are_no_gaps() -> None:
    """They are filled, so windows may be as long as without them."""
    frame = hours(2_000)
    frame.loc[np.random.default_rng(0).choice(2_000, 60, replace=False), "load"] = np.nan
    data, whole = data_of(frame), data_of(hours(2_000))
    assert data["missing"] == "interpolate"
    assert data["input_steps"] == whole["input_steps"]


def test_uneven_rows_are_said() -> None:
    rng, frame = np.random.default_rng(0), hours(1_000)
    frame["at"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.cumsum(rng.exponential(60, 1_000)), unit="s")
    assert any("no step of" in said for said in draft_recipe(frame).decisions)


def test_mostly_zeros_are_said() -> None:
    frame = days(500).assign(sold=np.random.default_rng(0).poisson(0.3, 500))
    assert any("is zero in" in said for said in draft_recipe(frame).decisions)


def test_an_autoencoder_is_drafted_when_asked_for() -> None:
    frame = hours(1_000)
    draft = draft_recipe(frame.assign(heat=frame["load"] / 3), task="autoencode")
    data: Any = draft.recipe["data"]
    assert data["inputs"] == ["load", "heat"]
    assert data["input_steps"] == 24
    with pytest.raises(ArgumentError, match="ahead is for a forecast"):
        draft_recipe(frame, task="autoencode", ahead=3)


def test_an_autoencoder_of_series_of_other_size_scales_each() -> None:
    data: Any = draft_recipe(long_table(), task="autoencode").recipe["data"]
    assert data["series"] == "filiale"
    assert "window_scaling" in data or data["scale_per_series"]


def texts(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdef"), size=int(rng.integers(3, 9)))) for _ in range(rows)]
    return pd.DataFrame({"word": words, "reverse": [word[::-1] for word in words]})


def test_two_columns_of_texts_are_a_translation() -> None:
    draft = draft_recipe(texts())
    data: Any = draft.recipe["data"]
    assert draft.recipe["task"] == "translate"
    assert (data["source_column"], data["target_column"]) == ("word", "reverse")


def test_texts_with_few_labels_are_classified() -> None:
    frame = texts()
    draft = draft_recipe(frame.assign(reverse=np.where(frame["word"].str[0] < "c", "early", "late")))
    data: Any = draft.recipe["data"]
    assert draft.recipe["task"] == "classify"
    assert (data["text"], data["label"]) == ("word", "reverse")


def test_lines_of_tokens_and_labels_are_tagged(tmp_path: Path) -> None:
    lines = "\n\n".join(
        "\n".join(f"w{n % 40}\t{'N' if n % 3 else 'V'}" for n in range(first, first + 5)) for first in range(300)
    )
    (tmp_path / "words.tsv").write_text(lines, encoding="utf-8")
    draft = draft_recipe(tmp_path / "words.tsv")
    assert draft.recipe["task"] == "tag"


@pytest.mark.parametrize("task", ["translate", "tag", "classify"])
def test_a_task_of_texts_on_numbers_is_refused_with_the_tasks(task: str) -> None:
    with pytest.raises(DataError, match="forecast, autoencode, translate, tag or classify"):
        draft_recipe(hours(), task=task)


def test_a_task_that_there_is_not_is_named() -> None:
    with pytest.raises(ArgumentError, match="did you mean forecast") as caught:
        draft_recipe(hours(), task="forcast")
    assert caught.value.code == "invalid_task"


def test_a_table_of_texts_alone_has_nothing_to_forecast() -> None:
    with pytest.raises(DataError) as caught:
        draft_recipe(texts().assign(third=texts()["word"] + "x"))
    assert caught.value.code == "nothing_to_draft"


EXPORTS = {
    "spanish.csv": ("Fecha;Ventas €;Tienda\n", "{day:%d/%m/%Y};{value:.2f} €;Centro\n", "cp1252", ","),
    "swiss.txt": ("Bericht vom Montag\n\nDatum|Menge\n", "{day:%d.%m.%Y}|{value:.1f}\nx", "utf-8", "."),
    "dutch.tsv": ("week\tomzet\n", "{day:%Y-%m-%d}\t{value:.2f}\n", "utf-16", ","),
    "english.csv": ("day,units\n", "{day:%d %b %Y},{value:.1f}\n", "utf-8-sig", "."),
}


@pytest.mark.parametrize("name", list(EXPORTS))
def test_a_file_as_a_country_exports_it_is_drafted(name: str, tmp_path: Path) -> None:
    header, row, encoding, decimal = EXPORTS[name]
    rows = [(day, value) for day, value in days(400).itertuples(index=False, name=None)]
    lines = [row.removesuffix("x").format(day=day, value=value) for day, value in rows]
    if decimal == ",":
        lines = [line.replace(".", ",") if "." in line else line for line in lines]
    path = tmp_path / name
    path.write_text(header + "".join(lines), encoding=encoding)
    draft = draft_recipe(path)
    data: Any = draft.recipe["data"]
    assert data["every"] == "1d"
    assert len(data["targets"]) == 1
    assert data["output_steps"] == 7
    assert draft.windows["test"] > 30


def test_measured_numbers_tell_no_series_apart() -> None:
    # Values of shops differ at nearly every time, by chance.
    frames = [
        days(150, seed=n, size=1 + n).assign(shop=f"{n:03d}", sold=lambda table: table.sold.round().astype(int))
        for n in range(4)
    ]
    long = pd.concat(frames)
    assert data_of(long[["date", "sold", "shop"]])["series"] == "shop"
    two = pd.concat([table.assign(item=n // 2, shop=n % 2) for n, table in enumerate(frames)])
    assert data_of(two[["date", "sold", "shop", "item"]])["series"] == ["shop", "item"]


def test_times_that_cannot_be_read_are_told() -> None:
    frame = days(300)
    frame["date"] = [f"KW {time.isocalendar().week}/{time.year} {time.day}" for time in frame["date"]]
    said = draft_recipe(frame).decisions
    assert any("date looks like times that cannot be read" in each for each in said)


def test_what_a_refusal_asks_for_can_be_said_to_the_draft(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    firsts = pd.date_range("2005-01-01", periods=120, freq="MS")
    table.write_text(
        "period;units\n" + "".join(f"{at:%m/%d/%Y};{1 + at.month % 3}.{500 + 7 * at.month}\n" for at in firsts)
    )
    with pytest.raises(DataError, match=r"init ... --set KEY=VALUE") as caught:
        draft_recipe(table)
    assert caught.value.code == "unclear_format"
    settled: dict[str, object] = {"data.format.thousands": ".", "data.format.decimal": ","}
    with pytest.raises(DataError, match=r"data.time_format: '%d/%m/%Y'"):
        draft_recipe(table, given=settled)
    draft = draft_recipe(table, given=settled | {"data.time_format": "%m/%d/%Y", "training.epochs": 3})
    data: Any = draft.recipe["data"]
    assert (data["every"], data["time_format"]) == ("1mo", "%m/%d/%Y")
    assert data["format"] == {"delimiter": ";", "thousands": ".", "decimal": ","}
    training: Any = draft.recipe["training"]
    assert training["epochs"] == 3
    with pytest.raises(DataError, match="lacks the column when"):
        draft_recipe(hours(), given=["data.time=when"])


def test_numbers_that_stand_for_nothing_are_missing_cells(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    frame = hours(1_000).assign(other=np.arange(1_000.0))
    frame.loc[[30, 400, 401], "load"] = -9999
    frame.to_csv(table, index=False)
    draft = draft_recipe(table, target="load")
    data: Any = draft.recipe["data"]
    assert data["format"] == {"missing_words": [-9999]}
    assert data["missing"] == "interpolate"
    assert any("load has -9999 in 3 cells" in said for said in draft.decisions)
    # Where the number is one like others in another column, it is no word for missing.
    frame["other"] = np.arange(1_000.0) * 20 - 9999 - 20
    frame.to_csv(table, index=False)
    assert "format" not in data_of(table, target="load")


def test_files_of_a_glob_are_read_as_the_first_is_written(tmp_path: Path) -> None:
    whole = days(400)
    for month, part in whole.groupby(whole.date.dt.strftime("%Y-%m")):
        part.to_csv(tmp_path / f"{month}.csv", index=False, sep=";", decimal=",")
    for source in (tmp_path, tmp_path / "*.csv"):
        data = data_of(source)
        assert data["format"] == {"delimiter": ";", "decimal": ","}
        assert (data["time"], data["targets"]) == ("date", ["sold"])


def test_a_database_is_drafted_for_its_table(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        days().assign(date=lambda table: table.date.astype(str)).to_sql("sales", database, index=False)
    with pytest.raises(DataError, match="--set KEY=VALUE") as caught:
        draft_recipe(address)
    assert caught.value.code == "missing_query"
    assert data_of(address, given={"data.table": "sales"})["table"] == "sales"  # type: ignore[arg-type]


def test_times_in_the_index_of_a_parquet_file_are_the_clock(tmp_path: Path) -> None:
    frame = hours().set_index("at")
    frame.index.name = None
    frame.to_parquet(tmp_path / "t.parquet")
    assert data_of(tmp_path / "t.parquet")["time"] == "time"


def test_states_codes_and_places_are_not_forecast_where_something_is_measured() -> None:
    rng, frame = np.random.default_rng(0), hours()
    frame = frame.rename(columns={"load": "x"}).assign(
        lat=rng.normal(48, 1, len(frame)),
        open=rng.integers(0, 2, len(frame)),
        status=rng.choice([200, 404], len(frame)),
    )
    draft = draft_recipe(frame)
    data: Any = draft.recipe["data"]
    assert data["targets"] == ["x"]
    assert any("not forecast: lat" in said and "status (2 different values)" in said for said in draft.decisions)
    assert data_of(frame, target="status")["targets"] == ["status"]


def test_of_a_days_prices_the_last_one_is_forecast() -> None:
    rng, frame = np.random.default_rng(0), days()
    close = 100 + np.cumsum(rng.normal(size=len(frame)))
    prices = pd.DataFrame(
        {"Date": frame.date, "Open": close, "High": close + 1, "Low": close - 1, "Close": close + 0.1}
    )
    assert data_of(prices)["targets"] == ["Close"]
    assert data_of(prices.assign(Volume=rng.integers(10**6, 10**7, len(frame))))["targets"] == ["Close"]


def test_months_in_columns_are_told_how_to_turn() -> None:
    at = pd.date_range("2005-01-01", periods=360, freq="MS")
    long = pd.DataFrame({"Year": at.year, "month": at.strftime("%b"), "value": np.arange(360.0)})
    wide = long.pivot(index="Year", columns="month", values="value")[list(at.strftime("%b")[:12])].reset_index()
    with pytest.raises(DataError, match="its months are the columns Jan to Dec") as caught:
        draft_recipe(wide)
    assert caught.value.code == "series_in_rows"


def test_a_long_hole_is_not_filled_with_a_line() -> None:
    frame = days(400)
    said = draft_recipe(frame.drop(range(150, 250))).decisions
    assert any("no window crosses one" in each for each in said)
    assert data_of(frame.drop(range(150, 160)))["gaps"] == "fill"


def test_a_column_that_begins_late_is_neither_forecast_nor_read() -> None:
    frame = days(500).rename(columns={"sold": "a"})
    frame["b"] = frame.a.where(frame.index > 350)
    draft = draft_recipe(frame)
    data: Any = draft.recipe["data"]
    assert (data["targets"], data["inputs"]) == (["a"], ["a"])
    assert any("b (30%)" in said for said in draft.decisions)


def test_cells_that_are_no_numbers_are_named() -> None:
    frame = days(100)
    frame["sold"] = frame.sold.astype(str).where(frame.index != 40, "12p")
    with pytest.raises(
        DataError, match=r"99 of its 100 cells are numbers, and '12p' in row 41 is none. Correct it"
    ) as caught:
        draft_recipe(frame)
    assert str(caught.value).count("12p") == 2, "the cell, and in the line that calls it missing"


def test_a_column_that_is_called_a_label_judges_and_is_not_learned_from() -> None:
    frame = hours(600).assign(fault=0)
    frame.loc[frame.index[-60:-40], "fault"] = 1
    section = data_of(frame, task="autoencode")
    assert section["labels"] == "fault"
    assert "fault" not in section["inputs"]
    renamed = data_of(frame.rename(columns={"fault": "open"}), task="autoencode")
    assert "labels" not in renamed
    assert "open" in renamed["inputs"], "two values are no part of a clock"


def test_a_season_that_is_too_long_for_a_window_is_told() -> None:
    times, rng = pd.date_range("2024-01-01", periods=3_000, freq="10min"), np.random.default_rng(0)
    load = np.sin(2 * np.pi * np.arange(3_000) / 144) + rng.normal(scale=0.1, size=3_000)
    lines = draft_recipe(pd.DataFrame({"time": times, "load": load}), task="autoencode").yaml.splitlines()
    assert any("a day of 144 steps" in line and "is longer than 96" in line for line in lines)


def test_rows_with_blank_lines_between_are_no_tokens_with_labels(tmp_path: Path) -> None:
    frame = hours(400)
    lines = [f"{at}\t{load}" + "\n" * (row % 24 == 0) for row, (at, load) in enumerate(frame.itertuples(index=False))]
    (tmp_path / "t.tsv").write_text("\n".join(["time\tkW", *lines]))
    assert draft_recipe(tmp_path / "t.tsv").recipe["task"] == "forecast"


@pytest.mark.parametrize("ids", [("007", "7"), ("NA", "ZA"), ("1", "01", "001")])
def test_names_of_series_are_told_apart_as_they_are_written(tmp_path: Path, ids: tuple[str, ...]) -> None:
    table = pd.concat([days(size=size + 1).assign(shop=name) for size, name in enumerate(ids)])
    table.to_csv(tmp_path / "t.csv", index=False)
    draft = draft_recipe(tmp_path / "t.csv")
    data: Any = draft.recipe["data"]
    assert data["series"] == "shop"
    assert any(f"shop tells {len(ids)} series apart" in line for line in draft.decisions)


@pytest.mark.parametrize("ending", [".parquet", ".xlsx"])
def test_texts_of_numbers_and_decimals_are_read_from_files_of_columns(tmp_path: Path, ending: str) -> None:
    table = days()
    sold = [f"{value * 10:,.2f}".replace(",", " ").replace(".", ",") for value in table["sold"]]
    texts = pd.DataFrame({"date": table["date"].dt.strftime("%d.%m.%Y"), "sold": sold})
    path = tmp_path / f"t{ending}"
    texts.to_parquet(path) if ending == ".parquet" else texts.to_excel(path, index=False)
    data = data_of(path)
    assert (data["format"], data["targets"]) == ({"decimal": ",", "thousands": " "}, ["sold"])
    exact = pd.DataFrame({"date": table["date"], "sold": [Decimal(str(value)) for value in table["sold"]]})
    exact.to_parquet(tmp_path / "exact.parquet")
    assert data_of(tmp_path / "exact.parquet")["targets"] == ["sold"]


def test_an_ending_that_says_nothing_is_looked_into(tmp_path: Path) -> None:
    text = days().to_csv(index=False)
    (tmp_path / "t.asc").write_text(text)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("inner/t.csv", text)
    for name in ("t.asc", "t.zip"):
        assert data_of(tmp_path / name)["format"] == {"delimiter": ","}


def test_columns_that_are_named_for_times_are_series_in_rows() -> None:
    at = pd.date_range("2020-01-22", periods=40)
    counts = np.random.default_rng(0).integers(0, 99, (60, 40)).cumsum(axis=1)
    frame = pd.DataFrame(counts, columns=[f"{x.month}/{x.day}/{x:%y}" for x in at]).assign(
        country=[f"C{i}" for i in range(60)]
    )
    with pytest.raises(DataError, match=r"melt\(\['country'\], var_name='time'") as caught:
        draft_recipe(frame)
    assert caught.value.code == "series_in_rows"


def several_sensors(name: str, *, seed: int = 0) -> pd.DataFrame:
    """Three sensors of other things, each at its own times, in the order of time."""
    rng = np.random.default_rng(seed)
    pieces = []
    for sensor, level in (("temp", 21.0), ("co2", 800.0), ("power", 350.0)):
        seconds = np.cumsum(rng.integers(200, 400, 500))
        times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
        cells = level * (1 + 0.05 * np.sin(np.arange(500) / 20) + rng.normal(0, 0.01, 500))
        pieces.append(pd.DataFrame({"time": times, name: sensor, "value": cells}))
    return pd.concat(pieces).sort_values("time", ignore_index=True)


@pytest.mark.parametrize("name", ["sensor", "entity_id", "device"])
def test_sensors_at_times_of_their_own_are_series(name: str) -> None:
    assert data_of(several_sensors(name))["series"] == name


def test_the_state_of_a_machine_is_no_series() -> None:
    frame = several_sensors("state").assign(value=lambda frame: np.where(frame["state"] == "temp", 5.0, 6.0))
    assert "series" not in data_of(frame)


@pytest.mark.parametrize("name", ["Anzahl", "patients", "calls", "value"])
def test_counts_of_dates_that_repeat_are_no_series(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2022-01-01", periods=500).repeat(rng.integers(1, 3, 500))
    frame = pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), name: rng.integers(1, 40, len(dates))})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    data = data_of(path, given={"data.duplicates": "sum"})
    assert "series" not in data
    assert data["targets"] == [name]


def test_what_becomes_of_doubles_settles_them(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    dates = pd.date_range("2022-01-01", periods=500).repeat(2)
    balance = np.random.default_rng(0).normal(size=1_000).round(2)
    pd.DataFrame({"date": dates, "balance": balance}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"--set data\.duplicates=last"):
        draft_recipe(path)
    assert data_of(path, given=["data.duplicates=last"])["duplicates"] == "last"


def test_cells_that_are_lists_are_left_out_and_told(tmp_path: Path) -> None:
    nested = pd.DataFrame({"payload": [[1, 2]] * 1_500, "tags": [{"a": 1}] * 1_500})
    frame = pd.concat([hours(), nested], axis=1)
    frame.to_parquet(tmp_path / "t.parquet")
    for given in (frame, tmp_path / "t.parquet"):
        draft = draft_recipe(given)
        assert sum("holds lists or mappings" in said for said in draft.decisions) == 2
        data = draft.recipe["data"]
        assert isinstance(data, dict)
        assert data["targets"] == ["load"]


def turned_by(error: DataError, frame: pd.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The table that the line of a refusal makes."""
    monkeypatch.chdir(folder)
    cure = str(error).split("Turn it: ")[1].split(", then draft")[0]
    exec(cure, {"pandas": pd, "frame": frame})
    return pd.read_csv(folder / "long.csv")


MONTHS = {
    "de": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "de long": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "Ene Feb Mar Abr May Jun Jul Ago Sep Oct Nov Dic",
    "en": "January February March April May June July August September October November December",
    "numbers": "1 2 3 4 5 6 7 8 9 10 11 12",
}


@pytest.mark.parametrize("language", list(MONTHS))
def test_months_in_columns_are_turned_in_any_language(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.arange(360.0).reshape(30, 12)
    wide = pd.DataFrame(values, columns=MONTHS[language].split())
    wide.insert(0, "Jahr", np.arange(1990, 2020))
    with pytest.raises(DataError, match="each row is a year") as caught:
        draft_recipe(wide)
    long = turned_by(caught.value, wide, tmp_path, monkeypatch)
    assert (pd.DatetimeIndex(long["month"]) == pd.date_range("1990-01-01", periods=360, freq="MS")).all()
    assert (long["value"] == values.ravel()).all()


@pytest.mark.parametrize("first", ["d_1", "1960"])
def test_steps_that_count_up_behind_the_names_of_rows_are_series_in_rows(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"d_{step}" for step in range(1, 61)] if first == "d_1" else [str(year) for year in range(1960, 2020)]
    wide = pd.DataFrame(np.arange(6_000.0).reshape(100, 60), columns=names)
    wide.insert(0, "item", [f"item {row}" for row in range(100)])
    wide.insert(1, "unit", "pieces")
    with pytest.raises(DataError, match="each row is a series") as caught:
        draft_recipe(wide)
    assert caught.value.code == "series_in_rows"
    long = turned_by(caught.value, wide, tmp_path, monkeypatch)
    of_one = long[long["item"] == "item 7"]
    assert of_one["value"].tolist() == np.arange(420.0, 480.0).tolist()
    assert of_one["step"].astype(str).tolist() == names


def test_channels_that_count_up_are_columns() -> None:
    rng = np.random.default_rng(0)
    channels = pd.DataFrame(rng.normal(size=(600, 32)), columns=[f"ch_{number}" for number in range(1, 33)])
    channels.insert(0, "at", pd.date_range("2024-01-01", periods=600, freq="h").astype(str))
    assert data_of(channels)["time"] == "at"
    assert "ch_1" in data_of(channels.drop(columns="at"), target="ch_1")["inputs"]


def test_a_column_is_asked_for_without_the_blanks_around_its_name() -> None:
    frame = hours().rename(columns={"load": "   load"}).assign(other=1.5)
    assert data_of(frame, target="load")["targets"] == ["   load"]


@pytest.mark.parametrize("series", [False, True])
def test_rows_that_are_not_in_the_order_of_their_count_are_refused(series: bool) -> None:
    frame = hours(600)[["load"]].assign(day=np.arange(5, 605))
    if series:
        frame = pd.concat([frame.assign(shop="east"), frame.assign(shop="west", load=frame["load"] + 1)])
    turned = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    with pytest.raises(DataError, match=r"day counts the rows( of each shop)?, which are not in its order") as caught:
        draft_recipe(turned)
    assert caught.value.code == "unsorted_rows"
    sort = str(caught.value).split("Sort them: ")[1].split("; or")[0]
    scope = {"frame": turned}
    exec(sort, scope)
    assert (
        draft_recipe(scope["frame"].reset_index(drop=True)).recipe == draft_recipe(frame.reset_index(drop=True)).recipe
    )
    for free in (turned.drop(columns="day"), turned.rename(columns={"day": "rank"})):
        assert draft_recipe(free).recipe["task"] == "forecast"


def test_countdowns_and_numbers_of_another_kind_are_no_order() -> None:
    rng, lengths = np.random.default_rng(0), (120, 150, 90)
    engines = [
        pd.DataFrame(
            {"RUL": np.arange(rows)[::-1], "unit": unit, "cycle": np.arange(1, rows + 1), "s1": rng.normal(size=rows)}
        )
        for unit, rows in enumerate(lengths)
    ]
    for target in (None, "RUL", "s1"):
        assert draft_recipe(pd.concat(engines, ignore_index=True), target=target).recipe["task"] == "forecast"
    left = pd.DataFrame({"left": np.arange(600)[::-1], "load": hours(600)["load"]})
    assert any("left counts the rows backwards" in said for said in draft_recipe(left, target="load").decisions)
    agents = pd.DataFrame({"step": np.repeat(np.arange(60), 20), "x": rng.normal(size=1200)})
    agents["agent"] = np.concatenate([rng.permutation(20) for _ in range(60)])
    assert draft_recipe(agents, target="x").recipe["task"] == "forecast"


@pytest.mark.parametrize("metrics", [1, 2])
def test_devices_that_report_some_milliseconds_apart_are_series(metrics: int) -> None:
    rng, rows = np.random.default_rng(1), 300
    at = 1_704_067_200_000 + 60_000 * np.arange(rows)
    frame = pd.concat(
        pd.DataFrame(
            {"ts": at + rng.integers(0, 3000, rows), "device": device, "metric": metric, "value": rng.normal(size=rows)}
        )
        for device in ("a7", "b8")
        for metric in ("temperature", "humidity")[:metrics]
    ).sort_values("ts", ignore_index=True)
    draft: Any = draft_recipe(frame).recipe["data"]
    assert sorted(np.atleast_1d(draft["series"])) == ["device", "metric"][:metrics]
    draft = draft_recipe(frame[frame["device"] == "a7"].reset_index(drop=True)).recipe["data"]
    assert sorted(np.atleast_1d(draft.get("series", []))) == ["metric"][: metrics - 1]


def test_years_at_the_end_of_a_line_of_names_are_names(tmp_path: Path) -> None:
    years = range(1960, 2023)
    for end in (",", ""):
        lines = ["Country Name,Country Code,Indicator Name,Indicator Code," + ",".join(map(str, years)) + end]
        for row in range(12):
            cells = ",".join(str(1000 * row + year) for year in years)
            lines += [f'"Land {row}, Rep.",L{row},Population,SP.POP,{cells}{end}']
        (tmp_path / "wb.csv").write_text("\n".join(lines) + "\n")
        with pytest.raises(DataError, match="Country Name") as caught:
            draft_recipe(tmp_path / "wb.csv")
        assert caught.value.code == "series_in_rows"


def test_amounts_in_thousands_and_millions_are_written_out_by_the_line_that_is_told(tmp_path: Path) -> None:
    at, values = pd.date_range("2005-01-01", periods=200, freq="MS"), 700 + 4.0 * np.arange(200)
    texts = [f"${value:.1f}K" if value < 1000 else f"${value / 1000:.2f}M" for value in values]
    for time in (at.strftime("%b-%y"), at.strftime("%Y-%m-%d")):
        for target in (None, "revenue"):
            frame = pd.DataFrame({"month": time, "revenue": texts})
            with pytest.raises(DataError, match="a letter for thousands, millions or billions") as caught:
                draft_recipe(frame, target=target)
            cure = "parts = " + str(caught.value).split("parts = ")[1].split(". There is no recipe")[0]
            exec(cure, {"frame": frame})
            np.testing.assert_allclose(frame["revenue"], values * 1e3, rtol=0.01)


def test_a_column_of_one_code_makes_no_table_of_texts() -> None:
    at = pd.date_range("2020-01-01", periods=400)
    days = pd.concat(
        pd.DataFrame(
            {
                "STATION": "USW00094728",
                "DATE": at.strftime("%Y%m%d").astype(int),
                "ELEMENT": name,
                "VALUE": np.arange(400) % 9,
            }
        )
        for name in ("TMAX", "TMIN", "PRCP")
    )
    recipe: Any = draft_recipe(days.sort_values("DATE", ignore_index=True)).recipe
    assert (recipe["task"], recipe["data"]["series"], recipe["data"]["targets"]) == ("forecast", "ELEMENT", ["VALUE"])


@pytest.mark.parametrize("prefix", ["FY", ""])
def test_fiscal_years_name_no_series(prefix: str) -> None:
    years = [f"{prefix}{1990 + row // 4}/{(1991 + row // 4) % 100:02}" for row in range(136)]
    frame = pd.DataFrame({"Fiscal Year": years, "Quarter": [f"Q{row % 4 + 1}" for row in range(136)]})
    draft = draft_recipe(frame.assign(Revenue=100.0 + np.arange(136)))
    assert "series" not in draft.recipe["data"]  # type: ignore[operator]
    assert any("Fiscal Year looks like times that cannot be read" in said for said in draft.decisions)


def test_places_in_bursts_and_codes_of_events_are_no_devices() -> None:
    rng, start = np.random.default_rng(0), pd.Timestamp("2024-01-01")
    at = [start + pd.Timedelta(day, "D") + pd.Timedelta(8 * place, "min") for day in range(30) for place in range(30)]
    burst = pd.DataFrame({"time": at, "point": [*range(30)] * 30, "v": rng.normal(size=900)})
    times = start + pd.to_timedelta(np.cumsum(rng.pareto(1.0, 1000) * 60).astype(int) + np.arange(1000), unit="s")
    events = pd.DataFrame({"time": times, "v": rng.normal(size=1000)})
    events["device"], events["sensor"] = rng.choice(300, (2, 1000)).astype(str)
    for frame in (burst, events):
        assert find_series(frame, pd.DatetimeIndex(frame["time"]), ["time"]) == []


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["-$1.02M", "$5.18K"], [-1.02e6, 5.18e3]),
        (["1,250K", "-3.5b"], [1.25e6, -3.5e9]),
        (["1,02M", "5,18M"], None),  # a decimal comma
        (["1A", "2B", "12", "13", "7B"], None),  # flats
    ],
)
def test_amounts_are_told_from_other_texts(cells: list[str], numbers: list[float] | None) -> None:
    frame = pd.DataFrame({"x": cells * 20})
    told = told_amounts(frame["x"], "x")
    assert bool(told) == (numbers is not None)
    if numbers:
        exec(told.split("Write them out: ")[1], {"frame": frame})
        np.testing.assert_allclose(frame["x"].head(len(numbers)), numbers)
