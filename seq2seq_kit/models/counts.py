"""How many parameters a layer has, and how that number arises.

The formulas are the textbook's: a gate is a Dense layer over the inputs, a bias and the layer's own last output, and an LSTM
has four of them (Hochreiter and Schmidhuber 1997, Gers et al. 2000), a GRU three (Cho et al. 2014). Every count that
`explain_layers` shows with a formula has been compared with the layer's own.
"""

from dataclasses import dataclass
from typing import Literal

import keras

from seq2seq_kit.models.keras_compat import first_tensor


@dataclass(frozen=True)
class LayerCount:
    """One layer in figures.

    Attributes:
        name: Of the layer.
        kind: Its class; what it wraps in brackets: `TimeDistributed(Dense)`.
        inputs: Shape of what it reads, without the batch; None for an open length; of several inputs, the first.
        outputs: Shape of what it gives.
        parameters: Number of its weights' cells.
        how: How that number arises; empty where there are none.
    """

    name: str
    kind: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    parameters: int
    how: str


def lstm_parameters(inputs: int, units: int) -> int:
    """Parameters of an LSTM: four gates, `4 * ((inputs + 1) * units + units**2)`.

    Args:
        inputs: Features that it reads at each step.
        units: Its units.

    Example:
        >>> lstm_parameters(1, 5), lstm_parameters(5, 5)
        (140, 220)
    """
    return 4 * ((inputs + 1) * units + units**2)


def gru_parameters(inputs: int, units: int, *, reset_after: bool = True) -> int:
    """Parameters of a GRU: three gates, `3 * ((inputs + biases) * units + units**2)`.

    Args:
        inputs: Features that it reads at each step.
        units: Its units.
        reset_after: Keras' default and cuDNN's form, which has a second bias for the state; False: the paper's, with one.

    Example:
        >>> gru_parameters(1, 5), gru_parameters(1, 5, reset_after=False)
        (120, 105)
    """
    return 3 * ((inputs + (2 if reset_after else 1)) * units + units**2)


def bidirectional_parameters(one_direction: int) -> int:
    """Parameters of a layer that runs in both directions: a whole layer for each.

    Example:
        >>> bidirectional_parameters(lstm_parameters(1, 5))
        280
    """
    return 2 * one_direction


def dense_parameters(inputs: int, units: int) -> int:
    """Parameters of a Dense layer, `(inputs + 1) * units`, however many steps it is applied to.

    Example:
        >>> dense_parameters(5, 1)
        6
    """
    return (inputs + 1) * units


def explain_layers(model: keras.Model) -> list[LayerCount]:
    """Each layer of a model from input to output, with its shapes and how its parameter count arises.

    A layer without a formula here is told by the shapes of its weights.
    """
    return [
        LayerCount(
            name=layer.name,
            kind=kind_of(layer),
            inputs=first_shape(layer, "input"),
            outputs=first_shape(layer, "output"),
            parameters=layer.count_params(),
            how=_how(layer, first_shape(layer, "input")),
        )
        for layer in model.layers
    ]


def kind_of(layer: keras.Layer) -> str:
    """`LSTM`, `Bidirectional(LSTM)`, `TimeDistributed(Dense)`."""
    wrapped = wrapped_in(layer)
    return type(layer).__name__ + (f"({kind_of(wrapped)})" if wrapped is not None else "")


def first_shape(layer: keras.Layer, side: Literal["input", "output"]) -> tuple[int | None, ...]:
    """Shape of the first tensor that a layer reads or gives, where it is called first, without the batch; () where unknown."""
    tensor = first_tensor(layer, side)
    return () if tensor is None else tuple(tensor.shape[1:])


def wrapped_in(layer: keras.Layer) -> keras.Layer | None:
    """The layer inside a wrapper, the forward one of a bidirectional layer; None for any other."""
    if isinstance(layer, keras.layers.Bidirectional):
        return layer.forward_layer
    return layer.layer if isinstance(layer, keras.layers.Wrapper) else None


def _how(layer: keras.Layer, inputs: tuple[int | None, ...]) -> str:
    count = layer.count_params()
    if not count:
        return ""
    formula, value = _formula(layer, inputs)
    # A layer without biases, or of a later Keras, is told by its weights instead of by a formula that is not its own.
    if value == count:
        return f"{formula} = {count:,}"
    weights = [f"{weight.name} {' x '.join(map(str, weight.shape)) or '1'}" for weight in layer.weights]
    return f"{' + '.join(weights)} = {count:,}"


def _formula(layer: keras.Layer, inputs: tuple[int | None, ...]) -> tuple[str, int]:
    """The textbook's words and number for a layer; ("", -1) for one without."""
    width = inputs[-1] if inputs else None
    if isinstance(layer, keras.layers.Embedding):
        return f"{layer.input_dim} x {layer.output_dim}", layer.input_dim * layer.output_dim
    if isinstance(layer, keras.layers.Bidirectional):
        words, value = _formula(layer.forward_layer, inputs)
        return f"2 x {words}", bidirectional_parameters(value)
    if isinstance(layer, keras.layers.TimeDistributed):
        return _formula(layer.layer, inputs[1:])
    if width is None:
        return "", -1
    if isinstance(layer, keras.layers.LSTM):
        return f"4 x (({width} + 1) x {layer.units} + {layer.units}^2)", lstm_parameters(width, layer.units)
    if isinstance(layer, keras.layers.GRU):
        biases = 2 if layer.reset_after else 1
        value = gru_parameters(width, layer.units, reset_after=layer.reset_after)
        return f"3 x (({width} + {biases}) x {layer.units} + {layer.units}^2)", value
    if isinstance(layer, keras.layers.Dense):
        return f"({width} + 1) x {layer.units}", dense_parameters(width, layer.units)
    return "", -1
