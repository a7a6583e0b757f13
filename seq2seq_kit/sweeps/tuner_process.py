"""The tuner in a process of its own, and the thread that talks to it: trials are heard while a tuner computes.

Importing KerasTuner takes seconds, and so does a choice of the bayesian tuner. The process is forked from the server that trials
are forked from, which has imported TensorFlow, so the first trial need not wait for either.
"""

from __future__ import annotations

import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.errors import KitError, SweepError
from seq2seq_kit.executing.executor import start_process
from seq2seq_kit.processes import end_with_parent, use_folder
from seq2seq_kit.sweeps.tuner import Answer, Suggestion, Tuner

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_QUICK_SECONDS = 0.05  # how long an answer is waited for before trials are listened to again


class TunerProcess:
    """A `Tuner` in another process, with the same methods. Only one thread at a time may call them.

    Args:
        arguments: Of `Tuner`.

    Attributes:
        notes: See `Tuner`; up to date after each call.
    """

    def __init__(self, *arguments: object, **named: object) -> None:
        self.notes: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="seq2seq-kit-tuner-")
        self._process, self._pipe = start_process(_serve, Path(self._folder.name), arguments, named)

    def ask(self) -> Answer:
        """See `Tuner.ask`."""
        answer = self._call("ask")
        if isinstance(answer, Suggestion):
            return answer
        return "wait" if answer == "wait" else "done"

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        """See `Tuner.tell`."""
        self._call("tell", identity, score, epoch=epoch)

    def replay(self, raw: str) -> Suggestion:
        """See `Tuner.replay`."""
        answer = self._call("replay", raw)
        assert isinstance(answer, Suggestion)
        return answer

    def close(self) -> None:
        """Ends the process."""
        with suppress(OSError):
            self._pipe.close()  # it takes this for the end; one that computes notices later
        try:
            self._process.join(1)
        finally:
            self._process.kill()
            self._process.join()
            self._folder.cleanup()  # here, as one that was killed could not

    def _call(self, method: str, *arguments: object, **named: object) -> object:
        try:
            self._pipe.send((method, arguments, named))
            kind, value, self.notes = self._pipe.recv()
        except (EOFError, OSError):
            raise SweepError(
                "the tuner's process was ended from outside; perhaps memory ran out. Nothing is lost: resume the sweep",
                code="tuner_killed",
            ) from None
        if kind == "error":
            raise value
        if kind == "broken":
            raise SweepError(f"the tuner met a bug of the kit or of KerasTuner:\n{value}", code="tuner_bug")
        return value


class TunerThread:
    """Calls a tuner in a thread of its own, in the order of the calls.

    Args:
        tuner: Is closed with this.
        reserve: Gives the next place in the journal of questions and answers.
    """

    def __init__(self, tuner: TunerProcess, reserve: Callable[[], int]) -> None:
        self.tuner = tuner
        self._reserve, self._thread = reserve, ThreadPoolExecutor(1, "tuner")
        self._pending: tuple[int, Future[Answer]] | None = None
        self._unheard: list[Future[None]] = []  # scores that the tuner is being told
        self._tells = self._notes = 0
        self._idle_after_tells = -1  # scores told when it last said that it waits, and no trial was running

    @property
    def computes(self) -> bool:
        """Whether a question is not answered yet."""
        return self._pending is not None

    def ask(self) -> tuple[int, Answer]:
        """The tuner's next values with their place in the journal; `wait` also while it computes.

        The place is that of the question, so the journal has questions and scores in the order in which the tuner gets them.
        """
        if self._pending is None:
            self._pending = self._reserve(), self._thread.submit(self.tuner.ask)
        at, question = self._pending
        try:
            answer = question.result(timeout=_QUICK_SECONDS)
        except TimeoutError:
            return at, "wait"
        self._pending = None
        return at, answer

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        """See `Tuner.tell`; an error is raised by `check`."""
        self._tells += 1
        self._unheard.append(self._thread.submit(self.tuner.tell, identity, score, epoch=epoch))

    def check(self, *, wait: bool = False) -> None:
        """Raises the errors of scores that were told; with `wait` once the tuner has heard all of them."""
        while self._unheard and (wait or self._unheard[0].done()):
            self._unheard.pop(0).result()

    def new_notes(self) -> list[str]:
        """Notes of the tuner that were not returned before."""
        new = self.tuner.notes[self._notes :]
        self._notes += len(new)
        return new

    def require_progress(self) -> None:
        """To be called when the tuner waits although no trial is running.

        Its answer may be older than the last score; then it is asked once more.

        Raises:
            SweepError: It waits again.
        """
        if self._pending is not None or self._unheard:
            return
        if self._idle_after_tells == self._tells:
            raise SweepError(
                "the tuner waits for a trial that is not running. Resume the sweep; if this happens again, begin a new one",
                code="tuner_stuck",
            )
        self._idle_after_tells = self._tells

    def close(self) -> None:
        """Ends the tuner; one that computes is not waited for."""
        self.tuner.close()
        self._thread.shutdown(cancel_futures=True)


def _serve(pipe: Connection, folder: Path, arguments: tuple[object, ...], named: dict[str, object]) -> None:
    """The whole life of the tuner's process: it ends with the pipe, and in the middle of a choice with the sweep's process."""
    end_with_parent()
    use_folder(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep's process to decide
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    tuner: Tuner | None = None

    def answer_to(method: str, given: tuple[object, ...], options: dict[str, object]) -> tuple[str, object, list[str]]:
        nonlocal tuner
        try:
            if tuner is None:
                tuner = Tuner(*arguments, **named)  # type: ignore[arg-type]
            return "answer", getattr(tuner, method)(*given, **options), tuner.notes
        except KitError as error:
            return "error", error, []
        except Exception:  # also a disk that is full, which is no end of the pipe
            return "broken", traceback.format_exc(), []

    try:
        while True:
            answer = answer_to(*pipe.recv())
            try:
                pipe.send(answer)
            except OSError:
                raise
            except Exception:  # what cannot travel
                pipe.send(("broken", traceback.format_exc(), []))
    except (EOFError, OSError):
        pass  # the sweep's end is closed
    finally:
        if tuner is not None:
            tuner.close()
