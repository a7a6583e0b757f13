"""Anomalies of the Numenta Anomaly Benchmark: the kit's autoencoder, forecast and combined form beside simple scores.

    python benchmarks/anomaly.py NAB                    # folder with data/**.csv and labels/combined_windows.json
    python benchmarks/anomaly.py NAB --only nyc_taxi --seed 1

Every series is trained by one and the same recipe without its labels: the first 30 % of its rows are train, the next 20 % val,
where training stops and thresholds come from; the rest is judged, and for tables that do so the whole series, too. Settings were
chosen on generated series with injected faults, and from the literature, never by NAB's labels (docs/performance.md).

- VUS-PR as TSB-AD computes it (slopes up to the strongest period of a series), mean over the series
- events by overlapping segments, as Orion counts them, pooled over the series; thresholds without labels by the same rule for all
- `alarmed`: mean share of the rows that lie in alarms; one alarm over all rows would find every event
- every score is smoothed alike; `sub-PCA, raw` is as the literature has it
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.baselines import matrix_profile, moving_z, random_score, sub_pca
from seq2seq_kit.anomalies.comparison import in_robust_units, threshold_of
from seq2seq_kit.anomalies.detector import Detector, trailing_mean
from seq2seq_kit.anomalies.judging import EventCounts, Judgement, judge
from seq2seq_kit.anomalies.surface import strongest_period
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.registry import parse_recipe

TRAIN, VAL = 0.3, 0.2
STEPS = 128
DETECT = {"combine": "max", "smooth": 64, "alarms_per_week": 0.5}
MODEL = {"encoder_units": [64], "decoder_units": [64], "segment_steps": 8}
FORMS = {
    "autoencoder": {"task": "autoencode", "model": MODEL | {"bidirectional": True, "latent_dim": 16}},
    # From one latent vector also the segments before and after the window (Wong et al. 2022, AER).
    "combined": {"task": "autoencode", "model": MODEL | {"bidirectional": True, "latent_dim": 16}},
    "forecast": {"task": "forecast", "model": MODEL},
}


@dataclass(frozen=True)
class Series:
    """A file of NAB: its rows on a regular clock (rows are steps there), and whether each is in a labelled window."""

    name: str
    frame: pd.DataFrame
    labels: np.ndarray


@dataclass(frozen=True)
class Score:
    """Of one series: its scores, shape `(rows,)`, and the threshold that was found without labels."""

    values: np.ndarray
    threshold: float


def read_nab(folder: Path) -> Iterator[Series]:
    """The series that have labels, also those with an empty list of windows."""
    found = [*folder.rglob("combined_windows.json"), *folder.rglob("anomaly_windows.json")]
    if not found:
        raise SystemExit(f"{folder} holds neither combined_windows.json nor anomaly_windows.json")
    for name, windows in json.loads(found[0].read_text(encoding="utf-8")).items():
        path = next((base / name for base in (folder, folder / "data") if (base / name).exists()), None)
        if path is None:
            continue
        rows = pd.read_csv(path, parse_dates=["timestamp"])
        inside = [
            (rows.timestamp >= start) & (rows.timestamp <= end) for start, end in np.array(windows).reshape(-1, 2)
        ]
        labels = np.any(inside, axis=0) if inside else np.zeros(len(rows), dtype=bool)
        step = rows.timestamp.diff().mode()[0]
        clock = pd.date_range(rows.timestamp[0].floor(step), periods=len(rows), freq=step)
        yield Series(path.stem, pd.DataFrame({"time": clock, "value": rows.value}), np.asarray(labels))


def recipe_of(form: str, series: Series, *, epochs: int, seed: int) -> dict[str, object]:
    """The recipe of a form; nothing but the clock is the series' own."""
    minutes = int((series.frame.time[1] - series.frame.time[0]).total_seconds() // 60)
    data = {"time": "time", "every": f"{minutes}min", "inputs": ["value"], "input_steps": STEPS}
    split = {"val": VAL, "test": 1 - TRAIN - VAL}
    targets = {"targets": ["value"], "output_steps": 16} if FORMS[form]["task"] == "forecast" else {}
    targets |= {"forecast_steps": 8, "backcast_steps": 8} if form == "combined" else {}
    training = {"learning_rate": 3e-3, "schedule": "cosine", "batch_size": 32, "epochs": epochs, "patience": 10}
    return FORMS[form] | {
        "data": data | targets | {"split": split},
        "training": training,
        "detect": DETECT,
        "seed": seed,
    }


def scored(form: str, series: Series, *, epochs: int, seed: int) -> tuple[Score, Detector]:
    """The scores of all rows by a model that was trained on the first of them."""
    job = open_job(parse_recipe(recipe_of(form, series, epochs=epochs, seed=seed)), series.frame)
    model = job.build()
    job.fit(model, [])
    bundle, _ = job.detecting(job.bundle(model, {}))
    found = bundle.detect(series.frame)
    values = pd.Series(found.scores.score.to_numpy(), index=pd.DatetimeIndex(found.scores.time))
    return Score(values.reindex(series.frame.time).to_numpy(), found.detector.threshold), found.detector


def baselines(series: Series, detector: Detector, *, seed: int) -> dict[str, Score]:
    """Scores of all rows by what was fitted on the first of them; smoothed as the detector's, thresholds by its rule."""
    values, first = series.frame.value.to_numpy(dtype=float)[:, None], int(TRAIN * len(series.labels))
    values = (values - values[:first].mean()) / max(values[:first].std(), 1e-9)
    segment, train = np.zeros(len(values)), np.zeros(first)
    raw = {
        "sub-PCA": sub_pca(values[:first], train, values, segment, steps=STEPS),
        "matrix profile": matrix_profile(values[:first], train, values, segment, steps=STEPS),
        "moving z-score": moving_z(values, segment, steps=STEPS),
        "random": random_score(len(values), seed=seed),
    }
    smooth = detector.settings.smooth
    found = {name: trailing_mean(score[:, None], segment, smooth)[:, 0] for name, score in raw.items()}
    found["sub-PCA, raw"] = raw["sub-PCA"]
    return {name: with_threshold(score, series, detector) for name, score in found.items()}


def with_threshold(scores: np.ndarray, series: Series, detector: Detector) -> Score:
    """Scores in robust units, and the threshold that the validation rows give by the detector's rule."""
    rows = len(series.labels)
    val = slice(int(TRAIN * rows), int((TRAIN + VAL) * rows))
    scores = in_robust_units(scores, scores[val])
    return Score(scores, threshold_of(scores[val], np.zeros(val.stop - val.start), detector))


def events_of(values: np.ndarray, threshold: float, detector: Detector) -> np.ndarray:
    """First and last row of each alarm."""
    return detector.cut.events(values, np.zeros(len(values)), threshold)


def judged(score: Score, series: Series, detector: Detector, *, first: int) -> Judgement | EventCounts:
    """The figures of the rows from `first` on; only counts of events where none of them is labelled."""
    values, labels = score.values[first:], series.labels[first:]
    found = judge(
        labels,
        values,
        np.zeros(len(labels)),
        threshold=score.threshold,
        cut=lambda each, threshold: events_of(each, threshold, detector),
        buffer=strongest_period(series.frame.value.to_numpy(dtype=float)),
        rows_per_week=None,
    )
    return EventCounts(0, 0, len(events_of(values, score.threshold, detector))) if found is None else found


def measure(series: Series, *, epochs: int, seed: int) -> Iterator[dict[str, object]]:
    """The figures of each score of a series, on the rows behind train and val and on the whole of it."""
    scores: dict[str, Score] = {}
    detector: Detector | None = None
    for form in FORMS:
        scores[form], detector = scored(form, series, epochs=epochs, seed=seed)
    assert detector is not None
    mean = np.mean([scores[form].values for form in FORMS], axis=0)  # in robust units, so they have one size
    scores["mean of the three"] = with_threshold(mean, series, detector)
    scores |= baselines(series, detector, seed=seed)
    for name, score in scores.items():
        for part, first in (("test", int((TRAIN + VAL) * len(series.labels))), ("whole", 0)):
            found = judged(score, series, detector, first=first)
            figures = found.figures() if isinstance(found, Judgement) else {}
            counts = found.counts if isinstance(found, Judgement) else found
            alarms = events_of(score.values[first:], score.threshold, detector)
            row: dict[str, object] = {"series": series.name, "score": name, "part": part}
            row |= {"found": counts.found, "missed": counts.missed, "false": counts.false}
            row |= {key: figures.get(key, np.nan) for key in ("vus_pr", "vus_roc", "auc_pr", "oracle_f1")}
            yield row | {"alarmed": float((alarms[:, 1] - alarms[:, 0] + 1).sum()) / (len(series.labels) - first)}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the series of what needs no threshold, events pooled."""
    lines = []
    for (part, score), group in rows.groupby(["part", "score"], sort=False):
        counts = EventCounts(*(int(group[key].sum()) for key in ("found", "missed", "false")))
        line = {"part": part, "score": score} | {key: group[key].mean() for key in ("vus_pr", "vus_roc", "auc_pr")}
        line |= {
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "alarmed": group.alarmed.mean(),
        }
        lines.append(line | {"found": counts.found, "missed": counts.missed, "false": counts.false})
    return pd.DataFrame(lines).sort_values(["part", "vus_pr"], ascending=[True, False])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="NAB's files, or a copy of some of them")
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="CSV of the figures of each series")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows: list[dict[str, object]] = []
    for series in read_nab(options.folder):
        if options.only in series.name:
            began = time.perf_counter()
            rows += measure(series, epochs=options.epochs, seed=options.seed)
            print(f"{series.name}: {len(series.labels):,} rows, {time.perf_counter() - began:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    if options.out:
        table.to_csv(options.out, index=False)
    print(summary(table).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
