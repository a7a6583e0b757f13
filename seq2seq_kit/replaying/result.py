"""The verdict on a replay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from seq2seq_kit.replaying.differences import ROUNDING, Difference, What, relative
from seq2seq_kit.replaying.spread import Spread
from seq2seq_kit.results import TrainResult

Verdict = Literal["identical", "rounding", "spread", "tolerance", "different", "interrupted"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_WORDS: Mapping[Verdict, str] = {
    "identical": "identical",
    "rounding": "equal within rounding",
    "spread": "the same within the spread of seeds",
    "tolerance": "the same within the tolerance that was given",
    "different": "different",
    "interrupted": "interrupted, so there is no verdict",
}


@dataclass(frozen=True)
class Judged:
    """A verdict and its reasons.

    Attributes:
        verdict: `identical`: every number of curves, figures and predictions is equal. `rounding`: they are within `ROUNDING` of
            each other. `spread`: the figures are such as other seeds give. `tolerance`: the figures are within a tolerance that
            somebody chose. `different`: else.
        first: Of the things that differ by more than rounding the first one; None where nothing does.
        why: How it is known, in words.
    """

    verdict: Verdict
    first: What | None
    why: str


def judge(
    differences: Sequence[Difference],
    then: Mapping[str, float],
    now: Mapping[str, float],
    *,
    spread: Spread | None = None,
    tolerance: float | None = None,
) -> Judged:
    """The verdict on two trainings.

    Args:
        differences: Of all things, in their order.
        then: The figures of the original that spread or tolerance are asked of.
        now: Those of the replay.
        spread: What seeds change; None: not known.
        tolerance: Largest relative difference of a figure that is taken for none; None: there is no such.
    """
    results = [each for each in differences if each.what not in ("data", "versions")]
    first = next((each for each in differences if not each.rounding), None)
    data = next(each for each in differences if each.what == "data")
    # The same cells have another digest where a file writes them in other types, as dates in a CSV file are texts.
    other = "" if data.same else f"; the rows have another digest ({data.said})"
    if all(each.same for each in results):
        return Judged("identical", first.what if first else None, f"every number is equal{other}")
    if all(each.rounding for each in results):
        largest = max(each.largest or 0.0 for each in results)
        said = f"the numbers differ by {largest:.2g}, at most {ROUNDING:g}{other}"
        return Judged("rounding", first.what if first else None, said)
    if not data.same:
        return Judged("different", "data", f"the training was of {data.said}")
    assert first is not None
    if tolerance is not None and then:
        far = max(relative(value, now.get(name, math.nan)) for name, value in then.items())
        if far <= tolerance:
            said = f"{', '.join(then)} differ by {far:.2g}; the tolerance of {tolerance:g} was given, no spread was measured"
            return Judged("tolerance", first.what, said)
    if spread is not None and spread.holds(then):
        return Judged("spread", first.what, spread.said(then))
    known = "how much seeds change is not known here: --seeds 4 measures it" if spread is None else spread.said(then)
    return Judged("different", first.what, f"{first.what}: {first.said}; {known}")


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay.

    Attributes:
        original: Id of the run that was trained again.
        run_id: Id of the run that this training left.
        judged: The verdict and its reasons.
        differences: Of data, versions, curves, figures and predictions.
        trained: The training.
        spread: What seeds change, where that was measured.
    """

    original: str
    run_id: str
    judged: Judged
    differences: Sequence[Difference]
    trained: TrainResult
    spread: Spread | None = None

    @property
    def verdict(self) -> Verdict:
        """In one word."""
        return self.judged.verdict

    @property
    def said(self) -> str:
        """The verdict in a sentence."""
        first = f", first in {self.judged.first}" if self.verdict == "different" else ""
        return f"{_WORDS[self.verdict]}{first}: {self.judged.why}"

    def table(self) -> pd.DataFrame:
        """A row for each thing that was compared: the largest relative difference, and the difference in words."""
        rows = [{"what": each.what, "largest": each.largest, "said": each.said} for each in self.differences]
        return pd.DataFrame(rows, columns=["what", "largest", "said"])

    def at_least(self, verdict: Verdict) -> bool:
        """Whether the verdict is this one or a better one."""
        return VERDICTS.index(self.verdict) <= VERDICTS.index(verdict)

    def __repr__(self) -> str:
        return f"<ReplayResult: run {self.run_id[:8]} of {self.original[:8]}, {self.verdict}>"
