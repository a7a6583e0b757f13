"""From examples to a fitted model: compile, fit with early stopping, keep the best epoch's weights.

Who wants to watch (a progress line, a tracker) is handed in as an observer; this module prints and logs nothing.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from seq2seq_kit.data.on_disk.batches import plain_errors
from seq2seq_kit.data.windows.kept import loss_flags, matrix_of
from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.recipe.fields import FitSettings
from seq2seq_kit.recipe.sweep import direction_of
from seq2seq_kit.training.callbacks import (
    Epoch,
    Observer,
    after_epochs,
    around_epochs,
    best_epoch_of,
    last_epoch,
    watch,
)
from seq2seq_kit.training.checkpoint import Checkpoint, State
from seq2seq_kit.training.group import group_here, require_equal_weights, require_workers, share_variables
from seq2seq_kit.training.interrupt import noticing_ctrl_c
from seq2seq_kit.training.objective import nan_message, no_step_message, optimizer_of, value_loss
from seq2seq_kit.training.own import OwnLoss
from seq2seq_kit.training.shared_step import agreeing, shared_step
from seq2seq_kit.training.stepping import longest, step_singly, step_together, steps_per_call
from seq2seq_kit.training.teaching import course_of

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

_EVALUATION_BATCH = 512  # without gradients a larger batch fits and is faster
_LOOKED_AT = 256  # sequences, to learn how long they are
Ended: TypeAlias = Literal["epochs", "early", "interrupted"]
_Json = dict[str, Any]


class Examples(Protocol):
    """What a model is fitted on: windows, sequences, texts."""

    def count(self, part: str) -> int:
        """Examples of `train`, `val` or `test`."""

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """`(inputs, targets)` by batches; with a seed shuffled anew in each epoch and without end, from an epoch on."""

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some examples."""


