"""A step that workers take together does what one process does, whatever masks, weights and losses there are."""

import threading
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.data.windows.kept import loss_flags
from seq2seq_kit.errors import TrainingError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.fit import seed_everything
from seq2seq_kit.training.group import (
    from_all,
    from_first,
    require_equal_weights,
    require_workers,
    share_variables,
)
from seq2seq_kit.training.memory_group import MemoryGroup, SharedMemory
from seq2seq_kit.training.objective import optimizer_of, value_loss
from seq2seq_kit.training.shared_step import shared_step
from seq2seq_kit.training.teaching import course_of
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, tag_recipe
from tests.untyped import parse_recipe

BATCH = 7


def together(workers: int, act: Callable[[MemoryGroup], Any]) -> list[Any]:
    """What `act` gives as each worker of a group, in threads of this process; the memory and the barrier are the real ones."""
    shared = SharedMemory.of(workers, get_context("spawn"))
    given: list[Any] = [None] * workers

    def run(rank: int) -> None:
        try:
            given[rank] = act(MemoryGroup(shared, rank))
        except BaseException as error:  # the others would wait for ever
            given[rank] = error
            shared.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [each for each in given if isinstance(each, BaseException)]
    for each in sorted(
        errors, key=lambda error: not isinstance(error, TrainingError)
    ):  # before those of a broken barrier
        raise each
    return given


