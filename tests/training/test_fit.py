"""A fit keeps its best epoch, repeats itself, ignores what is missing, and says what to try when it fails."""

import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.models.inference import compile_forward
from seq2seq_kit.recipe.fields import Recipe, Training
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.estimating import estimate_seconds
from seq2seq_kit.training.fit import Epoch, Fit, Observer, fit, seed_everything
from seq2seq_kit.training.objective import optimizer_of, value_loss
from tests import forked
from tests.conftest import autoencode_recipe, build_model, forecast_recipe, hourly_frame, spelled_lines
from tests.untyped import parse_recipe


@dataclass
class Recorder:
    """An observer that writes down what it is told."""

    batches: list[tuple[int, int, int, int]] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        self.batches.append((epoch, of, step, steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


@dataclass
class Interrupter(Recorder):
    """Ctrl-C at one batch."""

    epoch: int = 1
    step: int = 1

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        if (epoch, step) == (self.epoch, self.step):
            raise KeyboardInterrupt


@dataclass
class Saboteur(Recorder):
    """Ruins the model after one epoch, so that the epochs after it are worse."""

    model: keras.Model | None = None
    after: int = 2

    def on_epoch(self, epoch: Epoch) -> None:
        super().on_epoch(epoch)
        if epoch.number == self.after and self.model is not None:
            self.model.set_weights([np.full_like(weight, 5.0) for weight in self.model.get_weights()])


def small(*, frame: pd.DataFrame | None = None, **training: Any) -> tuple[Recipe, Prepared, keras.Model]:
    """A forecast 8 -> 3 of 4 units with its data, seeded."""
    section = {"inputs": ["load", "heat"], "input_steps": 8, "output_steps": 3, "calendar": [], "missing": "mask"}
    if frame is None:
        section["missing"] = "refuse"
    raw = forecast_recipe(**section)
    raw["model"] = {"encoder_units": [4], "decoder_units": [4]}
    raw["training"] = {"learning_rate": 0.01, "batch_size": 32, "epochs": 3} | training
    recipe = parse_recipe(raw)
    prepared = prepare(recipe.data, hourly_frame(200) if frame is None else frame)
    seed_everything(recipe.seed, deterministic=False)
    return recipe, prepared, build_model(recipe, prepared)


def fitted(recipe: Recipe, prepared: Prepared, model: keras.Model, *observers: Observer) -> Fit:
    return fit(model, prepared, recipe.training, seed=recipe.seed, observers=observers)


def val_error(model: keras.Model, prepared: Prepared) -> np.ndarray:
    """Errors of the validation windows in scaled units, NaN where the truth is missing."""
    windows = np.arange(prepared.windows["val"].count)
    return compile_forward(model)(prepared.arrays("val", windows)) - prepared.scaled_targets("val", windows)


def val_mse(model: keras.Model, prepared: Prepared) -> float:
    return float(np.nanmean(val_error(model, prepared) ** 2))


def test_a_model_is_told_which_inputs_are_targets_and_which_are_measured() -> None:
    frame = hourly_frame(200).assign(plan=1.0)
    values = forecast_recipe(inputs=["plan", "heat", "load"], known_future=["plan"]) | {"model": {"normalise": "last"}}
    recipe = parse_recipe(values)
    model = build_model(recipe, prepare(recipe.data, frame))
    assert model.get_layer("normalise").columns == [1, 2]  # neither the plan nor the calendar
    assert model.get_layer("denormalise").columns == [2]


def test_inputs_that_are_all_known_ahead_make_a_model() -> None:
    recipe = parse_recipe(forecast_recipe(inputs=["plan"], known_future=["plan"]))
    model = build_model(recipe, prepare(recipe.data, hourly_frame(200).assign(plan=1.0)))
    assert model.output_shape == (None, 6, 1)


@pytest.mark.slow
def test_the_best_epoch_s_weights_are_kept_when_validation_stops_improving() -> None:
    recipe, prepared, model = small(epochs=9, patience=2)
    result = fitted(recipe, prepared, model, Saboteur(model=model, after=2))
    losses = [epoch.val_loss for epoch in result.history]
    assert result.ended == "early"
    assert result.best_epoch == int(np.argmin(losses)) + 1 <= 2
    assert len(losses) == result.best_epoch + 2
    assert val_mse(model, prepared) == pytest.approx(min(losses), rel=1e-4)
    assert losses[-1] > 2 * min(losses)


@pytest.mark.slow
def test_without_patience_all_epochs_run_and_the_best_is_kept_all_the_same() -> None:
    recipe, prepared, model = small(epochs=4, patience=None)
    result = fitted(recipe, prepared, model, Saboteur(model=model, after=2))
    losses = [epoch.val_loss for epoch in result.history]
    assert result.ended == "epochs"
    assert len(losses) == 4
    assert result.best_epoch <= 2
    assert val_mse(model, prepared) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.slow
def test_a_fit_that_improves_to_the_end_keeps_its_last_epoch() -> None:
    recipe, prepared, model = small(epochs=3)
    result = fitted(recipe, prepared, model)
    losses = [epoch.val_loss for epoch in result.history]
    assert losses == sorted(losses, reverse=True)
    assert (result.ended, result.best_epoch, len(losses)) == ("epochs", 3, 3)
    assert val_mse(model, prepared) == pytest.approx(losses[-1], rel=1e-4)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each training step is a call of its own, as where a step takes long."""
    monkeypatch.setattr("seq2seq_kit.training.stepping._MOST_STEPS", 1)


@pytest.mark.slow
def test_observers_hear_of_every_batch_and_every_epoch(one_by_one: None) -> None:
    recipe, prepared, model = small(epochs=2)
    first, second = Recorder(), Recorder()
    result = fitted(recipe, prepared, model, first, second)
    count = prepared.windows["train"].count
    steps = math.ceil(count / 32)
    assert steps > 2
    assert first.batches == [(epoch, 2, step, steps) for epoch in (1, 2) for step in range(1, steps + 1)]
    assert first.epochs == result.history
    assert second == first
    for number, epoch in enumerate(result.history, start=1):
        assert (epoch.number, epoch.of) == (number, 2)
        assert epoch.learning_rate == pytest.approx(0.01)
        assert 0 < epoch.seconds < result.seconds
        assert epoch.sequences_per_second > count / epoch.seconds  # validation is not counted


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_weights_so_far(one_by_one: None) -> None:
    recipe, prepared, model = small(epochs=9)
    result = fitted(recipe, prepared, model, Interrupter(epoch=3, step=2))
    losses = [epoch.val_loss for epoch in result.history]
    assert result.ended == "interrupted"
    assert len(losses) == 2
    assert result.best_epoch == int(np.argmin(losses)) + 1
    assert val_mse(model, prepared) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.slow
def test_ctrl_c_in_the_first_epoch_leaves_a_model_that_works(one_by_one: None) -> None:
    recipe, prepared, model = small(epochs=9)
    result = fitted(recipe, prepared, model, Interrupter(epoch=1, step=3))
    assert (result.ended, result.best_epoch, result.history) == ("interrupted", 0, [])
    assert np.isfinite(val_mse(model, prepared))


@pytest.mark.slow
def test_a_fit_that_stops_after_some_epochs_is_the_beginning_of_the_longer_one() -> None:
    short, long = small(epochs=3, patience=None), small(epochs=9, patience=1)
    whole = fitted(*short)
    stopped = fit(long[2], long[1], long[0].training, seed=0, stop_after=3)
    assert (stopped.ended, stopped.best_epoch, whole.best_epoch) == ("epochs", 3, 3)
    assert [(epoch.number, epoch.of) for epoch in stopped.history] == [(1, 3), (2, 3), (3, 3)]
    for own, other in zip(long[2].get_weights(), short[2].get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_fit_that_stops_after_some_epochs_keeps_the_last_one_even_if_it_is_worse() -> None:
    recipe, prepared, model = small(epochs=9, patience=1)
    result = fit(model, prepared, recipe.training, seed=0, stop_after=4, observers=[Saboteur(model=model, after=2)])
    losses = [epoch.val_loss for epoch in result.history]
    assert (result.ended, result.best_epoch, len(losses)) == ("epochs", 4, 4)
    assert losses[-1] > 2 * min(losses)
    assert val_mse(model, prepared) == pytest.approx(losses[-1], rel=1e-4)


@pytest.mark.slow
def test_a_cosine_that_is_stopped_still_spans_all_epochs() -> None:
    recipe, prepared, model = small(epochs=8, schedule="cosine")
    result = fit(model, prepared, recipe.training, seed=0, stop_after=2)
    rates = [epoch.learning_rate for epoch in result.history]
    assert rates == pytest.approx([0.005 * (1 + math.cos(math.pi * done / 8)) for done in (1, 2)], abs=1e-8)


@pytest.mark.slow
def test_ctrl_c_in_a_fit_that_stops_after_some_epochs_keeps_the_last_finished_one(one_by_one: None) -> None:
    recipe, prepared, model = small(epochs=9)
    watchers = [Saboteur(model=model, after=1), Interrupter(epoch=3, step=2)]
    result = fit(model, prepared, recipe.training, seed=0, stop_after=5, observers=watchers)
    assert (result.ended, result.best_epoch, len(result.history)) == ("interrupted", 2, 2)
    assert val_mse(model, prepared) == pytest.approx(result.history[1].val_loss, rel=1e-4)


@pytest.mark.parametrize("stop_after", [0, 4, -1, 2.0, True])
def test_a_stop_outside_the_epochs_is_refused(stop_after: int) -> None:
    recipe, prepared, model = small(epochs=3)
    with pytest.raises(ArgumentError, match=f"stop_after must be .+ from 1 to 3. Received: {stop_after}"):
        fit(model, prepared, recipe.training, seed=0, stop_after=stop_after)


def test_a_fit_is_the_same_out_of_json_to_the_bit() -> None:
    numbers: dict[str, Any] = {"learning_rate": 0.1 + 0.2, "seconds": 1 / 3, "sequences_per_second": 1e300}
    epoch = Epoch(1, 2, 2 / 3, 5e-324, **numbers, metrics={"val_accuracy": 0.1})
    result = Fit([epoch], 1, "interrupted", 1 / 7, members=[Fit([epoch], 1, "interrupted", 1 / 7)])
    assert Fit.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.slow
def test_a_loss_that_explodes_stops_at_once_with_what_to_try() -> None:
    recipe, prepared, model = small(optimizer="sgd", learning_rate=1e30, epochs=50)
    watcher = Recorder()
    wanted = (
        r"became (nan|inf) in epoch 1\..*smaller training\.learning_rate \(now 1e\+30\), or training\.clip_norm: 1\.0;"
    )
    with pytest.raises(TrainingError, match=wanted):
        fitted(recipe, prepared, model, watcher)
    assert len(watcher.epochs) == 1


@pytest.mark.slow
def test_the_advice_names_the_clip_norm_that_was_not_enough() -> None:
    recipe, prepared, model = small(optimizer="sgd", learning_rate=1e30, clip_norm=1e20)
    with pytest.raises(TrainingError, match=r"clip_norm: 1\.0 or less \(now 1e\+20\)"):
        fitted(recipe, prepared, model)


@pytest.mark.slow
def test_a_constant_schedule_stays_and_a_cosine_falls_to_nought() -> None:
    for schedule, share in (
        ("constant", lambda done: 1.0),
        ("cosine", lambda done: 0.5 * (1 + math.cos(math.pi * done))),
    ):
        recipe, prepared, model = small(epochs=4, schedule=schedule, patience=None)
        rates = [epoch.learning_rate for epoch in fitted(recipe, prepared, model).history]
        assert rates == pytest.approx([0.01 * share((number + 1) / 4) for number in range(4)], abs=1e-8)


@pytest.mark.slow
def test_a_plateau_halves_the_rate_after_half_the_patience_without_gain() -> None:
    # Steps of 1e-12 change no loss by as much as Keras counts as a gain.
    recipe, prepared, model = small(epochs=4, schedule="plateau", learning_rate=1e-12, patience=4)
    rates = [epoch.learning_rate for epoch in fitted(recipe, prepared, model).history]
    assert [rate / 1e-12 for rate in rates] == pytest.approx([1, 1, 1, 0.5], rel=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_recipe_names_the_optimizer_and_the_clipping(name: str) -> None:
    optimizer = optimizer_of(Training(optimizer=name, learning_rate=0.25, clip_norm=0.5), steps=10)  # type: ignore[arg-type]
    assert type(optimizer).__name__.lower() == name
    assert optimizer.global_clipnorm == 0.5
    assert float(optimizer.learning_rate) == 0.25


def test_gradients_are_not_clipped_unless_asked() -> None:
    assert optimizer_of(Training(), steps=10).global_clipnorm is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("mae", np.abs),
        ("huber", lambda error: np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5)),
    ],
    ids=["mae", "huber"],
)
def test_the_loss_is_the_recipe_s(name: str, cell: Any) -> None:
    recipe, prepared, model = small(loss=name, epochs=1)
    result = fitted(recipe, prepared, model)
    assert result.history[0].val_loss == pytest.approx(float(np.mean(cell(val_error(model, prepared)))), rel=1e-4)


def truth_and_prediction(*, missing: Sequence[tuple[int, int, int]] = ()) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth, prediction = (rng.normal(scale=2, size=(4, 3, 2)).astype(np.float32) for _ in range(2))
    for cell in missing:
        truth[cell] = np.nan
    return truth, prediction


MISSING = [(0, 0, 0), (1, 2, 1), (3, 0, 1), (3, 1, 1), (3, 2, 1)]


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_the_masked_loss_is_keras_own_where_nothing_is_missing(name: str) -> None:
    truth, prediction = truth_and_prediction()
    own = float(value_loss(name, masked=True)(tf.constant(truth), tf.constant(prediction)))
    assert own == pytest.approx(float(np.mean(keras.losses.get(name)(truth, prediction))), rel=1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_the_masked_loss_is_the_mean_over_observed_cells(name: str) -> None:
    truth, prediction = truth_and_prediction(missing=MISSING)
    known = ~np.isnan(truth)
    assert known.sum() == truth.size - 5
    expected = float(np.mean(keras.losses.get(name)(truth[known][:, None], prediction[known][:, None])))
    assert float(value_loss(name, masked=True)(tf.constant(truth), tf.constant(prediction))) == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_the_gradient_of_the_masked_loss_is_nought_at_missing_cells_and_nowhere_nan(name: str) -> None:
    truth, prediction = truth_and_prediction(missing=MISSING)
    guess = tf.Variable(prediction)
    with tf.GradientTape() as tape:
        loss = value_loss(name, masked=True)(tf.constant(truth), guess)
    gradient = tape.gradient(loss, guess).numpy()
    np.testing.assert_array_equal(gradient == 0, np.isnan(truth))
    assert np.isfinite(gradient).all()


def test_a_batch_without_any_observed_target_costs_nothing() -> None:
    truth, prediction = truth_and_prediction()
    assert (
        float(value_loss("mse", masked=True)(tf.constant(np.full_like(truth, np.nan)), tf.constant(prediction))) == 0.0
    )


@pytest.mark.slow
def test_a_fit_with_missing_cells_learns_from_the_others() -> None:
    frame = hourly_frame(200)
    empty = np.random.default_rng(1).random(200) < 0.2
    frame.loc[empty, "load"] = np.nan
    recipe, prepared, model = small(frame=frame)
    result = fitted(recipe, prepared, model)
    assert np.isnan(prepared.scaled_targets("val", np.arange(prepared.windows["val"].count))).any()
    assert result.history[-1].loss < result.history[0].loss
    best = result.history[result.best_epoch - 1]
    # All validation windows stand in one batch, so Keras' mean over batches is the mean over observed cells.
    assert best.val_loss == pytest.approx(val_mse(model, prepared), rel=1e-4)


SEEDED = """
import json, sys
from seq2seq_kit.data import prepare
from seq2seq_kit.tasks import parse_recipe
from seq2seq_kit.training.fit import fit, seed_everything
from tests.conftest import build_model, forecast_recipe, hourly_frame
import hashlib

for seed in json.loads(sys.argv[1]):
    raw = forecast_recipe(input_steps=8, output_steps=3)
    raw["model"] = {"encoder_units": [4], "decoder_units": [4], "dropout": 0.2}
    recipe = parse_recipe(raw | {"seed": seed}, {"training.deterministic": True, "training.epochs": 2})
    prepared = prepare(recipe.data, hourly_frame(200))
    seed_everything(recipe.seed, deterministic=recipe.training.deterministic)
    model = build_model(recipe, prepared)
    result = fit(model, prepared, recipe.training, seed=recipe.seed)
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
    print("figures", json.dumps([weights, [[epoch.loss, epoch.val_loss] for epoch in result.history]]))
"""


def seeded(*seeds: int) -> list[Any]:
    """Weights and losses of deterministic fits, one after the other in a process of their own.

    Op determinism cannot be switched off again, so it must not reach the other tests.
    """
    done = forked.run([sys.executable, "-c", SEEDED, json.dumps(seeds)])
    assert done.returncode == 0, done.stderr
    return [json.loads(line.removeprefix("figures")) for line in done.stdout.splitlines() if line.startswith("figures")]


@pytest.mark.slow
def test_a_deterministic_rerun_is_equal_to_the_bit_and_another_seed_is_not() -> None:
    first, second, other = seeded(0, 0, 1)
    assert first == second
    assert other[0] != first[0]
    assert seeded(0) == [first]  # nor does it depend on the process


def test_a_forecast_is_built_as_the_recipe_says() -> None:
    raw = forecast_recipe(calendar=["hour", "weekend"])
    raw["model"] = {"cell": "gru", "encoder_units": [5, 4], "decoder_units": [3], "dropout": 0.3, "bidirectional": True}
    recipe = parse_recipe(raw)
    model = build_model(recipe, prepare(recipe.data, hourly_frame(300)))
    # two columns, hour as sine and cosine, weekend; the last three also for the steps ahead
    assert model.input_shape == [(None, 24, 5), (None, 6, 3)]
    assert model.output_shape == (None, 6, 1)
    assert isinstance(model.get_layer("decoder_0"), keras.layers.GRU)
    assert model.get_layer("decoder_0").dropout == 0.3
    assert model.get_layer("encoder_1").output.shape == (None, 8)


def test_an_autoencoder_is_built_as_the_recipe_says() -> None:
    recipe = parse_recipe(autoencode_recipe(missing="mask"))
    model = build_model(recipe, prepare(recipe.data, hourly_frame(300)))
    # what is observed is read beside the two columns, and not rebuilt
    assert model.input_shape == (None, 24, 4)
    assert model.output_shape == (None, 24, 2)
    assert model.get_layer("latent").output.shape == (None, 4)


@pytest.mark.slow
def test_the_estimate_grows_with_the_epochs_and_leaves_the_weights_alone() -> None:
    recipe, prepared, model = small(epochs=1)
    before = model.get_weights()
    one = estimate_seconds(model, prepared, recipe.training)
    many = estimate_seconds(model, prepared, recipe.training.model_copy(update={"epochs": 1000}))
    assert 0 < one < many < 24 * 3600
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.slow
def test_a_validation_loss_that_is_no_number_stops_the_fit_too() -> None:
    recipe, prepared, model = small()
    (first, end) = prepared.split.rows("val")[0]
    prepared.matrix[:][first:end] = (
        np.inf
    )  # as an outlier beyond all bounds would leave it; training rows stay as they are
    with pytest.raises(TrainingError, match=r"the validation loss became (nan|inf) in epoch 1. Expected a finite loss"):
        fit(model, prepared, recipe.training, seed=0)


@pytest.mark.slow
def test_an_estimate_is_of_steps_that_were_taken_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = parse_recipe(forecast_recipe() | {"model": {"encoder_units": [8], "decoder_units": [8], "dropout": 0.2}})
    prepared = prepare(recipe.data, hourly_frame(600))
    model = build_model(recipe, prepared)
    before = [variable.numpy() for variable in model.variables]
    quiet = estimate_seconds(model, prepared, recipe.training)
    for variable, value in zip(model.variables, before, strict=True):  # weights, and the seeds of dropout
        np.testing.assert_array_equal(variable.numpy(), value)
    batches = prepared.batches

    class Slow:
        """The same examples on a machine that is busy: each batch comes 50 ms late."""

        def count(self, part: str) -> int:
            return prepared.count(part)

        def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
            return prepared.arrays(part, numbers)

        def batches(self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0) -> Any:
            for batch in batches(part, batch_size, shuffle_seed=shuffle_seed):
                time.sleep(0.05)
                yield batch

    steps = recipe.training.epochs * prepared.count("train") / recipe.training.batch_size
    assert estimate_seconds(model, Slow(), recipe.training) > max(quiet, 0.05 * steps)


def test_an_estimate_takes_sequences_of_every_length() -> None:
    """In order, as they are evaluated, the shortest ones come first."""
    lines = [line.split("\t") for line in spelled_lines(400).splitlines() if line]
    rng = np.random.default_rng(0)
    sequence = np.repeat(np.arange(len(lines)), rng.integers(1, 9, size=len(lines)))[: len(lines)]
    frame = pd.DataFrame({"letter": [line[0] for line in lines], "kind": [line[1] for line in lines], "of": sequence})
    data = {"tokens": "letter", "labels": "kind", "series": "of"}
    recipe = parse_recipe({"task": "tag", "name": "lengths", "data": data, "training": {"batch_size": 8, "epochs": 1}})
    job = open_job(recipe, frame)
    lengths: list[int] = []

    class Noted:
        def count(self, part: str) -> int:
            return int(job.examples.count(part))

        def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
            return job.examples.arrays(part, numbers)

        def batches(self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0) -> Any:
            for batch in job.examples.batches(part, batch_size, shuffle_seed=shuffle_seed, first_epoch=first_epoch):
                lengths.append(batch[1].shape[1])
                yield batch

    seconds = estimate_seconds(job.make(), Noted(), recipe.training)
    taken, ordered = lengths.copy(), [batch[1].shape[1] for batch in job.examples.batches("train", 8)]
    assert seconds > 0
    assert np.mean(taken) > np.mean(ordered[: len(taken)]) + 1
    assert abs(np.mean(taken) - np.mean(ordered)) < 2
