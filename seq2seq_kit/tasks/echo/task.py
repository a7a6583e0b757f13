"""Echoes: one short sequence of the recipe itself, learnt in one of the shapes of a recurrent layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.echo import plots
from seq2seq_kit.tasks.echo.bundle import VALUE, EchoBundle, echo_inputs, echo_targets
from seq2seq_kit.tasks.echo.evaluation import EchoEvaluation, check_echo, examine_echo
from seq2seq_kit.tasks.echo.recipe import EchoRecipe
from seq2seq_kit.tasks.job import Job, Loss, Served
from seq2seq_kit.tasks.sequences import served_example
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Epoch, Fit, Observer

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from matplotlib.figure import Figure

_MOST_TOLD = 50  # epochs that observers hear of: a thousand lines of a few milliseconds each tell nobody anything


@dataclass(frozen=True)
class EchoExamples:
    """The sequence as a model of the shape reads and writes it; see `training.Examples`. Every part is the same."""

    shape: str
    values: np.ndarray

    def count(self, part: str) -> int:
        """A sequence for each value of `one_to_one`, else a single one."""
        return len(echo_inputs(self.shape, self.values))

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """`(inputs, targets)` by batches; with a seed shuffled and without end."""
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(
            (echo_inputs(self.shape, self.values), echo_targets(self.shape, self.values))
        )
        if shuffle_seed is not None:
            dataset = dataset.shuffle(self.count(part), seed=shuffle_seed).batch(batch_size).repeat()
            dataset = dataset.skip(first_epoch * math.ceil(self.count(part) / batch_size))
        else:
            dataset = dataset.batch(batch_size)
        options = tf.data.Options()
        options.autotune.enabled = False  # its thread holds up the end of every epoch on a CPU
        return dataset.with_options(options)

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some examples."""
        return [echo_inputs(self.shape, self.values)[numbers]]


@dataclass(frozen=True)
class EchoJob(Job[EchoRecipe, EchoBundle, EchoEvaluation]):
    """See `Job`."""

    no_folds: ClassVar[str] = "whose one sequence is train, val and test"

    source: pd.DataFrame
    examples: EchoExamples

    @classmethod
    def open(cls, recipe: EchoRecipe, data: pd.DataFrame | None) -> Self:
        """The recipe with its own sequence."""
        if data is not None:
            raise ArgumentError(
                f"an echo takes no `data`: its sequence is part of the recipe. Received: a frame with {len(data)} rows. Set "
                "data.sequence instead",
                code="not_supported",
            )
        values = np.array(recipe.data.sequence, dtype=np.float64)
        frame = pd.DataFrame({"step": np.arange(1, len(values) + 1), VALUE: values})
        return cls(recipe, frame, EchoExamples(recipe.model.shape, values))

    @property
    def columns(self) -> list[str]:
        return [VALUE]

    def check(self) -> list[Finding]:
        return check_echo(self.recipe.data.sequence)

    def build(self) -> keras.Model:
        from seq2seq_kit.models import build_echo

        return build_echo(steps=len(self.recipe.data.sequence), **self.recipe.model.model_dump())

    def joined(self) -> Self:
        raise RecipeError(
            "sweep.refit: an echo has one sequence, which is train, val and test at once, so there is nothing to join. Received: "
            "task echo. Leave out sweep.refit",
            code="refit_not_supported",
        )

    def objective(self) -> tuple[Loss, list[keras.Metric]]:
        return "mse", []

    def validation(self, model: keras.Model) -> Callable[[], float]:
        """The mean squared error of the echo as `predict` gives it: for `feedback` autoregressive."""
        bundle = EchoBundle(self.recipe, model)
        return lambda: float(np.mean((bundle.echo(self.examples.values) - self.examples.values) ** 2))

    def fit(
        self,
        model: keras.Model,
        observers: Sequence[Observer],
        *,
        stop_after: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Fit:
        sparing = [_Sparing(observer) for observer in observers]
        return super().fit(model, sparing, stop_after=stop_after, checkpoint=checkpoint)

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> EchoBundle:
        return EchoBundle(self.recipe, model, info)

    def report(self, bundle: EchoBundle, part: str) -> EchoEvaluation:
        return bundle.evaluate_part(part, self.examples.values)

    @staticmethod
    def diagnose(
        val: EchoEvaluation, test: EchoEvaluation, val_losses: Sequence[float], *, all_epochs: bool
    ) -> list[Finding]:
        return examine_echo(test, all_epochs=all_epochs)

    def plots(self, bundle: EchoBundle, fitted: Fit, test: EchoEvaluation, folder: Path) -> dict[str, Figure]:
        shape = self.recipe.model.shape
        title = f"{shape}: the sequence and its echo"
        return {"echo": plots.plot_echo(test.truth, test.echoes, title=title), "shape": plots.draw_shape(shape)}

    def served(self, bundle: EchoBundle) -> Mapping[str, tuple[Served, Served]]:
        return served_example(bundle, self.source[[VALUE]], self.examples.arrays("test", np.arange(1)))


class _Sparing:
    """Passes on the epochs at even distances and the last one."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        self.observer.on_batch(epoch, of, step, steps)

    def on_epoch(self, epoch: Epoch) -> None:
        if epoch.number % max(1, epoch.of // _MOST_TOLD) == 0 or epoch.number in (1, epoch.of):
            self.observer.on_epoch(epoch)
