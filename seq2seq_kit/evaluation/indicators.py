"""Categories before a linear map: a column of 0 and 1 for each value, so that it has what the model has to go by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.tables.categories import category_sizes, indicator_columns
from seq2seq_kit.data.windows.prepare import Prepared


@dataclass(frozen=True)
class Indicated:
    """Columns of a window, of the steps ahead and of what is the same at all steps, as a linear map sees them.

    Attributes:
        codes: Categories at the end of the inputs; the first `ahead` of them also at the end of what is known ahead.
        ahead: See above.
        fixed: How many of them, the first ones, are seen once: they do not change within a series.
        sizes: Columns of each.
        window: Columns of the window.
        future: Columns of the steps ahead.
    """

    codes: int
    ahead: int
    fixed: int
    sizes: list[int]
    window: int
    future: int

    @classmethod
    def of(cls, prepared: Prepared) -> "Indicated":
        """By the columns of prepared rows and the vocabularies of training."""
        columns, layout = prepared.columns, prepared.layout
        codes = len(columns.categories)
        sizes = indicator_columns(category_sizes(prepared.scaler.vocabularies, columns.categories), columns.fixed)
        window = layout.inputs - codes + sum(sizes[columns.fixed :])
        future = len(layout.future) - columns.ahead + sum(sizes[columns.fixed : columns.ahead])
        return cls(codes, columns.ahead, columns.fixed, sizes, window, future)

    def width(self, input_steps: int, output_steps: int) -> int:
        """Columns of all steps together."""
        return input_steps * self.window + output_steps * self.future + sum(self.sizes[: self.fixed])

    def arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Windows as the model takes them, in float64: the window, what is known ahead if anything, `(windows, fixed)` if any."""
        past, *future = (array.astype(np.float64) for array in arrays)
        if not self.codes:
            return [past, *future]
        once = [self._columns(past[:, -1], at, self.codes) for at in range(self.fixed)]
        ahead = [self._beside(array, self.ahead) for array in future]
        parts = [self._beside(past, self.codes), *(part for part in ahead if part.shape[-1])]
        return [*parts, np.concatenate(once, axis=-1)] if once else parts

    def _beside(self, values: np.ndarray, count: int) -> np.ndarray:
        numbers = values[..., : values.shape[-1] - count]
        return np.concatenate(
            [numbers, *(self._columns(values, at, count) for at in range(self.fixed, count))], axis=-1
        )

    def _columns(self, values: np.ndarray, at: int, count: int) -> np.ndarray:
        """The columns of a category; codes from the last one on share it."""
        codes = np.minimum(values[..., values.shape[-1] - count + at].astype(np.int64), self.sizes[at] - 1)
        return np.eye(self.sizes[at])[codes]
