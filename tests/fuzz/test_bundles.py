"""Damaged and hostile bundles are refused with a code, or answer; none ends in a traceback, hangs or takes the memory.

By hand, more of them: `python -m tests.fuzz.test_bundles 0 5000`. It prints what became of the cases and each that failed.
"""

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import load
from seq2seq_kit.errors import KitError
from tests.fuzz.bundles import damage
from tests.fuzz.campaign import campaign
from tests.test_compatibility import ANSWERS, KINDS, asked_of, unpack_kinds

CASES = 120


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_kinds(tmp_path_factory.mktemp("sound"))


def outcome(sound: Path, scratch: Path, number: int) -> str:
    """What becomes of a damaged bundle: the code of its refusal, when it was refused; anything else is raised."""
    kind = KINDS[number % len(KINDS)]
    folder = Path(shutil.copytree(sound / kind, scratch / str(number)))
    print(kind, damage(folder, number), flush=True)
    try:
        bundle = load(folder)
    except KitError as error:
        return f"refused: {error.code}"
    finally:
        shutil.rmtree(folder)
    asked = asked_of(kind)
    question = asked["questions"][0]
    given = {"future": pd.read_csv(ANSWERS / kind / question["future"])} if "future" in question else {}
    codes = []
    for verb, arguments in ((question["verb"], question["arguments"] | given), ("evaluate", {})):
        try:
            rows = bundle.read(str(ANSWERS / kind / asked["rows"]))
            answer = getattr(bundle, verb)(rows, **arguments)
            answer = answer if verb != "evaluate" else answer.table()
            assert len(answer)
            assert not any(np.isinf(answer[name]).any() for name in answer.select_dtypes("number"))
        except KitError as error:
            codes.append(f"{verb} refused: {error.code}")
    return "; ".join(codes) or "answered"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_bundle_is_refused_or_answers(sound: Path, tmp_path: Path) -> None:
    found = Counter(outcome(sound, tmp_path, number) for number in range(CASES))
    assert sum(found[key] for key in found if key.startswith("refused")) > CASES / 2, found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as scratch:
        unpack_kinds(Path(whole))
        sys.exit(campaign(lambda number: outcome(Path(whole), Path(scratch), number), on_warning="ignore"))