@dataclass(frozen=True)
class Fit:
    """How a fit went.

    Attributes:
        history: One entry for each finished epoch; of an ensemble those of each member, one after the other.
        best_epoch: The epoch whose weights the model holds, counted from 1; 0 if none was finished. Of an ensemble the mean of
            its members', rounded.
        ended: `epochs` (all were run), `early` (validation stopped improving) or `interrupted` (Ctrl-C).
        seconds: Wall time.
        left_out: Numbers of the training examples that were left out, the worst first (`training.leave_out`).
        correction: Share of what the network learned that the model adds to its linear skip, in [0, 1]; None without a skip.
        lost: Which of several workers was lost, where that ended the fit, in words; empty otherwise.
        members: The fit of each member of an ensemble; empty where there is one model.
    """

    history: list[Epoch]
    best_epoch: int
    ended: Ended
    seconds: float
    correction: float | None = None
    left_out: list[int] = field(default_factory=list)
    members: list[Fit] = field(default_factory=list)
    lost: str = ""

    def __repr__(self) -> str:
        return f"<Fit: {len(self.history)} epochs, best {self.best_epoch}, {self.ended}, {self.seconds:.0f} s>"

    def to_json(self) -> _Json:
        """Plain values; Python writes floats so that they read back bit by bit."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: _Json) -> Fit:
        """The inverse of `to_json`."""
        members = [cls.from_json(each) for each in stored.get("members", [])]
        return cls(**stored | {"history": [Epoch(**epoch) for epoch in stored["history"]], "members": members})


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seeds Python, NumPy, TensorFlow and Keras; `deterministic` also makes TensorFlow's operations so."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    examples: Examples,
    training: FitSettings,
    *,
    seed: int,
    loss: OwnLoss | None = None,
    metrics: Sequence[keras.Metric] = (),
    begin_epoch: Callable[[int], None] | None = None,
    validate: Callable[[], float] | None = None,
    figures: Callable[[], dict[str, float]] | None = None,
    stop_after: int | None = None,
    observers: Sequence[Observer] = (),
    checkpoint: Checkpoint | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fit:
    """Fits on the train examples, watches the val examples, leaves the best epoch's weights in the model.

    With a mixed `training.precision` only the training steps compute in half precision; the model stays float32, and so does
    validation, so epochs are chosen by the losses of the model that is kept. Ctrl-C ends the fit and keeps what is best so far.

    Args:
        model: Uncompiled.
        examples: What to fit on.
        training: The recipe's section.
        seed: Of the shuffling.
        loss: A Keras loss; default: the section's `loss`.
        metrics: Keras metrics to watch beside it.
        begin_epoch: Told the number of each epoch, from 1, before it begins.
        validate: Gives the validation loss, where that is more than the loss of a forward pass.
        figures: Gives other figures of the validation part after each epoch, by name, such as the one that is monitored.
        stop_after: Epochs of the schedule to train before the last one's weights are kept: no rows are left to choose one by.
        observers: Told of every batch and epoch.
        checkpoint: Takes the state after each epoch; a state that it has is resumed.
        callbacks: A program's own; they come after the kit's, and their state is not kept.

    Raises:
        ArgumentError: `stop_after` is no whole number from 1 to the section's epochs.
        TrainingError: The loss became NaN or infinite, or in float16 no gradient was finite; the message says what to try. The
            checkpoint is damaged or another model's. The recipe asks for several workers, and this process is none of them.
        DataError: The file of rows that stay on disk cannot be read any more.
    """
    import keras

    epochs = training.epochs if stop_after is None else stop_after
    if isinstance(epochs, bool) or not isinstance(epochs, int) or not 1 <= epochs <= training.epochs:
        raise ArgumentError(
            f"stop_after must be a whole number from 1 to {training.epochs}. Received: {stop_after!r}",
            code="invalid_argument",
        )
    count = examples.count("train")
    steps, course = math.ceil(count / training.batch_size), course_of(model)
    state, group = checkpoint.load() if checkpoint else None, group_here()
    require_workers(training.workers, group, ended=state is not None and state.ended)
    each = math.ceil(training.batch_size / (group.count if group else 1))
    together = steps_per_call(model, each, training.precision, open_steps=_open_steps(model, examples))
    model.compile(
        optimizer=optimizer_of(training, steps),
        loss=loss if loss is not None else value_loss(getattr(training, "loss", "mse"), **loss_flags(examples)),
        metrics=[*metrics, *course.metrics],
        jit_compile=False,  # XLA was no faster here and takes seconds to compile
        steps_per_execution=together,
    )
    # A step that creates the optimizer's variables while it is traced is traced a second time.
    model.optimizer.build(model.trainable_variables)
    if group:
        share_variables(model, group)
    step_together(model, steps, training.precision, step=shared_step(model, group) if group else None)
    monitored: dict[str, Any] = {"monitor": training.monitor, "mode": direction_of(training.monitor)}
    first = min(course.first_kept, epochs)
    best = last_epoch() if stop_after else best_epoch_of(training.patience or epochs, first=first, **monitored)
    history: list[Epoch] = list(state.history) if state else []
    pressed = threading.Event()
    with_state = [best]
    if training.schedule == "plateau":
        wait = max(1, (training.patience or 10) // 2)
        with_state.append(keras.callbacks.ReduceLROnPlateau(**monitored, factor=0.5, patience=wait))
    began = time.perf_counter() - (state.seconds if state else 0)

    def restore() -> None:
        if state:
            state.restore(model, with_state)

    def save() -> None:
        over = model.stop_training or len(history) == epochs
        if group:
            require_equal_weights(model, group, len(history))
        if checkpoint and (over or checkpoint.affordable):
            seconds = time.perf_counter() - began
            checkpoint.save(State.of(model, with_state, history=history, seconds=seconds, ended=over))

    watching = watch(history, observers, pressed, steps, epochs, count, first)
    around = around_epochs(begin_epoch or course.begin_epoch, validate, figures, course.show)
    all_callbacks = [around, *([agreeing(group)] if group else []), best, watching, *with_state[1:], *callbacks]
    all_callbacks.append(after_epochs(history, observers, restore, save))
    ended: Ended = "epochs"
    size = max(_EVALUATION_BATCH, training.batch_size)
    try:
        with noticing_ctrl_c(pressed), plain_errors(matrix_of(examples)):
            model.fit(
                examples.batches("train", training.batch_size, shuffle_seed=seed, first_epoch=len(history)),
                steps_per_epoch=steps,
                initial_epoch=len(history),
                epochs=len(history) if state and state.ended else epochs,
                validation_data=None if validate and not metrics else examples.batches("val", size),
                callbacks=all_callbacks,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )
    except KeyboardInterrupt:
        ended = "interrupted"
        if best.best_weights is not None:
            model.set_weights(best.best_weights)
    finally:
        step_singly(model)
    if pressed.is_set():  # perhaps after the last batch had begun
        ended = "interrupted"
    if history and not history[-1].finite:
        last = history[-1]
        message = nan_message(training, epoch=last.number, loss=last.loss, val_loss=last.val_loss)
        raise TrainingError(message, code="loss_not_finite")
    if history and not int(model.optimizer.iterations):
        raise TrainingError(no_step_message(steps * len(history)), code="no_finite_gradient")
    if ended == "epochs" and len(history) < epochs:
        ended = "early"
    return Fit(
        history=history,
        best_epoch=best.best_epoch + 1 if best.best_weights is not None else 0,
        ended=ended,
        seconds=time.perf_counter() - began,
    )


def _open_steps(model: keras.Model, examples: Examples) -> int:
    """About the most steps of a training sequence, where the model leaves their number open; otherwise nobody asks."""
    import numpy as np

    if all(None not in tensor.shape[1:] for tensor in model.inputs):
        return 1
    count = examples.count("train")
    return longest(examples.arrays("train", np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int)))


__all__ = ["Epoch", "Examples", "Fit", "Observer", "fit", "seed_everything"]
