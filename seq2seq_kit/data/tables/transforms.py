"""Transforms of columns before they are scaled, with exact inverses: logarithms, Box-Cox, differences.

A difference is one of rows: over one row, or over a season. It is undone from the values before the first row of a prediction.
A column may go through several, one after the other: `Transforms` are a first one of each column and those that follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NotRequired, TypedDict

import numpy as np

from seq2seq_kit.data.on_disk.changed import changed_rows
from seq2seq_kit.data.on_disk.rows import on_disk
from seq2seq_kit.data.tables.pieces import pieces_of
from seq2seq_kit.data.tables.powers import POWERS, best_power, best_power_on_disk
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.errors import DataError

LAGGED = ("diff", "seasonal_diff")
LOWEST = {"log": 0.0, "box_cox": 0.0, "log1p": -1.0}
_MOST = 10  # transforms of a column, one after the other


class StoredTransforms(TypedDict):
    """Transforms in JSON."""

    methods: list[str]
    power: list[float]
    lag: list[int]
    center: list[list[float]]
    scale: list[list[float]]
    then: NotRequired["StoredTransforms"]


@dataclass(frozen=True)
class Transforms:
    """What is done to each column.

    Attributes:
        columns: Names of the columns.
        methods: The first one of each: `none`, `log`, `log1p`, `box_cox`, `diff` or `seasonal_diff`.
        power: Box-Cox' lambda of each, 0 where it is not asked for.
        lag: Rows that a difference is taken over, 0 for none.
        center: Centre of each column in original units, `(1 or series, columns)`, as in a scaler; likewise `scale`.
        then: What is done to the results, if anything.
    """

    columns: list[str]
    methods: list[str]
    power: np.ndarray
    lag: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    then: "Transforms | None" = None

    @property
    def lost(self) -> int:
        """Rows at the start of each stretch without a gap that have no difference."""
        return int(self.lag.max(initial=0)) + (self.then.lost if self.then else 0)

    @property
    def lags(self) -> np.ndarray:
        """Rows that the differences of each column are taken over, together; 0 where it has none."""
        return self.lag + (self.then.lags if self.then else 0)

    @property
    def chains(self) -> list[list[str]]:
        """The transforms of each column in their order."""
        rest = self.then.chains if self.then else [[] for _ in self.columns]
        return [
            [*([method] if method != "none" else []), *more] for method, more in zip(self.methods, rest, strict=True)
        ]

    def apply(self, table: Table) -> Table:
        """The table with its columns transformed, and without the rows that have no difference in its segments.

        Raises:
            DataError: A cell has no logarithm; code `transform_domain`.
        """
        for column, (name, method) in enumerate(zip(self.columns, self.methods, strict=True)):
            _refuse_outside(table, column, name, method)
        segments = table.segments + np.array([int(self.lag.max(initial=0)), 0, 0])
        segments = segments[segments[:, 0] < segments[:, 1]]
        if on_disk(table.values):
            values = changed_rows(table.values, table.segments, self.lag, self._pointwise)
            changed = replace(table, values=values, extremes=self._extremes(table.extremes), segments=segments)
        else:
            changed = replace(table, values=self._applied(table), segments=segments)
        return self.then.apply(changed) if self.then else changed

    def _applied(self, table: Table) -> np.ndarray:
        values = table.values[:].copy()
        first = np.full(len(values), len(values))  # no row outside of the stretches has a difference
        for begin, end, _ in table.segments:
            first[begin:end] = begin
        position = np.arange(len(values)) - first
        for column, lag in enumerate(self.lag.tolist()):
            cells = values[:, column]
            if lag:
                cells[lag:] = cells[lag:] - cells[:-lag]
                cells[position < lag] = np.nan
            else:
                values[:, column] = self._pointwise(column, cells)
        return values

    def _pointwise(self, column: int, cells: np.ndarray) -> np.ndarray:
        method = self.methods[column]
        return cells if method == "none" else forward(method, cells, float(self.power[column]))

    def _extremes(self, extremes: np.ndarray | None) -> np.ndarray:
        """Bounds of the results, from the smallest and the largest value of each column."""
        assert extremes is not None
        span = extremes[1] - extremes[0]
        bounds = [
            [-span[column], span[column]] if lag else self._pointwise(column, extremes[:, column])
            for column, lag in enumerate(self.lag.tolist())
        ]
        return np.array(bounds, dtype=np.float64).T

    def along(self, rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
        """Rows in original units, `(windows, rows, columns)`, transformed; the first `lost` ones have no difference."""
        most, each = int(self.lag.max(initial=0)), []
        for number, name in enumerate(columns):
            column, cells = self.columns.index(name), rows[..., number]
            if lag := int(self.lag[column]):
                each.append(cells[:, most:] - cells[:, most - lag : -lag])
            else:
                each.append(self._pointwise(column, cells[:, most:]))
        stacked = np.stack(each, axis=-1)
        return self.then.along(stacked, columns) if self.then else stacked

    def inverse(
        self, values: np.ndarray, columns: Sequence[str], before: Callable[[int, int], np.ndarray]
    ) -> np.ndarray:
        """Back to original units.

        Args:
            values: Steps that follow each other, shape `(windows, steps, columns)`.
            columns: Names of the last axis.
            before: Original values from so many rows before the first step on, as many as asked for, of the same columns:
                from `(rows before, count)` to shape `(windows, count, columns)`.
        """
        if self.then:
            values = self.then.inverse(values, columns, lambda back, count: self._before(columns, before, back, count))
        result = values.copy()
        for number, name in enumerate(columns):
            column = self.columns.index(name)
            lag, steps = int(self.lag[column]), values.shape[1]
            if not lag:
                result[..., number] = backward(self.methods[column], values[..., number], float(self.power[column]))
                continue
            known = min(lag, steps)
            result[:, :known, number] += before(lag, known)[..., number]
            for step in range(lag, steps):
                result[:, step, number] += result[:, step - lag, number]
        return result

    def _before(
        self, columns: Sequence[str], before: Callable[[int, int], np.ndarray], back: int, count: int
    ) -> np.ndarray:
        """What this first transform makes of the values from `back` rows before on."""
        values = before(back, count).astype(np.float64)
        for number, name in enumerate(columns):
            column = self.columns.index(name)
            if lag := int(self.lag[column]):
                values[..., number] -= before(back + lag, count)[..., number]
            else:
                values[..., number] = self._pointwise(column, values[..., number])
        return values

    def to_json(self) -> StoredTransforms:
        """Plain values."""
        stored: StoredTransforms = {
            "methods": self.methods,
            "power": self.power.tolist(),
            "lag": self.lag.tolist(),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
        }
        return stored | {"then": self.then.to_json()} if self.then else stored

    @classmethod
    def from_json(cls, stored: StoredTransforms, columns: list[str], series: int, most: int = _MOST) -> "Transforms":
        """The inverse of `to_json`.

        Raises:
            ValueError: What is stored are no transforms of these columns.
        """
        center, scale, power = (np.array(stored[key], dtype=np.float64) for key in ("center", "scale", "power"))
        methods, lag = stored["methods"], np.array(stored["lag"], dtype=np.int64)
        if any(method not in ("none", *LOWEST, *LAGGED) for method in methods):
            raise ValueError(f"transforms of another kind: {str(methods)[:100]}")
        shapes = [(len(columns),)] * 3 + [(series, len(columns))] * 2
        if [np.shape(methods), power.shape, lag.shape, center.shape, scale.shape] != shapes:
            raise ValueError(f"transforms of {len(columns)} columns need a value for each")
        finite = all(np.isfinite(values).all() for values in (center, scale, power))
        lagged = np.isin(methods, LAGGED)
        if (
            not finite
            or not (scale > 0).all()
            or not ((lag > 0) == lagged).all()
            or (np.abs(power) > max(POWERS)).any()
        ):
            raise ValueError("transforms need finite values, positive scales, and a lag where there is a difference")
        rest = stored.get("then")
        if rest is not None and most <= 1:
            raise ValueError(f"transforms of more than {_MOST} one after the other")
        then = None if rest is None else cls.from_json(rest, columns, 1, most - 1)
        return cls(columns, list(methods), power, lag, center, scale, then)


def staged(chosen: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The chains of a recipe with `none` before a difference, where one that follows a logarithm is to stand beside it.

    Each stage loses the rows of its longest difference in all columns.
    """
    after = any(len(chain) > 1 and chain[0] not in LAGGED for chain in chosen.values())
    return {name: ["none"] * (after and chain[0] in LAGGED) + list(chain) for name, chain in chosen.items()}


