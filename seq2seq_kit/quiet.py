"""Importing TensorFlow without its start-up messages.

TensorFlow writes to file descriptor 2 from C++ while it loads, whatever `TF_CPP_MIN_LOG_LEVEL` says. The command line imports
it through this module; if the import fails, the suppressed output is shown.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def load_tensorflow() -> None:
    """Imports TensorFlow and Keras and runs a first operation, without output on standard error."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with held_back():
        import keras  # noqa: F401  (imported here so that its first import is the quiet one)
        import tensorflow as tf

        tf.zeros(1) + 1  # the first operation looks for devices and logs those that are missing


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
