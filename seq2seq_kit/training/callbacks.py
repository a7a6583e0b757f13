"""What happens between the epochs of a fit: records, observers, the choice of the best epoch, Ctrl-C."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import keras
    import numpy as np

_LOSSES = ("loss", "val_loss", "learning_rate")  # what Keras logs beside a model's own metrics
_Logs = dict[str, float]


@dataclass(frozen=True)
class Epoch:
    """One epoch in figures. `number` counts from 1; losses are in scaled units; `metrics` are the model's own, if any.

    `member` is the number of an ensemble's member that was trained, from 1; 0 where there is one model. `warm_up` says that it is
    not kept as long as there is another one.
    """

    number: int
    of: int
    loss: float
    val_loss: float
    learning_rate: float
    seconds: float
    sequences_per_second: float
    metrics: dict[str, float] = field(default_factory=dict)
    member: int = 0
    warm_up: bool = False

    @property
    def finite(self) -> bool:
        """Whether both losses are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.val_loss)


class Observer(Protocol):
    """Watches a fit. Called between batches and epochs; must be quick."""

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        """Some batches begin, the first one `step` of `steps` in `epoch` of `of`, both counted from 1."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""


def replay_rates(rates: Sequence[float]) -> keras.callbacks.Callback:
    """Sets the learning rate of each epoch to that of another fit; later epochs keep the last one."""
    import keras

    class Replay(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: _Logs | None = None) -> None:
            self.model.optimizer.learning_rate = rates[min(epoch, len(rates) - 1)]

    return Replay()


def best_epoch_of(
    patience: int, *, monitor: str = "val_loss", mode: Literal["min", "max"] = "min", first: int = 1
) -> keras.callbacks.EarlyStopping:
    """Keeps the weights of the epoch with the best figure; ends a fit after `patience` epochs without a better one.

    Epochs before the `first`, counted from 1, are kept only as long as there is no other.
    """
    import keras

    class BestEpoch(keras.callbacks.EarlyStopping):
        def on_epoch_end(self, epoch: int, logs: _Logs | None = None) -> None:
            if epoch + 1 < first:
                self.best_epoch, self.best_weights = epoch, self.model.get_weights()
            else:
                super().on_epoch_end(epoch, logs)

    return BestEpoch(monitor=monitor, mode=mode, patience=patience, restore_best_weights=True)


def last_epoch() -> keras.callbacks.Callback:
    """The same for the last finished epoch: keeps its weights."""
    import keras

    class LastEpoch(keras.callbacks.Callback):
        best_epoch: int = 0
        best_weights: list[np.ndarray] | None = None

        def on_epoch_end(self, epoch: int, logs: _Logs) -> None:
            self.best_epoch, self.best_weights = epoch, self.model.get_weights()

    return LastEpoch()


def around_epochs(
    begin_epoch: Callable[[int], None] | None,
    validate: Callable[[], float] | None,
    figures: Callable[[], _Logs] | None = None,
    show: Callable[[_Logs], None] | None = None,
) -> keras.callbacks.Callback:
    """Stands before the other callbacks, so that they find what it puts into the epoch's logs: the validation loss, figures."""
    import keras

    class AroundEpochs(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if begin_epoch:
                begin_epoch(epoch + 1)

        def on_epoch_end(self, epoch: int, logs: _Logs) -> None:
            if validate:
                logs["val_loss"] = validate()
            if figures:
                logs |= figures()
            if show:
                show(logs)

    return AroundEpochs()


def watch(
    history: list[Epoch],
    observers: Sequence[Observer],
    pressed: threading.Event,
    steps: int,
    epochs: int,
    sequences: int,
    first_kept: int = 1,
) -> keras.callbacks.Callback:
    """Fills `history` and tells the observers of batches.

    Hooks the beginning of a batch, not its end: Keras gives up its asynchronous dispatch for callbacks of the latter.
    """
    import keras

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.began, self.validating = time.perf_counter(), 0.0

        def on_test_batch_begin(self, batch: int, logs: object = None) -> None:
            if pressed.is_set():
                raise KeyboardInterrupt

        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            if pressed.is_set():
                raise KeyboardInterrupt
            for observer in observers:
                observer.on_batch(len(history) + 1, epochs, batch + 1, steps)

        def on_test_begin(self, logs: object = None) -> None:
            self.validating = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: _Logs) -> None:
            now = time.perf_counter()
            fitting = (self.validating or now) - self.began
            record = Epoch(
                number=epoch + 1,
                of=epochs,
                loss=float(logs["loss"]),
                val_loss=float(logs["val_loss"]),
                learning_rate=float(self.model.optimizer.learning_rate.numpy()),
                seconds=now - self.began,
                sequences_per_second=sequences / fitting,
                metrics={key: float(value) for key, value in logs.items() if key not in _LOSSES},
                warm_up=epoch + 1 < first_kept,
            )
            history.append(record)
            if not record.finite:
                self.model.stop_training = True

    return Watch()


def after_epochs(
    history: list[Epoch], observers: Sequence[Observer], begin: Callable[[], None], save: Callable[[], None]
) -> keras.callbacks.Callback:
    """Stands behind the other callbacks: what they have become is saved before the observers hear of the epoch.

    Args:
        history: Filled by `watch`.
        observers: Told of each epoch.
        begin: Called when the fit begins, after the other callbacks have set themselves back.
        save: Called after each epoch with finite losses.
    """
    import keras

    class AfterEpochs(keras.callbacks.Callback):
        def on_train_begin(self, logs: object = None) -> None:
            begin()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            if history[-1].finite:
                save()
            for observer in observers:
                observer.on_epoch(history[-1])

    return AfterEpochs()
