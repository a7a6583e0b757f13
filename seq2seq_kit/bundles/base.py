"""The base of all bundles: save, load, a compiled forward pass, and the verbs of every task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.absent import SaysWhatItCannot
from seq2seq_kit.bundles.golden import standard_normal
from seq2seq_kit.bundles.rows import format_of, names_of_categories, names_of_series, rows_given, sourced
from seq2seq_kit.bundles.shapes import Shape, refuse_other_shapes, refuse_other_sizes
from seq2seq_kit.data.sources.files import READ, in_their_files
from seq2seq_kit.data.sources.given import is_table
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.evaluation.base import Board
from seq2seq_kit.exports.session import Network, missing_package
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from seq2seq_kit.anomalies.detection import Detection
    from seq2seq_kit.anomalies.row_errors import Progress
    from seq2seq_kit.drift.result import Drift
    from seq2seq_kit.exports.program import Exported, ExportFormat, Program

Json = dict[str, Any]
Arrays = dict[str, np.ndarray]
_LONGEST_FACT = 500
_TAKES_ROWS = (  # see `Bundle.__init_subclass__`
    *("predict", "encode", "reconstruct", "score", "detect", "calibrate", "evaluate", "answer", "export", "watch"),
    *("ignored_columns", "plot", "latent_map", "neighbours", "update"),
)


class Bundle(SaysWhatItCannot, ABC):
    """A trained model that takes frames and gives frames; a class for each task, see `tasks/*/bundle.py`.

    Attributes:
        recipe: What it was trained by, resolved.
        model: The Keras model; works in scaled units.
        info: Where it comes from: versions, run, digest of the data.
        verbs: The verbs that it supports, the most usual first.
        what: What it is, for messages: `a forecast`.
        takes_texts: Whether its verbs take a list of texts, too.
        batch_size: Sequences that `forward` computes at once at most; None: its default.
    """

    recipe: Recipe
    model: keras.Model
    info: Json

    verbs: ClassVar[tuple[str, ...]] = ("predict", "evaluate")
    what: ClassVar[str]
    batch_size: ClassVar[int | None] = None
    takes_texts: ClassVar[bool] = False

    def __init_subclass__(cls, **given: Any) -> None:
        """Every verb of every task takes what `train` takes as rows: they become a frame here, and nowhere else."""
        super().__init_subclass__(**given)
        for verb in _TAKES_ROWS:
            if verb in cls.__dict__:
                setattr(cls, verb, _of_tables(cls.__dict__[verb]))
        # A dataclass would otherwise show scalers, vocabularies and weights of baselines.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        run = str(self.info.get("run_id", ""))[:8]
        trained = f", run {run}" if run else ""
        exported = isinstance(self.model, Network)
        size = "exported" if exported else f"{self.model.count_params():,} parameters"
        return f"<{type(self).__name__}: {self.what}, {size}{trained}; {', '.join(self.verbs)}>"

    def _repr_html_(self) -> str:
        size = "" if isinstance(self.model, Network) else f"{self.model.count_params():,}"
        facts: dict[str, object] = {"what": self.what, "verbs": ", ".join(self.verbs), "parameters": size}
        facts["inputs"] = ", ".join(getattr(self.recipe.data, "inputs", []))
        facts |= {key: self.info.get(key) for key in ("run_id", "trained")}
        if isinstance(last := self.info.get("last_fit"), dict):  # a stranger's bundle may hold anything
            facts["fitted on"] = f"{last.get('rows')} rows, {last.get('epochs')} epochs, after it was judged"
        known = {key: str(value)[:_LONGEST_FACT] for key, value in facts.items() if value}
        return pd.Series(known, name=self.recipe.name or self.recipe.task).to_frame().to_html(header=True)

    def plot(self, frame: pd.DataFrame, *, origin: str = "the data") -> Figure:
        """The newest rows and what is forecast from them, up to six series."""
        raise self._cannot("plot")

    def predict(self, frame: pd.DataFrame, *, origin: str = "the data") -> pd.DataFrame:
        """The model's predictions for new rows.

        Raises:
            ArgumentError: The task does not support the verb; likewise below.
        """
        raise self._cannot("predict")

    def predict_columns(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """What `predict` gives for rows as an array by column, as such columns, without pandas; None: ask `predict`."""
        return None

    def encode(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The latent vector of each window or sequence."""
        raise self._cannot("encode")

    def reconstruct(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The reconstruction of each window or sequence."""
        raise self._cannot("reconstruct")

    def score(self, frame: pd.DataFrame, *, stride: int | None = None, origin: str = "the data") -> pd.DataFrame:
        """The reconstruction error of each window or sequence."""
        raise self._cannot("score")

    def detect(
        self,
        frame: pd.DataFrame,
        *,
        alarms_per_week: float | None = None,
        threshold: float | None = None,
        labels: str | None = None,
        progress: Progress | None = None,
        origin: str = "the data",
    ) -> Detection:
        """The events of new rows; see `DetectingBundle`."""
        raise self._cannot("detect")

    def calibrate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Bundle:
        """The bundle with a detector fitted on these rows."""
        raise self._cannot("calibrate")

    def watch(self, frame: pd.DataFrame, *, false_alarms: float = 0.05, origin: str = "the data") -> Drift:
        """How new rows differ from those of the training; see `DriftBundle`."""
        raise self._cannot("watch")

    def with_beams(self, beams: int) -> Bundle:
        """The same model, searching with a beam of this width; see `models.decoding`."""
        message = f"a {self.recipe.task} model does not search. Received: beams={beams}; leave it out"
        raise ArgumentError(message, code="not_supported")

    def with_updates(self) -> Bundle:
        """The same model, whose `evaluate` moves its intervals; see `IntervalBundle`."""
        raise ArgumentError(f"a {self.recipe.task} model has no intervals. Leave update out", code="not_supported")

    @abstractmethod
    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Board:
        """The result table on other rows: the model and the baselines fitted in training."""

    def read(self, path: str) -> pd.DataFrame:
        """A file of rows, in the form that the recipe gives it."""
        return read_source(path, texts=self.as_written, section=sourced(self.recipe))

    @property
    def series_names(self) -> list[str]:
        """The columns that tell the series of its recipe apart, if it has any."""
        return names_of_series(self.recipe)

    @property
    def as_written(self) -> list[str]:
        """Columns of a file that are read as they are written: 007 is no number there, and NA not missing."""
        return self.series_names

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What MLflow serves."""
        answer: pd.DataFrame = getattr(self, self.verbs[0])(frame)
        return answer

    @abstractmethod
    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""

    @cached_property
    def forward(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """The model as a function of its inputs' arrays."""
        if isinstance(self.model, Network):
            return self.model.forward
        from seq2seq_kit.models.inference import compile_forward

        return compile_forward(self.model, **({} if self.batch_size is None else {"batch_size": self.batch_size}))

    @abstractmethod
    def state(self) -> tuple[Json, Arrays]:
        """What is saved beside the model: JSON and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        """The reverse of `state`."""

    def alone(self, model: keras.Model) -> Self:
        """The same around another model, such as one member of an ensemble, without baselines."""
        return replace(self, model=model, baselines=[])  # type: ignore[type-var]  # every bundle is a dataclass

    def golden(self) -> list[np.ndarray]:
        """Inputs of the model whose output is stored beside it."""
        return standard_normal(self.model)

    def save(self, folder: str | Path) -> Path:
        """Writes the bundle to a new folder, whole or not at all; what was exported is an export again.

        Raises:
            BundleError: The folder exists or cannot be written; or the export that was opened is gone or was written anew.
        """
        if isinstance(self.model, Network):
            from seq2seq_kit.bundles.exports import save_export

            return save_export(self, Path(folder))
        from seq2seq_kit.bundles.files import write_bundle

        return write_bundle(self, Path(folder))

    def export(self, out: str | Path, *, format: ExportFormat = "onnx", frame: pd.DataFrame | None = None) -> Exported:
        """Writes the model for other runtimes; what is written has been compared with the bundle.

        Args:
            out: A new folder with graphs, description and golden inputs; or a new file that ends in `.onnx`, one graph.
            format: `onnx`, with the extra `export`; `saved_model`, `litert` or `keras`: the network alone, in scaled units.
            frame: Rows to compare on; None: those of the recipe's source where it can be read, otherwise inputs are drawn.

        Raises:
            ArgumentError: A layer cannot be written, or the extra is missing.
            BundleError: The graph answers otherwise than the bundle, or could not be written; nothing is left behind.
        """
        if isinstance(self.model, Network):
            said = "this model was exported, and has no Keras model that could be exported again"
            raise ArgumentError(f"{said}. Load the bundle that it was exported from", code="needs_tensorflow")
        from seq2seq_kit.bundles.exporting import export_bundle

        return export_bundle(self, out, format=format, frame=frame)

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        """What is exported: functions of arrays, the most usual first; `frame` as for `export`."""
        from seq2seq_kit.exports.refusing import refused

        raise refused(f"{self.what} cannot be written as ONNX yet")

    @classmethod
    def exported_parts(cls, recipe: Recipe) -> tuple[str, ...]:
        """Graphs of an export that its bundle answers by beside `network`."""
        return ()

    def facts(self) -> Json:
        """What a reader of an export needs beside the recipe."""
        return {}

    def _cannot(self, verb: str) -> ArgumentError:
        can = ", ".join(self.verbs[:-1]) + f" and {self.verbs[-1]}"
        return ArgumentError(f"this bundle is {self.what}: it can {can}. Received: {verb}", code="not_supported")


def _of_tables(verb: Callable[..., Any]) -> Callable[..., Any]:
    """A verb that takes tables of any library, and says in which of several files a wrong row is."""

    @wraps(verb)
    def taking(self: Bundle, *given: Any, **named: Any) -> Any:
        read = getattr(given[0], "attrs", {}).get(READ) if given else None
        try:
            return verb(
                self,
                *(_frame(self, each, rows=not place) for place, each in enumerate(given)),
                **{name: _frame(self, each) for name, each in named.items()},
            )
        except DataError as error:
            if not read:
                raise
            said = in_their_files(str(error), zip(read["files"], read["rows"], strict=True))
            raise type(error)(said, code=error.code) from None
        except ImportError as error:
            if not isinstance(self.model, Network):
                raise
            raise missing_package(error) from error

    return taking


def _frame(bundle: Bundle, given: object, *, rows: bool = False) -> object:
    # A Series of texts is a list of them to whoever reads texts; to others what is no table is told as such.
    texts = (
        bundle.takes_texts and not isinstance(given, pd.DataFrame) and (hasattr(given, "name") or not is_table(given))
    )
    if texts or not (rows or is_table(given)):
        return given
    return rows_given(bundle.recipe, given)  # type: ignore[arg-type]  # `is_table` says so


__all__ = ["Arrays", "Board", "Bundle", "Json", "Shape", "format_of", "names_of_categories", "names_of_series"]
__all__ += ["refuse_other_shapes", "refuse_other_sizes", "rows_given", "sourced"]
