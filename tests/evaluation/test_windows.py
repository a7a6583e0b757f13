"""One table for the model and its baselines: the same windows, the right units, the hardest baseline."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.evaluation import (
    MODEL,
    Evaluation,
    evaluate_part,
    fit_forecast_baselines,
    naive_error,
)
from seq2seq_kit.evaluation import windows as report
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe

SCORES = ["mae", "rmse", "mase", "r2"]


class Off:
    """A model that is off by so much: 1 at the first step, 2 at the second, ..., times `by` for each target."""

    def __init__(self, *by: float) -> None:
        self.by = np.array(by)

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        truth = prepared.truth(part, windows)
        return truth + np.arange(1, truth.shape[1] + 1)[:, None] * self.by


def prepared_forecast(frame: pd.DataFrame | None = None, **data: Any) -> Prepared:
    small = {"input_steps": 6, "output_steps": 3, "calendar": []}
    return prepare(parse_recipe(forecast_recipe(**small | data)).data, hourly_frame(300) if frame is None else frame)


def evaluated(prepared: Prepared, model: Off, part: str = "test") -> Evaluation:
    return evaluate_part(prepared, part, model, fit_forecast_baselines(prepared), naive=naive_error(prepared))


@pytest.fixture(scope="module")
def single() -> Evaluation:
    return evaluated(prepared_forecast(), Off(1.0))


@pytest.fixture(scope="module")
def many() -> Evaluation:
    """Two targets of two series."""
    frame = hourly_frame(300, series=("north", "south"))
    return evaluated(prepared_forecast(frame, series="site", targets=["load", "heat"]), Off(2.0, 0.5))


def test_a_single_target_is_in_its_own_units(single: Evaluation) -> None:
    scores = single.overall()
    assert scores.mae == pytest.approx((1 + 2 + 3) / 3)
    assert scores.rmse == pytest.approx(np.sqrt((1 + 4 + 9) / 3))
    assert scores.mase == pytest.approx(2 / single.naive[0, 0])
    assert scores.cells == single.windows * 3


def test_several_targets_are_in_training_scales(many: Evaluation) -> None:
    scale = many.scale[0]  # one scaler serves both series
    assert many.overall().mae == pytest.approx(np.mean([2 * 2.0 / scale[0], 2 * 0.5 / scale[1]]))
    assert many.overall().rmse == pytest.approx(
        np.sqrt(14 / 3 * np.mean([(2.0 / scale[0]) ** 2, (0.5 / scale[1]) ** 2]))
    )
    np.testing.assert_allclose(many.scale[1], scale)


def test_the_scale_is_the_training_rows_standard_deviation(many: Evaluation) -> None:
    frame = hourly_frame(300, series=("north", "south"))
    train = frame.groupby("site", sort=False).head(210)
    np.testing.assert_allclose(many.scale[0], train[["load", "heat"]].std(ddof=0), rtol=1e-9)


def test_error_by_step_has_the_units_of_the_whole(single: Evaluation, many: Evaluation) -> None:
    np.testing.assert_allclose(single.by_step(MODEL), [1, 2, 3])
    unit = np.sqrt(np.mean([(2.0 / many.scale[0, 0]) ** 2, (0.5 / many.scale[0, 1]) ** 2]))
    np.testing.assert_allclose(many.by_step(MODEL), unit * np.array([1, 2, 3]))
    mean_square = np.mean(many.by_step("last value") ** 2)
    assert np.sqrt(mean_square) == pytest.approx(many.overall("last value").rmse)


def test_baselines_stand_beside_the_model_in_their_order(single: Evaluation) -> None:
    assert list(single.sums) == [MODEL, *single.baselines]
    assert [name.partition(" (")[0] for name in single.baselines] == ["last value", "seasonal naive", "ridge"]
    assert set(single.about) == set(single.baselines)
    assert all(single.about.values())


def test_skill_is_against_the_hardest_baseline_of_these_windows(single: Evaluation) -> None:
    errors = {name: single.overall(name).rmse for name in single.baselines}
    assert single.best_baseline == min(errors, key=lambda name: errors[name])
    assert len(set(errors.values())) == 3
    assert single.skill == pytest.approx(1 - single.overall().rmse / min(errors.values()))
    assert 0 < single.skill < 1


def test_a_perfect_model_has_a_skill_of_one_and_a_bad_one_below_nought() -> None:
    prepared = prepared_forecast()
    assert evaluated(prepared, Off(0.0)).skill == 1.0
    assert evaluated(prepared, Off(1000.0)).skill < -10


def test_skill_against_a_perfect_baseline_has_no_meaning() -> None:
    frame = hourly_frame(300)
    frame["load"] = np.tile(np.arange(24.0), 13)[:300]
    assert np.isnan(evaluated(prepared_forecast(frame), Off(1.0)).skill)


def test_the_table_holds_every_figure_once(many: Evaluation) -> None:
    table = many.table()
    keys = ["forecaster", "target", "series", "step"]
    assert list(table) == [*keys, *SCORES, "cells"]
    assert not table.duplicated(keys).any()
    # for each of four forecasters: all, and for each of two targets: itself, three steps, two series
    assert len(table) == 4 * (1 + 2 * (1 + 3 + 2))
    assert list(table["forecaster"].unique()) == list(many.sums)


def test_the_table_of_one_series_has_no_rows_by_series(single: Evaluation) -> None:
    table = single.table()
    assert len(table) == 4 * (1 + 1 + 3)
    assert set(table["series"]) == {""}


def test_rows_of_one_target_are_in_its_own_units(many: Evaluation) -> None:
    table = many.table().set_index(["forecaster", "target", "series", "step"])
    for target, by in (("load", 2.0), ("heat", 0.5)):
        assert table.loc[(MODEL, target, "", 0), "mae"] == pytest.approx(2 * by)
        for step in (1, 2, 3):
            assert table.loc[(MODEL, target, "", step), "rmse"] == pytest.approx(step * by)
        for series in ("north", "south"):
            assert table.loc[(MODEL, target, series, 0), "rmse"] == pytest.approx(np.sqrt(14 / 3) * by)
    overall = many.overall()
    row = table.reset_index().iloc[0]
    assert (row["forecaster"], row["target"], row["step"]) == (MODEL, "", 0)
    assert [row[name] for name in SCORES] == pytest.approx([getattr(overall, name) for name in SCORES])


def test_the_cells_of_the_parts_add_up(many: Evaluation) -> None:
    table = many.table()
    own = table[table["forecaster"] == "ridge"]
    total = own[(own["target"] == "")]["cells"].item()
    assert total == many.windows * 3 * 2
    assert own[own["step"] > 0]["cells"].sum() == total
    assert own[own["series"] != ""]["cells"].sum() == total


def test_each_series_has_its_own_figures() -> None:
    frame = hourly_frame(300, series=("north", "south"))

    def worse_in_the_south(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        return prepared.truth(part, windows) + (1.0 + prepared.series_of(part, windows)[:, None, None])

    prepared = prepared_forecast(frame, series="site")
    table = evaluate_part(prepared, "test", worse_in_the_south, fit_forecast_baselines(prepared)).table()
    own = table[(table["forecaster"] == MODEL) & (table["series"] != "")].set_index("series")
    assert own["mae"].to_dict() == pytest.approx({"north": 1.0, "south": 2.0})


def test_missing_truths_are_not_counted() -> None:
    frame = hourly_frame(300)
    frame.loc[260:270, "load"] = np.nan
    prepared = prepared_forecast(frame, missing="mask")
    evaluation = evaluated(prepared, Off(1.0))
    windows = prepared.windows["test"]
    truth = prepared.truth("test", np.arange(windows.count))
    assert evaluation.overall().cells == int((~np.isnan(truth)).sum()) < truth.size
    assert evaluation.overall().rmse > 0
    np.testing.assert_allclose(evaluation.by_step(MODEL), [1, 2, 3])


def test_the_distance_to_the_last_value_is_measured() -> None:
    prepared = prepared_forecast()

    def near_the_last_value(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        newest = prepared.windows[part].input_rows(windows)[:, -1]
        return np.repeat(prepared.table.values[newest][:, None, :1], 3, axis=1) + 0.25

    evaluation = evaluate_part(prepared, "test", near_the_last_value, fit_forecast_baselines(prepared))
    assert evaluation.from_last_value == pytest.approx(0.25)


def test_the_distance_to_the_last_value_is_on_the_scale_of_skill(many: Evaluation) -> None:
    frame = hourly_frame(300, series=("north", "south"))
    prepared = prepared_forecast(frame, series="site", targets=["load", "heat"])
    windows = np.arange(prepared.windows["test"].count)
    newest = prepared.table.values[prepared.windows["test"].input_rows()[:, -1]][:, None]
    distance = Off(2.0, 0.5)(prepared, "test", windows) - newest
    naive, series = naive_error(prepared), prepared.series_of("test")
    own = [np.sqrt(np.mean(distance[series == code] ** 2, axis=(0, 1))) / naive[code] for code in range(2)]
    assert many.from_last_value == pytest.approx(np.mean(own))


def test_an_autoencoder_has_neither_mase_nor_a_last_value() -> None:
    prepared = prepare(parse_recipe(autoencode_recipe(input_steps=6)).data, hourly_frame(300))
    evaluation = evaluate_part(prepared, "val", Off(1.0, 1.0), fit_autoencode_baselines(prepared, latent_dim=2))
    assert evaluation.from_last_value is None
    assert np.isnan(evaluation.overall().mase)
    assert (evaluation.part, evaluation.steps, evaluation.targets) == ("val", 6, ["load", "heat"])
    assert evaluation.baselines == ["training mean", "PCA (2)"]


def test_the_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch, many: Evaluation) -> None:
    monkeypatch.setattr(report, "_CHUNK", 7)
    frame = hourly_frame(300, series=("north", "south"))
    again = evaluated(prepared_forecast(frame, series="site", targets=["load", "heat"]), Off(2.0, 0.5))
    pd.testing.assert_frame_equal(again.table(), many.table(), rtol=1e-9)
    assert again.from_last_value == pytest.approx(many.from_last_value)
