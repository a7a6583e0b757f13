"""Running a model forward over arrays, batch by batch, with flat memory.

`model.predict` sets up a data pipeline for each call and grows memory in a loop; one compiled function does neither.
"""

import itertools
import weakref
from collections.abc import Callable, Sequence
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.models.arguments import refuse_shape
from seq2seq_kit.models.decoding import compile_free_forecast
from seq2seq_kit.models.ensemble import combining, members_of
from seq2seq_kit.models.keras_compat import forget_operations

Forward = Callable[[Sequence[np.ndarray]], np.ndarray]
_Call = Callable[[Sequence[tf.Tensor]], tf.Tensor]
_FORGET_EVERY = 20  # models that are gone; each has left half a megabyte
_gone = itertools.count(1)
_FEW = 16  # sequences that the calling thread computes alone; more are worth waking TensorFlow's own threads
_QUANTILES = 4  # axes of the output of a model that writes quantiles


def forward_inputs(model: keras.Model) -> list[keras.KerasTensor]:
    """The inputs that a prediction needs: all but the answers, which a forecaster of numbers is given in training only."""
    return [tensor for tensor in model.inputs if tensor.name != "answers"]


def compile_forward(model: keras.Model, *, batch_size: int = 1024) -> Forward:
    """A function from input arrays to the output array; an autoregressive forecaster runs freely.

    Args:
        model: Any functional model with one output.
        batch_size: Sequences that run at once; the result does not depend on it beyond float rounding.

    Returns:
        A function that takes one array for each input of `forward_inputs`, `(sequences, ...)`, and returns `(sequences, ...)`; it
        raises `ArgumentError` for arrays of another shape.

    Raises:
        ValueError: The model's output stands in a list, or it has several.
    """
    read = forward_inputs(model)
    kinds = [tensor.dtype for tensor in read]
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in read]
    # One graph for every batch size; calling the concrete function keeps TensorFlow from counting traces of other models.
    run = tf.function(one_step(model), input_signature=signature).get_concrete_function()
    if isinstance(run.structured_outputs, list | tuple | dict):
        raise ValueError(f"the model must give one array, not {type(run.structured_outputs).__name__} of arrays")
    few = cache(lambda: _as_operation(run))
    most = 0 if tf.config.list_logical_devices("GPU") else min(_FEW, batch_size)

    def forward(arrays: Sequence[np.ndarray]) -> np.ndarray:
        for array, tensor in zip(arrays, read, strict=True):
            if not _fits(array.shape, tensor.shape):
                refuse_shape(f"the model takes an array of shape {tf.TensorShape(tensor.shape)}", array.shape)
        count = len(arrays[0])
        if 0 < count <= most:
            return np.array(
                few()([tf.constant(np.asarray(array, kind)) for array, kind in zip(arrays, kinds, strict=True)])
            )
        outputs = None
        for first in range(0, max(count, 1), batch_size):
            pieces = [
                tf.constant(np.asarray(array[first : first + batch_size], dtype=kind))
                for array, kind in zip(arrays, kinds, strict=True)
            ]
            piece = run(*pieces).numpy()
            if outputs is None:
                outputs = np.empty((count, *piece.shape[1:]), dtype=piece.dtype)
            outputs[first : first + batch_size] = piece
        assert outputs is not None
        return outputs

    return forward


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(size in (None, has) for has, size in zip(shape, wanted, strict=True))


def _as_operation(run: tf.types.experimental.ConcreteFunction) -> _Call:
    """A concrete function as TensorFlow's operation that calls it: less than half the time for a window.

    Its own call binds arguments in Python and hands them to other threads, which may be asleep.
    """
    captured, kinds = list(run.captured_inputs), [run.outputs[0].dtype]

    def call(inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        return tf.raw_ops.StatefulPartitionedCall(args=[*inputs, *captured], Tout=kinds, f=run.name)[0]

    weakref.finalize(call, _forget).atexit = False
    return call


def _forget() -> None:
    """TensorFlow forgets the operations of all models at once, which the others make anew in a tenth of a second."""
    if next(_gone) % _FORGET_EVERY == 0:
        forget_operations()


def one_step(model: keras.Model, *, unrolled: bool = False) -> Callable[..., tf.Tensor]:
    """A function from the tensors of `forward_inputs` to the output, to be traced; `unrolled`: see `compile_free_forecast`."""
    own = _free_forecast(model, unrolled) if len(forward_inputs(model)) < len(model.inputs) else None

    def step(*inputs: tf.Tensor) -> tf.Tensor:
        if own is not None:
            return own(*inputs)
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    return step


def _free_forecast(model: keras.Model, unrolled: bool) -> Callable[..., tf.Tensor]:
    """An autoregressive forecaster, run on its own output; of an ensemble each member on its own, combined at the end."""
    combine = combining(model)
    runs = [compile_free_forecast(member, unrolled=unrolled) for member in members_of(model)]
    return runs[0] if combine is None else lambda *inputs: combine([run(*inputs) for run in runs])


def compile_points(model: keras.Model) -> Forward:
    """As `compile_forward`; of a model that writes quantiles the median, so that it gives one number as others do."""
    forward = compile_forward(model)
    if len(model.output_shape) < _QUANTILES:
        return forward
    return lambda arrays: forward(arrays)[..., model.output_shape[-1] // 2]
