"""From the C sources to a library that TensorFlow loads: compiled once on each machine, kept in the user's cache.

A compiler that runs here knows this processor, which one that builds packages does not: vectors of 512 bits do twice the work of
those of 256. Without a compiler there is no library, and the reason says so; models then take Keras' own loop.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

SWITCH = "SEQ2SEQ_KIT_KERNEL"  # `off`: do without
OPERATIONS = ("seq2seq_kit_recurrent", "seq2seq_kit_recurrent_grad")
_SOURCES = Path(__file__).parent
_FLAGS = ["-std=gnu11", "-O3", "-fopenmp-simd", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"]
_SHARED = ["-fPIC", "-shared", "-pthread"]
_NATIVE = ("-march=native", "-mcpu=native", "")  # the first one that the compiler takes
_SECONDS = 120


@dataclass(frozen=True)
class Library:
    """The operations, or why they are missing.

    Attributes:
        operations: TensorFlow's functions for them; None without.
        reason: Why they are missing and what to do; otherwise empty.
    """

    operations: Any
    reason: str = ""


@cache
def library() -> Library:
    """The library of this machine; compiled if it is not in the cache, which takes a few seconds."""
    import tensorflow as tf

    if os.environ.get(SWITCH, "").lower() in ("off", "0"):
        return Library(None, f"the compiled kernel is switched off by {SWITCH}")
    try:
        told = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        return Library(
            None, f"CC is no command ({error}). Received: {os.environ['CC']!r}; correct it or leave it unset"
        )
    at_hand = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    compiler = told if told and shutil.which(told[0]) else [at_hand] if at_hand else None
    if compiler is None:
        return Library(None, "no C compiler was found for the compiled kernel; install gcc or clang")
    try:
        found = _kept(compiler, tf)
        operations = tf.load_op_library(str(found))
        lacking = [name for name in OPERATIONS if not hasattr(operations, name)]
        if lacking:
            return Library(None, f"the compiled kernel {found} lacks {' and '.join(lacking)}; remove it")
        return Library(operations)
    except subprocess.CalledProcessError as error:
        said = next((line for line in error.stderr.splitlines() if "error" in line), error.stderr.strip()[:200])
        return Library(None, f"{shlex.join(compiler)} could not compile the kernel ({said})")
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired, tf.errors.OpError) as error:
        return Library(None, f"the compiled kernel could not be made or loaded ({error})")


def cache_folder() -> Path:
    """Where compiled kernels are kept: `seq2seq_kit` in the user's cache, `$XDG_CACHE_HOME` or `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "seq2seq_kit"


def _kept(compiler: list[str], tf: ModuleType) -> Path:
    """The library in the cache, put there if it is not."""
    sources = sorted(_SOURCES.glob("*.[ch]"))
    key = hashlib.sha256()
    for part in [
        tf.__version__,
        tf.sysconfig.get_lib(),
        shlex.join(compiler),
        platform.machine(),
        _processor(),
        *_FLAGS,
    ]:
        key.update(part.encode() + b"\0")
    for source in sources:
        key.update(source.read_bytes())
    folder = cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_own(folder)
    name = f"recurrent-{key.hexdigest()[:16]}"
    for kept in sorted(folder.glob(f"{name}-*.so")):
        if kept.name == f"{name}-{_digest(kept)}.so":
            return kept
        kept.unlink(missing_ok=True)  # cut short or changed: whoever loads it may be killed by it
    return _compile(compiler, tf, folder, name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def _compile(compiler: list[str], tf: ModuleType, folder: Path, name: str) -> Path:
    """Puts the library into the cache, under a name that holds its own digest."""
    handle, partial = tempfile.mkstemp(suffix=".so", dir=folder)
    os.close(handle)
    try:
        for native in _NATIVE:
            command = [*compiler, *_FLAGS, *filter(None, [native]), *_SHARED, f"-I{tf.sysconfig.get_include()}"]
            command += [str(_SOURCES / "recurrent.c"), "-o", partial, *tf.sysconfig.get_link_flags(), "-lm"]
            ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
            if ran.returncode == 0 or not native:
                break
        ran.check_returncode()
        Path(partial).chmod(0o700)
        with Path(partial).open("rb+") as written:  # the linker may have made a new file of the name
            os.fsync(written.fileno())
        kept = folder / f"{name}-{_digest(Path(partial))}.so"
        # Whole or not at all, whoever else compiles at the same time.
        return Path(partial).replace(kept)
    finally:
        Path(partial).unlink(missing_ok=True)


def _require_own(folder: Path) -> None:
    """Code is loaded from there, so nobody else may write to it."""
    if not hasattr(os, "getuid"):
        return
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise OSError(
            f"{folder} belongs to somebody else or others may write to it; set XDG_CACHE_HOME to a folder of your own"
        )


def _processor() -> str:
    """What this processor can do: a library for another one might not run."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
