"""Trials that others have left behind are ended early, and only those."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.executing.process import EpochEnded
from seq2seq_kit.recipe.sweep import Sweep
from seq2seq_kit.sweeps import resume_sweep, sweep
from seq2seq_kit.sweeps.pruning import Pruning
from seq2seq_kit.sweeps.reopen import open_trial_store
from seq2seq_kit.sweeps.status import Silent
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.fit import Epoch
from tests.conftest import forecast_recipe, hourly_frame, next_step_recipe
from tests.untyped import parse_recipe

SPACE: dict[str, Any] = {"training.learning_rate": {"choice": [0.01, 0.02, 1e-7, 2e-7, 3e-7, 4e-7]}}


def section(**more: Any) -> Sweep:
    return Sweep.model_validate({"space": SPACE} | more)


def epoch(number: int, val_loss: float, **metrics: float) -> Epoch:
    return Epoch(number, 30, val_loss, val_loss, 0.01, 1.0, 100.0, metrics)


def warm_up(number: int, val_loss: float) -> EpochEnded:
    return EpochEnded(1, replace(epoch(number, val_loss), warm_up=True))


def told(pruning: Pruning, trial: int, losses: list[float], *, fold: int = 1, **metrics: Any) -> list[str]:
    """What is said after each epoch of a trial."""
    return [pruning.hear(trial, EpochEnded(fold, epoch(at, loss))) for at, loss in enumerate(losses, start=1)]


def five_finished(**more: Any) -> Pruning:
    """The first has the recipe's own values; after 3 epochs the best of them are 0.5, 0.4, 0.3, 0.2 and 0.1."""
    pruning = Pruning(section(**more))
    for trial, level in enumerate((0.5, 0.4, 0.3, 0.2, 0.1), start=1):
        assert not any(told(pruning, trial, [1.0, level, level + 0.1, level - 0.05]))
        pruning.finish(trial)
    return pruning


def test_the_median_is_of_what_finished_trials_had_by_the_same_epoch() -> None:
    pruning = five_finished(pruner="median")
    said = told(pruning, 6, [2.0, 2.0, 0.31])
    assert said[:2] == ["", ""], "the first epochs say little"
    assert said[2] == (
        "pruned: its val_loss after 3 epochs, 0.31, is worse than the median of the 5 finished trials there, 0.3"
    )
    assert told(pruning, 7, [2.0, 2.0, 0.3]) == ["", "", ""], "as good as the median"
    assert told(pruning, 8, [2.0, 0.25, 9.0])[2] == "", "its best epoch counts"


def test_the_median_takes_what_a_shorter_trial_had_in_the_end() -> None:
    pruning = five_finished(pruner="median")
    assert "0.25" in told(pruning, 6, [0.3] * 5)[4], "after the fourth epoch all five have gone down by 0.05"


def test_fewer_than_five_finished_trials_prune_nothing() -> None:
    pruning = five_finished(pruner="median")
    pruning.forget(3)
    assert told(pruning, 6, [9.0] * 6) == [""] * 6


@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_the_first_trial_is_never_pruned(pruner: str) -> None:
    pruning = Pruning(section(pruner=pruner))
    for trial in range(2, 9):
        told(pruning, trial, [0.1] * 9)
        pruning.finish(trial)
    assert told(pruning, 1, [9.0] * 9) == [""] * 9
    assert any(told(pruning, 9, [9.0] * 9))


def test_asha_keeps_the_best_one_in_factor_at_powers_of_it() -> None:
    pruning = Pruning(section(pruner="asha"))
    assert not any(told(pruning, 1, [0.5] * 9) + told(pruning, 2, [0.9] * 3)), "two say nothing yet"
    said = told(pruning, 3, [0.6] * 3)
    assert said == [
        "",
        "",
        "pruned: its val_loss after 3 epochs, 0.6, is not among the best one in 3 of the 3 trials that came there",
    ]
    assert not any(told(pruning, 4, [0.4] * 3)), "the best so far"
    assert told(pruning, 5, [0.45] * 3)[2] != ""
    assert not any(told(pruning, 6, [0.45] * 3)), "two of six go on"


def test_a_failed_trial_is_no_measure() -> None:
    pruning = Pruning(section(pruner="asha"))
    for trial in (1, 2):
        told(pruning, trial, [0.1] * 3)
        pruning.forget(trial)
    told(pruning, 3, [0.5] * 3)
    assert not any(told(pruning, 4, [0.9] * 3))


