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
from seq2seq_kit.evaluation.baselines import Predictor
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


def evaluated(prepared: Prepared, model: Predictor, part: str = "test") -> Evaluation:
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


def two_sizes(rows: int = 400) -> pd.DataFrame:
    """A small and a giant series of the same shape."""
    frame = hourly_frame(rows, series=("giant", "small"))
    frame.loc[frame["site"] == "giant", "load"] *= 1e4
    return frame


class OffBy:
    """The truth, off by a share of each series' own size."""

    def __init__(self, **shares: float) -> None:
        self.shares = shares

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        names = [prepared.table.series[code] for code in prepared.series_of(part, windows)]
        size = np.array([self.shares[name] * (1e4 if name == "giant" else 1) for name in names])
        truth: np.ndarray = prepared.truth(part, windows)
        return truth + size[:, None, None]


def test_a_giant_series_does_not_decide_the_skill_of_all() -> None:
    prepared = prepared_forecast(two_sizes(), series="site")
    good, bad = OffBy(giant=6.0, small=0.1), OffBy(giant=5.0, small=50.0)
    first, second = (evaluated(prepared, model) for model in (good, bad))
    assert first.overall().rmse > second.overall().rmse  # in raw units, which only the giant one decides
    assert first.error_of() < second.error_of()
    assert first.skill > 0 > second.skill
    naive = naive_error(prepared)[:, 0]
    assert first.error_of() == pytest.approx(np.mean([6e4 / naive[0], 0.1 / naive[1]]))
    assert first.metrics()["scaled_rmse"] == first.error_of()
    assert list(first.columns.values()) == ["MAE", "RMSE", "MASE", "R2", "scaled RMSE"]
    assert first.compared(first.best_baseline).startswith("scaled RMSE ")


def test_skill_does_not_change_with_the_units_of_a_series_or_target() -> None:
    frame = hourly_frame(400, series=("giant", "small"))
    same = evaluated(prepared_forecast(frame, series="site", targets=["load", "heat"]), Off(2.0, 0.5))
    wide = frame.assign(heat=frame["heat"] * 1e6)
    wide_one = evaluated(prepared_forecast(wide, series="site", targets=["load", "heat"]), Off(2.0, 0.5e6))
    for name in same.baselines[:2]:  # ridge sees scaled columns, whose rounding is another
        assert wide_one.skill_against(name) == pytest.approx(same.skill_against(name))


def test_one_series_and_one_target_are_judged_by_rmse() -> None:
    single = evaluated(prepared_forecast(), Off(2.0))
    assert single.compares == "RMSE"
    assert "scaled_rmse" not in single.metrics()
    assert single.error_of() == single.overall().rmse


def test_without_denominators_the_truth_s_own_spread_is_the_scale() -> None:
    prepared = prepared_forecast(two_sizes(), series="site")
    board = evaluate_part(prepared, "test", OffBy(giant=2.0, small=1.0), fit_forecast_baselines(prepared))
    truth, series = prepared.truth("test")[..., 0], prepared.series_of("test")
    own = [size / truth[series == code].std() for code, size in ((0, 2e4), (1, 1.0))]
    assert board.error_of() == pytest.approx(np.mean(own))


def test_a_series_without_a_denominator_blanks_no_other() -> None:
    frame = two_sizes()
    flat = np.flatnonzero(frame["site"] == "small")
    frame.loc[flat[:300], "load"] = 7.0
    board = evaluated(prepared_forecast(frame, series="site"), OffBy(giant=2.0, small=1.0))
    naive = naive_error(prepared_forecast(frame, series="site"))
    assert np.isnan(naive[1, 0])
    assert board.error_of() == pytest.approx(2e4 / naive[0, 0])


def test_a_baseline_that_is_exact_up_to_rounding_leaves_no_number() -> None:
    times = pd.date_range("2024-01-01", periods=1000, freq="h")
    frame = pd.DataFrame({"time": times, "load": 100 + 30 * np.sin(2 * np.pi * np.arange(1000) / 24), "heat": 0.0})
    board = evaluated(prepared_forecast(frame), Off(1.0))
    assert board.error_of(board.best_baseline) > 0
    assert board.exact(board.best_baseline)
    assert np.isnan(board.skill)
    assert board.said(board.best_baseline).endswith("which is exact up to rounding")
    assert not evaluated(prepared_forecast(), Off(1.0)).exact("ridge")
