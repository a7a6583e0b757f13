"""`ensemble`: members that differ by their seed are trained apart and answer as one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.explanation import explain
from seq2seq_kit.reporting import report
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.results import Silent, TrainResult
from seq2seq_kit.runs import evaluate, load, train
from seq2seq_kit.sweeps import sweep
from seq2seq_kit.sweeps.status import Silent as SilentSweep
from seq2seq_kit.tasks import open_job, read_bundle
from seq2seq_kit.tasks.ensembles import kept
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.fit import Epoch, Fit, seed_everything
from seq2seq_kit.training.own import Own
from tests import conftest as small
from tests.conftest import ROOT, forecast_recipe, hourly_frame, resume_unseen, train_unseen, unseen
from tests.tasks.classify.conftest import counted_frame, series_recipe, texts_recipe, words_frame
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


def members_of(bundle: Any) -> list[Any]:
    """The members of a trained ensemble, each as a bundle by itself."""
    from seq2seq_kit.models import ensemble

    return [bundle.alone(member) for member in ensemble.members_of(bundle.model)]


def trained(recipe: dict[str, Any], data: pd.DataFrame) -> tuple[Any, Fit]:
    """The bundle of a recipe and its fit, without a run around them."""
    parsed = parse_recipe(recipe)
    job: Any = open_job(parsed, data)
    seed_everything(parsed.seed, deterministic=True)
    model = job.make()
    fitted = job.fit(model, [])
    return job.detecting(job.bundle(kept(model, fitted), {}))[0], fitted


def stored(bundle: Any, folder: Path) -> Any:
    """A bundle from its files."""
    return read_bundle(bundle.save(folder / "bundle"))


@pytest.fixture(scope="module")
def ensemble_run(store: Path) -> TrainResult:
    """Three members with intervals and a detector, their median."""
    recipe = rough(ensemble={"members": 3, "combine": "median"}, levels=[80], detect={})
    return train(recipe, data=hourly_frame(700), tracking_uri=str(store))


def test_a_forecast_is_the_median_of_its_members(ensemble_run: TrainResult) -> None:
    frame, bundle = hourly_frame(700, seed=1), ensemble_run.bundle
    alone = [member.predict(frame)["load"] for member in members_of(bundle)]
    assert len(alone) == 3
    assert np.ptp(alone, axis=0).min() > 0.01, "the members are one and the same"
    np.testing.assert_allclose(bundle.predict(frame)["load"], np.median(alone, axis=0), rtol=1e-5)


def test_intervals_are_those_of_the_residuals_of_the_ensemble(ensemble_run: TrainResult) -> None:
    bundle: Any = ensemble_run.bundle
    told = bundle.predict(hourly_frame(700))
    assert ((told["load_lo_80"] < told["load"]) & (told["load"] < told["load_hi_80"])).all()
    assert 0.6 < ensemble_run.test.metrics()["coverage_80"] < 0.97
    assert bundle.detect(hourly_frame(700)).detector == bundle.detector


def test_a_stored_ensemble_answers_as_before(ensemble_run: TrainResult, store: Path) -> None:
    frame, loaded = hourly_frame(700, seed=1), load(ensemble_run.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(loaded.predict(frame), ensemble_run.bundle.predict(frame))
    assert loaded.info["best_epochs"] == [fit.best_epoch for fit in ensemble_run.fit.members]
    assert repr(evaluate(loaded, data=hourly_frame(700))) == repr(ensemble_run.bundle.evaluate(hourly_frame(700)))


def test_the_run_shows_what_each_member_has(ensemble_run: TrainResult, store: Path, tmp_path: Path) -> None:
    members = ensemble_run.members
    assert members is not None
    assert [each.seed for each in members.members] == [SEED, SEED + 1, SEED + 2]
    table = members.table().set_index("model")
    assert list(table.index) == ["member 1", "member 2", "member 3", "ensemble"]
    assert table.loc["ensemble", "test_rmse"] == ensemble_run.test.metrics()["rmse"]
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
    page = report(ensemble_run.run_id, out=tmp_path / "run.html", tracking_uri=str(store)).read_text(encoding="utf-8")
    assert "Members of the ensemble" in page
    assert all(text in page for text in ("member 3", "test rmse", figure(members.metrics()["member_2_test_rmse"])))


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "attention"])
def test_each_member_is_what_a_run_with_its_seed_trains(bridge: str, tmp_path: Path) -> None:
    recipe = rough()
    if bridge != "repeat":
        del recipe["model"]["output_dropout"]
        recipe["model"] |= {"bridge": bridge}
        recipe["training"] |= {"teacher_forcing": [1.0, 0.5]}
        recipe["data"] |= {"inputs": ["load"]}
    bundle, fitted = trained(recipe, hourly_frame(400))
    frame = hourly_frame(400, seed=1)
    for place, member in enumerate(members_of(bundle)):
        alone, own = trained(recipe | {"seed": SEED + place, "ensemble": None}, hourly_frame(400))
        assert (own.best_epoch, own.members) == (fitted.members[place].best_epoch, [])
        pd.testing.assert_frame_equal(member.predict(frame), alone.predict(frame))
    mean = np.mean([member.predict(frame)["load"] for member in members_of(bundle)], axis=0)
    for each in (bundle, stored(bundle, tmp_path)):
        np.testing.assert_allclose(each.predict(frame)["load"], mean, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("bridge", "combine"), [("repeat", "median"), ("state", "mean")])
def test_a_forecast_is_exported_whole(bridge: str, combine: str, tmp_path: Path) -> None:
    recipe = rough(ensemble={"members": 2, "combine": combine})
    if bridge != "repeat":
        del recipe["model"]["output_dropout"]
        recipe["model"] |= {"bridge": bridge}
        recipe["data"] |= {"inputs": ["load"]}
    bundle, _ = trained(recipe, hourly_frame(300))
    bundle.export(tmp_path / "exported", frame=hourly_frame(300))  # which compares before it keeps


@pytest.mark.slow
def test_quantiles_do_not_cross() -> None:
    recipe = rough(levels=[80], intervals="cqr")
    recipe["data"] |= {"transform": {"load": "log"}}
    told = trained(recipe, hourly_frame(700))[0].predict(hourly_frame(700), quantiles=True).filter(like="load_q")
    assert told.shape[1] >= 3
    assert (np.diff(told.to_numpy(), axis=1) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data", "columns"),
    [
        (small.autoencode_recipe, hourly_frame, ["load", "heat"]),
        (small.whole_recipe, small.waves_frame, ["x", "y"]),
    ],
    ids=["windows", "whole"],
)
def test_reconstructions_are_the_mean(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame], columns: list[str], tmp_path: Path
) -> None:
    bundle, _ = trained(of_members(recipe()), data())
    mean = np.mean([member.reconstruct(data())[columns] for member in members_of(bundle)], axis=0)
    np.testing.assert_allclose(bundle.reconstruct(data())[columns], mean, rtol=1e-4, atol=1e-4)
    for verb in ("encode", "latent_map"):
        with pytest.raises(ArgumentError) as refused:
            getattr(bundle, verb)(data())
        assert refused.value.code == "ensemble_has_no_latent_space"
    assert stored(bundle, tmp_path).score(data()).equals(bundle.score(data()))
    assert bundle.detect(data()).detector == bundle.detector


def shares(bundle: Any) -> np.ndarray:
    """The probabilities of all labels that a bundle gives for its golden input."""
    logits = bundle.forward(bundle.golden())
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data"),
    [(small.tag_values_recipe, small.levelled_frame), (texts_recipe, words_frame)],
    ids=["tag", "classify"],
)
def test_probabilities_are_the_mean(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame], tmp_path: Path
) -> None:
    bundle, _ = trained(of_members(recipe()), data())
    alone = [shares(member) for member in members_of(bundle)]
    assert np.ptp(alone, axis=0).max() > 1e-4
    np.testing.assert_allclose(shares(bundle), np.mean(alone, axis=0), rtol=1e-4, atol=1e-6)
    assert stored(bundle, tmp_path).predict(data()).equals(bundle.predict(data()))


@pytest.mark.slow
def test_a_number_of_a_sequence_is_the_mean(tmp_path: Path) -> None:
    recipe = series_recipe()
    bundle, _ = trained(of_members(recipe), counted_frame())
    alone = [member.predict(counted_frame())[recipe["data"]["target"]] for member in members_of(bundle)]
    told = bundle.predict(counted_frame())[recipe["data"]["target"]]
    np.testing.assert_allclose(told, np.mean(alone, axis=0), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "state", "attention"])
def test_a_translation_is_written_by_all_members_together(bridge: str, tmp_path: Path) -> None:
    bundle, _ = trained(of_members(small.translate_recipe(bridge=bridge)), small.reversed_words())
    sources, members = ["abcd", "bad", "ca"], members_of(bundle)
    for each in (bundle, stored(bundle, tmp_path)):
        for beams in (1,) if bridge == "repeat" else (1, 3):
            outputs, scores = each.write(sources, beams=beams)
            for source, output, score in zip(sources, outputs, scores, strict=True):
                tokens = [*output, 0][: bundle.output_steps]
                padded = [*tokens, *[0] * (bundle.output_steps - len(tokens))] if bridge == "repeat" else tokens
                read = np.array([bundle.source_vocabulary.numbers(bundle.source_vocabulary.split(source))])
                given = [read, np.array([[0, *padded[:-1]]])][: len(bundle.model.inputs)]
                logits = [member.forward(given)[0, : len(padded)].astype(np.float64) for member in members]
                chances = [np.exp(own) / np.exp(own).sum(axis=-1, keepdims=True) for own in logits]
                told = np.mean(chances, axis=0)[np.arange(len(padded)), padded]
                assert np.ptp(chances, axis=0).max() > 1e-4
                if bridge != "repeat":
                    assert score == pytest.approx(np.log(told).sum(), abs=1e-4)
                elif beams == 1:
                    assert (np.mean(chances, axis=0).argmax(axis=-1)[: len(tokens)] == tokens).all()


class Ends(Silent):
    """Ends a training in an epoch of a member, as Ctrl-C does or for good."""

    def __init__(self, member: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.member, self.error, self.epochs = member, error, list[Epoch]()

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
    whole, _ = trained(rough(), hourly_frame(400))
    with pytest.raises(KilledError):
        train_unseen(rough(), data=hourly_frame(400), tracking_uri=str(store), reporter=Ends(2, KilledError))
    run = open_tracking(str(store)).runs(1)["run"].iloc[0]
    watching = Ends(0)
    resumed = resume_unseen(run, data=hourly_frame(400), tracking_uri=str(store), reporter=watching)
    assert [(epoch.member, epoch.number) for epoch in watching.epochs] == [(2, 2)]
    assert resumed.run_id == run
    for own, other in zip(resumed.bundle.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    curve = open_tracking(str(store)).client.get_metric_history(run, "epoch/member_1_val_loss")
    assert [each.step for each in curve] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("member", "left"), [(1, 1), (2, 1), (3, 2)])
def test_an_interrupted_fit_keeps_the_members_that_have_finished(member: int, left: int) -> None:
    recipe = parse_recipe(rough(ensemble=3))
    job: Any = open_job(recipe, hourly_frame(400))
    model = job.make()
    fitted = job.fit(model, [Ends(member)])
    assert (fitted.ended, len(fitted.members)) == ("interrupted", left)
    assert [each.ended for each in fitted.members] == (["interrupted"] if member == 1 else ["epochs"] * left)
    bundle = job.bundle(kept(model, fitted), {})
    assert len(members_of(bundle)) == left
    (finding,) = [each for each in job.examine(fitted, *[job.report(bundle, "val")] * 2) if "incomplete" in each.code]
    assert f"of 3 members the model holds {'the first one alone' if member == 1 else left}" in finding.text


@pytest.mark.slow
def test_an_interrupted_training_is_resumed_to_all_members(store: Path) -> None:
    stopped = train_unseen(rough(ensemble=3), data=hourly_frame(400), tracking_uri=str(store), reporter=Ends(3))
    assert [each.code for each in stopped.findings].count("ensemble_incomplete") == 1
    loaded: Any = load(stopped.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(loaded.predict(hourly_frame()), stopped.bundle.predict(hourly_frame()))
    whole = resume_unseen(stopped.run_id, data=hourly_frame(400), tracking_uri=str(store))
    assert len(members_of(whole.bundle)) == 3
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


def small_model(input_steps: int, output_steps: int, input_features: int, output_features: int) -> Any:
    """A program's own model."""
    import keras

    inputs = keras.Input((input_steps, input_features))
    outputs = keras.layers.Dense(output_steps * output_features)(keras.layers.LSTM(4)(inputs))
    return keras.Model(inputs, keras.layers.Reshape((output_steps, output_features))(outputs))


