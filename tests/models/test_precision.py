"""In half precision only training steps compute; the model, its files and its validation are float32."""

import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from seq2seq_kit.errors import TrainingError
from seq2seq_kit.models import build_encoder_decoder, build_tagger
from seq2seq_kit.models.precision import computing_in
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.estimating import estimate_seconds
from seq2seq_kit.training.fit import Fit, seed_everything
from seq2seq_kit.training.stepping import steps_per_call
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    levelled_frame,
    next_step_recipe,
    reversed_words,
    tag_recipe,
    tag_values_recipe,
    translate_recipe,
    waves_frame,
    whole_recipe,
)
from tests.training.test_fit import Saboteur, fitted, small, val_mse
from tests.untyped import parse_recipe, read_bundle

MIXED = ("mixed_float16", "mixed_bfloat16")


def with_model(recipe: dict[str, Any], **layers: Any) -> dict[str, Any]:
    return recipe | {"model": recipe["model"] | layers}


def taught(recipe: dict[str, Any]) -> dict[str, Any]:
    return recipe | {"training": recipe["training"] | {"teacher_forcing": [1.0, 0.5]}}


def with_holes(rows: int) -> pd.DataFrame:
    frame = hourly_frame(rows)
    frame.loc[frame.index % 7 == 3, "load"] = np.nan
    return frame


def letters(rows: int = 120) -> pd.DataFrame:
    """Words of three letters in rows, each with its kind."""
    found = np.random.default_rng(0).choice(list("abcde"), size=3 * rows)
    kinds = np.where(np.isin(found, ["a", "e"]), "vowel", "other")
    return pd.DataFrame({"word": np.repeat(np.arange(rows), 3), "letter": found, "kind": kinds})


SEGMENTS: dict[str, Any] = {
    "segment_steps": 3,
    "channels": "independent",
    "normalise": "mean_std",
    "position_embedding": True,
    "decoder_state": "encoder",
    "output_dropout": 0.1,
    "kernel_l2": 1e-4,
}
FEEDBACK = {"bridge": "attention", "bidirectional": True, "encoder_units": [4], "decoder_units": [8], "dropout": 0.1}
# Every kind of model with its own layers, of a few units.
FAMILIES: dict[str, tuple[dict[str, Any], pd.DataFrame | None]] = {
    "forecast": (forecast_recipe(), hourly_frame(300)),
    "masked": (with_model(forecast_recipe(missing="mask"), cell="gru"), with_holes(300)),
    "segments": (with_model(forecast_recipe(targets=["load", "heat"]), **SEGMENTS), hourly_frame(300)),
    "feedback": (taught(with_model(forecast_recipe(), **FEEDBACK)), hourly_frame(300)),
    "autoencode": (
        with_model(autoencode_recipe(), encoder_units=[8, 4], decoder_units=[4], pyramid=2),
        hourly_frame(300),
    ),
    "next_step": (next_step_recipe(), hourly_frame(300)),
    "whole": (whole_recipe(), waves_frame(50)),
    "translate": (translate_recipe(), reversed_words(80)),
    "translate_feedback": (
        taught(translate_recipe(bridge="attention", embedding_dim=4)),
        reversed_words(80),
    ),
    "tag_tokens": (tag_recipe(lines=None, series="word"), letters()),
    "tag_values": (tag_values_recipe(), levelled_frame(300)),
    "echo": ({"task": "echo", "data": {"sequence": [0.1, 0.2, 0.3]}}, None),
    "echo_feedback": (
        {"task": "echo", "data": {"sequence": [0.1, 0.2, 0.3]}, "model": {"shape": "feedback"}},
        None,
    ),
}


def open_family(name: str, **training: Any) -> Job:
    recipe, frame = FAMILIES[name]
    return open_job(parse_recipe(recipe | {"training": recipe.get("training", {}) | training}), frame)


def trained(job: Job) -> tuple[list[np.ndarray], keras.Model, Fit]:
    """The weights before, the model after one epoch, and how it went."""
    seed_everything(0, deterministic=False)
    model = job.build()
    return model.get_weights(), model, job.fit(model, [], stop_after=1)


def require_single(model: keras.Model) -> None:
    assert {layer.dtype_policy.name for layer in model._flatten_layers()} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}


