"""`training.final: all`: the weights are of all rows, the figures of the model that was judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import calibrate
from seq2seq_kit.errors import ArgumentError, RecipeError, TrainingError
from seq2seq_kit.reports.notes import describe_run
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import evaluate, load
from seq2seq_kit.tasks import last_fit, open_job
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.callbacks import replay_rates
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe, waves_frame, whole_recipe
from tests.conftest import train_unseen as train
from tests.tasks.classify.conftest import texts_recipe, words_frame
from tests.untyped import parse_recipe


def _recipe(**training: Any) -> dict[str, Any]:
    recipe = forecast_recipe(split={"val_steps": 60, "test_steps": 40, "calibration_steps": 60}) | {"levels": [80]}
    recipe["model"] = {"encoder_units": [4], "decoder_units": [4]}
    return recipe | {"training": recipe["training"] | {"epochs": 2, "deterministic": True} | training}


def _frame(rows: int = 420) -> pd.DataFrame:
    return hourly_frame(rows)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, TrainResult]:
    """A run as it is, and the same with a last fit."""
    store = str(tmp_path_factory.mktemp("last") / "runs")
    found = [train(_recipe(**more), data=_frame(), tracking_uri=store) for more in ({}, {"final": "all"})]
    return found[0], found[1]


@pytest.mark.slow
def test_the_figures_are_those_of_the_model_that_was_judged(runs: tuple[TrainResult, TrainResult]) -> None:
    plain, final = runs
    pd.testing.assert_frame_equal(final.test.table(), plain.test.table())
    pd.testing.assert_frame_equal(final.val.table(), plain.val.table())
    assert final.fit.history[-1].val_loss == plain.fit.history[-1].val_loss
    kept = final.bundle.intervals.dump()[1]  # type: ignore[attr-defined]
    for name, margins in plain.bundle.intervals.dump()[1].items():  # type: ignore[attr-defined]
        np.testing.assert_array_equal(kept[name], margins)


@pytest.mark.slow
def test_the_weights_are_those_of_a_fit_on_all_rows(runs: tuple[TrainResult, TrainResult]) -> None:
    plain, final = runs
    assert final.last_fit is not None
    assert (len(final.last_fit.history), final.last_fit.best_epoch) == (plain.fit.best_epoch, plain.fit.best_epoch)
    weights = [np.asarray(weight) for weight in final.bundle.model.weights]
    assert not all(
        np.array_equal(mine, np.asarray(theirs))
        for mine, theirs in zip(weights, plain.bundle.model.weights, strict=True)
    )
    # The same by hand, from the parts of the kit.
    from seq2seq_kit.training.fit import seed_everything

    job = open_job(final.recipe, _frame()).on_all_rows()
    seed_everything(job.recipe.seed, deterministic=True)
    model = job.make()
    job.fit(model, [], stop_after=plain.fit.best_epoch)
    job.settle(model, plain.fit)
    for mine, theirs in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, np.asarray(theirs))


@pytest.mark.slow
def test_bundle_note_and_tags_say_so(runs: tuple[TrainResult, TrainResult], tmp_path: Path) -> None:
    plain, final = runs
    epochs = plain.fit.best_epoch
    assert "last_fit" not in plain.bundle.info
    assert "Last fit" not in describe_run(plain)
    assert final.bundle.info["last_fit"] == {"rows": "all", "epochs": epochs}
    assert f"Last fit: {epochs} epoch" in describe_run(final)
    assert "last_fit" in [finding.code for finding in final.findings]
    assert "after it was judged" in final.bundle._repr_html_()
    tags = open_tracking(final.tracking_uri).client.get_run(final.run_id).data.tags
    assert tags["last_fit"] == f"all rows, epochs: {epochs}; the figures are of the model before it"
    again = load(final.run_id, tracking_uri=final.tracking_uri)  # its golden output is checked
    assert again.info["last_fit"] == final.bundle.info["last_fit"]
    newest = final.bundle.predict(_frame())
    pd.testing.assert_frame_equal(again.predict(_frame()), newest)
    assert not np.allclose(newest["load"], plain.bundle.predict(_frame())["load"])


@pytest.mark.slow
def test_rows_that_the_last_fit_has_seen_judge_and_calibrate_nothing(runs: tuple[TrainResult, TrainResult]) -> None:
    plain, final = runs
    for call in (
        lambda: evaluate(final.bundle),
        lambda: calibrate(final.bundle, levels=[80]),  # type: ignore[arg-type]
        lambda: final.bundle.calibrate(_frame(), levels=[80]),  # type: ignore[call-arg]
    ):
        with pytest.raises(ArgumentError) as caught:
            call()
        assert caught.value.code == "trained_rows"
    later = hourly_frame(800).iloc[400:].reset_index(drop=True)
    assert plain.bundle.calibrate(later, levels=[80]) is not None  # type: ignore[call-arg]
    assert final.bundle.calibrate(hourly_frame(900).iloc[420:], levels=[80]) is not None  # type: ignore[call-arg]


@pytest.mark.slow
def test_an_interrupted_last_fit_keeps_the_judged_model_and_is_resumed(
    runs: tuple[TrainResult, TrainResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_kit import resume
    from seq2seq_kit.tasks import last_fit
    from seq2seq_kit.training.callbacks import Observer

    plain, final = runs
    whole = last_fit.fit_again

    def cut_short(job: Any, model: Any, fitted: Any, observers: list[Observer], checkpoint: Any) -> Any:
        class Press:
            def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGINT)

            def on_epoch(self, epoch: Any) -> None: ...

        return whole(job, model, fitted, [Press()], checkpoint)

    store = str(tmp_path / "runs")
    monkeypatch.setattr(last_fit, "fit_again", cut_short)
    first = train(_recipe(final="all"), data=_frame(), tracking_uri=store)
    assert first.interrupted
    assert "last_fit_interrupted" in [finding.code for finding in first.findings]
    assert "last_fit" not in first.bundle.info
    np.testing.assert_array_equal(first.bundle.predict(_frame())["load"], plain.bundle.predict(_frame())["load"])
    assert open_tracking(store).client.get_run(first.run_id).info.status == "KILLED"
    monkeypatch.setattr(last_fit, "fit_again", whole)
    second = resume(first.run_id, data=_frame(), tracking_uri=store)
    assert not second.interrupted
    np.testing.assert_array_equal(second.bundle.predict(_frame())["load"], final.bundle.predict(_frame())["load"])
    assert not [key for key in open_tracking(store).client.get_run(first.run_id).data.tags if "interrupted" in key]


@pytest.mark.slow
def test_each_member_of_an_ensemble_is_fitted_on_all_rows_for_its_own_epochs(tmp_path: Path) -> None:
    from seq2seq_kit.models.ensemble import members_of

    store = str(tmp_path / "runs")
    result = train(_recipe(final="all", learning_rate=0.3) | {"ensemble": 2}, data=_frame(), tracking_uri=store)
    assert result.last_fit is not None
    judged = [each.best_epoch for each in result.fit.members]
    assert [each.best_epoch for each in result.last_fit.members] == judged
    assert result.bundle.info["last_fit"]["best_epochs"] == judged
    # The first member is what a run of its own has.
    alone = train(_recipe(final="all", learning_rate=0.3), data=_frame(), tracking_uri=store)
    first = members_of(result.bundle.model)[0]
    for mine, theirs in zip(first.weights, alone.bundle.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    load(result.run_id, tracking_uri=store)


KINDS = {
    "next_step": (next_step_recipe(), hourly_frame(400)),
    "autoencode": (autoencode_recipe(), hourly_frame(400)),
    "whole": (whole_recipe(), waves_frame()),
    "classify": (texts_recipe(), words_frame()),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_task_has_a_last_fit(kind: str, tmp_path: Path) -> None:
    recipe, frame = KINDS[kind]
    overrides = {"training.epochs": 1, "training.final": "all"}
    result = train(recipe, overrides=overrides, data=frame, tracking_uri=str(tmp_path / "runs"))
    assert result.last_fit is not None
    assert result.bundle.info["last_fit"] == {"rows": "all", "epochs": 1}
    load(result.run_id, tracking_uri=str(tmp_path / "runs"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_all_examples_are_in_train(kind: str) -> None:
    recipe, frame = KINDS[kind]
    job = open_job(parse_recipe(recipe), frame)
    whole, counts = job.on_all_rows(), {part: job.examples.count(part) for part in ("train", "val", "test")}
    # Of rows a window or chunk may lie over what was a border, so that their number is another one.
    assert whole.examples.count("train") > counts["train"] + counts["val"]
    assert [whole.examples.count(part) for part in ("val", "test")] == [counts["val"], counts["test"]]


def test_rows_are_scaled_as_those_of_the_judged_fit() -> None:
    job: Any = open_job(parse_recipe(_recipe()), _frame())
    whole = job.on_all_rows()
    assert whole.prepared.scaler is job.prepared.scaler
    assert whole.prepared.split.rows("train").tolist() == [[0, 420]]
    np.testing.assert_array_equal(whole.prepared.matrix[:], job.prepared.matrix[:])


@pytest.mark.parametrize(
    "recipe",
    [
        forecast_recipe() | {"model": "none", "training": {"final": "all"}},
        {"task": "echo", "data": {"sequence": [0.0, 0.5]}, "training": {"final": "all"}},
        _recipe() | {"sweep": {"space": {"training.final": {"choice": ["all"]}}}},
    ],
)
def test_where_it_means_nothing_it_is_refused(recipe: dict[str, Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe)
    assert next(problem.code for problem in caught.value.problems) in ("conflicting_keys", "not_searchable")


def test_the_rates_of_another_fit_are_replayed() -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen: list[float] = []
    after = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=3, callbacks=[replay_rates([0.5, 0.25]), after], verbose=0)
    assert seen == [0.5, 0.25, 0.25]


@pytest.mark.slow
def test_a_last_fit_that_fails_leaves_the_judged_model(
    runs: tuple[TrainResult, TrainResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: Any, **named: Any) -> None:
        raise TrainingError("the loss is NaN", code="loss_not_finite")

    monkeypatch.setattr(last_fit, "fit_again", fails)
    found = train(_recipe(final="all"), data=_frame(), tracking_uri=str(tmp_path / "runs"))
    assert [each.code for each in found.findings].count("last_fit_failed") == 1
    for own, judged in zip(found.bundle.model.get_weights(), runs[0].bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, judged)


@pytest.mark.slow
def test_a_training_does_not_start_from_a_model_that_has_seen_its_test_rows(
    runs: tuple[TrainResult, TrainResult], tmp_path: Path
) -> None:
    start = str(runs[1].bundle.save(tmp_path / "start"))
    with pytest.raises(ArgumentError, match="rows that it has seen") as caught:
        train(_recipe(start_from=start), data=_frame(), tracking_uri=str(tmp_path / "runs"))
    assert caught.value.code == "trained_rows"
