"""A network as a file of LiteRT (TensorFlow Lite): its recurrent layers unrolled, of the runtime's built-in operations only."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.errors import BundleError
from seq2seq_kit.exports.program import LIMIT, Parity, Program, differences
from seq2seq_kit.exports.refusing import refused
from seq2seq_kit.models import keras_compat
from seq2seq_kit.models.acceleration import portable
from seq2seq_kit.models.inference import forward_inputs, one_step
from seq2seq_kit.quiet import held_back

LITERT_SUFFIX = ".tflite"
_SIGNATURE = "serving_default"
_NOT_BUILT_IN = re.compile(
    r"failed to legalize operation '([\w.]+)'|'([\w.]+)' op is neither a custom op nor a flex op"
)


def litert_of(model: keras.Model) -> bytes:
    """The file; its signature `serving_default` takes the network's inputs by name, any batch, and gives `outputs`.

    Raises:
        ArgumentError: The network reads sequences of any length, which cannot be unrolled, or needs an operation that LiteRT has
            not built in.
    """
    read, step = forward_inputs(model), one_step(model, unrolled=True)
    if open_length := [tensor.name for tensor in read if None in tensor.shape[1:]]:
        raise refused(
            f"LiteRT runs recurrent layers unrolled, and the network {model.name} reads sequences of any length "
            f"({', '.join(open_length)})"
        )
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in read]

    @tf.function(input_signature=signature, autograph=False)
    def serve(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": step(*inputs)}

    with portable(), _unrolled(model):
        traced = serve.get_concrete_function()
    module = tf.Module()
    module.held = [
        variable.value for variable in model.variables
    ]  # the converter makes constants of what it finds here
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        with held_back(shown=False):
            return bytes(converter.convert())
    except Exception as error:  # the converter has several kinds, none of them public
        found = sorted({name for pair in _NOT_BUILT_IN.findall(str(error)) for name in pair if name})
        why = ", ".join(found) or str(error).splitlines()[0][:200]
        raise refused(f"the network {model.name} needs operations that LiteRT has not built in ({why})") from None


def write_litert(model: keras.Model, program: Program, content: bytes, path: Path) -> Parity:
    """Writes the file after its interpreter has answered the cases of the network's program as the bundle does.

    Raises:
        BundleError: It does not, or not within `LIMIT`.
    """
    cases = [case for case in (program.golden, program.sample) if len(case.inputs[0])]
    try:
        with warnings.catch_warnings(), held_back(shown=False):
            warnings.simplefilter("ignore")  # the interpreter tells of its other package, ai-edge-litert
            answer = tf.lite.Interpreter(model_content=content).get_signature_runner(_SIGNATURE)
            names = [tensor.name for tensor in forward_inputs(model)]
            pairs = [(case, answer(**dict(zip(names, case.inputs, strict=False)))["outputs"]) for case in cases]
    except (RuntimeError, ValueError) as error:
        raise BundleError(
            f"LiteRT's interpreter does not run the network: {error}. Nothing was written. Export ONNX, or report the recipe",
            code="export_differs",
        ) from None
    found = np.array([differences(case, [output]) for case, output in pairs])
    absolute, relative = found.max(axis=0)
    if not relative <= LIMIT:
        raise BundleError(
            f"LiteRT's interpreter does not answer as the bundle: largest difference {absolute:.3g}, {relative:.2g} of the "
            f"scale; expected at most {LIMIT:g}. Nothing was written. Export it as ONNX, or report the recipe",
            code="export_differs",
        )
    path.write_bytes(content)
    compared = sum(len(case.inputs[0]) for case in cases)
    return Parity(float(absolute), float(relative), compared, program.sample.of_data)


@contextmanager
def _unrolled(model: keras.Model) -> Iterator[None]:
    """Recurrent layers that are traced in here have a copy of their cell for each step instead of a loop."""
    layers = [each for each in keras_compat.flatten_layers(model) if isinstance(each, keras.layers.RNN)]
    before = [each.unroll for each in layers]
    try:
        for each in layers:
            each.unroll = True
        yield
    finally:
        for each, own in zip(layers, before, strict=True):
            each.unroll = own
