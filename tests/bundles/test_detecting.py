"""Bundles that tell anomalies: the detector that a training fits, stores and restores, and events of new rows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import seq2seq_kit as kit
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.windows.prepare import Prepared, prepare
from seq2seq_kit.errors import ArgumentError, BundleError, DataError, RecipeError
from seq2seq_kit.recipe.detect_fields import Detect
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from tests.conftest import autoencode_recipe, hourly_frame, waves_frame
from tests.untyped import parse_recipe


def damaged(frame: pd.DataFrame, first: int = 200, rows: int = 12, column: str = "heat") -> pd.DataFrame:
    """The frame with a column that is stuck far off for some rows."""
    frame = frame.copy()
    frame.loc[first : first + rows - 1, column] = frame[column].mean() + 6 * frame[column].std()
    return frame


def windows_of(run: TrainResult) -> WindowBundle:
    assert isinstance(run.bundle, WindowBundle)
    return run.bundle


def prepared_by(bundle: WindowBundle, frame: pd.DataFrame) -> Prepared:
    return prepare(bundle.window_data, frame).with_scaler(bundle.scaler)


def test_an_autoencoder_names_when_and_which_column(autoencode_run: TrainResult) -> None:
    frame = damaged(hourly_frame(400, seed=9))
    found = autoencode_run.bundle.detect(frame)
    worst = found.events.iloc[0]
    assert worst.column_1 == "heat"
    assert worst.share_1 > 0.5
    assert worst.actual_1 == pytest.approx(frame.heat[205])
    assert worst.start <= frame.time[205] <= worst.end
    assert frame.time[199] <= worst.peak <= frame.time[212]
    assert len(found.scores) == 400
    assert found.scores.time.tolist() == frame.time.tolist()
    assert found.unreached == 0
    inside = found.scores[found.scores.event == 1]
    assert (inside.time.min(), inside.time.max()) == (worst.start, worst.end)
    assert found.scores.score.max() == worst.score == pytest.approx(worst.severity * found.detector.threshold)


def test_the_threshold_may_be_asked_for(autoencode_run: TrainResult) -> None:
    frame = damaged(hourly_frame(400, seed=9))
    bundle = autoencode_run.bundle
    few, many = bundle.detect(frame, alarms_per_week=0.1), bundle.detect(frame, alarms_per_week=3)
    assert few.detector.threshold > many.detector.threshold
    at = bundle.detect(frame, threshold=2.5)
    assert at.detector.threshold == 2.5
    assert (at.events.score > 2.5).all()
    with pytest.raises(ArgumentError, match="Leave one out"):
        bundle.detect(frame, threshold=2.5, alarms_per_week=1)


def later(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows a year behind those of the training, on the same days of the week."""
    return frame.assign(time=frame.time + pd.Timedelta(days=364))


@pytest.mark.parametrize("task", ["autoencode", "forecast", "next_step"])
def test_times_of_the_training_are_told_where_a_detector_is_calibrated(
    task: str, request: pytest.FixtureRequest
) -> None:
    """Of a part that was only validated on nothing is said: a run's own detector is of these rows."""
    bundle = request.getfixturevalue(f"{task}_run").bundle
    frame = hourly_frame(series=("a", "b")) if task == "next_step" else hourly_frame()
    with pytest.warns(UserWarning, match="times of rows that the model was trained on"):
        bundle.calibrate(frame)
    until = pd.Timestamp(next(iter(bundle.info["trained_until"].values())))
    bundle.calibrate(frame[frame.time > until])
    bundle.calibrate(later(frame))
    replace(bundle, info={key: each for key, each in bundle.info.items() if key != "trained_until"}).calibrate(frame)


def test_a_stored_detector_gives_the_same_events(autoencode_run: TrainResult, tmp_path: Path) -> None:
    frame = damaged(hourly_frame(400, seed=9))
    again = kit.load(autoencode_run.bundle.save(tmp_path / "bundle"))
    one, two = autoencode_run.bundle.detect(frame), again.detect(frame)
    pd.testing.assert_frame_equal(one.events, two.events)
    pd.testing.assert_frame_equal(one.scores, two.scores)


