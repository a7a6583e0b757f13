"""A trained next-step model: forecasts of any length by feeding back, and streams with states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.arguments import require_flags
from seq2seq_kit.bundles.base import Shape
from seq2seq_kit.bundles.frames import forecast_frame, in_chunks, newest_windows
from seq2seq_kit.bundles.golden import golden_sequences
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.prepare import Prepared, prepare_ahead
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.evaluation.stored import baseline_named
from seq2seq_kit.exports.session import Network
from seq2seq_kit.intervals.pending import keys_of
from seq2seq_kit.recipe.fields import HorizonData
from seq2seq_kit.tasks.next_step.data import as_forecast, whole_steps, window_steps
from seq2seq_kit.tasks.next_step.recipe import NextStepRecipe
from seq2seq_kit.tasks.next_step.stream import Stream
from seq2seq_kit.tasks.rolling import baseline_ahead, plot_ahead

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seq2seq_kit.exports.program import Program
    from seq2seq_kit.tasks.next_step.exported_walk import AnyStepper


@dataclass(frozen=True)
class NextStepBundle(WindowBundle):
    """A trained next-step model; see `WindowBundle`."""

    what: ClassVar[str] = "a forecast"

    recipe: NextStepRecipe

    @property
    def window_data(self) -> HorizonData:
        return as_forecast(self.recipe.data)

    def reads(self, layout: Layout, shape: WindowShape) -> list[Shape]:
        if isinstance(self.model, Network):  # any number of steps, what is known of those ahead, and states
            known = layout.inputs - len(layout.targets)
            return [(None, layout.inputs), (None, known), *(port.shape[1:] for port in self.model.inputs[2:])]
        return [(None, layout.inputs), (None,)]  # any number of steps, and which of them are there

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        steps: int | None = None,
        future: pd.DataFrame | None = None,
        all_windows: bool = False,
        baseline: str | None = None,
        levels: Sequence[float] | None = None,
        quantiles: bool = False,
        samples: int | None = None,
        seed: int = 0,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """Forecasts the steps after the newest rows of each series: warms up on `input_steps` rows, then is autoregressive.

        Args:
            frame: Rows with the recipe's columns, at least `input_steps` for each series; other columns are left alone.
            steps: Rows to predict, any number; default: the recipe's `output_steps`.
            future: For models with `known_future` columns, which this one is not.
            all_windows: From every window whose steps ahead lie in the rows or right behind them, not only the newest.
            baseline: Name of a baseline that forecasts instead of the model: `ridge`, `last value`, `seasonal naive`.
            levels: Of the intervals, in percent: [80, 95]; default: the recipe's, `()` for none. They are conformal, and known up
                to the recipe's `output_steps`.
            quantiles: Columns by probability (`sold_q0.1`) instead of by level.
            samples: So many sample paths of each forecast instead of it: the steps of a path belong together, and at each step
                the paths have the quantiles of the intervals.
            seed: Of the sample paths.
            origin: Name of the file for messages.

        Returns:
            A row for each series and step: the series (if the recipe has any), the time (or `row`, counted from 1), `step`,
            and one column for each input in original units, behind it those of its intervals where the model has such.

        Raises:
            ArgumentError: `steps` is no whole number of at least 1, or there is a `future`, or no such baseline, or there are no
                intervals of a level, or no sample paths.
            DataError: The rows do not fit; the message names column, row or series.
        """
        if future is not None:
            raise ArgumentError(
                "a next-step model has no known_future columns, so it takes no `future` (--future)",
                code="not_supported",
            )
        peer = None if baseline is None else baseline_named(self.baselines, baseline)
        name = MODEL if peer is None else peer.name
        data = as_forecast(self.recipe.data).model_copy(update={"window_stride": 1})
        trained = data.output_steps
        steps = trained if steps is None else whole_steps(steps)
        require_flags(all_windows=all_windows, quantiles=quantiles)
        if samples is not None:
            self.require_paths(name, samples, steps, levels=levels, quantiles=quantiles, seed=seed)
        asked = () if samples else self.interval_levels(name, levels, quantiles=quantiles)
        rng = np.random.default_rng(seed if samples else 0)
        # A baseline forecasts in blocks of the steps that it was fitted for.
        blocks = steps if peer is None else -(-steps // trained) * trained
        data = data.model_copy(update={"output_steps": blocks})
        prepared = prepare_ahead(data, frame, self.scaler, origin=origin)
        count = prepared.windows["test"].count

        def ahead(prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
            if peer is not None:
                values = baseline_ahead(peer, prepared, chunk, trained)[:, :steps]
            else:
                values = self.forecast(prepared, "test", chunk)
            series = [prepared.table.series[each] for each in prepared.series_of("test", chunk)]
            if name == MODEL and not all_windows:
                self.remember(values, series, keys_of(prepared.table, prepared.windows["test"].target_rows(chunk)))
            if samples:
                paths = self.paths(name, values, series, samples, rng)
                return forecast_frame(prepared, chunk, paths, paths=samples)
            columns = self.around(name, values, series, asked, quantiles=quantiles)[1]
            return forecast_frame(prepared, chunk, columns)

        return in_chunks(prepared, np.arange(count) if all_windows else newest_windows(prepared), ahead)

    def plot(self, frame: pd.DataFrame, *, origin: str = "the data") -> Figure:
        """The newest rows of each series and their forecast, up to six series; `frame` as for `predict`."""
        data = as_forecast(self.recipe.data).model_copy(update={"window_stride": 1})
        prepared = prepare_ahead(data, frame, self.scaler, origin=origin)
        bands = None if self.intervals is None else self.with_intervals
        return plot_ahead(self.forecast, prepared, self.recipe.name or self.recipe.task, bands)

    def stream(self, names: Sequence[str] = ("",)) -> Stream:
        """Sequences to be fed in chunks of any length, each with states of its own.

        Args:
            names: One for each sequence; where the recipe has no series column a single one may go without a name.

        Raises:
            ArgumentError: No names, or one name twice.
            DataError: The recipe scales each series by itself and one of these was not in its training rows.
        """
        if isinstance(names, str):
            raise ArgumentError(
                f"names must be a list with a name for each sequence. Received: names={names!r}",
                code="invalid_argument",
            )
        if self.recipe.data.series and not all(names):
            raise ArgumentError(
                f"the recipe tells sequences apart by {self.recipe.data.series}; name those of the stream: stream(['A', 'B'])",
                code="invalid_argument",
            )
        return Stream(self.stepper, self.scaler, self.recipe.data, names)

    @property
    def detect_data(self) -> HorizonData:
        # What the model is trained for: the next row after each one.
        return self.window_data.model_copy(update={"window_stride": 1, "output_steps": 1})

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, inputs)`."""
        walk = self.stepper.walk(*window_steps(prepared, part, windows))
        scaled = np.concatenate([walk.newest[:, None], walk.ahead], axis=1)
        return prepared.restore(scaled, part, windows)

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.tasks.next_step.exported import next_step_programs

        return next_step_programs(self, frame)

    @cached_property
    def stepper(self) -> AnyStepper:
        """The model, one step at a time."""
        if isinstance(self.model, Network):
            from seq2seq_kit.tasks.next_step.exported_walk import ExportedStepper

            return ExportedStepper(self.model)
        from seq2seq_kit.models.next_step import Stepper

        return Stepper(self.model)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.recipe.data
        return [str(name) for name in frame.columns if name not in {data.series, *data.time_columns, *data.inputs}]

    def golden(self) -> list[np.ndarray]:
        """Inputs of the model whose output is stored beside it."""
        return golden_sequences(int(self.model.inputs[0].shape[-1]))
