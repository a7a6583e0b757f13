"""Sample paths: all steps ahead together, each path as likely as another.

Intervals tell of each step by itself; how a sum or the highest of some steps is distributed takes how the steps hang together.
The calibration windows tell that: where the actual values of one lie among those of all, step by step and target by target, is a
template. A path is the quantiles of a forecast read at the places of a template (Clark et al. 2004; Schefzik, Thorarinsdottir and
Gneiting 2013), so at every step the paths have the quantiles of the intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from seq2seq_kit.intervals.prediction import Prediction

_MOST = 1_000
_MOST_CELLS = 2_000_000  # of templates, which are stored with the bundle


def most_templates(cells: int) -> int:
    """Templates that are kept of windows of so many steps times targets."""
    return max(2, min(_MOST, _MOST_CELLS // cells))


def templates_of(truth: np.ndarray, predicted: Prediction) -> np.ndarray | None:
    """Where the actual values of windows lie among those of all, as probabilities in (0, 1) that are spread evenly.

    Args:
        truth: Shape `(windows, steps, targets)`; windows with a missing value (NaN) make no template.
        predicted: Of the same windows, with quantiles.

    Returns:
        Shape `(templates, steps, targets)`; None where fewer than two windows are known.
    """
    known = ~np.isnan(truth).any(axis=(1, 2))
    if known.sum() < 2:
        return None
    place = _places(truth[known], predicted.quantiles_of(known), predicted.probabilities)
    # Values that tie, such as many zeros, take the places that they share in an order that is drawn, step by step.
    ranks = np.lexsort((np.random.default_rng(0).random(place.shape), place), axis=0).argsort(axis=0)
    return np.asarray((ranks + 0.5) / len(place), dtype=np.float32)


def draw(predicted: Prediction, templates: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Paths of some windows, each window's drawn by itself.

    Args:
        predicted: With quantiles, shape `(windows, steps, targets, probabilities)`, of no more steps than the templates.
        templates: Of `templates_of`.
        count: Paths of each window: of no more than there are templates no two are of the same one.
        rng: What draws.

    Returns:
        Shape `(windows, count, steps, targets)`.
    """
    windows, steps = predicted.point.shape[:2]
    numbers = np.arange(len(templates))
    if count <= len(templates):
        picked = rng.permuted(np.tile(numbers, (windows, 1)), axis=1)[:, :count]
    else:
        picked = rng.integers(0, len(templates), (windows, count))
    return _values_at(predicted, _normal_scores(templates[picked][:, :, :steps].astype(np.float64)))


def _places(truth: np.ndarray, quantiles: np.ndarray, probabilities: tuple[float, ...]) -> np.ndarray:
    """Where values lie among quantiles, as normal scores; beyond the outermost ones in proportion to the way from the median."""
    knots = _normal_scores(probabilities)
    place = np.zeros(truth.shape)
    for low in range(len(knots) - 1):
        below, above = quantiles[..., low], quantiles[..., low + 1]
        share = np.divide(truth - below, above - below, out=np.zeros(truth.shape), where=above > below)
        inside = (truth >= below) & (truth <= above)
        place = np.where(inside, knots[low] + share * (knots[low + 1] - knots[low]), place)
    middle = quantiles[..., len(knots) // 2]
    for end, outside in ((0, truth < quantiles[..., 0]), (-1, truth > quantiles[..., -1])):
        reach = quantiles[..., end] - middle
        times = np.divide(truth - middle, reach, out=np.ones(truth.shape), where=reach != 0)
        place = np.where(outside, knots[end] * times, place)
    return place


def _values_at(predicted: Prediction, scores: np.ndarray) -> np.ndarray:
    """The reverse of `_places`: `scores` of shape `(windows, paths, steps, targets)`, as is what they become."""
    assert predicted.quantiles is not None
    knots = _normal_scores(predicted.probabilities)
    quantiles = predicted.quantiles[:, None]
    low = np.clip(np.searchsorted(knots, scores, side="right") - 1, 0, len(knots) - 2)

    def at(place: np.ndarray) -> np.ndarray:
        return np.asarray(np.take_along_axis(quantiles, place[..., None], axis=-1)[..., 0])

    share = (scores - knots[low]) / (knots[low + 1] - knots[low])
    between = at(low) + share * (at(low + 1) - at(low))
    middle = quantiles[..., len(knots) // 2]
    before = middle + (quantiles[..., 0] - middle) * scores / knots[0]
    after = middle + (quantiles[..., -1] - middle) * scores / knots[-1]
    return np.where(scores < knots[0], before, np.where(scores > knots[-1], after, between))


def _normal_scores(probabilities: np.ndarray | Sequence[float]) -> np.ndarray:
    # Few of them differ, and whoever runs an exported model has no SciPy.
    values, place = np.unique(np.asarray(probabilities, dtype=np.float64), return_inverse=True)
    scores = np.array([NormalDist().inv_cdf(each) for each in values.tolist()])
    return np.asarray(scores[place].reshape(np.shape(probabilities)))
