"""Every private or replaced member of Keras and TensorFlow that the kit touches, each guarded.

Where this Keras has no such member, or gives it other arguments, the member is left alone: plain Keras does the work, slower, and
`changes` says so, which a run reports as the finding `keras_loop`. No other module names these members; the rows of `_MEMBERS`
say what happens without each. One more process-wide touch has its place elsewhere: glibc's `mallopt`, in `data/on_disk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Literal, TypeAlias

import keras
import tensorflow as tf

from seq2seq_kit.errors import ArgumentError

Tensor: TypeAlias = tf.Tensor | keras.KerasTensor  # of values, or the symbol of one while a model is built

_LOGITS = "_keras_logits"  # what Keras' softmax and sigmoid leave on their output for cross-entropies
_USE = "use_cudnn"
_DRAWS = "seed_generator_state"
OWN_STEPS = "Model.make_train_function"

# The arguments of a method of Keras, and what happens without the member.
_LOOP = "sequences initial_state mask training"
_MEMBERS = {
    "LSTM.inner_loop": (_LOOP, "LSTM layers run Keras' own loop on a CPU"),
    "GRU.inner_loop": (_LOOP, "GRU layers run Keras' own loop on a CPU"),
    "LSTMCell.get_dropout_mask": ("step_input", "LSTM layers with dropout run Keras' own loop on a CPU"),
    "GRUCell.get_dropout_mask": ("step_input", "GRU layers with dropout run Keras' own loop on a CPU"),
    "RepeatVector.call": ("inputs", "a repeated vector is multiplied at every step"),
    "Dense.call": ("inputs training", "Dense layers make a product for each sequence"),
    "TimeDistributed.call": ("inputs training mask", "Dense layers in a TimeDistributed make a product for each step"),
    OWN_STEPS: ("force", "a call trains one step, in float32 whatever training.precision says"),
    "Layer._flatten_layers": ("include_self recursive", "layers within foreign layers are not accelerated"),
    _USE: ("", "recurrent layers compute in float32 where training.precision is mixed_bfloat16"),
    _LOGITS: ("", "Dense layers that give probabilities make a product for each sequence or step"),
}


def lacks(member: str) -> str:
    """Why a member of `_MEMBERS` is left alone, `Keras 4.0 has no LSTM.inner_loop`; empty where it is as the kit knows it."""
    owner, _, name = member.partition(".")
    method = getattr(getattr(keras.layers, owner, keras.Model), name, None) if name else None
    there = method is not None
    if member == _USE:
        there = all(_USE in signature(kind).parameters for kind in (keras.layers.LSTM, keras.layers.GRU))
    elif member == _LOGITS:
        there = hasattr(keras.activations.softmax(tf.zeros((1, 2))), _LOGITS)
    received = list(signature(method).parameters)[1:] if method else []
    if there and received == _MEMBERS[member][0].split():
        return ""
    found = f"other arguments ({', '.join(received)}) of" if there else "no"
    return f"Keras {keras.__version__} has {found} {member}"


def changes() -> list[str]:
    """Each member that is left alone, and what plain Keras does instead."""
    return [f"{reason}: {without}" for member, (_, without) in _MEMBERS.items() if (reason := lacks(member))]


def flatten_layers(model: keras.Layer) -> list[keras.Layer]:
    """A model or layer and all layers in it, wrapped ones and the cells of recurrent ones included."""
    if not lacks("Layer._flatten_layers"):
        return list(model._flatten_layers())
    found: list[keras.Layer] = []
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        if isinstance(layer, keras.Layer) and not any(layer is each for each in found):
            found.append(layer)
            inner = [getattr(layer, name, None) for name in ("layer", "forward_layer", "backward_layer", "cell")]
            waiting += [*reversed(getattr(layer, "layers", [])), *inner]
    return found


def replace_loop(layer: keras.Layer, run: Callable[..., object]) -> None:
    """Gives an LSTM or a GRU another way over its steps.

    Args:
        layer: The layer; one that has been given it before is left alone.
        run: Called with Keras' own method, then with `sequences`, `initial_state`, `mask` and `training` by name; returns the
            last output, all outputs and the final states.
    """
    if "inner_loop" not in vars(layer) and not lacks_for_loop(layer):
        # Not tracked as state by Keras, not part of the configuration.
        layer.inner_loop = partial(run, layer.inner_loop)
        layer.supports_jit = False  # XLA knows nothing of the kernel


def lacks_for_loop(layer: keras.layers.RNN) -> list[str]:
    """What `replace_loop` lacks for an LSTM or a GRU, in the words of `lacks`."""
    kind = "LSTM" if isinstance(layer, keras.layers.LSTM) else "GRU"
    members = [f"{kind}.inner_loop", *([f"{kind}Cell.get_dropout_mask"] if layer.dropout else [])]
    return [reason for member in members if (reason := lacks(member))]


def replace_call(layer: keras.Layer, call: Callable[..., object], *members: str) -> None:
    """Gives a layer another `call`, unless it has been given one, or one of the members that the new one relies on is lacking.

    Args:
        layer: The layer.
        call: Called with Keras' own `call` and then as that.
        members: Of `_MEMBERS`.
    """
    if "call" not in vars(layer) and not any(map(lacks, members)):
        layer.call = partial(call, layer.call)


def for_probabilities(dense: keras.layers.Dense) -> list[str]:
    """The member that a faster Dense relies on where Keras' losses look for logits on its outputs."""
    return [_LOGITS] if dense.activation in (keras.activations.softmax, keras.activations.sigmoid) else []


