"""Real processes are really killed: a sweep goes on, or says why it cannot, and a killed one is finished without loss."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, DataError, SweepError
from seq2seq_kit.recipe.sweep import Objective, knobs
from seq2seq_kit.recipe.sweep_space import default_values
from seq2seq_kit.runs import train
from seq2seq_kit.sweeps import SweepResult, best_recipe, resume_sweep, sweep
from seq2seq_kit.sweeps.reopen import open_trial_store
from seq2seq_kit.sweeps.status import Silent, Status
from seq2seq_kit.sweeps.trials import Trial
from seq2seq_kit.sweeps.tuner import Suggestion, Tuner
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.validation import resolve
from tests.conftest import forecast_recipe, hourly_frame
from tests.sweeps.test_sweep import runs_below
from tests.untyped import load_recipe

TRIALS = 5
EPOCHS = 60  # long enough to be met in the middle, also by a machine that is busy with something else
PATIENCE = 240.0  # seconds, on a busy machine
ROWS = hourly_frame(300)
UNITS: dict[str, Any] = {
    "model.encoder_units": {"choice": [[4], [6], [5, 4], [4, 6]]},
    "training.learning_rate": {"float": {"min_value": 0.005, "max_value": 0.05, "sampling": "log"}},
}
# A script without `if __name__ == "__main__"`.
SCRIPT = """
from seq2seq_kit.sweeps import sweep
from seq2seq_kit.sweeps.status import Silent

class Tell(Silent):
    def on_trial(self, trial, best):
        print("trial", trial.number, trial.state, flush=True)

    def on_status(self, status):
        print("at", *[each.epoch for each in status.running], flush=True)

