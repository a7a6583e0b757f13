"""Transforms of columns before they are scaled, with exact inverses: logarithms, Box-Cox, differences.

A difference is one of rows: over one row, or over a season. It is undone from the values before the first row of a prediction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.errors import DataError

LAGGED = ("diff", "seasonal_diff")
_POWERS = (0.0, 2.0)  # below 0 a forecast beyond -1/power would have no value in original units
_CLOSE = 1e-4  # to the best power: far closer than the likelihood tells powers apart
_LOWEST = {"log": 0.0, "box_cox": 0.0, "log1p": -1.0}
_GOLDEN = (np.sqrt(5) - 1) / 2


class StoredTransforms(TypedDict):
    """Transforms in JSON."""

    methods: list[str]
    power: list[float]
    lag: list[int]
    center: list[list[float]]
    scale: list[list[float]]


@dataclass(frozen=True)
class Transforms:
    """What is done to each column.

    Attributes:
        columns: Names of the columns.
        methods: Of each: `none`, `log`, `log1p`, `box_cox`, `diff` or `seasonal_diff`.
        power: Box-Cox' lambda of each, 0 where it is not asked for.
        lag: Rows that a difference is taken over, 0 for none.
        center: Centre of each column in original units, `(1 or series, columns)`, as in a scaler; likewise `scale`.
    """

    columns: list[str]
    methods: list[str]
    power: np.ndarray
    lag: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @property
    def lost(self) -> int:
        """Rows at the start of each stretch without a gap that have no difference."""
        return int(self.lag.max(initial=0))

    def apply(self, table: Table) -> Table:
        """The table with its columns transformed, and without the rows that have no difference in its segments.

        Raises:
            DataError: A cell has no logarithm; code `transform_domain`.
        """
        values = table.values[:].copy()
        first = np.full(len(values), len(values))  # no row outside of the stretches has a difference
        for begin, end, _ in table.segments:
            first[begin:end] = begin
        position = np.arange(len(values)) - first
        for column, (name, method) in enumerate(zip(self.columns, self.methods, strict=True)):
            cells = values[:, column]
            _refuse_outside(table, name, method, cells)
            lag = int(self.lag[column])
            if lag:
                cells[lag:] = cells[lag:] - cells[:-lag]
                cells[position < lag] = np.nan
            elif method != "none":
                values[:, column] = forward(method, cells, float(self.power[column]))
        segments = table.segments + np.array([self.lost, 0, 0])
        return replace(table, values=values, segments=segments[segments[:, 0] < segments[:, 1]])

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

    def to_json(self) -> StoredTransforms:
        """Plain values."""
        return {
            "methods": self.methods,
            "power": self.power.tolist(),
            "lag": self.lag.tolist(),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
        }

    @classmethod
    def from_json(cls, stored: StoredTransforms, columns: list[str], series: int) -> "Transforms":
        """The inverse of `to_json`.

        Raises:
            ValueError: What is stored are no transforms of these columns.
        """
        center, scale, power = (np.array(stored[key], dtype=np.float64) for key in ("center", "scale", "power"))
        methods, lag = stored["methods"], np.array(stored["lag"], dtype=np.int64)
        if any(method not in ("none", *_LOWEST, *LAGGED) for method in methods):
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
            or (np.abs(power) > max(_POWERS)).any()
        ):
            raise ValueError("transforms need finite values, positive scales, and a lag where there is a difference")
        return cls(columns, list(methods), power, lag, center, scale)


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


def best_power(values: np.ndarray) -> float:
    """Box-Cox' lambda of the largest likelihood between 0 and 2, of positive values; 1 where they do not vary."""
    logs = np.log(values[~np.isnan(values)])
    if not logs.size or np.ptp(logs) < 1e-12:
        return 1.0
    logs = logs - logs.mean()  # over the geometric mean the likelihood is that of the transform's variance alone

    def loss(power: float) -> float:
        return float((np.expm1(power * logs) / power if power else logs).var())

    low, high = _POWERS
    while high - low > _CLOSE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    found = (low + high) / 2
    return 0.0 if found < 2 * _CLOSE else found


def transforms_of(
    chosen: Mapping[str, str], table: Table, train_rows: np.ndarray, *, columns: Sequence[str], season: int
) -> Transforms:
    """Transforms of a recipe, before there are centres and scales: Box-Cox' lambdas are fitted on the training rows.

    Args:
        chosen: Method by column.
        table: In original units.
        train_rows: `(first, end)` of each series, shape `(series, 2)`.
        columns: Names of all columns.
        season: Rows of `seasonal_diff`.

    Raises:
        DataError: See `Transforms.apply`.
    """
    methods = [chosen.get(name, "none") for name in columns]
    lag = [{"diff": 1, "seasonal_diff": season}.get(method, 0) for method in methods]
    power = np.zeros(len(methods))
    for column, (name, method) in enumerate(zip(columns, methods, strict=True)):
        if method == "box_cox":
            _refuse_outside(table, name, method, table.values[:, column])
            rows = [table.values[first:end, column] for first, end in train_rows]
            power[column] = best_power(np.concatenate(rows))
    unknown = np.zeros((1, len(methods)))
    return Transforms(list(columns), methods, power, np.array(lag, np.int64), unknown, unknown + 1)


def _refuse_outside(table: Table, name: str, method: str, cells: np.ndarray) -> None:
    if method not in _LOWEST:
        return
    outside = np.flatnonzero(cells <= _LOWEST[method])
    if outside.size:
        row = int(outside[0])
        more = f" (and {outside.size - 1} more such cells)" if outside.size > 1 else ""
        other = " From 0 on there is log1p;" if cells[outside].min() >= 0 and method != "log1p" else ""
        raise DataError(
            f"{table.origin}, {table.where(row)}, column {name}: {cells[row]:g}{more} has no logarithm, and the recipe has "
            f"data.transform: {{{name}: {method}}}, which takes values above {_LOWEST[method]:g}.{other} correct the cell, set "
            "data.limits for the column, or leave the transform out",
            code="transform_domain",
        )
