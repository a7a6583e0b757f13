"""What a detector says about rows: a score for each of them, and the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.comparison import Comparison, judge_alone
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import RowErrors
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.findings import Finding

_NAMED = 3  # columns of an event
_NEVER = 0.5  # share of the threshold; a largest score below it was not even near
_ALWAYS = 0.5  # share of the rows above the threshold
_DRIFT = 2.0  # times the median of the validation scores
_DRIFT_ROWS = 100


@dataclass(frozen=True)
class Detection:
    """Rows with scores, and events.

    Attributes:
        scores: A row for each row that a window reaches: the series' columns if any, time or `row`, `score` (at least 0),
            `signed_score` (with the sign of the strongest column's error), `event` (its number, NA outside), and for each
            column `c` its value, `c_expected`, and `c_score` (its error in robust standard deviations, signed).
        events: The worst first: `event`, the series' columns, `start`, `end`, `peak` (times or rows), `steps`, `severity` (the
            peak's score divided by the threshold), `score`, `alarms_per_week` (expected at this threshold; in 10,000 rows
            without a clock), `peak_per_week` (how often a score like the peak's is expected), and for the three columns that
            contribute most `column_1`, `share_1`, `actual_1`, `expected_1`, ... at the peak.
        detector: That was used.
        segment: Changes where rows of `scores` do not follow each other.
        shares: Contributions of the columns to each score, shape `(rows, columns)`.
        unreached: Rows that no window reaches.
        labelled: Whether each row of `scores` is labelled as anomalous, shape `(rows,)`; None without labels.
        notes: What was done to the rows.
        findings: What a user should know about the scores.
    """

    scores: pd.DataFrame
    events: pd.DataFrame
    detector: Detector
    segment: np.ndarray
    shares: np.ndarray
    unreached: int
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    labelled: np.ndarray | None = None

    @property
    def judged(self) -> Comparison | None:
        """What labels say of the scores and events; None without labels, or where no row or every one is labelled."""
        if self.labelled is None:
            return None
        count = len(self.detector.columns)
        actual = self.scores.iloc[:, -3 * count :].iloc[:, :count].to_numpy(dtype=np.float64)
        first = self.scores.shape[1] - 3 - 3 * count
        score = self.scores.iloc[:, first].to_numpy(dtype=np.float64)
        return judge_alone(self.labelled, score, self.segment, actual, self.detector)


def detect_events(errors: RowErrors, detector: Detector, *, notes: Sequence[str] = ()) -> Detection:
    """Scores and events of row errors.

    Raises:
        ArgumentError: The detector was fitted on other columns.
    """
    if errors.columns != detector.columns:
        raise ArgumentError(
            f"the detector knows the columns {detector.columns}. Received: {errors.columns}. Fit one on these: "
            "detect --calibrate FILE, or `bundle.calibrate(rows)`",
            code="detector_of_other_columns",
        )
    score, shares = detector.score(errors.errors, errors.segment)
    usual = detector.robust(errors.errors)
    cut = detector.cut.events(score, errors.segment, detector.threshold)
    peaks = np.array([first + np.nanargmax(score[first : last + 1]) for first, last in cut], dtype=np.int64)
    order = np.argsort(-score[peaks], kind="stable")
    cut, peaks = cut[order], peaks[order]
    number = pd.array([pd.NA] * len(score), dtype="Int64")
    for place, (first, last) in enumerate(cut, start=1):
        number[first : last + 1] = place
    strongest = np.argmax(shares, axis=1)[:, None]
    sign = np.sign(np.nan_to_num(np.take_along_axis(usual, strongest, axis=1)[:, 0]))
    values = {name: errors.actual[:, place] for place, name in enumerate(errors.columns)}
    kit: dict[str, object] = {"score": score, "signed_score": np.where(sign < 0, -score, score), "event": number}
    each: dict[str, object] = {}
    for place, name in enumerate(errors.columns):
        each |= {f"{name}_expected": errors.expected[:, place], f"{name}_score": usual[:, place]}
    frame = answer_frame(errors.labels, kit, values, each)
    renamed = frame.attrs.pop("renamed")
    return Detection(
        scores=frame,
        events=_events_frame(errors, detector, score, shares, cut, peaks),
        detector=detector,
        segment=errors.segment,
        shares=shares,
        unreached=errors.unreached,
        notes=[*notes, *renamed],
        findings=examine_scores(score, detector),
    )


def _events_frame(
    errors: RowErrors, detector: Detector, score: np.ndarray, shares: np.ndarray, cut: np.ndarray, peaks: np.ndarray
) -> pd.DataFrame:
    *series, when = errors.labels.columns
    times = errors.labels[when]
    own = {name: errors.labels[name].to_numpy()[peaks] for name in series}
    named: dict[str, object] = {}
    ranked = np.argsort(-shares[peaks], axis=1, kind="stable")
    at = np.arange(len(peaks))
    for place in range(min(_NAMED, len(errors.columns))):
        column = ranked[:, place]
        named |= {
            f"column_{place + 1}": np.array(errors.columns, dtype=object)[column],
            f"share_{place + 1}": shares[peaks, column] if len(at) else np.zeros(0),
            f"actual_{place + 1}": errors.actual[peaks, column],
            f"expected_{place + 1}": errors.expected[peaks, column],
        }
    frame = answer_frame(
        own,
        {"event": at + 1},
        {
            "start": times.iloc[cut[:, 0]].array,
            "end": times.iloc[cut[:, 1]].array,
            "peak": times.iloc[peaks].array,
            "steps": cut[:, 1] - cut[:, 0] + 1,
            "severity": score[peaks] / detector.threshold,
            "score": score[peaks],
            "alarms_per_week": np.full(len(peaks), detector.alarms_per_week),
            "peak_per_week": detector.alarms_at(score[peaks]),
        },
        named,
        order=(1, 0, 2, 3),
    )
    frame.attrs.clear()
    return frame


def examine_scores(scores: np.ndarray, detector: Detector) -> list[Finding]:
    """What scores say about the threshold: never or always crossed, or drifting away from those of validation."""
    known = scores[np.isfinite(scores)]
    if not len(known):
        return []
    found = []
    highest, above = float(known.max()), float(np.mean(known > detector.threshold))
    if highest < _NEVER * detector.threshold:
        said = f"the threshold is {detector.threshold:.3g}, the highest of {len(known):,} scores {highest:.3g}"
        advice = "Ask for more alarms a week if anomalies are missed"
        found.append(Finding("threshold_never_crossed", "note", said, advice))
    elif above > _ALWAYS:
        said = f"{above:.0%} of {len(known):,} scores are above the threshold of {detector.threshold:.3g}"
        advice = (
            "These rows are not like those of the training: look at columns and units, train again or calibrate on newer "
            "rows"
        )
        found.append(Finding("threshold_always_crossed", "warning", said, advice))
    newest = float(np.median(known[len(known) // 2 :]))
    if len(known) >= _DRIFT_ROWS and above <= _ALWAYS and newest > _DRIFT * detector.median > 0:
        said = (
            f"the median score of the newer half of the rows is {newest:.3g}, that of validation {detector.median:.3g}"
        )
        advice = "What is usual has changed: train again, or calibrate on newer rows"
        found.append(Finding("scores_drift", "warning", said, advice))
    return found