def test_a_bundle_from_before_detectors_says_what_to_do(autoencode_run: TrainResult, tmp_path: Path) -> None:
    bundle = replace(windows_of(autoencode_run), detector=None)
    assert "detector" not in json.loads((bundle.save(tmp_path / "old") / "state.json").read_text())
    old = kit.load(tmp_path / "old")
    with pytest.raises(ArgumentError, match="--calibrate") as error:
        old.detect(hourly_frame(200))
    assert error.value.code == "no_detector"
    found = old.calibrate(later(hourly_frame(400, seed=5))).detect(damaged(hourly_frame(400, seed=9)))
    assert found.events.iloc[0].column_1 == "heat"


def test_a_detector_of_other_columns_is_no_detector_of_this_bundle(autoencode_run: TrainResult, tmp_path: Path) -> None:
    bundle = windows_of(autoencode_run)
    strange = replace(bundle.require_detector(), columns=["load", "cold"])
    folder = replace(bundle, detector=strange).save(tmp_path / "strange")
    with pytest.raises(BundleError, match="cold") as error:
        kit.load(folder)
    assert error.value.code == "bundle_damaged"


def test_only_validation_rows_decide(autoencode_run: TrainResult) -> None:
    """Neither the scale of errors nor the threshold changes with the other parts."""
    bundle, frame = windows_of(autoencode_run), hourly_frame()
    fitted = [
        bundle.fit_detector(prepared_by(bundle, rows))[0].require_detector().to_json()
        for rows in (frame, damaged(frame, first=100), damaged(frame, first=570), damaged(frame, first=470))
    ]
    assert fitted[0] == fitted[1] == fitted[2] == bundle.require_detector().to_json()
    assert fitted[3] != fitted[0]


@pytest.mark.parametrize("by", ["baseline", "both"])
def test_the_linear_baseline_may_decide_too(by: str, autoencode_run: TrainResult) -> None:
    bundle = windows_of(autoencode_run)
    recipe = bundle.recipe.model_copy(update={"detect": Detect.model_validate({"by": by})})
    other = replace(bundle, recipe=recipe).calibrate(later(hourly_frame(400, seed=5)))
    frame = damaged(hourly_frame(400, seed=9))
    scores = other.detect(frame).scores
    assert not np.allclose(scores.heat_expected, bundle.detect(frame).scores.heat_expected)
    assert other.detect(frame).events.iloc[0].column_1 == "heat"
    alone = replace(other, baselines=[])
    with pytest.raises(ArgumentError, match=by) as error:
        alone.detect(frame)
    assert error.value.code == "no_linear_baseline"


def test_forecasts_tell_anomalies_by_their_errors(forecast_run: TrainResult) -> None:
    with pytest.raises(ArgumentError) as error:
        forecast_run.bundle.detect(hourly_frame(200))
    assert error.value.code == "no_detector"
    target = forecast_run.recipe.data.targets[0]  # type: ignore[attr-defined]
    bundle = forecast_run.bundle.calibrate(later(hourly_frame(600, seed=5)))
    frame = damaged(hourly_frame(400, seed=9), first=250, rows=3, column=target)
    found = bundle.detect(frame)
    assert found.unreached > 0
    assert found.unreached + len(found.scores) == 400
    assert frame.time[249] <= found.events.iloc[0].peak <= frame.time[260]


@pytest.mark.parametrize("missing", ["refuse", "interpolate", "ffill"])
def test_a_dead_sensor_does_not_end_the_alarms(missing: str, autoencode_run: TrainResult) -> None:
    bundle = windows_of(autoencode_run)
    data = bundle.window_data.model_copy(update={"missing": missing})
    bundle = replace(bundle, recipe=bundle.recipe.model_copy(update={"data": data}))
    whole = damaged(hourly_frame(400, seed=9), column="load")
    frame = whole.assign(heat=np.nan)
    found, usual = bundle.detect(frame), bundle.detect(whole)
    worst = found.events.iloc[0]
    assert worst.column_1 == "load"
    assert worst.share_1 == 1.0
    assert worst.start <= frame.time[205] <= worst.end
    assert found.scores.heat_score.isna().all()
    assert found.scores.load_score.notna().all()
    (finding,) = [each for each in found.findings if each.code == "column_without_values"]
    assert "heat gave no value in 400 of 400 rows, the newest among them" in str(finding)
    assert any("heat 400" in note for note in found.notes)
    # What the model reads in its place is near what was there: its scores of the other column are as before.
    calm = slice(240, 400)
    both = [np.abs(each.scores.load_score[calm]).median() for each in (found, usual)]
    assert both[0] < 1.5 * both[1]


