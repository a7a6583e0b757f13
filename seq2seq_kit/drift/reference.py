"""What a bundle keeps of the rows that it was made from: sums over blocks of them, not the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seq2seq_kit.drift.blocks import BINS, SUMS, block_sums, edges_of, joined

_MOST_NUMBERS = 150_000  # float32, of a group: about half a megabyte
_LEAST_BLOCKS, _MOST_BLOCKS = 60, 400
_SAMPLED = 100_000  # rows that tell where bins end


@dataclass(frozen=True)
class Cells:
    """Rows of one series as they are compared.

    Attributes:
        values: In training scales, NaN where missing, shape `(rows, columns)`; of a category its codes of the training.
        unseen: As of `block_sums`.
    """

    values: np.ndarray
    unseen: np.ndarray | None = None


@dataclass(frozen=True)
class Group:
    """Columns of one kind of rows: inputs, or what became of predictions.

    Attributes:
        columns: Their names.
        kinds: Of each: `number`, `category`, `error` or `coverage`.
        unit: What values are divided by beforehand, shape `(columns,)`.
        edges: Of the bins, see `edges_of`.
        sums: Of the blocks, shape `(series or 1, blocks, columns, SUMS)`, the oldest first.
    """

    columns: list[str]
    kinds: list[str]
    unit: np.ndarray
    edges: np.ndarray
    sums: np.ndarray

    @classmethod
    def fit(
        cls, columns: Sequence[str], kinds: Sequence[str], series: Sequence[Cells], *, rows: int, pool: bool
    ) -> Self:
        """The sums of some rows, those of each series by themselves or (`pool`) all together; blocks have so many rows."""
        every = np.concatenate([each.values[:: 1 + len(each.values) * len(series) // _SAMPLED] for each in series])
        unit = np.ones(len(columns))
        for place, kind in enumerate(kinds):
            known = every[np.isfinite(every[:, place]), place]
            if kind == "error" and len(known) and known.std() > 0:
                unit[place] = known.std()
        edges = edges_of(every / unit)
        edges[[kind == "category" for kind in kinds]] = np.arange(BINS - 1) + 2.5  # codes: the most frequent value is 2
        made = cls(list(columns), list(kinds), unit, edges, np.zeros((1, 0, len(columns), SUMS)))
        sums = made.sums_of(series, rows=rows)
        kept = sums.sum(axis=0, keepdims=True) if pool else sums
        return cls(made.columns, made.kinds, unit, edges, kept.astype(np.float32))

    def sums_of(self, series: Sequence[Cells], *, rows: int) -> np.ndarray:
        """The sums of other rows in the same bins, shape `(series, blocks, columns, SUMS)`."""
        return joined([block_sums(each.values / self.unit, self.edges, rows, each.unseen) for each in series])

    @property
    def what(self) -> str:
        """In words."""
        return "errors and coverage" if "error" in self.kinds else "inputs"

    @property
    def words(self) -> list[bool]:
        """Which columns are categories."""
        return [kind == "category" for kind in self.kinds]

    @property
    def looked_at(self) -> np.ndarray:
        """Which statistics of which columns mean something, shape `(columns, statistics)`; see `stretches.STATISTICS`."""
        meant = {
            "number": (True, False, True, True, True),
            "category": (True, True, False, False, True),
            "error": (False, False, True, True, True),  # that ground truth is missing is no fault of the model
            "coverage": (False, False, True, False, False),
        }
        return np.array([meant[kind] for kind in self.kinds])


@dataclass(frozen=True)
class Reference:
    """What new rows are compared with.

    Attributes:
        rows: Of a block.
        series: Names of the series that have sums of their own; None: all together.
        inputs: Of the rows of train, validation and calibration.
        answers: Of errors, and of the coverage of intervals, on rows that the model was not fitted on; None: there are none.
    """

    rows: int
    series: list[str] | None
    inputs: Group
    answers: Group | None = None

    def dump(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """As JSON and arrays; `restore` reads them."""
        groups = {"inputs": self.inputs} | ({"answers": self.answers} if self.answers else {})
        words: dict[str, Any] = {"rows": self.rows, "series": self.series}
        words |= {name: {"columns": each.columns, "kinds": each.kinds} for name, each in groups.items()}
        arrays = {
            f"drift_{name}_{key}": getattr(each, key).astype(np.float32 if key == "sums" else np.float64)
            for name, each in groups.items()
            for key in ("unit", "edges", "sums")
        }
        return words, arrays

    @classmethod
    def restore(cls, words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of `dump`.

        Raises:
            ValueError: Words and arrays do not belong together.
        """
        rows, series = words["rows"], words["series"]
        named = series is None or (isinstance(series, list) and all(isinstance(name, str) for name in series))
        if type(rows) is not int or rows < 1 or not named:
            raise ValueError(f"the blocks of drift must have whole rows and names of series. Received: {rows!r}")
        groups = {name: _group(words[name], arrays, name) for name in ("inputs", "answers") if name in words}
        if any(len(each.sums) != len(series or [""]) for each in groups.values()):
            raise ValueError("the blocks of drift are of another number of series")
        return cls(rows, series, groups["inputs"], groups.get("answers"))


def _group(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray], name: str) -> Group:
    columns, kinds = list(words["columns"]), list(words["kinds"])
    unit, edges, sums = (np.asarray(arrays[f"drift_{name}_{key}"], np.float64) for key in ("unit", "edges", "sums"))
    if len(kinds) != len(columns) or not set(kinds) <= {"number", "category", "error", "coverage"}:
        raise ValueError(f"the columns of drift have other kinds: {kinds}")
    if unit.shape != (len(columns),) or edges.shape != (len(columns), BINS - 1) or sums.ndim != 4:
        raise ValueError("the blocks of drift have another shape")
    finite = all(np.isfinite(each).all() for each in (unit, edges, sums))
    if sums.shape[2:] != (len(columns), SUMS) or not finite or not (unit > 0).all():
        raise ValueError("the blocks of drift hold numbers that they cannot have")
    return Group(columns, kinds, unit, edges, sums)


def block_rows(longest: int, series: int, columns: int) -> tuple[int, bool]:
    """Rows of a block, and whether all series stand together, so that the sums of a group stay small."""
    each = _MOST_NUMBERS // (columns * SUMS)
    pool = each // series < _LEAST_BLOCKS
    blocks = min(max(each if pool else each // series, _LEAST_BLOCKS), _MOST_BLOCKS)
    return max(1, math.ceil(longest / blocks)), pool
