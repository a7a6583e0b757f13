"""`ensemble`: members that differ by their seed are trained apart and answer as one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.results import Silent, TrainResult
from seq2seq_kit.resuming import resume
from seq2seq_kit.runs import evaluate, load, train
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.fit import Epoch
from tests import conftest as small
from tests.conftest import forecast_recipe, hourly_frame
from tests.tasks.classify.conftest import texts_recipe, words_frame
from tests.untyped import parse_recipe

SEED = 5


def of_members(recipe: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Two members, trained bit by bit alike each time."""
    recipe["training"] |= {"epochs": 2, "deterministic": True}
    return recipe | {"seed": SEED, "ensemble": {"members": 2}} | more


def rough(**more: Any) -> dict[str, Any]:
    """Of a forecast whose training draws: dropout, shuffling."""
    recipe = forecast_recipe()
    recipe["model"] |= {"dropout": 0.2, "output_dropout": 0.2}
    return of_members(recipe, **more)


def members_of(result: TrainResult) -> list[Any]:
    from seq2seq_kit.models import ensemble

    return ensemble.members_of(result.bundle.model)


@pytest.fixture(scope="module")
def ensemble_run(store: Path) -> TrainResult:
    """Three members with intervals and a detector, their median."""
    recipe = rough(ensemble={"members": 3, "combine": "median"}, levels=[80], detect={})
    return train(recipe, data=hourly_frame(700), tracking_uri=str(store))


def test_a_forecast_is_the_median_of_its_members(ensemble_run: TrainResult) -> None:
    frame, bundle = hourly_frame(700, seed=1), ensemble_run.bundle
    alone = [bundle.alone(member).predict(frame)["load"] for member in members_of(ensemble_run)]
    assert len(alone) == 3
    assert np.ptp(alone, axis=0).min() > 0.01, "the members are one and the same"
    np.testing.assert_allclose(bundle.predict(frame)["load"], np.median(alone, axis=0), rtol=1e-5)


def test_intervals_are_those_of_the_residuals_of_the_ensemble(ensemble_run: TrainResult) -> None:
    bundle: Any = ensemble_run.bundle
    told = bundle.predict(hourly_frame(700))
    assert ((told["load_lo_80"] < told["load"]) & (told["load"] < told["load_hi_80"])).all()
    one = bundle.alone(members_of(ensemble_run)[0])
    assert one.intervals is None
    assert 0.6 < ensemble_run.test.metrics()["coverage_80"] < 0.97
    assert bundle.detect(hourly_frame(700)).detector == bundle.detector


def test_a_stored_ensemble_answers_as_before(ensemble_run: TrainResult, store: Path) -> None:
    frame, loaded = hourly_frame(700, seed=1), load(ensemble_run.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(loaded.predict(frame), ensemble_run.bundle.predict(frame))
    assert loaded.info["best_epochs"] == [fit.best_epoch for fit in ensemble_run.fit.members]
    assert repr(evaluate(loaded, data=hourly_frame(700))) == repr(ensemble_run.bundle.evaluate(hourly_frame(700)))


def test_the_run_shows_what_each_member_has(ensemble_run: TrainResult, store: Path) -> None:
    members = ensemble_run.members
    assert members is not None
    assert [each.seed for each in members.members] == [SEED, SEED + 1, SEED + 2]
    table = members.table().set_index("model")
    assert list(table.index) == ["member 1", "member 2", "member 3", "ensemble"]
    assert table.loc["ensemble", "test_rmse"] == ensemble_run.test.metrics()["rmse"]
    board: Any = ensemble_run.bundle.alone(members_of(ensemble_run)[1]).evaluate(hourly_frame(700))
    assert board.metrics()["rmse"] > 0
    client = open_tracking(str(store)).client
    logged = client.get_run(ensemble_run.run_id).data
    assert logged.metrics["members/member_2_val_rmse"] == table.loc["member 2", "val_rmse"]
    assert logged.params["ensemble.members"] == "3"
    for number, fit in enumerate(ensemble_run.fit.members, start=1):
        curve = client.get_metric_history(ensemble_run.run_id, f"epoch/member_{number}_val_loss")
        assert [each.value for each in curve] == [epoch.val_loss for epoch in fit.history]
    assert "epoch/val_loss" not in logged.metrics
    note = logged.tags["mlflow.note.content"]
    assert "3 members and their median" in note
    assert "ensemble (median)" in note


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "attention"])
def test_each_member_is_what_a_run_with_its_seed_trains(bridge: str, store: Path) -> None:
    recipe = rough()
    if bridge != "repeat":
        del recipe["model"]["output_dropout"]
        recipe["model"] |= {"bridge": bridge}
        recipe["training"] |= {"teacher_forcing": [1.0, 0.5]}
        recipe["data"] |= {"inputs": ["load"]}
    together = train(recipe, data=hourly_frame(), tracking_uri=str(store))
    for place, member in enumerate(members_of(together)):
        alone = train(recipe | {"seed": SEED + place, "ensemble": None}, data=hourly_frame(), tracking_uri=str(store))
        for own, other in zip(member.get_weights(), alone.bundle.model.get_weights(), strict=True):
            np.testing.assert_array_equal(own, other)
        assert alone.fit.best_epoch == together.fit.members[place].best_epoch
    frame = hourly_frame(seed=1)
    alone_too = [together.bundle.alone(member).predict(frame)["load"] for member in members_of(together)]
    np.testing.assert_allclose(together.bundle.predict(frame)["load"], np.mean(alone_too, axis=0), rtol=1e-5)


