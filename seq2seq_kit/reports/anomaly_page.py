"""The page of a detection: the series with its events, a slider that cuts them anew, and what each column had to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.comparison import DETECTOR
from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.anomalies.surface import runs
from seq2seq_kit.reports.page import packed, program_page, write_page
from seq2seq_kit.reports.plots import with_unit
from seq2seq_kit.text import printable

_MOST_CELLS = 2_000_000  # actual, expected and share of each; 100,000 rows of 20 columns, and the page has 32 MB
_ROOM = 1.25  # of the slider, above the highest score


@dataclass(frozen=True)
class Shown:
    """What the page needs of a detection, rows in order of series and time.

    Attributes:
        series: Their names; `[""]` for a single one.
        of: The series of each row, `(rows,)`.
        segment: Changes where rows do not follow each other, `(rows,)`.
        places: Timestamps without a zone, or numbers of rows, `(rows,)`.
        scores: `(rows,)`, NaN where nothing is known.
        columns: The columns that are judged.
        actual, expected: In original units, `(rows, columns)`.
        shares: Of each column in the score, at least 0 and 1 in sum, `(rows, columns)`.
        threshold: What a score must exceed to be an event.
        exit_share: Share of the threshold under which an event ends.
        min_steps, merge_gap: See `anomalies.events.cut_events`.
        rates: Thresholds that ascend, and the alarms that are expected at each.
        per: In what they are expected: `week`.
        units: Of the columns, by name.
        facts: Sentences above the figure.
        labelled: Whether each row is labelled as anomalous, `(rows,)`; None without labels.
    """

    series: Sequence[str]
    of: np.ndarray
    segment: np.ndarray
    places: np.ndarray
    scores: np.ndarray
    columns: Sequence[str]
    actual: np.ndarray
    expected: np.ndarray
    shares: np.ndarray
    threshold: float
    exit_share: float
    min_steps: int
    merge_gap: int
    rates: tuple[np.ndarray, np.ndarray]
    per: str = "week"
    units: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[str] = ()
    labelled: np.ndarray | None = None


def detection_page(detection: Detection, *, title: str, units: Mapping[str, str] | None = None) -> str:
    """The page of what a detector said, see `anomaly_page`."""
    return anomaly_page(shown_of(detection, units=units), title=title)


def write_anomaly_page(
    detection: Detection, out: str | Path, *, title: str = "Anomalies", units: Mapping[str, str] | None = None
) -> Path:
    """Writes what `bundle.detect` found as a page to look at: events over the series, a slider for the threshold, causes.

    Args:
        detection: What `detect` gave.
        out: File to write, `events.html`.
        title: Of the page.
        units: By column.

    Returns:
        The file. It needs no network and holds every row.

    Raises:
        ArgumentError: The file cannot be written.
    """
    return write_page(detection_page(detection, title=title, units=units), out)


def shown_of(detection: Detection, *, units: Mapping[str, str] | None = None) -> Shown:
    """What the page needs of a detection; units by column."""
    detector, frame = detection.detector, detection.scores
    count = len(detector.columns)
    # By place: answers that would bear the name of another column are called otherwise.
    kit = frame.shape[1] - 3 - 3 * count
    names = [", ".join(map(str, cells)) for cells in frame.iloc[:, : kit - 1].itertuples(index=False)]
    of, series = pd.factorize(np.array(names, dtype=object)) if kit > 1 else (np.zeros(len(frame), dtype=int), [""])
    when = frame.iloc[:, kit - 1]
    if pd.api.types.is_datetime64_any_dtype(when):
        when = when.dt.tz_localize(None)  # the clock of the data
    values = frame.iloc[:, kit + 3 :].to_numpy(dtype=np.float64)
    # A week of rows is that of a series; 10,000 rows may be of any.
    per = detector.unit + (" and series" if len(series) > 1 and detector.rows_per_week is not None else "")
    facts = [
        f"False alarms expected at the threshold {detector.threshold:.4g}, per {per}: {detector.alarms_per_week:.3g}, "
        f"by the scores of {detector.rows:,} validation rows."
    ]
    facts += _told(detection)
    if detection.unreached:
        facts.append(f"{detection.unreached:,} rows that no window reaches are not here.")
    return Shown(
        series=list(series),
        of=of,
        segment=detection.segment,
        places=when.to_numpy(),
        scores=frame.iloc[:, kit].to_numpy(dtype=np.float64),
        columns=detector.columns,
        actual=values[:, :count],
        expected=values[:, count::2],
        shares=detection.shares,
        threshold=detector.threshold,
        exit_share=detector.cut.exit,
        min_steps=detector.cut.min_steps,
        merge_gap=detector.cut.merge_gap,
        rates=detector.rates,
        per=per,
        units=units or {},
        labelled=detection.labelled,
        facts=[*facts, *(f"{note[:1].upper()}{note[1:]}." for note in detection.notes), *map(str, detection.findings)],
    )


def _told(detection: Detection) -> list[str]:
    """What labels say of the events at the detector's threshold."""
    judged = detection.judged
    if judged is None:
        return [] if detection.labelled is None else ["No row here is labelled, or every one is."]
    counts = judged.judged[DETECTOR].counts
    false = f"{counts.false:,} event{' overlaps' if counts.false == 1 else 's overlap'} none of them"
    return [f"Of {judged.events:,} labelled stretches events at this threshold find {counts.found:,}; {false}."]


