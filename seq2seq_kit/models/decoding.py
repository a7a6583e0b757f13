"""Autoregressive decoding: a model trained on the true output before each step writes step by step.

The layers are the model's; what changes is only where a step's input comes from. Everything runs in one compiled function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.models.ensemble import combining, members_of

END = 0  # the token that ends an output, and that stands before its first step
_CHUNK = 512  # sequences that are decoded at once


@dataclass(frozen=True)
class Decoder:
    """The decoder of a model with the input `previous`, one step at a time.

    Attributes:
        layers: Its recurrent layers, first to last.
        encoder: From the model's other inputs to what `split` takes apart.
        model: The model.
    """

    model: keras.Model
    encoder: keras.Model
    layers: list[keras.layers.RNN]

    @classmethod
    def of(cls, model: keras.Model) -> Decoder:
        """Finds the parts by their names."""
        names = [layer.name for layer in model.layers]
        count = sum(name.startswith("decoder_") for name in names)
        layers = [model.get_layer(f"decoder_{position}") for position in range(count)]
        handed = [state for layer in layers for state in layer.input[1:]]
        if "attention" in names:
            attention = model.get_layer("attention").input
            handed += [attention[1], attention[2]]
        inputs = [tensor for tensor in model.inputs if tensor.name in ("source", "inputs")]
        return cls(model, keras.Model(inputs, handed), layers)

    def start(self, inputs: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """The encoder's states, one after the other, and its memory: values, keys and mask for attention, or nothing."""
        handed = self.encoder(list(inputs), training=False)
        handed = list(handed) if isinstance(handed, list | tuple) else [handed]
        states = sum(len(layer.input) - 1 for layer in self.layers)
        memory = handed[states:]
        return handed[:states], [*memory, _memory_mask(self.model, inputs[0])] if memory else []

    def step(
        self, vectors: tf.Tensor, states: Sequence[tf.Tensor], memory: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor | None]:
        """One step: `(batch, width)` to `(batch, outputs)`, the new states and, with attention, its weights `(batch, steps)`."""
        outputs, after, states = vectors, [], list(states)
        for layer in self.layers:
            own, states = states[: len(layer.input) - 1], states[len(layer.input) - 1 :]
            outputs, new = layer.cell(outputs, own, training=False)
            after += list(new)
        weights = None
        if memory:
            values, keys, mask = memory
            context, weights = self.model.get_layer("attention")(
                [outputs[:, None], values, keys],
                mask=None if mask is None else [None, mask],
                return_attention_scores=True,
            )
            both = tf.concat([context[:, 0], outputs], axis=-1)
            outputs, weights = self.model.get_layer("attention_vector")(both), weights[:, 0]
        return self.model.get_layer("output")(outputs), after, weights


def _memory_mask(model: keras.Model, source: tf.Tensor) -> tf.Tensor | None:
    """Which steps of the encoder's last layer count, from the tokens; padding is 0 and stands at the end."""
    if not source.dtype.is_integer:
        return None  # windows of numbers have no padding
    mask = tf.not_equal(source, 0)
    for layer in model.layers:
        if layer.name.startswith("encoder_") and layer.name.endswith("_join"):
            mask = mask[:, :: layer.count]
    return mask


@dataclass(frozen=True)
class _Decoders:
    """The decoders of a model, one of each member of an ensemble: together they are one that gives logits.

    Attributes:
        each: The decoders.
        read: What each of them reads for a token.
        combine: From the logits of each to theirs together.
    """

    each: list[Decoder]
    read: list[Callable[[tf.Tensor], tf.Tensor]]
    combine: Callable[[list[tf.Tensor]], tf.Tensor]

    @classmethod
    def of(cls, model: keras.Model) -> _Decoders:
        members = members_of(model)
        combine = combining(model) or (lambda outputs: outputs[0])
        return cls([Decoder.of(member) for member in members], [_vectors_of(member) for member in members], combine)

    def start(self, inputs: Sequence[tf.Tensor]) -> tuple[list[list[tf.Tensor]], list[list[tf.Tensor]]]:
        """The states and the memory of each."""
        begun = [decoder.start(inputs) for decoder in self.each]
        return [states for states, _ in begun], [memory for _, memory in begun]

    def step(
        self, tokens: tf.Tensor, states: Sequence[Sequence[tf.Tensor]], memory: Sequence[Sequence[tf.Tensor]]
    ) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """One step: the logits behind tokens `(batch,)`, and the new states of each."""
        steps = [
            decoder.step(read(tokens), own, seen)
            for decoder, read, own, seen in zip(self.each, self.read, states, memory, strict=True)
        ]
        return self.combine([logits for logits, _, _ in steps]), [after for _, after, _ in steps]


