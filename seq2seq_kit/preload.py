"""What the server that trials are forked from imports once, so that a trial begins at once in a fresh process.

Importing TensorFlow starts no thread (measured: one thread after it), so a process may be forked from one that has done no more
than that. Nothing here may run an operation.
"""

import gc
import os
from importlib import import_module

from seq2seq_kit.processes import begin_own, killed_with_parent
from seq2seq_kit.quiet import held_back, import_keras

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _load() -> None:
    # A server that serves ends with its sweep by itself; one that is importing would notice only seconds later.
    killed_with_parent()
    with held_back():
        import_keras()
        import seq2seq_kit.models
        import seq2seq_kit.training.fit  # noqa: F401
        from seq2seq_kit.kernels.compiling import library
        from seq2seq_kit.tasks.registry import SPECS

        for spec in SPECS:
            import_module(f"seq2seq_kit.tasks.{spec.job.partition(':')[0]}")
        library()
    killed_with_parent(0)  # now Python's own server watches, and the thread that started this one may end


begin_own()
_load()
gc.collect()
gc.freeze()  # a trial's garbage collector need not walk over TensorFlow, nor copy its pages by doing so
