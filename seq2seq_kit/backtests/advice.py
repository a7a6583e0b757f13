"""What a backtest says in words: whether the model beats its baselines, and whether refitting pays."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.scores import FROZEN, Scores, forecasters_of
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.evaluation.diagnostics import verdict
from seq2seq_kit.reports.notes import count_of, figure

_FEW = 5  # pairs of errors that say little, whatever they are
_ERRORS = 2.0  # standard errors beyond which a mean difference is one
_TREND = 3  # ages, and origins of each, that a trend needs


@dataclass(frozen=True)
class Pairs:
    """Two forecasters at the same origins: how much smaller the first one's errors are.

    Attributes:
        count: Origins.
        better: Of them, those at which the first one has the smaller error.
        first: Mean error of the first one. `second`: likewise.
        mean: Mean difference, second less first. `error`: its standard error, as if origins were independent.
    """

    count: int
    better: int
    first: float
    second: float
    mean: float
    error: float

    @classmethod
    def of(cls, first: pd.Series, second: pd.Series) -> Pairs:
        """From the errors by origin; origins that lack one of them are left out."""
        both = pd.DataFrame({"first": first, "second": second}).dropna()
        off = (both["second"] - both["first"]).to_numpy(dtype=np.float64)
        spread = float(off.std(ddof=1)) / math.sqrt(len(off)) if len(off) > 1 else math.nan
        first_mean, second_mean = (float(both[key].mean()) for key in ("first", "second"))
        mean = float(off.mean()) if len(off) else math.nan
        return cls(len(off), int((off > 0).sum()), first_mean, second_mean, mean, spread)

    @property
    def told(self) -> bool:
        """Whether the difference is more than chance, as far as so many origins tell."""
        return self.count >= _FEW and abs(self.mean) > _ERRORS * self.error

    @property
    def gain(self) -> float:
        """Share of the second one's error that the first one saves."""
        return self.mean / self.second if self.second > 0 else 0.0


def recommend(scores: Scores, schedule: Schedule, seconds: float, overlapping: bool) -> list[str]:
    """The recommendation, a sentence or two for each question.

    Args:
        scores: Of a backtest with rows.
        schedule: Its origins.
        seconds: Mean wall time of a fit.
        overlapping: Whether the forecasts of neighbouring origins share rows.
    """
    by_origin = scores.errors(["origin"])
    said = [*_against_baselines(scores), *_refit(scores, schedule, seconds)]
    said += _ageing(scores, schedule)
    if overlapping and len(by_origin) > 1:
        said.append(
            "Neighbouring origins forecast some of the same rows, so they say less than as many independent ones: choose a "
            "larger stride."
        )
    return said


def _against_baselines(scores: Scores) -> list[str]:
    shares = {}
    for name in forecasters_of(scores.rows):
        both = _shared(scores, MODEL, name)
        if name in (MODEL, FROZEN) or both.rows.empty:
            continue
        overall = both.errors([]).iloc[0]
        shares[name] = overall[name] / overall[MODEL] if overall[MODEL] > 0 else math.inf
    if not shares:
        return []
    best = min(shares, key=lambda name: shares[name])
    both = _shared(scores, MODEL, best)
    overall, by_origin = both.errors([]).iloc[0], both.errors(["origin"])
    pairs = Pairs.of(by_origin[MODEL], by_origin[best])
    skill = 1 - overall[MODEL] / overall[best] if overall[best] > 0 else -math.inf
    return [
        f"Over {count_of(pairs.count, 'origin')} the model {verdict(skill)} {best.replace('_', ' ')}, the best baseline: "
        f"{scores.name()} {figure(overall[MODEL])} against {figure(overall[best])}; it is better at {pairs.better} of "
        f"{pairs.count}."
    ]


def _shared(scores: Scores, *names: str) -> Scores:
    """The rows that all of some forecasters have: a series that one of them does not know says nothing of their difference."""
    return replace(scores, rows=scores.rows.dropna(subset=list(names)))


