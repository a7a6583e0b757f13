"""Many cases by hand: each is run, what became of them is counted, and a case that fails is printed and counted."""

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Literal


def campaign(outcome: Callable[[int], str], *, on_warning: Literal["error", "ignore"] = "error") -> int:
    """Runs the cases that the command line names, `FIRST COUNT`, and prints a table of what became of them.

    Returns:
        1 where a case raised anything, else 0.
    """
    first, count = map(int, sys.argv[1:])
    found: Counter[str] = Counter()
    failed = 0
    with warnings.catch_warnings():
        warnings.simplefilter(on_warning)
        for number in range(first, first + count):
            try:
                found[outcome(number)] += 1
            except Exception:
                failed += 1
                print(f"--- case {number} failed\n{traceback.format_exc()}", flush=True)
    for what, times in found.most_common():
        print(f"{times:6}  {what}")
    print(f"{failed:6}  failed")
    return int(failed > 0)
