"""Deferred SIGINT, for what must not be interrupted in the middle: a fit, a sweep."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noticing_ctrl_c(pressed: threading.Event) -> Iterator[None]:
    """The first Ctrl-C is noted and takes effect between two batches; a second one takes effect at once.

    Python raises KeyboardInterrupt wherever it happens to be, also in a finalizer or a foreign callback that swallows it.
    Outside the main thread, or where the interrupt is ignored or handled by somebody else, nothing is changed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
