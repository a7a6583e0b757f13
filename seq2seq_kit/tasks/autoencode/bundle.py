"""A trained autoencoder of windows: latent vectors, reconstructions and their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.stream import EventStream
from seq2seq_kit.bundles.encoding import EncodingBundle
from seq2seq_kit.bundles.frames import forecast_frame, in_chunks, require_some, window_labels
from seq2seq_kit.bundles.watching import rebuilt_inputs
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.windows.prepare import Prepared, prepare_new
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Baseline
from seq2seq_kit.evaluation.latent import MapMethod
from seq2seq_kit.exports.session import ENCODER, Network
from seq2seq_kit.tasks.autoencode.baselines import BASELINES
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeData, AutoencodeRecipe
from seq2seq_kit.tasks.latent import LatentMap, latent_map, nearest_windows, points_of

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

_CHUNK = 4_096  # windows


@dataclass(frozen=True)
class AutoencodeBundle(WindowBundle, EncodingBundle):
    """A trained autoencoder of windows; see `WindowBundle`."""

    verbs: ClassVar[tuple[str, ...]] = ("score", "detect", "encode", "reconstruct", "neighbours", "evaluate")
    what: ClassVar[str] = "an autoencoder"
    baseline_kinds: ClassVar[Mapping[str, Callable[..., Baseline]]] = BASELINES
    linear: ClassVar[str] = "WindowPca"
    rebuilds: ClassVar[bool] = True

    recipe: AutoencodeRecipe

    @property
    def window_data(self) -> AutoencodeData:
        return self.recipe.data

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """As of `WindowBundle`; of rows that are watched, cells without a value are what the model rebuilds there."""
        inside = prepared.windows[part].shape.inside
        arrays = rebuilt_inputs(
            lambda arrays: self.forward(arrays)[:, inside], prepared.arrays(part, windows), prepared.layout.targets
        )
        return prepared.restore(self.forward(arrays), part, windows)

    def encode(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """One row of latent values for each window: series, first and last time (or row), `latent_0..n`.

        `stride` is the number of rows between windows, the recipe's `window_stride` by default.
        """
        prepared = self._windows_of(frame, stride, origin)

        def codes(prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
            latent = self.encoder(prepared.arrays("test", chunk))
            values = pd.DataFrame(latent, columns=[f"latent_{position}" for position in range(latent.shape[1])])
            return answer_frame(window_labels(prepared, chunk), values)

        return in_chunks(prepared, np.arange(prepared.windows["test"].count), codes)

    def latent_map(
        self,
        frame: pd.DataFrame,
        *,
        method: MapMethod = "pca",
        stride: int | None = None,
        origin: str = "the data",
    ) -> LatentMap:
        """The windows of new rows on a map of the latent space: a frame, and a page (`save`).

        Args:
            frame: Rows with the recipe's columns.
            method: `pca`, or `umap` with the extra of that name.
            stride: As in `encode`.
            origin: Name of the file for messages.

        Raises:
            DataError: The rows do not fit, or the package of `umap` is not there.
        """
        prepared = self._windows_of(frame, stride, origin)
        return self.map_windows(prepared, np.arange(prepared.windows["test"].count), method)

    def map_windows(self, prepared: Prepared, windows: np.ndarray, method: MapMethod = "pca") -> LatentMap:
        """The same of some windows of the test part of prepared rows."""
        scored = in_chunks(prepared, windows, lambda prepared, chunk: self._scored(prepared, chunk, "window"))
        points = points_of(prepared, windows, scored["reconstruction_error"].to_numpy())
        latent = self._latent(prepared, windows)
        return latent_map(window_labels(prepared, windows), latent, points, method, seed=self.recipe.seed)

    def neighbours(
        self,
        frame: pd.DataFrame,
        *,
        at: str | int | pd.Timestamp | None = None,
        series: str | Sequence[str] | None = None,
        k: int = 5,
        overlapping: bool = False,
        stride: int | None = None,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """The windows most like the one at a time, by the Euclidean distance of latent vectors; all are compared.

        Of the windows that hold the time the one is taken in whose middle it is nearest. Windows that share a row with it, or
        with a nearer neighbour, would be found first and say nothing: they are left out.

        Args:
            frame: Rows with the recipe's columns, the time among them.
            at: A time, or the number of a row (from 1) where rows have no time.
            series: Which series the time is of, where there are several; neighbours may be of any.
            k: How many.
            overlapping: Whether windows that share rows count, too.
            stride: As in `encode`.
            origin: Name of the file for messages.

        Returns:
            `neighbour` (from 1, the nearest), series, first and last time (or row), `distance`. Fewer than `k` rows where there
            are no more; a note says so, and which window was the given one.

        Raises:
            ArgumentError: No such series or time, or `k` is none.
            DataError: The rows do not fit.
        """
        if at is None:
            said = "neighbours are those of the window at a time: name it by at=... (--at TIME)"
            raise ArgumentError(said, code="no_such_time")
        prepared = self._windows_of(frame, stride, origin)
        return nearest_windows(prepared, self._latent(prepared), at=at, series=series, k=k, overlapping=overlapping)

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

    def stream(self, *, state: Mapping[str, object] | None = None) -> EventStream:
        """Events of rows as they come, of any number of series: `event_stream`."""
        return self.event_stream(state=state)

    @cached_property
    def halves(self) -> tuple[keras.Model, keras.Model]:
        """Encoder and decoder of an autoencoder, on the model's own weights."""
        from seq2seq_kit.models import split_autoencoder
        from seq2seq_kit.models.ensemble import require_one_latent_space

        return split_autoencoder(require_one_latent_space(self.model))

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.tasks.autoencode.exported import halves_of

        whole = super().programs(frame)
        return [whole[0], *halves_of(self, frame), *whole[1:]]

    @cached_property
    def encoder(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """The first half as a function of the model's inputs."""
        if isinstance(self.model, Network):
            return self.model.part(ENCODER).forward
        from seq2seq_kit.models.inference import compile_forward

        return compile_forward(self.halves[0])

    def _latent(self, prepared: Prepared, windows: np.ndarray | None = None) -> np.ndarray:
        """The latent vectors of windows of the test part, `(windows, latent)`; of all by default."""
        windows = np.arange(prepared.windows["test"].count) if windows is None else windows
        chunks = np.array_split(windows, -(-len(windows) // _CHUNK))
        return np.concatenate([self.encoder(prepared.arrays("test", chunk)) for chunk in chunks])

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
            before = prepared.windows["test"].shape.before
            step["step"] = np.tile(np.arange(1 - before, steps + 1 - before), len(chunk))
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
