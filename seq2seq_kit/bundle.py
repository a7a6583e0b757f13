"""The trained thing: model, scalers, columns, baselines and recipe; it predicts, encodes and scores new rows.

On disk a bundle is a folder of JSON, YAML, NumPy arrays and Keras' own format, nothing that could run code, with the digest
of every file and a golden input with its output: what loads is what was saved, or is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from seq2seq_kit.bundle_files import standard_normal
from seq2seq_kit.data.ahead import split_ahead
from seq2seq_kit.data.columns import Columns
from seq2seq_kit.data.newest import Newest, NewestReader
from seq2seq_kit.data.prepare import Prepared, prepare_ahead, prepare_new
from seq2seq_kit.data.scaling import Scaler
from seq2seq_kit.data.sources import read_source
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Baseline, Evaluation, evaluate_part
from seq2seq_kit.evaluation.baselines import dump_baselines, restore_baselines
from seq2seq_kit.frames import forecast_frame, in_chunks, newest_windows, require_some, window_labels
from seq2seq_kit.recipe.schema import AutoencodeRecipe, ForecastRecipe, WindowRecipe
from seq2seq_kit.rolling import require_rolling, roll_forward

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Bundle:
    """A trained model that takes frames and gives frames.

    Attributes:
        recipe: What it was trained by, resolved.
        model: The Keras model; works in scaled units.
        scaler: Fitted on the training rows.
        baselines: Its fitted peers, for `evaluate`.
        naive: MASE's denominators by series, shape `(targets,)` each.
        info: Where it comes from: versions, run, digest of the data.
    """

    recipe: WindowRecipe
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
        """Forecasts the steps after the newest rows of each series.

        Args:
            frame: Rows with the recipe's columns, at least `input_steps` for each series; other columns are left alone.
            steps: Rows to predict; default: the recipe's `output_steps`. More of them roll forward on the model's own output,
                block by block, with a warning; fewer cut the output.
            future: Values of the recipe's `known_future` columns for the steps ahead, where it has any: whole blocks of
                `output_steps`.
            all_windows: From every window whose steps ahead lie in the rows or right behind them, not only the newest. Windows
                that end in a cell interpolated towards a later row are left out, as in training.
            origin: Name of the file for messages.

        Returns:
            A row for each series and step: the series (if the recipe has any), the time (or `row`, counted from 1, where
            the recipe has no time), `step` from 1 to `steps`, and one column for each target in original units.

        Raises:
            ArgumentError: The bundle is no forecast, or more steps are asked for and it does not predict all that it reads.
            DataError: The rows do not fit; the message names column, row or series.

        What was done to the rows (sorted, filled, cut at gaps) stands in the result's `attrs["notes"]`.
        """
        recipe = self._forecast()
        trained = recipe.data.output_steps
        steps = trained if steps is None else _whole(steps)
        if self._reader and steps <= trained and future is None and not all_windows:
            newest = self._reader.read(frame)
            if newest is not None:
                return self._forecast_of(newest, steps)
        # The newest rows, and every window, whatever the stride that the training took.
        data = recipe.data.model_copy(update={"window_stride": 1})
        if future is not None and not data.known_future:
            raise ArgumentError(
                "this model has no known_future columns, so it takes no `future` (--future). Received: a frame with "
                f"{', '.join(map(str, future.columns))}. Leave it out"
            )
        if steps > trained:
            require_rolling(data, steps)
            warnings.warn(
                f"this model was trained for {trained} steps; from step {trained + 1} to {steps} it reads its own output, so "
                "errors add up. Train with a larger output_steps, or trust the far steps less",
                stacklevel=2,
            )
            data = data.model_copy(update={"output_steps": -(-steps // trained) * trained})
        prepared = prepare_ahead(data, frame, self.scaler, future=future, origin=origin)
        count = prepared.windows["test"].count

        def ahead(prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
            scaled = roll_forward(self.forward, prepared, chunk, trained)
            return forecast_frame(prepared, chunk, prepared.restore(scaled, "test", chunk)[:, :steps])

        return in_chunks(prepared, np.arange(count) if all_windows else newest_windows(prepared), ahead)

    def encode(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """One row of latent values for each window: series, first and last time (or row), `latent_0..n`.

        `stride` is the number of rows between windows, the recipe's `window_stride` by default.
        """
        from seq2seq_kit.models.inference import compile_forward

        prepared = self._windows_of(frame, stride, origin)
        forward = compile_forward(self.halves[0])

        def codes(prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
            latent = forward(prepared.arrays("test", chunk))
            values = pd.DataFrame(latent, columns=[f"latent_{position}" for position in range(latent.shape[1])])
            return pd.concat([window_labels(prepared, chunk), values], axis=1)

        return in_chunks(prepared, np.arange(prepared.windows["test"].count), codes)

    def reconstruct(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """What the autoencoder makes of each window: series, time (or row), `step`, each column in original units."""
        prepared = self._windows_of(frame, stride, origin)
        return in_chunks(prepared, np.arange(prepared.windows["test"].count), self._rebuilt)

    def score(
        self,
        frame: pd.DataFrame,
        *,
        by: Literal["window", "step"] = "window",
        stride: int | None = None,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """How badly each window is reconstructed.

        Args:
            frame: Rows with the recipe's columns.
            by: `window`: one row for each window with root mean squares over its steps; `step`: one row for each window and
                step with absolute errors.
            stride: Rows between windows; the recipe's `window_stride` by default.
            origin: Name of the file for messages.

        Returns:
            Series, first and last time (or row) of the window, `step` where asked for, `reconstruction_error` (root mean
            square over columns, in scaled units), and for each column `<column>_error` in original and
            `<column>_error_scaled` in scaled units. Cells that were missing do not count.
        """
        if by not in ("window", "step"):
            raise ArgumentError(f"by must be 'window' or 'step'. Received: by={by!r}")
        prepared = self._windows_of(frame, stride, origin)
        windows = np.arange(prepared.windows["test"].count)
        return in_chunks(prepared, windows, lambda prepared, chunk: self._scored(prepared, chunk, by))

    def read(self, path: str) -> pd.DataFrame:
        """A file of rows."""
        return read_source(path)

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What MLflow serves: the forecast of `predict`, or the scores of an autoencoder.

        A recipe with `known_future` columns takes the rows ahead in the same frame, at the end of each series: those columns
        filled, the others empty.
        """
        if not isinstance(self.recipe, ForecastRecipe):
            return self.score(frame)
        rows, future = split_ahead(frame, self.recipe.data)
        return self.predict(rows, future=future)

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Evaluation:
        """The result table on other rows: the model and the baselines fitted in training, on every window of `frame`."""
        prepared = prepare_new(self.recipe.data, frame, self.scaler, origin=origin)
        require_some(prepared)
        return self.evaluate_part(prepared, "test")

    def evaluate_part(self, prepared: Prepared, part: str) -> Evaluation:
        """The same on a part of prepared data."""
        unknown = np.full(len(prepared.columns.targets), np.nan)
        naive = np.array([self.naive.get(name, unknown) for name in prepared.table.series])
        return evaluate_part(prepared, part, self.forecast, self.baselines, naive=naive)

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, targets)`."""
        return prepared.restore(self.forward(prepared.arrays(part, windows)), part, windows)

    @cached_property
    def forward(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """The model as a function of scaled arrays."""
        from seq2seq_kit.models.inference import compile_forward

        return compile_forward(self.model)

    @cached_property
    def _reader(self) -> NewestReader | None:
        return NewestReader.of(self._forecast().data, self.scaler)

    def _forecast_of(self, newest: Newest, steps: int) -> pd.DataFrame:
        """The frame of `predict` for a single window."""
        targets = self._forecast().data.targets
        values = self.scaler.inverse(self.forward(newest.arrays)[0, :steps], np.zeros(1, np.int64), targets)
        labels = {name: label[:steps] for name, label in newest.labels.items()}
        frame = pd.DataFrame(labels | {name: values[:, position] for position, name in enumerate(targets)})
        frame.attrs["notes"] = []
        return frame

    @cached_property
    def halves(self) -> tuple[keras.Model, keras.Model]:
        """Encoder and decoder of an autoencoder, on the model's own weights."""
        from seq2seq_kit.models import split_autoencoder

        self._autoencode()
        return split_autoencoder(self.model)

    @property
    def verbs(self) -> list[str]:
        """What it can be asked for, the most usual first."""
        own = ["predict"] if isinstance(self.recipe, ForecastRecipe) else ["score", "encode", "reconstruct"]
        return [*own, "evaluate"]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What stands beside the model on disk: words and arrays."""
        words, arrays = dump_baselines(self.baselines)
        naive = {name: values.tolist() for name, values in self.naive.items()}
        return {"scaler": self.scaler.to_json(), "baselines": words, "naive": naive}, arrays

    @classmethod
    def restore(
        cls,
        recipe: WindowRecipe,
        model: keras.Model,
        state: dict[str, Any],
        arrays: dict[str, np.ndarray],
        info: dict[str, Any],
    ) -> Bundle:
        """The reverse of `state`."""
        scaler, baselines = Scaler.from_json(state["scaler"]), restore_baselines(state["baselines"], arrays)
        naive = {name: np.array(values, dtype=np.float64) for name, values in state["naive"].items()}
        return cls(recipe, model, scaler, baselines, naive, info)

    def golden(self) -> list[np.ndarray]:
        """Inputs of the model whose output is stored beside it."""
        return standard_normal(self.model)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.recipe.data
        used = {data.series, data.time, *Columns.of(data).table}
        return [str(name) for name in frame.columns if name not in used]

    def save(self, folder: str | Path) -> Path:
        """Writes the bundle to a new folder, whole or not at all; see `bundle_files.write_bundle`."""
        from seq2seq_kit.bundle_files import write_bundle

        return write_bundle(self, Path(folder))

    def _forecast(self) -> ForecastRecipe:
        if not isinstance(self.recipe, ForecastRecipe):
            raise ArgumentError("this bundle is an autoencoder: it can encode, reconstruct and score, not predict")
        return self.recipe

    def _autoencode(self) -> AutoencodeRecipe:
        if not isinstance(self.recipe, AutoencodeRecipe):
            raise ArgumentError("this bundle is a forecast: it can predict, not encode, reconstruct or score")
        return self.recipe

    def _windows_of(self, frame: pd.DataFrame, stride: int | None, origin: str) -> Prepared:
        data = self._autoencode().data
        if stride is not None and stride < 1:
            raise ArgumentError(f"stride must be at least 1. Received: stride={stride}")
        data = data.model_copy(update={"window_stride": stride}) if stride else data
        prepared = prepare_new(data, frame, self.scaler, origin=origin)
        require_some(prepared)
        return prepared

    def _scored(self, prepared: Prepared, chunk: np.ndarray, by: str) -> pd.DataFrame:
        error = self.forecast(prepared, "test", chunk) - prepared.truth("test", chunk)
        scaled = error / prepared.target_scale[prepared.series_of("test", chunk)][:, None, :]
        steps = error.shape[1]
        labels = window_labels(prepared, chunk)
        if by == "window":
            error, scaled = _rms(error, 1), _rms(scaled, 1)
        else:
            labels = labels.loc[labels.index.repeat(steps)].reset_index(drop=True)
            labels["step"] = np.tile(np.arange(1, steps + 1), len(chunk))
            error, scaled = np.abs(error).reshape(len(labels), -1), np.abs(scaled).reshape(len(labels), -1)
        labels["reconstruction_error"] = _rms(scaled, 1)
        for position, name in enumerate(prepared.columns.targets):
            labels[f"{name}_error"] = error[:, position]
            labels[f"{name}_error_scaled"] = scaled[:, position]
        return labels

    def _rebuilt(self, prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
        return forecast_frame(prepared, chunk, self.forecast(prepared, "test", chunk))


def _whole(steps: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ArgumentError(f"steps must be a whole number of at least 1. Received: steps={steps!r}")
    return int(steps)


def _rms(values: np.ndarray, axis: int) -> np.ndarray:
    """Root mean square of the known cells, NaN where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    squares = np.where(known, values, 0.0) ** 2
    return np.sqrt(squares.sum(axis=axis) / np.where(count, count, np.nan))
