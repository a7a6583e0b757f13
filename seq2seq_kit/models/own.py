"""A program's own model in the place of a builder's, another model's weights as a start, and layers that are not trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from inspect import Parameter, signature
from typing import TypeAlias

import keras

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import keras_compat
from seq2seq_kit.models.acceleration import accelerate

# A model, or what makes one of the sizes that the kit's builder is given.
OwnModel: TypeAlias = keras.Model | Callable[..., keras.Model]
Shape: TypeAlias = tuple[int | None, ...]
_MOST_TOLD = 12
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def own_model(given: OwnModel, sizes: Mapping[str, int], *, reads: Mapping[str, Shape], gives: Shape) -> keras.Model:
    """A program's model, checked against the data, as one with inputs and an output; accelerated.

    Args:
        given: A Keras model of any kind, or a function of some of `sizes` by name.
        sizes: What the kit's own builder would be given.
        reads: Shape of each input without the batch, by name, in order.
        gives: Shape of the output, likewise.

    Returns:
        The same model where it is functional; a model that holds it where it is subclassed or not built yet.

    Raises:
        ArgumentError: It is no model, the function cannot be called so, or the shapes differ; lengths that a model leaves open
            (None) fit any.
    """
    model = given if isinstance(given, keras.Model) else _called(given, sizes)
    model = _with_inputs(model, reads)
    taken, given_back = ([tuple(each.shape[1:]) for each in side] for side in (model.inputs, model.outputs))
    expected = ", ".join(f"{name} (batch, {_listed(shape)})" for name, shape in reads.items())
    if len(taken) != len(reads) or not all(map(_fits, reads.values(), taken)):
        received = ", ".join(f"(batch, {_listed(shape)})" for shape in taken)
        raise _wrong_shape(model, f"takes other inputs than the data has. Expected: {expected}. Received: {received}")
    if len(given_back) != 1 or not _fits(gives, given_back[0]):
        received = ", ".join(f"(batch, {_listed(shape)})" for shape in given_back)
        expected = f"(batch, {_listed(gives)}): steps, targets"
        raise _wrong_shape(
            model, f"gives another output than the data asks for. Expected: {expected}. Received: {received}"
        )
    return accelerate(model)


def take_weights(model: keras.Model, source: keras.Model, *, origin: str) -> None:
    """Gives each layer of a model the weights of the layer of the same name in another model.

    Raises:
        ArgumentError: A layer with weights is missing on one side, or has other shapes; every such layer is told.
    """
    own, other = (_weighted(each) for each in (model, source))
    told = []
    for name in dict.fromkeys([*own, *other]):
        expected, received = (
            [tuple(weight.shape) for weight in side[name].weights] if name in side else None for side in (own, other)
        )
        if expected != received:
            told.append(f"{name}: expected {_shapes(expected)}; received {_shapes(received)}")
    if told:
        more = [f"... and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
        raise ArgumentError(
            f"the weights of {origin} do not fit the model: {len(told)} of {len({*own, *other})} layers differ. Expected the "
            "same layers by name, with the same shapes. Give the recipe the run's columns and `model` section, or start anew\n  "
            + "\n  ".join([*told[:_MOST_TOLD], *more]),
            code="start_differs",
        )
    for name, layer in own.items():
        layer.set_weights(other[name].get_weights())


def freeze(model: keras.Model, patterns: Sequence[str]) -> list[str]:
    """Keeps layers from being trained.

    Args:
        model: Any model.
        patterns: Names of layers, or patterns of them (`encoder_*`).

    Returns:
        The names of the layers.

    Raises:
        ArgumentError: A pattern fits no layer, or nothing is left to train.
    """
    layers = {layer.name: layer for layer in keras_compat.flatten_layers(model) if layer is not model}
    frozen: list[str] = []
    for pattern in patterns:
        found = [name for name in layers if fnmatchcase(name, pattern)]
        if not found:
            names = ", ".join(layer.name for layer in model.layers)
            raise ArgumentError(
                f"training.freeze: no layer is called {pattern}. Expected names of layers, or patterns such as encoder_*. "
                f"This model has {names}",
                code="unknown_layer",
            )
        frozen += found
    for name in frozen:
        layers[name].trainable = False
    if not model.trainable_weights:
        said = (
            f"training.freeze leaves out {', '.join(frozen)}"
            if frozen
            else "no layer of the model has weights to train"
        )
        raise ArgumentError(
            f"there is nothing to train: {said}. Expected at least one layer with weights that may change",
            code="nothing_to_train",
        )
    return frozen


def _called(given: Callable[..., keras.Model], sizes: Mapping[str, int]) -> keras.Model:
    """What a function makes of those sizes that it has arguments for."""
    if not callable(given):
        raise ArgumentError(
            f"model must be a keras.Model or a function that returns one. Received: {type(given).__name__}",
            code="invalid_argument",
        )
    taken = signature(given).parameters
    every = any(each.kind is Parameter.VAR_KEYWORD for each in taken.values())
    asked = {name: size for name, size in sizes.items() if every or name in taken}
    try:
        signature(given).bind(**asked)
    except TypeError as error:
        raise ArgumentError(
            f"the function given as `model` cannot be called: {error}. Expected arguments among {', '.join(sizes)}, by name. "
            f"Received: {', '.join(taken)}",
            code="invalid_argument",
        ) from None
    model = given(**asked)
    if not isinstance(model, keras.Model):
        raise ArgumentError(
            f"the function given as `model` must return a keras.Model. Received: {type(model).__name__}",
            code="invalid_argument",
        )
    return model


def _with_inputs(model: keras.Model, reads: Mapping[str, Shape]) -> keras.Model:
    try:
        if model.inputs and model.outputs:
            return model
    except (AttributeError, ValueError):
        pass  # subclassed, or a Sequential that has seen no input
    entries = [keras.Input(shape, name=name) for name, shape in reads.items()]
    try:
        outputs = model(entries if len(entries) > 1 else entries[0])
        return keras.Model(entries, outputs, name=f"own_{model.name}")
    except Exception as error:  # whatever the program's own code says to these shapes
        expected = ", ".join(f"{name} (batch, {_listed(shape)})" for name, shape in reads.items())
        raise _wrong_shape(model, f"does not take the data's inputs: {_plain(error)}. Expected: {expected}") from error


def _wrong_shape(model: keras.Model, said: str) -> ArgumentError:
    advice = "Build it for these shapes, or give a function, which is called with the sizes"
    return ArgumentError(f"the model {model.name} {said}. {advice}", code="model_shape")


def _plain(error: Exception) -> str:
    """What Keras says, without the colours and the arguments that it repeats."""
    said = _COLOUR.sub("", str(error)).partition("\n\nArguments received")[0]
    return " ".join(said.split()).rstrip(".")


def _weighted(model: keras.Model) -> dict[str, keras.Layer]:
    return {layer.name: layer for layer in model.layers if layer.weights}


def _fits(expected: Shape, found: Shape) -> bool:
    pairs = zip(expected, found, strict=False)
    return len(expected) == len(found) and all(own is None or own == size for size, own in pairs)


def _listed(shape: Shape) -> str:
    return ", ".join("any" if size is None else str(size) for size in shape)


def _shapes(shapes: list[tuple[int, ...]] | None) -> str:
    return "no such layer" if shapes is None else ", ".join(map(str, shapes))
