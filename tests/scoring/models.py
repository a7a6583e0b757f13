"""Small models for tests of scoring, without a training: bundles of before, with a detector."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from seq2seq_kit import load
from tests.test_compatibility import FIXTURES, unpack

SITES = ("a", "b")
_held = TemporaryDirectory()  # of this process; a session's tests share the models


@cache
def model(kind: str) -> Path:
    """The folder of a bundle with a detector."""
    packed = Path(_held.name) / "packed"
    unpack(FIXTURES / "bundles" / f"{kind}.tar.xz", packed)
    return Path(load(packed / kind).calibrate(hours(300)).save(Path(_held.name) / kind))


def changed(bundle: Any, **data: Any) -> Any:
    """The bundle with other values of keys of its recipe's data section on which no weight depends."""
    recipe = bundle.recipe
    return replace(bundle, recipe=recipe.model_copy(update={"data": recipe.data.model_copy(update=data)}))


def hours(rows: int, *, series: tuple[str, ...] = SITES, in_turn: bool = False, seed: int = 0) -> pd.DataFrame:
    """Hours of `load`, `heat` and `wind` by `site`, one site after the other, or hour by hour."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    wave = 100 + 30 * np.sin(2 * np.pi * np.asarray(times.hour) / 24)
    frames = [
        pd.DataFrame(
            {
                "time": times,
                "site": name,
                "load": wave + 10 * number + rng.normal(scale=3, size=rows),
                "heat": 10 + rng.normal(scale=0.5, size=rows),
                "wind": rng.gamma(2.0, size=rows),
            }
        )
        for number, name in enumerate(series)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.sort_values(["time", "site"], kind="stable", ignore_index=True) if in_turn else frame


def with_gaps(frame: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Stretches of rows are absent."""
    rng = np.random.default_rng(seed)
    gone = np.zeros(len(frame), dtype=bool)
    for first in rng.integers(50, len(frame) - 100, 6):
        gone[first : first + int(rng.integers(1, 40))] = True
    return frame[~gone].reset_index(drop=True)


def with_holes(frame: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """Cells are missing."""
    rng = np.random.default_rng(seed)
    found = frame.copy()
    for name in ("load", "heat", "wind"):
        found.loc[rng.random(len(frame)) < 0.05, name] = np.nan
    return found


def with_spikes(frame: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """Single rows and a long stretch of them are far off."""
    rng = np.random.default_rng(seed)
    found, at = frame.copy(), rng.integers(0, len(frame), 20)
    found.loc[at, "load"] += rng.normal(scale=150, size=20)
    middle = len(frame) // 2
    found.loc[middle : middle + 30, "load"] += 90
    return found
