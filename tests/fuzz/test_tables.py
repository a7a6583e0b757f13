"""Damaged and odd tables are prepared or refused with a code; none ends in a traceback.

By hand, more of them: `python -m tests.fuzz.test_tables 0 20000`, and `100000 4000` of JSON Lines.
It prints what became of the cases and each that failed.
"""

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seq2seq_kit.errors import KitError
from tests.fuzz.campaign import campaign
from tests.fuzz.tables import JSON_LINES, write_table
from tests.untyped import open_job, parse_recipe

CASES, OF_JSON = 300, 60


def outcome(folder: Path, number: int) -> str:
    """What becomes of a table: `prepared`, or the code of its refusal; anything else is raised."""
    path = write_table(folder, number)
    rng = random.Random(number)
    section = {
        "source": str(path),
        "time": "time",
        "every": rng.choice(["1h", "1h", "1d", "15min"]),
        "inputs": ["load"],
        "targets": ["load"],
        "input_steps": 6,
        "output_steps": 2,
        "missing": rng.choice(["refuse", "interpolate", "ffill"]),
    }
    section |= rng.choice([{}, {}, {"series": "shop"}, {"calendar": ["hour"]}])
    if path.suffix == ".parquet" and rng.random() < 0.3:
        section |= {"read": "row_groups", "missing": "refuse"}
    try:
        job = open_job(parse_recipe({"task": "forecast", "data": section}))
        job.check()
        prepared = job.prepared
        for part, windows in prepared.windows.items():
            assert all(np.isfinite(array).all() for array in prepared.arrays(part, np.arange(windows.count)))
    except KitError as error:
        return f"refused: {error.code}"
    finally:
        path.unlink()
    return "prepared"


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_damaged_table_is_prepared_or_refused(tmp_path: Path) -> None:
    for first, cases in ((0, CASES), (JSON_LINES, OF_JSON)):
        found = Counter(outcome(tmp_path, number) for number in range(first, first + cases))
        assert found["prepared"] > cases / 20, found
        assert sum(found.values()) - found["prepared"] > cases / 4, found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(campaign(lambda number: outcome(Path(scratch), number)))
