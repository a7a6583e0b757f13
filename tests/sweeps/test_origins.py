"""Trials that a backtest judges: only rows before the test part count, and the tree of runs is that of folds."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.backtests.past import fit_past, past_recipe
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.recipe.sweep_space import section_of, trial_recipe
from seq2seq_kit.sweeps import SweepResult, best_recipe, resume_sweep, sweep
from seq2seq_kit.sweeps.origins import cost_of, judge_at_origins, origins_of
from seq2seq_kit.sweeps.report.summary import describe_sweep
from seq2seq_kit.sweeps.status import Silent, Status
from seq2seq_kit.sweeps.trials import Trial, best_of, not_comparable
from seq2seq_kit.tracking.client import open_tracking
from tests.backtests.test_rows import HOLES, SITES
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe, tag_recipe
from tests.sweeps.test_sweep import runs_below
from tests.untyped import open_job, parse_recipe

SPACE: dict[str, Any] = {"training.batch_size": {"choice": [32, 64]}}  # 64 is the recipe's own
ROWS = hourly_frame(420)


def swept(recipe: dict[str, Any] | None = None, *, space: dict[str, Any] = SPACE, **backtest: Any) -> dict[str, Any]:
    recipe = forecast_recipe() if recipe is None else recipe
    recipe["training"] |= {"epochs": 1, "patience": None}
    section = {"tuner": "grid", "space": space, "backtest": {"windows": 3, "stride": 5, "refit": 2} | backtest}
    return recipe | {"sweep": section}


class Pipe:
    """Hears what a trial's process would say."""

    def send(self, message: object) -> None: ...


def judged(recipe: dict[str, Any], frame: pd.DataFrame) -> tuple[float, tuple[float, ...], int]:
    """What the trial of the recipe as it stands is judged by."""
    whole = parse_recipe(recipe)
    job, pipe = open_job(trial_recipe(whole, {}), frame), Pipe()
    origins = origins_of(job, section_of(whole))
    found = judge_at_origins(job, origins, pipe)  # type: ignore[arg-type]
    return found.score, found.folds, found.cells


