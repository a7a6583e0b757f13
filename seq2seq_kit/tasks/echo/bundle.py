"""A trained echo: gives a sequence back in the shape that it was trained in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Json
from seq2seq_kit.bundles.exporting import network_of
from seq2seq_kit.data.tables.cells import require_columns
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.echo.evaluation import EchoEvaluation, evaluate_echo
from seq2seq_kit.tasks.echo.recipe import EchoRecipe

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

VALUE = "value"
_FROM_ONE_VALUE = ("one_to_many", "feedback")


@dataclass(frozen=True)
class EchoBundle(Bundle):
    """A trained model that takes a frame with a column `value` and gives one.

    Attributes:
        recipe: What it was trained by, resolved; holds the sequence.
        model: The Keras model.
        info: Where it comes from.
    """

    what: ClassVar[str] = "an echo"

    recipe: EchoRecipe
    model: keras.Model
    info: Json = field(default_factory=dict)

    def predict(self, frame: pd.DataFrame, *, origin: str = "the data") -> pd.DataFrame:
        """The echo of a sequence.

        Args:
            frame: A row for each step, with the column `value`: any number of rows for `one_to_one`, one row is enough for
                `one_to_many` and `feedback`, which read the first value only, as many as the trained sequence for the others.
            origin: Name of the file for messages.

        Returns:
            `step`, from 1, and `value`: a row for each step. `attrs["notes"]` say what was left unread.

        Raises:
            DataError: There is no column `value`, a cell is no number, or the number of rows does not fit.
        """
        values = self._values(frame, origin)
        echo = self.echo(values)
        answer = pd.DataFrame({"step": np.arange(1, len(echo) + 1), VALUE: echo.astype(np.float64)})
        unread = len(values) - 1 if self.recipe.model.shape in _FROM_ONE_VALUE else 0
        if unread:
            answer.attrs["notes"] = [f"{self.recipe.model.shape} reads one value: the first of the {unread + 1} rows"]
        return answer

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> EchoEvaluation:
        """The result table on another sequence of as many steps."""
        values = self._values(frame, origin)
        if len(values) != self.steps:
            raise DataError(
                f"{origin}: expected {self.steps} rows, the steps of the trained sequence. Received: {len(values)}",
                code="wrong_row_count",
            )
        return self.evaluate_part("test", values)

    def evaluate_part(self, part: str, values: np.ndarray) -> EchoEvaluation:
        """The same with the name of a part."""
        return evaluate_echo(part, values, self.echo(values), mean=float(np.mean(self.recipe.data.sequence)))

    def echo(self, values: np.ndarray) -> np.ndarray:
        """What the model gives back, shape `(steps,)`, for values of shape `(steps,)`."""
        if self.recipe.model.shape == "feedback":
            return self._free_run(values[:1, None], self.steps).ravel()
        return self.forward([echo_inputs(self.recipe.model.shape, values)]).ravel()

    @property
    def steps(self) -> int:
        """Steps of the trained sequence."""
        return len(self.recipe.data.sequence)

    @cached_property
    def _free_run(self) -> Callable[[np.ndarray, int], np.ndarray]:
        from seq2seq_kit.models.echo import compile_free_run

        return compile_free_run(self.model)

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        return [network_of(self, "model")]

    def state(self) -> tuple[Json, Arrays]:
        """Nothing is stored beside the model; the sequence is part of the recipe."""
        return {}, {}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        assert isinstance(recipe, EchoRecipe)
        return cls(recipe, model, info)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        return [str(name) for name in frame.columns if name != VALUE]

    def _values(self, frame: pd.DataFrame, origin: str) -> np.ndarray:
        require_columns(frame.columns, [VALUE], origin, key=None)
        numbers = pd.to_numeric(frame[VALUE], errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"{origin}: row {row + 1} of the column {VALUE} must be a finite number. Received: {frame[VALUE].iloc[row]!r}",
                code="not_a_number",
            )
        shape = self.recipe.model.shape
        free = shape == "one_to_one" or shape in _FROM_ONE_VALUE
        if not len(numbers) or (not free and len(numbers) != self.steps):
            expected = "at least one row" if free else f"{self.steps} rows, the steps of the trained sequence"
            raise DataError(
                f"{origin}: {shape} expects {expected}. Received: {len(numbers)} rows", code="wrong_row_count"
            )
        return numbers


def echo_inputs(shape: str, values: np.ndarray) -> np.ndarray:
    """A sequence as the model of a shape reads it.

    Args:
        shape: One of `build_echo`'s.
        values: The sequence, shape `(steps,)`.

    Returns:
        Float32 of the model's input shape; a batch of `steps` for `one_to_one`, of 1 for the others. `feedback` reads the
        sequence one step late, the first value twice.
    """
    values = np.asarray(values, dtype=np.float32)
    match shape:
        case "one_to_one":
            return values[:, None, None]
        case "one_to_many":
            return values[None, :1]
        case "one_step":
            return values[None, None, :]
        case "feedback":
            return np.concatenate([values[:1], values[:-1]])[None, :, None]
        case _:
            return values[None, :, None]


def echo_targets(shape: str, values: np.ndarray) -> np.ndarray:
    """The same sequence as the model of a shape has to write it; float32 of the model's output shape."""
    values = np.asarray(values, dtype=np.float32)
    if shape == "one_to_one":
        return values[:, None]
    return values[None, :] if shape in ("many_to_one", "one_step") else values[None, :, None]
