"""Sample paths: their quantiles are those of the intervals, and their steps hang together as those of the calibration windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.intervals.paths import draw, templates_of
from seq2seq_kit.intervals.prediction import Prediction, probabilities_of
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import load
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from tests.conftest import forecast_recipe, hourly_frame

STEPS = 4


def predicted(windows: int) -> Prediction:
    """The quantiles of a normal distribution around 10, two units wide."""
    from scipy.stats import norm

    levels = (20.0, 40.0, 60.0, 80.0, 95.0)
    quantiles = 10 + 2 * norm.ppf(probabilities_of(levels))
    point = np.full((windows, STEPS, 1), 10.0)
    return Prediction(point, levels, np.broadcast_to(quantiles, (*point.shape, len(quantiles))))


def walks(windows: int) -> np.ndarray:
    """Neighbouring steps are alike: a correlation of 0.9."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=windows)]
    for _ in range(STEPS - 1):
        values.append(0.9 * values[-1] + np.sqrt(1 - 0.81) * rng.normal(size=windows))
    return 10 + 2 * np.stack(values, axis=1)[..., None]


def test_paths_have_the_quantiles_of_each_step_and_the_dependence_of_the_windows() -> None:
    truth = walks(1_000)
    templates = templates_of(truth, predicted(1_000))
    assert templates is not None
    drawn = draw(predicted(1), templates, 1_000, np.random.default_rng(1))[0, :, :, 0]
    for share, value in ((0.025, 6.08), (0.1, 7.437), (0.5, 10.0), (0.9, 12.563), (0.975, 13.92)):
        assert np.quantile(drawn, share, axis=0) == pytest.approx(np.full(STEPS, value), abs=0.05)
    assert np.corrcoef(drawn, rowvar=False)[0, 1] == pytest.approx(0.9, abs=0.03)
    # The sum of four steps is wider than that of four that know nothing of each other, 2 * 2 units.
    assert drawn.sum(axis=1).std() == pytest.approx(truth.sum(axis=(1, 2)).std(), rel=0.05)
    assert drawn.sum(axis=1).std() > 6.5


def test_tails_go_on_beyond_the_outermost_quantile() -> None:
    templates = templates_of(walks(1_000), predicted(1_000))
    assert templates is not None
    drawn = draw(predicted(1), templates, 1_000, np.random.default_rng(1))
    assert drawn.std() == pytest.approx(2.0, rel=0.02)  # cut at 95 % it would be 1.9


def test_many_equal_values_take_the_places_that_they_share() -> None:
    """Two of five days nothing is sold, and the lower ends are cut to 0."""
    rng = np.random.default_rng(0)
    truth = np.where(rng.random((500, STEPS, 1)) < 0.4, 0.0, rng.uniform(1, 20, (500, STEPS, 1)))
    levels = (20.0, 40.0, 60.0, 80.0)
    sold = np.quantile(truth, probabilities_of(levels))
    quantiles = np.broadcast_to(sold, (500, STEPS, 1, len(sold)))
    templates = templates_of(truth, Prediction(np.full((500, STEPS, 1), sold[4]), levels, quantiles))
    assert templates is not None
    assert np.quantile(templates, 0.1, axis=0) == pytest.approx(np.full((STEPS, 1), 0.1), abs=0.01)
    drawn = draw(Prediction(np.full((1, STEPS, 1), sold[4]), levels, quantiles[:1]), templates, 500, rng)
    assert (drawn <= 1e-9).mean() == pytest.approx(0.4, abs=0.06)


def test_windows_with_missing_values_make_no_template() -> None:
    truth = walks(10)
    truth[3:, 1] = np.nan
    templates = templates_of(truth, predicted(10))
    assert templates is not None
    assert templates.shape == (3, STEPS, 1)
    truth[1:, 1] = np.nan
    assert templates_of(truth, predicted(10)) is None


def test_no_two_paths_of_a_forecast_are_one_while_there_are_templates_enough() -> None:
    templates = templates_of(walks(50), predicted(50))
    assert templates is not None
    drawn = draw(predicted(2), templates, 50, np.random.default_rng(0))
    assert drawn.shape == (2, 50, STEPS, 1)
    assert len(np.unique(drawn[0, :, 0, 0])) == 50
    assert not np.array_equal(drawn[0], drawn[1])
    assert draw(predicted(2), templates, 70, np.random.default_rng(0)).shape == (2, 70, STEPS, 1)


def bundle_of(result: TrainResult) -> ForecastBundle:
    assert isinstance(result.bundle, ForecastBundle)
    return result.bundle


