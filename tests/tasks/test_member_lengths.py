"""`ensemble.input_steps`: members that read windows of several lengths."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError, RecipeError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import load, train
from seq2seq_kit.sweeps import sweep
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.ensembles import kept
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.fit import seed_everything
from seq2seq_kit.training.own import Own
from tests.conftest import forecast_recipe, hourly_frame, resume_unseen, train_unseen, unseen
from tests.tasks.test_ensembles import SEED, Ends, KilledError, rough, stored, trained
from tests.untyped import parse_recipe

LENGTHS = [12, 24, 18]


def several(**more: Any) -> dict[str, Any]:
    """Three members that read half a day, the whole day of a window, and 18 hours."""
    return rough(ensemble={"input_steps": LENGTHS, "combine": "median"}) | more


def alone(bundle: Any, place: int) -> Any:
    """A member by itself, which takes the windows of the whole."""
    from seq2seq_kit.models.ensemble import members_of, reading_as

    return bundle.alone(reading_as(members_of(bundle.model)[place], bundle.model))


@pytest.fixture(scope="module")
def run_of_lengths(store: Path) -> TrainResult:
    return train(several(levels=[80]), data=hourly_frame(700), tracking_uri=str(store))


def test_members_are_counted_and_read_what_the_list_says(run_of_lengths: TrainResult) -> None:
    from seq2seq_kit.models.ensemble import members_of

    bundle: Any = run_of_lengths.bundle
    assert [member.inputs[0].shape[1] for member in members_of(bundle.model)] == LENGTHS
    assert bundle.model.inputs[0].shape[1] == 24
    frame = hourly_frame(700, seed=1)
    own = [alone(bundle, place).predict(frame)["load"] for place in range(3)]
    assert np.ptp(own, axis=0).min() > 0.01, "the members are one and the same"
    np.testing.assert_allclose(bundle.predict(frame)["load"], np.median(own, axis=0), rtol=1e-5)


def test_what_lies_before_a_members_steps_does_not_change_it(run_of_lengths: TrainResult) -> None:
    bundle: Any = run_of_lengths.bundle
    frame = hourly_frame(700, seed=1)
    other = frame.copy()
    other.loc[700 - 24 : 700 - 13, "load"] += 50.0  # in the window, before the newest 12 rows
    for place, moved in enumerate([False, True, True]):
        same = alone(bundle, place).predict(frame)["load"].equals(alone(bundle, place).predict(other)["load"])
        assert same is not moved


def test_no_member_forecasts_from_filled_values_alone(run_of_lengths: TrainResult) -> None:
    frame = hourly_frame(700, seed=1)
    frame.loc[700 - 13 :, "load"] = np.nan  # more than the 12 newest rows, which one of the members reads
    trained_on: Any = run_of_lengths.bundle
    data = trained_on.recipe.data.model_copy(update={"missing": "ffill"})
    bundle = replace(trained_on, recipe=trained_on.recipe.model_copy(update={"data": data}))
    with pytest.raises(DataError, match=r"the newest 13 rows have no value in load.*A forecast reads 12 rows"):
        bundle.predict(frame)
    frame.loc[700 - 12, "load"] = 10.0
    assert np.isfinite(bundle.predict(frame)["load"]).all()


def test_the_run_tells_the_lengths(run_of_lengths: TrainResult, store: Path) -> None:
    from seq2seq_kit.reports.notes import member_rows

    members = run_of_lengths.members
    assert members is not None
    assert members.table()["input_steps"].tolist() == [*LENGTHS, pd.NA]
    rows = member_rows(members)
    assert rows[0][:4] == ["", "seed", "input steps", "epoch"]
    assert [row[2] for row in rows[1:]] == ["12", "24", "18", ""]
    assert len({len(row) for row in rows}) == 1
    loaded: Any = load(run_of_lengths.run_id, tracking_uri=str(store))
    frame = hourly_frame(700, seed=1)
    pd.testing.assert_frame_equal(loaded.predict(frame), run_of_lengths.bundle.predict(frame))


@pytest.mark.slow
def test_each_member_is_what_a_run_of_its_length_trains(tmp_path: Path) -> None:
    recipe = several()
    bundle, fitted = trained(recipe, hourly_frame(400))
    frame = hourly_frame(400, seed=1)
    for place, steps in enumerate(LENGTHS):
        single = recipe | {"seed": SEED + place, "ensemble": None, "data": recipe["data"] | {"input_steps": steps}}
        own, how = trained(single, hourly_frame(400))
        assert how.best_epoch == fitted.members[place].best_epoch
        theirs, ours = own.predict(frame), alone(bundle, place).predict(frame)
        np.testing.assert_allclose(ours["load"], theirs["load"], rtol=1e-5)
    np.testing.assert_allclose(
        stored(bundle, tmp_path).predict(frame)["load"], bundle.predict(frame)["load"], rtol=1e-6
    )


@pytest.mark.slow
def test_they_are_exported_whole(tmp_path: Path) -> None:
    bundle, _ = trained(several(), hourly_frame(300))
    bundle.export(tmp_path / "exported", frame=hourly_frame(300))  # which compares before it keeps
    opened: Any = load(tmp_path / "exported")
    frame = hourly_frame(300, seed=1)
    np.testing.assert_allclose(opened.predict(frame)["load"], bundle.predict(frame)["load"], rtol=1e-4)


@pytest.mark.slow
def test_processes_train_the_same_members(tmp_path: Path) -> None:
    frame, where = hourly_frame(400), str(tmp_path / "mlruns")
    one, both = (train_unseen(several(), data=frame, tracking_uri=where, workers=count) for count in (1, 2))
    np.testing.assert_allclose(
        one.bundle.predict(frame)["load"], both.bundle.predict(frame)["load"], rtol=1e-3, atol=1e-3
    )


@pytest.mark.slow
def test_a_last_fit_is_of_each_length(tmp_path: Path) -> None:
    recipe = several()
    recipe["training"] |= {"final": "all"}
    result = train_unseen(recipe, data=hourly_frame(400), tracking_uri=str(tmp_path / "mlruns"))
    assert result.last_fit is not None
    assert len(result.last_fit.members) == 3
    assert np.isfinite(result.bundle.predict(hourly_frame(400))["load"]).all()


@pytest.mark.slow
def test_the_winner_of_a_sweep_trains_every_length(tmp_path: Path) -> None:
    space = {"training.learning_rate": {"choice": [0.01, 0.02]}}
    recipe = several() | {"sweep": {"tuner": "random", "max_trials": 2, "space": space}}
    with unseen():
        found = sweep(recipe, data=hourly_frame(400), workers=1, tracking_uri=str(tmp_path / "runs"))
    winner: Any = found.winner
    assert [each.input_steps for each in winner.members.members] == LENGTHS
    best = recipe | {"training": recipe["training"] | {"learning_rate": found.best.values["training.learning_rate"]}}
    again, _ = trained({key: value for key, value in best.items() if key != "sweep"}, hourly_frame(400))
    frame = hourly_frame(400, seed=1)
    np.testing.assert_allclose(winner.bundle.predict(frame)["load"], again.predict(frame)["load"], rtol=1e-4)


@pytest.mark.slow
def test_what_is_left_of_an_interrupted_fit_reads_the_whole_window() -> None:
    job: Any = open_job(parse_recipe(several()), hourly_frame(300))
    seed_everything(SEED, deterministic=True)
    model = job.make()
    fitted = job.fit(model, [], stop_after=1)
    for count in (1, 2):
        left = kept(model, replace(fitted, ended="interrupted", members=fitted.members[:count]))
        assert left.inputs[0].shape[1] == 24
        given = [np.zeros((2, *tensor.shape[1:]), np.float32) for tensor in left.inputs]
        assert left(given).shape == (2, 6, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "more"),
    [
        ({"known_future": ["heat"], "static": ["place"], "categories": ["place"], "series": "place"}, {}),
        ({"missing": "mask"}, {}),
        ({"transform": {"load": ["log", "diff"]}}, {}),
        ({"transform": {"load": "log"}}, {"levels": [80], "intervals": "quantile"}),
    ],
    ids=["known_and_categories", "mask", "differences", "quantiles"],
)
def test_every_form_of_window_has_members_of_several_lengths(
    data: dict[str, Any], more: dict[str, Any], tmp_path: Path
) -> None:
    recipe = several(**more)
    recipe["data"] |= data
    frame = hourly_frame(500, series=("a", "b") if "series" in data else ("",))
    frame = frame.rename(columns={name: "place" for name in frame.columns if name not in ("time", "load", "heat")})
    if data.get("missing"):
        frame.loc[100:105, "load"] = np.nan
    bundle, _ = trained(recipe, frame)
    left = frame if "known_future" not in data else frame[frame["time"] < frame["time"].max() - pd.Timedelta("12h")]
    future = {} if "known_future" not in data else {"future": frame.drop(columns="load")}
    told = bundle.predict(left, **future)
    own = [alone(bundle, place).predict(left, **future)["load"] for place in range(3)]
    if not more:
        np.testing.assert_allclose(told["load"], np.median(own, axis=0), rtol=1e-4)
    pd.testing.assert_frame_equal(stored(bundle, tmp_path).predict(left, **future), told, rtol=1e-5)


@pytest.mark.slow
def test_a_first_member_alone_is_stored_and_started_from(tmp_path: Path) -> None:
    """Its layers lie in a member, where whoever looks at a stored model looks for them."""
    job: Any = open_job(parse_recipe(several()), hourly_frame(300))
    seed_everything(SEED, deterministic=True)
    model = job.make()
    fitted = job.fit(model, [], stop_after=1)
    left = kept(model, replace(fitted, ended="interrupted", members=fitted.members[:1]))
    bundle = job.bundle(left, {})
    again: Any = stored(bundle, tmp_path)
    frame = hourly_frame(300, seed=1)
    np.testing.assert_allclose(again.predict(frame)["load"], alone(bundle, 0).predict(frame)["load"], rtol=1e-5)


@pytest.mark.slow
def test_a_killed_training_goes_on_with_each_length(tmp_path: Path) -> None:
    whole, _ = trained(several(), hourly_frame(400))
    where = str(tmp_path / "runs")
    with pytest.raises(KilledError):
        train_unseen(several(), data=hourly_frame(400), tracking_uri=where, reporter=Ends(2, KilledError))
    run = open_tracking(where).runs(1)["run"].iloc[0]
    resumed = resume_unseen(run, data=hourly_frame(400), tracking_uri=where)
    for own, other in zip(resumed.bundle.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.slow
def test_a_programs_own_members_have_a_fixed_number_of_steps() -> None:
    import keras

    recipe = several()
    recipe["data"].pop("calendar")
    job: Any = open_job(parse_recipe(recipe), hourly_frame(300))

    def build(input_steps: int | None, output_steps: int, input_features: int) -> Any:
        inputs = keras.Input((input_steps, input_features))
        outputs = keras.layers.Dense(output_steps)(keras.layers.LSTM(4)(inputs))
        return keras.Model(inputs, keras.layers.Reshape((output_steps, 1))(outputs))

    assert job.bring(Own(build), None).make().inputs[0].shape[1] == 24
    with pytest.raises(ArgumentError, match="takes any number of them") as refused:
        job.bring(Own(lambda output_steps, input_features: build(None, output_steps, input_features)), None).make()
    assert refused.value.code == "model_shape"


def test_a_sweep_does_not_search_lengths() -> None:
    space = {"ensemble.input_steps": {"choice": [[12, 24], [24, 24]]}}
    recipe = forecast_recipe() | {"ensemble": {"input_steps": [12, 24]}, "sweep": {"max_trials": 2, "space": space}}
    with pytest.raises(RecipeError, match="each trial trains one model"):
        parse_recipe(recipe)


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        (
            {"ensemble": {"input_steps": [12, 18]}},
            r"the longest must be `data.input_steps`, 24. Received: 18",
            "conflicting_keys",
        ),
        ({"ensemble": {"input_steps": [12, 36]}}, "Received: 36", "conflicting_keys"),
        ({"ensemble": {"input_steps": [12, 24], "members": 3}}, "has 2 lengths", "conflicting_keys"),
        ({"ensemble": {"input_steps": [24]}}, "must hold at least 2 values", "invalid_value"),
        ({"ensemble": {"input_steps": [0, 24]}}, "ensemble.input_steps", "invalid_value"),
        (
            {"model.segment_steps": 6, "ensemble": {"input_steps": [13, 24]}},
            "multiples of 6.*Received: 13",
            "not_divisible",
        ),
        ({"model.bridge": "attention"}, "model.bridge: attention", "conflicting_keys"),
        (
            {"data.window_scaling": "standard", "model.normalise": "none"},
            "data.window_scaling: standard",
            "conflicting_keys",
        ),
        ({"data.short_series": "pad", "model.normalise": "none"}, "data.short_series: pad", "conflicting_keys"),
        ({"training.leave_out": 0.1}, "training.leave_out: 0.1", "conflicting_keys"),
        (
            {"sweep": {"max_trials": 2, "space": {"data.input_steps": {"choice": [24, 48]}}}},
            "sweep.space: data.input_steps",
            "conflicting_keys",
        ),
    ],
)
def test_lengths_that_cannot_be_are_refused(change: dict[str, Any], said: str, code: str) -> None:
    recipe = forecast_recipe() | {"ensemble": {"input_steps": [12, 24]}}
    for key, value in change.items():
        *section, name = key.split(".")
        if section:
            recipe[section[0]] = recipe[section[0]] | {name: value}
        else:
            recipe[name] = value
    with pytest.raises(RecipeError, match=said) as refused:
        parse_recipe(recipe)
    assert code in [each.code for each in refused.value.problems if each.key and each.key.startswith("ensemble")]


def test_other_tasks_have_no_lengths() -> None:
    from tests.conftest import autoencode_recipe

    with pytest.raises(RecipeError, match=r"ensemble.input_steps.*unknown key|unknown key.*input_steps"):
        parse_recipe(autoencode_recipe() | {"ensemble": {"input_steps": [12, 24]}})
