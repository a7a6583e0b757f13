"""A trained next-step model: forecasts of any length by feeding back, and streams with states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from seq2seq_kit.data.next_step import as_forecast, window_steps
from seq2seq_kit.data.prepare import Prepared, prepare_ahead, prepare_new
from seq2seq_kit.data.scaling import Scaler
from seq2seq_kit.data.sources import read_source
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Baseline, Evaluation, evaluate_part
from seq2seq_kit.evaluation.baselines import dump_baselines, restore_baselines
from seq2seq_kit.frames import forecast_frame, in_chunks, newest_windows, require_some
from seq2seq_kit.recipe.sequences import NextStepRecipe
from seq2seq_kit.stream import Stream

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.models.next_step import Stepper

_GOLDEN_LENGTHS = (8, 5, 3)


@dataclass(frozen=True)
class NextStepBundle:
    """A trained next-step model.

    Attributes:
        recipe: What it was trained by, resolved.
        model: The Keras model; works in scaled units.
        scaler: Fitted on the training rows.
        baselines: Its fitted peers, for `evaluate`.
        naive: MASE's denominators by series, shape `(inputs,)` each.
        info: Where it comes from: versions, run, digest of the data.
    """

    recipe: NextStepRecipe
    model: keras.Model
    scaler: Scaler
    baselines: list[Baseline]
    naive: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        steps: int | None = None,
        future: pd.DataFrame | None = None,
        all_windows: bool = False,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """Forecasts the steps after the newest rows of each series: warms up on `input_steps` rows, then reads its own output.

        Args:
            frame: Rows with the recipe's columns, at least `input_steps` for each series; other columns are left alone.
            steps: Rows to predict, any number; default: the recipe's `output_steps`.
            future: For models with `known_future` columns, which this one is not.
            all_windows: From every window whose steps ahead lie in the rows or right behind them, not only the newest.
            origin: Name of the file for messages.

        Returns:
            A row for each series and step: the series (if the recipe has any), the time (or `row`, counted from 1), `step`,
            and one column for each input in original units.

        Raises:
            ArgumentError: `steps` is no whole number of at least 1, or there is a `future`.
            DataError: The rows do not fit; the message names column, row or series.
        """
        if future is not None:
            raise ArgumentError("a next-step model has no known_future columns, so it takes no `future` (--future)")
        data = as_forecast(self.recipe.data).model_copy(update={"window_stride": 1})
        if steps is not None:
            if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
                raise ArgumentError(f"steps must be a whole number of at least 1. Received: steps={steps!r}")
            data = data.model_copy(update={"output_steps": int(steps)})
        prepared = prepare_ahead(data, frame, self.scaler, origin=origin)
        count = prepared.windows["test"].count
        return in_chunks(
            prepared,
            np.arange(count) if all_windows else newest_windows(prepared),
            lambda prepared, chunk: forecast_frame(prepared, chunk, self.forecast(prepared, "test", chunk)),
        )

    def stream(self, names: Sequence[str] = ("",)) -> Stream:
        """Sequences to be fed in chunks of any length, each with states of its own.

        Args:
            names: One for each sequence; where the recipe has no series column a single one may go without a name.

        Raises:
            ArgumentError: No names, or one name twice.
            DataError: The recipe scales each series by itself and one of these was not in its training rows.
        """
        if isinstance(names, str):
            raise ArgumentError(f"names must be a list with a name for each sequence. Received: names={names!r}")
        if self.recipe.data.series and not all(names):
            raise ArgumentError(
                f"the recipe tells sequences apart by {self.recipe.data.series}; name those of the stream: stream(['A', 'B'])"
            )
        return Stream(self.stepper, self.scaler, self.recipe.data, names)

    def read(self, path: str) -> pd.DataFrame:
        """A file of rows."""
        return read_source(path)

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What MLflow serves."""
        return self.predict(frame)

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Evaluation:
        """The result table on other rows: the model and the baselines fitted in training, on every window of `frame`."""
        prepared = prepare_new(as_forecast(self.recipe.data), frame, self.scaler, origin=origin)
        require_some(prepared)
        return self.evaluate_part(prepared, "test")

    def evaluate_part(self, prepared: Prepared, part: str) -> Evaluation:
        """The same on a part of prepared data."""
        unknown = np.full(len(prepared.columns.targets), np.nan)
        naive = np.array([self.naive.get(name, unknown) for name in prepared.table.series])
        return evaluate_part(prepared, part, self.forecast, self.baselines, naive=naive)

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, inputs)`."""
        walk = self.stepper.walk(*window_steps(prepared, part, windows))
        scaled = np.concatenate([walk.newest[:, None], walk.ahead], axis=1)
        return prepared.restore(scaled, part, windows)

    @cached_property
    def stepper(self) -> Stepper:
        """The model, one step at a time."""
        from seq2seq_kit.models.next_step import Stepper

        return Stepper(self.model)

    @cached_property
    def forward(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """The model as a function of padded, scaled arrays: `inputs` and `valid`."""
        from seq2seq_kit.models.inference import compile_forward

        return compile_forward(self.model)

    @property
    def verbs(self) -> list[str]:
        """What it can be asked for, the most usual first."""
        return ["predict", "evaluate"]

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.recipe.data
        return [str(name) for name in frame.columns if name not in {data.series, data.time, *data.inputs}]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What stands beside the model on disk."""
        words, arrays = dump_baselines(self.baselines)
        naive = {name: values.tolist() for name, values in self.naive.items()}
        return {"scaler": self.scaler.to_json(), "baselines": words, "naive": naive}, arrays

    @classmethod
    def restore(
        cls,
        recipe: NextStepRecipe,
        model: keras.Model,
        state: dict[str, Any],
        arrays: dict[str, np.ndarray],
        info: dict[str, Any],
    ) -> NextStepBundle:
        """The reverse of `state`."""
        scaler, baselines = Scaler.from_json(state["scaler"]), restore_baselines(state["baselines"], arrays)
        naive = {name: np.array(values, dtype=np.float64) for name, values in state["naive"].items()}
        return cls(recipe, model, scaler, baselines, naive, info)

    def golden(self) -> list[np.ndarray]:
        """Inputs of the model whose output is stored beside it."""
        return golden_sequences(int(self.model.inputs[0].shape[-1]))

    def save(self, folder: str | Path) -> Path:
        """Writes the bundle to a new folder, whole or not at all; see `bundle_files.write_bundle`."""
        from seq2seq_kit.bundle_files import write_bundle

        return write_bundle(self, Path(folder))


def golden_sequences(features: int) -> list[np.ndarray]:
    """Golden inputs for a model of padded sequences: values, and which steps are there."""
    lengths = np.array(_GOLDEN_LENGTHS)
    values = np.random.default_rng(0).standard_normal((len(lengths), lengths.max(), features)).astype(np.float32)
    return [values, (np.arange(lengths.max()) < lengths[:, None]).astype(np.float32)]