def logits_of(outputs: tf.Tensor) -> tf.Tensor | None:
    """The logits that stand behind probabilities, where Keras has left them there."""
    return getattr(outputs, _LOGITS, None)


def set_logits(outputs: tf.Tensor, logits: tf.Tensor | None) -> None:
    """Leaves logits on probabilities for Keras' losses; None takes them away."""
    if logits is not None:
        setattr(outputs, _LOGITS, logits)
    elif hasattr(outputs, _LOGITS):
        delattr(outputs, _LOGITS)


def mask_of(outputs: tf.Tensor) -> tf.Tensor | None:
    """The mask that Keras' layers left on a model's outputs, which its losses look for; None without one."""
    return getattr(outputs, "_keras_mask", None)


def set_mask(outputs: tf.Tensor, mask: tf.Tensor) -> None:
    """Leaves a mask on outputs."""
    outputs._keras_mask = mask


def draws_of(model: keras.Model) -> list[keras.Variable]:
    """The states of a model's random generators, a seed and a counter each."""
    return [each for each in model.variables if each.name == _DRAWS]


def remember(outputs: Tensor, vector: Tensor) -> Tensor:
    """Marks `outputs`, `(batch, steps, width)`, as one vector at every step."""
    if isinstance(outputs, tf.Tensor):
        outputs._repeated = vector
    return outputs


def remembered(outputs: Tensor) -> Tensor | None:
    """The vector that `outputs` repeat, if they were marked so."""
    return getattr(outputs, "_repeated", None)


def dropout_mask(layer: keras.layers.RNN, inputs: tf.Tensor) -> tf.Tensor:
    """What a layer's inputs of one step are multiplied by in training, `(batch, features)`; the same for every step."""
    return layer.cell.get_dropout_mask(inputs)


def is_kept_from_cudnn(layer: keras.layers.RNN) -> bool:
    """Whether an LSTM or GRU was told to leave cuDNN's kernel alone."""
    return getattr(layer, _USE, "auto") is False


@contextmanager
def without_cudnn(layers: Sequence[keras.layers.RNN]) -> Iterator[None]:
    """What these layers are traced to in here leaves cuDNN's kernel alone; only where `lacks("use_cudnn")` is empty."""
    before = [getattr(layer, _USE) for layer in layers]
    try:
        for layer in layers:
            setattr(layer, _USE, False)
        yield
    finally:
        for layer, use in zip(layers, before, strict=True):
            setattr(layer, _USE, use)


def replace_training(model: keras.Model, train: Callable[[Iterator[object]], object]) -> None:
    """Gives a compiled model another function from an iterator of batches to logs, which `fit` calls until there is no more."""
    model.train_function = train


def restore_training(model: keras.Model) -> None:
    """Gives a model Keras' own functions back, for whoever fits it next."""
    model.steps_per_execution = 1
    if not lacks(OWN_STEPS):
        model.train_function = model.test_function = None


def first_tensor(layer: keras.Layer, side: Literal["input", "output"]) -> keras.KerasTensor | None:
    """The first tensor that a layer reads or gives, where it is called first; None where Keras does not tell."""
    try:
        tensors = getattr(layer, side)
    except (AttributeError, ValueError):  # a layer that is called in several places has no single input or output
        try:
            node = layer._inbound_nodes[0]
            tensors = node.arguments.keras_tensors if side == "input" else node.output_tensors
        except (AttributeError, IndexError):
            return None
    # An input layer reads what it gives.
    return (keras.tree.flatten(tensors) or keras.tree.flatten(layer.output))[0]


@contextmanager
def shapes_only() -> Iterator[None]:
    """Models built within have variables of a shape and without values, which are never made."""
    with keras.StatelessScope(initialize_variables=False):
        try:
            yield
        finally:
            _forget_variables()


def _forget_variables() -> None:
    # Keras would make the values of all variables that wait for them at the end of the next scope of this kind.
    try:
        from keras.src.backend.common import global_state

        global_state.set_global_attribute("uninitialized_variables", [])
    except (ImportError, AttributeError):
        keras.utils.clear_session(free_memory=False)


def in_xla() -> bool:
    """Whether what is traced now is for XLA (`tf.function(jit_compile=True)`), which knows TensorFlow's own operations only."""
    try:
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
    except ImportError:
        return False
    return bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))


def forget_operations() -> None:
    """Frees what TensorFlow keeps of operations that were run: the graph of a function that one called outlives the function."""
    try:
        from tensorflow.python.eager.context import context

        context().clear_kernel_cache()
    except (ImportError, AttributeError):
        return  # half a megabyte of each model stays


def run_through(model: keras.Model, inputs: Sequence[object], call: Callable[..., object]) -> object:
    """A functional model's outputs where `call` stands for its layers: called with each layer and with what it is called with.

    Args:
        model: The model.
        inputs: One for each of its inputs, of any type.
        call: Gives what stands for the layer's outputs, in the same structure.

    Raises:
        ArgumentError: The model is not functional, or this Keras does not go through a model's layers so.
    """
    run = getattr(model, "_run_through_graph", None)
    if run is None or list(signature(run).parameters) != ["inputs", "operation_fn", "call_fn"]:
        raise ArgumentError(
            f"the layers of {model.name} cannot be gone through in order: Keras {keras.__version__} knows that of functional "
            f"models only. Received: {type(model).__name__}",
            code="export_unsupported",
        )
    return run(list(inputs), lambda layer: layer, call)
