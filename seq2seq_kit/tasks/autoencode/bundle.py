"""A trained autoencoder of windows: latent vectors, reconstructions and their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.frames import forecast_frame, in_chunks, require_some, window_labels
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.windows.prepare import Prepared, prepare_new
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Baseline
from seq2seq_kit.tasks.autoencode.baselines import BASELINES
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeData, AutoencodeRecipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class AutoencodeBundle(WindowBundle):
    """A trained autoencoder of windows; see `WindowBundle`."""

    verbs: ClassVar[tuple[str, ...]] = ("score", "detect", "encode", "reconstruct", "evaluate")
    what: ClassVar[str] = "an autoencoder"
    baseline_kinds: ClassVar[Mapping[str, Callable[..., Baseline]]] = BASELINES
    linear: ClassVar[str] = "WindowPca"

    recipe: AutoencodeRecipe

    @property
    def window_data(self) -> AutoencodeData:
        return self.recipe.data

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
            return answer_frame(window_labels(prepared, chunk), values)

        return in_chunks(prepared, np.arange(prepared.windows["test"].count), codes)

    def reconstruct(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The reconstruction of each window: series, time (or row), `step`, each column in original units."""
        prepared = self._windows_of(frame, stride, origin)
        return in_chunks(
            prepared,
            np.arange(prepared.windows["test"].count),
            lambda prepared, chunk: forecast_frame(prepared, chunk, self.forecast(prepared, "test", chunk)),
        )

    def score(
        self,
        frame: pd.DataFrame,
        *,
        by: Literal["window", "step"] = "window",
        stride: int | None = None,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """The reconstruction error of each window.

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
            raise ArgumentError(f"by must be 'window' or 'step'. Received: by={by!r}", code="invalid_argument")
        prepared = self._windows_of(frame, stride, origin)
        windows = np.arange(prepared.windows["test"].count)
        return in_chunks(prepared, windows, lambda prepared, chunk: self._scored(prepared, chunk, by))

    @cached_property
    def halves(self) -> tuple[keras.Model, keras.Model]:
        """Encoder and decoder of an autoencoder, on the model's own weights."""
        from seq2seq_kit.models import split_autoencoder

        return split_autoencoder(self.model)

    def _windows_of(self, frame: pd.DataFrame, stride: int | None, origin: str) -> Prepared:
        data = self.recipe.data
        if stride is not None and stride < 1:
            raise ArgumentError(f"stride must be at least 1. Received: stride={stride}", code="invalid_argument")
        data = data.model_copy(update={"window_stride": stride}) if stride else data
        prepared = prepare_new(data, frame, self.scaler, origin=origin)
        require_some(prepared)
        return prepared

    def _scored(self, prepared: Prepared, chunk: np.ndarray, by: str) -> pd.DataFrame:
        error = self.forecast(prepared, "test", chunk) - prepared.truth("test", chunk)
        scaled = error / prepared.target_scale[prepared.series_of("test", chunk)][:, None, :]
        steps = error.shape[1]
        labels, step = window_labels(prepared, chunk), {}
        if by == "window":
            error, scaled = _rms(error, 1), _rms(scaled, 1)
        else:
            labels = labels.loc[labels.index.repeat(steps)].reset_index(drop=True)
            step["step"] = np.tile(np.arange(1, steps + 1), len(chunk))
            error, scaled = np.abs(error).reshape(len(labels), -1), np.abs(scaled).reshape(len(labels), -1)
        columns = {}
        for position, name in enumerate(prepared.columns.targets):
            columns[f"{name}_error"] = error[:, position]
            columns[f"{name}_error_scaled"] = scaled[:, position]
        return answer_frame(labels, step, {"reconstruction_error": _rms(scaled, 1)}, columns)


def _rms(values: np.ndarray, axis: int) -> np.ndarray:
    """Root mean square of the known cells, NaN where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    squares = np.where(known, values, 0.0) ** 2
    return np.sqrt(squares.sum(axis=axis) / np.where(count, count, np.nan))
