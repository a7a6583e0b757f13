"""Which processes live, and what must not outlive them: their temporary files, and the processes that they started.

A process id is given again, also after a restart and in another container, so it counts only together with the process's start
and the machine, boot and space of ids that it belongs to.
"""

import atexit
import ctypes
import gc
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import zlib
from contextlib import suppress
from functools import cache
from multiprocessing import parent_process
from pathlib import Path

import psutil

_CLOCK = 5.0  # seconds by which a process's start may seem to move when the clock is set
_LONGEST_FOLDER = 72  # letters; a socket's path may have 107, and those of multiprocessing lie two levels below
_NAME = re.compile(r"(?:seq2seq-kit|s2s)-(\d+)-(\d+)-([0-9a-f]{8})")
_PR_SET_PDEATHSIG = 1
_AFTER_ALL = -1_000  # multiprocessing removes its folder at -100
STARTED_BY = "SEQ2SEQ_KIT_STARTED_BY"  # environment: id of the process that starts another
_shared: list[Path] = []  # the temporary folder of all processes, once this one has its own
_own: list[int] = []  # the id of this process, once it is known to run nothing but the kit


def begin_own() -> None:
    """Says that this process runs nothing but the kit, which therefore starts and ends as fast as Python allows.

    TensorFlow, MLflow and what they bring are some million objects that stay. By default the garbage collector walks over them
    again and again while they are imported (2 of 10 s on the slow machine that this was measured on) and once more at the end,
    to take apart what the system frees in a moment (4 s).
    """
    _own[:] = [os.getpid()]
    gc.set_threshold(20_000, 20, 20)  # a model's trace makes a hundred thousand objects and throws most of them away
    atexit.register(gc.freeze)  # registered first, so it runs last: what is frozen is not looked through


def is_own() -> bool:
    """Whether this process runs nothing but the kit: its command line, or a process that it started."""
    return os.getpid() in _own


@cache
def machine() -> str:
    """Host, its boot and its space of process ids, in which alone an id says anything."""
    parts = [socket.gethostname()]
    try:
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()]
        parts += [str(Path("/proc/self/ns/pid").readlink())]
    except OSError:
        parts += [f"{psutil.boot_time():.0f}"]
    return " ".join(parts)


def began() -> float:
    """When this process began, in seconds since 1970."""
    return psutil.Process().create_time()


def is_alive(pid: int, start: float) -> bool:
    """Whether the process of this machine with this id and this start still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - start) < _CLOCK and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):
        return False


def shared_folder() -> Path:
    """The temporary folder for what is to outlive this process."""
    return _shared[0] if _shared else Path(tempfile.gettempdir())


def keep_own_folder() -> None:
    """Directs this process's temporary files, its children's and its libraries' into a folder of its own.

    It is removed at the end. What a process left that was killed is removed here, by the next one.
    """
    root = Path(tempfile.gettempdir())
    space = f"{zlib.crc32(machine().encode()):08x}"
    for path in root.glob("s*2s*-*"):
        found = _NAME.fullmatch(path.name)
        if found and found[3] == space and not is_alive(int(found[1]), float(found[2])):
            shutil.rmtree(path, ignore_errors=True)  # another user's cannot be, and a link is not followed
    own, pid = root / f"seq2seq-kit-{os.getpid()}-{began():.0f}-{space}", os.getpid()
    if len(str(own)) > _LONGEST_FOLDER:
        return
    try:
        own.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return
    _shared.append(root)
    use_folder(own)
    os.environ["TMPDIR"] = str(own)
    # What libraries keep in the folder is removed first: multiprocessing's by its own finalizers, the others' at exit.
    if util := sys.modules.get("multiprocessing.util"):
        util.Finalize(None, shutil.rmtree, args=(own,), kwargs={"ignore_errors": True}, exitpriority=_AFTER_ALL)
    else:  # registered before theirs, so it runs after them
        atexit.register(lambda: shutil.rmtree(own, ignore_errors=True) if os.getpid() == pid else None)


def brief_folder() -> Path:
    """A folder of this process with a short path, for sockets far below it; removed by the caller, or by the next process."""
    space = f"{zlib.crc32(machine().encode()):08x}"
    folder = shared_folder() / f"s2s-{os.getpid()}-{began():.0f}-{space}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def use_folder(folder: Path) -> None:
    """Directs the temporary files of this process, TensorFlow's generated source too, into a folder that somebody removes."""
    tempfile.tempdir = str(folder)


def end_with_parent() -> None:
    """Ends this process of `multiprocessing` soon after the one that asked for it, however that one ended."""
    begin_own()
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def killed_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Linux: this process gets the signal when the thread that started it ends; 0 takes that back. Elsewhere nothing.

    One whose parent, told by `STARTED_BY`, has ended before the call ends now.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
            if signal_number and os.getppid() != int(os.environ.get(STARTED_BY, os.getppid())):
                os._exit(1)
