"""What stands out in the intervals of a model: they hold too few or too many actual values, or those of a baseline are better."""

from __future__ import annotations

import math

from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.board import IntervalScores

_SURE = 2.58  # standard errors: a calibrated model is told to be off once in a hundred runs
_LEAST = 0.02  # of coverage; less is of no consequence
_TIE = 0.02  # of WQL, as of RMSE


def examine_intervals(scores: IntervalScores | None) -> list[Finding]:
    """The findings on the intervals of a model, the first forecaster; none without intervals.

    Windows that overlap share their actual values. So the coverage is held to be that of as many draws as there are windows whose
    targets share no row: a binomial share with that standard error.
    """
    if scores is None or not scores.sums:
        return []
    found, model = [], next(iter(scores.sums))
    own = scores.sums[model]
    for level in scores.levels:
        wanted, covered = level / 100, own.coverage(level)
        error = math.sqrt(wanted * (1 - wanted) / max(scores.independent, 1))
        off = covered - wanted
        if not abs(off) > max(_LEAST, _SURE * error):
            continue
        said = (
            f"the intervals of {level:g} % hold {covered:.1%} of the actual values of {scores.part} (standard error {error:.1%}, "
            f"of {scores.independent:,} windows that share no row)"
        )
        if off < 0:
            advice = "The newest rows are less regular than those of the calibration part: calibrate on newer rows, or update"
            found.append(Finding("undercovers", "warning", said, advice))
        else:
            advice = "The newest rows are more regular than those of the calibration part: calibrate on newer rows, or update"
            found.append(Finding("overcovers", "note", said, advice))
    peer = scores.best_baseline
    if peer is not None and own.wql() > (1 + _TIE) * scores.sums[peer].wql():
        theirs = scores.sums[peer].wql()
        said = f"the intervals of conformal {peer} are better on {scores.part}: WQL {theirs:.4g}, here {own.wql():.4g}"
        advice = "Use that baseline (`predict --baseline`), or see why its forecast is better"
        found.append(Finding("loses_to_conformal_baseline", "warning", said, advice))
    return found
