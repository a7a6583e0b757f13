"""Figures are drawn and written for every kind of run, and show the windows, the names and the figures they should."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.evaluation import MODEL, evaluate_part, fit_forecast_baselines
from seq2seq_kit.evaluation.baselines import Predictor
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.interactive import write_interactive
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from seq2seq_kit.training.fit import Epoch, Fit
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe


def truth_but_one(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """Stands for a model."""
    return prepared.truth(part, windows) + 1.0


def with_holes() -> pd.DataFrame:
    frame = hourly_frame(300)
    frame.loc[::5, "load"] = np.nan
    return frame


SMALL = {"input_steps": 12, "output_steps": 4, "calendar": []}
KINDS: dict[str, tuple[dict[str, Any], pd.DataFrame]] = {
    "one_target": (forecast_recipe(**SMALL), hourly_frame(300)),
    "no_timestamps": (forecast_recipe(**SMALL, time=None, every=None), hourly_frame(300).drop(columns="time")),
    "several_targets_and_series": (
        forecast_recipe(**SMALL, targets=["load", "heat"], series="site"),
        hourly_frame(300, series=("north", "south")),
    ),
    "missing_cells": (forecast_recipe(**SMALL, missing="mask"), with_holes()),
    "autoencoder": (autoencode_recipe(input_steps=12), hourly_frame(300)),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> tuple[str, Prepared]:
    """Each kind of run with its data."""
    recipe, frame = KINDS[request.param]
    return request.param, prepare(parse_recipe(recipe).data, frame)


def predictors(prepared: Prepared) -> Mapping[str, Predictor]:
    forecast = prepared.windows["test"].shape.target_offset > 0
    peers = fit_forecast_baselines(prepared) if forecast else fit_autoencode_baselines(prepared, latent_dim=2)
    return {MODEL: truth_but_one} | {peer.name: peer for peer in peers}


def examples_of(prepared: Prepared, count: int = 6) -> plots.Examples:
    return plots.pick_examples(prepared, "test", predictors(prepared), count=count)


def named(name: str) -> Prepared:
    recipe, frame = KINDS[name]
    return prepare(parse_recipe(recipe).data, frame)


def assert_drawn(path: Path, *, wide: int = 400, high: int = 200) -> None:
    """A PNG of some size that is neither blank nor one flat colour."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] >= high
    assert pixels.shape[1] >= wide
    dark = (pixels[..., :3].mean(axis=-1) < 0.7).mean()
    assert 0.001 < dark < 0.5


def fit_of(*losses: tuple[float, float], best: int = 1) -> Fit:
    history = [Epoch(number, len(losses), *pair, 1e-3, 1.0, 100.0) for number, pair in enumerate(losses, start=1)]
    return Fit(history, best, "epochs", 1.0)


@pytest.mark.slow
def test_every_kind_of_run_gets_its_pictures(kind: tuple[str, Prepared], tmp_path: Path) -> None:
    name, prepared = kind
    peers = {key: value for key, value in predictors(prepared).items() if key != MODEL}
    figures = {
        "examples": plots.plot_examples(examples_of(prepared), title=f"Test windows: {name}"),
        "error_by_step": plots.plot_error_by_step(
            evaluate_part(prepared, "test", truth_but_one, list(peers.values()))  # type: ignore[arg-type]
        ),
    }
    plots.save(figures, tmp_path / "new" / "figures")
    assert sorted(path.name for path in (tmp_path / "new" / "figures").iterdir()) == [
        "error_by_step.png",
        "examples.png",
    ]
    for path in (tmp_path / "new" / "figures").iterdir():
        assert_drawn(path)


def test_the_interactive_page_holds_every_window_and_forecaster(kind: tuple[str, Prepared], tmp_path: Path) -> None:
    _, prepared = kind
    examples = examples_of(prepared, count=9)
    assert len(set(examples.labels)) == 9
    write_interactive(examples, tmp_path / "page.html", title="Windows of the test rows")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for label in examples.labels:
        assert f'"label":"{label}"' in page
    for name in predictors(prepared):
        assert f'"name":"{name}' in page
    assert '"name":"actual' in page
    assert "Windows of the test rows" in page
    assert page.count('"visible":true,') + page.count('"visible":true}') == len(examples.targets) * (
        2 + len(examples.predictions)
    )


