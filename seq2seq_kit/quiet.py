"""Importing TensorFlow without its start-up messages, and without what Keras imports for others.

TensorFlow writes to file descriptor 2 from C++ while it loads, whatever `TF_CPP_MIN_LOG_LEVEL` says. The command line imports
it through this module; if the import fails, the suppressed output is shown.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_kit.processes import is_own

# Keras looks for these when it is imported, for wrappers and galleries of images that the kit has no use for, and does without
# where they are not installed. They are a fifth of its import (2 of 10 s); the kit itself imports them where it needs them.
_NOT_FOR_KERAS = ("sklearn", "matplotlib")


def load_tensorflow() -> None:
    """Imports TensorFlow and Keras and runs a first operation, without output on standard error."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with held_back():
        import_keras()
        import tensorflow as tf

        tf.zeros(1) + 1  # the first operation looks for devices and logs those that are missing


def import_keras() -> None:
    """Imports Keras; in a process that is the kit's own without scikit-learn and matplotlib, which are found again afterwards."""
    hidden = [each for each in _NOT_FOR_KERAS if is_own() and each not in sys.modules]
    for each in hidden:
        sys.modules[each] = None  # type: ignore[assignment]  # "not installed", as Python's documentation has it
    try:
        import keras  # noqa: F401
    finally:
        for each in hidden:
            del sys.modules[each]


@contextmanager
def held_back(*, shown: bool = True) -> Iterator[None]:
    """Captures output on file descriptor 2 and shows it only if the block fails; without `shown` not then either."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            sink.seek(0)
            os.write(kept, sink.read() if shown else b"")
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