def compile_beam_search(
    model: keras.Model, *, beams: int, most_steps: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The most probable outputs of an autoregressive translator, by beam search; one beam is greedy decoding.

    The members of an ensemble write together: each step's probabilities are theirs, combined.

    Args:
        model: With the inputs `source` and `previous`, and logits as outputs.
        beams: Beam width: the partial outputs kept at each step (Sutskever et al. 2014).
        most_steps: Steps after which an output is cut off.

    Returns:
        A function from sources `(batch, any)` to tokens `(batch, beams, most_steps)`, 0 from the end on, and the natural
        logarithm of their probability `(batch, beams)`, the most probable first.
    """
    decoders = _Decoders.of(model)

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def search(source: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.shape(source)[0]
        states, memory = tf.nest.map_structure(lambda part: tf.repeat(part, beams, axis=0), decoders.start([source]))
        begun, states = states, tf.nest.flatten(states)
        tokens = tf.zeros((batch, beams, most_steps), tf.int32)
        last = tf.fill((batch, beams), END)
        # All beams begin alike, so only the first one counts until they differ.
        scores = tf.tile(tf.constant([[0.0] + [-np.inf] * (beams - 1)]), (batch, 1))
        ended = tf.zeros((batch, beams), tf.bool)

        def unfinished(
            step: tf.Tensor, tokens: object, last: object, scores: object, ended: tf.Tensor, *_: object
        ) -> tf.Tensor:
            return (step < most_steps) & ~tf.reduce_all(ended)

        def advance(
            step: tf.Tensor, tokens: tf.Tensor, last: tf.Tensor, scores: tf.Tensor, ended: tf.Tensor, *states: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            logits, after = decoders.step(tf.reshape(last, (-1,)), tf.nest.pack_sequence_as(begun, states), memory)
            logits = tf.reshape(tf.nn.log_softmax(logits), (batch, beams, -1))
            size = tf.shape(logits)[2]
            # An output that has ended can only be followed by its end, at no cost.
            only_end = tf.where(tf.range(size) == END, 0.0, -np.inf)
            total = scores[..., None] + tf.where(ended[..., None], only_end, logits)
            scores, place = tf.math.top_k(tf.reshape(total, (batch, -1)), k=beams)
            parent, token = place // size, place % size
            rows = tf.reshape(tf.range(batch)[:, None] * beams + parent, (-1,))
            after = [tf.gather(state, rows) for state in tf.nest.flatten(after)]
            written = tf.where(tf.range(most_steps) == step, token[..., None], tf.gather(tokens, parent, batch_dims=1))
            ended = tf.gather(ended, parent, batch_dims=1) | (token == END)
            return (step + 1, written, token, scores, ended, *after)

        shapes = [tf.TensorShape((None, state.shape[-1])) for state in states]
        fixed = [tf.TensorShape(()), tf.TensorShape((None, beams, most_steps)), *[tf.TensorShape((None, beams))] * 3]
        done = tf.while_loop(
            unfinished, advance, (0, tokens, last, scores, ended, *states), shape_invariants=(*fixed, *shapes)
        )
        return done[1], done[3]

    run = search.get_concrete_function()

    def decode(sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pieces = [
            run(tf.constant(sources[first : first + _CHUNK], tf.int32))
            for first in range(0, max(len(sources), 1), _CHUNK)
        ]
        return np.concatenate([p[0].numpy() for p in pieces]), np.concatenate([p[1].numpy() for p in pieces])

    return decode


def token_layer(model: keras.Model) -> keras.Layer:
    """The layer that makes of the token before a step what the decoder reads."""
    return next(layer for layer in model.layers if layer.name in ("previous_embedding", "previous_one_hot"))


def _vectors_of(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """What the decoder reads for a token."""
    layer = token_layer(model)
    return lambda tokens: layer(tokens[:, None])[:, 0]


def compile_free_forecast(model: keras.Model, *, unrolled: bool = False) -> Callable[..., tf.Tensor]:
    """An autoregressive forecaster, run on its own output.

    Args:
        model: From `build_feedback_forecaster`.
        unrolled: With a copy of the decoder for each step instead of a loop, for runtimes that have none.

    Returns:
        A function, to be called inside or outside of a graph, from `inputs` and, where the model has it, `future`, tensors or
        arrays, to the outputs `(batch, output_steps, targets)`.
    """
    decoder, before = Decoder.of(model), model.get_layer("step_before")
    steps = model.output_shape[1]
    given = next((tensor for tensor in model.inputs if tensor.name == "future"), None)
    # What the decoder reads beside its own outputs: what is known ahead, with the vectors of its categories.
    beside = None if given is None else keras.Model(given, model.get_layer("bridge_future").input[1])

    def run(inputs: tf.Tensor | np.ndarray, future: tf.Tensor | np.ndarray | None = None) -> tf.Tensor:
        inputs = tf.convert_to_tensor(inputs, tf.float32)
        future = None if beside is None else beside(tf.convert_to_tensor(future, tf.float32), training=False)
        states, memory = decoder.start([inputs])
        written = tf.TensorArray(tf.float32, size=steps)

        def advance(
            step: tf.Tensor, value: tf.Tensor, written: tf.TensorArray, *states: tf.Tensor
        ) -> tuple[object, ...]:
            read = value if future is None else tf.concat([value, future[:, step]], axis=-1)
            value, after, _ = decoder.step(read, states, memory)
            return (step + 1, value, written.write(step, value), *after)

        first = tf.ensure_shape(before.newest(inputs), (None, model.output_shape[2]))
        if unrolled:
            values = [first]
            for step in range(steps):
                read = values[-1] if future is None else tf.concat([values[-1], future[:, step]], axis=-1)
                value, states, _ = decoder.step(read, states, memory)
                values.append(value)
            return tf.stack(values[1:], axis=1)
        done = tf.while_loop(lambda step, *rest: step < steps, advance, (0, first, written, *states))
        return tf.transpose(done[2].stack(), (1, 0, 2))

    return run


def has_attention(model: keras.Model) -> bool:
    """Whether the model looks at the encoder's steps."""
    return any(layer.name == "attention" for layer in model.layers)


def attention_weights(model: keras.Model, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Where each output step looks: `(batch, output steps, encoder steps)`, each step's weights sum to 1.

    Args:
        model: One with attention.
        arrays: The model's inputs, what the decoder wrote included.
    """
    queries, _, keys = model.get_layer("attention").input
    asked, given = keras.Model(model.inputs, [queries, keys])([tf.constant(array) for array in arrays], training=False)
    scores = tf.matmul(asked, given, transpose_b=True)
    mask = _memory_mask(model, tf.constant(arrays[0]))
    return tf.nn.softmax(scores if mask is None else tf.where(mask[:, None, :], scores, -np.inf)).numpy()
