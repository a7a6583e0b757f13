"""What rows in memory and rows on disk have in common: NumPy's and pandas' own indexing, and nothing else of either."""

from typing import Protocol, overload

import numpy as np
import pandas as pd

RowsKey = slice | np.ndarray | tuple[slice | np.ndarray, int | slice | list[int] | np.ndarray]


class Rows(Protocol):
    """A matrix of numbers: an `np.ndarray`, or `RowsOnDisk`.

    It is indexed by `[rows]`, `[rows, columns]` with slices or numbers of either, `[row, column]` and
    `[rows[..., None], columns]`. The result is an array; `rows[:]` is all rows, of a matrix in memory a view and no copy.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, cell: tuple[int, int], /) -> float: ...
    @overload
    def __getitem__(self, key: RowsKey, /) -> np.ndarray: ...


class Times(Protocol):
    """Timestamps of rows: a `pd.DatetimeIndex`, or `TimesOnDisk`."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, rows: slice | np.ndarray, /) -> pd.DatetimeIndex: ...
    @overload
    def __getitem__(self, row: int, /) -> pd.Timestamp: ...