@cache
def family(name: str, precision: str = "float32") -> tuple[Job, list[np.ndarray], keras.Model, Fit]:
    """A family and `trained` of it."""
    job = open_family(name, precision=precision)
    return job, *trained(job)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "name"),
    [
        *[("mixed_float16", name) for name in FAMILIES],
        # The other precision differs by its policy alone: the ways of training once.
        *[("mixed_bfloat16", name) for name in ("forecast", "segments", "feedback", "translate_feedback", "echo")],
    ],
)
def test_every_family_trains_and_its_model_stays_float32(precision: str, name: str) -> None:
    single = family(name)[3].history[0].loss
    _, before, model, result = family(name, precision)
    (epoch,) = result.history
    require_single(model)
    assert any(np.any(one != other) for one, other in zip(before, model.get_weights(), strict=True))
    assert np.isfinite(epoch.val_loss)
    assert epoch.loss == pytest.approx(single, rel=0.05)
    assert epoch.loss != single  # the same examples in the same order, rounded on their way


def test_layers_compute_in_half_but_for_outputs_and_the_level_of_a_window() -> None:
    model = build_encoder_decoder(
        input_steps=12,
        output_steps=6,
        input_features=1,
        encoder_units=[4],
        decoder_units=[8],
        bidirectional=True,
        segment_steps=3,
        normalise="last",
    )
    with computing_in(model, "mixed_bfloat16"):
        within = {layer.name: layer.compute_dtype for layer in model._flatten_layers()}
    exact = {"normalise", "output", "output_dense", "output_split", "denormalise"}
    assert exact < {name for name, kind in within.items() if kind == "float32"}
    assert {within[name] for name in ("segment_join", "segment", "encoder_0", "bridge", "decoder_0")} == {"bfloat16"}
    assert within["forward_encoder_0_cell"] == within["backward_encoder_0_cell"] == "bfloat16"
    require_single(model)


def test_a_model_is_float32_again_after_an_error() -> None:
    model = build_tagger(labels=3, tokens=9, units=[2], embedding_dim=2)
    kinds = []

    def fail() -> None:
        with computing_in(model, "mixed_float16"):
            kinds.append(model.get_layer("recurrent_0").cell.compute_dtype)
            raise RuntimeError("while it was traced")

    with pytest.raises(RuntimeError, match="while it was traced"):
        fail()
    assert kinds == ["float16"]
    require_single(model)


def test_a_model_without_a_layer_of_that_name_computes_in_half_to_its_end() -> None:
    inputs = keras.Input((5, 1))
    model = keras.Model(inputs, keras.layers.LSTM(2)(inputs))
    with computing_in(model, "mixed_float16"):
        assert model(np.ones((1, 5, 1), np.float32)).dtype == "float16"
    assert model(np.ones((1, 5, 1), np.float32)).dtype == "float32"


@pytest.mark.slow
@pytest.mark.parametrize("precision", MIXED)
def test_epochs_are_chosen_by_the_loss_of_the_float32_model(precision: str) -> None:
    recipe, prepared, model = small(epochs=4, patience=None, precision=precision)
    result = fitted(recipe, prepared, model, Saboteur(model=model, after=2))
    losses = [epoch.val_loss for epoch in result.history]
    assert result.best_epoch == int(np.argmin(losses)) + 1 <= 2
    assert val_mse(model, prepared) == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forecast", "feedback", "tag_tokens"])
def test_a_bundle_on_disk_is_a_float32_model_with_the_trained_weights(name: str, tmp_path: Path) -> None:
    job, _, model, _ = family(name, "mixed_float16")
    folder = job.bundle(model, {"run_id": "none"}, peers=False).save(tmp_path / "bundle")
    (file,) = folder.glob("*.keras")
    with zipfile.ZipFile(file) as archive:
        assert b"float16" not in archive.read("config.json")
    stored = read_bundle(folder)
    require_single(stored.model)
    for one, other in zip(model.get_weights(), stored.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # The very model in float32, built by nobody who knows of half precision.
    plain = open_family(name).build()
    plain.set_weights(model.get_weights())
    arrays = job.examples.arrays("val", np.arange(5))
    expected = job.bundle(plain, {}, peers=False).forward(arrays)
    np.testing.assert_allclose(stored.forward(arrays), expected, rtol=1e-5, atol=1e-6)
    assert estimate_seconds(model, job.examples, job.recipe.training) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "together"), [("mixed_float16", 3), ("mixed_bfloat16", 3)])