@pytest.mark.slow
def test_quantiles_do_not_cross(store: Path) -> None:
    recipe = rough(levels=[80], intervals="cqr")
    recipe["data"] |= {"transform": {"load": "log"}}
    result = train(recipe, data=hourly_frame(700), tracking_uri=str(store))
    told = result.bundle.predict(hourly_frame(700), quantiles=True).filter(like="load_q")
    assert told.shape[1] >= 3
    assert (np.diff(told.to_numpy(), axis=1) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data", "verb", "columns"),
    [
        (small.autoencode_recipe, hourly_frame, "reconstruct", ["load", "heat"]),
        (small.whole_recipe, small.waves_frame, "reconstruct", ["x", "y"]),
    ],
    ids=["windows", "whole"],
)
def test_reconstructions_are_the_mean(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame], verb: str, columns: list[str], store: Path
) -> None:
    result = train(of_members(recipe()), data=data(), tracking_uri=str(store))
    alone = [getattr(result.bundle.alone(each), verb)(data())[columns] for each in members_of(result)]
    told = getattr(result.bundle, verb)(data())[columns]
    np.testing.assert_allclose(told, np.mean(alone, axis=0), rtol=1e-4, atol=1e-4)
    with pytest.raises(ArgumentError) as refused:
        result.bundle.encode(data())
    assert refused.value.code == "ensemble_has_no_latent_space"
    assert load(result.run_id, tracking_uri=str(store)).score(data()).equals(result.bundle.score(data()))


def shares(bundle: Any, frame: pd.DataFrame) -> np.ndarray:
    """The probabilities of a tagger or classifier, of every label."""
    logits = bundle.forward(bundle.golden())
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data"),
    [(small.tag_values_recipe, small.levelled_frame), (texts_recipe, words_frame)],
    ids=["tag", "classify"],
)
def test_probabilities_are_the_mean(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame], store: Path
) -> None:
    result = train(of_members(recipe()), data=data(), tracking_uri=str(store))
    alone = [shares(result.bundle.alone(each), data()) for each in members_of(result)]
    together = shares(result.bundle, data())
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-4, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 1e-4
    assert result.members is not None
    assert load(result.run_id, tracking_uri=str(store)).predict(data()).equals(result.bundle.predict(data()))


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "state", "attention"])
def test_a_translation_is_written_by_all_members_together(bridge: str, store: Path) -> None:
    recipe = of_members(small.translate_recipe(bridge=bridge))
    result = train(recipe, data=small.reversed_words(), tracking_uri=str(store))
    sources: list[str] = ["abcd", "bad", "ca"]
    for bundle in (result.bundle, load(result.run_id, tracking_uri=str(store))):
        for beams in (1, 3):
            searching: Any = bundle.with_beams(beams) if bridge != "repeat" else bundle
            outputs, scores = searching.write(sources)
            for source, output, score in zip(sources, outputs, scores, strict=True):
                read = bundle.source_vocabulary.numbers(bundle.source_vocabulary.split(source))
                ended = [*output, 0][: bundle.output_steps]
                inputs = [np.array([read]), np.array([[0, *ended[:-1]]])][: len(bundle.model.inputs)]
                logits = [bundle.alone(each).forward(inputs)[0, : len(ended)] for each in members_of(result)]
                each = [np.exp(own) / np.exp(own).sum(axis=-1, keepdims=True) for own in logits]
                told = np.log(np.mean(each, axis=0)[np.arange(len(ended)), ended]).sum()
                if bridge != "repeat":
                    assert score == pytest.approx(told, abs=1e-4)
    assert result.members is not None


