"""A trained forecast: the steps after the newest rows of each series."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.stream import EventStream
from seq2seq_kit.arguments import require, require_flags
from seq2seq_kit.bundles.base import Shape
from seq2seq_kit.bundles.frames import forecast_frame, in_chunks, newest_windows
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.windows.ahead import split_ahead, told_of_new_series
from seq2seq_kit.data.windows.newest import Newest, NewestReader
from seq2seq_kit.data.windows.prepare import Prepared, prepare_ahead
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.evaluation.stored import baseline_named
from seq2seq_kit.exports.refusing import refused
from seq2seq_kit.intervals.pending import keys_of, nanoseconds
from seq2seq_kit.intervals.prediction import Prediction, as_prediction, first_steps, probabilities_of
from seq2seq_kit.recipe.ensemble_fields import lengths_of
from seq2seq_kit.tasks.forecast.no_model import NoModelRecipe
from seq2seq_kit.tasks.forecast.quantiles import in_original_units, quantile_levels
from seq2seq_kit.tasks.forecast.recipe import ForecastData, ForecastRecipe
from seq2seq_kit.tasks.rolling import baseline_ahead, plot_ahead, require_rolling, roll_forward

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seq2seq_kit.exports.program import Program


@dataclass(frozen=True)
class ForecastBundle(WindowBundle):
    """A trained forecast over a horizon; see `WindowBundle`."""

    what: ClassVar[str] = "a forecast"

    recipe: ForecastRecipe | NoModelRecipe

    @property
    def window_data(self) -> ForecastData:
        return self.recipe.data

    @property
    def chosen(self) -> str | None:
        """Name of the baseline that forecasts where none is asked for; None: the model does."""
        return None

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
        """Forecasts the steps after the newest rows of each series.

        Args:
            frame: Rows with the recipe's columns, at least `input_steps` for each series; other columns are left alone.
            steps: Rows to predict; default: the recipe's `output_steps`. More of them are forecast autoregressively, block by
                block, with a warning; fewer cut the output.
            future: Values of the recipe's `known_future` columns for the steps ahead, where it has any: whole blocks of
                `output_steps`. They may stand in `frame`, too: its last rows of each series that have nothing else.
            all_windows: From every window whose steps ahead lie in the rows or right behind them, not only the newest. Windows
                that end in a cell interpolated towards a later row are left out, as in training.
            baseline: Name of a baseline that forecasts instead of the model: `ridge`, `last value`, `seasonal naive`.
            levels: Of the intervals, in percent: [80, 95]; default: the recipe's, `()` for none.
            quantiles: Columns by probability (`sold_q0.1`) instead of by level.
            samples: So many sample paths of each forecast instead of it: the steps of a path belong together, and at each step
                the paths have the quantiles of the intervals.
            seed: Of the sample paths.
            origin: Name of the file for messages.

        Returns:
            A row for each series and step: the series (if the recipe has any), the time (or `row`, counted from 1, where
            the recipe has no time), `step` from 1 to `steps`, and one column for each target in original units, behind it
            those of its intervals where the model has such: `sold`, `sold_lo_80`, `sold_hi_80`.

        Raises:
            ArgumentError: The bundle is no forecast, or more steps are asked for and it does not predict all that it reads, or
                there is no such baseline, or there are no intervals of a level, or no sample
                paths.
            DataError: The rows do not fit; the message names column, row or series.

        The result's `attrs["notes"]` say what was done to the rows (sorted, filled, cut at gaps).
        """
        recipe = self.recipe
        if future is not None:
            require("future", future, pd.DataFrame, "a table of rows")
        trained = recipe.data.output_steps
        steps = trained if steps is None else _whole(steps)
        baseline = self.chosen if baseline is None else baseline
        peer = None if baseline is None else baseline_named(self.baselines, baseline)
        name = MODEL if baseline is None or peer is None or baseline == self.chosen else peer.name
        require_flags(all_windows=all_windows, quantiles=quantiles)
        if samples is not None:
            self.require_paths(name, samples, steps, levels=levels, quantiles=quantiles, seed=seed)
        asked = () if samples else self.interval_levels(name, levels, quantiles=quantiles)
        if self._reader and peer is None and steps <= trained and future is None and not (all_windows or samples):
            newest = self._reader.read(frame)
            if newest is not None:
                frame = pd.DataFrame(self._forecast_of(newest, steps, asked, quantiles=quantiles))
                frame.attrs["notes"] = []
                return frame
        rng = np.random.default_rng(seed if samples else 0)
        # The newest rows, and every window, whatever the stride that the training took.
        data = recipe.data.model_copy(update={"window_stride": 1})
        if future is not None and not data.known_future:
            raise ArgumentError(
                "this model has no known_future columns, so it takes no `future` (--future). Received: a frame with "
                f"{', '.join(map(str, future.columns))}. Leave it out",
                code="not_supported",
            )
        if steps > trained:
            require_rolling(data, steps)
            warnings.warn(
                f"this model was trained for {trained} steps; from step {trained + 1} to {steps} the forecast is autoregressive, "
                "so errors add up. Train with a larger output_steps, or trust the far steps less"
                + (". Intervals end with the steps that they were calibrated for" if asked else ""),
                stacklevel=2,
            )
            data = data.model_copy(update={"output_steps": -(-steps // trained) * trained})
        frame, future, notes = self._rows_ahead(data, frame) if future is None else (frame, future, [])
        prepared = prepare_ahead(data, frame, self.scaler, future=future, least=self._least, origin=origin)
        notes = [*notes, *told_of_new_series(prepared.table.series, self.naive)]
        prepared = replace(prepared, notes=[*prepared.notes, *notes])
        count = prepared.windows["test"].count

        def ahead(prepared: Prepared, chunk: np.ndarray) -> pd.DataFrame:
            if peer is not None:
                values: np.ndarray | Prediction = baseline_ahead(peer, prepared, chunk, trained)
            elif steps <= trained:
                values = self.predicted(prepared, "test", chunk)
            else:
                values = self._rolled(prepared, chunk, trained)
            series = [prepared.table.series[each] for each in prepared.series_of("test", chunk)]
            predicted = first_steps(values, steps)
            if name == MODEL and not all_windows:
                self.remember(predicted, series, keys_of(prepared.table, prepared.windows["test"].target_rows(chunk)))
            if samples:
                paths = self.paths(name, predicted, series, samples, rng)
                return forecast_frame(prepared, chunk, paths, paths=samples)
            columns = self.around(name, predicted, series, asked, quantiles=quantiles)[1]
            return forecast_frame(prepared, chunk, columns)

        return in_chunks(prepared, np.arange(count) if all_windows else newest_windows(prepared), ahead)

    @property
    def _least(self) -> int:
        """The fewest steps that a member reads."""
        return min(lengths_of(self.recipe.ensemble), default=self.recipe.data.input_steps)

    def plot(self, frame: pd.DataFrame, *, future: pd.DataFrame | None = None, origin: str = "the data") -> Figure:
        """The newest rows of each series and their forecast, up to six series.

        Args:
            frame: As for `predict`; likewise `future` and `origin`.
        """
        data = self.recipe.data.model_copy(update={"window_stride": 1})
        rows, future, _ = self._rows_ahead(data, frame) if future is None else (frame, future, None)
        prepared = prepare_ahead(data, rows, self.scaler, future=future, least=self._least, origin=origin)
        bands = None if self.intervals is None else self.with_intervals
        return plot_ahead(self.forecast, prepared, self.recipe.name or self.recipe.task, bands)

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What MLflow serves: the forecast of `predict`.

        A recipe with `known_future` columns takes the rows ahead in the same frame, at the end of each series: those columns
        filled, the others empty.
        """
        rows, future = split_ahead(frame, self.recipe.data)
        return self.predict(rows, future=future)

    @staticmethod
    def _rows_ahead(data: ForecastData, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
        """Rows at hand, those ahead at the end of each series, and what to say of them; none of models that observe nothing."""
        if not set(data.inputs) - {*data.known_future, *data.static}:
            return frame, None, []
        rows, future = split_ahead(frame, data)
        if future is None:
            return rows, None, []
        known = ", ".join(data.known_future)
        said = f"the last {len(future)} rows hold {known} alone and count as the steps ahead"
        return rows, future, [said]

    def stream(self, *, state: Mapping[str, object] | None = None) -> EventStream:
        """Events of rows as they come, of any number of series: `event_stream`."""
        return self.event_stream(state=state)

    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, targets)`."""
        return as_prediction(self.predicted(prepared, part, windows)).point

    def predicted(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray | Prediction:
        """As `forecast`, with the quantiles of a model that writes such."""
        written, levels = self.forward(prepared.arrays(part, windows)), quantile_levels(self.recipe)

        def restore(scaled: np.ndarray) -> np.ndarray:
            return prepared.restore(scaled, part, windows)

        return in_original_units(written, levels, restore) if levels else restore(written)

    def _rolled(self, prepared: Prepared, windows: np.ndarray, trained: int) -> np.ndarray | Prediction:
        """More steps than the model was trained for; quantiles, of a model that writes such, of the first block only."""
        levels, written = quantile_levels(self.recipe), list[np.ndarray]()

        def forward(arrays: Sequence[np.ndarray]) -> np.ndarray:
            written.append(self.forward(arrays))
            return written[-1][..., len(levels)] if levels else written[-1]

        def restore(scaled: np.ndarray) -> np.ndarray:
            return prepared.restore(scaled, "test", windows)

        point = restore(roll_forward(forward, prepared, windows, trained))
        if not levels:
            return point
        quantiles = np.full((*point.shape, written[0].shape[-1]), np.nan)
        quantiles[:, :trained] = in_original_units(written[0], levels, restore).quantiles
        return Prediction(point, levels, quantiles)

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        if self.chosen is not None:
            raise refused(f"this forecast is made by the baseline {self.chosen}, without a network")
        return super().programs(frame)

    def writes(self, columns: Columns, shape: WindowShape) -> Shape:
        levels = quantile_levels(self.recipe)
        return (*super().writes(columns, shape), *([len(probabilities_of(levels))] if levels else []))

    @cached_property
    def _reader(self) -> NewestReader | None:
        return NewestReader.of(self.recipe.data, self.scaler)

    def predict_columns(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        newest = None if self._reader is None or self.chosen is not None else self._reader.read_columns(columns)
        if newest is None:
            return None
        levels = self.interval_levels(MODEL, None, quantiles=False)
        return self._forecast_of(newest, self.recipe.data.output_steps, levels, quantiles=False)

    def _forecast_of(
        self, newest: Newest, steps: int, levels: Sequence[float], *, quantiles: bool
    ) -> dict[str, np.ndarray]:
        """The columns of `predict` for a single window."""
        targets = self.recipe.data.targets
        written, levels_written = self.forward(newest.arrays)[:, :steps], quantile_levels(self.recipe)

        def restore(scaled: np.ndarray) -> np.ndarray:
            return self.scaler.inverse(scaled[0], np.zeros(1, np.int64), targets)[None]

        found = in_original_units(written, levels_written, restore) if levels_written else restore(written)
        labels = {name: label[:steps] for name, label in newest.labels.items()}
        if self.intervals is not None:
            time = self.recipe.data.time_name
            at = newest.labels["row"] - 1 if time is None else nanoseconds(pd.DatetimeIndex(newest.labels[time]))
            self.remember(found, [""], at[None, :steps])
        columns = self.around(MODEL, found, [""], levels, quantiles=quantiles)[1]
        return labels | {name: column[0] for name, column in columns.items()}


def _whole(steps: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ArgumentError(
            f"steps must be a whole number of at least 1. Received: steps={steps!r}", code="invalid_argument"
        )
    return int(steps)