def forward(method: str, values: np.ndarray, power: float = 0.0) -> np.ndarray:
    """`log`, `log1p` or `box_cox` (Box and Cox 1964) of values; NaN stays."""
    if method == "log1p":
        return np.log1p(values)
    logs = np.log(values)
    return logs if method == "log" or power == 0 else np.expm1(power * logs) / power


def backward(method: str, values: np.ndarray, power: float = 0.0) -> np.ndarray:
    """The inverse of `forward`; what no value has for its Box-Cox transform, below -1/power, is taken for 0."""
    if method == "none":
        return values
    if method == "log1p":
        return np.expm1(values)
    if method == "log" or power == 0:
        return np.exp(values)
    with np.errstate(divide="ignore"):
        return np.exp(np.log1p(np.maximum(power * values, -1.0)) / power)


def transforms_of(
    chosen: Mapping[str, Sequence[str]], table: Table, train_rows: np.ndarray, *, columns: Sequence[str], season: int
) -> Transforms:
    """Transforms of a recipe, before there are centres and scales: Box-Cox' lambdas are fitted on the training rows.

    Args:
        chosen: Methods by column, in the order in which they are applied; only the first may be no difference.
        table: In original units.
        train_rows: `(first, end)` of each series, shape `(series, 2)`.
        columns: Names of all columns.
        season: Rows of `seasonal_diff`.

    Raises:
        DataError: See `Transforms.apply`.
    """
    chosen = staged(chosen)
    methods = [next(iter(chosen.get(name, ())), "none") for name in columns]
    rest = {name: chain[1:] for name, chain in chosen.items() if len(chain) > 1}
    lag = [{"diff": 1, "seasonal_diff": season}.get(method, 0) for method in methods]
    power = np.zeros(len(methods))
    for column, (name, method) in enumerate(zip(columns, methods, strict=True)):
        if method == "box_cox":
            _refuse_outside(table, column, name, method)
            power[column] = (
                best_power_on_disk(table.values, column, train_rows)
                if on_disk(table.values)
                else best_power(np.concatenate([table.values[first:end, column] for first, end in train_rows]))
            )
    unknown = np.zeros((1, len(methods)))
    then = transforms_of(rest, table, train_rows, columns=columns, season=season) if rest else None
    return Transforms(list(columns), methods, power, np.array(lag, np.int64), unknown, unknown + 1, then)


def _refuse_outside(table: Table, column: int, name: str, method: str) -> None:
    if method not in LOWEST or (table.extremes is not None and table.extremes[0, column] > LOWEST[method]):
        return
    first, count, least, received = 0, 0, np.inf, np.nan
    for rows in pieces_of(0, len(table.values)):
        cells = table.values[rows, column]
        outside = np.flatnonzero(cells <= LOWEST[method])
        if outside.size:
            if not count:
                first, received = rows.start + int(outside[0]), cells[outside[0]]
            count, least = count + outside.size, min(least, float(cells[outside].min()))
    if count:
        more = f" (and {count - 1} more such cells)" if count > 1 else ""
        other = " From 0 on there is log1p;" if least >= 0 and method != "log1p" else ""
        raise DataError(
            f"{table.origin}, {table.where(first)}, column {name}: {received:g}{more} has no logarithm, and the recipe has "
            f"data.transform: {{{name}: {method}}}, which takes values above {LOWEST[method]:g}.{other} correct the cell, set "
            "data.limits for the column, or leave the transform out",
            code="transform_domain",
        )
