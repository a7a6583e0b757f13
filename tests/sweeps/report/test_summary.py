"""The note of a sweep: the winner beside the recipe as it stands, what mattered, what to widen, what it took, how to go on."""

from dataclasses import replace
from typing import Any

import pytest

from seq2seq_kit.sweeps.report.importance import Importances, importances
from seq2seq_kit.sweeps.report.summary import describe_beginning, describe_sweep
from seq2seq_kit.sweeps.trials import Trial
from tests.sweeps.spaces import SPACE, number, sweep_of

NONE = Importances(why="2 finished trials are too few to tell what mattered, it takes 8; run more trials")
KNOBS = [number("model.dropout", 0.0, 0.5), number("a|b", 0, 1)]


def trial(number: int, score: float | None, **more: Any) -> Trial:
    values = {"model.dropout": 0.1 * number, "a|b": "x|y"}
    return Trial(number, values, "failed" if score is None else "finished", score, **more)


def note(trials: list[Trial], **more: Any) -> str:
    given: dict[str, Any] = {
        "name": "small",
        "knobs": KNOBS,
        "metric": "val_loss",
        "direction": "min",
        "importances": NONE,
        "ended": "done",
        "seconds": 600.0,
        "run_id": "abc",
        "tuner": "random",
    }
    return describe_sweep(trials=trials, **given | more).replace("&nbsp;", "")


def test_the_headline_has_the_best_value_and_its_trial() -> None:
    text = note([trial(1, 0.5), trial(2, 0.4), trial(3, 0.45)])
    assert text.startswith("## small: val_loss 0.4, trial 2\n")
    assert "Trial 2: `model.dropout` 0.2, `a|b` x\\|y." in text
    assert note([trial(1, 0.5), trial(2, 0.4)], direction="max").startswith("## small: val_loss 0.5, trial 1\n")


@pytest.mark.parametrize(
    ("direction", "own", "score", "words"),
    [
        ("min", 0.5, 0.4, "has val_loss 0.5; the winner is better by 0.1 (20.0 %)"),
        ("max", 0.5, 0.6, "has val_loss 0.5; the winner is better by 0.1 (20.0 %)"),
        ("min", -0.5, -0.6, "has val_loss -0.5; the winner is better by 0.1 (20.0 %)"),
        ("max", 0.0, 0.6, "has val_loss 0; the winner is better by 0.6."),
    ],
)
def test_the_winner_stands_beside_the_recipe_as_it_is(direction: str, own: float, score: float, words: str) -> None:
    assert words in note([trial(1, own), trial(2, score)], direction=direction)


def test_a_recipe_that_is_best_as_it_stands_is_told() -> None:
    assert "No trial was better than the recipe as it stands (`model.dropout` 0.1" in note(
        [trial(1, 0.4), trial(2, 0.4)]
    )


def test_a_recipe_that_failed_as_it_stands_is_told() -> None:
    text = note([trial(1, None, reason="out of memory"), trial(2, 0.4)])
    assert "The recipe as it stands has no val_loss to compare with: out of memory." in text


def test_a_margin_below_its_spread_over_the_folds_may_be_noise() -> None:
    own = trial(1, 2.0, folds=(1.0, 2.0, 3.0))
    text = note([own, trial(2, 1.9, folds=(1.4, 1.8, 2.5))])
    assert "val_loss 1.9 ± 0.5568, trial 2" in text
    # The margins are -0.4, 0.2 and 0.5.
    assert (
        "**That may be noise**: it is better in 2 of 3 folds, and the spread of the margin over the folds is 0.4583"
        in text
    )
    # Here they are 0.2, 0.3 and 0.25: far less than the scores of the folds differ, which are hard for both.
    steady = note([own, trial(2, 1.75, folds=(0.8, 1.7, 2.75))])
    assert "noise" not in steady
    assert "Over the folds, it is better in 3 of 3 folds, and the spread of the margin is 0.05." in steady


def test_without_the_folds_of_the_recipe_the_winners_spread_is_what_counts() -> None:
    text = note([trial(1, 2.0), trial(2, 1.9, folds=(1.4, 1.8, 2.5))])
    assert "**That may be noise**: the spread of its score over the folds is 0.5568, more than the margin." in text
    assert "noise" not in note([trial(1, 2.0), trial(2, 1.9)])


