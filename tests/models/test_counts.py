"""The formulas agree with Keras over random builders, and every layer is told, also one that the kit does not know."""

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.models import (
    bidirectional_parameters,
    build_autoencoder,
    build_echo,
    build_encoder_decoder,
    dense_parameters,
    gru_parameters,
    lstm_parameters,
)
from seq2seq_kit.models.counts import explain_layers
from seq2seq_kit.models.echo import SHAPES

sizes, widths = st.integers(1, 9), st.lists(st.integers(1, 6), min_size=1, max_size=2)
layers: dict[str, st.SearchStrategy[Any]] = {
    "encoder_units": widths,
    "decoder_units": widths,
    "cell": st.sampled_from(["lstm", "gru"]),
    "bidirectional": st.booleans(),
}
calls = st.one_of(
    st.tuples(
        st.just(build_encoder_decoder),
        st.fixed_dictionaries(
            {
                "input_steps": st.none() | sizes,
                "output_steps": sizes,
                "input_features": sizes,
                "output_features": sizes,
                "future_features": st.integers(0, 2),
                **layers,
            }
        ),
    ),
    st.tuples(
        st.just(build_autoencoder),
        st.fixed_dictionaries(
            {"input_steps": sizes, "input_features": sizes, "latent_dim": st.none() | sizes, **layers}
        ),
    ),
    st.tuples(
        st.just(build_echo),
        st.fixed_dictionaries(
            {
                "shape": st.sampled_from(SHAPES),
                "steps": sizes,
                "features": st.integers(1, 3),
                "units": sizes,
                "cell": layers["cell"],
            }
        ),
    ),
)


def worth(formula: str) -> int:
    """The value of a formula as it is printed, read as arithmetic."""
    assert re.fullmatch(r"[\d x+^()]+", formula), formula
    return int(eval(formula.replace("x", "*").replace("^", "**")))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(calls)
def test_every_layer_of_every_builder_has_a_formula_that_agrees_with_keras(
    call: tuple[Callable[..., keras.Model], dict[str, Any]],
) -> None:
    build, arguments = call
    model = build(**arguments)
    rows = explain_layers(model)
    assert [row.name for row in rows] == [layer.name for layer in model.layers]
    assert sum(row.parameters for row in rows) == model.count_params()
    for row, layer in zip(rows, model.layers, strict=True):
        cells = sum(int(np.prod(weight.shape)) for weight in layer.weights)
        if cells:
            formula, _, value = row.how.partition(" = ")
            assert worth(formula) == int(value.replace(",", "")) == cells
        else:
            assert row.how == ""
        assert row.outputs == tuple(layer.output.shape[1:])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(sizes, sizes, st.booleans())
def test_the_public_formulas_are_keras_own(inputs: int, units: int, reset_after: bool) -> None:
    def built(layer: keras.layers.Layer) -> int:
        layer.build((None, 4, inputs))
        return int(layer.count_params())

    lstm, gru = lstm_parameters(inputs, units), gru_parameters(inputs, units, reset_after=reset_after)
    assert built(keras.layers.LSTM(units)) == lstm
    assert built(keras.layers.GRU(units, reset_after=reset_after)) == gru
    assert built(keras.layers.Bidirectional(keras.layers.LSTM(units))) == bidirectional_parameters(lstm)
    assert built(keras.layers.Dense(units)) == dense_parameters(inputs, units)


def test_the_figures_that_the_family_is_known_by() -> None:
    how = [row.how for row in explain_layers(build_echo(shape="one_step", steps=5)) if row.how]
    assert how == ["4 x ((5 + 1) x 5 + 5^2) = 220", "(5 + 1) x 5 = 30"]


def test_an_embedding_and_a_bidirectional_layer_are_told() -> None:
    inputs = keras.Input((None,))
    embedded = keras.layers.Embedding(30, 8, mask_zero=True)(inputs)
    outputs = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(embedded)
    rows = explain_layers(keras.Model(inputs, outputs))
    assert [(row.kind, row.how) for row in rows if row.how] == [
        ("Embedding", "30 x 8 = 240"),
        ("Bidirectional(GRU)", "2 x 3 x ((8 + 2) x 4 + 4^2) = 336"),
    ]
    assert rows[1].outputs == (None, 8)


@keras.saving.register_keras_serializable("tests")
class Gain(keras.layers.Layer):
    """A layer that the kit has never seen."""

    def build(self, shape: Any) -> None:
        self.gain = self.add_weight(shape=(shape[-1], 2), name="gain")
        self.offset = self.add_weight(shape=(), name="offset")

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(inputs, self.gain) + self.offset


@pytest.mark.parametrize(
    ("layer", "how"),
    [
        (Gain(), "gain 3 x 2 + offset 1 = 7"),
        (keras.layers.Dense(4, use_bias=False), "kernel 3 x 4 = 12"),
        (keras.layers.BatchNormalization(), "gamma 3 + beta 3 + moving_mean 3 + moving_variance 3 = 12"),
    ],
)
def test_a_layer_without_a_formula_is_told_by_its_weights(layer: keras.layers.Layer, how: str) -> None:
    inputs = keras.Input((3,))
    (_, row) = explain_layers(keras.Model(inputs, layer(inputs)))
    assert row.how == how
    assert row.parameters == int(how.rpartition(" ")[2])


def test_a_layer_that_is_called_twice_is_told_once() -> None:
    one, two = keras.Input((4, 2)), keras.Input((7, 2))
    shared = keras.layers.LSTM(3, name="shared")
    model = keras.Model([one, two], keras.layers.Add()([shared(one), shared(two)]))
    (row,) = [row for row in explain_layers(model) if row.name == "shared"]
    assert (row.inputs, row.outputs, row.parameters) == ((4, 2), (3,), lstm_parameters(2, 3))