@pytest.mark.slow
def test_one_model_handed_over_has_no_members() -> None:
    recipe = rough()
    recipe["data"].pop("calendar")
    job: Any = open_job(parse_recipe(recipe), hourly_frame())
    model = small_model(24, 6, 2, 1)
    for given in (model, lambda **sizes: model):
        with pytest.raises(ArgumentError) as refused:
            job.bring(Own(given), None).make()
        assert refused.value.code == "ensemble_of_one_model"
    assert job.bring(Own(small_model), None).make().count_params() == 2 * model.count_params()


@pytest.mark.slow
def test_an_ensemble_starts_from_an_ensemble_member_by_member() -> None:
    frame = hourly_frame(400)
    start, _ = trained(rough(), frame)
    recipe = rough()
    recipe["training"] |= {"start_from": "somewhere"}
    job: Any = open_job(parse_recipe(recipe), frame)
    begun = job.bring(Own(), start).make()
    np.testing.assert_array_equal(begun.get_weights()[-1], start.model.get_weights()[-1])
    for other in (3, None):
        differs: Any = open_job(parse_recipe(recipe | {"ensemble": other}), frame)
        with pytest.raises(ArgumentError) as refused:
            differs.bring(Own(), start).make()
        assert refused.value.code == "start_differs"
    one = start.alone(members_of(start)[0].model)
    for member in members_of(start.alone(job.bring(Own(), one).make())):
        np.testing.assert_array_equal(member.model.get_weights()[0], one.model.get_weights()[0])


