"""The kernel is compiled once, kept where only its user may write, and its absence is explained."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from seq2seq_kit.kernels.compiling import SWITCH, Library, cache_folder, library
from tests import forked

# A compiler of this project, by the name of a file and of the operation that it leaves out.
FORGETFUL = """
import pathlib, subprocess, sys
own = sys.argv[3:]
place = next(place for place, word in enumerate(own) if word.endswith("recurrent.c"))
source = pathlib.Path(own[place])
lines = source.read_text().splitlines()
kept = [line for line in lines if not line.lstrip().startswith(f'define("{sys.argv[2]}"')]
assert len(kept) == len(lines) - 1
pathlib.Path(sys.argv[1]).write_text("\\n".join(kept))
own[place] = sys.argv[1]
sys.exit(subprocess.run(["cc", f"-I{source.parent}", *own]).returncode)
"""
LAYER = """
import keras, numpy as np
from seq2seq_kit.models.acceleration import accelerate, kernel_of
layer = keras.layers.LSTM(3, return_sequences=True)
x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
expected = layer(x)
np.testing.assert_array_equal(accelerate(layer)(x), expected)
print(kernel_of(layer).name, kernel_of(layer).reason)
"""
ASK = """
import tensorflow as tf
from seq2seq_kit.kernels.compiling import library
found = library()
print(found.reason or [name for name in dir(found.operations) if name.startswith("seq2seq") and name.endswith("_grad")])
"""


def asked(tmp_path: Path, **environment: str) -> str:
    """What a fresh process with a cache of its own finds."""
    own = os.environ | {"XDG_CACHE_HOME": str(tmp_path)} | environment
    ran = forked.run([sys.executable, "-c", ASK], env=own, check=True)
    return ran.stdout.strip()


@pytest.mark.slow
def test_it_is_compiled_once_and_found_again(tmp_path: Path) -> None:
    expected = "['seq2seq_kit_recurrent_grad']"
    assert asked(tmp_path) == expected
    (kept,) = (tmp_path / "seq2seq_kit").iterdir()
    assert kept.suffix == ".so"
    assert kept.stat().st_mode & 0o777 == 0o700
    written = kept.stat().st_mtime_ns
    # A compiler of the same name that fails would be noticed if it were called.
    assert asked(tmp_path) == expected
    assert kept.stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_kept_library_that_was_cut_short_is_compiled_again(tmp_path: Path) -> None:
    expected = asked(tmp_path)
    (kept,) = (tmp_path / "seq2seq_kit").iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-1] + b"x"):
        kept.write_bytes(damaged)
        assert asked(tmp_path) == expected
        (kept,) = (tmp_path / "seq2seq_kit").iterdir()
        assert len(kept.read_bytes()) == len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["Seq2seqKitRecurrent", "Seq2seqKitRecurrentGrad"])
def test_a_library_that_lacks_an_operation_is_told_and_keras_loop_is_taken(tmp_path: Path, lacking: str) -> None:
    script = tmp_path / "forgetful.py"
    script.write_text(FORGETFUL)
    compiler = shlex.join([sys.executable, str(script), str(tmp_path / "without.c"), lacking])
    own = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "CC": compiler}
    ran = forked.run([sys.executable, "-c", LAYER], env=own, check=True)
    (kept,) = (tmp_path / "seq2seq_kit").iterdir()
    name = {"Seq2seqKitRecurrent": "seq2seq_kit_recurrent", "Seq2seqKitRecurrentGrad": "seq2seq_kit_recurrent_grad"}
    assert ran.stdout.strip() == f"loop the compiled kernel {kept} lacks {name[lacking]}; remove it"


@pytest.mark.slow
def test_a_compiler_with_an_open_quote_is_told(tmp_path: Path) -> None:
    assert asked(tmp_path, CC="gcc '").startswith("CC is no command (No closing quotation)")


@pytest.mark.slow
def test_without_a_compiler_the_reason_says_what_to_install(tmp_path: Path) -> None:
    said = asked(tmp_path, PATH=str(tmp_path), CC="")
    assert said == "no C compiler was found for the compiled kernel; install gcc or clang"


@pytest.mark.slow
def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'recurrent.c:1: error: no such thing' >&2\nexit 1\n")
    broken.chmod(0o755)
    said = asked(tmp_path, CC=str(broken))
    assert said == f"{broken} could not compile the kernel (recurrent.c:1: error: no such thing)"
    assert list((tmp_path / "seq2seq_kit").iterdir()) == []


@pytest.mark.slow
def test_a_compiler_may_have_arguments(tmp_path: Path) -> None:
    assert asked(tmp_path, CC="cc -pipe").startswith("['seq2seq_kit")
    assert asked(tmp_path / "other", CC="no-such-compiler -O9").startswith("['seq2seq_kit")  # the one at hand


@pytest.mark.slow
def test_a_user_without_a_home_is_told(tmp_path: Path) -> None:
    script = ASK.replace(
        "import tensorflow as tf",
        "import pathlib\ndef none(*_): raise RuntimeError('no home')\npathlib.Path.home = none",
    )
    own = {key: value for key, value in os.environ.items() if key != "XDG_CACHE_HOME"}
    ran = forked.run([sys.executable, "-c", script], env=own, check=True)
    assert ran.stdout.strip() == "the compiled kernel could not be made or loaded (no home)"


@pytest.mark.slow
def test_a_cache_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "seq2seq_kit").mkdir()
    (tmp_path / "seq2seq_kit").chmod(0o777)
    said = asked(tmp_path)
    assert "others may write to it; set XDG_CACHE_HOME" in said


@pytest.mark.slow
def test_it_can_be_switched_off(tmp_path: Path) -> None:
    assert asked(tmp_path, **{SWITCH: "off"}) == f"the compiled kernel is switched off by {SWITCH}"
    assert not (tmp_path / "seq2seq_kit").exists()


def test_this_machine_has_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests of models are about the kernel; where it could not be compiled they would test Keras."""
    assert library() != Library(None, library().reason)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "seq2seq_kit"
