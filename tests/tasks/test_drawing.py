"""Denoising and variational autoencoders by recipe: figures of an epoch, the epoch that is kept, bundles, refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import explain, load, train
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.sweep_space import check_space
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.fit import seed_everything
from tests.conftest import autoencode_recipe, hourly_frame, waves_frame, whole_recipe
from tests.untyped import parse_recipe

DRAWN = {"latent": "variational", "kl_weight": 0.02, "kl_warmup": 2, "noise": 0.1}


def drawn(recipe: dict[str, Any], *, training: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    return recipe | {"model": recipe["model"] | DRAWN | model, "training": recipe["training"] | (training or {})}


@pytest.fixture(scope="module")
def run(store: Path) -> TrainResult:
    return train(drawn(autoencode_recipe(), training={"epochs": 4}), data=hourly_frame(), tracking_uri=str(store))


@pytest.mark.slow
def test_an_epoch_shows_the_divergence_and_the_loss_without_it(run: TrainResult) -> None:
    for epoch in run.fit.history:
        weight = 0.02 * min(1.0, epoch.number / 3)
        assert epoch.metrics["reconstruction"] + weight * epoch.metrics["kl"] == pytest.approx(epoch.loss, rel=1e-5)
        assert epoch.metrics["kl"] > 0
    # Validation is of the model in use: no draw, no penalty.
    best = run.fit.history[run.fit.best_epoch - 1]
    job = open_job(run.recipe, hourly_frame())
    numbers = np.arange(job.examples.count("val"))
    prepared = job.examples
    error = run.bundle.forward(prepared.arrays("val", numbers)) - prepared.scaled_targets("val", numbers)  # type: ignore[attr-defined]
    assert float((error**2).mean()) == pytest.approx(best.val_loss, rel=0.02)


@pytest.mark.slow
def test_no_epoch_of_the_warm_up_is_kept_while_there_is_another() -> None:
    def kept(epochs: int) -> int:
        # A penalty that ruins what has been learned, so the first epochs validate best.
        recipe = drawn(autoencode_recipe(), kl_weight=1e4, training={"epochs": epochs, "learning_rate": 0.1})
        job = open_job(parse_recipe(recipe), hourly_frame(300))
        seed_everything(0, deterministic=False)
        fitted = job.fit(job.build(), [])
        assert len(fitted.history) == epochs
        return fitted.best_epoch

    assert kept(4) >= 3
    assert kept(2) == 2


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_steps_in_one_call_draw_and_learn(precision: str) -> None:
    recipe = drawn(autoencode_recipe(), training={"epochs": 2, "batch_size": 16, "precision": precision}, kl_warmup=0)
    job = open_job(parse_recipe(recipe), hourly_frame(400))
    seed_everything(0, deterministic=False)
    model = job.build()
    first, second = job.fit(model, []).history
    assert int(model.optimizer.iterations) == 2 * -(-job.examples.count("train") // 16)
    assert second.loss < first.loss
    assert model.get_layer("latent").weight == pytest.approx(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data"), [(autoencode_recipe, hourly_frame), (whole_recipe, waves_frame)], ids=["windows", "whole"]
)
def test_a_bundle_answers_as_before_it_was_saved(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame], tmp_path: Path
) -> None:
    values = parse_recipe(drawn(recipe(), training={"epochs": 1}))
    job = open_job(values, data())
    seed_everything(0, deterministic=False)
    model = job.build()
    job.fit(model, [])
    bundle = job.bundle(model, {})
    bundle.save(tmp_path / "bundle")
    loaded = load(tmp_path / "bundle")
    for verb in ("encode", "score", "reconstruct"):
        one, other, again = (getattr(each, verb)(data()) for each in (bundle, loaded, loaded))
        pd.testing.assert_frame_equal(other, again)
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-5)
    assert loaded.encode(data()).filter(like="latent_").shape[1] == 4


@pytest.mark.slow
def test_explain_tells_the_layers() -> None:
    explained = explain(drawn(autoencode_recipe()), data=hourly_frame())
    rows = {row.name: row for row in explained.rows}
    assert (rows["noise"].kind, rows["latent"].kind) == ("AddNoise", "DrawLatent")
    assert rows["latent_log_variance"].how == rows["latent_mean"].how == "(8 + 1) x 4 = 36"
    assert explained.parameters == sum(row.parameters for row in explained.rows)


@pytest.mark.parametrize("recipe", [autoencode_recipe, whole_recipe])
@pytest.mark.parametrize(
    ("model", "key", "code"),
    [
        ({"latent": "plain"}, "model.kl_weight", "unused_key"),
        ({"latent": "plain", "kl_weight": 0.001}, "model.kl_warmup", "unused_key"),
        ({"kl_weight": -1}, "model.kl_weight", "invalid_value"),
        ({"kl_warmup": 1.5}, "model.kl_warmup", "invalid_value"),
        ({"noise": -0.1}, "model.noise", "invalid_value"),
        ({"latent": "vae"}, "model.latent", "invalid_value"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_key(
    recipe: Callable[[], dict[str, Any]], model: dict[str, Any], key: str, code: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        parse_recipe(drawn(recipe(), **model))
    assert (key, code) in [(problem.key, problem.code) for problem in refused.value.problems]


def test_a_resolved_recipe_of_a_plain_latent_is_valid_and_old_ones_are_plain() -> None:
    resolved = parse_recipe(autoencode_recipe())
    assert (resolved.model.latent, resolved.model.noise) == ("plain", 0.0)
    assert parse_recipe(resolved.model_dump()) == resolved


def test_a_sweep_searches_noise_and_the_penalty() -> None:
    space = {
        "model.noise": {"float": {"min_value": 0.0, "max_value": 0.5}},
        "model.latent": {"choice": {"values": ["plain", "variational"]}},
        "model.kl_weight": {
            "float": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
            "when": {"model.latent": ["variational"]},
        },
    }
    recipe = autoencode_recipe() | {"sweep": {"space": space, "max_trials": 4}}
    check_space(parse_recipe(recipe))
