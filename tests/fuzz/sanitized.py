"""The kernel's fuzzing with AddressSanitizer and UndefinedBehaviorSanitizer in the kernel, which end it at the first fault.

`python -m tests.fuzz.sanitized FIRST COUNT`, on Linux with gcc; it takes about as long as without them.
`--plant overflow` (or `shift`) before them puts a fault into a copy of the sources, which must be found.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The last word of a level counts; with the third one this takes minutes. The compiler itself needs nothing preloaded.
COMPILER = """#!/bin/sh
unset LD_PRELOAD
for word; do
  shift
  case $word in */recurrent.c) word=SOURCES/recurrent.c;; esac
  set -- "$@" "$word"
done
exec gcc "$@" -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
"""
# Python and TensorFlow are not built for them: what they never free is theirs, and libstdc++ must be there before its exceptions.
PRELOADED = ("libasan.so", "libubsan.so", "libstdc++.so.6")
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


KERNELS = Path(__file__).parents[2] / "seq2seq_kit" / "kernels"
# A file, words that stand in it once, and what they become.
PLANTS = {
    "overflow": (
        "compute.h",
        "  piece->failed = !scratch;",
        "  piece->failed = !scratch;\n  if (scratch) ((volatile real *)scratch)[piece->scratch_size] = 0;",
    ),
    "shift": (
        "compute.h",
        "  real *scratch = allocate(",
        "  volatile int planted = 1;\n  planted <<= 31 + planted;\n  real *scratch = allocate(",
    ),
}


def missing() -> str:
    """What is not there that it takes; empty where all is."""
    if sys.platform != "linux" or shutil.which("gcc") is None:
        return "gcc on Linux"
    return "" if all(map(os.path.isabs, _libraries())) else "gcc's AddressSanitizer and UndefinedBehaviorSanitizer"


def _libraries() -> list[str]:
    return [subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip() for name in PRELOADED]


def run(arguments: list[str], *, plant: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the cases that the arguments name in a process of their own, with a kernel compiled for it.

    Args:
        arguments: The first case and how many.
        plant: The fault of `PLANTS` that the kernel is given.

    Raises:
        RuntimeError: No kernel with sanitizers was compiled.
    """
    with tempfile.TemporaryDirectory() as cache:
        compiler, sources = Path(cache, "sanitizing-gcc"), Path(cache, "sources")
        shutil.copytree(KERNELS, sources, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        if plant is not None:
            name, sound, faulty = PLANTS[plant]
            text = (sources / name).read_text(encoding="utf-8")
            assert text.count(sound) == 1, f"{name} has {sound!r} {text.count(sound)} times"
            (sources / name).write_text(text.replace(sound, faulty), encoding="utf-8")
        compiler.write_text(COMPILER.replace("SOURCES", str(sources)), encoding="utf-8")
        compiler.chmod(0o700)
        own = (
            os.environ | OPTIONS | {"CC": str(compiler), "XDG_CACHE_HOME": cache, "LD_PRELOAD": " ".join(_libraries())}
        )
        command = [sys.executable, "-m", "tests.fuzz.test_kernels", *arguments]
        ran = subprocess.run(
            command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        kernels = list(Path(cache).glob("*/recurrent-*.so"))
        checked = [b"__asan_report" in path.read_bytes() and b"__ubsan_handle" in path.read_bytes() for path in kernels]
    if checked != [True]:
        raise RuntimeError(f"no kernel with sanitizers was compiled\n{ran.stdout}")
    return ran


def main(arguments: list[str]) -> int:
    """Runs cases and prints what came of them; 0 where nothing was found."""
    plant = arguments[1] if arguments[:1] == ["--plant"] else None
    ran = run(arguments[2:] if plant else arguments, plant=plant)
    print(ran.stdout, end="")
    print(f"exit status {ran.returncode} with AddressSanitizer and UndefinedBehaviorSanitizer in the kernel")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
