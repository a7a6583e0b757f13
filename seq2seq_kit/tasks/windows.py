"""A run on windows of a table, whatever is predicted of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.anomalies.row_errors import newest_rows
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.on_disk.copied import one_file
from seq2seq_kit.data.tables.categories import category_sizes
from seq2seq_kit.data.tables.memory import require_room, require_room_for_groups
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_on_disk
from seq2seq_kit.data.windows.shown import as_test, on_all_rows
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.evaluation import MODEL, Baseline, Evaluation, Presentation, fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation.baselines import Predictor
from seq2seq_kit.evaluation.naive import require_mase
from seq2seq_kit.evaluation.ridge import Ridge, fit_ridge, forms_of
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.calibration import learned_of, require_calibration
from seq2seq_kit.intervals.prediction import require_own_names
from seq2seq_kit.recipe.fields import WindowData
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.anomaly_page import write_anomaly_page
from seq2seq_kit.reports.interactive import write_interactive
from seq2seq_kit.reports.intervals import plot_intervals
from seq2seq_kit.tasks.beginning import scaler_of
from seq2seq_kit.tasks.job import Job, R, Served
from seq2seq_kit.tasks.judged import check_labels, judge_bundle, labelled_detection, labels_of, unlabelled_board
from seq2seq_kit.tasks.leaving_out import Leavable, leavable_windows
from seq2seq_kit.tasks.rows import rows_of, source_of
from seq2seq_kit.training.fit import Examples, Fit
from seq2seq_kit.training.own import Own, OwnLoss, own_loss, own_metrics
from seq2seq_kit.training.own_scale import loss_by_series, own_ratio

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from seq2seq_kit.anomalies.comparison import Comparison

W = TypeVar("W", bound=WindowBundle)

_ROWS_OF_A_PAGE = 200_000
_EXAMPLES = 24  # windows in the interactive page; the picture shows the first of a spread of six


@dataclass(frozen=True)
class WindowJob(Job[R, W, Evaluation], Generic[R, W]):
    """See `Job`; the folder of each task holds the rest.

    Attributes:
        noun: What is drawn: `forecasts`.
        detects: Whether a model has a detector even if the recipe does not ask for one.
        prepared: The rows and their windows.
        chosen_on: Where the baselines choose, if not on `prepared`.
    """

    unit: ClassVar[str] = "windows"
    noun: ClassVar[str] = "forecasts"
    detects: ClassVar[bool] = False

    examples: Examples = field(init=False)
    prepared: Prepared
    chosen_on: Prepared | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", self.made_of(self.prepared))

    def made_of(self, prepared: Prepared) -> Examples:
        """What the model is fitted on."""
        return prepared

    @classmethod
    def open(cls, recipe: R, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the rows."""
        section = recipe.data
        assert isinstance(section, WindowData)
        if section.read == "row_groups":
            if data is not None:
                raise RecipeError(
                    "data.read: row_groups reads the file that data.source names. Received: a DataFrame as `data`. Leave `data` "
                    "out, or set data.read: memory",
                    code="row_groups_need_a_file",
                )
            path = str(one_file(source_of(recipe), section))
            require_room_for_groups(path)
            prepared, rows = prepare_on_disk(section, path, origin=str(recipe.source))
            return cls(recipe, rows, prepared)
        if data is None:
            require_room(source_of(recipe))
        frame, origin = rows_of(recipe, data)
        return cls(recipe, frame, prepare(section, frame, origin=origin))

    @property
    def columns(self) -> list[str]:
        data, columns = self.prepared.data, self.prepared.columns
        return list(dict.fromkeys([*data.series_columns, *data.time_columns, *columns.numbers, *columns.words]))

    @property
    def series(self) -> list[str]:
        return self.prepared.table.series

    @property
    def category_sizes(self) -> list[int]:
        """Codes of each category of the model, in its order."""
        return category_sizes(self.prepared.scaler.vocabularies, self.prepared.columns.categories)

    @property
    def _level_free(self) -> list[str]:
        """Columns of which the model reads how they lie beside the window's own level."""
        columns = self.prepared.columns
        if getattr(self.recipe.model, "normalise", "none") != "none":
            return [name for name in columns.inputs if name not in columns.known_future]  # those it reads as they are
        return columns.targets if columns.window_scaling == "standard" else []

    def check(self) -> list[Finding]:
        if self.levels:
            require_own_names(self.prepared.columns.targets, self.levels)
            require_calibration(self.prepared, self.levels)
        if self.recipe.training.monitor == "val_mase":
            require_mase(self.prepared)
        return [
            *check_data(self.prepared, level_free=self._level_free),
            *check_labels(
                self.recipe,
                self.source,
                self.prepared,
                detects=self.wants_detector,
                test=self.prepared.split.rows("test"),
            ),
        ]

    @property
    def levels(self) -> list[float]:
        """Of the intervals that the recipe asks for; empty where it asks for none."""
        return getattr(self.recipe, "levels", None) or []

    @property
    def learned(self) -> dict[str, object]:
        """For a bundle's info: the rows that it must not be calibrated on."""
        return dict(learned_of(self.prepared))

    def folds(self, count: int) -> Sequence[Self]:
        return [replace(self, prepared=fold) for fold in self.prepared.folds(count)]

    def joined(self) -> Self:
        return replace(self, prepared=self.prepared.joined(), chosen_on=self.prepared)

    def on_all_rows(self) -> Self:
        return replace(self, prepared=on_all_rows(self.prepared), chosen_on=self.chosen_on or self.prepared)

    def seen_by(self, bundle: W) -> Self:
        # After a training the scaler is this very one; a run that is evaluated later may find other rows in its source.
        same = bundle.scaler is self.prepared.scaler
        return self if same else replace(self, prepared=self.prepared.with_scaler(bundle.scaler))

    @property
    def view(self) -> Presentation:
        """How the model sees a window: its linear baseline sees it likewise."""
        return Presentation()

    def bring(self, own: Own, start: Bundle | None) -> Self:
        """As of `Job`; the rows are scaled as those of the model that it starts from, whose weights know no other scale."""
        job = super().bring(own, start)
        if start is None:
            return job
        scaler = scaler_of(start, self.recipe, self.prepared.scaler)
        return replace(job, prepared=self.prepared.with_scaler(scaler))

    def objective(self) -> tuple[OwnLoss | None, list[keras.Metric]]:
        columns, own = self.prepared.columns, self.own or Own()
        metrics = own_metrics(own.metrics, masked=columns.masked)
        if own.loss is None:
            return None, metrics
        shape = (self.prepared.windows["train"].shape.output_steps, len(columns.targets))
        weighted = columns.weight is not None
        return own_loss(own.loss, masked=columns.masked, weighted=weighted, shape=shape), metrics

    def validation(self, model: keras.Model) -> Callable[[], float] | None:
        ratio = own_ratio(self.prepared)
        if ratio is None or (self.own and self.own.loss is not None):
            return None
        from seq2seq_kit.models.inference import compile_forward

        forward, prepared, loss = compile_forward(model), self.prepared, getattr(self.recipe.training, "loss", "mse")
        return lambda: loss_by_series(
            lambda windows: forward(prepared.arrays("val", windows)),
            lambda windows: prepared.scaled_targets("val", windows),
            prepared.series_of("val"),
            ratio,
            loss,
            self.step_weights,
        )

    def figures(self, model: keras.Model) -> Callable[[], dict[str, float]] | None:
        if self.recipe.training.monitor != "val_mase":
            return None
        from seq2seq_kit.models.inference import compile_points

        forward, prepared, scale = compile_points(model), self.prepared, 1 / naive_error(self.prepared)
        return lambda: {
            "val_mase": loss_by_series(
                lambda windows: prepared.restore(forward(prepared.arrays("val", windows)), "val", windows),
                lambda windows: prepared.truth("val", windows),
                prepared.series_of("val"),
                scale,
                "mae",
            )
        }

    @property
    def step_weights(self) -> np.ndarray | None:
        """What each output step counts in the loss, shape `(output_steps,)`; None where all count alike."""
        return None

    @property
    def leavable(self) -> Leavable:
        assert isinstance(self.examples, Prepared)  # no other task of windows knows the key
        return leavable_windows(self.examples)

    def baselines(self) -> tuple[list[Baseline], dict[str, np.ndarray]]:
        """The fitted baselines, and MASE's denominators by series: those of a forecast."""
        naive = dict(zip(self.series, naive_error(self.prepared), strict=True))
        return fit_forecast_baselines(self.prepared, chosen_on=self.chosen_on, ridge=self.ridge), naive

    @cached_property
    def ridge(self) -> Ridge:
        """The linear forecast, fitted once."""
        return fit_ridge(self.prepared, forms_of(self.prepared, self.view), chosen_on=self.chosen_on)

    def detecting(self, bundle: W) -> tuple[W, list[Finding]]:
        if self.levels:
            bundle = bundle.fit_intervals(self.seen_by(bundle).prepared, self.levels)
        return bundle.fit_detector(self.prepared) if self.wants_detector else (bundle, [])

    def remembered(self, bundle: W) -> W:
        return bundle.with_reference(self.seen_by(bundle).prepared)

    @property
    def wants_detector(self) -> bool:
        """Whether the model gets a detector."""
        return self.detects or getattr(self.recipe, "detect", None) is not None

    def judged(self, bundle: W) -> Comparison | None:
        judges = bundle.detector is not None and self.evaluated == "test"
        rows = labels_of(self.recipe, self.source, self.prepared) if judges else None
        if rows is None:
            return None
        return judge_bundle(bundle, self.seen_by(bundle).prepared, rows, seed=self.recipe.seed)

    def unlabelled(self, bundle: W, board: Evaluation) -> Evaluation:
        rows = labels_of(self.recipe, self.source, self.prepared)
        return board if rows is None else unlabelled_board(bundle, board, self.seen_by(bundle).prepared, rows)

    def report(self, bundle: W, part: str) -> Evaluation:
        return bundle.evaluate_part(self.seen_by(bundle).prepared, part)

    def plots(self, bundle: W, fitted: Fit, test: Evaluation, folder: Path) -> dict[str, Figure]:
        predictors: dict[str, Predictor] = {MODEL: bundle.forecast} | {peer.name: peer for peer in bundle.baselines}
        name = self.recipe.name or self.recipe.task
        title = f"{self.noun.capitalize()} of the {self.evaluated} windows: {name}"
        bands = None if bundle.intervals is None else bundle.with_intervals
        shown = plots.pick_examples(self.prepared, self.evaluated, predictors, count=6, bands=bands)
        many = plots.pick_examples(self.prepared, self.evaluated, predictors, count=_EXAMPLES, bands=bands)
        write_interactive(many, folder / f"{self.noun}.html", title=title)
        if bundle.detector is not None:
            found = self._newest(bundle)
            page, units = folder / "anomalies.html", self.prepared.data.units
            write_anomaly_page(found, page, title=f"Anomalies of the {self.evaluated} part: {name}", units=units)
        own = {} if test.intervals is None else {"intervals": plot_intervals(test.intervals)}
        figures = {self.noun: plots.plot_examples(shown, title=title), "error_by_step": plots.plot_error_by_step(test)}
        return figures | own

    def _newest(self, bundle: W) -> Detection:
        """The detection of the part `evaluated`, or of so many of its rows as a page can hold."""
        part = self.evaluated
        kept = newest_rows(self.prepared, part, _ROWS_OF_A_PAGE)
        left, used = (int(np.diff(rows.rows[part]).sum()) for rows in (self.prepared, kept))
        found = labelled_detection(bundle.detection(kept, part), self.recipe, self.source, self.prepared)
        if left == used:
            return found
        said = f"the newest {used:,} of the {left:,} rows of the {part} part are here; `detect --page` shows others"
        return replace(found, unreached=found.unreached - (left - used), notes=[*found.notes, said])

    def served(self, bundle: W) -> Mapping[str, tuple[Served, Served]]:
        arrays = self.examples.arrays(self.evaluated, np.array([0]))
        return served_examples(bundle, as_test(self.prepared, self.evaluated), self.source, arrays=arrays)