def compiled(job: Job[Any, Any, Any]) -> Any:
    seed_everything(3, deterministic=False)
    model, training = job.make(), job.recipe.training
    loss, metrics = job.objective()
    own = value_loss(getattr(training, "loss", "mse"), **loss_flags(job.examples))
    model.compile(
        optimizer=optimizer_of(training, 10),
        loss=loss if loss is not None else own,
        metrics=[*metrics, *course_of(model).metrics],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def taken(
    job: Job[Any, Any, Any], model: Any, step: Callable[[Any], Any], count: int
) -> tuple[dict[str, float], list[np.ndarray]]:
    """Figures and weights after some steps."""
    batches = iter(job.examples.batches("train", BATCH, shuffle_seed=1))
    # Not in a graph: there a worker that waits holds one of the process's threads, of which tests have one.
    for _ in range(count):
        step(next(batches))
    return (
        {name: float(value) for name, value in model.get_metrics_result().items()},
        [np.asarray(weight) for weight in model.variables],
    )


def gappy() -> Any:
    frame = hourly_frame(120)
    frame.loc[30:60:3, "load"] = np.nan
    return frame


def weighted() -> Any:
    frame = hourly_frame(120)
    frame["worth"] = np.linspace(0, 3, len(frame))
    return frame


CASES: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "plain": (forecast_recipe(), lambda: hourly_frame(120)),
    "penalty": (
        forecast_recipe() | {"model": forecast_recipe()["model"] | {"kernel_l2": 0.01}},
        lambda: hourly_frame(120),
    ),
    "masked": (forecast_recipe(missing="mask"), gappy),
    "weighted": (forecast_recipe(weight="worth"), weighted),
    "clipped": (
        forecast_recipe() | {"training": forecast_recipe()["training"] | {"clip_norm": 0.1}},
        lambda: hourly_frame(120),
    ),
    "quantiles": (forecast_recipe() | {"levels": [0.8], "intervals": "quantile"}, lambda: hourly_frame(203)),
    "fed back": (
        forecast_recipe() | {"model": {"encoder_units": [8], "decoder_units": [8], "bridge": "attention"}},
        lambda: hourly_frame(120),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("case", "workers"), [*((case, 2) for case in CASES), ("masked", 8)])
def test_steps_together_are_those_of_one_process(case: str, workers: int) -> None:
    recipe, rows = CASES[case]
    job = open_job(parse_recipe(recipe), rows())
    steps = -(-job.examples.count("train") // BATCH)  # the last batch is a smaller one
    assert job.examples.count("train") % BATCH
    one = compiled(job)
    told, weights = taken(job, one, one.train_step, steps)
    models = [compiled(job) for _ in range(workers)]
    shared = together(
        workers,
        lambda group: taken(job, models[group.rank], shared_step(models[group.rank], group), steps),
    )
    for figures, found in shared:
        assert figures == shared[0][0], "workers tell other figures"
        for ours, first, theirs in zip(found, shared[0][1], weights, strict=True):
            np.testing.assert_array_equal(ours, first, err_msg="workers have other weights")
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        for name, value in told.items():
            assert figures[name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.slow
def test_what_layers_add_to_the_loss_is_that_of_the_whole_batch() -> None:
    """A variational latent vector draws differently on each worker, so its divergence is compared after a first step only."""
    recipe = autoencode_recipe()
    recipe["model"] |= {"latent": "variational", "kl_weight": 0.5}
    job = open_job(parse_recipe(recipe), hourly_frame(300))
    one = compiled(job)
    told, _ = taken(job, one, one.train_step, 1)
    models = [compiled(job) for _ in range(2)]
    shared = together(2, lambda group: taken(job, models[group.rank], shared_step(models[group.rank], group), 1))
    assert shared[0][0]["kl"] == pytest.approx(told["kl"], rel=1e-5)
    assert shared[0][0] == shared[1][0]
    for ours, theirs in zip(shared[0][1], shared[1][1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_tokens_with_masks_and_logits_are_those_of_one_process(token_files: Any) -> None:
    job = open_job(parse_recipe(tag_recipe(str(token_files / "letters.tsv"))))
    one = compiled(job)
    told, weights = taken(job, one, one.train_step, 4)
    models = [compiled(job) for _ in range(2)]
    shared = together(2, lambda group: taken(job, models[group.rank], shared_step(models[group.rank], group), 4))
    for name, value in told.items():
        assert shared[0][0][name] == pytest.approx(value, rel=1e-4), name
    for ours, theirs in zip(shared[1][1], weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_workers_draw_differently_and_their_generators_agree_after_a_step() -> None:
    import keras

    def model() -> Any:
        seed_everything(3, deterministic=False)
        inputs = keras.Input((200,))
        made = keras.Model(
            inputs, keras.layers.Dropout(0.5)(keras.layers.Dense(200, kernel_initializer="identity")(inputs))
        )
        made.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
        made.optimizer.build(made.trainable_variables)
        return made

    ones = np.ones((2, 200), np.float32)
    seen: dict[int, np.ndarray] = {}

    def act(group: MemoryGroup) -> list[np.ndarray]:
        own = models[group.rank]
        step = shared_step(own, group)

        def compute_loss(*, y_pred: tf.Tensor, **_: Any) -> tf.Tensor:
            seen[group.rank] = np.asarray(y_pred)
            return tf.reduce_mean(y_pred)

        own.compute_loss = compute_loss
        step((tf.constant(ones), tf.constant(ones)))
        return [np.asarray(each) for each in own.variables if each.name == "seed_generator_state"]

    models = [model() for _ in range(2)]
    states = together(2, act)
    assert (seen[0] == seen[1]).all(), "both have the predictions of both"
    assert (seen[0][0] != seen[0][1]).mean() > 0.3, "the workers drop the same units"
    assert states[0]
    np.testing.assert_array_equal(states[0], states[1])


def test_what_worker_0_gives_reaches_all_whole() -> None:
    given = bytes(range(256)) * 5_000  # longer than a slot
    assert together(3, lambda group: from_first(group, lambda: given)) == [given] * 3
    assert together(2, lambda group: from_first(group, lambda: b"")) == [b""] * 2
    assert (
        together(3, lambda group: from_all(group, bytes([group.rank, 255]))) == [[b"\0\xff", b"\1\xff", b"\2\xff"]] * 3
    )


def test_weights_that_differ_by_a_bit_are_told() -> None:
    job = open_job(parse_recipe(forecast_recipe()), hourly_frame(120))
    models = [compiled(job) for _ in range(2)]
    together(2, lambda group: require_equal_weights(models[group.rank], group, 1))
    first = models[1].trainable_variables[0]
    first.assign(np.nextafter(np.asarray(first), 1))
    with pytest.raises(TrainingError, match="differ after epoch 4") as found:
        together(2, lambda group: require_equal_weights(models[group.rank], group, 4))
    assert found.value.code == "workers_differ"
    together(2, lambda group: share_variables(models[group.rank], group))
    together(2, lambda group: require_equal_weights(models[group.rank], group, 5))


def test_a_fit_of_workers_elsewhere_is_refused() -> None:
    recipe = forecast_recipe()
    recipe["training"]["workers"] = 2
    job = open_job(parse_recipe(recipe), hourly_frame(120))
    with pytest.raises(TrainingError, match="2 workers are started by `train` only") as found:
        job.fit(job.make(), [])
    assert found.value.code == "workers_not_supported"
    require_workers(2, None, ended=True)
