"""What a process leaves when it is killed is cleared away: its files by the next one, its children by themselves."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from seq2seq_kit.processes import began, is_alive
from tests.conftest import ROOT

KEEP = """
import sys, tempfile
from seq2seq_kit.processes import keep_own_folder, shared_folder
keep_own_folder()
tempfile.mkdtemp()
print(shared_folder(), tempfile.gettempdir(), flush=True)
sys.stdin.read()
"""


def keeping(folder: Path, code: str = KEEP) -> subprocess.Popen[str]:
    """A process whose temporary folder is `folder`."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def left_of(family: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those that still run after so many seconds, which are then killed; a zombie has ended."""
    until = time.monotonic() + seconds
    left = family
    while left and time.monotonic() < until:
        left = [each for each in left if each.is_running() and is_alive(each.pid, each.create_time())]
        time.sleep(0.1)
    for each in left:
        with suppress(psutil.Error):
            each.kill()
    return left


@pytest.fixture
def shared() -> Iterator[Path]:
    """A temporary folder with a short name, as they have; those of pytest's workers are too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="t", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_process_is_alive_until_it_ends_and_another_one_of_its_id_is_not_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start = psutil.Process(process.pid).create_time()
        assert is_alive(process.pid, start)
        assert not is_alive(process.pid, start - 60)
        process.kill()
        until = time.monotonic() + 10
        while is_alive(process.pid, start) and time.monotonic() < until:
            time.sleep(0.01)
        assert psutil.pid_exists(process.pid)  # a zombie: nobody has asked for its exit status yet
        assert not is_alive(process.pid, start)
    assert is_alive(os.getpid(), began())


def test_temporary_files_go_with_their_process_and_those_of_a_killed_one_with_the_next(shared: Path) -> None:
    (shared / "seq2seq-kit-notes").mkdir()  # of somebody else
    killed = keeping(shared)
    assert killed.stdout is not None
    root, own = killed.stdout.readline().split()
    assert root == str(shared)
    assert re.fullmatch(rf"{re.escape(root)}/seq2seq-kit-{killed.pid}-\d+-[0-9a-f]{{8}}", own)
    living = keeping(shared)
    assert living.stdout is not None
    assert living.stdout.readline()
    assert len(list(shared.iterdir())) == 3  # a living one's folder is left to it
    killed.kill()
    killed.communicate()
    third = keeping(shared)
    third.communicate()
    assert sorted(path.name.count("-") for path in shared.iterdir()) == [2, 4]
    living.communicate()
    assert [path.name for path in shared.iterdir()] == ["seq2seq-kit-notes"]


@pytest.mark.parametrize("first", ["kit", "library"])
def test_the_folder_is_removed_after_what_multiprocessing_has_in_it(first: str, shared: Path) -> None:
    """Whichever of the two was there first; the other way round it ends in a traceback."""
    steps = ["from seq2seq_kit.processes import keep_own_folder\nkeep_own_folder()", "import multiprocessing.util"]
    steps = [*(steps if first == "kit" else steps[::-1]), "print(multiprocessing.util.get_temp_dir())"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(shared)}
    command = [sys.executable, "-c", "\n".join(steps)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert Path(done.stdout.strip()).parent.parent == shared
    assert done.stderr == ""
    assert not list(shared.iterdir())


def test_a_temporary_folder_too_deep_for_sockets_is_used_as_it_is(shared: Path) -> None:
    deep = shared / ("deep" * 20)
    deep.mkdir()
    told, _ = keeping(deep).communicate()
    assert told.split() == [str(deep), str(deep)]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tuner", "trial", "importing"])
def test_a_child_ends_soon_after_its_killed_parent_whatever_it_does(target: str, shared: Path) -> None:
    code = """
import sys, time
from seq2seq_kit.processes import keep_own_folder
keep_own_folder()
from seq2seq_kit.executing import executor
from tests.test_processes import busy
if sys.argv[0] != "importing":
    process, pipe = executor.start_process(busy)
    print(process.pid, pipe.recv(), flush=True)
else:
    executor.start_server()
    print("0", flush=True)
time.sleep(60)
""".replace("sys.argv[0]", repr(target))
    parent = keeping(shared, code)
    assert parent.stdout is not None
    assert parent.stdout.readline()
    family = psutil.Process(parent.pid).children(recursive=True)
    assert family
    parent.kill()
    parent.communicate()
    assert not left_of(family, seconds=4)


def busy(pipe: object) -> None:
    """Computes for ever and hears nothing, as a tuner does in the middle of a choice."""
    from seq2seq_kit.processes import end_with_parent

    end_with_parent()
    pipe.send("begun")  # type: ignore[attr-defined]
    while True:
        sum(range(10_000))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_ui_leaves_no_server_however_it_is_ended(
    number: int, shared: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, "-u", "-m", "seq2seq_kit", "ui"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(shared)}
    # Under nohup the tests ignore SIGHUP, a process inherits that, and the kit leaves it so.
    request.addfinalizer(partial(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL)))
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert any("Ctrl-C ends it" in line for line in process.stdout)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        process.send_signal(number)
        assert not left_of(family, seconds=8)
        assert process.wait(10) == (-9 if number == signal.SIGKILL else 130)
    assert bool(list(shared.iterdir())) is (number == signal.SIGKILL)


@pytest.mark.slow
# More than Python's buffer holds, and less, which Python would try to write once more at its end.
@pytest.mark.parametrize("words", [["schema"], ["list", "data"]], ids=" ".join)
def test_output_that_cannot_be_written_is_an_error(words: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, the device whose every write fails for want of space; this system has none")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "seq2seq_kit", *words]
        own = os.environ | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT, env=own)
    assert done.returncode == 2
    assert done.stderr.startswith("error[unwritable_file]: could not write to standard output")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
