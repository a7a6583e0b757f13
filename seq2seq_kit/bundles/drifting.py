"""Bundles that watch new rows for drift: what they keep of their rows at training, and the comparison."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.row_errors import newest_rows, row_errors
from seq2seq_kit.bundles.intervals import IntervalBundle
from seq2seq_kit.bundles.watching import with_something_to_read
from seq2seq_kit.data.tables.categories import UNKNOWN, recoded
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.silence import carried_rows, prepare_watched
from seq2seq_kit.drift.comparing import compare_group
from seq2seq_kit.drift.reference import Cells, Group, Reference, block_rows
from seq2seq_kit.drift.result import Compared, Drift
from seq2seq_kit.drift.stretches import needed
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Data

RATE = 0.05
_MOST_ROWS = 1_000_000  # newest rows of all series together that inputs are summed of
_MOST_ANSWERED = 100_000  # newest rows of a part whose predictions are asked for
_MOST_JUDGED = 4_096  # windows whose intervals are
_CHUNK = 1_024
_LOWEST_RATE, _HIGHEST_RATE = 0.001, 0.5


class DriftBundle(IntervalBundle):
    """A bundle of windows that tells whether new rows are such as those of its training.

    Attributes:
        reference: What new rows are compared with; None of a bundle that was written before there was any.
        rebuilds: As of `WindowBundle`.
    """

    rebuilds: ClassVar[bool]
    reference: Reference | None

    @property
    @abstractmethod
    def detect_data(self) -> Data:
        """The section with the windows that errors of rows are taken of."""

    def watch(self, frame: pd.DataFrame, *, false_alarms: float = RATE, origin: str = "the data") -> Drift:
        """Whether inputs, errors and the coverage of intervals are as they were at training.

        Args:
            frame: Rows with the recipe's columns, in which cells may be missing; columns that are only predicted may be absent.
            false_alarms: Of the comparison of the inputs, and of that of errors and coverage: in at most so many cases there is
                an alarm though nothing has changed.
            origin: Name of the file for messages.

        Raises:
            ArgumentError: The bundle has no reference, or `false_alarms` is out of its range.
            DataError: The rows do not fit, or are too few.
        """
        if not _LOWEST_RATE <= false_alarms <= _HIGHEST_RATE:
            said = f"false_alarms must be a share from {_LOWEST_RATE} to {_HIGHEST_RATE}. Received: {false_alarms!r}"
            raise ArgumentError(said, code="invalid_argument")
        reference = self.require_reference()
        prepared = self._watched(frame, origin)
        names, remarks = prepared.table.series, list[Finding]()
        if missing := [name for name in reference.series or [] if name not in names]:
            said = (
                f"{len(missing)} of the {len(reference.series or [])} series of the training are not among these rows"
            )
            remarks.append(Finding("series_missing", "note", said, "The others are compared with their own past"))
        every = _all_rows(prepared)
        longest = int((every[:, 1] - every[:, 0]).max(initial=0))
        if longest < reference.rows:
            raise DataError(
                f"{origin}: the longest series has {longest} rows. Expected at least {reference.rows}, a block of the reference. "
                "Watch longer stretches",
                code="too_few_rows_to_watch",
            )
        inputs = self._input_cells(prepared, every)
        center, scale = self._units(reference.inputs.columns)
        found = compare_group(reference.inputs, inputs, reference, names, false_alarms, center, scale)
        groups = [found] if isinstance(found, Compared) else []
        remarks += [found] if isinstance(found, Finding) else []
        if reference.answers is not None:
            answered = self._answers(prepared, ["test"], every)
            told = self._of_answers(reference, answered, names, false_alarms)
            groups += [told] if isinstance(told, Compared) else []
            remarks += [told] if isinstance(told, Finding) else []
        if not groups:
            raise DataError(
                f"{origin}: nothing of these rows can be compared: {remarks[-1].text}", code="too_few_rows_to_watch"
            )
        for each in groups:
            if each.rows < each.given:
                said = (
                    f"of the {each.what} the newest {each.rows:,} of {each.given:,} rows were compared: the rate takes "
                    f"{needed(false_alarms)} stretches of the reference that are as long"
                )
                advice = "Watch older rows by themselves, or raise false_alarms"
                remarks.append(Finding("rows_not_compared", "note", said, advice))
        return Drift(false_alarms, groups, [*prepared.notes], remarks)

    def with_reference(self, prepared: Prepared) -> Self:
        """The bundle with a reference of a training's rows: inputs of those up to validation, answers of those after train."""
        parts = [prepared.split.rows(part) for part in ("train", CALIBRATION, "val")]
        held = [rows for rows in parts if (rows[:, 1] > rows[:, 0]).any()]
        inputs = np.column_stack([np.min([r[:, 0] for r in held], axis=0), np.max([r[:, 1] for r in held], axis=0)])
        answered = ["val", *(["test"] if prepared.count("test") else [])]
        return self._referring(prepared, inputs, answered)

    def with_reference_rows(self, frame: pd.DataFrame, *, origin: str = "the data") -> Self:
        """The bundle with a reference of these rows: usual ones that it was not trained on, many times as many as are watched.

        Raises:
            DataError: The rows do not fit.
        """
        prepared = self._watched(frame, origin)
        return self._referring(prepared, _all_rows(prepared), ["test"])

    def require_reference(self) -> Reference:
        """The reference.

        Raises:
            ArgumentError: There is none.
        """
        if self.reference is None:
            raise ArgumentError(
                "this model holds nothing that new rows could be compared with: it was written before there was `watch`. Give "
                "usual rows that it was not trained on: watch --reference FILE, or `bundle.with_reference_rows(rows)`; or train "
                "it again",
                code="no_reference",
            )
        return self.reference

    def _referring(self, prepared: Prepared, inputs: np.ndarray, answered: Sequence[str]) -> Self:
        names = self._input_columns
        longest, many = int((inputs[:, 1] - inputs[:, 0]).max()), len(prepared.table.series)
        rows, pool = block_rows(min(longest, _MOST_ROWS // many), many, max(len(names), 1))
        kinds = ["category" if name in self.scaler.vocabularies else "number" for name in names]
        group = Group.fit(names, kinds, self._input_cells(prepared, inputs), rows=rows, pool=pool)
        series = None if pool or many == 1 else list(prepared.table.series)
        cells = self._answers(prepared, answered, None)
        answers = None
        if any(np.isfinite(each.values).any() for each in cells):
            columns, own = self._answer_columns
            answers = Group.fit(columns, own, cells, rows=rows, pool=pool)
        return replace(self, reference=Reference(rows, series, group, answers))  # type: ignore[type-var]  # a dataclass

    def _watched(self, frame: pd.DataFrame, origin: str) -> Prepared:
        data, columns = self.window_data, Columns.of(self.window_data)
        unread = [name for name in columns.targets if name not in columns.past and name not in frame]
        frame = frame.assign(**dict.fromkeys(unread, np.nan)) if unread else frame
        limit = carried_rows(data, rebuilds=self.rebuilds)
        return prepare_watched(data, frame, self.scaler, limit=limit, rebuilds=self.rebuilds, origin=origin)

    @property
    def _input_columns(self) -> list[str]:
        columns = Columns.of(self.window_data)
        numbers = [*columns.past, *(name for name in columns.targets if name not in columns.past)]
        return [*numbers, *columns.words]

    def _input_cells(self, prepared: Prepared, ranges: np.ndarray) -> list[Cells]:
        """The inputs of some rows of each series, `(first, end)` each, the newest where there are many."""
        table, names = prepared.table, self._input_columns
        places = [table.columns.index(name) for name in names]
        words = {
            names.index(table.columns[at]): codes
            for at, codes in recoded(table, self.scaler.vocabularies).items()
            if at in places
        }
        level, found = self.scaler.transforms or self.scaler, []
        own = [self.scaler.columns.index(name) for name in names]
        codes = np.zeros(len(ranges), np.int64) if len(level.center) == 1 else self.scaler.codes_of(table.series)
        for (first, end), code in zip(ranges.tolist(), codes, strict=True):
            begin = max(first, end - _MOST_ROWS // len(ranges))
            cells = np.array(table.values[begin:end], dtype=np.float64)[:, places]
            scaled, unseen = (cells - level.center[code, own]) / level.scale[code, own], None
            for place, known in words.items():
                numbers = known[np.nan_to_num(cells[:, place]).astype(np.int64)]
                scaled[:, place] = np.where(numbers == 0, np.nan, numbers)
                unseen = np.full(scaled.shape, np.nan) if unseen is None else unseen
                unseen[:, place] = numbers == UNKNOWN
            found.append(Cells(scaled, unseen))
        return found

    def _units(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Centre and scale of columns where all series share them, else NaN."""
        level = self.scaler.transforms or self.scaler
        places = [self.scaler.columns.index(name) for name in names]
        if len(level.center) > 1:
            return np.full(len(places), np.nan), np.full(len(places), np.nan)
        return level.center[0, places], level.scale[0, places]

    @property
    def _answer_columns(self) -> tuple[list[str], list[str]]:
        targets = Columns.of(self.window_data).targets
        levels = () if self.intervals is None else self.intervals.levels
        covered = [f"{name}, {level:g} %" for name in targets for level in levels]
        return [*targets, *covered], ["error"] * len(targets) + ["coverage"] * len(covered)

    def _answers(self, prepared: Prepared, parts: Sequence[str], ranges: np.ndarray | None) -> list[Cells]:
        """Errors, and how much of each window its intervals cover, of the rows of some parts one after the other, by series."""
        pieces: list[list[np.ndarray]] = [[] for _ in prepared.table.series]
        for part in parts:
            rows = newest_rows(prepared, part, _MOST_ANSWERED)
            values = self._answers_of(rows, part)
            for place, (first, end) in enumerate((rows.rows[part] if ranges is None else ranges).tolist()):
                pieces[place].append(values[first:end])
        return [Cells(np.concatenate(each)) for each in pieces]

    def _answers_of(self, prepared: Prepared, part: str) -> np.ndarray:
        """The same in place, shape `(rows of the table, columns)`, NaN where nothing is known."""
        table, targets = prepared.table, len(prepared.columns.targets)
        made = np.full((len(table.values), len(self._answer_columns[0])), np.nan)
        detected = replace(prepared, data=self.detect_data)
        windows = detected.windows[part]
        if not windows.count:
            return made
        errors = row_errors(
            with_something_to_read(self.forecast),
            detected,
            part,
            combine=self.detect_settings.combine,
            beyond=self.beyond,
        )
        reached = np.zeros(len(table.values) + 1, np.int64)
        starts = windows.starts() + windows.shape.target_offset
        np.add.at(reached, starts, 1)
        np.add.at(reached, starts + windows.shape.output_steps, -1)
        rows = np.flatnonzero(np.cumsum(reached) > 0)
        pads = np.zeros(len(table.series), np.int64) if table.pads is None else table.pads
        series = np.searchsorted(table.bounds, rows, side="right") - 1
        made[rows[rows >= (table.bounds[:-1] + pads)[series]], :targets] = errors.errors
        if self.intervals is None:
            return made
        picked = windows.evenly(_MOST_JUDGED)
        for first in range(0, len(picked), _CHUNK):
            chunk = picked[first : first + _CHUNK]
            told, truth = self.with_intervals(detected, part, chunk), detected.truth(part, chunk)
            hits = []
            for place in range(targets):
                for level in self.intervals.levels:
                    low, high = (each[:, :, place] for each in told.band(level))
                    known = np.isfinite(truth[:, :, place]) & np.isfinite(low)
                    inside = known & (low <= truth[:, :, place]) & (truth[:, :, place] <= high)
                    count = known.sum(axis=1)
                    hits.append(np.where(count, inside.sum(axis=1) / np.maximum(count, 1), np.nan))
            made[windows.target_rows(chunk)[:, 0], targets:] = np.stack(hits, axis=1)
        return made

    def _of_answers(
        self, reference: Reference, cells: Sequence[Cells], names: Sequence[str], rate: float
    ) -> Compared | Finding:
        group = reference.answers
        assert group is not None
        if group.columns != self._answer_columns[0]:  # calibrated for other levels since
            picked = [place for place, kind in enumerate(group.kinds) if kind == "error"]
            group = replace(
                group,
                columns=[group.columns[place] for place in picked],
                kinds=["error"] * len(picked),
                unit=group.unit[picked],
                edges=group.edges[picked],
                sums=group.sums[:, :, picked],
            )
            cells = [Cells(each.values[:, : len(picked)]) for each in cells]
        known = [np.isfinite(each.values).any(axis=1) for each in cells]
        if not any(each.any() for each in known):
            said = "no ground truth is known of these rows, or no window fits, so errors and coverage are not compared"
            return Finding("no_truth", "note", said, "Watch again when the actual values are known")
        # The first rows are those that the first window reads.
        cells = [
            Cells(each.values[int(np.argmax(own)) :] if own.any() else each.values[:0])
            for each, own in zip(cells, known, strict=True)
        ]
        targets = Columns.of(self.window_data).targets
        scale = self._units(targets)[1] * group.unit[: len(targets)]
        more = len(group.columns) - len(targets)
        center, scale = np.zeros(len(group.columns)), np.concatenate([scale, np.ones(more)])
        return compare_group(group, cells, reference, names, rate, center, scale)


def _all_rows(prepared: Prepared) -> np.ndarray:
    """The rows of each series but those that were put before it, `(first, end)` each."""
    table = prepared.table
    pads = 0 if table.pads is None else table.pads
    return np.column_stack([table.bounds[:-1] + pads, table.bounds[1:]])