@pytest.mark.slow
def test_explain_tells_what_an_ensemble_costs(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from seq2seq_kit.cli.progress import print_explanation

    print_explanation(Console(width=200), explain(rough(), data=hourly_frame(300)))
    assert "an ensemble trains 2 of these" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"folds": 2}, {"refit": True}], ids=["first", "folds", "refit"])
def test_the_winner_of_a_sweep_is_an_ensemble(more: dict[str, Any], tmp_path: Path) -> None:
    class Says(SilentSweep):
        said: ClassVar[list[str]] = []

        def say(self, text: str) -> None:
            self.said.append(text)

    space = {"training.learning_rate": {"choice": [0.01, 0.02]}}
    recipe = rough() | {"sweep": {"tuner": "random", "max_trials": 2, "space": space} | more}
    with unseen():
        found = sweep(recipe, data=hourly_frame(400), workers=1, tracking_uri=str(tmp_path / "runs"), reporter=Says())
    assert any("each trial trains one model" in said for said in Says.said)
    winner: Any = found.winner
    members = members_of(winner.bundle)
    assert len(members) == len(winner.fit.members) == 2
    trial: Any = load(found.best.run_id, tracking_uri=str(tmp_path / "runs"))
    assert len(members_of(trial)) == 1
    same = trial.predict(hourly_frame())["load"].equals(members[0].predict(hourly_frame())["load"])
    assert same == (not more), "the first member is the model that won, unless it was trained on other rows"
    assert list(winner.members.figures) == (["test"] if more.get("refit") else ["val", "test"])
    if not more:
        assert found.best.score == pytest.approx(min(each.val_loss for each in winner.fit.members[0].history))


def test_a_tensor_within_a_member_is_counted_when_a_bundle_is_read() -> None:
    """Few bytes name any size, also inside of a model within the model."""
    import keras

    from seq2seq_kit.bundles.bounds import MULTIPLE, SPARE_BYTES, refuse_oversized_model

    inputs = keras.Input((4,))
    wide = keras.layers.RepeatVector((MULTIPLE + SPARE_BYTES) // 16 + 1, name="wide")(inputs)
    member = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(wide), name="member_1")
    with pytest.raises(ValueError, match="the layer 'wide' makes"):
        refuse_oversized_model(keras.Model(inputs, member(inputs)), 1)


@pytest.mark.slow
def test_the_layer_is_known_to_keras_once_the_models_are_imported() -> None:
    code = "import keras, seq2seq_kit.models; assert 'seq2seq_kit>CombineMembers' in keras.saving.get_custom_objects()"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
