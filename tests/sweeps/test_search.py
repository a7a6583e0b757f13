"""A tuner that waits for nothing is an error, one whose answer is older than the last score is asked again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_kit.errors import SweepError
from seq2seq_kit.sweeps.search import Search


class Waiting:
    """A tuner that has nothing to give."""

    asked = 0

    def ask(self) -> str:
        self.asked += 1
        return "wait"


def idle_search(tuner: Any) -> Any:
    """A search with a free worker, trials behind it and nothing under way."""
    search: Any = Search.__new__(Search)
    search.tuner, search.busy, search.waiting, search.total = tuner, {}, [], 9
    search.book = SimpleNamespace(pages={1: None, 2: None}, reserve=lambda: 1)
    search.pool, search.pressed = SimpleNamespace(free=1), threading.Event()
    search.sweep, search.began = SimpleNamespace(max_minutes=None), 0.0
    search._asker, search._asking, search._told = ThreadPoolExecutor(1), None, []
    search._tells, search._idle_after_tells = 2, -1
    return search


def test_an_answer_that_may_be_older_than_the_last_score_is_asked_for_again() -> None:
    tuner = Waiting()
    search = idle_search(tuner)
    assert search._fill() is None
    search._tells += 1
    assert search._fill() is None
    assert tuner.asked == 2


def test_a_tuner_that_goes_on_waiting_is_an_error() -> None:
    search = idle_search(Waiting())
    assert search._fill() is None
    with pytest.raises(SweepError, match="the tuner waits for a trial that is not under way"):
        search._fill()