def _refit(scores: Scores, schedule: Schedule, seconds: float) -> list[str]:
    fits = len(schedule.fits)
    if schedule.windows == 1:
        return ["Whether refitting pays is not known: there was one origin. Run it with more --windows."]
    if schedule.refit is None or fits == 1:
        later = min(5, max(schedule.windows - 1, 1))
        return [
            "Whether refitting pays is not known: there was one fit. `--refit "
            f"{later}` fits {len(range(0, schedule.windows, later))} times and compares both at the same origins."
        ]
    if FROZEN not in scores.rows:
        return []
    by_origin = _shared(scores, MODEL, FROZEN).errors(["origin"])
    after = by_origin[by_origin.index > schedule.fits[0][-1]]
    pairs = Pairs.of(after[MODEL], after[FROZEN])
    if not pairs.count:
        return ["Whether refitting pays is not known: no origin has the forecasts of the first fit and of a later one."]
    change = f"{abs(pairs.gain):.1%} {'smaller' if pairs.gain >= 0 else 'larger'}"
    seen = (
        f"At the {count_of(pairs.count, 'origin')} after the first refit the {scores.name()} is {figure(pairs.first)} with "
        f"refits and {figure(pairs.second)} with the first fit alone ({change}; "
        f"refits are better at {pairs.better} of {pairs.count})."
    )
    cost = f"A fit takes {_duration(seconds)}."
    if pairs.count < _FEW:
        return [f"{seen} So few origins do not tell whether refitting pays; run it with more --windows. {cost}"]
    if not pairs.told:
        within = f"within what chance does over these origins (standard error {figure(pairs.error)})"
        return [f"Do not refit, as far as these origins tell: {_lower(seen)} That is {within}. {cost}"]
    if pairs.gain > 0:
        every = "at each origin" if schedule.refit == 1 else f"every {schedule.refit} origins"
        rare = f" Whether fewer fits would do: `--refit {2 * schedule.refit}`." if fits > 2 else ""
        return [f"Refit {every}, {schedule.refit * schedule.stride:,} rows: {_lower(seen)} {cost}{rare}"]
    return [f"Do not refit: {_lower(seen)} {cost}"]


def _ageing(scores: Scores, schedule: Schedule) -> list[str]:
    """How the error grows with the age of a fit; measured by the seasonal naive forecast, which does not age."""
    every = schedule.refit or schedule.windows
    control = "seasonal_naive" if "seasonal_naive" in scores.rows else "last_value"
    if every < _TREND or len(schedule.fits) < _TREND or control not in scores.rows:
        return []
    by_origin = _shared(scores, MODEL, control).errors(["origin"])
    ratio = (by_origin[MODEL] / by_origin[control]).replace([np.inf, -np.inf], np.nan).dropna()
    ages = np.array([schedule.age_of(origin) for origin in ratio.index], dtype=np.float64)
    if len(ratio) < _TREND * 2 or np.ptp(ages) == 0:
        return []
    slope, level = np.polyfit(ages, ratio.to_numpy(), 1)
    off = ratio.to_numpy() - (level + slope * ages)
    error = math.sqrt(float(off @ off) / max(len(off) - 2, 1)) / math.sqrt(float(((ages - ages.mean()) ** 2).sum()))
    means = ratio.groupby(ages).mean()
    peer = control.replace("_", " ")
    seen = (
        f"With the age of the fit the model's error goes from {means.iloc[0]:.3f} of {peer}'s right after a fit to "
        f"{means.iloc[-1]:.3f} at an age of {count_of(int(means.index[-1]), 'origin')}"
    )
    grows = f"{slope:+.3f} for each origin, standard error {error:.3f}"
    if abs(slope) <= _ERRORS * error:
        return [f"{seen} ({grows}): no growth that these origins could tell, and each age was seen at others."]
    return [f"{seen} ({grows}); each age was seen at other origins."]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
