"""Chrono initialisation: the biases of Tallec and Ollivier 2018, in every builder with an encoder, safe to store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit import models
from seq2seq_kit.bundles.allow_list import refuse_foreign, register_own_layers
from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.classifier import build_classifier
from seq2seq_kit.models.initializers import Chrono
from seq2seq_kit.models.translator import build_translator
from seq2seq_kit.models.whole import build_whole_autoencoder
from tests.conftest import forecast_recipe, whole_recipe
from tests.untyped import parse_recipe

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "encoder_decoder": lambda **more: models.build_encoder_decoder(
        input_steps=24, output_steps=6, input_features=2, output_features=1, **more
    ),
    "feedback": lambda **more: models.build_feedback_forecaster(
        input_steps=24,
        output_steps=6,
        input_features=2,
        output_features=1,
        target_positions=[0],
        decoder_units=[5],
        **more,
    ),
    "autoencoder": lambda **more: models.build_autoencoder(input_steps=24, input_features=2, **more),
    "whole": lambda **more: build_whole_autoencoder(input_features=2, output_features=2, **more),
    "translator": lambda **more: build_translator(source_tokens=9, target_tokens=8, output_steps=5, **more),
    "classifier": lambda **more: build_classifier(outputs=2, input_features=2, **more),
}


def _bias(model: keras.Model, layer: str = "encoder_0") -> np.ndarray:
    (found,) = [weight for weight in model.get_layer(layer).weights if weight.name == "bias"]
    return np.asarray(found)


def test_the_gates_begin_with_memories_from_one_step_to_the_longest() -> None:
    units, steps = 4_000, 101
    gates = np.asarray(Chrono(steps, seed=1)((4 * units,), dtype="float32")).reshape(4, units)
    entry, forget, cell, output = gates
    np.testing.assert_array_equal(entry, -forget)
    assert not cell.any()
    assert not output.any()
    lengths = np.exp(forget)
    assert (lengths.min() >= 1, lengths.max() <= steps - 1) == (True, True)
    # Evenly drawn: the quartiles of U(1, 100).
    np.testing.assert_allclose(np.quantile(lengths, [0.25, 0.5, 0.75]), [25.75, 50.5, 75.25], rtol=0.06)


@pytest.mark.parametrize("name", list(BUILDERS))
def test_every_builder_with_an_encoder_has_it_and_keeps_its_default(name: str) -> None:
    plain = BUILDERS[name](encoder_units=[5])
    np.testing.assert_array_equal(_bias(plain), [0.0] * 5 + [1.0] * 5 + [0.0] * 10)
    bias = _bias(BUILDERS[name](encoder_units=[5], forget_bias="chrono", memory_steps=300))
    np.testing.assert_array_equal(bias[:5], -bias[5:10])
    assert (bias[5:10] > 0).all()
    assert (bias[5:10] <= np.log(299)).all()
    assert len(set(bias[5:10])) == 5
    assert not bias[10:].any()


def test_the_decoder_begins_as_ever() -> None:
    model = BUILDERS["encoder_decoder"](decoder_units=[3], forget_bias="chrono")
    np.testing.assert_array_equal(_bias(model, "decoder_0"), [0.0] * 3 + [1.0] * 3 + [0.0] * 6)


def test_the_longest_memory_is_by_default_that_of_the_layers_own_steps() -> None:
    model = BUILDERS["encoder_decoder"](encoder_units=[4, 4], forget_bias="chrono", segment_steps=2, pyramid=2)
    steps = [model.get_layer(f"encoder_{number}").cell.bias_initializer.steps for number in (0, 1)]
    assert steps == [12, 6]
    assert BUILDERS["encoder_decoder"](forget_bias="chrono").get_layer("encoder_0").cell.bias_initializer.steps == 24


def test_both_directions_begin_with_draws_of_their_own_and_a_seed_repeats_them() -> None:
    def built() -> list[np.ndarray]:
        keras.utils.set_random_seed(3)
        layer = BUILDERS["encoder_decoder"](encoder_units=[6], bidirectional=True, forget_bias="chrono").get_layer(
            "encoder_0"
        )
        return [np.asarray(each.cell.bias) for each in (layer.forward_layer, layer.backward_layer)]

    forward, backward = built()
    assert not np.array_equal(forward, backward)
    np.testing.assert_array_equal(built(), [forward, backward])


def test_it_is_stored_let_in_and_runs_by_the_kernel_of_the_machine(tmp_path: Path) -> None:
    model = BUILDERS["encoder_decoder"](encoder_units=[5], forget_bias="chrono", bidirectional=True)
    path = tmp_path / "model.keras"
    model.save(path)
    register_own_layers()
    refuse_foreign(path, {})
    again = keras.saving.load_model(path)
    inputs = np.random.default_rng(0).normal(size=(8, 24, 2)).astype(np.float32)
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(again.predict(inputs, verbose=0), expected, atol=1e-6)
    accelerate(again)
    np.testing.assert_allclose(again.predict(inputs, verbose=0), expected, atol=1e-5)
    np.testing.assert_array_equal(
        again.get_layer("encoder_0").forward_layer.cell.bias, model.get_layer("encoder_0").forward_layer.cell.bias
    )


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("encoder_decoder", {"forget_bias": "chrono", "cell": "gru"}, "cell must be 'lstm' for forget_bias='chrono'"),
        ("whole", {"forget_bias": "chrono"}, "memory_steps must be given for forget_bias='chrono'"),
        ("classifier", {"forget_bias": "ones", "memory_steps": 2}, "memory_steps must be a whole number of at least 3"),
    ],
)
def test_what_it_cannot_be_is_refused(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        BUILDERS[name](**arguments)


@pytest.mark.parametrize(
    ("recipe", "model", "key", "code"),
    [
        (forecast_recipe(), {"forget_bias": "chrono", "cell": "gru"}, "model.forget_bias", "conflicting_keys"),
        (forecast_recipe(), {"memory_steps": 50}, "model.memory_steps", "unused_key"),
        (forecast_recipe(), {"forget_bias": "chrono", "memory_steps": 2}, "model.memory_steps", "invalid_value"),
        (whole_recipe(), {"forget_bias": "chrono"}, "model.memory_steps", "missing_key"),
    ],
)
def test_a_recipe_is_told(recipe: dict[str, Any], model: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe | {"model": recipe["model"] | model})
    assert [(problem.key, problem.code) for problem in caught.value.problems] == [(key, code)]
