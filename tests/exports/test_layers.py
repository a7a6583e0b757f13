"""Each layer as ONNX: the same numbers as Keras, on models with random weights."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit import models
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.exports.walking import WRITERS
from seq2seq_kit.models.ensemble import join_members
from tests.conftest import ROOT
from tests.exports.running import difference, written

CLOSE = 1e-5  # of outputs around 1
LENGTHS = np.array([9, 4, 1, 0])
VALID = (np.arange(9) < LENGTHS[:, None]).astype(np.float32)
RNG = np.random.default_rng(0)
TOKENS = (RNG.integers(1, 9, size=(4, 9)) * VALID).astype(np.int32)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def read(model: keras.Model, batch: int = 3) -> list[np.ndarray]:
    return [normal(batch, *each.shape[1:]) for each in model.inputs]


def own_layers() -> Iterator[type]:
    """Every layer that the kit registers with Keras."""
    for path in sorted((ROOT / "seq2seq_kit" / "models").glob("*.py")):
        module = import_module(f"seq2seq_kit.models.{Path(path).stem}")
        for thing in vars(module).values():
            own = isinstance(thing, type) and thing.__module__ == module.__name__ and issubclass(thing, keras.Layer)
            if own and str(keras.saving.get_registered_name(thing)).startswith("seq2seq_kit>"):
                yield thing


def test_every_layer_of_the_kit_has_a_writer() -> None:
    own = set(own_layers())
    assert len(own) >= 20
    assert own <= set(WRITERS)


def test_every_class_that_a_bundle_may_hold_has_a_writer() -> None:
    from seq2seq_kit.bundles.allow_list import CLASSES
    from seq2seq_kit.exports.operations import OPERATIONS

    no_layers = {
        "Functional",
        "InputLayer",
        "RandomUniform",
        "DTypePolicy",
        "GlorotUniform",
        "Orthogonal",
        "L2",
        "Zeros",
    }
    no_layers |= {"OrthogonalInitializer", "__keras_tensor__", "__slice__"}
    assert no_layers < CLASSES
    assert CLASSES - no_layers <= {each.__name__ for each in WRITERS} | set(OPERATIONS)


FORECASTS: list[dict[str, Any]] = [
    {"cell": "gru", "bidirectional": True, "encoder_units": [5, 6], "pyramid": 2},
    {"bidirectional": True, "decoder_state": "encoder", "encoder_units": [4], "decoder_units": [8]},
    {"cell": "gru", "decoder_state": "encoder", "encoder_units": [4, 3], "decoder_units": [4, 3], "pyramid": 3},
    {
        "segment_steps": 2,
        "position_embedding": True,
        "channels": "independent",
        "output_features": 2,
        "linear_skip": True,
    },
    {"channels": "independent", "output_features": 2, "normalise": "mean_std", "linear_skip": True, "quantiles": 5},
    {"quantiles": 3, "normalise": "last", "output_features": 2, "target_positions": [2, 0], "segment_steps": 3},
    {"input_steps": None, "segment_steps": 3, "normalise": "mean_std"},
    {
        "categories": [4, 5],
        "input_features": 5,
        "future_features": 3,
        "future_categories": 1,
        "fixed_categories": 1,
        "channels": "independent",
        "output_features": 2,
        "quantiles": 3,
        "normalise": "last",
        "linear_skip": True,
    },
]


@pytest.mark.parametrize("options", FORECASTS)
def test_a_forecast_is_the_same(options: dict[str, Any]) -> None:
    sizes: dict[str, Any] = {"input_steps": 12, "output_steps": 6, "input_features": 3, "encoder_units": [6]}
    model = models.build_encoder_decoder(**(sizes | {"decoder_units": [5]} | options))
    arrays = [normal(3, *(size or 13 for size in each.shape[1:])) for each in model.inputs]
    if "categories" in options:  # codes, some of them of no value
        arrays[0][..., -2:] = RNG.integers(-1, 7, size=(3, 12, 2))
        arrays[1][..., -1:] = RNG.integers(0, 4, size=(3, 6, 1))
    assert difference(model, arrays) < CLOSE


@settings(max_examples=12, deadline=None, database=None)
@given(
    cell=st.sampled_from(["lstm", "gru"]),
    bidirectional=st.booleans(),
    segment_steps=st.sampled_from([1, 2]),
    normalise=st.sampled_from(["none", "last", "mean_std"]),
    channels=st.sampled_from(["joint", "independent"]),
    future_features=st.integers(0, 2),
    linear_skip=st.booleans(),
    quantiles=st.sampled_from([0, 3]),
    position_embedding=st.booleans(),
)
def test_options_go_together(**options: Any) -> None:
    model = models.build_encoder_decoder(
        input_steps=8,
        output_steps=4,
        input_features=3,
        output_features=2,
        encoder_units=[4],
        decoder_units=[3],
        **options,
    )
    assert difference(model, read(model, 2)) < CLOSE


@pytest.mark.parametrize(
    "options",
    [
        {"latent_dim": 3, "noise": 0.1, "latent": "variational"},
        {"categories": [4], "input_features": 4, "segment_steps": 2, "forecast_steps": 2, "backcast_steps": 2},
    ],
)
def test_an_autoencoder_is_the_same(options: dict[str, Any]) -> None:
    sizes: dict[str, Any] = {"input_steps": 12, "input_features": 3, "encoder_units": [5]}
    model = models.build_autoencoder(**(sizes | options))
    assert difference(model, read(model)) < CLOSE


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True, "pyramid": 2, "encoder_units": [4, 4]},
        {"pyramid": 3, "encoder_units": [4, 4], "latent": "variational", "latent_dim": 2, "cell": "gru"},
    ],
)
def test_sequences_of_any_length_are_the_same_even_of_none(options: dict[str, Any]) -> None:
    model = models.build_whole_autoencoder(input_features=2, **options)
    assert difference(model, [normal(4, 9, 2), VALID]) < CLOSE


def test_padding_is_the_same_where_every_step_is_given() -> None:
    """Keras gives the last valid output on padded steps; ONNX gives zeros."""
    model = models.build_next_step(input_features=3, output_features=2, units=[4, 5], cell="gru")
    assert difference(model, [normal(4, 9, 3), VALID]) < CLOSE


def test_a_tagger_reads_tokens_and_their_characters() -> None:
    letters = np.sort(RNG.integers(0, 5, size=(4, 9, 6)), axis=-1)[..., ::-1] * (TOKENS[..., None] > 0)
    model = models.build_tagger(
        labels=4,
        tokens=9,
        characters=5,
        character_steps=6,
        character_units=3,
        bidirectional=True,
        embedding_dim=4,
        token_dropout=0.3,
    )
    assert difference(model, [TOKENS, letters.astype(np.int32)]) < CLOSE


def test_a_classifier_is_the_same() -> None:
    assert (
        difference(models.build_classifier(outputs=3, tokens=9, bidirectional=True, encoder_units=[4]), [TOKENS])
        < CLOSE
    )
    values = models.build_classifier(outputs=3, input_features=2, encoder_units=[4, 4])
    assert difference(values, [normal(4, 9, 2), VALID]) < CLOSE


@pytest.mark.parametrize("combine", ["mean", "median"])
@pytest.mark.parametrize("count", [2, 3])
def test_members_answer_together(combine: str, count: int) -> None:
    classifiers = [models.build_classifier(outputs=3, input_features=2, encoder_units=[4]) for _ in range(count)]
    assert difference(join_members(classifiers, combine, logits=True), [normal(4, 9, 2), VALID]) < CLOSE
    shape: dict[str, Any] = {"input_steps": 6, "output_steps": 2, "input_features": 2, "output_features": 1}
    forecasters = [models.build_encoder_decoder(**shape, encoder_units=[4], decoder_units=[4]) for _ in range(count)]
    ensemble = join_members(forecasters, combine)
    assert difference(ensemble, read(ensemble)) < CLOSE


@pytest.mark.parametrize("embedding_dim", [None, 4])
def test_a_translator_with_attention_is_the_same_where_it_is_taught(embedding_dim: int | None) -> None:
    model = models.build_translator(
        source_tokens=9,
        target_tokens=7,
        output_steps=5,
        bridge="attention",
        embedding_dim=embedding_dim,
        encoder_units=[6, 6],
        decoder_units=[6, 6],
        pyramid=2,
    )
    sources = TOKENS[LENGTHS > 0]
    previous = RNG.integers(0, 7, size=(len(sources), 4)).astype(np.int32)
    assert difference(model, [sources, previous]) < CLOSE


def test_a_model_within_a_model_is_walked_through() -> None:
    member = models.build_encoder_decoder(input_steps=6, output_steps=2, input_features=1, encoder_units=[3])
    second = keras.models.clone_model(member)
    second = keras.Model(second.inputs[0], second.outputs[0], name="second")
    inputs = keras.Input((6, 1))
    mean = keras.layers.Average()([member(inputs), second(inputs)])
    assert difference(keras.Model(inputs, mean), [normal(2, 6, 1)]) < CLOSE


def test_weights_are_stored_once() -> None:
    model = models.build_encoder_decoder(input_steps=6, output_steps=2, input_features=1, encoder_units=[16])
    inputs = keras.Input((6, 1))
    twice = keras.Model(inputs, keras.layers.Add()([model(inputs), model(inputs)]))
    assert len(written(twice).SerializeToString()) < 1.2 * len(written(model).SerializeToString()) + 3_000


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (keras.layers.LayerNormalization(name="odd"), r"layer 'odd' \(LayerNormalization\).*no writer"),
        (keras.layers.LSTM(3, activation="gelu", name="odd"), r"layer 'odd' \(LSTM\).*activation is gelu"),
        (keras.layers.GRU(3, go_backwards=True, name="odd"), r"layer 'odd' \(GRU\).*backwards"),
        (keras.layers.Bidirectional(keras.layers.LSTM(3), merge_mode="sum", name="odd"), "merge_mode concat"),
        (keras.layers.Dense(3, activation="mish", name="odd"), r"layer 'odd' \(Dense\).*mish"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(layer: keras.Layer, said: str) -> None:
    inputs = keras.Input((5, 2))
    with pytest.raises(ArgumentError, match=said) as caught:
        written(keras.Model(inputs, layer(inputs)))
    assert caught.value.code == "export_unsupported"
