"""Figures of a sweep are pages of their own that hold every trial, and survive every kind of sweep."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_kit.recipe.sweep import Knob
from seq2seq_kit.sweeps.report.axes import axis_of, score_axis
from seq2seq_kit.sweeps.report.figures import pairs_page, parallel_page, write_figures
from seq2seq_kit.sweeps.report.importance import Importances, importances
from seq2seq_kit.sweeps.report.overview import history_page, importance_page
from seq2seq_kit.sweeps.trials import Direction, Trial
from tests.reports.test_plots import assert_drawn
from tests.sweeps.spaces import SPACE, choice, number, sweep_of

NONE = Importances(why="too few")
OUTSIDE = {"training.learning_rate": 0.0, "model.encoder_units": [99], "training.epochs": None}


def written(
    trials: list[Trial], knobs: list[Knob], folder: Path, direction: Direction = "min", found: Importances = NONE
) -> list[str]:
    write_figures(trials, knobs, metric="val_loss", direction=direction, folder=folder, importances=found)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def only(trials: list[Trial], *keys: str) -> list[Trial]:
    return [replace(t, values={key: t.values[key] for key in keys if key in t.values}) for t in trials]


PAGES = ["best_so_far.html", "overview.png", "pairs.html", "parallel_coordinates.html"]
KINDS: dict[str, tuple[list[Trial], list[Knob]]] = {
    "one finished": (sweep_of(1), SPACE),
    "one key": (only(sweep_of(12), "training.learning_rate"), [SPACE[1]]),
    "equal scores": ([replace(t, score=0.5) if t.score else t for t in sweep_of(12)], SPACE),
    "scores of zero": ([replace(t, score=0.0) if t.score is not None else t for t in sweep_of(12)], SPACE),
    "astray": ([replace(t, score=1e6) if t.number == 3 else t for t in sweep_of(12)], SPACE),
    "a constant key": ([replace(t, values=t.values | {"training.epochs": 20}) for t in sweep_of(12)], SPACE),
    "outside the space": ([replace(t, values=t.values | OUTSIDE) if t.number == 1 else t for t in sweep_of(12)], SPACE),
    "never active": ([replace(t, values={}) for t in sweep_of(6)], SPACE),
    "many": (sweep_of(500), SPACE),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("direction", ["min", "max"])
def test_every_kind_of_sweep_is_drawn(kind: str, direction: Direction, tmp_path: Path) -> None:
    trials, knobs = KINDS[kind]
    assert written(trials, knobs, tmp_path / "new" / "figures", direction) == PAGES
    assert_drawn(tmp_path / "new" / "figures" / "overview.png")


def test_without_a_finished_trial_nothing_is_written(tmp_path: Path) -> None:
    failed = [trial for trial in sweep_of(20) if trial.state == "failed"]
    assert len(failed) == 2
    assert written(failed, SPACE, tmp_path / "figures") == []


@pytest.mark.slow
def test_importance_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    found = importances(sweep_of(40), SPACE, "min")
    assert written(sweep_of(40), SPACE, tmp_path, found=found) == sorted([*PAGES, "importance.html"])
    bars = importance_page(found).data[0]
    assert [*bars.y][::-1] == [*found.shares]
    assert np.all(np.subtract(bars.x, bars.error_x.arrayminus) >= 0)
    assert_drawn(tmp_path / "overview.png", wide=1000)


@pytest.mark.slow
def test_a_page_needs_no_network(tmp_path: Path) -> None:
    for name in written(sweep_of(12), SPACE, tmp_path):
        if name.endswith(".html"):
            page = (tmp_path / name).read_text(encoding="utf-8")
            assert len(page) > 1_000_000  # plotly itself is inside
            assert "<script src=" not in page


def test_lines_run_from_the_worst_to_the_best_and_the_best_is_dark() -> None:
    trials = sweep_of(30)
    directions: list[Direction] = ["min", "max"]
    for direction in directions:
        lines = parallel_page(trials, SPACE, "val_loss", direction).data[0]
        scores = sorted((t.score for t in trials if t.score is not None), reverse=direction == "min")
        np.testing.assert_allclose(lines.dimensions[-1]["values"], scores)
        assert [*lines.line.color] == list(range(len(scores)))[::-1]
        assert lines.line.colorscale[0] == (0.0, "#3b0f4d")
        assert [d.label for d in lines.dimensions][:2] == ["encoder_units", "learning_rate"]


def test_each_pair_of_keys_has_a_panel_with_all_trials() -> None:
    trials = sweep_of(30)
    keys = [knob.key for knob in SPACE[:4]]
    page = pairs_page(only(trials, *keys), SPACE[:4], "val_loss", "min", NONE)
    finished = [trace for trace in page.data if len(trace.x) == 27]
    failed = [trace for trace in page.data if len(trace.x) == 3]
    assert len(finished) == len(failed) == 6
    assert all("<b>trial 1</b>, the recipe as it stands" in "".join(trace.text) for trace in finished)
    assert all("out of memory" in text for trace in failed for text in trace.text)
    assert "training.epochs: " in finished[0].text[0]


@pytest.mark.slow
def test_of_many_keys_the_most_important_are_paired() -> None:
    trials = sweep_of(40)
    found = importances(trials, SPACE, "min")
    page = pairs_page(trials, SPACE, "val_loss", "min", found)
    titles = {
        page.layout[axis].title.text for axis in page.layout if axis[1:5] == "axis" and page.layout[axis].title.text
    }
    assert len(titles) == 6
    assert [*found.shares][-1].rpartition(".")[2] not in titles
    assert "Pairs of the 6 most important of 7 keys" in page.layout.title.text


def test_the_history_shows_all_trials_the_own_level_and_the_failed_ones() -> None:
    trials = sweep_of(20)
    points, best, own, failed = history_page(trials, "val_loss", "min").data
    assert [*points.x] == [t.number for t in trials if t.score]
    assert [*points.y] == [t.score for t in trials if t.score]
    assert best.y[-1] == min(points.y)
    assert set(own.y) == {trials[0].score}
    assert own.line.dash == "dash"
    assert [*failed.x] == [5, 14]
    assert "out of memory" in failed.text[0]


@pytest.mark.parametrize(("direction", "sign", "symbol"), [("min", 1, "triangle-up"), ("max", -1, "triangle-down")])
def test_trials_that_went_astray_stand_at_the_edge(direction: Direction, sign: int, symbol: str) -> None:
    trials = [replace(t, score=sign * (1e6 if t.number == 7 else t.score)) if t.score else t for t in sweep_of(20)]
    points = history_page(trials, "val_loss", direction).data[0]
    at = [*points.x].index(7)
    assert points.marker.symbol[at] == symbol
    assert [*points.marker.symbol].count("circle") == len(points.x) - 1
    assert sign * points.y[at] < 10
    assert points.name == "trials (1 far beyond, at the edge)"
    assert "1,000,000" in points.text[at]


def test_a_name_from_a_recipe_cannot_become_markup() -> None:
    trials = [Trial(at, {"data.inputs": "<b>", "a": at}, "finished", float(at)) for at in (1, 2, 3)]
    knobs = [choice("data.inputs", "<b>", "x"), number("a", 1, 3, kind="int")]
    assert "&lt;b&gt;" in pairs_page(trials, knobs, "val_loss", "min", NONE).data[0].text[0]
    labels: Any = parallel_page(trials, knobs, "val_loss", "min").data[0].dimensions[0].ticktext
    assert [*labels] == ["&lt;b&gt;", "x"]


def test_a_logarithm_has_ticks_of_real_values() -> None:
    axis = axis_of(SPACE[1], sweep_of(12), "learning_rate")
    assert axis.labels == ["0.0001", "0.001", "0.01", "0.1"]
    np.testing.assert_allclose(axis.ticks, [-4, -3, -2, -1])


def test_a_key_that_is_off_or_null_stands_below_the_numbers() -> None:
    tried: list[dict[str, Any]] = [{"a": 0.5}, {"a": None}, {}]
    trials = [Trial(at, values, "failed") for at, values in enumerate(tried, start=1)]
    axis = axis_of(number("a", 0.0, 1.0), trials, "a")
    assert axis.labels[:2] == ["null", "off"]
    assert axis.positions[0] == 0.5
    assert 0 > axis.positions[1] > axis.positions[2] > axis.span[0]


def test_points_move_less_than_half_way_to_the_next_value() -> None:
    for knob in (SPACE[0], SPACE[2], SPACE[4]):
        axis = axis_of(knob, sweep_of(200), "x")
        distance = np.diff(sorted(set(axis.positions))).min()
        moved = np.abs(axis.jittered(0.618034) - axis.positions)
        assert 0 < moved.max() < 0.25 * distance


def test_scores_wide_apart_are_read_by_their_logarithm() -> None:
    np.testing.assert_allclose(score_axis([0.1, 1.0, 100.0], "loss").positions, [-1, 0, 2])
    np.testing.assert_allclose(score_axis([1.0, 2.0], "loss").positions, [1, 2])