def test_the_slider_shows_the_lines_of_one_window(tmp_path: Path) -> None:
    examples = examples_of(named("several_targets_and_series"), count=3)
    write_interactive(examples, tmp_path / "page.html", title="t")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = [json.loads(found) for found in re.findall(r'"args":\[\{"visible":(\[[a-z,]+\])\}\]', page)]
    lines = len(examples.targets) * (2 + len(examples.predictions))
    assert shown == [[at // lines == window for at in range(3 * lines)] for window in range(3)]


def test_the_interactive_page_needs_no_network(tmp_path: Path) -> None:
    write_interactive(examples_of(named("one_target"), count=2), tmp_path / "page.html", title="t")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(page) > 1_000_000  # plotly itself is inside
    assert "<script src=" not in page


def test_examples_are_spread_over_the_part_and_in_original_units() -> None:
    prepared = named("one_target")
    examples = examples_of(prepared)
    count = prepared.windows["test"].count
    picked = np.linspace(0, count - 1, 6).astype(int)
    np.testing.assert_array_equal(examples.truth, prepared.truth("test", picked))
    np.testing.assert_array_equal(examples.predictions[MODEL], examples.truth + 1)
    frame = hourly_frame(300)
    first = prepared.windows["test"].starts(picked)[-1]
    np.testing.assert_array_equal(examples.past[-1, :, 0], frame["load"][first : first + 12])
    np.testing.assert_array_equal(examples.past_x[-1], frame["time"][first : first + 12])
    np.testing.assert_array_equal(examples.ahead_x[-1], frame["time"][first + 12 : first + 16])
    assert examples.labels[-1] == f"{frame['time'][first + 12]:%Y-%m-%d %H:%M}"


def test_a_window_is_named_by_its_series_and_time_or_by_its_row() -> None:
    series = examples_of(named("several_targets_and_series")).labels
    assert series[0].startswith("north, 2024-01-")
    assert series[-1].startswith("south, 2024-01-")
    rows = named("no_timestamps")
    first = rows.windows["test"].target_rows(np.array([0]))[0, 0]
    assert examples_of(rows).labels[0] == f"row {first + 1}"


def test_an_autoencoder_s_windows_have_no_inputs_before_them() -> None:
    examples = examples_of(named("autoencoder"))
    assert examples.past.shape == (6, 0, 2)
    assert examples.truth.shape == (6, 12, 2)


def test_a_long_window_is_shown_by_its_newest_rows() -> None:
    recipe = parse_recipe(forecast_recipe(input_steps=100, output_steps=10))
    prepared = prepare(recipe.data, hourly_frame(900))
    assert plots.pick_examples(prepared, "test", {MODEL: truth_but_one}, count=2).past.shape == (2, 30, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_at_most_six_windows_are_drawn(count: int) -> None:
    figure = plots.plot_examples(examples_of(named("one_target"), count=count), title="Some")
    assert len(figure.axes) == min(count, 6)
    assert figure.axes[0].get_title().startswith("from 2024-01-")


@pytest.mark.slow
def test_a_picture_tells_the_forecasters_apart() -> None:
    figure = plots.plot_examples(examples_of(named("one_target")), title="Some")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["inputs", "model", "last value", "seasonal naive (day)", "ridge", "actual"]
    colours = [str(line.get_color()) for line in figure.axes[0].lines]
    assert len(set(colours)) == len(colours) == 6


def test_error_by_step_shows_the_figures_of_the_evaluation() -> None:
    prepared = named("one_target")
    evaluation = evaluate_part(prepared, "test", truth_but_one, fit_forecast_baselines(prepared))
    axes = plots.plot_error_by_step(evaluation).axes[0]
    assert axes.get_ylabel() == "RMSE (load)"
    assert [line.get_label() for line in axes.lines] == list(evaluation.sums)
    for line in axes.lines:
        np.testing.assert_allclose(np.asarray(line.get_ydata()), evaluation.by_step(str(line.get_label())))
        np.testing.assert_array_equal(np.asarray(line.get_xdata()), [1, 2, 3, 4])


def far_worse(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    return prepared.truth(part, windows) + 900.0 * np.arange(1, 5)[None, :, None]


def test_the_worst_baseline_does_not_flatten_the_error_by_step() -> None:
    prepared = named("one_target")
    evaluation = evaluate_part(prepared, "test", truth_but_one, fit_forecast_baselines(prepared))
    wild = evaluate_part(prepared, "test", far_worse, [])
    shown = replace(evaluation, sums=evaluation.sums | {"wild": wild.sums[MODEL]})
    axes = plots.plot_error_by_step(shown).axes[0]
    best = evaluation.by_step(evaluation.best_baseline).max()
    assert best < axes.get_ylim()[1] < 4 * best
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_texts()[-1].get_text() == "wild, up to 3600"


@pytest.mark.parametrize("steps", slow_but([8, 24, 48, 70], 48))
@pytest.mark.parametrize("every", ["1min", "1h", "1D", "1MS", "12h"])
@pytest.mark.filterwarnings("error")
def test_no_window_is_too_long_or_short_for_the_marks_of_its_times(every: str, steps: int) -> None:
    section = forecast_recipe(**SMALL | {"input_steps": steps - 4}, every="1mo" if every == "1MS" else every.lower())
    frame = hourly_frame(600).assign(time=pd.date_range("2001-01-01", periods=600, freq=every))
    prepared = prepare(parse_recipe(section).data, frame)
    figure = plots.plot_examples(plots.pick_examples(prepared, "test", {MODEL: truth_but_one}, count=1), title="t")
    figure.draw_without_rendering()
    assert 1 <= len(figure.axes[0].get_xticks()) <= 12


def test_units_stand_on_the_axes_and_on_the_page(tmp_path: Path) -> None:
    prepared = prepare(parse_recipe(forecast_recipe(**SMALL, units={"load": "k$W"})).data, hourly_frame(300))
    examples = examples_of(prepared)
    assert plots.plot_examples(examples, title="t").axes[0].get_ylabel() == r"load (k\$W)"
    evaluation = evaluate_part(prepared, "test", truth_but_one, fit_forecast_baselines(prepared))
    assert plots.plot_error_by_step(evaluation).axes[0].get_ylabel() == r"RMSE (k\$W)"
    assert evaluation.units == "Errors are in k$W, the unit of load."
    write_interactive(examples, tmp_path / "page.html", title="t")
    assert "load (k$W)" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_every_column_of_a_reconstruction_is_drawn() -> None:
    axes = plots.plot_examples(examples_of(named("autoencoder")), title="t").axes
    assert [each.get_ylabel() for each in axes] == ["load"] * 3 + ["heat"] * 3
    assert [text.get_text() for text in axes[0].figure.legends[0].get_texts()] == [
        "model", "training mean", "PCA (2)", "actual",
    ]  # fmt: skip


def test_of_many_columns_the_title_says_how_many_are_drawn() -> None:
    examples = examples_of(named("autoencoder"), count=1)
    past, truth = np.tile(examples.past, 25), np.tile(examples.truth, 25)
    predictions = {name: np.tile(values, 25) for name, values in examples.predictions.items()}
    many = replace(
        examples, past=past, truth=truth, predictions=predictions, targets=[f"c{number}" for number in range(50)]
    )
    figure = plots.plot_examples(many, title="t")
    assert len(figure.axes) == 40
    assert figure.get_suptitle() == "t; the first 40 of 50 columns"


def test_losses_mark_the_kept_epoch(tmp_path: Path) -> None:
    figure = plots.plot_losses(fit_of((3.0, 2.0), (2.0, 1.0), (1.0, 1.5), best=2))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "validation", "kept: epoch 2"]  # type: ignore[union-attr]
    assert np.asarray(axes.lines[1].get_ydata()).tolist() == [2.0, 1.0, 1.5]
    assert axes.get_yscale() == "log"
    plots.save({"losses": figure}, tmp_path)
    assert_drawn(tmp_path / "losses.png")


@pytest.mark.parametrize(
    "fit",
    [replace(fit_of(), best_epoch=0), fit_of((1.0, 1.0)), fit_of((1.0, 0.0), (0.5, 0.0))],
    ids=["interrupted_in_the_first_epoch", "one_epoch", "a_loss_of_nought"],
)
def test_losses_are_drawn_for_any_history(fit: Fit, tmp_path: Path) -> None:
    plots.save({"losses": plots.plot_losses(fit)}, tmp_path)
    assert_drawn(tmp_path / "losses.png")


def test_a_zone_leaves_the_clock_of_the_data_on_the_axis() -> None:
    frame = hourly_frame(300)
    plain = prepare(parse_recipe(forecast_recipe(**SMALL)).data, frame)
    frame["time"] = frame["time"].dt.tz_localize("Etc/GMT+5")
    zoned = prepare(parse_recipe(forecast_recipe(**SMALL)).data, frame)
    got, expected = (plots.pick_examples(each, "test", {MODEL: truth_but_one}, count=2) for each in (zoned, plain))
    assert zoned.table.times is not None
    assert zoned.table.times[:].tz is not None
    assert got.labels == expected.labels
    assert got.labels[0].startswith("2024-01-")
    np.testing.assert_array_equal(got.ahead_x, expected.ahead_x)
