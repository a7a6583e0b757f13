"""A trained autoencoder of whole sequences: one latent vector for a sequence of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import Detection, detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import Progress, RowErrors
from seq2seq_kit.bundles.base import Arrays, Json
from seq2seq_kit.bundles.detecting import DetectingBundle, fitted_detector, seconds_between, stored_detector
from seq2seq_kit.bundles.encoding import EncodingBundle
from seq2seq_kit.bundles.golden import golden_sequences
from seq2seq_kit.bundles.watching import Watched, rebuilt_inputs
from seq2seq_kit.data.sequences.ragged import by_length
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation.latent import MapMethod
from seq2seq_kit.evaluation.stored import dump_baselines
from seq2seq_kit.exports.session import ENCODER, Network
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.latent import LatentMap, latent_map, require_count
from seq2seq_kit.tasks.whole.data import Sequences, new_sequences
from seq2seq_kit.tasks.whole.errors import errors_of_rows, watched_rows
from seq2seq_kit.tasks.whole.evaluation import (
    SequenceBaseline,
    SequenceEvaluation,
    evaluate_sequences,
    restore_sequence_baselines,
    rms,
)
from seq2seq_kit.tasks.whole.latent import nearest_sequences, points_of
from seq2seq_kit.tasks.whole.recipe import WholeRecipe

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

_CHUNK = 512
Labels = dict[str, object]


@dataclass(frozen=True)
class WholeBundle(DetectingBundle, EncodingBundle):
    """A trained autoencoder of whole sequences.

    Attributes:
        model: The Keras model; works in scaled units.
        scaler: Fitted on the rows of the training sequences.
        baselines: Its fitted baselines, for `evaluate`.
    """

    verbs: ClassVar[tuple[str, ...]] = ("score", "detect", "encode", "reconstruct", "neighbours", "evaluate")
    what: ClassVar[str] = "an autoencoder"
    batch_size: ClassVar[int | None] = _CHUNK

    recipe: WholeRecipe
    model: keras.Model
    scaler: Scaler
    baselines: list[SequenceBaseline]
    info: Json = field(default_factory=dict)
    detector: Detector | None = None

    def encode(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The latent vector of each sequence: series, `steps`, `latent_0..n`.

        Args:
            frame: Rows with the recipe's columns; a sequence may have any number of them.
            stride: For autoencoders of windows; not supported here.
            origin: Name of the file for messages.

        Raises:
            ArgumentError: There is a `stride`.
            DataError: The rows do not fit; the message names column, row or series.
        """
        sequences = self._sequences(frame, stride, origin)
        values = self._latent(sequences)
        latent = {f"latent_{position}": values[:, position] for position in range(values.shape[1])}
        return _noted(answer_frame(*self._labels(sequences), latent), sequences)

    def latent_map(
        self, frame: pd.DataFrame, *, method: MapMethod = "pca", stride: int | None = None, origin: str = "the data"
    ) -> LatentMap:
        """The sequences on a map of the latent space, a frame and a page; arguments as in `encode`, `method` `pca` or `umap`."""
        sequences = self._sequences(frame, stride, origin)
        return self.map_sequences(sequences, np.arange(len(sequences.names)), method)

    def map_sequences(self, sequences: Sequences, numbers: np.ndarray, method: MapMethod = "pca") -> LatentMap:
        """The same of some sequences that are prepared."""
        points = points_of(sequences, numbers, self.rebuild(sequences, numbers), self.scaler.scale[0])
        labels = answer_frame(*self._labels(sequences)).iloc[numbers].reset_index(drop=True)
        return latent_map(labels, self._latent(sequences)[numbers], points, method, seed=self.recipe.seed)

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
        """The sequences most like one of them, by the Euclidean distance of latent vectors; all are compared.

        `series` is the name of the one, `k` how many; `at` and `overlapping` are for autoencoders of windows.

        Returns:
            `neighbour` (from 1, the nearest), series, `steps`, `distance`.

        Raises:
            ArgumentError: No such sequence, or there is a time.
        """
        require_count(k)
        if at is not None:
            said = f"this autoencoder reads whole sequences: name one by series=... (--series). Received: at={at}"
            raise ArgumentError(said, code="not_supported")
        sequences = self._sequences(frame, stride, origin)
        return nearest_sequences(sequences, self._latent(sequences), answer_frame(*self._labels(sequences)), series, k)

    def reconstruct(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The reconstruction of each sequence: series, time (or row), `step`, each column in original units.

        Arguments and errors as in `encode`.
        """
        sequences = self._sequences(frame, stride, origin)
        labels, step = self._step_labels(sequences)
        rebuilt = np.concatenate(self.rebuild(sequences, np.arange(len(sequences.names))))
        columns = {name: rebuilt[:, position] for position, name in enumerate(self.recipe.data.inputs)}
        return _noted(answer_frame(labels, columns, step, order=(0, 2, 1)), sequences)

    def score(
        self,
        frame: pd.DataFrame,
        *,
        by: Literal["window", "sequence", "step"] = "sequence",
        stride: int | None = None,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """The reconstruction error of each sequence.

        Args:
            frame: Rows with the recipe's columns.
            by: `sequence` (or `window`, the same here): one row for each sequence with root mean squares over its steps; `step`:
                one row for each step with absolute errors.
            stride: As in `encode`.
            origin: Name of the file for messages.

        Returns:
            Series, `steps` (or the time, if there is one, and `step`), `reconstruction_error` (root mean square over columns, in
            scaled units), and for each column `<column>_error` in original and `<column>_error_scaled` in scaled units. Missing
            cells do not count.
        """
        if by not in ("window", "sequence", "step"):
            raise ArgumentError(f"by must be 'sequence' or 'step'. Received: by={by!r}", code="invalid_argument")
        sequences = self._sequences(frame, stride, origin)
        rebuilt = self.rebuild(sequences, np.arange(len(sequences.names)))
        errors = [own - sequences.truth(number) for number, own in enumerate(rebuilt)]
        scale = self.scaler.scale[0]
        if by == "step":
            (labels, step), table = self._step_labels(sequences), np.abs(np.concatenate(errors))
            total = [rms(row / scale) for row in table]
        else:
            labels, step = self._labels(sequences)
            table = np.array([[rms(column) for column in error.T] for error in errors])
            total = [rms(error / scale) for error in errors]
        columns = {}
        for position, name in enumerate(self.recipe.data.inputs):
            columns[f"{name}_error"] = table[:, position]
            columns[f"{name}_error_scaled"] = table[:, position] / scale[position]
        return _noted(answer_frame(labels, step, {"reconstruction_error": total}, columns), sequences)

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> SequenceEvaluation:
        """The result table on other sequences."""
        return self.evaluate_part(self._sequences(frame, None, origin), "test")

    def evaluate_part(self, sequences: Sequences, part: str) -> SequenceEvaluation:
        """The same on a part of prepared data."""
        return evaluate_sequences(sequences, part, lambda numbers: self.rebuild(sequences, numbers), self.baselines)

    @property
    def window_steps(self) -> int:
        return 0  # sequences are events apart anyway

    def errors_of(self, frame: pd.DataFrame, origin: str, progress: Progress | None = None) -> Watched:
        return watched_rows(self.rebuild, self.recipe.data, frame, self.scaler, origin)

    def row_errors(self, sequences: Sequences, part: str) -> RowErrors:
        """The errors of all rows of the sequences of a part."""
        return errors_of_rows(self.rebuild, sequences, part)

    def detection(self, sequences: Sequences, part: str) -> Detection:
        """As `detect`, of a part of prepared sequences."""
        return detect_events(self.row_errors(sequences, part), self.require_detector(), notes=sequences.notes)

    def fit_detector(self, sequences: Sequences) -> tuple[Self, list[Finding]]:
        """The bundle with a detector of the validation part, and findings on the training part."""
        seconds = seconds_between(sequences.prepared)
        return fitted_detector(self, lambda part: self.row_errors(sequences, part), seconds)

    def rebuild(self, sequences: Sequences, numbers: np.ndarray) -> list[np.ndarray]:
        """The reconstructions of some sequences, `(steps, columns)` each, in original units."""
        rebuilt: list[np.ndarray] = [np.zeros(0)] * len(numbers)
        for chunk in by_length(sequences.lengths[numbers], _CHUNK):
            outputs = self.forward(
                rebuilt_inputs(self.forward, sequences.padded(numbers[chunk]), sequences.prepared.layout.targets)
            )
            for place, output in zip(chunk, outputs, strict=True):
                own = output[: sequences.lengths[numbers[place]]]
                rebuilt[place] = self.scaler.inverse(own, np.zeros(len(own), dtype=np.int64))
        return rebuilt

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.tasks.whole.exported import whole_programs

        return whole_programs(self, None if frame is None else self._sequences(frame, None, "the data"))

    @property
    def as_written(self) -> list[str]:
        # As in `WindowBundle`; the names of sequences only label the answers.
        return [] if self.scaler.times is None else super().as_written

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        data = self.recipe.data
        return [str(name) for name in frame.columns if name not in {data.series, *data.time_columns, *data.inputs}]

    def state(self) -> tuple[Json, Arrays]:
        return {
            "scaler": self.scaler.to_json(),
            "baselines": dump_baselines(self.baselines)[0],
        } | self.detector_state(), {}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        assert isinstance(recipe, WholeRecipe)
        baselines = restore_sequence_baselines(state["baselines"], len(recipe.data.inputs))
        scaler = Scaler.from_json(state["scaler"], recipe.data.inputs)
        return cls(recipe, model, scaler, baselines, info, stored_detector(state, recipe.data.inputs))

    def golden(self) -> list[np.ndarray]:
        return golden_sequences(int(self.model.inputs[0].shape[-1]))

    @cached_property
    def encoder(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """The first half as a function of the model's inputs."""
        if isinstance(self.model, Network):
            return self.model.part(ENCODER).forward
        from seq2seq_kit.models.ensemble import require_one_latent_space
        from seq2seq_kit.models.inference import compile_forward
        from seq2seq_kit.models.whole import encoder_of

        return compile_forward(encoder_of(require_one_latent_space(self.model)), batch_size=_CHUNK)

    def _latent(self, sequences: Sequences) -> np.ndarray:
        """The latent vectors, `(sequences, latent)`."""
        codes: list[np.ndarray] = [np.zeros(0)] * len(sequences.names)
        for chunk in by_length(sequences.lengths, _CHUNK):
            for number, code in zip(chunk, self.encoder(sequences.padded(chunk)), strict=True):
                codes[number] = code
        return np.array(codes)

    def _sequences(self, frame: pd.DataFrame, stride: int | None, origin: str) -> Sequences:
        if stride is not None:
            raise ArgumentError(
                f"this autoencoder reads whole sequences, which have no stride. Received: stride={stride}",
                code="not_supported",
            )
        return new_sequences(self.recipe.data, frame, self.scaler, origin=origin)

    def _labels(self, sequences: Sequences) -> tuple[Labels, Labels]:
        """What names each sequence: the column of the data, and the kit's own."""
        return {self.recipe.data.series: sequences.names}, {"steps": sequences.lengths}

    def _step_labels(self, sequences: Sequences) -> tuple[Labels, Labels]:
        """The same for each step."""
        data, table = self.recipe.data, sequences.prepared.table
        steps = np.concatenate([np.arange(length) for length in sequences.lengths])
        rows = np.repeat(sequences.starts, sequences.lengths) + steps
        labels: Labels = {data.series: np.repeat(np.array(sequences.names, dtype=object), sequences.lengths)}
        if table.times is not None:
            labels[str(data.time_name)] = table.times[rows]
        return labels, {"step": steps + 1}


def _noted(frame: pd.DataFrame, sequences: Sequences) -> pd.DataFrame:
    frame.attrs["notes"] = [*sequences.notes, *frame.attrs.pop("renamed")]
    return frame