print("the script begins", flush=True)
sweep("sweep.yaml", workers=2, tracking_uri="mlruns", reporter=Tell())
"""


def swept(**section: Any) -> dict[str, Any]:
    """The small forecast with a random search; it repeats itself to the last digit."""
    recipe = forecast_recipe()
    recipe["training"] |= {"epochs": EPOCHS, "patience": None, "deterministic": True}
    return recipe | {"sweep": {"tuner": "random", "max_trials": TRIALS, "space": UNITS} | section}


@contextmanager
def started(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, as a terminal would start it."""
    process = subprocess.Popen(
        [sys.executable, "-u", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A test run in the background may have been told to ignore the interrupt, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines_of(process: subprocess.Popen[str], seen: list[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        yield line


@dataclass
class Survivor:
    """A sweep that was killed, resumed, interrupted, resumed again and finished, and what was seen on the way."""

    folder: Path
    run_id: str = ""
    script: list[str] = field(default_factory=list)
    left: list[Any] = field(default_factory=list)
    after_kill: dict[int, Any] = field(default_factory=dict)
    resumed: str = ""
    code: int | None = None
    after_interrupt: dict[int, Any] = field(default_factory=dict)
    parent_after_interrupt: Any = None
    best_so_far: Any = None
    result: SweepResult | None = None

    @property
    def store(self) -> str:
        return str(self.folder / "mlruns")

    @property
    def tracked(self) -> Tracking:
        return open_tracking(self.store)

    def trials(self) -> dict[int, Any]:
        """The runs of the trials by number, as MLflow has them now."""
        return {int(run.data.tags["sweep.trial"]): run for run in runs_below(self.tracked, self.run_id)}


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    """See `Survivor`."""
    folder = tmp_path_factory.mktemp("survivor")
    ROWS.to_csv(folder / "rows.csv", index=False)
    recipe = swept()
    recipe["data"]["source"] = str(folder / "rows.csv")
    with (folder / "sweep.yaml").open("w") as file:
        YAML().dump(recipe, file)
    (folder / "script.py").write_text(SCRIPT)
    seen = Survivor(folder)

    with started("script.py", folder=folder) as process:
        finished = 0
        for line in lines_of(process, seen.script):
            finished += line.startswith("trial") and "finished" in line
            at = [int(word) for word in line.split()[1:]] if line.startswith("at") else []
            if finished >= 2 and any(epoch > 3 for epoch in at):
                break
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, seen.left = psutil.wait_procs(family, timeout=10)
    (seen.run_id,) = seen.tracked.runs()["run"]
    seen.after_kill = seen.trials()

    words = ["-m", "seq2seq_kit", "sweep", "--resume", seen.run_id, "--workers", "2", "--tracking-uri", seen.store]
    out: list[str] = []
    with started(*words, folder=folder) as process:
        for line in lines_of(process, out):
            if line.startswith("trial"):
                os.killpg(process.pid, signal.SIGINT)
                break
        assert process.stdout is not None
        out.append(process.stdout.read())
        seen.code = process.wait(60)
    seen.resumed = "".join(out)
    seen.after_interrupt = seen.trials()
    seen.parent_after_interrupt = seen.tracked.client.get_run(seen.run_id)
    seen.best_so_far = best_recipe(seen.run_id, out=folder / "so_far.yaml", tracking_uri=seen.store)
    seen.result = resume_sweep(seen.run_id, workers=2, tracking_uri=seen.store)
    return seen


def states(runs: dict[int, Any]) -> list[str]:
    return [runs[number].data.tags["sweep.state"] for number in sorted(runs)]


def steps(tracked: Tracking, run: Any) -> list[int]:
    return [point.step for point in tracked.client.get_metric_history(run.info.run_id, "epoch/val_loss")]


@pytest.mark.slow
def test_a_killed_sweep_leaves_no_process(survivor: Survivor) -> None:
    assert survivor.left == []
    assert states(survivor.after_kill).count("finished") >= 2
    assert "running" in states(survivor.after_kill)


def test_a_script_may_call_a_sweep_at_its_top_level(survivor: Survivor) -> None:
    assert survivor.script.count("the script begins\n") == 1
    assert not [
        line
        for line in survivor.script
        if not line.startswith(("trial", "at", "the script", "WARNING", "I0", "E0", "W0"))
    ]


def test_a_resumed_sweep_has_the_same_total_and_leaves_finished_trials_as_they_were(survivor: Survivor) -> None:
    assert survivor.result is not None
    assert survivor.result.ended == "done"
    assert [trial.number for trial in survivor.result.trials] == list(range(1, TRIALS + 1))
    assert {trial.state for trial in survivor.result.trials} == {"finished"}
    now = survivor.trials()
    kept = 0
    for before in (survivor.after_kill, survivor.after_interrupt):
        for number, run in before.items():
            assert now[number].info.run_id == run.info.run_id
            assert now[number].data.tags["sweep.values"] == run.data.tags["sweep.values"]
            if run.data.tags["sweep.state"] == "finished":
                kept += 1
                assert now[number].data.metrics == run.data.metrics
                assert now[number].data.tags["sweep.outcome"] == run.data.tags["sweep.outcome"]
                assert now[number].info.end_time == run.info.end_time
    assert kept >= 5  # two at first, those and one more after the interrupt


def test_a_trial_that_was_cut_runs_again_in_its_own_run_with_each_epoch_once(survivor: Survivor) -> None:
    cut = [number for number, run in survivor.after_kill.items() if run.data.tags["sweep.state"] == "running"]
    assert cut
    assert any(len(steps(survivor.tracked, survivor.trials()[number])) == EPOCHS for number in cut)
    for run in survivor.trials().values():
        assert steps(survivor.tracked, run) == list(range(1, EPOCHS + 1))
        assert run.info.status == "FINISHED"


def test_the_values_are_those_of_a_sweep_without_a_break(survivor: Survivor) -> None:
    recipe = load_recipe(survivor.folder / "sweep.yaml")
    own = default_values(recipe, knobs(recipe.sweep))
    tuner = Tuner(recipe.sweep, knobs(recipe.sweep), seed=0, epochs=EPOCHS, known=own)
    values = [own]
    while len(values) < TRIALS:
        asked = tuner.ask()
        assert isinstance(asked, Suggestion)
        values.append(asked.values)
        tuner.tell(asked.identity, 1.0)
    tuner.close()
    assert survivor.result is not None
    assert [trial.values for trial in survivor.result.trials] == values


def test_ctrl_c_ends_a_sweep_with_the_best_so_far(survivor: Survivor) -> None:
    assert survivor.code == 130, survivor.resumed
    assert "Traceback" not in survivor.resumed
    assert "best so far" in survivor.resumed
    assert f"seq2seq-kit sweep --resume {survivor.run_id}" in survivor.resumed
    assert "\x1b" not in survivor.resumed
    parent = survivor.parent_after_interrupt
    assert parent.info.status == "KILLED"
    assert parent.data.tags["sweep.ended"] == "interrupted"
    assert not [key for key in parent.data.metrics if key.startswith("test")]
    assert "cut" in states(survivor.after_interrupt)
    best = min(
        run.data.metrics["sweep/objective"]
        for run in survivor.after_interrupt.values()
        if run.data.tags["sweep.state"] == "finished"
    )
    assert survivor.best_so_far.trial.score == best


def test_the_test_rows_are_looked_at_when_it_is_finished(survivor: Survivor) -> None:
    assert survivor.result is not None
    assert survivor.result.winner is not None
    run = survivor.tracked.client.get_run(survivor.run_id)
    assert run.info.status == "FINISHED"
    assert len(survivor.tracked.client.get_metric_history(survivor.run_id, "test/rmse")) == 1


@pytest.mark.slow
def test_a_deterministic_winner_is_repeated_to_the_last_digit(survivor: Survivor) -> None:
    assert survivor.result is not None
    found = best_recipe(survivor.run_id, tracking_uri=survivor.store)
    again = train(found.recipe, tracking_uri=survivor.store)
    score = again.fit.history[again.fit.best_epoch - 1].val_loss
    assert score == found.trial.score


Refused = Callable[..., str]


@pytest.fixture
def refused(survivor: Survivor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Calls `sweep` with words that it refuses, and gives what it says."""
    monkeypatch.chdir(survivor.folder)

    def call(*words: str, code: int) -> str:
        assert main(["sweep", *words, "--tracking-uri", "mlruns"]) == code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return said.err

    return call


def test_a_finished_sweep_is_not_resumed_unless_for_more(survivor: Survivor, refused: Refused) -> None:
    said = refused("--resume", survivor.run_id, code=2)
    assert f"the sweep {survivor.run_id} has all of its {TRIALS} trials" in said
    assert f"--set sweep.max_trials={TRIALS + 20}" in said


def test_only_a_sweep_is_resumed(survivor: Survivor, refused: Refused) -> None:
    assert survivor.result is not None
    trial = survivor.result.trials[1].run_id
    said = refused("--resume", trial, code=2)
    assert (
        f"the run {trial} is not a sweep, but one of its trials; the sweep that it belongs to is {survivor.run_id}"
        in said
    )
    assert f"the run {trial} is not a sweep" in refused("--best", trial, code=2)
    assert "there is no run 0123456789" in refused("--resume", "0123456789", code=1)
    record = survivor.tracked.start("small_forecast", name="a training", tags={})
    record.end("FINISHED")
    assert f"the run {record.run_id} is not a sweep, but a training" in refused("--resume", record.run_id, code=2)


def test_a_sweep_is_resumed_with_its_own_recipe_and_data_only(survivor: Survivor, refused: Refused) -> None:
    more = ["--resume", survivor.run_id, "--set", f"sweep.max_trials={TRIALS + 1}"]
    said = refused(*more, "--set", "model.dropout=0.3", code=2)
    assert f"the sweep {survivor.run_id} has another recipe: model.dropout is 0.0 there and 0.3 here" in said
    rows = survivor.folder / "rows.csv"
    before = rows.read_text()
    try:
        ROWS.assign(load=ROWS["load"] + 1).to_csv(rows, index=False)
        assert f"the data of the sweep {survivor.run_id} has changed since it began" in refused(*more, code=2)
    finally:
        rows.write_text(before)


def test_a_sweep_cannot_be_made_smaller_than_it_is(survivor: Survivor, refused: Refused) -> None:
    said = refused("--resume", survivor.run_id, "--set", "sweep.max_trials=2", code=2)
    assert f"has {TRIALS} trials already, more than sweep.max_trials: 2" in said
    section = open_trial_store(survivor.tracked, survivor.run_id).recipe.sweep
    assert section is not None
    assert section.max_trials == TRIALS


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({}, "sweep_complete"),
        ({"sweep.max_trials": 2}, "sweep_too_few_trials"),
        ({"sweep.max_trials": 9, "model.dropout": 0.3}, "sweep_recipe_differs"),
    ],
)
def test_what_cannot_be_resumed_is_refused_by_code(survivor: Survivor, overrides: dict[str, Any], code: str) -> None:
    with pytest.raises(ArgumentError) as error:
        resume_sweep(survivor.run_id, overrides=overrides, tracking_uri=survivor.store)
    assert error.value.code == code
    assert survivor.run_id in str(error.value)


def test_a_trial_is_refused_by_code_where_a_sweep_is_asked_for(survivor: Survivor) -> None:
    assert survivor.result is not None
    with pytest.raises(ArgumentError) as error:
        best_recipe(survivor.result.trials[1].run_id, tracking_uri=survivor.store)
    assert error.value.code == "not_a_sweep"


def test_of_two_runs_of_a_trial_the_one_that_came_to_something_counts(survivor: Survivor) -> None:
    tracked = survivor.tracked
    tags = {"sweep.kind": "trial", "sweep.trial": "2", "sweep.state": "running", "sweep.asked_at": "1"}
    twin = tracked.start("small_forecast", name="2: twin", tags=tags | {"sweep.values": "{}"}, parent=survivor.run_id)
    tracked.client.set_tag(twin.run_id, "sweep.oracle", "{}")
    try:
        assert open_trial_store(tracked, survivor.run_id).entries[2].trial.state == "finished"
    finally:
        tracked.client.delete_run(twin.run_id)


def test_a_sweep_that_is_under_way_is_not_resumed(survivor: Survivor, refused: Refused) -> None:
    tracked = survivor.tracked
    before = tracked.client.get_run(survivor.run_id).data.tags
    other = psutil.Process(os.getpid()).parent()
    assert other is not None
    began = f"{other.create_time():.2f}"
    for key, value in {"sweep.process": str(other.pid), "sweep.process_began": began}.items():
        tracked.client.set_tag(survivor.run_id, key, value)
    try:
        said = refused("--resume", survivor.run_id, "--set", f"sweep.max_trials={TRIALS + 1}", code=1)
        assert f"the sweep {survivor.run_id} is still run by process {other.pid} on this machine" in said
    finally:
        for key in ("sweep.process", "sweep.process_began"):
            tracked.client.set_tag(survivor.run_id, key, before[key])


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["sweep.yaml", "--out", "best.yaml"], "error[invalid_option]: --out is the file of --best. Add --best RUN", 2),
        (["sweep.yaml", "--workers", "0"], "a sweep needs at least one worker. Received: 0", 2),
        ([], "name a RECIPE to sweep, a run to --resume, or one whose --best recipe to write", 2),
        (["so_far.yaml"], "has no `sweep` section", 2),
    ],
)
def test_a_wrong_call_is_told(words: list[str], said: str, code: int, refused: Refused) -> None:
    assert said in refused(*words, code=code)


class Watch(Silent):
    """Writes down what is said, and does something when a trial has ended or is running."""

    def __init__(
        self,
        *,
        on_trial: Callable[[Trial], None] = lambda trial: None,
        on_status: Callable[[Status], None] = lambda status: None,
    ) -> None:
        self.said: list[str] = []
        self.told, self.stood = on_trial, on_status

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_trial(self, trial: Trial, best: bool) -> None:
        self.told(trial)

    def on_status(self, status: Status) -> None:
        self.stood(status)


@pytest.mark.slow
def test_a_killed_worker_has_a_second_try_and_no_third(tmp_path: Path) -> None:
    times = {2: 1, 3: 2}  # how often the process of a trial is killed
    killed: list[int] = []

    def kill(status: Status) -> None:
        for each in status.running:
            if each.epoch and times.get(each.trial.number, 0) and each.process not in killed:
                times[each.trial.number] -= 1
                killed.append(each.process)
                os.kill(each.process, signal.SIGKILL)

    watch = Watch(on_status=kill)
    found = sweep(swept(max_trials=4), data=ROWS, workers=2, tracking_uri=str(tmp_path / "mlruns"), reporter=watch)
    assert len(killed) == 3
    assert [trial.state for trial in found.trials] == ["finished", "finished", "failed", "finished"]
    reason = "its process was ended by SIGKILL; perhaps memory ran out, 2 times"
    assert found.trials[2].reason == reason
    once = [text for text in watch.said if "tried once more" in text]
    assert [text.partition(":")[0] for text in sorted(once)] == ["trial 2", "trial 3"]
    tracked = open_tracking(str(tmp_path / "mlruns"))
    runs = {int(run.data.tags["sweep.trial"]): run for run in runs_below(tracked, found.run_id)}
    assert steps(tracked, runs[2]) == list(range(1, EPOCHS + 1))
    assert runs[3].info.status == "FAILED"
    assert runs[3].data.tags["error"] == reason


@pytest.mark.slow
def test_data_that_goes_away_stops_the_sweep_at_once_with_the_true_error(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    recipe = swept()
    recipe["data"]["source"] = str(tmp_path / "rows.csv")
    recipe["training"]["epochs"] = 1
    store = str(tmp_path / "mlruns")
    watch = Watch(on_trial=lambda trial: (tmp_path / "rows.csv").unlink(missing_ok=True))
    with pytest.raises(DataError, match=r"^trial 2 with model\.encoder_units=\[.*cannot be run: .*rows\.csv"):
        sweep(recipe, workers=1, tracking_uri=store, reporter=watch)
    tracked = open_tracking(store)
    (run_id,) = tracked.runs()["run"]
    run = tracked.client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert "rows.csv" in run.data.tags["error"]
    assert len(runs_below(tracked, run_id)) == 2


@pytest.mark.slow
def test_a_bug_stops_the_sweep_with_its_traceback(tmp_path: Path) -> None:
    recipe = resolve(swept(), {"training.epochs": 1})
    assert recipe.sweep is not None
    section = recipe.sweep.model_copy(update={"objective": Objective(metric="val_unheard_of", direction="min")})
    store = str(tmp_path / "mlruns")
    with pytest.raises(
        SweepError, match=r"trial 1 with .*: KeyError: 'val_unheard_of'\. The sweep was stopped"
    ) as error:
        sweep(recipe.model_copy(update={"sweep": section}), data=ROWS, workers=1, tracking_uri=store)
    assert "Traceback" in str(error.value.__cause__)
    assert "in score_of" in str(error.value.__cause__)


@pytest.mark.slow
def test_if_no_trial_finishes_the_reasons_are_told(tmp_path: Path) -> None:
    space = {"model.encoder_units": UNITS["model.encoder_units"]}
    recipe = resolve(swept(max_trials=2, space=space), {"training.learning_rate": 1e30})
    with pytest.raises(SweepError, match=r"none of the 2 trials has finished\n  2x the training loss became nan"):
        sweep(recipe, data=ROWS, workers=2, tracking_uri=str(tmp_path / "mlruns"))
    tracked = open_tracking(str(tmp_path / "mlruns"))
    (run_id,) = tracked.runs()["run"]
    with pytest.raises(SweepError, match=r"no trial of the sweep .* has finished\n  2x the training loss became nan"):
        best_recipe(run_id, tracking_uri=str(tmp_path / "mlruns"))


@pytest.mark.slow
def test_when_time_is_over_the_running_trials_are_finished(tmp_path: Path) -> None:
    store = str(tmp_path / "mlruns")
    began = time.monotonic()
    found = sweep(swept(max_minutes=0.03, max_trials=50), data=ROWS, workers=1, tracking_uri=store)
    assert time.monotonic() - began > 0.03 * 60
    assert found.ended == "max_minutes"
    assert {trial.state for trial in found.trials} == {"finished"}
    assert 1 <= len(found.trials) < 5
    assert found.winner is not None
