"""Windows that a graph is compared on; drawn around the statistics of a scaler where no rows are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.tables.categories import category_sizes
from seq2seq_kit.data.tables.transforms import LAGGED

if TYPE_CHECKING:
    from seq2seq_kit.bundles.exported_windows import ExportedWindows

_NEAR = 0.1  # of a centre
_MISSING = 0.1  # of the cells of a column that may have missing ones, where they are drawn


@dataclass(frozen=True)
class Rows:
    """Windows of the scaled matrix, as `Prepared` cuts them.

    Attributes:
        past: `(windows, input_steps, columns that are read)`.
        future: `(windows, output_steps, columns known ahead)`; None where there are none.
        codes: Row of the scaler for each window.
        before: The rows before each window that differences are taken from, `(windows, rows, columns of numbers that are read)`
            in original units; None where there are none.
        of_data: Whether they are real.
    """

    past: np.ndarray
    future: np.ndarray | None
    codes: np.ndarray
    of_data: bool = False
    before: np.ndarray | None = None


def drawn_rows(made: ExportedWindows, count: int, rng: np.random.Generator) -> Rows:
    """Windows around the scaler's statistics."""
    shape, columns = made.shape, made.columns
    rows = rng.standard_normal((count, shape.input_steps + shape.output_steps, made.layout.inputs)).astype(np.float32)
    first = len(columns.past)
    rows[..., first : columns.flags] = rng.uniform(-1, 1, rows[..., first : columns.flags].shape)
    if columns.masked:
        flags = slice(columns.flags, columns.flags + len(columns.inputs))
        rows[..., flags] = rng.random(rows[..., flags].shape) >= _MISSING
        rows[..., : len(columns.inputs)] *= rows[..., flags]
    sizes = category_sizes(made.bundle.scaler.vocabularies, columns.categories)
    for place, size in enumerate(sizes, start=made.layout.inputs - len(sizes)):
        rows[..., place] = rng.integers(0, size, (count, 1))
    codes = rng.integers(0, len(made.bundle.scaler.center), count)
    before, scaler = None, made.bundle.scaler
    if scaler.transforms is not None and made.units.before:
        level = _levels(made, codes, rng)
        before = level[:, : made.units.before]
        changed = scaler.transforms.along(level, columns.past)
        rows[:, : shape.input_steps, :first] = scaler.transform(changed, codes, columns=columns.past)
    past, ahead = np.split(rows, [shape.input_steps], axis=1)
    return Rows(past, ahead[..., made.layout.future] if made.layout.future else None, codes, before=before)


def _levels(made: ExportedWindows, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows in original units around the centre of training; those that have a logarithm stay near it, above 0."""
    transforms, names = made.bundle.scaler.transforms, made.columns.past
    assert transforms is not None
    picked = [transforms.columns.index(name) for name in names]
    shape = (len(codes), transforms.lost + made.shape.input_steps, len(names))
    center, scale = (table[codes][:, None, picked] for table in (transforms.center, transforms.scale))
    known = np.where(center > 0, center, 1.0)  # a scaler that shifts nothing knows no centre
    free = np.isin([transforms.methods[place] for place in picked], ("none", *LAGGED))
    drawn = np.where(free, scale * rng.standard_normal(shape), _NEAR * known * rng.uniform(-1, 1, shape))
    return np.asarray(np.where(free, center, known) + drawn)
