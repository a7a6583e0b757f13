"""A training step that several workers take together: each computes its share of the batch, all apply the same gradient.

The loss is computed on every worker, over the predictions of all of them: so masks, weights and any loss whatever give what they
give in one process, and only what costs much, the way through the model and back, is shared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from seq2seq_kit.training.group import Group, from_first

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices

_FAR = 1_000_003  # between the seeds of two workers


def shared_step(model: keras.Model, group: Group) -> Callable[[object], tf.Tensor]:
    """A function that takes a step on a batch, as `train_step` of a compiled Keras model does, together with all workers.

    Every worker is given the whole batch. Where workers draw (dropout, noise), each does so from a seed of its own; worker 0
    draws what one process would.

    Args:
        model: Compiled, its optimizer built.
        group: This worker's.

    Returns:
        A function of `(inputs, targets)` or `(inputs, targets, weights)`; what it returns depends on the whole step.
    """
    import keras
    import tensorflow as tf

    from seq2seq_kit.models.drawing import drawn_latent
    from seq2seq_kit.models.keras_compat import draws_of

    draws, latent = draws_of(model), drawn_latent(model)

    def step(batch: object) -> tf.Tensor:
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
        share = _Share(group, tf.shape(tf.nest.flatten(inputs)[0])[0])
        own = tf.nest.map_structure(share.of, inputs)
        _move(draws, group.rank)
        with tf.GradientTape() as tape:
            whole = share.everyones(model(own, training=True))
            told = model.compute_loss(x=inputs, y=targets, y_pred=whole, sample_weight=weights, training=True)
            # What layers add is the mean over a worker's own sequences, or (penalties on weights) the same for each.
            added = (
                tf.add_n([tf.cast(each, told.dtype) for each in model.losses]) if model.losses else tf.zeros_like(told)
            )
            loss = model.optimizer.scale_loss(told - (1 - share.part) * added)
        _move(draws, -group.rank)
        gradients = tape.gradient(loss, model.trainable_variables)
        figures = [added, *([latent.divergence] if latent else [])]
        gradients, figures, done = _summed(
            group, gradients, [share.part * tf.cast(each, tf.float32) for each in figures]
        )
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        if latent:
            latent.divergence = figures[1]
        tracker = next(metric for metric in model.metrics if metric.name == "loss")
        tracker.update_state(told - added + tf.cast(figures[0], told.dtype), sample_weight=share.count)
        model.compute_metrics(inputs, targets, whole, weights)
        return done

    return step


def agreeing(group: Group) -> keras.callbacks.Callback:
    """Gives all workers the figures that worker 0 has of an epoch, so that all choose, stop and slow down alike.

    Losses of validation may differ in their last digit where processors do.
    """
    import keras

    class Agreeing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            told = from_first(group, lambda: json.dumps({name: float(value) for name, value in logs.items()}).encode())
            logs |= json.loads(told)

    return Agreeing()


class _Share:
    """The part of a batch of `count` sequences that this worker computes.

    Where there are fewer sequences than workers, one without any computes one, which counts nothing.
    """

    def __init__(self, group: Group, count: tf.Tensor) -> None:
        import tensorflow as tf

        self.group, self.count = group, count
        self.first, self.end = count * group.rank // group.count, count * (group.rank + 1) // group.count
        self.size = self.end - self.first
        self.part = tf.cast(self.size, tf.float32) / tf.cast(count, tf.float32)
        begin = tf.minimum(self.first, count - 1)
        self.computed = begin, tf.maximum(self.end, begin + 1)

    def of(self, whole: tf.Tensor) -> tf.Tensor:
        """The sequences that the worker computes, of all in a batch."""
        return whole[self.computed[0] : self.computed[1]]

    def everyones(self, own: tf.Tensor) -> tf.Tensor:
        """The predictions of all workers, with the mask and the logits that Keras' losses look for on them."""
        from seq2seq_kit.models import keras_compat

        whole = self._joined(own)
        logits, mask = keras_compat.logits_of(own), keras_compat.mask_of(own)
        keras_compat.set_logits(whole, None if logits is None else self._joined(logits))
        if mask is not None:
            keras_compat.set_mask(whole, self._joined(mask) > 0.5)
        return whole

    def _joined(self, own: tf.Tensor) -> tf.Tensor:
        """The rows of all workers in their order. Each row's gradient goes back to the worker that it is of."""
        import tensorflow as tf

        @tf.custom_gradient
        def join(own: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            kept = tf.cast(own[: self.size], tf.float32)
            rows = _padded(kept, self.first, self.count - self.end)
            total = tf.reshape(self.group.reduce(tf.reshape(rows, [-1])), tf.shape(rows))
            total.set_shape([None, *own.shape[1:]])

            def back(upstream: tf.Tensor) -> tf.Tensor:
                return _padded(upstream[self.first : self.end], 0, tf.shape(own)[0] - self.size)

            return tf.cast(total, own.dtype if own.dtype.is_floating else tf.float32), back

        return join(own)


def _padded(rows: tf.Tensor, before: tf.Tensor | int, after: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.pad(rows, [[before, after], *[[0, 0]] * (rows.shape.rank - 1)])


def _summed(
    group: Group, gradients: list[Gradient | None], figures: list[tf.Tensor]
) -> tuple[list[Gradient | None], list[tf.Tensor], tf.Tensor]:
    """Gradients and figures summed over all workers in one call; a weight without a gradient stays so.

    Those of embeddings stay slices, one for each use of a row, put behind each other: Keras' optimizers square each of them by
    itself, so a sum of them would be another step.
    """
    import tensorflow as tf

    there = _together(group, [each for each in (*gradients, *figures) if each is not None])
    flat = [tf.reshape(tf.cast(part, tf.float32), [-1]) for each in there for part in _parts(each)]
    total = group.reduce(tf.concat(flat, axis=0))
    summed = iter(tf.split(total, tf.stack([tf.size(each) for each in flat]), num=len(flat)))
    found = iter([_like(each, [next(summed) for _ in _parts(each)]) for each in there])
    return [None if each is None else next(found) for each in gradients], list(found), total


def _parts(gradient: Gradient) -> list[tf.Tensor]:
    return [gradient] if not hasattr(gradient, "indices") else [gradient.values, gradient.indices]


def _like(gradient: Gradient, parts: list[tf.Tensor]) -> Gradient:
    """Sums in the form of a gradient; numbers of rows of an embedding are whole in float32, up to 16 million."""
    import tensorflow as tf

    own = _parts(gradient)
    made = [tf.cast(tf.reshape(part, tf.shape(each)), each.dtype) for part, each in zip(parts, own, strict=True)]
    for each, like in zip(made, own, strict=True):
        each.set_shape(like.shape)
    return made[0] if len(made) == 1 else tf.IndexedSlices(made[0], made[1], gradient.dense_shape)


def _together(group: Group, gradients: list[Gradient]) -> list[Gradient]:
    """The gradients, those of slices with room for the slices of all workers before and behind their own."""
    import tensorflow as tf

    sliced = [each for each in gradients if hasattr(each, "indices")]
    if not sliced:
        return gradients
    own = tf.stack([tf.shape(each.indices)[0] for each in sliced])
    counts = tf.one_hot(group.rank, group.count)[:, None] * tf.cast(own, tf.float32)[None]
    counts = tf.cast(tf.reshape(group.reduce(tf.reshape(counts, [-1])), [group.count, len(sliced)]), tf.int32)
    before, after = tf.reduce_sum(counts[: group.rank], axis=0), tf.reduce_sum(counts[group.rank + 1 :], axis=0)
    places = {id(each): place for place, each in enumerate(sliced)}

    def widened(each: Gradient) -> Gradient:
        if id(each) not in places:
            return each
        place = places[id(each)]
        parts = [_padded(part, before[place], after[place]) for part in _parts(each)]
        return tf.IndexedSlices(parts[0], parts[1], each.dense_shape)

    return [widened(each) for each in gradients]


def _move(draws: list[keras.Variable], by: int) -> None:
    """Moves the seeds of random generators, so that workers draw differently; moved back they are as in one process."""
    from keras import ops

    for state in draws:
        state.assign(ops.add(state, ops.cast([by * _FAR, 0], state.dtype)))
