"""No recipe, however damaged, ends in anything but a recipe or an error of the kit.

By hand, more of them: `python -m tests.fuzz.test_recipes 0 20000`. It prints what became of the cases and each that failed.
"""

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import pytest

from seq2seq_kit.errors import KitWarning
from tests.fuzz import recipes
from tests.fuzz.campaign import campaign
from tests.untyped import load_recipe

CASES, SEED = 300, 1


@pytest.mark.slow
def test_300_damaged_recipes_end_in_an_error_of_the_kit_or_are_valid(tmp_path: Path) -> None:
    warnings.simplefilter("ignore", KitWarning)
    ended = Counter(recipes.run(SEED, number, tmp_path) for number in range(CASES))
    assert sum(ended.values()) == CASES
    assert ended["valid"] > 10  # what is not damaged enough: the checks behind the reader are reached, too
    assert len(ended) > 5


def test_the_recipes_that_are_damaged_are_valid_before(tmp_path: Path) -> None:
    for recipe in recipes.bases():
        (tmp_path / "whole.yaml").write_text("\n".join(recipes.write(recipe)), encoding="utf-8")
        assert load_recipe(tmp_path / "whole.yaml").task == recipe["task"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(campaign(lambda number: recipes.run(0, number, Path(scratch)), on_warning="ignore"))
