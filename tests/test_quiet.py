"""Importing TensorFlow: what a process that is the kit's own leaves out, and what every other one finds as ever."""

import os
import subprocess
import sys

import pytest

from seq2seq_kit.processes import is_own
from tests.conftest import ROOT

# What is registered first with `atexit` runs last.
TOLD = """
import atexit, gc, sys
atexit.register(lambda: print("frozen at the end", gc.get_freeze_count() > 100_000, flush=True))
from seq2seq_kit.processes import begin_own, is_own
if {own}:
    begin_own()
from seq2seq_kit.quiet import load_tensorflow
load_tensorflow()
print("own", is_own(), [each for each in ("sklearn", "matplotlib") if each in sys.modules])
import keras, matplotlib.pyplot, sklearn.linear_model
print(keras.Sequential([keras.layers.LSTM(2)])(keras.ops.zeros((1, 3, 1))).shape)
print(sklearn.linear_model.Ridge().fit([[0.0], [1.0]], [0.0, 1.0]).coef_[0] > 0, matplotlib.pyplot.figure() is not None)
"""


def told(*, own: bool) -> list[str]:
    """What a fresh process prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    command = [sys.executable, "-c", TOLD.format(own=own)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_process_of_its_own_leaves_out_what_keras_imports_for_others_and_ends_at_once() -> None:
    assert told(own=True) == ["own True []", "(1, 2)", "True True", "frozen at the end True"]


@pytest.mark.slow
def test_a_process_of_somebody_else_is_left_as_it_is() -> None:
    assert told(own=False) == ["own False ['sklearn', 'matplotlib']", "(1, 2)", "True True", "frozen at the end False"]


def test_the_process_of_a_caller_is_not_the_kits_own() -> None:
    assert not is_own()
