"""Volumes under the surfaces, beside the published code's figures and a second, plain implementation."""

from itertools import pairwise

import numpy as np
import pytest

from seq2seq_kit.anomalies.surface import runs, strongest_period, volumes

BUFFER = 60
# Of the evaluation code of TSB-AD (RangeAUC_volume_opt, commit 16e14dd), on the cases below: PR, ROC.
PUBLISHED = {
    0: (0.8108201742966077, 0.9836930495610876),
    1: (0.7715990688051992, 0.9855519134886065),
    2: (0.7831151242701441, 0.9840756114160658),
    3: (0.7971105669794799, 0.9891780076972758),
    4: (0.72961078770671, 0.974794835703214),
    5: (0.09045415439143024, 0.513628935155629),
}


def case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Events in the middle, beside each other, at both ends; rounded scores (many ties) in 4, constant ones in 5."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(1500)
    for start in [300, 500, 1400] if seed % 2 else [0, 700, 730, 1480]:
        labels[start : start + 20] = 1
    wide = np.convolve(labels, np.ones(30), "same") > 0
    scores = rng.normal(size=1500) + labels * 2 + wide * 0.7
    if seed == 4:
        scores = np.round(scores)
    return labels, np.ones(1500) if seed == 5 else scores


def plain_volumes(labels: np.ndarray, scores: np.ndarray, *, buffer: int) -> tuple[float, float]:
    """The definition, row by row and threshold by threshold, without sums that are shared."""
    rows = len(labels)
    thresholds = np.sort(scores)[::-1][np.linspace(0, rows - 1, 250).astype(int)]
    areas = []
    for width in range(buffer + 1):
        reach = width // 2
        weights = labels.copy()
        widened: list[list[int]] = []
        for first, last in runs(labels > 0, np.zeros(rows)):
            for distance in range(1, reach + 1):
                for row in (first - distance, last + distance):
                    if 0 <= row < rows:
                        weights[row] = min(weights[row] + np.sqrt(1 - distance / width), 1.0)
            if widened and first - reach <= widened[-1][1]:
                widened[-1][1] = last + reach
            else:
                widened.append([max(first - reach, 0), last + reach])
        curve = [(0.0, 0.0, 1.0)]
        for threshold in thresholds:
            predicted = scores >= threshold
            hit = float(weights[predicted].sum())
            positives = (labels.sum() + sum(weights[row] for row in range(rows) if labels[row] or predicted[row])) / 2
            met = np.mean([predicted[first : last + 1].any() for first, last in widened])
            curve.append(
                (min(hit / positives, 1) * met, (predicted.sum() - hit) / (rows - positives), hit / predicted.sum())
            )
        pr = sum((after[0] - before[0]) * after[2] for before, after in pairwise(curve))
        whole = [*curve, (1.0, 1.0, 0.0)]
        roc = sum((after[1] - before[1]) * (after[0] + before[0]) / 2 for before, after in pairwise(whole))
        areas.append((pr, roc))
    pr, roc = np.mean(areas, axis=0)
    return float(pr), float(roc)


@pytest.mark.parametrize("seed", PUBLISHED)
def test_the_volumes_are_those_of_the_published_code(seed: int) -> None:
    labels, scores = case(seed)
    found = volumes(labels, scores, np.zeros(1500), buffer=BUFFER)
    assert (found.pr, found.roc) == pytest.approx(PUBLISHED[seed], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_volumes_are_those_of_a_second_implementation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros(150)
    labels[[20, 21, 22, 60, 61, 62, 63, 148, 149]] = 1
    scores = rng.normal(size=150) + labels
    found = volumes(labels, scores, np.zeros(150), buffer=8)
    assert (found.pr, found.roc) == pytest.approx(plain_volumes(labels, scores, buffer=8), abs=1e-12)


def test_slopes_do_not_cross_a_border_of_segments() -> None:
    labels = np.zeros(200)
    labels[90:100] = 1
    scores = np.zeros(200)
    scores[100:110] = 1.0  # right behind the event, in another series
    joined, apart = np.zeros(200), np.repeat([0, 1], 100)
    assert volumes(labels, scores, apart, buffer=40).pr < volumes(labels, scores, joined, buffer=40).pr


def test_a_perfect_score_has_a_volume_of_nearly_one_and_a_random_one_that_of_the_labelled_share() -> None:
    labels = np.zeros(4000)
    labels[2000:2400] = 1
    perfect = volumes(labels, labels + np.random.default_rng(0).random(4000) / 10, np.zeros(4000), buffer=20)
    chance = volumes(labels, np.random.default_rng(1).random(4000), np.zeros(4000), buffer=20)
    assert perfect.pr > 0.97
    assert perfect.roc > 0.97
    assert 0.08 < chance.pr < 0.14
    assert 0.45 < chance.roc < 0.55


def test_the_strongest_period_is_that_of_a_sine() -> None:
    rows = np.arange(3000)
    assert strongest_period(np.sin(2 * np.pi * rows / 48)) == 48
    assert strongest_period(np.ones(3000)) == 125


def test_runs_end_at_a_border_of_segments() -> None:
    flags = np.array([1, 1, 1, 0, 1], dtype=bool)
    assert runs(flags, np.array([0, 0, 1, 1, 1])).tolist() == [[0, 1], [2, 2], [4, 4]]
    assert runs(flags[:0], np.zeros(0)).shape == (0, 2)
