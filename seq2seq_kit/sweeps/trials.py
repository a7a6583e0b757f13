"""The trials of a sweep: values and outcome, which is the best, names and tables."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Literal

import pandas as pd

if TYPE_CHECKING:
    from seq2seq_kit.recipe.sweep import Knob

State = Literal["finished", "pruned", "failed", "running", "cut"]
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Trial:
    """One recipe of a sweep and its outcome.

    Attributes:
        number: From 1; trial 1 is the recipe as it stands.
        values: By dotted recipe key; a key whose condition does not hold is absent.
        state: `pruned` is one that was ended early, because others did better by the same epoch; `cut` one that Ctrl-C or the end
            of the whole sweep stopped: it runs again on resume.
        score: The objective at the best epoch, over folds their mean, over origins their error; of a pruned trial of the epochs
            or folds so far. Finite if finished or pruned, else None.
        best_epoch: The epoch of the score, from 1.
        epochs: Epochs trained.
        seconds: Wall time.
        reason: Why it failed, was pruned, or was not trained.
        memory: Largest resident set of its process, in bytes; 0 if it left none.
        run_id: Its MLflow run.
        folds: Scores by fold, or by origin of a backtest.
        cells: Values that were forecast at those origins.

    Raises:
        ValueError: If a finished or pruned trial has no finite score, or another one has a score.
    """

    number: int
    values: dict[str, object]
    state: State
    score: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    memory: int = 0
    run_id: str = ""
    folds: tuple[float, ...] = ()
    cells: int = 0

    def __post_init__(self) -> None:
        # One NaN here would win or lose every comparison of the sweep without a word.
        scored = self.score is not None and math.isfinite(self.score)
        if scored != (self.state in ("finished", "pruned")) or (self.score is not None and not scored):
            raise ValueError(
                f"trial {self.number} is {self.state} with score {self.score}. A finished or pruned trial has a finite score, "
                "all others have None"
            )

    @property
    def spread(self) -> float | None:
        """Standard deviation of the scores over the folds (n - 1 in the denominator); None with fewer than two."""
        return stdev(self.folds) if len(self.folds) > 1 else None


def finished_of(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """The finished trials with their scores, by number; of a backtest those that forecast as many values as any of them."""
    finished = [trial for trial in trials if trial.state == "finished"]
    most = max((trial.cells for trial in finished), default=0)
    scored = [(trial, trial.score) for trial in finished if trial.score is not None and trial.cells == most]
    return sorted(scored, key=lambda pair: pair[0].number)


def ranked(trials: Sequence[Trial], direction: Direction) -> list[Trial]:
    """The finished trials, the best one first; the earlier one of equals."""
    sign = 1 if direction == "min" else -1
    return [trial for trial, _ in sorted(finished_of(trials), key=lambda pair: (sign * pair[1], pair[0].number))]


def best_of(trials: Sequence[Trial], direction: Direction) -> Trial | None:
    """The finished trial with the best score, the earlier one of equals; None if none has finished."""
    return next(iter(ranked(trials, direction)), None)


def not_comparable(trials: Sequence[Trial], cells: int) -> str:
    """Why a score over so many forecast values cannot stand beside those of the finished trials; empty if it can."""
    other = next((trial for trial, _ in finished_of(trials) if trial.cells > cells), None)
    if other is None:
        return ""
    said = f"it forecasts {cells:,} values at the origins, and trial {other.number} {other.cells:,}"
    return f"{said}: their errors cannot be compared. Search fewer input_steps, or take later origins"


def is_better(score: float, other: float | None, direction: Direction) -> bool:
    """Whether a score beats another one, or stands alone; equals do not."""
    return other is None or (score < other if direction == "min" else score > other)


def best_so_far(trials: Sequence[Trial], direction: Direction) -> list[tuple[int, float]]:
    """For each finished trial its number and the best score up to it."""
    done = finished_of(trials)
    better = min if direction == "min" else max
    scores = itertools.accumulate((score for _, score in done), better)
    return [(trial.number, score) for (trial, _), score in zip(done, scores, strict=True)]


def epoch_of(trial: Trial) -> str:
    """The best epoch and how many were trained, `4 of 6`; over folds only the former, which is the last fold's."""
    if not trial.best_epoch:
        return ""
    return str(trial.best_epoch) if trial.folds else f"{trial.best_epoch} of {trial.epochs}"


def table_of(trials: Sequence[Trial], knobs: Sequence[Knob]) -> pd.DataFrame:
    """One row for each trial, by number.

    Columns: trial, state, objective, spread (if any trial has folds), best_epoch, epochs, seconds, memory_mb, one for each key of
    the space, reason, run. A key that is not active in a trial is missing; lists are text, as a recipe writes them.
    """
    rows = sorted(trials, key=lambda trial: trial.number)
    columns: dict[str, object] = {
        "trial": [trial.number for trial in rows],
        "state": [trial.state for trial in rows],
        "objective": pd.array([trial.score for trial in rows], dtype="Float64"),
    }
    if any(trial.folds for trial in rows):
        columns["spread"] = pd.array([trial.spread for trial in rows], dtype="Float64")
    columns |= {
        "best_epoch": pd.array([trial.best_epoch for trial in rows], dtype="Int64"),
        "epochs": [trial.epochs for trial in rows],
        "seconds": [trial.seconds for trial in rows],
        "memory_mb": [round(trial.memory / 1e6) for trial in rows],
    }
    columns |= {knob.key: _column([trial.values.get(knob.key) for trial in rows]) for knob in knobs}
    return pd.DataFrame(columns | {"reason": [t.reason for t in rows], "run": [t.run_id for t in rows]})


