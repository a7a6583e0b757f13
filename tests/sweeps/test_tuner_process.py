"""The tuner in a process of its own answers as it does here, and its end is an error with a way on."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from seq2seq_kit.errors import SweepError
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values
from seq2seq_kit.sweeps.tuner import Suggestion, Tuner
from seq2seq_kit.sweeps.tuner_process import TunerProcess
from tests.sweeps.test_tuner import FEW, swept


def arguments(tuner: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    recipe = swept(tuner, FEW)
    found = knobs(recipe.sweep)
    return (recipe.sweep, found), {"seed": 3, "epochs": 4, "known": default_values(recipe, found)}


@pytest.fixture
def elsewhere() -> Iterator[TunerProcess]:
    given, named = arguments("bayesian")
    tuner = TunerProcess(*given, **named)
    yield tuner
    tuner.close()


def test_it_answers_as_the_tuner_itself(elsewhere: TunerProcess) -> None:
    given, named = arguments("bayesian")
    here = Tuner(*given, **named)
    for number in range(5):
        there, own = elsewhere.ask(), here.ask()
        assert isinstance(there, Suggestion)
        assert isinstance(own, Suggestion)
        assert there.values == own.values
        elsewhere.tell(there.identity, 1.0 / (number + 1), epoch=1)
        here.tell(own.identity, 1.0 / (number + 1), epoch=1)
    here.close()


def test_its_errors_come_through(elsewhere: TunerProcess) -> None:
    with pytest.raises(SweepError, match=r"(?s)the tuner met a bug of the kit or of KerasTuner:\n.*KeyError: 'nobody'"):
        elsewhere.tell("nobody", 1.0)
    assert isinstance(elsewhere.ask(), Suggestion)  # and it is there all the same


def test_an_answer_that_cannot_travel_is_told_and_no_end(elsewhere: TunerProcess) -> None:
    with pytest.raises(SweepError, match=r"(?s)met a bug.*(cannot|Can't) (pickle|get local object)"):
        elsewhere._call("__getattribute__", "ask")  # a method, with all of KerasTuner's objects behind it
    assert isinstance(elsewhere.ask(), Suggestion)


def test_a_tuner_that_was_killed_is_told_with_the_way_on(elsewhere: TunerProcess) -> None:
    elsewhere.ask()
    assert elsewhere._process.pid is not None
    os.kill(elsewhere._process.pid, signal.SIGKILL)
    with pytest.raises(
        SweepError, match=r"ended from outside; perhaps memory ran out\. Nothing is lost: resume the sweep"
    ):
        elsewhere.ask()


def test_it_ends_with_its_sweep() -> None:
    given, named = arguments("random")
    tuner = TunerProcess(*given, **named)
    tuner.ask()
    pid = tuner._process.pid
    assert pid is not None
    tuner._pipe.close()  # all that a killed sweep does
    until = time.time() + 10
    while time.time() < until and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    tuner.close()


class Full:
    """A sweep section at which the disk is full."""

    tuner = "random"

    @property
    def metric(self) -> str:
        raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_is_not_taken_for_a_killed_process() -> None:
    tuner = TunerProcess(Full(), [], seed=0, epochs=1)
    with pytest.raises(SweepError, match=r"(?s)met a bug.*OSError: \[Errno 28\] No space left on device"):
        tuner.ask()
    tuner.close()
