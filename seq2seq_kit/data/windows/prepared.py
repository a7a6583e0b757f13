"""Rows that are ready for a model. Reading and splitting is in `prepare`, the stages between in `stages`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.on_disk.batches import make_group_batches
from seq2seq_kit.data.on_disk.rows import on_disk
from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.tables.categories import unknown_values
from seq2seq_kit.data.tables.columns import Columns, forecasts, parts_of, stride_of, window_shape
from seq2seq_kit.data.tables.history import History
from seq2seq_kit.data.tables.pieces import cells_of
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import ALL_PARTS, Split, expanding_folds, rows_of_part
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.tables.transforms import Transforms
from seq2seq_kit.data.windows.batches import Layout, as_tensor, make_batches
from seq2seq_kit.data.windows.matrix import make_matrix, mean_weight
from seq2seq_kit.data.windows.ranges import Windows, longest_reach, make_windows
from seq2seq_kit.data.windows.stages import fill, fit_on
from seq2seq_kit.errors import ArgumentError, SeriesTooShortError
from seq2seq_kit.recipe.fields import Data

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Prepared:
    """Rows ready for a model, and the inverse to original units.

    Attributes:
        data: The recipe's section.
        table: The rows in original units, NaN where a cell was missing.
        split: Which rows belong to train, val and test.
        segments: Rows without a gap, as in `Table`, after the filling.
        scaler: Fitted on the training rows.
        codes: The scaler's series for each series of the table, shape `(series,)`.
        matrix: Scaled, filled rows with calendar columns, shape `(rows, columns)` float32, columns as in `layout`; in memory
            or, as those of the table, on disk.
        layout: Roles of the matrix's columns.
        barred: Rows after which no forecast may begin, because an input there was interpolated towards the rows to predict;
            shape `(rows,)` bool.
        rows: Rows of each part that may be targets, see `rows_of_part`.
        notes: What was done to the data.
        filled: The rows of `table` without the missing cells that were filled; None for those of `table`.
        answers: Whether batches hold the targets also as an input, see `make_batches`.
    """

    data: Data
    table: Table
    split: Split
    segments: np.ndarray
    scaler: Scaler
    codes: np.ndarray
    matrix: Rows
    layout: Layout
    rows: dict[str, np.ndarray]
    barred: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    filled: Table | None = None
    answers: bool = False

    @cached_property
    def columns(self) -> Columns:
        """The recipe's columns by role."""
        return Columns.of(self.data)

    @cached_property
    def windows(self) -> dict[str, Windows]:
        """The windows of train, val, test and calibration."""
        data, shape = self.data, window_shape(self.data)
        return {
            part: make_windows(self.segments, self.rows[part], shape, stride=stride_of(data, part), barred=self.barred)
            for part in ALL_PARTS
        }

    @cached_property
    def tensor(self) -> "tf.Tensor":
        """The matrix for TensorFlow, in the same memory."""
        return as_tensor(self.matrix[:])

    @cached_property
    def target_center(self) -> np.ndarray:
        """Training centre of each target in original units, shape `(series, targets)`."""
        return self._level.center[self.codes][:, self._scaled_targets]

    @cached_property
    def target_scale(self) -> np.ndarray:
        """Training scale of each target in original units, shape `(series, targets)`."""
        return self._level.scale[self.codes][:, self._scaled_targets]

    @property
    def _level(self) -> Scaler | Transforms:
        return self.scaler.transforms or self.scaler

    @property
    def _scaled_targets(self) -> list[int]:
        return [self.scaler.columns.index(name) for name in self.columns.targets]

    @cached_property
    def history(self) -> History:
        """The targets' own past."""
        return History.of(self.table, self.columns.targets, self.target_center)

    @cached_property
    def levels(self) -> History:
        """The targets in original units, missing cells filled as the model sees them: what differences are undone by."""
        return History.of(self.filled or self.table, self.columns.targets, self.target_center)

    def with_scaler(self, scaler: Scaler) -> "Prepared":
        """The same rows as a model sees them that was trained with another scaler."""
        return replace(fill_and_scale(self.data, self.table, self.split, scaler), answers=self.answers)

    def scaled_on(self, rows: np.ndarray) -> "Prepared":
        """The same rows with the scaler fitted on others: `(first, end)` for each series, shape `(series, 2)`."""
        return self.with_scaler(fit_on(self.data, self.table, rows))

    def with_split(self, split: Split) -> "Prepared":
        """The same rows in other parts; the scaler is fitted and missing cells are filled anew."""
        return replace(fit_fill_and_scale(self.data, self.table, split), answers=self.answers)

    def joined(self) -> "Prepared":
        """The same with the val rows in train, too."""
        return self.with_split(self.split.joined())

    def folds(self, count: int) -> list["Prepared"]:
        """The same by `expanding_folds`, with a gap of one window: no training window shares a row with a validation window.

        Raises:
            DataError: A fold has not one training or validation window.
        """
        splits = expanding_folds(self.split, count, gap=window_shape(self.data).span, origin=self.table.origin)
        folds = [self.with_split(split) for split in splits]
        for number, fold in enumerate(folds, start=1):
            fold.require_windows(("train", "val"), fold=f"fold {number} of {count}")
        return folds

    def count(self, part: str) -> int:
        """Windows of a part."""
        return self.windows[part].count

    def batches(
        self,
        part: str,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        first_epoch: int = 0,
        subset: Sequence[int] | np.ndarray | None = None,
    ) -> "tf.data.Dataset":
        """Batches of a part; see `make_batches`.

        Raises:
            ArgumentError: `subset` of rows that stay on disk.
        """
        if on_disk(self.matrix):
            if subset is not None:
                said = "batches of rows on disk are of all windows of a part. Received: a subset; leave it out"
                raise ArgumentError(said, code="invalid_argument")
            return make_group_batches(
                self.matrix,
                self.windows[part],
                self.layout,
                batch_size=batch_size,
                shuffle_seed=shuffle_seed,
                first_epoch=first_epoch,
                answers=self.answers,
            )
        return make_batches(
            self.tensor,
            self.windows[part],
            self.layout,
            batch_size=batch_size,
            shuffle_seed=shuffle_seed,
            first_epoch=first_epoch,
            subset=subset,
            answers=self.answers,
        )

    def arrays(self, part: str, windows: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some windows: `(windows, input_steps, inputs)` and, if any, the future columns."""
        these = self.windows[part]
        past, own = self.matrix[these.input_rows(windows), : self.layout.inputs], self.layout.own
        past = past if own is None else own.inputs(past, own.level(past))
        if not self.layout.future:
            return [past]
        return [past, cells_of(self.matrix, these.target_rows(windows), self.layout.future)]

    def scaled_targets(self, part: str, windows: np.ndarray) -> np.ndarray:
        """The scaled targets of training, shape `(windows, output_steps, targets)`, NaN where masked or of weight 0."""
        rows = self.windows[part].target_rows(windows)
        targets = self._counted(cells_of(self.matrix, rows, self.layout.targets), rows)
        own = self.layout.own
        return targets if own is None else own.targets(targets, self._window_level(part, windows))

    def _counted(self, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.layout.weight is not None:
            targets[self.matrix[rows, self.layout.weight] == 0] = np.nan
        return targets

    def _window_level(self, part: str, windows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Centre and scale of each window's targets, see `WindowScaling.level`."""
        assert self.layout.own is not None
        return self.layout.own.level(self.matrix[self.windows[part].input_rows(windows), : self.layout.inputs])

    def series_of(self, part: str, windows: np.ndarray | None = None) -> np.ndarray:
        """Series of each window of a part, as a position in `table.series`."""
        these = self.windows[part]
        return these.series[these.run_of(np.arange(these.count) if windows is None else windows)]

    def truth(self, part: str, windows: np.ndarray | None = None) -> np.ndarray:
        """The ground truth in original units, `(windows, output_steps, targets)`, NaN where nothing was observed or counts."""
        picked = [self.table.columns.index(name) for name in self.columns.targets]
        rows = self.windows[part].target_rows(windows)
        return self._counted(cells_of(self.table.values, rows, picked), rows)

    def restore(self, scaled: np.ndarray, part: str, windows: np.ndarray | None = None) -> np.ndarray:
        """Predictions in original units; `scaled` and the result have the shape `(windows, output_steps, targets)`."""
        if self.layout.own is not None:
            scaled = self.layout.own.back(scaled.astype(np.float64), self._window_level(part, windows))
        names, transforms = self.columns.targets, self.scaler.transforms
        values = self.scaler.inverse(scaled, self.codes[self.series_of(part, windows)], names)
        if transforms is None:
            return values
        first = self.windows[part].target_rows(windows)[:, :1]
        return transforms.inverse(values, names, lambda back, count: self.levels.last(first - back + np.arange(count)))

    def require_windows(self, parts: Sequence[str] = (), *, fold: str = "") -> None:
        """Raises `SeriesTooShortError` where one of the parts, by default all, has no window; `fold` is named in the message."""
        shape = window_shape(self.data)
        for part in parts or parts_of(self.data):
            if self.windows[part].count:
                continue
            rows = self.split.rows(part)
            longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
            needed = shape.span if part == "train" else shape.span - max(0, shape.target_offset)
            where = f"{self.table.origin}, {fold}" if fold else self.table.origin
            raise SeriesTooShortError(
                f"{where}: not one {part} window fits. One window spans {shape.span} rows without a gap and needs {needed} rows "
                f"in the {part} part; the longest {part} part has {longest} rows, {self.why_none(part)}. "
                f"Use {'fewer folds, ' if fold else ''}more rows, fewer input_steps or output_steps, or another data.split"
                + "".join(f". {note}" for note in self.table.notes if "gap" in note),
                code="series_too_short",
            )

    def why_none(self, part: str) -> str:
        """Why a part holds not one window: its rows without a gap are too few, or all of them end in filled cells."""
        shape = self.windows[part].shape
        reach = longest_reach(self.segments, self.rows[part], shape)
        said = f"and within its reach the longest stretch without a gap {reach}"
        if reach < shape.span:
            unknown = int((self.split.rows(part) - self.rows[part]).sum())
            return said + (f"; {unknown} rows at its end were interpolated towards a later part" if unknown else "")
        return f"{said}, but every window there ends in a cell that was interpolated towards a later row"


def fit_fill_and_scale(data: Data, table: Table, split: Split) -> Prepared:
    """All stages after the split, with a scaler of the training rows of that split."""
    return fill_and_scale(data, table, split, fit_on(data, table, split.rows("train")))


def fill_and_scale(data: Data, table: Table, split: Split, scaler: Scaler) -> Prepared:
    """The stages after the fit, with a scaler that is given."""
    return scale(data, table, fill(data, table, split), split, scaler)


def scale(data: Data, table: Table, filled: Table, split: Split, scaler: Scaler) -> Prepared:
    """The stage `scale`: the matrix of `filled`, the same rows as `table` without the missing cells that a recipe fills."""
    columns, codes = Columns.of(data), scaler.codes_of(table.series)
    layout = columns.layout()
    changed = scaler.transforms.apply(filled) if scaler.transforms else filled
    weight = mean_weight(changed, columns, split) if columns.weight else 1.0
    matrix = make_matrix(columns, changed, scaler, codes, layout, weight=weight)
    barred, notes = _barred(data, columns, filled), [*filled.notes, *unknown_values(table, scaler.vocabularies)]
    if barred is not None:
        notes.append(
            f"{barred.sum()} rows were interpolated towards later ones; no forecast begins right after one of them"
        )
    rows = {part: rows_of_part(filled, split, part) for part in ALL_PARTS}
    unknown = {part: int((split.rows(part) - rows[part]).sum()) for part in ALL_PARTS}
    notes += [
        f"{count} rows at the end of {part} were interpolated towards a later part; they are no targets"
        for part, count in unknown.items()
        if count
    ]
    kept = filled if scaler.transforms else None
    return Prepared(data, table, split, changed.segments, scaler, codes, matrix, layout, rows, barred, notes, kept)


def _barred(data: Data, columns: Columns, filled: Table) -> np.ndarray | None:
    if not forecasts(data) or filled.looks_ahead is None:
        return None
    rows = np.any(filled.looks_ahead[:, [filled.columns.index(name) for name in columns.inputs]], axis=1)
    return rows if rows.any() else None
