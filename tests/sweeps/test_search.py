"""A tuner that waits for nothing is an error, one whose answer is older than the last score is asked again."""

from collections.abc import Iterator
from typing import Any

import pytest

from seq2seq_kit.errors import SweepError
from seq2seq_kit.sweeps.tuner_process import TunerThread


class Waiting:
    """A tuner that has nothing to give."""

    def __init__(self) -> None:
        self.asked = 0
        self.scores: list[float | None] = []
        self.notes = ["a note"]

    def ask(self) -> str:
        self.asked += 1
        return "wait"

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        if identity == "nobody":
            raise SweepError("there is no such trial")
        self.scores.append(score)

    def close(self) -> None: ...


@pytest.fixture
def waiting() -> Iterator[tuple[Waiting, TunerThread]]:
    given: Any = Waiting()
    thread = TunerThread(given, lambda: 7)
    yield given, thread
    thread.close()


def ask(thread: TunerThread) -> None:
    """What a search without running trials does when it has a free worker."""
    while True:
        at, answer = thread.ask()
        assert (at, answer) == (7, "wait")
        if not thread.computes:
            break
    thread.require_progress()


def test_an_answer_that_may_be_older_than_the_last_score_is_asked_for_again(
    waiting: tuple[Waiting, TunerThread],
) -> None:
    tuner, thread = waiting
    ask(thread)
    thread.tell("0", 0.5)
    thread.check(wait=True)
    ask(thread)
    assert tuner.asked == 2
    assert tuner.scores == [0.5]


def test_a_tuner_that_goes_on_waiting_is_an_error(waiting: tuple[Waiting, TunerThread]) -> None:
    _, thread = waiting
    ask(thread)
    with pytest.raises(SweepError) as error:
        ask(thread)
    assert error.value.code == "tuner_stuck"


def test_an_error_of_a_score_that_was_told_is_raised(waiting: tuple[Waiting, TunerThread]) -> None:
    _, thread = waiting
    thread.tell("nobody", 0.5)
    with pytest.raises(SweepError, match="there is no such trial"):
        thread.check(wait=True)


def test_a_note_is_new_once(waiting: tuple[Waiting, TunerThread]) -> None:
    tuner, thread = waiting
    assert thread.new_notes() == ["a note"]
    tuner.notes = [*tuner.notes, "another"]
    assert thread.new_notes() == ["another"]
    assert thread.new_notes() == []
