"""Intervals of trained forecasts: what they are calibrated on, the columns of an answer, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, BundleError, DataError, RecipeError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import load, train
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from seq2seq_kit.tasks.next_step.bundle import NextStepBundle
from seq2seq_kit.validation import resolve, validate
from tests.conftest import forecast_recipe, hourly_frame, next_step_recipe, train_unseen


def with_levels(*levels: float, **data: Any) -> dict[str, Any]:
    recipe = forecast_recipe(**data) | {"levels": list(levels)}
    recipe["training"] = recipe["training"] | {"epochs": 1}
    return recipe


def forecast_bundle(result: TrainResult) -> ForecastBundle:
    assert isinstance(result.bundle, ForecastBundle)
    return result.bundle


def test_a_recipe_with_levels_has_a_part_to_calibrate_on() -> None:
    recipe = resolve(with_levels(80, 95))
    assert recipe.data.split.calibration == 0.1  # type: ignore[attr-defined]
    assert recipe.intervals == "conformal"  # type: ignore[attr-defined]
    assert resolve(forecast_recipe()).data.split.calibration is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keys", "key", "said"),
    [
        ({"levels": [0, 80]}, "levels.0", "must be in (0, 100). Received: 0"),
        ({"levels": [80, 100]}, "levels.1", "must be in (0, 100). Received: 100"),
        ({"levels": [120]}, "levels.0", "Received: 120"),
        ({"levels": [80, 95, 80.0]}, "levels", "names 80 twice"),
        ({"levels": []}, "levels", "at least one"),
        ({"levels": 80}, "levels", "[80]"),
        ({"intervals": "conformal"}, "intervals", "needs `levels`"),
        ({"levels": [80], "intervals": "guess"}, "intervals", "Received: 'guess'"),
    ],
)
def test_wrong_levels_are_told_at_their_key(keys: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve(forecast_recipe() | keys)
    assert [problem.key for problem in caught.value.problems] == [key]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("split", "key"),
    [
        ({"train": 300, "val": 100, "test": 100}, "data.split.calibration"),
        ({"train": 300, "val": 100, "calibration": 0.2, "test": 100}, "data.split.calibration"),
        ({"val": 0.4, "calibration": 0.3, "test": 0.3}, "data.split"),
        ({"calibration": 100}, "data.split.calibration"),
        ({"val": 0.4, "test": 0.5}, "data.split"),
    ],
)
def test_a_split_that_leaves_nothing_to_calibrate_on_is_told(split: dict[str, Any], key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve(with_levels(80, split=split))
    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_calibration_part_too_small_for_a_level_is_told_before_the_training() -> None:
    """19 windows of 6 steps are 24 rows: with a row less there are 18."""
    split = {"train": 400, "val": 100, "calibration": 24, "test": 60}
    validate(with_levels(95, split=split), data=hourly_frame())
    for recipe in (with_levels(95, split=split | {"calibration": 23}), with_levels(99, split=split)):
        with pytest.raises(DataError) as caught:
            validate(recipe, data=hourly_frame())
        assert caught.value.code == "calibration_too_small"
    with pytest.raises(DataError, match=r"at least 19 .* these are 24 rows. Received: 18 windows"):
        validate(with_levels(95, split=split | {"calibration": 23}), data=hourly_frame())


@pytest.mark.slow
def test_the_calibration_part_changes_nothing_but_the_intervals(levels_run: TrainResult, tmp_path: Path) -> None:
    frame = hourly_frame(900)
    first, end = 675, 765  # of 900: 60 % train, 15 % val, 10 % calibration, 15 % test
    frame.loc[first : end - 1, ["load", "heat"]] = np.random.default_rng(5).uniform(50, 150, (end - first, 2))
    recipe = levels_run.recipe.model_dump(exclude_none=True)
    again = train_unseen(recipe, data=frame, tracking_uri=str(tmp_path / "mlruns"))
    for before, after in zip(levels_run.bundle.model.get_weights(), again.bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert levels_run.fit.best_epoch == again.fit.best_epoch
    (words, arrays), (other, others) = levels_run.bundle.state(), again.bundle.state()
    for key in ("scaler", "baselines", "naive"):
        assert words[key] == other[key]
    # What new rows are compared with, in time to come, is of these rows, too.
    changed = [key for key in arrays if not np.array_equal(arrays[key], others[key]) and not key.startswith("drift_")]
    assert {*changed} == {key for key in arrays if key.startswith("intervals_")}
    assert levels_run.val.metrics()["rmse"] == again.val.metrics()["rmse"]
    assert np.all(others["intervals_0"] > arrays["intervals_0"])


def test_the_intervals_of_a_run_hold_what_they_promise(levels_run: TrainResult) -> None:
    """Of noise that is the same throughout: coverage within the error of so few independent windows."""
    test = levels_run.test.metrics()
    assert test["coverage_80"] == pytest.approx(0.80, abs=0.12)
    assert test["coverage_95"] == pytest.approx(0.95, abs=0.06)
    for name in levels_run.test.names:
        assert {"coverage_80", "coverage_95", "wql", "crps"} <= {*levels_run.test.metrics(name)}
    assert {"undercovers", "overcovers"}.isdisjoint(finding.code for finding in levels_run.findings)


def test_predict_gives_columns_by_level_and_by_probability(levels_run: TrainResult) -> None:
    bundle, frame = forecast_bundle(levels_run), hourly_frame(200)
    answer = bundle.predict(frame)
    assert list(answer.columns) == ["time", "step", "load", "load_lo_80", "load_hi_80", "load_lo_95", "load_hi_95"]
    ordered = answer[["load_lo_95", "load_lo_80", "load", "load_hi_80", "load_hi_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) > 0).all()
    few = bundle.predict(frame, levels=[50], steps=2)
    assert list(few.columns[2:]) == ["load", "load_lo_50", "load_hi_50"]
    assert (few["load_lo_50"] > answer["load_lo_80"][:2]).all()
    quantiles = bundle.predict(frame, quantiles=True)
    assert list(quantiles.columns[2:]) == ["load", *(f"load_q{each}" for each in (0.025, 0.1, 0.5, 0.9, 0.975))]
    np.testing.assert_allclose(quantiles["load_q0.1"], answer["load_lo_80"])
    assert list(bundle.predict(frame, levels=()).columns) == ["time", "step", "load"]


def test_every_way_to_the_same_window_gives_the_same_intervals(levels_run: TrainResult) -> None:
    """The fast path of a single window, all windows, and what MLflow serves."""
    bundle, frame = forecast_bundle(levels_run), hourly_frame(200)
    newest = bundle.predict(frame)
    every = bundle.predict(frame, all_windows=True)
    pd.testing.assert_frame_equal(every.tail(6).reset_index(drop=True), newest, rtol=1e-4)
    pd.testing.assert_frame_equal(bundle.answer(frame), newest)
    ridge = bundle.predict(frame, baseline="ridge")
    assert list(ridge.columns) == list(newest.columns)
    assert not np.allclose(ridge["load_hi_80"] - ridge["load"], newest["load_hi_80"] - newest["load"])


@pytest.mark.slow
def test_intervals_end_with_the_steps_that_they_are_known_for(store: Path) -> None:
    recipe = with_levels(80, inputs=["load"])
    result = train_unseen(recipe, data=hourly_frame(500), tracking_uri=str(store))
    with pytest.warns(UserWarning, match="Intervals end with the steps"):
        answer = forecast_bundle(result).predict(hourly_frame(200), steps=8)
    assert answer["load_lo_80"].notna().tolist() == [True] * 6 + [False] * 2
    assert answer["load"].notna().all()


def test_ends_beyond_the_limits_are_cut(levels_run: TrainResult) -> None:
    bundle = forecast_bundle(levels_run)
    assert bundle.intervals is not None
    point = np.full((1, 6, 1), 1.0)
    low, high = bundle.intervals.around(MODEL, point, [""], (95.0,), ["load"]).band(95.0)
    assert (low == 0).all()
    assert (high > 1).all()


def test_levels_that_there_are_not_are_refused(levels_run: TrainResult, forecast_run: TrainResult) -> None:
    frame = hourly_frame(200)
    with pytest.raises(ArgumentError, match=r"have the levels .*80.*97.5") as caught:
        forecast_bundle(levels_run).predict(frame, levels=[97.5])
    assert caught.value.code == "unknown_level"
    with pytest.raises(ArgumentError, match="names one twice"):
        forecast_bundle(levels_run).predict(frame, levels=[80, 80.0])
    for asked in ({"levels": [80]}, {"quantiles": True}):
        with pytest.raises(ArgumentError, match="has no intervals") as caught:
            forecast_bundle(forecast_run).predict(frame, **asked)
        assert caught.value.code == "no_intervals"
    assert list(forecast_bundle(forecast_run).predict(frame).columns) == ["time", "step", "load"]


def test_a_stored_bundle_has_its_intervals(levels_run: TrainResult, tmp_path: Path) -> None:
    frame = hourly_frame(200)
    folder = levels_run.bundle.save(tmp_path / "bundle")
    pd.testing.assert_frame_equal(forecast_bundle(levels_run).predict(frame), load(folder).predict(frame))
    assert load(folder).evaluate(hourly_frame(300)).metrics()["wql"] > 0


def test_intervals_of_another_recipe_are_refused(levels_run: TrainResult, tmp_path: Path) -> None:
    bundle = forecast_bundle(levels_run)
    words, arrays = bundle.state()
    arrays["intervals_0"] = arrays["intervals_0"][:, :, :3]
    with pytest.raises(ValueError, match="the margins have the shape"):
        ForecastBundle.restore(bundle.recipe, bundle.model, words, arrays, bundle.info)
    folder = bundle.save(tmp_path / "bundle")
    state = json.loads((folder / "state.json").read_text())
    del state["intervals"]["scale"]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(BundleError):
        load(folder)


def test_the_run_holds_table_figure_and_metrics(levels_run: TrainResult) -> None:
    from seq2seq_kit.evaluation.windows import Evaluation

    assert "intervals" in levels_run.figures
    assert isinstance(levels_run.test, Evaluation)
    assert levels_run.test.intervals is not None
    table = levels_run.test.intervals.table()
    assert {"forecaster", "target", "series", "step", "level", "coverage", "width", "interval_score", "crps"} <= {
        *table.columns
    }
    overall = table[(table.forecaster == MODEL) & (table.target == "") & (table.level == 80)]
    assert overall.coverage.item() == levels_run.test.metrics()["coverage_80"]
    assert len(table[(table.forecaster == "ridge") & (table.step > 0) & (table.level == 95)]) == 6


@pytest.mark.slow
def test_next_step_models_have_conformal_intervals(store: Path) -> None:
    recipe = next_step_recipe(series="site") | {"levels": [80]}
    recipe["training"]["epochs"] = 1
    frame = hourly_frame(400, series=("a", "b"))
    result = train_unseen(recipe, data=frame, tracking_uri=str(store))
    answer = result.bundle.predict(frame)
    assert [name for name in map(str, answer) if "80" in name] == [
        "load_lo_80",
        "load_hi_80",
        "heat_lo_80",
        "heat_hi_80",
    ]
    assert (answer["load_lo_80"] < answer["load_hi_80"]).all()
    assert result.test.metrics()["coverage_80"] == pytest.approx(0.8, abs=0.15)
    bundle = result.bundle
    assert isinstance(bundle, NextStepBundle)
    paths = bundle.predict(frame, samples=9)
    assert list(paths.columns) == ["site", "time", "sample", "step", "load", "heat"]
    assert paths.groupby(["site", "time"])["sample"].nunique().eq(9).all()
    assert paths.groupby(["site", "step"])["load"].std().gt(0).all()
    later = hourly_frame(410, series=("a", "b"))
    moved = bundle.update(later.assign(load=900.0), forecasts=answer)
    assert moved.intervals is not None
    assert {*moved.intervals.used} == {"a", "b"}


@pytest.mark.slow
def test_baselines_alone_have_intervals(store: Path) -> None:
    result = train_unseen(
        forecast_recipe() | {"model": "none", "levels": [80]}, data=hourly_frame(500), tracking_uri=str(store)
    )
    answer = forecast_bundle(result).predict(hourly_frame(200))
    assert list(answer.columns) == ["time", "step", "load", "load_lo_80", "load_hi_80"]
    assert len(forecast_bundle(result).predict(hourly_frame(200), samples=4)) == 4 * len(answer)


def test_the_command_line_takes_levels_and_quantiles(
    levels_run: TrainResult, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hourly_frame(200).to_csv(tmp_path / "new.csv", index=False)
    call = ["predict", levels_run.run_id, "--data", str(tmp_path / "new.csv"), "--tracking-uri", str(store)]
    assert main([*call, "--levels", "95", "80"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "time,step,load,load_lo_95,load_hi_95,load_lo_80,load_hi_80"
    assert main([*call, "--quantiles", "--levels", "80"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "time,step,load,load_q0.1,load_q0.5,load_q0.9"
    assert main([*call, "--levels"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "time,step,load"
    assert main([*call, "--levels", "97"]) == 2
    assert "error[unknown_level]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"model": {"bridge": "attention"}}, "intervals"),
        ({"training": {"loss": "own"}}, "training.loss"),
        ({"data": {"transform": {"load": "diff"}}}, "data.transform.load"),
        ({"data": {"transform": {"load": ["log", "diff"]}}}, "data.transform.load"),
    ],
)
def test_quantiles_that_a_model_cannot_write_are_told(change: dict[str, dict[str, Any]], key: str) -> None:
    recipe = with_levels(80) | {"intervals": "quantile"}
    for section, keys in change.items():
        recipe[section] = recipe[section] | keys
    with pytest.raises(RecipeError) as caught:
        resolve(recipe)
    assert [problem.key for problem in caught.value.problems] == [key]
    assert "intervals: conformal" in str(caught.value)


@pytest.fixture(scope="session")
def cqr_run(store: Path) -> TrainResult:
    """A trained forecast that writes quantiles of two targets, moved by the calibration part."""
    recipe = forecast_recipe(targets=["load", "heat"]) | {"name": "small_cqr", "levels": [80], "intervals": "cqr"}
    recipe["model"] = recipe["model"] | {"normalise": "mean_std", "segment_steps": 2}
    return train(recipe, data=hourly_frame(900), tracking_uri=str(store))


@pytest.mark.slow
def test_quantiles_of_the_model_are_moved_by_the_calibration_part(cqr_run: TrainResult, tmp_path: Path) -> None:
    bundle, frame = forecast_bundle(cqr_run), hourly_frame(200)
    assert bundle.model.output_shape == (None, 6, 2, 9)
    assert cqr_run.test.metrics()["coverage_80"] == pytest.approx(0.8, abs=0.12)
    answer = bundle.predict(frame)
    assert list(answer.columns)[2:5] == ["load", "load_lo_80", "load_hi_80"]
    assert (answer["heat_lo_80"] < answer["heat_hi_80"]).all()
    below, above = answer["load"] - answer["load_lo_80"], answer["load_hi_80"] - answer["load"]
    assert not np.allclose(below, above)  # its own quantiles, which need not lie evenly
    assert bundle.intervals is not None
    assert bundle.intervals.offered(MODEL) == (20.0, 40.0, 60.0, 80.0)
    every = bundle.predict(frame, all_windows=True).tail(6).reset_index(drop=True)
    pd.testing.assert_frame_equal(every, answer, rtol=1e-3)
    pd.testing.assert_frame_equal(load(bundle.save(tmp_path / "bundle")).predict(frame), answer, rtol=1e-5)
    with pytest.warns(UserWarning, match="Intervals end"):
        longer = bundle.predict(frame, steps=8)
    np.testing.assert_allclose(longer[list(answer)[2:]][:6], answer[list(answer)[2:]], rtol=1e-3)
    assert longer["load_lo_80"].isna().tolist() == [False] * 6 + [True] * 2


@pytest.mark.slow
def test_quantiles_as_the_model_writes_them(store: Path) -> None:
    recipe = with_levels(80, inputs=["load"]) | {"intervals": "quantile"}
    result = train_unseen(recipe, data=hourly_frame(500), tracking_uri=str(store))
    bundle = forecast_bundle(result)
    assert bundle.intervals is not None
    assert not bundle.intervals.margins[MODEL].widths.any()
    assert bundle.intervals.margins["ridge"].widths.all()
    with pytest.raises(ArgumentError, match="pinball loss"):
        train_unseen(recipe, data=hourly_frame(500), metrics=["mae"], tracking_uri=str(store))


def test_update_widens_after_misses_and_narrows_after_hits(levels_run: TrainResult, tmp_path: Path) -> None:
    frame = hourly_frame(260)
    bundle = load(levels_run.bundle.save(tmp_path / "bundle"))
    assert isinstance(bundle, ForecastBundle)
    before = bundle.predict(frame[:200])
    widths = {level: before[f"load_hi_{level}"] - before[f"load_lo_{level}"] for level in (80, 95)}
    missed = bundle.update(frame[200:206].assign(load=900.0), rate=0.05)
    wider = missed.predict(frame[:200])
    for level in (80, 95):
        assert (wider[f"load_hi_{level}"] - wider[f"load_lo_{level}"] > widths[level]).all()
    np.testing.assert_array_equal(wider["load"], before["load"])
    hit = missed.update(frame[200:206].assign(load=before["load"].to_numpy()), rate=0.05)
    narrower = hit.predict(frame[:200])
    assert (narrower["load_hi_80"] < wider["load_hi_80"]).all()
    pd.testing.assert_frame_equal(load(hit.save(tmp_path / "hit")).predict(frame[:200]), narrower, rtol=1e-6)


def test_a_step_counts_once_and_only_if_it_was_forecast(levels_run: TrainResult, tmp_path: Path) -> None:
    frame = hourly_frame(260)
    bundle = load(levels_run.bundle.save(tmp_path / "bundle"))
    assert isinstance(bundle, ForecastBundle)
    for rows in (frame[200:206], frame[:100]):
        with pytest.raises(ArgumentError, match="none of these rows was forecast") as caught:
            bundle.update(rows)
        assert caught.value.code == "never_forecast"
    bundle.predict(frame[:200])
    some = bundle.update(frame[:203][["time", "load"]])
    assert some.intervals is not None
    moved = some.intervals.used[""] != np.array([80.0, 95.0])[:, None, None]
    assert moved[:, :3].all()
    assert not moved[:, 3:].any()
    with pytest.raises(ArgumentError, match="known already"):
        some.update(frame[:203])
    some.predict(frame[:203])
    later = some.update(frame[:209])  # what waits of both forecasts
    assert later.intervals is not None
    assert later.forecasts.told == "no forecast that waits for them"
    bundle.predict(frame[:210], baseline="ridge")  # not the model's
    with pytest.raises(ArgumentError, match="none of these rows"):
        some.update(frame[210:216])
    with pytest.raises(ArgumentError, match="rate"):
        some.update(frame, rate=0)


def test_a_model_without_intervals_is_not_updated(forecast_run: TrainResult) -> None:
    bundle = forecast_bundle(forecast_run)
    with pytest.raises(ArgumentError, match="has no intervals"):
        bundle.update(hourly_frame(200))
    with pytest.raises(ArgumentError, match="has no intervals"):
        bundle.with_updates()


def test_evaluate_with_updates_comes_nearer_to_what_is_promised(levels_run: TrainResult) -> None:
    """On rows three times as noisy as those of the calibration part."""
    frame = hourly_frame(900, seed=1)
    frame["load"] += np.random.default_rng(0).normal(scale=9, size=len(frame))
    bundle = forecast_bundle(levels_run)
    still, moved = (each.evaluate(frame).metrics() for each in (bundle, bundle.with_updates()))
    assert still["coverage_80"] < 0.6
    assert still["coverage_80"] + 0.05 < moved["coverage_80"]
    assert still["rmse"] == moved["rmse"]


def test_calibrate_gives_intervals_without_training(
    forecast_run: TrainResult, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = hourly_frame(1000)[520:]
    later.to_csv(tmp_path / "later.csv", index=False)
    call = ["calibrate", forecast_run.run_id, "--levels", "80", "95", "--tracking-uri", str(store)]
    assert main([*call, "--data", str(tmp_path / "later.csv"), "--out", str(tmp_path / "made")]) == 0
    assert "calibrated on 451 windows" in capsys.readouterr().out
    made, plain = load(tmp_path / "made"), forecast_bundle(forecast_run)
    answer = made.predict(hourly_frame(200))
    assert list(answer.columns)[2:] == ["load", "load_lo_80", "load_hi_80", "load_lo_95", "load_hi_95"]
    np.testing.assert_allclose(answer["load"], plain.predict(hourly_frame(200))["load"])
    assert main([*call, "--out", str(tmp_path / "other")]) == 2
    assert "error[no_calibration_rows]" in capsys.readouterr().err


def test_rows_that_were_trained_on_are_refused(forecast_run: TrainResult, next_step_run: TrainResult) -> None:
    import seq2seq_kit as kit

    for rows in (hourly_frame(), hourly_frame()[400:], hourly_frame(1000)):
        with pytest.raises(ArgumentError) as caught:
            kit.calibrate(forecast_run.bundle, levels=[80], data=rows)  # type: ignore[arg-type]
        assert caught.value.code == "trained_rows"
    bundle = forecast_bundle(forecast_run)
    for levels in ([0], [100], [80, 80], []):
        with pytest.raises(ArgumentError, match="levels are numbers") as caught:
            bundle.calibrate(hourly_frame(1000)[520:], levels=levels)
        assert caught.value.code == "invalid_argument"
    with pytest.raises(DataError, match="at least 19 calibration windows"):
        bundle.calibrate(hourly_frame(1000)[520:565], levels=[95])


@pytest.mark.slow
def test_calibrate_of_a_run_with_such_a_part_needs_no_rows(tmp_path: Path, store: Path) -> None:
    import seq2seq_kit as kit

    hourly_frame(500).to_csv(tmp_path / "rows.csv", index=False)
    recipe = with_levels(80, source=str(tmp_path / "rows.csv"))
    result = train_unseen(recipe, tracking_uri=str(store))
    again = kit.calibrate(result.run_id, levels=[80, 50], tracking_uri=str(store))
    assert again.intervals is not None
    assert again.intervals.levels == (80.0, 50.0)
    ours, theirs = again.intervals.margins[MODEL], forecast_bundle(result).intervals
    assert theirs is not None
    np.testing.assert_allclose(ours.widths, theirs.margins[MODEL].widths, rtol=1e-5)


def test_mlflow_serves_the_intervals(levels_run: TrainResult) -> None:
    import mlflow

    mlflow.set_tracking_uri(levels_run.tracking_uri)
    model = mlflow.pyfunc.load_model(f"runs:/{levels_run.run_id}/model")
    rows = hourly_frame(24)
    pd.testing.assert_frame_equal(model.predict(rows), forecast_bundle(levels_run).predict(rows), rtol=1e-4)


def test_forecasts_on_another_clock_are_refused(levels_run: TrainResult) -> None:
    bundle = levels_run.bundle
    assert isinstance(bundle, ForecastBundle)
    rows = hourly_frame(80)
    told = bundle.predict(rows)
    with pytest.raises(DataError) as caught:
        bundle.update(hourly_frame(90), forecasts=told.assign(time=told["time"].dt.tz_localize("UTC")))
    assert caught.value.code == "time_zone_differs"
    assert bundle.update(hourly_frame(90), forecasts=told).intervals is not None


def test_an_evaluation_says_which_rows_were_learned_from(levels_run: TrainResult) -> None:
    bundle, frame = levels_run.bundle, hourly_frame(900)
    assert isinstance(bundle, ForecastBundle)
    whole, later = bundle.evaluate(frame), bundle.evaluate(frame[660:])
    until = pd.Timestamp(next(iter(bundle.info["learned_until"].values())))
    first = frame["time"].iloc[24 : 24 + whole.windows]  # of the windows' targets
    assert whole.learned == int((first <= until).sum())
    assert f"{whole.learned:,} of them are of rows that the model has learned from" in whole.title
    assert (later.learned, "test windows" in later.title) == (0, True)