def test_steps_together_are_the_same_steps_with_a_scaled_loss(
    precision: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for most in (1, together):
        monkeypatch.setattr("seq2seq_kit.training.fit.steps_per_call", lambda *_, most=most, **__: most)
        chosen: dict[str, Any] = {
            "epochs": 2,
            "patience": None,
            "schedule": "cosine",
            "clip_norm": 0.5,
            "precision": precision,
        }
        recipe, prepared, model = small(**chosen)
        results.append((fitted(recipe, prepared, model), model))
    (single, own), (several, other) = results
    assert int(own.optimizer.iterations) == int(other.optimizer.iterations) == 10
    for one, same in zip(own.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(same, one, rtol=1e-3, atol=1e-4)
    for result in (single, several):
        assert [epoch.learning_rate for epoch in result.history] == pytest.approx([0.005, 0], abs=1e-8)


@pytest.mark.slow
def test_float16_scales_the_loss_and_clips_what_is_unscaled() -> None:
    lengths = {}
    for precision in ("float32", *MIXED):
        recipe, prepared, model = small(epochs=1, optimizer="sgd", clip_norm=1e-3, precision=precision)
        before = model.get_weights()
        fitted(recipe, prepared, model)
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (precision == "mixed_float16")
        moved = [np.sum((one - other) ** 2) for one, other in zip(before, model.get_weights(), strict=True)]
        lengths[precision] = float(np.sqrt(np.sum(moved)))
    assert lengths["float32"] <= 5e-5  # five steps of the rate 0.01 and the norm 0.001
    assert lengths["mixed_float16"] == pytest.approx(lengths["float32"], rel=0.05)
    assert lengths["mixed_bfloat16"] == pytest.approx(lengths["float32"], rel=0.05)


@pytest.mark.slow
def test_a_plateau_halves_the_rate_of_a_scaled_loss_too() -> None:
    chosen: dict[str, Any] = {
        "schedule": "plateau",
        "learning_rate": 1e-12,
        "patience": 4,
        "precision": "mixed_float16",
    }
    recipe, prepared, model = small(epochs=4, **chosen)
    rates = [epoch.learning_rate for epoch in fitted(recipe, prepared, model).history]
    assert [rate / 1e-12 for rate in rates] == pytest.approx([1, 1, 1, 0.5], rel=1e-5)


def unscaled(precision: str, factor: float, **training: Any) -> Job:
    """A forecast of large numbers as they are."""
    recipe = forecast_recipe(scaling="none")
    recipe["training"] |= {"epochs": 1, "precision": precision} | training
    frame = hourly_frame(300)
    return open_job(parse_recipe(recipe), frame.assign(load=frame["load"] * factor, heat=frame["heat"] * factor))


@pytest.mark.slow
def test_a_loss_that_overflows_in_float16_is_told_with_what_does_not() -> None:
    wanted = r"became (nan|inf) in epoch 1\..*beyond 65,504: try training\.precision: mixed_bfloat16, or float32$"
    with pytest.raises(TrainingError, match=wanted):
        trained(unscaled("mixed_float16", 1e6))
    assert np.isfinite(trained(unscaled("mixed_bfloat16", 1e6))[2].history[0].loss)


@pytest.mark.slow
def test_other_losses_that_explode_say_nothing_of_float16() -> None:
    recipe, prepared, model = small(optimizer="sgd", learning_rate=1e30, precision="mixed_bfloat16")
    with pytest.raises(TrainingError, match=r"data\.scaling leaves large$"):
        fitted(recipe, prepared, model)


@pytest.mark.slow
def test_a_training_whose_steps_all_overflowed_is_no_training() -> None:
    wanted = (
        r"no weight was trained: the gradients of all 1 steps .*try training\.precision: mixed_bfloat16, or float32"
    )
    with pytest.raises(TrainingError, match=wanted):
        trained(unscaled("mixed_float16", 100.0, batch_size=10_000))
    _, _, result = trained(unscaled("mixed_float16", 100.0, batch_size=8))
    assert np.isfinite(result.history[0].loss)


def test_half_precision_takes_many_steps_together_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_encoder_decoder(
        input_steps=10, output_steps=2, input_features=1, encoder_units=[4], decoder_units=[4]
    )
    assert [steps_per_call(model, 32, precision) for precision in ("float32", *MIXED)] == [16, 1, 1]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    assert steps_per_call(model, 32, "mixed_float16") == 16


def test_a_sweep_may_search_the_precision() -> None:
    space = {"training.precision": {"choice": ["float32", *MIXED]}}
    recipe = parse_recipe(forecast_recipe() | {"sweep": {"tuner": "grid", "space": space}})
    assert recipe.sweep is not None
    assert list(recipe.sweep.space) == ["training.precision"]