def test_predict_gives_paths_whose_quantiles_are_the_intervals(levels_run: TrainResult, tmp_path: Path) -> None:
    bundle, frame = bundle_of(levels_run), hourly_frame(200)
    assert bundle.intervals is not None
    assert bundle.intervals.templates is not None
    count = len(bundle.intervals.templates)
    answer = bundle.predict(frame, samples=count)
    assert list(answer.columns) == ["time", "sample", "step", "load"]
    steps = bundle.recipe.data.output_steps
    assert len(answer) == count * steps
    assert answer["sample"].tolist() == np.repeat(np.arange(1, count + 1), steps).tolist()
    wide = answer.pivot(index="sample", columns="step", values="load")
    banded = bundle.predict(frame)
    assert (
        (wide >= banded["load_lo_80"].to_numpy()) & (wide <= banded["load_hi_80"].to_numpy())
    ).mean().to_numpy() == (pytest.approx(np.full(steps, 0.8), abs=2 / count))
    pd.testing.assert_frame_equal(answer, bundle.predict(frame, samples=count))
    assert not answer.equals(bundle.predict(frame, samples=count, seed=1))
    again = load(bundle.save(tmp_path / "bundle"))
    assert isinstance(again, ForecastBundle)
    pd.testing.assert_frame_equal(again.predict(frame, samples=5), bundle.predict(frame, samples=5), rtol=1e-6)
    every = bundle.predict(frame, samples=2, all_windows=True)
    assert len(every) == 2 * len(bundle.predict(frame, all_windows=True))
    assert every.duplicated(["time", "step", "sample"]).sum() == 0


def test_paths_that_there_are_not_are_refused(levels_run: TrainResult, forecast_run: TrainResult) -> None:
    bundle, frame = bundle_of(levels_run), hourly_frame(200)
    for given, said in (
        ({"samples": 0}, "at least 1"),
        ({"samples": True}, "whole number"),
        ({"samples": 3, "seed": -1}, "seed must be a whole number of at least 0"),
        ({"samples": 3, "levels": [80]}, "Leave out samples"),
        ({"samples": 3, "quantiles": True}, "Leave out samples"),
        ({"samples": 3, "baseline": "ridge"}, "those of the model"),
        ({"samples": 3, "steps": 12}, "calibrated for. Received: 12 steps"),
    ):
        with pytest.raises(ArgumentError, match=said):
            bundle.predict(frame, **given)
    with pytest.raises(ArgumentError, match="has no intervals"):
        bundle_of(forecast_run).predict(frame, samples=3)


def test_templates_that_are_none_are_refused(levels_run: TrainResult, tmp_path: Path) -> None:
    from dataclasses import replace

    bundle = bundle_of(levels_run)
    assert bundle.intervals is not None
    strange = replace(bundle.intervals, templates=np.full((3, 2, 1), 0.5, np.float32))
    with pytest.raises(BundleError, match="templates of paths"):
        load(replace(bundle, intervals=strange).save(tmp_path / "strange"))
    older = replace(bundle, intervals=replace(bundle.intervals, templates=None))
    with pytest.raises(ArgumentError, match="Calibrate it again"):
        older.predict(hourly_frame(200), samples=3)


