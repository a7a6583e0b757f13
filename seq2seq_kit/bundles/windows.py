"""A trained model of windows: scaler, baselines, and the evaluation on other rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Json, Shape, names_of_categories, refuse_other_shapes
from seq2seq_kit.bundles.frames import require_some
from seq2seq_kit.data.tables.categories import category_sizes
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.prepare import Prepared, prepare_new
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.evaluation import Baseline, Evaluation, evaluate_part
from seq2seq_kit.evaluation.baselines import FORECAST_BASELINES
from seq2seq_kit.evaluation.stored import dump_baselines, restore_baselines
from seq2seq_kit.recipe.fields import Data, Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class WindowBundle(Bundle):
    """A trained model of windows.

    Attributes:
        scaler: Fitted on the training rows.
        baselines: Its fitted peers, for `evaluate`.
        naive: MASE's denominators by series, shape `(targets,)` each.
        baseline_kinds: The baselines that may stand in a stored bundle, by name.
    """

    baseline_kinds: ClassVar[Mapping[str, Callable[..., Baseline]]] = FORECAST_BASELINES

    recipe: Recipe
    model: keras.Model
    scaler: Scaler
    baselines: list[Baseline]
    naive: dict[str, np.ndarray] = field(default_factory=dict)
    info: Json = field(default_factory=dict)

    @property
    @abstractmethod
    def window_data(self) -> Data:
        """The recipe's data section, as one of windows."""

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Evaluation:
        """The result table on other rows: the model and the baselines fitted in training, on every window of `frame`."""
        prepared = prepare_new(self.window_data, frame, self.scaler, origin=origin)
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

    def state(self) -> tuple[Json, Arrays]:
        """What is saved beside the model: JSON and arrays."""
        words, arrays = dump_baselines(self.baselines)
        naive = {name: values.tolist() for name, values in self.naive.items()}
        return {"scaler": self.scaler.to_json(), "baselines": words, "naive": naive}, arrays

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        """The reverse of `state`."""
        scaler, baselines = (
            Scaler.from_json(state["scaler"]),
            restore_baselines(state["baselines"], cls.baseline_kinds, arrays),
        )
        naive = {str(name): np.array(values, dtype=np.float64) for name, values in state["naive"].items()}
        bundle = cls(recipe, model, scaler, baselines, naive, info)
        bundle.check()
        return bundle

    def check(self) -> None:
        """Whether recipe, model, scaler and MASE's denominators belong together.

        Raises:
            ValueError: The message names the two that do not.
        """
        data = self.window_data
        columns, shape = Columns.of(data), window_shape(data)
        if self.scaler.columns != columns.table:
            raise ValueError(f"the recipe has the columns {columns.table}, the scaler {self.scaler.columns}")
        chosen = getattr(data, "transform", {})
        methods = self.scaler.transforms.methods if self.scaler.transforms else ["none"] * len(columns.table)
        if methods != [chosen.get(name, "none") for name in columns.table]:
            raise ValueError(f"the recipe has the transforms {chosen}, the scaler {methods}")
        words = self.scaler.vocabularies
        if sorted(words) != sorted(columns.categories):
            raise ValueError(f"the recipe has the categories {columns.categories}, the scaler {list(words)}")
        refuse_other_sizes(self.model, category_sizes(words, columns.categories))
        if wrong := [name for name, values in self.naive.items() if values.shape != (len(columns.targets),)]:
            raise ValueError(f"there are {len(columns.targets)} targets, but other denominators of MASE for {wrong[0]}")
        refuse_other_shapes(self.model, self.reads(columns.layout(), shape), (shape.output_steps, len(columns.targets)))

    def reads(self, layout: Layout, shape: WindowShape) -> list[Shape]:
        """Shape of each input of the model without the batch, by the recipe."""
        past = (shape.input_steps, layout.inputs)
        return [past, (shape.output_steps, len(layout.future))] if layout.future else [past]

    @property
    def as_written(self) -> list[str]:
        # The series of a bundle of before are called as pandas read them: 7 where the file has 007.
        return [] if self.scaler.times is None else [*super().as_written, *names_of_categories(self.recipe)]

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.window_data
        used = {*data.series_columns, *data.time_columns, *Columns.of(data).table}
        return [str(name) for name in frame.columns if name not in used]


def refuse_other_sizes(model: keras.Model, sizes: Sequence[int]) -> None:
    """Raises `ValueError` for a model whose categories have other numbers of codes."""
    found: list[int] = next((layer.sizes for layer in model.layers if layer.name == "split_categories"), [])
    if list(found) != list(sizes):
        raise ValueError(f"the model has categories of {list(found)} codes, the scaler of {list(sizes)}")
