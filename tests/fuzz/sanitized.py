"""The kernel's fuzzing with AddressSanitizer and UndefinedBehaviorSanitizer in the kernel, which end it at the first fault.

`python -m tests.fuzz.sanitized FIRST COUNT`, on Linux with gcc; it takes about as long as without them.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

# The last word of a level counts; with the third one this takes minutes. The compiler itself needs nothing preloaded.
COMPILER = """#!/bin/sh
unset LD_PRELOAD
exec gcc "$@" -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
"""
# Python and TensorFlow are not built for them: what they never free is theirs, and libstdc++ must be there before its exceptions.
PRELOADED = ("libasan.so", "libubsan.so", "libstdc++.so.6")
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def main(arguments: list[str]) -> int:
    """Runs the cases that the arguments name in a process of their own, with a kernel compiled for it."""
    with tempfile.TemporaryDirectory() as cache:
        compiler = Path(cache, "sanitizing-gcc")
        compiler.write_text(COMPILER, encoding="utf-8")
        compiler.chmod(0o700)
        found = [subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip() for name in PRELOADED]
        own = os.environ | OPTIONS | {"CC": str(compiler), "XDG_CACHE_HOME": cache, "LD_PRELOAD": " ".join(found)}
        ran = subprocess.run([sys.executable, "-m", "tests.fuzz.test_kernels", *arguments], env=own)
        kernels = list(Path(cache).glob("*/recurrent-*.so"))
        checked = [b"__asan_report" in path.read_bytes() and b"__ubsan_handle" in path.read_bytes() for path in kernels]
    if checked != [True]:
        print("no kernel with sanitizers was compiled")
        return 1
    print(f"exit status {ran.returncode} with AddressSanitizer and UndefinedBehaviorSanitizer in the kernel")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