def test_a_few_missing_cells_are_a_note_and_no_finding(autoencode_run: TrainResult) -> None:
    frame = hourly_frame(400, seed=9)
    frame.loc[[50, 51, 300], "heat"] = np.nan
    found = autoencode_run.bundle.detect(frame)
    assert found.scores.heat_score.isna().to_numpy().nonzero()[0].tolist() == [50, 51, 300]
    assert found.scores.score.notna().all()
    assert "column_without_values" not in {each.code for each in found.findings}
    assert any("heat 3" in note for note in found.notes)


def test_a_linear_baseline_watches_without_a_column(autoencode_run: TrainResult) -> None:
    bundle = windows_of(autoencode_run)
    recipe = bundle.recipe.model_copy(update={"detect": Detect.model_validate({"by": "baseline"})})
    bundle = replace(bundle, recipe=recipe).calibrate(later(hourly_frame(400, seed=5)))
    whole = damaged(hourly_frame(400, seed=9), column="load")
    found, usual = bundle.detect(whole.assign(heat=np.nan)), bundle.detect(whole)
    assert found.events.iloc[0].column_1 == "load"
    centred = replace(bundle, detector=bundle.detector).detect(whole.assign(heat=hourly_frame().heat.mean()))
    off, filled = (np.abs(each.scores.load_score - usual.scores.load_score).mean() for each in (found, centred))
    assert off < filled


def test_nothing_to_read_is_an_error_and_a_stretch_of_it_no_alarm(forecast_run: TrainResult) -> None:
    bundle = forecast_run.bundle.calibrate(later(hourly_frame(600, seed=5)))
    frame = hourly_frame(400, seed=9)
    with pytest.raises(DataError, match="no column that the model reads has any value") as error:
        bundle.detect(frame.assign(load=np.nan, heat=np.nan))
    assert error.value.code == "missing_cells"
    steps = windows_of(forecast_run).window_steps
    frame.loc[100 : 100 + 2 * steps, ["load", "heat"]] = np.nan
    found = bundle.detect(frame)
    gone = found.scores.time.between(frame.time[100], frame.time[100 + 2 * steps])
    assert found.scores.score[gone].isna().all()
    back = found.scores[found.scores.time == frame.time[101 + 2 * steps]]
    assert back.load_expected.isna().all()  # no window that reaches it has a value
    assert "load gave no value in" in " ".join(map(str, found.findings))
    dead = bundle.detect(frame.assign(heat=np.nan))
    assert dead.scores.load_score[~gone][:50].notna().all()


def test_a_sequence_without_a_column_is_scored_by_the_others(whole_run: TrainResult) -> None:
    frame = waves_frame(20, seed=3)
    frame.loc[frame.name == "w3", "y"] = np.nan
    found = whole_run.bundle.detect(frame)
    own = found.scores[found.scores["name"] == "w3"]
    assert own.y_score.isna().all()
    assert own.score.notna().all()
    assert "y gave no value in" in str(found.findings[0])
    assert found.findings[0].code == "column_without_values"


def test_next_steps_are_scored_for_every_series(next_step_run: TrainResult) -> None:
    bundle = next_step_run.bundle.calibrate(later(hourly_frame(400, seed=5, series=("a", "b"))))
    frame = hourly_frame(300, seed=9, series=("a", "b"))
    frame = damaged(frame, first=450, rows=3)
    found = bundle.detect(frame)
    worst = found.events.iloc[0]
    assert (worst.site, worst.column_1) == ("b", "heat")
    assert found.unreached == 2 * 24
    assert found.scores.groupby("site").size().tolist() == [276, 276]