class Ends(Silent):
    """Ends a training in an epoch of a member, as Ctrl-C does or for good."""

    def __init__(self, member: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.member, self.error, self.epochs, self.codes = member, error, list[Epoch](), list[str]()

    def find(self, finding: Any) -> None:
        self.codes.append(finding.code)

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        done = {each.member for each in self.epochs if each.number == each.of}
        if len(done) == self.member - 1 and epoch == 2:
            raise self.error

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


class KilledError(Exception):
    """Stands for what ends a process."""


@pytest.mark.slow
def test_a_killed_training_trains_no_finished_member_again(store: Path) -> None:
    whole = train(rough(), data=hourly_frame(), tracking_uri=str(store))
    with pytest.raises(KilledError):
        train(rough(), data=hourly_frame(), tracking_uri=str(store), reporter=Ends(2, KilledError))
    run = open_tracking(str(store)).runs(1)["run"].iloc[0]
    watching = Ends(0)
    resumed = resume(run, data=hourly_frame(), tracking_uri=str(store), reporter=watching)
    assert [(epoch.member, epoch.number) for epoch in watching.epochs] == [(2, 2)]
    assert resumed.run_id == run
    for own, other in zip(resumed.bundle.model.get_weights(), whole.bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    curve = open_tracking(str(store)).client.get_metric_history(run, "epoch/member_1_val_loss")
    assert [each.step for each in curve] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("member", "kept"), [(1, 1), (2, 1), (3, 2)])
def test_an_interrupted_training_keeps_the_members_that_have_finished(member: int, kept: int, store: Path) -> None:
    recipe = rough(ensemble=3)
    reporter = Ends(member)
    stopped = train(recipe, data=hourly_frame(), tracking_uri=str(store), reporter=reporter)
    assert stopped.fit.ended == "interrupted"
    assert "ensemble_incomplete" in reporter.codes
    assert len(stopped.fit.members) == len(members_of(stopped)) == kept
    loaded = load(stopped.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(loaded.predict(hourly_frame()), stopped.bundle.predict(hourly_frame()))
    if member == 2:
        whole = resume(stopped.run_id, data=hourly_frame(), tracking_uri=str(store))
        assert len(members_of(whole)) == 3
        assert "ensemble_incomplete" not in [finding.code for finding in whole.findings]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (lambda: small.next_step_recipe(), "carries the states of one model"),
        (lambda: {"task": "echo", "data": {"sequence": [0.1, 0.2]}}, "repeats its only sequence"),
        (lambda: forecast_recipe() | {"model": "none"}, "nothing is trained"),
    ],
)
def test_a_kind_of_recipe_without_a_mean_is_refused(recipe: Callable[[], dict[str, Any]], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as refused:
        parse_recipe(recipe() | {"ensemble": 3})
    assert [(each.key, each.code) for each in refused.value.problems] == [("ensemble", "ensemble_not_supported")]


@pytest.mark.parametrize(
    "given", [0, 1, -3, 101, True, "four", 2.5, {"combine": "mean"}, {"members": 3, "combine": "max"}]
)
def test_a_wrong_number_of_members_is_refused(given: object) -> None:
    with pytest.raises(RecipeError, match=r"ensemble\.(members|combine)"):
        parse_recipe(forecast_recipe() | {"ensemble": given})


def test_the_short_form_is_the_mean_of_so_many() -> None:
    short, long = (parse_recipe(forecast_recipe() | {"ensemble": given}) for given in (4, {"members": 4}))
    assert short == long
    assert short.ensemble.combine == "mean"
    assert parse_recipe(forecast_recipe(), ["ensemble=4"]) == short
    assert parse_recipe(forecast_recipe() | {"ensemble": 4}, ["ensemble=null"]).ensemble is None


@pytest.mark.slow
def test_one_model_handed_over_has_no_members(tmp_path: Path) -> None:
    import keras

    def build(input_steps: int, output_steps: int, input_features: int, output_features: int) -> keras.Model:
        inputs = keras.Input((input_steps, input_features))
        outputs = keras.layers.Dense(output_steps * output_features)(keras.layers.LSTM(4)(inputs))
        return keras.Model(inputs, keras.layers.Reshape((output_steps, output_features))(outputs))

    recipe = rough()
    recipe["data"].pop("calendar")
    model = build(24, 6, 2, 1)
    for given in (model, lambda **sizes: model):
        with pytest.raises(ArgumentError) as refused:
            train(recipe, data=hourly_frame(), model=given, tracking_uri=str(tmp_path / "runs"))
        assert refused.value.code == "ensemble_of_one_model"
    result = train(recipe, data=hourly_frame(), model=build, tracking_uri=str(tmp_path / "runs"))
    assert len(members_of(result)) == 2
    assert replace(result.bundle, info={}).predict(hourly_frame())["load"].notna().all()
