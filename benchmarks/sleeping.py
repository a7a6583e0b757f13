"""A sweep on Ray whose trials only sleep and tell: what the process that runs it, and the MLflow store, bear.

Called by `sweep.py --sleeping WORKERS`. Each trial tells an epoch every three seconds, 20 of them, and the share that is done
twice a second, as a real one does. Everything else is the kit's: search, tuner, executor and store.

Two hundred workers are two hundred processes of Ray, more than a small machine starts. With `--actors N` so many take the place
of all, each as much faster: the driver hears as many messages a second, the store gets as many epochs and trials.
"""

import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Outcome
from seq2seq_kit.executing.ray_executor import RayExecutor
from seq2seq_kit.executing.ray_worker import About, Reply, versions
from seq2seq_kit.processes import machine
from seq2seq_kit.training.fit import Epoch, Fit

EPOCHS, SECONDS, TOLD = 20, 3.0, 0.5


class Sleeper:
    """A worker whose trials sleep; the methods are those of `ray_worker.Worker`. `speed`: as how many workers."""

    speed = 1.0

    def __init__(self, run: Any, **named: Any) -> None:
        self.began = 0.0
        self.told = 0

    def about(self) -> About:
        import ray

        return About("here", machine(), ray.get_runtime_context().get_node_id(), versions(), "")

    def call(self, task: Any, shared: Any, *, stop: bool = False) -> Reply:
        if task is not None:
            self.began, self.told = time.monotonic(), 0
        time.sleep(TOLD / self.speed)
        passed = (time.monotonic() - self.began) * self.speed
        number = int(passed / SECONDS)
        if number > self.told:
            self.told += 1
            messages: list[Any] = [EpochEnded(1, self.epoch(self.told))]
            if self.told == EPOCHS:
                history = [self.epoch(each) for each in range(1, EPOCHS + 1)]
                fit = Fit(history, best_epoch=EPOCHS, ended="epochs", seconds=passed)
                messages.append(Outcome(history[-1].val_loss, EPOCHS, [fit], passed, 0))
            return Reply(0, messages)
        return Reply(0, [BatchBegan(1, self.told + 1, EPOCHS, passed / (EPOCHS * SECONDS))])

    def end(self) -> None: ...

    def epoch(self, number: int) -> Epoch:
        # The moment at which it ended travels as a figure of the epoch.
        return Epoch(number, EPOCHS, 1.0 / number, 1.0 / number, 0.001, SECONDS, 1.0, {"val_at": time.time()})


def report_sleeping(recipe: dict[str, Any], workers: int, trials: int, actors: int) -> None:
    """One sweep of so many trials; prints a row of a table."""
    from seq2seq_kit.recipe.sweep import knobs
    from seq2seq_kit.recipe.sweep_space import default_values, section_of
    from seq2seq_kit.sweeps import preparation
    from seq2seq_kit.sweeps.search import Search
    from seq2seq_kit.sweeps.status import Silent
    from seq2seq_kit.sweeps.trial_store import TrialStore
    from seq2seq_kit.sweeps.tuner_process import TunerProcess
    from seq2seq_kit.tracking.client import open_tracking
    from seq2seq_kit.validation import resolve

    space = {"training.learning_rate": {"float": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"}}}
    made = resolve({**recipe, "sweep": {"tuner": "random", "max_trials": trials, "space": space}})
    lags: list[float] = []

    class Store(TrialStore):
        def epoch(self, entry: Any, number: int, epoch: Epoch) -> None:
            super().epoch(entry, number, epoch)
            lags.append(time.time() - epoch.metrics["val_at"])

    class Ends(Silent):
        def on_trial(self, trial: Any, best: bool) -> None:
            ends.append(time.perf_counter())

    ends: list[float] = []
    began = time.perf_counter()
    executor = RayExecutor(  # whose workers take next to no CPU
        actors,
        address=None,
        run=None,  # type: ignore[arg-type]
        smaller="",
        say=print,
        default=4,
        kind=type("Sleeper", (Sleeper,), {"speed": workers / actors}),
        cpus=0.01,
    )
    while executor.free < actors:
        list(executor.wait(0.5))
    ready = time.perf_counter() - began
    preparation.Place.open = lambda *_: executor  # type: ignore[assignment, method-assign]
    with tempfile.TemporaryDirectory() as folder:
        tracking = open_tracking(f"{folder}/mlruns")
        setup = preparation.prepare(made, None, preparation.Place(), Ends())
        section = section_of(made)
        store = Store.begin(tracking, made, default_values(made, knobs(section)), digest=setup.digest, tags={})
        tuner = TunerProcess(section, knobs(section), seed=0, epochs=EPOCHS, known=store.defaults)
        own, began = psutil.Process(), time.perf_counter()
        used = sum(own.cpu_times()[:2])
        with closing(tuner):
            Search(store, tuner, setup, folder=Path(folder), interrupted=threading.Event()).run()
        seconds = ends[-1] - began
        cores = (sum(own.cpu_times()[:2]) - used) / seconds
    lags.sort()
    heads = ["to begin, s", "epochs stored a second", "lag of an epoch, s: median, 99 %", "cores of the driver", "busy"]
    print(f"| workers | actors | trials | {' | '.join(heads)} |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    busy = trials * EPOCHS * SECONDS / (seconds * workers)
    shown = f"{len(lags) / seconds:.0f} | {lags[len(lags) // 2]:.2f}, {lags[int(len(lags) * 0.99)]:.2f} | {cores:.2f}"
    print(f"| {workers} | {actors} | {trials} | {ready:.0f} | {shown} | {busy:.0%} |", flush=True)