def _column(values: Sequence[object]) -> pd.Series:
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return pd.Series(values, dtype="boolean")
    if all(number_of(value) is not None for value in known):
        return pd.Series(values, dtype="Int64" if all(isinstance(value, int) for value in known) else "Float64")
    return pd.Series([None if value is None else text_of(value) for value in values], dtype=object)


def number_of(value: object) -> float | None:
    """A number as a float; None for anything else, `true`, `null` and infinity too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def position_of(knob: Knob, value: object) -> float | None:
    """The position of a value on the scale on which the tuner draws it, so that equal distances are equally likely.

    Args:
        knob: An int or a float: linear, log10, or log10 from the upper end (`reverse_log`); otherwise the position among
            the values of the choice.
        value: The recipe's own too, which may lie outside the space.

    Returns:
        None where the value has no position on the scale.
    """
    if knob.kind in ("choice", "boolean"):
        return next((float(at) for at, own in enumerate(knob.values) if same(own, value)), None)
    number = number_of(value)
    if number is None or knob.sampling == "linear":
        return number
    if knob.sampling == "reverse_log":
        # KerasTuner draws low + high - x by the logarithm, so that most values lie near the upper end.
        assert knob.low is not None
        assert knob.high is not None
        rest = knob.low + knob.high - number
        return -math.log10(rest) if rest > 0 else None
    return math.log10(number) if number > 0 else None


def same(one: object, other: object) -> bool:
    """Whether two values mean the same in a recipe: 64 and 64.0, a list and a tuple; not 1 and true."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def text_of(value: object) -> str:
    """A value as a recipe writes it, a number with four digits: `[64, 32]`, `0.001`, `true`, `gru`, `null`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return f"[{', '.join(text_of(each) for each in value)}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, default=str)


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The shortest suffix of each dotted key that no other key has: `encoder_units`; `encoder_units.0` for a list's element."""
    ends = {key: _ends(key) for key in keys}
    taken = [end for own in ends.values() for end in own]
    return {key: next((end for end in own if taken.count(end) == 1), key) for key, own in ends.items()}


def _ends(key: str) -> list[str]:
    parts = key.split(".")
    ends = [".".join(parts[at:]) for at in reversed(range(len(parts)))]
    return [end for end in ends if not end.partition(".")[0].isdigit()]


def name_of(values: Mapping[str, object], defaults: Mapping[str, object], *, keys: Sequence[str] = ()) -> str:
    """A short name of what differs from the defaults, for lists that cut names: `eu64-32 e20 lr0.003`.

    The letters are the initials of the words of a key's last part, made longer until no two keys of the space share them.

    Args:
        values: By dotted recipe key.
        defaults: The recipe's own values; a key that is missing here is inactive there, and named.
        keys: All keys of the space, where some may be in neither, so that names agree over all trials.

    Returns:
        `default` where nothing differs.

    Example:
        >>> space = {"model.encoder_units": [64], "training.epochs": 30, "training.learning_rate": 0.001}
        >>> name_of({"model.encoder_units": [64, 32], "training.epochs": 20, "training.learning_rate": 0.003}, space)
        'eu64-32 e20 lr0.003'
        >>> name_of(space, space)
        'default'
    """
    letters = _letters([*dict.fromkeys([*values, *defaults, *keys])])
    differing = [key for key, value in values.items() if key not in defaults or not same(value, defaults[key])]
    return " ".join(letters[key] + _written(values[key], key) for key in differing) or "default"


def _written(value: object, key: str) -> str:
    """The value behind its letters; `=` where the two could run together."""
    short = _short(value)
    return short if short[:1].isdigit() and not key[-1].isdigit() else f"={short}"


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return "-".join(_short(each) for each in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        mantissa, _, exponent = f"{value:.3g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return "none" if value is None else str(value)


def _letters(keys: Sequence[str]) -> dict[str, str]:
    """Letters of each key; only those that clash become longer."""
    tries = {key: _abbreviations(key) for key in keys}
    letters = {key: next(tries[key]) for key in keys}
    while clashing := [key for key in keys if list(letters.values()).count(letters[key]) > 1]:
        letters |= {key: next(tries[key], key) for key in clashing}
    return letters


def _abbreviations(key: str) -> Iterator[str]:
    """Ever longer ones: initials, more of the first word, more of all words, the sections before it, the key itself."""
    parts = key.split(".")
    place = "".join(f".{part}" for part in parts if part.isdigit())
    *sections, last = [part for part in parts if not part.isdigit()]
    words = [word for word in last.split("_") if word] or [last]
    rest = "".join(word[0] for word in words[1:])
    for taken in range(1, len(words[0]) + 1):
        yield words[0][:taken] + rest + place
    for taken in range(2, max(map(len, words)) + 1):
        yield "".join(word[:taken] for word in words) + place
    for taken in range(1, max(map(len, sections), default=0) + 1):
        yield "".join(section[:taken] for section in sections) + words[0][0] + rest + place
    yield key