def test_the_table_has_the_best_five_and_the_recipe_as_it_stands() -> None:
    trials = [trial(at, score, best_epoch=3, epochs=4) for at, score in enumerate((9.0, 4, 5, 3, 6, 7, 8), start=1)]
    rows = [line for line in note(trials).splitlines() if line.startswith("|")]
    assert rows[0] == "| trial | val_loss | best epoch | dropout | a\\|b |"
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| 4", "| 2", "| 3", "| 5", "| 6", "| 1 (as it stands)"]
    assert rows[2] == "| 4 | 3 | 3 of 4 | 0.4 | x\\|y |"


@pytest.mark.slow
def test_what_mattered_is_told_with_how_far_to_trust_it() -> None:
    trials = sweep_of(60)
    found = importances(trials, SPACE, "min")
    text = note(trials, knobs=SPACE, importances=found)
    share = f"{100 * found.shares['training.learning_rate']:.0f} %"
    assert f"- `training.learning_rate`: {share} (± " in text
    assert "larger values did better" in text
    assert "- hardly, under 5 % each: " in text
    assert f"a forest on 53 finished trials knows about the objective (R2 {found.r2:.2f} on trials" in text


@pytest.mark.parametrize(
    ("r2", "words"), [(0.8, ": reliable)"), (0.5, ": rough)"), (0.1, ": unreliable, a hint only)")]
)
def test_a_forest_that_knows_little_says_so(r2: float, words: str) -> None:
    found = Importances({"model.dropout": 1.0}, {"model.dropout": 0.1}, {}, r2, 9)
    assert words in note([trial(1, 0.5)], importances=found)


def test_why_nothing_is_known_is_told() -> None:
    assert "Not known: 2 finished trials are too few" in note([trial(1, 0.5), trial(2, 0.4)])


def test_a_winner_that_was_still_learning_asks_for_more_epochs() -> None:
    trials = [trial(1, 0.5, best_epoch=8, epochs=10), trial(2, 0.4, best_epoch=10, epochs=10)]
    assert "the best epoch, 10, is the last one that was trained: allow more epochs (`training.epochs`)" in note(trials)
    assert "(`max_epochs`)" in note(trials, tuner="hyperband")
    assert "allow more epochs" not in note([replace(trials[0], epochs=12), trials[1]])
    assert "allow more epochs" not in note([trials[0], replace(trials[1], best_epoch=9)])


def test_the_recipe_as_it_stands_has_its_own_epochs_with_hyperband_too() -> None:
    best = trial(1, 0.4, best_epoch=8, epochs=8)
    assert "allow more epochs (`training.epochs`)" in note([best, trial(2, 0.5)], tuner="hyperband")


def test_more_epochs_are_asked_for_once() -> None:
    knobs = [number("training.epochs", 2, 10, kind="int")]
    text = note([Trial(1, {"training.epochs": 10}, "finished", 0.4, best_epoch=10, epochs=10)], knobs=knobs)
    assert "- `training.epochs` 10 is the largest value of the space" in text
    assert "allow more epochs" not in text


def test_epochs_are_counted_by_fold() -> None:
    """Two folds of 4 epochs are 8 in all, and the best one may still be the last of its fold."""
    best = trial(1, 0.4, best_epoch=4, epochs=8, folds=(0.3, 0.5))
    text = note([best])
    assert "| 1 (as it stands) | 0.4 ± 0.1414 | 4 | " in text
    assert "the best epoch, 4, is the last one" in text
    assert "8 epochs in all" in text
    assert "Means over 2 folds ± standard deviation; best epoch, weights and fit are those of the last fold." in text
    assert "the best epoch" not in note([replace(best, best_epoch=3)])
    assert "folds" not in note([trial(1, 0.4)])


