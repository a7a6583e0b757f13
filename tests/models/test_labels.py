"""Loss and accuracy of labels against NumPy; what has no label does not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.models.labels import LabelAccuracy, label_loss


def batch(seed: int, rows: int = 3, steps: int = 5, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(rows, steps, labels)).astype(np.float32)
    return rng.integers(-1, labels, size=(rows, steps)), logits


def expected(truth: np.ndarray, logits: np.ndarray) -> tuple[float, float, int]:
    """Mean loss, share of hits and number of the labelled steps."""
    losses, hits = [], []
    for row, step in np.argwhere(truth >= 0):
        own = logits[row, step].astype(np.float64)
        losses.append(np.log(np.exp(own).sum()) - own[truth[row, step]])
        hits.append(int(own.argmax()) == truth[row, step])
    return float(np.mean(losses)), float(np.mean(hits)), len(hits)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), more=st.integers(0, 3))
def test_loss_and_accuracy_are_numpy_s_and_unchanged_by_padding(seed: int, more: int) -> None:
    truth, logits = batch(seed)
    truth[0, 0] = 2
    loss, accuracy, _ = expected(truth, logits)
    padded = np.pad(truth, [(0, 0), (0, more)], constant_values=-1)
    wide = np.pad(logits, [(0, 0), (0, more), (0, 0)], constant_values=7)
    assert float(label_loss(padded.astype(np.float32), wide)) == pytest.approx(loss, rel=1e-5)
    metric = LabelAccuracy()
    metric.update_state(padded, wide)
    assert float(metric.result()) == pytest.approx(accuracy)


def test_accuracy_counts_steps_and_not_batches() -> None:
    metric = LabelAccuracy()
    assert float(metric.result()) == 0
    hits = total = 0.0
    for seed, steps in ((0, 2), (1, 9)):
        truth, logits = batch(seed, steps=steps)
        _, accuracy, count = expected(truth, logits)
        metric.update_state(truth, logits)
        hits, total = hits + accuracy * count, total + count
    assert float(metric.result()) == pytest.approx(hits / total)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_a_batch_without_labels_has_no_loss_and_no_gradient() -> None:
    import tensorflow as tf

    logits = tf.Variable(batch(0)[1])
    with tf.GradientTape() as tape:
        loss = label_loss(np.full((3, 5), -1), logits)
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros((3, 5, 4)))
