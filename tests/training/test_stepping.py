"""Steps that are taken together are the same steps: none more, none fewer, and an epoch ends where it ends."""

from typing import Any

import numpy as np
import pytest

from seq2seq_kit.models import build_encoder_decoder
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.fit import _open_steps
from seq2seq_kit.training.stepping import steps_per_call
from tests.conftest import reversed_words, translate_recipe
from tests.training.test_fit import Recorder, fitted, small
from tests.untyped import parse_recipe

_MOST = "seq2seq_kit.training.stepping._MOST_STEPS"


@pytest.mark.slow
def test_an_epoch_that_is_no_multiple_ends_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_MOST, 3)
    recipe, prepared, model = small(epochs=2, patience=None)
    watcher = Recorder()
    fitted(recipe, prepared, model, watcher)
    assert watcher.batches == [(1, 2, 1, 5), (1, 2, 4, 5), (2, 2, 1, 5), (2, 2, 4, 5)]
    assert int(model.optimizer.iterations) == 10


@pytest.mark.slow
@pytest.mark.parametrize("together", [2, 5, 16])
def test_the_weights_are_those_of_single_steps(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for most in (1, together):
        monkeypatch.setattr(_MOST, most)
        recipe, prepared, model = small(epochs=3, patience=None)
        fit = fitted(recipe, prepared, model)
        results.append((fit, model.get_weights()))
    (single, own), (several, others) = results
    for one, other in zip(own, others, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)
    assert [epoch.loss for epoch in several.history] == pytest.approx([epoch.loss for epoch in single.history])
    assert [epoch.val_loss for epoch in several.history] == pytest.approx([epoch.val_loss for epoch in single.history])


def test_small_models_take_many_steps_together_and_large_ones_one() -> None:
    def steps(units: int, input_steps: int | None, batch: int, open_steps: int = 100) -> int:
        layers: dict[str, Any] = {"encoder_units": [units], "decoder_units": [units]}
        model = build_encoder_decoder(input_steps=input_steps, output_steps=10, input_features=1, **layers)
        return steps_per_call(model, batch, open_steps=open_steps)

    assert steps(8, 24, 32) == 16
    # 100 steps of 4 * 64 * (1 + 64 + 1) weights, 10 of 4 * 64 * (64 + 64 + 1) and of 65, six operations each, 64 sequences
    work = 6 * 64 * (100 * 16_896 + 10 * 33_024 + 10 * 65)
    assert steps(64, 100, 64) == steps(64, None, 64) == int(0.25 * 20e9 / work) == 6
    assert steps(128, 100, 128) == 1
    assert steps(64, None, 64, open_steps=10) == steps(64, 10, 64) > 6


@pytest.mark.slow
def test_whoever_fits_the_model_next_has_keras_own_steps() -> None:
    recipe, prepared, model = small(epochs=1)
    fitted(recipe, prepared, model)
    done = int(model.optimizer.iterations)
    x = [np.zeros((40, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    model.fit(
        x if len(x) > 1 else x[0],
        np.zeros((40, *model.output_shape[1:]), np.float32),
        batch_size=2,
        epochs=2,
        verbose=0,
    )
    assert int(model.optimizer.iterations) - done == 40


def test_a_layer_on_keras_own_loop_takes_single_steps() -> None:
    layers: dict[str, Any] = {"encoder_units": [4], "decoder_units": [4]}
    model = build_encoder_decoder(input_steps=10, output_steps=2, input_features=1, recurrent_dropout=0.1, **layers)
    assert steps_per_call(model, 32) == 1


def test_a_fit_looks_how_long_its_texts_are() -> None:
    job: Any = open_job(parse_recipe(translate_recipe()), reversed_words())
    model = job.build()
    assert None in model.inputs[0].shape[1:]
    longest = max(array.shape[1] for array in job.examples.arrays("train", np.arange(job.examples.count("train"))))
    assert 1 < _open_steps(model, job.examples) <= longest < 100