def test_a_trial_that_begins_again_begins_anew() -> None:
    pruning = five_finished(pruner="median")
    told(pruning, 6, [0.0, 0.0])
    assert told(pruning, 6, [9.0] * 3)[2] != "", "epochs of a killed process count"


def test_the_epoch_that_would_be_kept_is_judged() -> None:
    pruning = Pruning(section(pruner="asha", objective="val_accuracy"))
    epochs = [epoch(1, 0.1, val_accuracy=0.2), epoch(2, 0.5, val_accuracy=0.9), epoch(3, 0.6, val_accuracy=0.9)]
    for trial, accuracy in ((1, 0.6), (2, 0.7)):
        for at in (1, 2, 3):
            pruning.hear(trial, EpochEnded(1, epoch(at, 0.1, val_accuracy=accuracy)))
    said = [pruning.hear(3, EpochEnded(1, each)) for each in epochs]
    assert "0.2," in said[2], "the first epoch has the smallest validation loss"


def test_epochs_of_a_warm_up_are_never_kept_and_judge_nobody() -> None:
    pruning = five_finished(pruner="median")
    said = [pruning.hear(6, warm_up(at, 9.0)) for at in (1, 2, 3, 4)]
    assert said == [""] * 4
    pruning.hear(7, warm_up(1, 0.0))
    pruning.hear(7, warm_up(2, 0.0))
    assert pruning.hear(7, EpochEnded(1, epoch(3, 0.8))) != "", "the loss without the penalty is no score"
    assert pruning.outcome(7, 1.0).score == 0.8
    assert pruning.outcome(7, 1.0).best_epoch == 3


def test_a_trial_at_its_last_epoch_is_let_finish() -> None:
    pruning = five_finished(pruner="median")
    told(pruning, 6, [9.0, 9.0])
    assert pruning.hear(6, EpochEnded(1, replace(epoch(3, 9.0), of=3))) == ""


def test_a_trial_that_begins_again_shows_no_fold_of_its_first_attempt() -> None:
    pruning = Pruning(section(pruner="asha", folds=3))
    told(pruning, 2, [0.1] * 3)
    told(pruning, 2, [0.1], fold=2)
    told(pruning, 2, [0.5])
    assert list(pruning.shown[2].folds) == [1]


def test_long_courses_cost_no_more_than_their_epochs() -> None:
    pruning = five_finished(pruner="median")
    for trial in range(6, 106):
        for at in range(1, 301):
            pruning.hear(trial, EpochEnded(1, epoch(at, 0.01)))
        pruning.finish(trial)
    figures = []
    pruning._figure = lambda epoch: figures.append(epoch) or epoch.val_loss  # type: ignore[method-assign, func-returns-value]
    pruning.hear(106, EpochEnded(1, epoch(1, 0.01)))
    pruning.hear(106, EpochEnded(1, epoch(2, 0.01)))
    assert len(figures) <= 4


def test_larger_is_better_where_the_objective_says_so() -> None:
    pruning = Pruning(section(pruner="asha", objective="val_accuracy"))
    for trial, accuracy in enumerate((0.5, 0.6, 0.9), start=1):
        said = [pruning.hear(trial, EpochEnded(1, epoch(at, 1.0, val_accuracy=accuracy))) for at in (1, 2, 3)]
        assert said[2] == ""
    assert pruning.hear(4, EpochEnded(1, epoch(1, 0.0, val_accuracy=0.1))) == ""
    pruning.hear(4, EpochEnded(1, epoch(2, 0.0, val_accuracy=0.1)))
    assert pruning.hear(4, EpochEnded(1, epoch(3, 0.0, val_accuracy=0.1))) != ""


def test_folds_are_judged_whole() -> None:
    pruning = Pruning(section(pruner="asha", folds=3))
    for trial in (1, 2, 3):
        level = 0.1 * trial
        first = told(pruning, trial, [level] * 9)
        assert not any(first), "a fold is not finished"
        said = pruning.hear(trial, EpochEnded(2, epoch(1, level)))
        assert bool(said) == (trial == 3)
    assert "after 1 fold, 0.3," in said
    outcome = pruning.outcome(3, 7.0)
    assert outcome.folds == (pytest.approx(0.3),), "the fold that was cut short is no score"
    assert (outcome.score, outcome.seconds) == (pytest.approx(0.3), 7.0)


