"""The tuner in a process of its own: importing KerasTuner takes seconds, and a bayesian one thinks for seconds.

It is forked from the server that trials are forked from, which has TensorFlow already, so the first trial need not wait for
either, and the sweep's process listens to trials while the tuner thinks.
"""

from __future__ import annotations

import os
import signal
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from seq2seq_kit.errors import KitError, SweepError
from seq2seq_kit.sweeps.executor import start_process

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from seq2seq_kit.sweeps.tuner import Asked, Tuner


class TunerProcess:
    """A `Tuner` elsewhere: the same methods, asked and answered through a pipe. One thread at a time may call them.

    Args:
        arguments: Of `Tuner`.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._process, self._pipe = start_process(_serve, arguments, named)

    def ask(self) -> Asked | Literal["wait", "done"]:
        """See `Tuner.ask`."""
        asked: Asked | Literal["wait", "done"] = self._call("ask")
        return asked

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        """See `Tuner.tell`."""
        self._call("tell", identity, score, epoch=epoch)

    def replay(self, raw: str) -> Asked:
        """See `Tuner.replay`."""
        asked: Asked = self._call("replay", raw)
        return asked

    def close(self) -> None:
        """Ends the process."""
        with suppress(OSError):
            self._pipe.close()  # it takes this for the end; one that thinks notices later
        try:
            self._process.join(1)
        finally:
            self._process.kill()
            self._process.join()

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        try:
            self._pipe.send((method, arguments, named))
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            raise SweepError(
                "the tuner's process was ended from outside; perhaps memory ran out. Nothing is lost: resume the sweep"
            ) from None
        if kind == "error":
            raise value
        if kind == "broken":
            raise SweepError(f"the tuner met a bug of the kit or of KerasTuner:\n{value}")
        return value


def _serve(pipe: Connection, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """The whole life of the tuner's process: it ends with the pipe, and so with the sweep's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep's process to decide
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    tuner: Tuner | None = None

    def answered(method: str, given: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, Any]:
        nonlocal tuner
        try:
            if tuner is None:
                from seq2seq_kit.sweeps import tuner as oracle

                tuner = oracle.Tuner(*arguments, **named)
            return "answer", getattr(tuner, method)(*given, **options)
        except KitError as error:
            return "error", error
        except Exception:  # also a disk that is full, which is no end of the pipe
            return "broken", traceback.format_exc()

    try:
        while True:
            asked = pipe.recv()
            answer = answered(*asked)
            try:
                pipe.send(answer)
            except OSError:
                raise
            except Exception:  # what cannot travel
                pipe.send(("broken", traceback.format_exc()))
    except (EOFError, OSError):
        pass  # the sweep's end is closed
    finally:
        if tuner is not None:
            tuner.close()