def test_whole_sequences_have_events_inside_them(whole_run: TrainResult) -> None:
    frame = waves_frame(20, seed=3)
    row = int(frame.index[frame.name == "w7"][2])
    frame["x"] = frame.x + 40.0 * (frame.index == row)
    found = whole_run.bundle.detect(frame)
    worst = found.events.iloc[0]
    assert (worst["name"], worst.column_1) == ("w7", "x")
    assert found.detector.unit == "10,000 rows"
    assert len(found.scores) == len(frame)


def test_a_training_part_with_anomalies_is_told(autoencode_run: TrainResult) -> None:
    bundle, frame = windows_of(autoencode_run), hourly_frame()
    for first in range(10, 410, 40):
        frame = damaged(frame, first=first, rows=2)
    _, (finding,) = bundle.fit_detector(prepared_by(bundle, frame))
    assert finding.code == "training_part_contains_anomalies"
    assert "10 events in the training part, where 2." in str(finding)


def test_a_validation_part_without_values_leaves_the_model_without_a_detector(autoencode_run: TrainResult) -> None:
    bundle, frame = windows_of(autoencode_run), hourly_frame()
    frame.loc[430:508, ["load", "heat"]] = np.nan
    data = bundle.window_data.model_copy(update={"missing": "interpolate"})
    without, (finding,) = bundle.fit_detector(prepare(data, frame).with_scaler(bundle.scaler))
    assert finding.code == "detector_not_fitted"
    assert without is bundle


def test_a_clean_training_part_is_not_blamed(autoencode_run: TrainResult) -> None:
    assert "training_part_contains_anomalies" not in {finding.code for finding in autoencode_run.findings}


def test_rows_that_are_too_few_are_told(autoencode_run: TrainResult) -> None:
    with pytest.raises(DataError, match="window"):
        autoencode_run.bundle.detect(hourly_frame(10))
    with pytest.raises(DataError, match="heat"):
        autoencode_run.bundle.detect(hourly_frame(100).drop(columns="heat"))


def test_rates_that_the_validation_rows_do_not_tell_are_told(autoencode_run: TrainResult) -> None:
    frame, bundle = hourly_frame(400, seed=9), autoencode_run.bundle
    (note,) = bundle.detect(frame, alarms_per_week=1000).notes
    assert note.startswith("1000 alarms per week were asked for; the validation rows tell of ")
    assert "lowest threshold" in note
    (note,) = bundle.detect(frame, alarms_per_week=1e-9).notes
    assert "highest threshold" in note
    assert not bundle.detect(frame, alarms_per_week=0.5).notes


def test_rows_of_another_step_are_told_as_such(autoencode_run: TrainResult) -> None:
    frame = hourly_frame(400)
    daily = frame.assign(time=pd.date_range("2024-01-01", periods=400, freq="D"))
    with pytest.raises(
        DataError, match="Most rows are 1 day apart, and the recipe has every: 1h: give rows of that step"
    ):
        autoencode_run.bundle.detect(daily)
    with pytest.raises(DataError, match="Give more rows"):
        autoencode_run.bundle.detect(frame[:10])


