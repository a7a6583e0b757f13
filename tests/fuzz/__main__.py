"""`python -m tests.fuzz recipes --cases 20000 --seed 0`: how often cases ended how, and every fault with its number."""

import argparse
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from importlib import import_module
from pathlib import Path

KINDS = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if not path.stem.startswith("test_"))


def main() -> int:
    """Runs cases; 1 if one was a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args()
    generator, ended, faults = import_module(f"tests.fuzz.{options.kind}"), Counter[str](), 0
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.cases):
            try:
                ended[generator.run(options.seed, number, Path(folder))] += 1
            except Exception:
                faults += 1
                print(f"case {number} of seed {options.seed}:\n{traceback.format_exc(limit=-4)}", file=sys.stderr)
    for word, count in ended.most_common():
        print(f"{count:>7,}  {word}")
    print(f"{options.cases:,} cases of {options.kind}, seed {options.seed}: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
