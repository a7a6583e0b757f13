"""A trained classifier or regressor of sequences: texts, series or windows in, one label or number for each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Json, names_of_series
from seq2seq_kit.bundles.exported_sequences import ExportedSequences, number, probabilities
from seq2seq_kit.bundles.golden import golden_sequences
from seq2seq_kit.data.sequences.labels import restore_labels
from seq2seq_kit.data.sequences.ragged import by_length
from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.stored import baseline_named, restore_dataclass
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.classify.baselines import LinearBaseline, softmax
from seq2seq_kit.tasks.classify.data import Classified, Preprocessing, new_examples
from seq2seq_kit.tasks.classify.evaluation import (
    BalancedEvaluation,
    ClassifyEvaluation,
    LabelEvaluation,
    NumberEvaluation,
)
from seq2seq_kit.tasks.classify.inputs import Encoding
from seq2seq_kit.tasks.classify.recipe import ClassifyRecipe, TextsData

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

_CHUNK = 512


@dataclass(frozen=True)
class ClassifyBundle(Bundle):
    """A trained model of one label or one number for each sequence.

    Attributes:
        model: The Keras model, from numbers or scaled values to logits, or to a scaled number.
        preprocessing: Vocabulary or scaler, labels, and scale of the targets.
        baselines: Its fitted baselines, for `evaluate`.
    """

    what: ClassVar[str] = "a classifier"
    batch_size: ClassVar[int | None] = _CHUNK
    takes_texts: ClassVar[bool] = True

    recipe: ClassifyRecipe
    model: keras.Model
    preprocessing: Preprocessing
    baselines: list[LinearBaseline]
    info: Json = field(default_factory=dict)

    def predict(
        self, rows: pd.DataFrame | Sequence[str] | str, *, baseline: str | None = None, origin: str = "the data"
    ) -> pd.DataFrame:
        """The label or number of each text or series, or of the window that ends in each row.

        Args:
            rows: A frame with the recipe's columns, that of the labels or targets not needed; a model of texts also takes texts.
            baseline: Name of a baseline that predicts instead of the model, as in the result table: `logistic regression`.
            origin: Name of the file for messages.

        Returns:
            A row for each sequence: the text; or the series and its `steps`; or series and time (or `row`) of a last row.
            Then `label`, its `probability` and a column `probability_<label>` for each label; or the number, under its own name.

        Raises:
            ArgumentError: There is no such baseline, or texts are given to a model of values.
            DataError: The rows do not fit; the message names column, row or series.
        """
        peer = None if baseline is None else baseline_named(self.baselines, baseline)
        data = self.recipe.data
        if not isinstance(rows, pd.DataFrame):
            if not isinstance(data, TextsData):
                expected = f"this model reads values: give a frame with {', '.join(data.inputs)}"
                raise ArgumentError(f"{expected}. Received: {type(rows).__name__}", code="frame_required")
            rows = pd.DataFrame({data.text: [rows] if isinstance(rows, str) else list(rows)})
        sequences = new_examples(data, rows, self.preprocessing, labelled=False, origin=origin)
        numbers = sequences.parts["test"]
        predicted = peer.predict(sequences, numbers) if peer else self.predictions(sequences, numbers)
        labels = self.preprocessing.labels
        found: dict[str, object] = {} if labels else {str(data.target): predicted}
        if labels:
            found["label"] = np.array(labels, dtype=object)[predicted.argmax(axis=1)]
            found["probability"] = predicted.max(axis=1)
            found |= {f"probability_{label}": own for label, own in zip(labels, predicted.T, strict=True)}
        frame = answer_frame({str(name): values for name, values in sequences.about.items()}, found)
        frame.attrs["notes"] = [*sequences.notes, *frame.attrs.pop("renamed")]
        return frame

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> ClassifyEvaluation:
        """The result table on other rows with labels or targets."""
        sequences = new_examples(self.recipe.data, frame, self.preprocessing, labelled=True, origin=origin)
        return self.evaluate_part(sequences, "test")

    def evaluate_part(self, sequences: Classified, part: str) -> ClassifyEvaluation:
        """The model and its baselines on a part of prepared sequences."""
        numbers, truth = sequences.parts[part], sequences.truth_of(part)
        found = {MODEL: self.predictions(sequences, numbers)}
        found |= {peer.name: peer.predict(sequences, numbers) for peer in self.baselines}
        about = {peer.name: peer.about for peer in self.baselines}
        edges = {peer.name: peer.edge for peer in self.baselines if peer.edge}
        if self.preprocessing.labels:
            balanced = self.recipe.training.class_weights == "balanced"
            kind = BalancedEvaluation if balanced else LabelEvaluation
            return kind(part, truth, found, about, self.preprocessing.labels, edges=edges)
        aim, units = str(self.recipe.data.target), self.recipe.data.units
        return NumberEvaluation(part, truth, found, about, aim, edges=edges, measured_in=units.get(aim, ""))

    def predictions(self, sequences: Classified, numbers: np.ndarray) -> np.ndarray:
        """Probabilities of some sequences, `(sequences, labels)`; or their numbers in original units, `(sequences,)`."""
        lengths = sequences.inputs[0].sequences.lengths[numbers]
        outputs = np.empty((len(numbers), self.preprocessing.outputs))
        for chunk in by_length(lengths, _CHUNK):
            outputs[chunk] = self.forward(sequences.padded(numbers[chunk]))
        fitted = self.preprocessing
        return softmax(outputs) if fitted.labels else outputs[:, 0] * fitted.scale + fitted.center

    @property
    def as_written(self) -> list[str]:
        return as_written(self.recipe)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        return [str(name) for name in frame.columns if name not in columns_of(self.recipe)]

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        fitted, data, encoding = self.preprocessing, self.recipe.data, self.preprocessing.encoding
        examples = None if frame is None else new_examples(data, frame, fitted, labelled=False)
        if isinstance(encoding, Vocabulary):
            made = ExportedSequences(self, examples, [encoding.size])
        else:
            made = ExportedSequences(self, examples, scaler=encoding)
        labels, target = fitted.labels, str(data.target)
        answered = probabilities(labels, steps=False) if labels else number(target, fitted.center, fitted.scale)
        program = made.program("model", "sequences to their answers", self.model, self.forward, answered)
        return [program, made.network(self.model, self.forward)]

    def facts(self) -> Json:
        encoding, labels = self.preprocessing.encoding, self.preprocessing.labels
        tokens = encoding.tokens if isinstance(encoding, Vocabulary) else []
        return {"labels": labels, "tokens": tokens, "series": [] if tokens else getattr(encoding, "series", None) or []}

    def state(self) -> tuple[Json, Arrays]:
        fitted = self.preprocessing
        words: Json = {"labels": fitted.labels, "center": fitted.center, "scale": fitted.scale}
        if isinstance(fitted.encoding, Vocabulary):
            words["tokens"] = fitted.encoding.tokens
        else:
            words["scaler"] = fitted.encoding.to_json()
        words["baselines"] = [{"name": peer.name, "about": peer.about, "edge": peer.edge} for peer in self.baselines]
        arrays = {f"weights_{place}": peer.weights for place, peer in enumerate(self.baselines)}
        return words, arrays | {f"bias_{place}": peer.bias for place, peer in enumerate(self.baselines)}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> ClassifyBundle:
        assert isinstance(recipe, ClassifyRecipe)
        data = recipe.data
        encoding: Encoding
        if isinstance(data, TextsData):
            encoding = Vocabulary.restore(data.level, state["tokens"])
        else:
            encoding = Scaler.from_json(state["scaler"], data.inputs)
        labels = restore_labels(state["labels"], model.output_shape[-1])
        fitted = Preprocessing(encoding, labels, float(state["center"]), float(state["scale"]))
        if not (np.isfinite(fitted.center) and 0 < fitted.scale < np.inf):
            raise ValueError("the scale of the targets must be positive and finite, their center finite")
        baselines = [
            restore_dataclass(
                LinearBaseline, words | {"weights": arrays[f"weights_{place}"], "bias": arrays[f"bias_{place}"]}
            )
            for place, words in enumerate(state["baselines"])
        ]
        if any(peer.bias.shape != (max(len(labels), 1),) for peer in baselines):
            raise ValueError("a baseline predicts another number of values than the model")
        return cls(recipe, model, fitted, baselines, info)

    def golden(self) -> list[np.ndarray]:
        if isinstance(self.preprocessing.encoding, Vocabulary):
            return [
                np.random.default_rng(0).integers(1, self.preprocessing.encoding.size, size=(3, 8)).astype(np.int32)
            ]
        return golden_sequences(int(self.model.inputs[0].shape[-1]))


def columns_of(recipe: ClassifyRecipe) -> list[str]:
    """Columns of the frame that a recipe uses, that of the labels or targets last."""
    data = recipe.data
    read = [data.text] if isinstance(data, TextsData) else [data.series, *data.time_columns, *data.inputs]
    return [name for name in (*read, data.label or data.target) if name]


def as_written(recipe: ClassifyRecipe) -> list[str]:
    """Columns that are taken as they are written, see `read_source`."""
    texts = [recipe.data.text] if isinstance(recipe.data, TextsData) else []
    return [*texts, *names_of_series(recipe), *([recipe.data.label] if recipe.data.label else [])]
