"""Recipes as nobody should write them: valid ones with a few values, keys or lines replaced.

A case is right if it ends in a recipe that can be checked, dumped and read again, or in a `KitError`.
"""

import json
import random
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from seq2seq_kit.errors import KitError
from seq2seq_kit.recipe import check_space, dump_recipe
from seq2seq_kit.tasks import open_job
from tests.conftest import ROOT, forecast_recipe, hourly_frame, next_step_recipe, whole_recipe
from tests.untyped import load_recipe

SECONDS = 20.0  # that one case may take
LONGEST = 20_000  # letters of a message


def _words(text: str) -> list[str]:
    """The words of a text; a dot in the middle stands for a space inside one."""
    return [word.replace("·", " ") for word in text.split(" ")]


# Values that some key takes, and beyond: the ends of 32 and 64 bits, tags, escapes, markup, paths.
PLAUSIBLE = _words(
    "null true false 0 1 2 3 12 24 48 64 96 300 1000 0.1 0.5 0.9 1.5 1e-3 1e-6 [1] [8] [8,8] [64,32] [load] [heat] [load,heat] "
    "load heat site time standard minmax robust none refuse interpolate ffill mask row_groups state attention independent last "
    "mean_std lstm gru hyperband grid random log reverse_log adam sgd cosine plateau mixed_float16 "
    "1h 30min 1d 1w 1mo 1y [hour] [month] {}"
)
STRANGE = _words(
    "-1 1e30 -1e30 1e308 1e-320 .inf -.inf .nan 1e999 0x10 0o17 0b1 1_000 007 +5 ~ \"\" '' [] 2147483647 2147483648 4294967296 "
    "9223372036854775807 9223372036854775808 -9223372036854775809 100000000000 18446744073709551616 [0] [200000] [2147483647] "
    "[1,[2]] [[1],[2]] {a:1} {a:·1} 0h 1s 999999999d 9999999mo 99999999999999999999999s 101y 1\u0663h 5 min !!int·abc "
    "!!float·abc !!bool·abc !!null·abc !!str·[a] !!binary·abc !!binary·YWJj !!timestamp·abc "
    "!!set·{a} !!omap·[a:·1] !!python/object:os.system·x !foo·bar 2024-13-45 2024-02-30 2024-01-31 "
    '2024-01-31T25:00:00Z 12:30:45 "\\e[31mred" "\\ud800" "a\\0b" "a\\nb" "\\u202eabc" <script> "[c]" "[/red]" "$x_$" =cmd() '
    "&a·[1] *a <<: self step row model - ? | > % @ ../../etc/passwd /dev/null . / nowhere.csv nowhere.parquet nowhere.csv.xz"
)
LONG = [
    *("9" * 5_000, "0x" + "f" * 5_000, "-" + "9" * 19, "x" * 300, f'"{"y" * 70_000}"', "é" * 200, "a" * 255 + ".csv"),
    *("[" * 300 + "]" * 300, "[" * 30, "{a: " * 300 + "1" + "}" * 300, "[" * 2_000, "- " * 400 + "a"),
    *("[" + "1, " * 2_000 + "1]", "1." + "0" * 4_000, "1e" + "9" * 50, "1" + "0" * 400),
]
RATE, SIZE, NORM = "training.learning_rate", "training.batch_size", "training.clip_norm"
SPACES: list[dict[str, Any]] = [
    {RATE: {"float": {"min_value": 1e-4, "max_value": 1e-2, "sampling": "log"}}},
    {SIZE: {"int": {"min_value": 16, "max_value": 64, "step": 16}}, "model.dropout": {"choice": [0.0, 0.1]}},
    {SIZE: {"choice": [16, 32]}, NORM: {"float": {"min_value": 0.5, "max_value": 2.0}, "when": {SIZE: 16}}},
]


@cache
def bases() -> list[dict[str, Any]]:
    """Valid recipes: of the tests, and those of the package that read no file of their own."""
    own = [forecast_recipe(), next_step_recipe(), whole_recipe()]
    swept = [forecast_recipe() | {"sweep": {"tuner": "random", "max_trials": 4, "space": space}} for space in SPACES]
    shipped = [YAML(typ="safe").load(path) for path in sorted((ROOT / "recipes").glob("*.yaml"))]
    found = [*own, *swept, *shipped, {"task": "echo", "data": {"sequence": [0.0, 0.2, 0.4]}}]
    assert len(found) > 12
    return found


@cache
def frame() -> pd.DataFrame:
    """Rows that the recipes of the tests fit."""
    return hourly_frame(300).assign(site="a", name="n", x=1.0, y=2.0)


def write(node: Any, depth: int = 0) -> list[str]:
    """Nested values as lines of YAML, each with one key, so that a line can be replaced."""
    if not isinstance(node, dict):
        return [str(node)]
    lines = []
    for key, value in node.items():
        space = "  " * depth
        if isinstance(value, dict) and value:
            lines += [f"{space}{key}:", *write(value, depth + 1)]
        else:
            lines.append(f"{space}{key}: {value if isinstance(value, str) else json.dumps(value)}")
    return lines


def case(seed: int, number: int) -> bytes:
    """The text of one case."""
    draw = random.Random(f"{seed}/{number}")
    lines = write(draw.choice(bases()))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        at = draw.randrange(len(lines))
        key = lines[at].partition(":")[0]
        value = draw.choice(draw.choice((PLAUSIBLE, PLAUSIBLE, PLAUSIBLE, STRANGE, STRANGE, LONG)))
        match draw.randrange(12):
            case 0:
                lines[at] = f"{lines[at]}\n{lines[at]}"  # a key twice
            case 1:
                del lines[at]
                lines = lines or [""]
            case 2:
                lines[at] = f"{key.replace(key.strip(), value)}: 1"  # another key
            case 3:
                lines.insert(at, f"{' ' * draw.randrange(7)}{value}")
            case 4:
                lines[at] = "".join(draw.sample(lines[at], len(lines[at])))
            case 5:
                lines[at] = re.sub(r"\d+", value.replace("\\", "/"), lines[at])
            case _:
                lines[at] = f"{key}: {value}"
    text = "\n".join(lines).encode("utf-8", "replace")
    if draw.random() < 0.05:  # a few bytes
        for _ in range(3):
            at = draw.randrange(len(text))
            text = text[:at] + bytes([draw.randrange(256)]) + text[at + 1 :]
    return text


def run(seed: int, number: int, folder: Path) -> str:
    """Reads one case and checks what can be checked without training.

    Returns:
        How it ended: `valid`, or the code of the error.

    Raises:
        Exception: Whatever is no `KitError`: a fault.
        AssertionError: It took too long, or a valid recipe is not read again as it was.
    """
    path, began = folder / "case.yaml", time.perf_counter()
    path.write_bytes(case(seed, number))
    try:
        recipe = load_recipe(path)
        again = folder / "again.yaml"
        again.write_text(dump_recipe(recipe), encoding="utf-8")
        assert load_recipe(again) == recipe
        check_space(recipe)
        own = recipe.task == "echo" or recipe.source is not None
        open_job(recipe, None if own else frame()).check()
        ended = "valid"
    except KitError as error:
        ended, said = error.code, str(error)
        if len(said) > LONGEST:
            raise AssertionError(f"a message of {len(said):,} letters") from None
    taken = time.perf_counter() - began
    assert taken < SECONDS, f"{taken:.0f} s"
    return ended
