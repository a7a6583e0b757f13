"""A next-step model with its states at hand: many aligned sequences at once, fed in chunks of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.calendar import calendar_columns
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.table import refuse_missing
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.windows.prepare import read_rows
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.time_fields import ROWS
from seq2seq_kit.tasks.next_step.data import as_forecast, whole_steps
from seq2seq_kit.tasks.next_step.recipe import NextStepData

if TYPE_CHECKING:
    from seq2seq_kit.tasks.next_step.exported_walk import AnyStepper


class Stream:
    """Running sequences. `NextStepBundle.stream` makes it.

    All sequences are at the same time step: a chunk holds as many rows of each. `states` keep what has been fed, so chunks of
    2 and 3 rows lead to the same states as one chunk of 5 rows.

    Args:
        stepper: The model, step by step.
        scaler: Fitted on the training rows.
        data: The recipe's section.
        names: Names of the sequences.
    """

    def __init__(self, stepper: AnyStepper, scaler: Scaler, data: NextStepData, names: Sequence[str]) -> None:
        self.names = [str(name) for name in names]  # as the names of series are read from a table
        if not self.names or len(set(self.names)) != len(self.names):
            raise ArgumentError(
                f"names must be different names, one for each sequence. Received: names={self.names!r}",
                code="invalid_argument",
            )
        self._stepper, self._scaler, self._data = stepper, scaler, data
        self._codes, self._every = scaler.codes_of(self.names), Every.of(data.every, data.holidays)
        self._states = stepper.zeros(len(self.names))
        self._begun = np.zeros(len(self.names), dtype=bool)
        self._times: pd.DatetimeIndex | None = None  # of the newest chunk
        self._rows = 0

    @property
    def states(self) -> dict[str, np.ndarray]:
        """What has been fed, in numbers: `(sequences, units)` float32 by name, such as `layer_0 h`. May be kept and set again."""
        return {name: state.copy() for name, state in zip(self._stepper.names, self._states, strict=True)}

    @states.setter
    def states(self, given: dict[str, np.ndarray]) -> None:
        names, widths = self._stepper.names, self._stepper.widths
        if not isinstance(given, dict) or set(given) != set(names):
            received = sorted(given) if isinstance(given, dict) else type(given).__name__
            raise ArgumentError(
                f"states must be a dict with {', '.join(names)}. Received: {received}", code="invalid_states"
            )
        taken = []
        for name, width in zip(names, widths, strict=True):
            state, shape = np.asarray(given[name]), (len(self.names), width)
            if state.shape != shape:
                raise ArgumentError(
                    f"states[{name!r}] must have the shape {shape}: a row for each of the {len(self.names)} sequences, a column "
                    f"for each unit. Received: {state.shape}",
                    code="invalid_states",
                )
            if state.dtype != np.float32:
                raise ArgumentError(
                    f"states[{name!r}] must be float32. Received: {state.dtype}. Convert it: state.astype('float32')",
                    code="invalid_states",
                )
            if not np.isfinite(state).all():
                raise ArgumentError(
                    f"states[{name!r}] has cells that are no finite number; take states of this model",
                    code="invalid_states",
                )
            taken.append(state.copy())
        self._states = taken
        self._begun[:] = True
        self._times, self._rows = None, 0  # they tell of other rows than the stream has read

    def feed(
        self, rows: pd.DataFrame | np.ndarray, *, times: pd.DatetimeIndex | None = None
    ) -> pd.DataFrame | np.ndarray:
        """Reads the next rows of every sequence.

        Args:
            rows: A frame as in training, with as many rows of each sequence, at the same times; or an array of the
                recipe's inputs in original units, `(sequences, steps, inputs)`.
            times: Timestamps of an array's steps, where the recipe has a calendar.

        Returns:
            The prediction of the row after each row that was read, in original units: for a frame a frame (series, time or
            row of what is predicted, inputs), for an array an array of its shape.

        Raises:
            ArgumentError: An array of another shape or kind, or without the times that the calendar needs.
            DataError: A frame that does not fit, lacks a sequence, or does not go on right after the rows before.
        """
        if isinstance(rows, pd.DataFrame):
            if times is not None:
                raise ArgumentError(
                    "a frame brings its own times; leave `times` out, or feed an array", code="not_supported"
                )
            values, times = self._read(rows)
        else:
            values, times = self._checked(rows), self._clock(times, np.shape(rows)[1])
        if values.shape[1] == 0:
            return rows
        scaled = self._scaler.transform(values, self._codes)
        after = self._after(times, values.shape[1])
        walk = self._stepper.walk(
            np.concatenate([scaled, self._calendar(after, values.shape[1])], axis=-1),
            self._calendar(None, 0),
            self._states,
        )
        self._states, self._times = walk.states, times
        self._rows, self._begun[:] = self._rows + values.shape[1], True
        predicted = self._scaler.inverse(walk.read, self._codes)
        if isinstance(rows, pd.DataFrame):
            return self._frame(predicted, after, self._rows - values.shape[1] + 2)
        return predicted

    def predict(self, *, steps: int) -> pd.DataFrame:
        """The steps after the newest row, each read from the one before. The stream stays where it is.

        Returns:
            A row for each sequence and step: series, time (or row), `step`, the inputs in original units.

        Raises:
            ArgumentError: Nothing has been fed, or `steps` is no whole number of at least 1.
        """
        steps = whole_steps(steps)
        cold = [name for name, begun in zip(self.names, self._begun, strict=True) if not begun]
        if cold:
            which = f" of {', '.join(cold[:5])}" if any(cold) else ""
            raise ArgumentError(
                f"nothing has been fed{which} since the start or the last reset; feed the known rows first, then predict",
                code="stream_not_started",
            )
        ahead = None
        if self._every is not None and self._times is not None:
            ahead = self._every.ahead(self._times, np.arange(1, steps + 1))
        known = self._calendar(ahead[1:] if ahead is not None else None, steps - 1)
        walk = self._stepper.walk(np.zeros((len(self.names), 0, self._stepper.inputs)), known, self._states)
        values = np.concatenate([walk.newest[:, None], walk.ahead], axis=1)
        return self._frame(self._scaler.inverse(values, self._codes), ahead, self._rows + 1, numbered=True)

    def reset(self, names: Sequence[str] | None = None) -> None:
        """Forgets what was fed of some sequences, all by default: before another sequence takes their place."""
        unknown = [name for name in names or [] if name not in self.names]
        if isinstance(names, str) or unknown:
            raise ArgumentError(
                f"names must be some of {', '.join(self.names)}, in a list. Received: names={names!r}",
                code="invalid_argument",
            )
        picked = [self.names.index(name) for name in (self.names if names is None else names)]
        for state in self._states:
            state[picked] = 0.0
        self._begun[picked] = False
        if not self._begun.any():
            self._times, self._rows = None, 0

    def _read(self, frame: pd.DataFrame) -> tuple[np.ndarray, pd.DatetimeIndex | None]:
        data, origin = self._data, "the chunk"
        table = read_rows(as_forecast(data), frame, origin, self._scaler.times)
        refuse_missing(table, data.inputs, advice="A stream takes no missing cells; fill them in before feeding")
        own = self.names if data.series else [""]
        if set(table.series) != set(own) or len(self.names) != len(own):
            raise DataError(
                f"{origin} must hold the sequences {', '.join(self.names)}. Received: {', '.join(table.series)}. Feed "
                "all of them in each chunk, or make another stream for the others",
                code="wrong_sequences",
            )
        counts = np.diff(table.bounds)
        if len(set(counts.tolist())) > 1 or len(table.segments) > len(table.series):
            told = ", ".join(f"{name}: {count}" for name, count in zip(table.series, counts, strict=True))
            raise DataError(
                f"{origin} must hold the same rows of each sequence, without a gap. Received rows of {told}. Cut the chunk where "
                "all have rows",
                code="unequal_chunks",
            )
        steps = int(counts[0])
        order = [table.series.index(name) for name in own]
        values = table.values[:].reshape(len(own), steps, -1)[order]
        if table.times is None:
            return values, None
        times = table.times[:steps]
        if any(not table.times[first : first + steps].equals(times) for first in table.bounds[:-1]):
            raise DataError(
                f"{origin}: the sequences stand at different times; expected the same times for each of them",
                code="unequal_chunks",
            )
        return values, self._clock(times, steps)

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        if rows.dtype.kind not in "fiu":
            raise ArgumentError(
                f"rows must be an array of numbers of one kind. Received: dtype {rows.dtype}. Convert it: "
                "np.asarray(rows, dtype='float32')",
                code="invalid_argument",
            )
        expected = (len(self.names), "any", len(self._data.inputs))
        if rows.ndim != 3 or rows.shape[0] != expected[0] or rows.shape[2] != expected[2]:
            raise ArgumentError(
                f"rows must have the shape (sequences, steps, inputs) = ({expected[0]}, any, {expected[2]}), the inputs "
                f"{', '.join(self._data.inputs)}. Received: {rows.shape}",
                code="invalid_argument",
            )
        if not np.isfinite(rows).all():
            raise ArgumentError(
                "rows has cells that are no finite number; a stream takes no missing cells, fill them in",
                code="missing_cells",
            )
        return rows.astype(np.float64)

    def _clock(self, times: pd.DatetimeIndex | None, steps: int) -> pd.DatetimeIndex | None:
        """The times of a chunk, if it goes on right after the one before."""
        if times is None:
            if self._data.calendar and steps:
                raise ArgumentError(
                    f"the recipe has a calendar ({', '.join(self._data.calendar)}), so an array needs the timestamps of its "
                    "steps. Give `times`, or feed a frame",
                    code="missing_times",
                )
            if self._times is None or self._every is None:
                return None
            return self._every.ahead(self._times, np.arange(1, steps + 1))  # the rows after those before
        times = pd.DatetimeIndex(times)
        if self._scaler.times is not None and len(times) and self._data.time:
            times = self._scaler.times.bring(times, str(self._data.time_name), "the chunk")
        if self._times is not None and (self._times.tz is None) != (times.tz is None):
            raise DataError(
                f"the times of a stream have a zone or have none, throughout. Received: {times[0]} after {self._times[-1]}",
                code="mixed_utc_offsets",
            )
        if self._data.every == ROWS and len(times) == steps:
            return times
        if self._every is None or len(times) != steps:
            raise ArgumentError(
                f"times must be the timestamps of the {steps} steps{'' if self._every else ', and the recipe has no time'}. "
                f"Received: {len(times)}",
                code="invalid_argument",
            )
        before = self._times
        known = times if before is None else pd.DatetimeIndex(before[-1:].append(times))
        if len(known) > 1 and not np.allclose(np.diff(self._every.ticks(known)), 1, atol=1e-6):
            told = f"after {before[-1]}" if before is not None else "one after the other"
            raise DataError(
                f"the chunk must go on step by step (every {self._every.text}) {told}. Received: {times[0]} to {times[-1]}. "
                "Feed the rows between, or reset() and feed what comes after the gap",
                code="not_continuous",
            )
        return times

    def _after(self, times: pd.DatetimeIndex | None, steps: int) -> pd.DatetimeIndex | None:
        """Times of the rows after each row of a chunk."""
        if times is None or self._every is None or not steps:
            return None
        return pd.DatetimeIndex(times[1:].append(self._every.ahead(times, np.array([1]))))

    def _calendar(self, times: pd.DatetimeIndex | None, steps: int) -> np.ndarray:
        """The calendar of some steps, for each sequence: `(sequences, steps, calendar)`."""
        width = self._stepper.inputs - self._stepper.outputs
        if not width or not steps:
            return np.zeros((len(self.names), steps, width))
        if times is None:
            raise ArgumentError(
                "the recipe has a calendar and the time is not known, because these states were set from elsewhere. Feed the "
                "next rows before predicting more than one step",
                code="missing_times",
            )
        features = calendar_columns(times, self._data.calendar, self._data.holidays)
        return np.broadcast_to(features, (len(self.names), *features.shape))

    def _frame(
        self, values: np.ndarray, times: pd.DatetimeIndex | None, first_row: int, *, numbered: bool = False
    ) -> pd.DataFrame:
        count, steps = values.shape[:2]
        own: dict[str, object] = {}
        kits: dict[str, object] = {}
        if self._data.series:
            own[self._data.series] = np.repeat(np.array(self.names, dtype=object), steps)
        if times is not None:
            own[str(self._data.time_name)] = times[np.tile(np.arange(steps), count)]
        else:
            kits["row"] = np.tile(first_row + np.arange(steps), count)
        if numbered:
            kits["step"] = np.tile(np.arange(1, steps + 1), count)
        columns = {name: values[:, :, position].ravel() for position, name in enumerate(self._data.inputs)}
        return answer_frame(own, columns, kits, order=(0, 2, 1))