def anomaly_page(shown: Shown, *, title: str) -> str:
    """The page, which needs nothing else.

    Scores stand in it as they are, so it cuts the events that Python would cut at any threshold. Of tables with more than two
    million cells only the columns with the largest shares are drawn, and the page says so.
    """
    edges = np.flatnonzero(np.diff(shown.of)) + 1
    firsts, ends = [0, *edges.tolist()], [*edges.tolist(), len(shown.of)]
    clock = np.issubdtype(shown.places.dtype, np.datetime64)
    at = shown.places.astype("datetime64[us]").astype(np.int64) / 1000 if clock else shown.places.astype(np.float64)
    kept = _kept_columns(shown)
    facts = list(shown.facts)
    if len(kept) < len(shown.columns):
        facts.append(
            f"Of {len(shown.columns):,} columns the {len(kept)} are here whose share in high scores is largest."
        )
    known = shown.scores[np.isfinite(shown.scores) & (shown.scores > 0)]
    data = {
        "clock": bool(clock),
        "step": _step(at, shown.segment),
        "series": [printable(shown.series[int(shown.of[first])]) for first in firsts],
        "ranges": list(zip(firsts, ends, strict=True)),
        "columns": [printable(shown.columns[number]) for number in kept],
        "titled": [printable(with_unit(shown.columns[number], shown.units)) for number in kept],
        "facts": [printable(fact) for fact in facts],
        "spread": float(known.max() / shown.threshold) if known.size else 1.0,
        "at": packed(at.astype(np.float64)),
        "scores": packed(shown.scores.astype(np.float64)),
        "labelled": None if shown.labelled is None else runs(shown.labelled, shown.segment).tolist(),
        "segment": packed(shown.segment.astype(np.int32)),
        **{
            name: [packed(table[:, number].astype(np.float32)) for number in kept]
            for name, table in (("actual", shown.actual), ("expected", shown.expected), ("shares", shown.shares))
        },
        "detector": {
            "threshold": shown.threshold,
            "exit": shown.exit_share,
            "min_steps": shown.min_steps,
            "merge_gap": shown.merge_gap,
            "rates": [values.tolist() for values in shown.rates],
            "per": shown.per,
            "limits": _limits(shown, known),
        },
    }
    return program_page(title, "anomalies", data)


def _kept_columns(shown: Shown) -> list[int]:
    """Numbers of the columns that are drawn, in their order."""
    most = max(1, _MOST_CELLS // max(1, len(shown.of)))
    if len(shown.columns) <= most:
        return list(range(len(shown.columns)))
    weights = np.nan_to_num(shown.scores)[:, None] * np.nan_to_num(shown.shares)
    return sorted(np.argsort(-weights.sum(axis=0), kind="stable")[:most].tolist())


def _step(at: np.ndarray, segment: np.ndarray) -> float:
    """The usual distance of neighbouring rows, in milliseconds or rows."""
    steps = np.diff(at)[np.diff(segment) == 0]
    return float(np.median(steps)) if steps.size else 1.0


def _limits(shown: Shown, known: np.ndarray) -> tuple[float, float]:
    """Ends of the slider: from a threshold that half the rows exceed to one that none does."""
    levels = shown.rates[0]
    some = [shown.threshold, *levels[levels > 0].tolist()]
    if known.size:
        some += np.quantile(known, [0.5, 1]).tolist()
    low, high = min(some), max(some)
    return low, max(high, low * 2) * _ROOM
