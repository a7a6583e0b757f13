"""A run on windows of a table, whatever is predicted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.data.tables.memory import require_room, require_room_for_groups
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_on_disk
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe, WindowData
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.model_diagram import plot_model
from seq2seq_kit.tasks.job import rows_of, source_of
from seq2seq_kit.training.fit import Fit, Observer, fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure


_EXAMPLES = 24  # windows in the interactive page; the picture shows the first of a spread of six


@dataclass(frozen=True)
class WindowJob:
    """See `Job`; the rest stands in the folder of each task.

    Attributes:
        chosen_on: Where the baselines choose, if not on `examples`.
        noun: What is drawn: `forecasts`.
    """

    unit: ClassVar[str] = "windows"
    noun: ClassVar[str]

    recipe: Recipe
    source: pd.DataFrame | FrameOnDisk
    examples: Prepared
    chosen_on: Prepared | None = None

    @classmethod
    def open(cls, recipe: Recipe, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the rows."""
        section = recipe.data
        assert isinstance(section, WindowData)
        if section.read == "row_groups":
            if data is not None:
                raise RecipeError(
                    "data.read: row_groups reads the file that data.source names. Received: a DataFrame as `data`. Leave `data` "
                    "out, or set data.read: memory"
                )
            require_room_for_groups(source_of(recipe))
            prepared, rows = prepare_on_disk(section, source_of(recipe))
            return cls(recipe, rows, cls._prepared(recipe, prepared))
        if data is None:
            require_room(source_of(recipe))
        frame, origin = rows_of(recipe, data)
        return cls(recipe, frame, cls._prepared(recipe, prepare(section, frame, origin=origin)))

    @staticmethod
    def _prepared(recipe: Recipe, prepared: Prepared) -> Prepared:
        return prepared

    @property
    def columns(self) -> list[str]:
        data = self.examples.data
        return [name for name in (data.series, data.time) if name] + self.examples.table.columns

    @property
    def series(self) -> list[str]:
        return self.examples.table.series

    def check(self) -> list[Finding]:
        return check_data(self.examples)

    def folds(self, count: int) -> Sequence[Self]:
        return [replace(self, examples=fold) for fold in self.examples.folds(count)]

    def joined(self) -> Self:
        return replace(self, examples=self.examples.joined(), chosen_on=self.examples)

    def seen_by(self, bundle: WindowBundle) -> Self:
        # After a training the scaler is this very one; a run that is evaluated later may find other rows in its source.
        same = bundle.scaler is self.examples.scaler
        return self if same else replace(self, examples=self.examples.with_scaler(bundle.scaler))

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        recipe = self.recipe
        return fit(model, self.examples, recipe.training, seed=recipe.seed, stop_after=stop_after, observers=observers)

    def report(self, bundle: WindowBundle, part: str) -> Evaluation:
        return bundle.evaluate_part(self.seen_by(bundle).examples, part)

    def draw(self, bundle: WindowBundle, fitted: Fit, test: Evaluation, folder: Path) -> None:
        predictors = {MODEL: bundle.forecast} | {peer.name: peer for peer in bundle.baselines}
        title = f"{self.noun.capitalize()} of the test windows: {self.recipe.name or self.recipe.task}"
        shown = plots.pick_examples(self.examples, "test", predictors, count=6)
        figures = {
            "loss_curves": plots.plot_losses(fitted),
            self.noun: plots.plot_examples(shown, title=title),
            "error_by_step": plots.plot_error_by_step(test),
            "model": plot_model(bundle.model),
        }
        plots.save(figures | self.more_figures(bundle), folder)
        many = plots.pick_examples(self.examples, "test", predictors, count=_EXAMPLES)
        plots.write_interactive(many, folder / f"{self.noun}.html", title=title)

    def more_figures(self, bundle: WindowBundle) -> dict[str, Figure]:
        """Figures that only this task has."""
        return {}

    def served(self, bundle: WindowBundle) -> Mapping[str, tuple[Any, Any]]:
        return served_examples(bundle, self.examples, self.source)