def test_models_that_do_not_encode_say_so(forecast_run: TrainResult) -> None:
    for verb in ("latent_map", "neighbours"):
        with pytest.raises(ArgumentError, match=f"it can predict.*Received: {verb}") as error:
            getattr(forecast_run.bundle, verb)(hourly_frame(100))
        assert error.value.code == "not_supported"
    assert not hasattr(forecast_run.bundle, "nonsense")


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"threshold": "quantile", "alarms_per_week": 2}, "detect.alarms_per_week"),
        ({"quantile": 0.9}, "detect.quantile"),
        ({"threshold": "pot", "quantile": 0.99}, "detect.quantile"),
    ],
)
def test_two_measures_of_a_threshold_contradict_each_other(
    section: dict[str, object], key: str, autoencode_run: TrainResult, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe(autoencode_recipe() | {"detect": section})
    assert [(problem.code, problem.key) for problem in error.value.problems] == [("unused_key", key)]
    # A model that was trained by such a recipe works as before, and every recipe as it is resolved.
    bundle = windows_of(autoencode_run)
    old = replace(bundle, recipe=bundle.recipe.model_copy(update={"detect": Detect.model_validate(section)}))
    assert kit.load(old.save(tmp_path / "old")).recipe == old.recipe
    fine = Detect(threshold="quantile", quantile=0.9).model_dump()
    parse_recipe(autoencode_recipe() | {"detect": fine})


def test_other_tasks_say_that_they_cannot(tag_run: TrainResult) -> None:
    for verb in (tag_run.bundle.detect, tag_run.bundle.calibrate):
        with pytest.raises(ArgumentError) as error:
            verb(hourly_frame(10))
        assert error.value.code == "not_supported"


def test_mlflow_serves_events_where_they_are_asked_for(autoencode_run: TrainResult, store: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{store / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"runs:/{autoencode_run.run_id}/model")
    frame, bundle = damaged(hourly_frame(100, seed=9), first=50), autoencode_run.bundle
    pd.testing.assert_frame_equal(model.predict(frame), bundle.score(frame), check_dtype=False)
    pd.testing.assert_frame_equal(
        model.predict(frame, params={"verb": "detect"}), bundle.detect(frame).events, check_dtype=False
    )
    with pytest.raises(Exception, match="verb must be one of score, detect, encode, reconstruct"):
        model.predict(frame, params={"verb": "evaluate"})


@pytest.mark.parametrize(
    ("detect", "key", "said"),
    [
        ({"quantile": 1.0}, "detect.quantile", r"in \(0, 1\)"),
        ({"quantile": 0.0}, "detect.quantile", r"in \(0, 1\)"),
        ({"alarms_per_week": 0}, "detect.alarms_per_week", "above 0"),
        ({"exit": 1.5}, "detect.exit", "1"),
        ({"min_steps": 0}, "detect.min_steps", "1"),
        ({"columns": "median"}, "detect.columns", "mahalanobis"),
        ({"quantil": 0.9}, "detect.quantil", "did you mean detect.quantile"),
    ],
)
def test_a_wrong_section_is_told_by_its_key(detect: dict[str, object], key: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as error:
        parse_recipe(autoencode_recipe() | {"detect": detect})
    assert [problem.key for problem in error.value.problems] == [key]


def test_a_window_without_a_value_has_no_score_and_costs_no_other_row_its(autoencode_run: TrainResult) -> None:
    bundle, frame = windows_of(autoencode_run), hourly_frame(300, seed=9)
    frame.loc[100:149, ["load", "heat"]] = np.nan
    data = bundle.recipe.data.model_copy(update={"missing": "interpolate"})
    gappy = replace(bundle, recipe=bundle.recipe.model_copy(update={"data": data}))
    found = gappy.detect(frame)
    assert found.scores.score.isna().to_numpy().nonzero()[0].tolist() == list(range(100, 150))
    assert found.scores.event[100:150].isna().all()
    assert len(found.scores) == 300


def test_a_constant_column_raises_no_alarms_of_its_own() -> None:
    frame = hourly_frame(400).assign(heat=7.0)
    job = open_job(parse_recipe(autoencode_recipe()), frame)
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    assert isinstance(bundle, WindowBundle)
    found = bundle.detect(frame)
    assert np.isfinite(found.scores.score).all()
    assert len(found.events) < 10
    stuck = frame.assign(heat=frame.heat.mask(frame.index == 200, 9.0))
    assert bundle.detect(stuck).events.iloc[0].column_1 == "heat"


def test_rows_between_gaps_that_hold_no_window_are_counted(autoencode_run: TrainResult) -> None:
    frame = hourly_frame(200, seed=9).drop(index=[100, 120])
    found = autoencode_run.bundle.detect(frame)
    assert found.unreached == 19
    assert len(found.scores) == 198 - 19
    with pytest.raises(DataError, match="not one window fits") as error:
        autoencode_run.bundle.detect(frame.iloc[::2])
    assert error.value.code == "series_too_short"
