"""A detector beside simple scores on the same rows, judged by labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.baselines import matrix_profile, moving_z, random_score, sub_pca
from seq2seq_kit.anomalies.detector import Detector, trailing_mean
from seq2seq_kit.anomalies.judging import Judgement, judge
from seq2seq_kit.anomalies.surface import runs, strongest_period
from seq2seq_kit.anomalies.threshold import fit_tail
from seq2seq_kit.findings import Finding

DETECTOR = "detector"
TITLES = {
    "vus_pr": "VUS-PR",
    "vus_roc": "VUS-ROC",
    "auc_pr": "AUC-PR",
    "event_precision": "event precision",
    "event_recall": "event recall",
    "event_f1": "event F1",
    "delay_steps": "delay, steps",
    "false_alarms_per_week": "false alarms a week",
    "oracle_f1": "oracle_f1",
}
_MAD = 1.4826  # as of the detector
_TIE = 0.02  # of the figure; less is chance
_ADVICE = "Try detect.by: both or baseline, detect.combine: max, detect.smooth, or longer windows"
# By baseline: the finding that it is better; the text is what it does.
_PEERS = {
    "sub-PCA": Finding(
        "loses_to_sub_pca", "warning", "windows rebuilt from the principal components of the training windows", _ADVICE
    ),
    "matrix profile": Finding(
        "loses_to_matrix_profile", "warning", "distance of a window to the nearest training window", _ADVICE
    ),
    "moving z-score": Finding(
        "loses_to_moving_z", "warning", "distance to the mean of the rows before, in their standard deviations", _ADVICE
    ),
    "random": Finding("loses_to_random", "warning", "a random score", "Look whether the labels are of these rows"),
}


@dataclass(frozen=True)
class Rows:
    """Rows of one part.

    Attributes:
        values: Scaled units, NaN where a cell is missing, shape `(rows, columns)`.
        segment: Changes where rows do not follow each other, shape `(rows,)`.
    """

    values: np.ndarray
    segment: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """The figures of a detector and of simple scores on the same rows.

    Attributes:
        judged: By name, the detector first.
        about: What each baseline does.
        rows: Rows that were judged.
        events: Labelled events among them.
        buffer: The largest buffer of the volumes, in rows.
    """

    judged: dict[str, Judgement]
    about: dict[str, str]
    rows: int
    events: int
    buffer: int

    @property
    def title(self) -> str:
        """What was judged."""
        events = f"{self.events:,} labelled event{'' if self.events == 1 else 's'}"
        return f"{events} in {self.rows:,} {'test ' if self.about else ''}rows; volumes with buffers up to {self.buffer} rows"

    def figures(self, name: str = DETECTOR) -> dict[str, float]:
        """The figures of one score by key, see `Judgement.figures`."""
        return self.judged[name].figures()

    def table(self) -> pd.DataFrame:
        """A row for each score, a column for each figure; what is unknown is NaN."""
        rows = [{"score": name} | self.figures(name) for name in self.judged]
        return pd.DataFrame(rows).reindex(columns=["score", *TITLES])

    def findings(self) -> list[Finding]:
        """The baselines that are better by VUS-PR, by more than 2 %."""
        own = self.judged[DETECTOR].vus_pr
        return [
            replace(
                _PEERS[name],
                text=f"by VUS-PR the detector loses to {name} on the test rows ({own:.3f} against {found.vus_pr:.3f}): {about}",
            )
            for name, about in self.about.items()
            if (found := self.judged[name]).vus_pr > own * (1 + _TIE)
        ]


def compare(
    flags: np.ndarray,
    scores: np.ndarray,
    detector: Detector,
    *,
    train: Rows,
    val: Rows,
    test: Rows,
    steps: int,
    seed: int,
) -> Comparison | None:
    """The figures of a detector's scores of the test rows and those of baselines; None where no row or every one is labelled.

    Baselines are fitted on the training rows, smoothed as the detector smooths, and get their threshold from the validation rows
    by the same rule.

    Args:
        flags: Whether each test row is labelled, shape `(rows,)`.
        scores: The detector's, likewise.
        detector: Whose settings hold for all.
        train: What baselines are fitted on.
        val: What thresholds are fitted on.
        test: What is judged.
        steps: Rows of a window.
        seed: Of the random score.
    """
    buffer = strongest_period(_longest(test))

    def judged(found: np.ndarray, threshold: float) -> Judgement | None:
        return judge(
            flags,
            found,
            test.segment,
            threshold=threshold,
            cut=lambda each, level: detector.cut.events(each, test.segment, level),
            buffer=buffer,
            rows_per_week=detector.rows_per_week,
        )

    own = judged(scores, detector.threshold)
    if own is None:
        return None
    results, about = {DETECTOR: own}, {}
    for name, score in _peers(train, steps, seed).items():
        smooth = detector.settings.smooth
        on_val, on_test = (trailing_mean(score(part)[:, None], part.segment, smooth)[:, 0] for part in (val, test))
        if not (np.isfinite(on_val).any() and np.isfinite(on_test).any()):
            continue
        on_val, on_test = in_robust_units(on_val, on_val), in_robust_units(on_test, on_val)
        found = judged(on_test, threshold_of(on_val, val.segment, detector))
        if found is not None:
            results[name], about[name] = found, _PEERS[name].text
    return Comparison(results, about, len(flags), len(runs(flags, test.segment)), buffer)


def judge_alone(
    flags: np.ndarray, scores: np.ndarray, segment: np.ndarray, actual: np.ndarray, detector: Detector
) -> Comparison | None:
    """The figures of a detector's scores of new rows, without baselines, whose training rows are not there.

    Args:
        flags: Whether each row is labelled, shape `(rows,)`.
        scores: Likewise; `segment` as in `Rows`.
        segment: Changes where rows do not follow each other.
        actual: Observed values, shape `(rows, columns)`.
        detector: That gave the scores.

    Returns:
        None where no row or every one is labelled.
    """
    rows = Rows(actual - np.nan_to_num(np.nanmean(actual[:, :1])), segment)
    buffer = strongest_period(_longest(rows))
    found = judge(
        flags,
        scores,
        segment,
        threshold=detector.threshold,
        cut=lambda each, level: detector.cut.events(each, segment, level),
        buffer=buffer,
        rows_per_week=detector.rows_per_week,
    )
    return None if found is None else Comparison({DETECTOR: found}, {}, len(flags), len(runs(flags, segment)), buffer)


def _peers(train: Rows, steps: int, seed: int) -> dict[str, Callable[[Rows], np.ndarray]]:
    known = train.values, train.segment
    return {
        "sub-PCA": lambda rows: sub_pca(*known, rows.values, rows.segment, steps=steps),
        "matrix profile": lambda rows: matrix_profile(*known, rows.values, rows.segment, steps=steps),
        "moving z-score": lambda rows: moving_z(rows.values, rows.segment, steps=steps),
        "random": lambda rows: random_score(len(rows.values), seed=seed),
    }


def in_robust_units(scores: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Scores less the median of usual ones, in their robust standard deviations: events end at a share of the threshold, which
    says nothing of a score that never comes near 0."""
    center = float(np.nanmedian(usual))
    spread = float(np.nanmedian(np.abs(usual - center))) * _MAD or float(np.nanstd(usual)) or 1.0
    return np.asarray((scores - center) / spread)


def threshold_of(scores: np.ndarray, segment: np.ndarray, detector: Detector) -> float:
    """The threshold that a detector's settings give to scores of usual rows."""
    settings = detector.settings
    if settings.threshold == "quantile":
        return float(np.nanquantile(scores, settings.quantile))
    tail = fit_tail(scores, segment, detector.cut, detector.units(len(scores)))
    return tail.threshold(settings.alarms_per_week)


def _longest(rows: Rows) -> np.ndarray:
    """The first column of the longest stretch of rows."""
    borders = np.flatnonzero(np.r_[True, rows.segment[1:] != rows.segment[:-1], True])
    longest = int(np.argmax(np.diff(borders)))
    return np.nan_to_num(rows.values[borders[longest] : borders[longest + 1], 0])
