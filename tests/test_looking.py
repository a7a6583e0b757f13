"""A table as a page: what is there is drawn, what is odd is told, names are text, and nothing comes from outside."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.looking import look
from seq2seq_kit.reports.look import Stretch, _thinned, filled, lagged, plot_stretch
from tests.conftest import ROOT, forecast_recipe, hourly_frame
from tests.test_names import NAMES

ROWS = 900


def odd_frame() -> pd.DataFrame:
    """A day's wave with a hole, an absent stretch and one value far off; `early` is `load` three hours before."""
    frame = hourly_frame(ROWS)
    frame["early"] = frame["load"].shift(-3).ffill()
    frame.loc[100:109, "load"] = np.nan
    frame.loc[300, "load"] = 9_000.0
    return frame.drop(index=range(500, 520))


def test_a_file_is_looked_at_by_the_recipe_that_is_drafted_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd_frame().to_csv(tmp_path / "odd.csv", index=False)
    assert main(["look", str(tmp_path / "odd.csv"), "--out", str(tmp_path / "page.html")]) == 0
    assert "page.html" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text) < 3_000_000
    assert not re.search(r"<script|https?://", text)
    for words in ("rows are 1 hour apart", "standard deviations", "input_steps"):
        assert words in text
    for name in ("load", "heat", "early"):
        assert f"<tr><td>{name}</td>" in text
    pictures = sorted((tmp_path / "page_figures").iterdir())
    assert len(pictures) == text.count("<img ") >= 5
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_seasons_and_columns_are_those_of_the_rows() -> None:
    seen = look(odd_frame())
    assert 24 in [season.steps for season in seen.seasons["load"]]
    row = re.search(r"<tr><td>load</td>(.*?)</tr>", seen.html)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1])[2:4] == ["30", "1"]  # ten cells and twenty rows; one far off
    assert len(repr(seen)) < 100
    assert "<style" not in seen._repr_html_()


def test_a_recipe_is_looked_at_as_it_stands(tmp_path: Path) -> None:
    hourly_frame(300, series=("a", "b")).to_csv(tmp_path / "load.csv", index=False)
    seen = look(forecast_recipe(source=str(tmp_path / "load.csv"), series="site", units={"load": "kW"}))
    assert "load (kW)" in seen.html
    assert {"series1_column1", "series2_column1", "seasons1", "lagged1"} <= set(seen.pictures)
    assert "a recipe for it would say" not in seen.html


@pytest.mark.slow
def test_a_task_without_rows_in_time_has_its_counts_and_its_recipe() -> None:
    seen = look(ROOT / "recipes" / "translate_addition.yaml")
    assert not seen.pictures
    assert "train, " in seen.html
    assert "task: translate" in seen.html


def test_marks_stand_where_something_is_odd() -> None:
    values = np.sin(np.arange(200.0))
    values[10:20] = np.nan
    values[50] = 1e6
    parts = {"train": (0, 140), "val": (140, 170), "test": (170, 200)}
    shown = Stretch("t", "c", np.arange(200), values, parts, np.array([80]), np.array([50]))
    axes = plot_stretch(shown).axes[0]
    said = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert said == ["train", "val", "test", "values", "1 gaps", "10 missing", "1 far off, 1e+06 to 1e+06"]
    assert axes.get_ylim()[1] < 2  # the far value does not flatten the rest


def test_a_lag_is_found_and_a_constant_has_none() -> None:
    target = np.random.default_rng(0).normal(size=500)
    early = np.concatenate([target[3:], np.zeros(3)])
    assert int(np.argmax(lagged(early, target, 10))) == 3
    assert not lagged(np.ones(500), target, 10).any()
    assert filled(np.array([np.nan, 1, np.nan, 3])).tolist() == [1, 1, 2, 3]
    assert filled(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_a_thinned_line_keeps_its_peaks() -> None:
    values = np.zeros(100_000)
    values[[7, 50_001]] = 5, -9
    values[60_000:70_000] = np.nan
    kept = _thinned(values)
    assert len(kept) < 4_000
    assert {7, 50_001} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


@pytest.mark.slow
def test_names_are_text_on_the_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, len(NAMES))).cumsum(axis=0), columns=NAMES)
    recipe = forecast_recipe(
        input_steps=6, output_steps=2, inputs=NAMES, targets=NAMES, calendar=[], time=None, every=None
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    recipe["data"] |= {"source": str(tmp_path / "rows.parquet"), "units": {name: name[:40] for name in NAMES}}
    seen = look(recipe)
    assert "script-src 'none'" in seen.html
    assert not re.search(r"<(script|svg|b|br|a|img src=x)[ />]", seen.html)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        look(hourly_frame(300)).save(tmp_path / "absent" / "look.html")
    assert caught.value.code == "unwritable_file"