CASES: dict[str, tuple[dict[str, Any], pd.DataFrame, float]] = {
    "sites": (forecast_recipe(series="site", targets=["load", "heat"]) | {"levels": [60]}, SITES, -500.0),
    "holes": (forecast_recipe(missing="interpolate"), HOLES, np.nan),
    "steps": (next_step_recipe(), ROWS, 1e5),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_no_test_row_changes_the_score_of_a_trial(case: str) -> None:
    recipe, frame, value = CASES[case]
    recipe = swept(recipe, windows=2, refit="never")
    job: Any = open_job(trial_recipe(parse_recipe(recipe), {}), frame)
    first = {
        name: job.prepared.table.times[edge]
        for name, edge in zip(job.prepared.table.series, job.prepared.split.rows("test")[:, 0], strict=True)
    }
    names = frame["site"] if "site" in frame else pd.Series("", index=frame.index)
    changed, tested = frame.copy(), frame["time"] >= names.map(first)
    assert tested.sum() > 30
    changed.loc[tested, ["load", "heat"]] = value
    score, by_origin, cells = judged(recipe, frame)
    assert np.isfinite([score, *by_origin]).all()
    assert cells > 0
    assert judged(recipe, changed) == (score, by_origin, cells)  # to the last bit
    earlier = frame.copy()
    earlier.loc[~tested & (np.arange(len(frame)) % 2 == 0), "load"] *= 1.5
    assert judged(recipe, earlier)[0] != score


def test_the_last_forecast_ends_with_the_row_before_the_test_part() -> None:
    job: Any = open_job(parse_recipe(forecast_recipe(series="site")), SITES)
    rows = Rows.of(job.prepared, Schedule.of(3, 5, 2, None, 0), before_test=True)
    parts = job.prepared.split.rows("test")
    for place, name in enumerate(rows.series):
        own = rows.frame.iloc[rows.bounds[place] : rows.bounds[place + 1]]
        assert own["time"].max() == job.prepared.table.times[parts[place, 0] - 1]
        assert rows.cutoffs(3)[name] == own["time"].iloc[-1 - 6]
    whole = Rows.of(job.prepared, Schedule.of(3, 5, 2, None, 0))
    assert len(whole.frame) - len(rows.frame) == (parts[:, 1] - parts[:, 0]).sum()


def test_the_calibration_part_judges_no_trial() -> None:
    data = {"series": "site", "split": {"val": 0.2, "calibration": 0.15, "test": 0.15}}
    job: Any = open_job(parse_recipe(forecast_recipe(**data) | {"levels": [60]}), SITES)
    rows = Rows.of(job.prepared, Schedule.of(3, 5, 2, None, 0), before_test=True)
    parts = job.prepared.split.rows("calibration")
    assert (parts[:, 1] > parts[:, 0]).all()
    for place, name in enumerate(rows.series):
        own = rows.frame[rows.frame["site"] == name]
        assert own["time"].max() == job.prepared.table.times[parts[place, 0] - 1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("origins") / "mlruns"


class Notes(Silent):
    """Writes down what is said and how far trials are, and presses Ctrl-C after the first one if asked to."""

    def __init__(self, *, presses: bool = False) -> None:
        self.presses = presses
        self.said: list[str] = []
        self.most: list[float] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_status(self, status: Status) -> None:
        self.most += [each.done for each in status.running]

    def on_trial(self, trial: Trial, best: bool) -> None:
        if self.presses:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def cut(place: Path) -> SweepResult:
    """A sweep that Ctrl-C ended after its first trial."""
    return sweep(swept(), data=ROWS, workers=1, tracking_uri=str(place), reporter=Notes(presses=True))


@pytest.fixture(scope="module")
def found(cut: SweepResult, place: Path, notes: Notes) -> SweepResult:
    """The same, resumed: another recipe and the one as it stands, fitted at the first and the third of three origins."""
    return resume_sweep(cut.run_id, data=ROWS, workers=2, tracking_uri=str(place), reporter=notes)


@pytest.mark.slow
def test_a_sweep_that_was_cut_short_keeps_its_trial_and_tests_nothing(cut: SweepResult, found: SweepResult) -> None:
    assert cut.ended == "interrupted"
    assert cut.winner is None
    assert [trial.state for trial in cut.trials] == ["finished"]
    assert found.trials[0] == cut.trials[0]
    assert found.ended == "exhausted"


@pytest.mark.slow
def test_a_trial_has_the_error_that_its_forecasts_before_the_test_rows_have(found: SweepResult) -> None:
    """By hand: fits on the rows before their origins, `predict` from the rows before each."""
    schedule = Schedule.of(3, 5, 2, None, 0)
    rows = ROWS.iloc[: round(420 * 0.85)]
    past, _ = past_recipe(trial_recipe(found.recipe, found.best.values), schedule)
    errors = {}
    for origins in schedule.fits:
        bundle: Any = None
        for origin in origins:
            end = len(rows) - 6 - (3 - origin) * 5
            bundle = bundle or fit_past(past, rows.iloc[:end], peers=False)[0]
            answer = bundle.predict(rows.iloc[:end])["load"].to_numpy()
            errors[origin] = answer - rows["load"].iloc[end : end + 6].to_numpy()
    assert found.best.folds == pytest.approx([np.sqrt(np.mean(errors[at] ** 2)) for at in (1, 2, 3)], rel=1e-4)
    assert found.best.score == pytest.approx(np.sqrt(np.mean(np.concatenate([*errors.values()]) ** 2)), rel=1e-4)
    assert found.best.cells == 18
    assert found.best.score == min(trial.score for trial in found.trials if trial.score is not None)
    assert found.metric == "rmse"


def test_a_trial_has_a_run_for_each_origin_and_no_model(found: SweepResult, place: Path, tmp_path: Path) -> None:
    tracked = open_tracking(str(place))
    assert [trial.state for trial in found.trials] == ["finished"] * 3
    for trial in found.trials:
        children = runs_below(tracked, trial.run_id)
        if trial.reason:  # the recipe as it stands, which the grid names again
            assert children == []
            assert trial.folds == found.trials[0].folds
            continue
        assert sorted(run.info.run_name for run in children) == ["origin 1", "origin 2", "origin 3"]
        for run in children:
            number = int(run.data.tags["sweep.fold"])
            assert run.info.status == "FINISHED"
            assert run.data.metrics["sweep/objective"] == trial.folds[number - 1]
            assert len(tracked.client.get_metric_history(run.info.run_id, "epoch/val_loss")) == (number != 2)
        own = tracked.client.get_run(trial.run_id)
        assert own.data.metrics["sweep/objective"] == trial.score
        assert "bundle" not in {file.path for file in tracked.client.list_artifacts(trial.run_id)}
        assert not [key for key in own.data.metrics if key.startswith("test")]
        assert json.loads(own.data.tags["sweep.outcome"])["cells"] == 18
        assert own.data.tags["result"].startswith("rmse ")
    assert len({trial.score for trial in found.trials}) == 2
    note = tracked.client.get_run(found.run_id).data.tags["mlflow.note.content"]
    assert "Errors at 3 origins ± standard deviation" in note
    assert best_recipe(found.run_id, tracking_uri=str(place)).recipe == found.best_recipe


def test_the_winner_is_trained_on_its_own_split_and_evaluated_once(found: SweepResult, notes: Notes) -> None:
    assert found.winner is not None
    assert found.winner.test.part == "test"
    assert found.winner.fit.best_epoch == 1
    assert [text for text in notes.said if "training the winner's recipe on its own split" in text]
    assert max(notes.most) > 0.5


def test_the_cost_is_told_before_the_first_trial(found: SweepResult, notes: Notes) -> None:
    assert found.trials
    cost = next(text for text in notes.said if "fits a trial" in text)
    assert "before the test rows, 3 origins, 5 rows apart, refit every 2 origins, expanding: 2 fits a trial" in cost
    assert notes.said.index(cost) == 0 or "winner" not in " ".join(notes.said[: notes.said.index(cost)])


def test_the_cost_of_all_trials_is_told_where_their_number_is_known() -> None:
    recipe = swept(windows=4, refit="always")
    recipe["sweep"] |= {"tuner": "random", "max_trials": 7}
    whole = parse_recipe(recipe)
    assert whole.sweep.describe() == "random over 1 key, 7 trials, 4 past moments and 4 fits each"
    origins = origins_of(open_job(trial_recipe(whole, {}), ROWS), whole.sweep)
    assert origins is not None
    assert cost_of(whole.sweep, origins).endswith("4 fits a trial, 7 trials at most 28 fits")


@pytest.mark.parametrize(
    ("recipe", "more", "code", "key"),
    [
        (autoencode_recipe(), {}, "not_backtested", "sweep.backtest"),
        (tag_recipe(), {}, "not_backtested", "sweep.backtest"),
        (forecast_recipe(), {"folds": 3}, "conflicting_keys", "sweep.folds"),
        (forecast_recipe(), {"objective": "rmse"}, "conflicting_keys", "sweep.objective"),
        (forecast_recipe(), {"backtest": {"stride": 3}}, "missing_key", "sweep.backtest.windows"),
        (forecast_recipe(), {"backtest": {"windows": 3, "refit": "daily"}}, "invalid_value", "sweep.backtest.refit"),
        (forecast_recipe(), {"backtest": {"windows": 3, "refit": 0}}, "invalid_value", "sweep.backtest.refit"),
        (forecast_recipe(), {"backtest": {"windows": 0}}, "invalid_value", "sweep.backtest.windows"),
        (forecast_recipe(), {"backtest": {"windows": 2, "metric": "mape"}}, "invalid_value", "sweep.backtest.metric"),
    ],
)
def test_what_a_backtest_cannot_judge_is_a_problem_of_the_recipe(
    recipe: dict[str, Any], more: dict[str, Any], code: str, key: str
) -> None:
    section = {"space": {"training.batch_size": {"choice": [8, 16]}}, "backtest": {"windows": 3}} | more
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe | {"sweep": section})
    assert [(problem.key, problem.code) for problem in caught.value.problems] == [(key, code)]


def test_more_origins_than_rows_before_the_test_part_are_refused_by_the_names_of_the_recipe() -> None:
    whole = parse_recipe(swept(windows=200))
    with pytest.raises(ArgumentError) as caught:
        origins_of(open_job(trial_recipe(whole, {}), ROWS), whole.sweep)
    assert caught.value.code == "too_many_origins"
    assert "Use sweep.backtest.windows " in str(caught.value)


def test_a_longest_window_of_the_space_that_does_not_fit_is_an_error_before_the_first_trial(tmp_path: Path) -> None:
    recipe = swept(windows=50, space={"data.input_steps": {"int": {"min_value": 12, "max_value": 90}}})
    with pytest.raises(ArgumentError, match=r"with data\.input_steps=90 of the sweep's space: 50 origins") as caught:
        sweep(recipe, data=ROWS, tracking_uri=str(tmp_path / "mlruns"))
    assert caught.value.code == "too_many_origins"
    assert not (tmp_path / "mlruns").exists()


def test_scores_over_other_values_do_not_stand_beside_each_other() -> None:
    trials = [Trial(1, {}, "finished", 0.5, folds=(0.4, 0.6), cells=12), Trial(2, {}, "running")]
    assert not not_comparable(trials, 12)
    assert not_comparable(trials, 8).startswith("it forecasts 8 values at the origins, and trial 1 12: ")
    assert not not_comparable(trials[1:], 8)
    assert not not_comparable(trials, 20)
    more = Trial(3, {}, "finished", 0.9, folds=(0.9, 0.9), cells=20)
    for order in ([*trials, more], [more, *trials]):  # whichever finishes first
        assert best_of(order, "min") is more


def test_the_note_speaks_of_origins_and_counts_the_epochs_of_fits() -> None:
    from tests.sweeps.report.test_summary import KNOBS, NONE

    trials = [Trial(1, {}, "finished", 2.0, best_epoch=2, epochs=3, folds=(1.0, 2.0, 3.0)), Trial(2, {}, "running")]
    given: dict[str, Any] = {
        "metric": "rmse",
        "direction": "min",
        "importances": NONE,
        "ended": "done",
        "tuner": "grid",
    }
    text = describe_sweep(name="n", trials=trials, knobs=KNOBS, seconds=1.0, run_id="r", part="origin", fits=1, **given)
    assert "Errors at 3 origins ± standard deviation" in text
    assert "allow more epochs" not in text  # the best of three epochs of the one fit is the second
    assert "fold" not in text
