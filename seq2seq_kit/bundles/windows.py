"""A trained model of windows: scaler, baselines, and the evaluation on other rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import Detection, detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import Predicts, Progress, RowErrors, newest_rows, row_errors
from seq2seq_kit.anomalies.silence import examine_silence
from seq2seq_kit.anomalies.stream import EventStream
from seq2seq_kit.bundles.base import Arrays, Json, Shape, names_of_categories, refuse_other_shapes, refuse_other_sizes
from seq2seq_kit.bundles.detecting import fitted_detector, seconds_between, stored_detector
from seq2seq_kit.bundles.drifting import DriftBundle
from seq2seq_kit.bundles.frames import require_some
from seq2seq_kit.bundles.watching import Watched, with_something_to_read
from seq2seq_kit.data.tables.categories import category_sizes
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.prepare import Prepared, prepare_new
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.data.windows.silence import carried_rows, prepare_watched, read_instead_of
from seq2seq_kit.drift.reference import Reference
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Baseline, Evaluation, evaluate_part
from seq2seq_kit.evaluation.baselines import FORECAST_BASELINES
from seq2seq_kit.evaluation.stored import dump_baselines, restore_baselines
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.calibration import LEARNED_UNTIL, TRAINED_UNTIL, learned_windows
from seq2seq_kit.intervals.pending import Forecasts
from seq2seq_kit.recipe.fields import Data, Recipe

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program


@dataclass(frozen=True)
class WindowBundle(DriftBundle):
    """A trained model of windows.

    Attributes:
        scaler: Fitted on the training rows.
        baselines: Its fitted peers, for `evaluate`.
        naive: MASE's denominators by series, shape `(targets,)` each.
        intervals: Of the model and its baselines, by their errors on the calibration part; None without `levels`.
        reference: What `watch` compares new rows with.
        baseline_kinds: The baselines that may stand in a stored bundle, by name.
        linear: The kind of the one whose errors `detect` may use.
        rebuilds: Whether the model rebuilds what it reads, and so finds values for missing cells by itself.
    """

    verbs: ClassVar[tuple[str, ...]] = ("predict", "detect", "evaluate")
    baseline_kinds: ClassVar[Mapping[str, Callable[..., Baseline]]] = FORECAST_BASELINES
    linear: ClassVar[str] = "Ridge"
    rebuilds: ClassVar[bool] = False

    recipe: Recipe
    model: keras.Model
    scaler: Scaler
    baselines: list[Baseline]
    naive: dict[str, np.ndarray] = field(default_factory=dict)
    info: Json = field(default_factory=dict)
    detector: Detector | None = None
    intervals: Intervals | None = None
    reference: Reference | None = None
    forecasts: Forecasts = field(default_factory=Forecasts, repr=False, compare=False)
    follows: bool = False

    @property
    @abstractmethod
    def window_data(self) -> Data:
        """The recipe's data section, as one of windows."""

    def alone(self, model: keras.Model) -> Self:
        return replace(super().alone(model), detector=None, intervals=None, reference=None)

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Evaluation:
        """The result table on other rows: the model and the baselines fitted in training, on every window of `frame`.

        The title says how many of them are of rows that the model has learned from.
        """
        prepared = prepare_new(self.window_data, frame, self.scaler, origin=origin)
        require_some(prepared)
        found = self.evaluate_part(prepared, "test")
        return replace(found, learned=learned_windows(prepared, self.info.get(LEARNED_UNTIL)))

    def evaluate_part(self, prepared: Prepared, part: str) -> Evaluation:
        """The same on a part of prepared data."""
        unknown = np.full(len(prepared.columns.targets), np.nan)
        naive = np.array([self.naive.get(name, unknown) for name in prepared.table.series])
        return evaluate_part(
            prepared, part, self.predicted, self.baselines, naive=naive, intervals=self.intervals, follow=self.follows
        )

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, targets)`."""
        return prepared.restore(self.forward(prepared.arrays(part, windows)), part, windows)

    @property
    def window_steps(self) -> int:
        return self.window_data.input_steps

    def errors_of(self, frame: pd.DataFrame, origin: str, progress: Progress | None = None) -> Watched:
        data, rebuilds = self.window_data, self.rebuilds
        limit = carried_rows(data, rebuilds=rebuilds)
        prepared = self.detected(
            prepare_watched(data, frame, self.scaler, limit=limit, rebuilds=rebuilds, origin=origin)
        )
        require_some(prepared)
        silent = examine_silence(
            prepared.table,
            prepared.columns.numbers,
            longest=self.window_steps,
            instead=read_instead_of(data.missing, rebuilds=rebuilds),
        )
        errors = self.row_errors(prepared, "test", progress)
        return Watched(errors, list(prepared.notes), seconds_between(prepared), prepared, silent)

    def trained_windows(self, watched: Watched) -> int:
        return learned_windows(watched.prepared, self.info.get(TRAINED_UNTIL))

    @property
    def detect_data(self) -> Data:
        """The section with the windows that `detect` looks at; they reach every row unless the recipe asks for others."""
        data = self.window_data
        stride = self.detect_settings.stride or min(data.window_stride, window_shape(data).output_steps)
        return data.model_copy(update={"window_stride": stride, "train_stride": None})

    def detected(self, prepared: Prepared) -> Prepared:
        """The same rows with those windows."""
        return replace(prepared, data=self.detect_data)

    def row_errors(self, prepared: Prepared, part: str, progress: Progress | None = None) -> RowErrors:
        """The errors of the rows of a part of `detected` rows, whose windows are the model's or its linear baseline's."""
        return row_errors(
            self.error_source,
            prepared,
            part,
            combine=self.detect_settings.combine,
            beyond=self.beyond,
            progress=progress,
        )

    def detection(self, prepared: Prepared, part: str) -> Detection:
        """As `detect`, of a part of prepared rows.

        Raises:
            ArgumentError: The bundle has no detector.
        """
        detector, prepared = self.require_detector(), self.detected(prepared)
        return detect_events(self.row_errors(prepared, part), detector, notes=prepared.notes)

    def fit_detector(self, prepared: Prepared) -> tuple[Self, list[Finding]]:
        """The bundle with a detector of the validation part, and findings on the training part."""
        prepared = self.detected(newest_rows(prepared, "train"))
        return fitted_detector(self, lambda part: self.row_errors(prepared, part), seconds_between(prepared))

    @property
    def error_source(self) -> Predicts:
        """Whose errors `detect` looks at: the model's, its linear baseline's, or those of the mean of both.

        Raises:
            ArgumentError: The bundle has no such baseline.
        """
        return with_something_to_read(self._error_source)

    @property
    def _error_source(self) -> Predicts:
        by = self.detect_settings.by
        if by == "model":
            return self.forecast
        peer = next((each for each in self.baselines if type(each).__name__ == self.linear), None)
        if peer is None:
            raise ArgumentError(
                f"the recipe has detect.by: {by}, but the model stands without its linear baseline. Set detect.by: model",
                code="no_linear_baseline",
            )
        if by == "baseline":
            return peer
        return lambda prepared, part, windows: (
            (self.forecast(prepared, part, windows) + peer(prepared, part, windows)) / 2
        )

    def event_stream(self, *, state: Mapping[str, object] | None = None) -> EventStream:
        """Events of rows as they come, of any number of series; see `EventStream`.

        Args:
            state: What `to_json` of another stream of this model gave: it goes on from there.

        Raises:
            ArgumentError: There is no detector, the recipe has what no stream can do, or the state is none of this model.
        """
        detector = self.require_detector()
        made = EventStream(
            self.error_source, self.detect_data, self.scaler, detector, beyond=self.beyond, rebuilds=self.rebuilds
        )
        if state is not None:
            made.restore(state)
        return made

    def state(self) -> tuple[Json, Arrays]:
        """What is saved beside the model: JSON and arrays."""
        words, arrays = dump_baselines(self.baselines)
        naive = {name: values.tolist() for name, values in self.naive.items()}
        state = {"scaler": self.scaler.to_json(), "baselines": words, "naive": naive} | self.detector_state()
        if self.reference is not None:
            reference, sums = self.reference.dump()
            state, arrays = state | {"reference": reference}, arrays | sums
        if self.intervals is None:
            return state, arrays
        intervals, margins = self.intervals.dump()
        return state | {"intervals": intervals}, arrays | margins

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        """The reverse of `state`."""
        scaler, baselines = (
            Scaler.from_json(state["scaler"]),
            restore_baselines(state["baselines"], cls.baseline_kinds, arrays),
        )
        naive = {str(name): np.array(values, dtype=np.float64) for name, values in state["naive"].items()}
        bundle = cls(recipe, model, scaler, baselines, naive, info)
        bundle = replace(bundle, detector=stored_detector(state, Columns.of(bundle.window_data).targets))
        if "intervals" in state:
            steps, targets = window_shape(bundle.window_data).output_steps, Columns.of(bundle.window_data).targets
            intervals = Intervals.restore(state["intervals"], arrays, steps=steps, targets=targets)
            bundle = replace(bundle, intervals=intervals)
        if "reference" in state:
            bundle = replace(bundle, reference=Reference.restore(state["reference"], arrays))
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
        chosen: dict[str, list[str]] = getattr(data, "transforms", {})
        chains = self.scaler.transforms.chains if self.scaler.transforms else [[] for _ in columns.table]
        if chains != [chosen.get(name, []) for name in columns.table]:
            raise ValueError(f"the recipe has the transforms {chosen}, the scaler {chains}")
        words = self.scaler.vocabularies
        if sorted(words) != sorted(columns.categories):
            raise ValueError(f"the recipe has the categories {columns.categories}, the scaler {list(words)}")
        refuse_other_sizes(self.model, category_sizes(words, columns.categories))
        if wrong := [name for name, values in self.naive.items() if values.shape != (len(columns.targets),)]:
            raise ValueError(f"there are {len(columns.targets)} targets, but other denominators of MASE for {wrong[0]}")
        refuse_other_shapes(self.model, self.reads(columns.layout(), shape), self.writes(columns, shape))

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.bundles.exported_windows import ExportedWindows
        from seq2seq_kit.exports.networks import write_network

        made = ExportedWindows(self, frame)
        return made.whole(lambda graph, given: write_network(graph, self.model, given), self.forward)

    def facts(self) -> Json:
        scaler, columns = self.scaler, Columns.of(self.window_data)
        return {
            "series": scaler.series or [],
            "vocabularies": {name: scaler.vocabularies[name] for name in columns.categories},
        }

    def reads(self, layout: Layout, shape: WindowShape) -> list[Shape]:
        """Shape of each input of the model without the batch, by the recipe."""
        past = (shape.input_steps, layout.inputs)
        return [past, (shape.output_steps, len(layout.future))] if layout.future else [past]

    def writes(self, columns: Columns, shape: WindowShape) -> Shape:
        """Shape of the output of the model without the batch, by the recipe."""
        return (shape.output_steps, len(columns.targets))

    @property
    def as_written(self) -> list[str]:
        # The series of a bundle of before are called as pandas read them: 7 where the file has 007.
        return [] if self.scaler.times is None else [*super().as_written, *names_of_categories(self.recipe)]

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.window_data
        used = {*data.series_columns, *data.time_columns, *Columns.of(data).table}
        return [str(name) for name in frame.columns if name not in used]