def test_without_a_pruner_nothing_is_pruned() -> None:
    assert told(five_finished(), 6, [99.0] * 9) == [""] * 9


@pytest.mark.parametrize(
    ("recipe", "more", "told"),
    [
        (forecast_recipe(), {"tuner": "hyperband"}, "hyperband ends trials early by itself"),
        (
            next_step_recipe(),
            {"backtest": {"windows": 3, "stride": 5}},
            "a backtest knows a trial's errors at its end only",
        ),
        (forecast_recipe(), {"pruner": "halving"}, "must be 'median' or 'asha'"),
    ],
)
def test_a_pruner_that_cannot_be_is_refused(recipe: dict[str, Any], more: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        parse_recipe(recipe | {"sweep": {"space": SPACE, "pruner": "median"} | more})


def test_factor_is_also_that_of_asha() -> None:
    parsed = parse_recipe(forecast_recipe() | {"sweep": {"space": SPACE, "pruner": "asha", "factor": 4}})
    assert parsed.sweep.factor == 4


@pytest.mark.slow
def test_a_sweep_ends_hopeless_trials_and_a_resumed_one_knows_them(tmp_path: Path) -> None:
    recipe, store = forecast_recipe(), str(tmp_path / "mlruns")
    recipe["training"] |= {"epochs": 5, "patience": None}
    recipe["sweep"] = {"tuner": "grid", "pruner": "asha", "max_trials": 4, "space": SPACE}

    class Watched(Silent):
        def __init__(self) -> None:
            self.trials: list[Any] = []

        def on_trial(self, trial: Any, best: bool) -> None:
            self.trials.append((trial.number, trial.state, best))

    watched = Watched()
    frame = hourly_frame(900)
    first = sweep(recipe, data=frame, workers=1, tracking_uri=store, reporter=watched)
    by_rate = {str(trial.values["training.learning_rate"]): trial for trial in first.trials}
    assert [state for _, state, _ in watched.trials][:2] == ["finished", "finished"]
    pruned = [trial for trial in first.trials if trial.state == "pruned"]
    assert pruned, "the learning rates of next to nothing were trained to the end"
    for trial in pruned:
        assert trial.epochs < 5
        assert trial.values["training.learning_rate"] in (1e-7, 2e-7, 3e-7, 4e-7)
        assert trial.reason.startswith("pruned: its val_loss after 3 epochs")
    assert first.best.state == "finished"
    assert by_rate["0.01"].state == "finished"
    table = first.table()
    assert set(table["state"]) == {"finished", "pruned"}
    assert np.isfinite(table["objective"].astype(float)).all()
    tracking = open_tracking(store)
    run = tracking.client.get_run(pruned[0].run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["pruned"] == pruned[0].reason
    assert tracking.client.get_run(first.run_id).data.metrics["sweep/trials_pruned"] == len(pruned)
    assert "pruned" in tracking.client.get_run(first.run_id).data.tags["mlflow.note.content"]
    again = Pruning.of(open_trial_store(tracking, first.run_id))
    assert len(again.shown[pruned[0].number].folds[1].epochs) == pruned[0].epochs
    whole = resume_sweep(first.run_id, overrides={"sweep.max_trials": 6}, data=frame, workers=1, tracking_uri=store)
    assert len(whole.trials) == 6
    assert [trial.state for trial in whole.trials][:4] == [trial.state for trial in first.trials]
    assert whole.trials[-1].state == "pruned"


@pytest.mark.slow
def test_the_runs_of_a_pruned_trials_folds_are_ended(tmp_path: Path) -> None:
    recipe, store = forecast_recipe(), str(tmp_path / "mlruns")
    # Enough epochs that a trial is not at its end before it is heard.
    recipe["training"] |= {"epochs": 12, "patience": None, "learning_rate": 0.02}
    space = {"training.learning_rate": {"choice": [0.02, 1e-7]}}
    recipe["sweep"] = {"tuner": "grid", "pruner": "asha", "factor": 2, "folds": 2, "max_trials": 3, "space": space}
    found = sweep(recipe, data=hourly_frame(700), workers=1, tracking_uri=store)
    pruned = next(trial for trial in found.trials if trial.state == "pruned")
    assert len(pruned.folds) == 1
    tracking = open_tracking(store)
    record, _ = tracking.reopen(pruned.run_id)
    ended = {tags["sweep.fold"]: record.status() for record, tags in tracking.children(record)}
    assert ended == {"1": "FINISHED", "2": "KILLED"}