def test_the_command_line_writes_paths_and_follows_what_it_wrote(
    levels_run: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, frame = str(levels_run.bundle.save(tmp_path / "bundle")), hourly_frame(260)
    frame[:200].to_csv(tmp_path / "rows.csv", index=False)
    told = ["predict", bundle, "--data", str(tmp_path / "rows.csv"), "--out"]
    assert main([*told, str(tmp_path / "paths.csv"), "--samples", "7", "--seed", "3"]) == 0
    assert pd.read_csv(tmp_path / "paths.csv")["sample"].max() == 7
    assert main([*told, str(tmp_path / "forecast.csv")]) == 0
    frame[200:206].assign(load=900.0).to_csv(tmp_path / "later.csv", index=False)
    moved = ["update", bundle, "--forecasts", str(tmp_path / "forecast.csv"), "--data", str(tmp_path / "later.csv")]
    assert main([*moved, "--out", str(tmp_path / "moved")]) == 0
    assert "6 rows of forecasts read" in capsys.readouterr().out
    before, after = (load(each) for each in (bundle, str(tmp_path / "moved")))
    assert isinstance(before, ForecastBundle)
    assert isinstance(after, ForecastBundle)
    # As by the process that made the forecast.
    before.predict(frame[:200])
    same = before.update(frame[200:206].assign(load=900.0))
    pd.testing.assert_frame_equal(after.predict(frame[:200]), same.predict(frame[:200]), rtol=1e-6)
    assert main([*moved[:-1], str(tmp_path / "rows.csv"), "--out", str(tmp_path / "no")]) == 2
    assert "never_forecast" in capsys.readouterr().err


def test_forecasts_that_are_none_are_told(levels_run: TrainResult) -> None:
    bundle, frame = bundle_of(levels_run), hourly_frame(260)
    forecasts, actual = bundle.predict(frame[:200]), frame[200:206]
    for wrong, said in (
        (forecasts.drop(columns="load_lo_95"), "lack the columns load_lo_95"),
        (forecasts.assign(step=0), r"column step: expected a whole number from 1"),
        (forecasts.assign(time="soon"), "column time: expected a time"),
        (forecasts.assign(load_hi_80="much"), "column load_hi_80: expected a number"),
    ):
        with pytest.raises(Exception, match=said):
            bundle.update(actual, forecasts=wrong)


def test_steps_behind_those_with_intervals_count_for_nothing(levels_run: TrainResult) -> None:
    bundle, frame = bundle_of(levels_run), hourly_frame(260)
    plain = bundle.update(frame[200:206].assign(load=900.0), forecasts=bundle.predict(frame[:200]))
    forecast = bundle.predict(frame[:200])
    beyond = forecast.assign(step=forecast["step"] + 6, time=forecast["time"] + pd.Timedelta("6h"))
    ends = [name for name in beyond.columns if name.startswith(("load_lo_", "load_hi_"))]
    longer = pd.concat([forecast, beyond.assign(**dict.fromkeys(ends, np.nan))], ignore_index=True)
    moved = bundle.update(frame[200:206].assign(load=900.0), forecasts=longer)
    assert plain.intervals is not None
    assert moved.intervals is not None
    np.testing.assert_array_equal(moved.intervals.used[""], plain.intervals.used[""])


def test_older_forecasts_count_less_and_each_series_by_itself(levels_run: TrainResult) -> None:
    bundle, frame = bundle_of(levels_run), hourly_frame(260)
    two = pd.concat([bundle.predict(frame[:200]), bundle.predict(frame[:203])], ignore_index=True)
    moved = bundle.update(frame[200:206].assign(load=900.0), forecasts=two, rate=0.05)
    assert moved.intervals is not None
    used = moved.intervals.used[""][0, :, 0]
    late, newest = 100 * 0.05 * 0.8 / np.sqrt(2), 100 * 0.05 * 0.8
    np.testing.assert_allclose(used, 80 + late + np.array([newest] * 3 + [0.0] * 3))


def test_mlflow_serves_sample_paths_where_they_are_asked_for(levels_run: TrainResult, store: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{store / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"runs:/{levels_run.run_id}/model")
    rows, bundle = hourly_frame(100, seed=9), levels_run.bundle
    assert isinstance(bundle, ForecastBundle)
    pd.testing.assert_frame_equal(model.predict(rows), bundle.predict(rows), check_dtype=False)
    ways: list[dict[str, Any]] = [{"samples": 20}, {"samples": 20, "seed": 5}]
    for asked in ways:
        served = model.predict(rows, params=asked)
        assert len(served) == 20 * 6
        pd.testing.assert_frame_equal(served, bundle.predict(rows, **asked), check_dtype=False)
    pd.testing.assert_frame_equal(model.predict(rows, params={"seed": 5}), bundle.predict(rows), check_dtype=False)
    with pytest.raises(Exception, match="samples must be a whole number of at least 1"):
        model.predict(rows, params={"samples": -1})


def test_sample_paths_are_served_of_forecasts_with_intervals_only(
    levels_run: TrainResult, forecast_run: TrainResult
) -> None:
    served, bare = levels_run.bundle, forecast_run.bundle
    assert isinstance(served, ForecastBundle)
    assert isinstance(bare, ForecastBundle)
    assert served.served_params == {"samples": 0, "seed": 0}
    assert bare.served_params == {}
    with pytest.raises(ArgumentError) as caught:
        served.answer_to(hourly_frame(100), verb="detect", samples=3)
    assert caught.value.code == "not_supported"


def test_a_target_called_as_an_end_of_anothers_interval_is_refused_and_overwrites_nothing() -> None:
    found = predicted(2)
    found = Prediction(np.tile(found.point, 2), found.levels, np.tile(found.quantiles_of(np.arange(2)), (1, 1, 2, 1)))
    for name, levels, quantiles in (
        ("load_lo_60", [60.0], False),
        ("load_hi_95", [60, 95], False),
        ("load_q0.2", [60], True),
    ):
        with pytest.raises(ArgumentError, match=name) as caught:
            found.columns([name, "load"], levels, quantiles=quantiles)
        assert caught.value.code == "ambiguous_column"
        assert list(found.columns([name, "load"], (), quantiles=False)) == [name, "load"]
    assert len(found.columns(["load_lo_60", "load"], [80], quantiles=False)) == 6


def test_a_training_with_such_targets_is_refused_before_it_begins() -> None:
    from tests.untyped import open_job, parse_recipe

    frame = hourly_frame(400).rename(columns={"heat": "load_lo_80"})
    recipe = forecast_recipe(inputs=["load", "load_lo_80"], targets=["load", "load_lo_80"]) | {"levels": [80]}
    with pytest.raises(ArgumentError) as caught:
        open_job(parse_recipe(recipe), frame).check()
    assert caught.value.code == "ambiguous_column"