@pytest.mark.parametrize(("direction", "ascending"), [("min", "true"), ("max", "false")])
def test_trials_are_links_inside_mlflow(direction: str, ascending: str) -> None:
    text = note([trial(1, 0.5, run_id="r1")], experiment="7", direction=direction)
    assert "| [1](#/experiments/7/runs/r1?workflowType=machine_learning) (as it stands) |" in text
    below = "searchFilter=tags.%60mlflow.parentRunId%60%20%3D%20%27abc%27"
    order = f"orderByKey=metrics.%60sweep/objective%60&orderByAsc={ascending}"
    assert f"[the best first](#/experiments/7/runs?workflowType=machine_learning&{below}&{order})" in text
    assert f"{order}&compareRunsMode=CHART)" in text
    assert "](" not in note([trial(1, 0.5, run_id="r1")])


def test_a_sweep_without_a_result_says_how_to_go_on() -> None:
    text = describe_beginning("small", "abc")
    assert text.startswith("## small: a sweep without a result so far\n")
    assert "`seq2seq-kit sweep --resume abc`" in text
    assert "`seq2seq-kit sweep --best abc --out best.yaml`" in text


def test_what_lies_at_the_border_is_told() -> None:
    assert "- `model.dropout` 0.5 is the largest value" in note([trial(1, 0.5), trial(5, 0.4)])
    assert "What to widen" not in note([trial(1, 0.5), trial(2, 0.4)])


def test_the_budget_is_told() -> None:
    trials = [trial(1, 0.5, epochs=1000), trial(2, None, epochs=7), Trial(3, {}, "cut", epochs=3)]
    text = note(trials, ended="max_minutes", tuner="bayesian")
    assert (
        "bayesian, 3 trials (1 finished, 1 failed, 1 cut) in 10 min, 1,010 epochs in all; its `max_minutes` were over."
        in text
    )


@pytest.mark.parametrize(
    ("ended", "tuner", "words"),
    [
        ("done", "random", "all trials were made"),
        ("interrupted", "random", "it was interrupted, so the test rows were not evaluated"),
        ("exhausted", "grid", "every recipe of the space was tried"),
        ("exhausted", "hyperband", "Hyperband had nothing more to try"),
        ("exhausted", "random", "the tuner found no recipe that it had not tried"),
    ],
)
def test_how_it_ended_is_told(ended: str, tuner: str, words: str) -> None:
    assert f"; {words}." in note([trial(1, 0.5)], ended=ended, tuner=tuner)


def test_failed_trials_are_grouped_by_reason() -> None:
    reasons = ["killed after 61 s", "out of memory.\nTraceback", "out of memory", "out of memory", "killed after 1.5 s"]
    text = note([trial(at, None, reason=reason) for at, reason in enumerate(reasons, start=1)])
    lines = [line for line in text.splitlines() if line.startswith("- failed")]
    assert lines == [
        "- failed: out of memory (3 trials: 2, 3, 4)",
        "- failed: killed after 61 s (2 trials: 1, 5)",
    ]
    many = note([trial(at, None, reason=word) for at, word in enumerate("abcdefg", start=1)])
    assert "- failed for other reasons: 2 trials" in many


def test_the_commands_to_go_on_are_told() -> None:
    text = note([trial(1, 0.5)], verb="tag")
    assert "`seq2seq-kit sweep --best abc --out best.yaml`" in text
    assert "`seq2seq-kit tag abc --data new.csv --out tag.csv`" in text
    assert "--resume" not in text
    assert "`seq2seq-kit sweep --resume abc`" in note([trial(1, 0.5)], ended="interrupted")
    assert "`seq2seq-kit sweep --resume abc`" in note([trial(1, 0.5), Trial(2, {}, "running")])


def test_without_a_finished_trial_there_is_no_winner() -> None:
    text = note([trial(1, None, reason="out of memory")])
    assert text.startswith("## small: no trial has finished\n")
    assert "--best" not in text
    assert "|" not in text
    assert "What mattered" not in text


def test_the_callers_lines_on_the_baselines_are_shown() -> None:
    text = note([trial(1, 0.5)], board=["RMSE 337, skill +0.06 against ridge"])
    assert "### The winner on the test rows\n\nRMSE 337, skill +0.06 against ridge\n" in text
    assert "test rows" not in note([trial(1, 0.5)])
