"""Scaling of columns, fitted on training rows only; numbers in, numbers out, stored as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import numpy as np

from seq2seq_kit.data.on_disk.rows import on_disk
from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.tables.categories import checked_vocabularies
from seq2seq_kit.data.tables.pieces import Moments
from seq2seq_kit.data.tables.timestamps import TimeStyle
from seq2seq_kit.data.tables.transforms import StoredTransforms, Transforms
from seq2seq_kit.errors import DataError


class StoredScaler(TypedDict):
    """A scaler in JSON."""

    columns: list[str]
    center: list[list[float]]
    scale: list[list[float]]
    series: list[str] | None
    times: NotRequired[dict[str, str | bool | None]]
    transforms: NotRequired[StoredTransforms]
    vocabularies: NotRequired[dict[str, list[str]]]


_LARGEST = 1e200  # of what is stored: a float32 times this is still a number


@dataclass(frozen=True)
class Scaler:
    """`(value - center) / scale`, for each column and, where fitted so, for each series.

    Attributes:
        columns: Names of the columns, in the order of the last axis.
        center: What is subtracted, shape `(1 or series, columns)`.
        scale: What it is divided by, same shape; never 0.
        series: Names of the series it was fitted on, or None when one fit serves all.
        times: How the timestamps of the training rows were written, to which those of new rows are brought; None in a bundle of
            before, which does not tell.
        transforms: What columns go through before they are scaled: `center` and `scale` are those of the transformed values.
        vocabularies: Values of each category in the training rows, the most frequent first.
    """

    columns: list[str]
    center: np.ndarray
    scale: np.ndarray
    series: list[str] | None = None
    times: TimeStyle | None = None
    transforms: Transforms | None = None
    vocabularies: dict[str, list[str]] = field(default_factory=dict)

    def transform(
        self,
        values: np.ndarray,
        codes: np.ndarray,
        *,
        columns: Sequence[str] | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Scales `values`, shape `(rows, ..., columns)`, into `out` if given.

        Args:
            values: In original units, transformed.
            codes: The fitted series of each row.
            columns: Name the last axis where it is not all columns.
            out: For the result.
        """
        pick = self._picked(columns)
        center, scale = self._of(codes, values.ndim)
        shifted = np.subtract(values, center[..., pick], out=out)
        return np.divide(shifted, scale[..., pick], out=shifted)

    def inverse(self, values: np.ndarray, codes: np.ndarray, columns: Sequence[str] | None = None) -> np.ndarray:
        """Back to original units; `columns` names the last axis where it is not all columns."""
        pick = self._picked(columns)
        center, scale = self._of(codes, values.ndim)
        return values.astype(np.float64) * scale[..., pick] + center[..., pick]

    def codes_of(self, names: Sequence[str]) -> np.ndarray:
        """Row of the statistics for each series of a new table.

        Raises:
            DataError: The scaler was fitted series by series and does not know one of them.
        """
        if self.series is None:
            return np.zeros(len(names), dtype=np.int64)
        unknown = [names[number] for number in self.unknown(names)]
        if unknown:
            raise DataError(
                f"the series {', '.join(unknown[:5])} were not in the training data, and this model scales each series by "
                f"itself. Known series: {', '.join(self.series[:10])}. Train again with data.scale_per_series: false",
                code="unknown_series",
            )
        known = {name: number for number, name in enumerate(self.series)}
        return np.array([known[name] for name in names], dtype=np.int64)

    def unknown(self, names: Sequence[str]) -> list[int]:
        """Which of these series it was not fitted on, by number; none where one fit serves all."""
        known = set(names if self.series is None else self.series)
        return [number for number, name in enumerate(names) if name not in known]

    def only(self, columns: Sequence[str]) -> "Scaler":
        """The scaler of some of the columns."""
        picked = [self.columns.index(name) for name in columns]
        return Scaler(list(columns), self.center[:, picked], self.scale[:, picked], self.series, self.times)

    def _picked(self, columns: Sequence[str] | None) -> slice | list[int]:
        every = columns is None or list(columns) == self.columns
        return slice(None) if every else [self.columns.index(name) for name in columns or ()]

    def _of(self, codes: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
        if len(self.center) == 1:
            return self.center[0], self.scale[0]
        shape = (len(codes),) + (1,) * (dimensions - 2) + (len(self.columns),)
        return self.center[codes].reshape(shape), self.scale[codes].reshape(shape)

    def to_json(self) -> StoredScaler:
        """Plain numbers; Python writes floats so that they read back bit by bit."""
        stored: StoredScaler = {
            "columns": self.columns,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "series": self.series,
        }
        if self.times is not None:
            stored["times"] = self.times.to_json()
        if self.transforms is not None:
            stored["transforms"] = self.transforms.to_json()
        if self.vocabularies:
            stored["vocabularies"] = self.vocabularies
        return stored

    @classmethod
    def from_json(cls, stored: StoredScaler, columns: Sequence[str] | None = None) -> "Scaler":
        """The inverse of `to_json`, of these columns if they are given.

        Raises:
            ValueError: What is stored is no scaler: names twice, another number of values than names, or a scale that is not
                positive and finite.
        """
        if columns is not None and stored["columns"] != list(columns):
            raise ValueError(f"the recipe has the columns {list(columns)}, the scaler {str(stored['columns'])[:100]}")
        columns, series = stored["columns"], stored["series"]
        center, scale = (np.array(stored[key], dtype=np.float64) for key in ("center", "scale"))
        for names in (columns, series or []):
            if (
                not isinstance(names, list)
                or not all(isinstance(name, str) for name in names)
                or len(set(names)) < len(names)
            ):
                raise ValueError(f"the names of a scaler must be texts, each once. Received: {str(names)[:100]}")
        shape = (1 if series is None else len(series), len(columns))
        if center.shape != shape or scale.shape != shape:
            raise ValueError(
                f"a scaler of {len(columns)} columns needs {shape} values. Received: {center.shape}, {scale.shape}"
            )
        if not (np.abs(center) <= _LARGEST).all() or not ((scale > 0) & (scale <= _LARGEST)).all():
            raise ValueError(f"a scaler's centres must be finite, its scales positive, both at most {_LARGEST:g}")
        times = TimeStyle.from_json(stored["times"]) if "times" in stored else None
        given = stored.get("transforms")
        transforms = None if given is None else Transforms.from_json(given, columns, len(center))
        words = checked_vocabularies(stored.get("vocabularies", {}))
        return cls(columns, center, scale, series, times, transforms, words)


def fit_scaler(
    values: Rows,
    train_rows: np.ndarray,
    *,
    columns: Sequence[str],
    methods: Sequence[str],
    series: Sequence[str] | None = None,
    times: TimeStyle | None = None,
) -> Scaler:
    """Fits on the training rows only; missing cells are passed over.

    Args:
        values: Original units, shape `(rows, columns)`.
        train_rows: `(first, end)` of each series' training rows, shape `(series, 2)`.
        columns: Names of the columns.
        methods: For each column: `standard` (mean, standard deviation), `minmax` (minimum, range), `robust` (median,
            interquartile range; standard deviation where that is 0), `size` (0, root mean square) or `none`.
        series: Names of the series, to fit each separately; None fits all together.
        times: How the timestamps are written, which the scaler keeps.

    Returns:
        The scaler. A column that is constant over the training rows is only shifted (scale 1).
    """
    # Column by column, because the training rows of all of them together would be a second table.
    groups = [[rows] for rows in train_rows] if series is not None else [list(train_rows)]
    fits = [_fit_column(values, group, column, method) for group in groups for column, method in enumerate(methods)]
    stats = np.array(fits, dtype=np.float64).reshape(len(groups), len(columns), 2)
    return Scaler(list(columns), stats[..., 0], stats[..., 1], list(series) if series is not None else None, times)


def _fit_column(values: Rows, rows: list[np.ndarray], column: int, method: str) -> tuple[float, float]:
    if not on_disk(values):
        return _fit(np.concatenate([values[first:end, column] for first, end in rows]), method)
    assert method != "robust", "quantiles need all values at once; the recipe's rules refuse it"
    if method == "none":
        return 0.0, 1.0
    found = Moments.of(values, column, [(int(first), int(end)) for first, end in rows])
    if not found.count:
        return 0.0, 1.0
    if method == "size":
        return 0.0, float(np.hypot(found.mean, found.deviation)) or 1.0
    center, scale = (found.mean, found.deviation) if method == "standard" else (found.low, found.high - found.low)
    return center, _usable(center, scale)


def _fit(column: np.ndarray, method: str) -> tuple[float, float]:
    known = column[~np.isnan(column)]
    if method == "none" or not known.size:
        return 0.0, 1.0
    if method == "size":
        return 0.0, float(np.hypot(known.mean(), known.std())) or 1.0
    if method == "standard":
        center, scale = known.mean(), known.std()
    elif method == "minmax":
        center, scale = known.min(), known.max() - known.min()
    else:
        low, center, high = np.percentile(known, [25, 50, 75])
        # More than half of a column may hold one value, as rain does; its standard deviation is the spread then.
        scale = (high - low) or known.std()
    return float(center), _usable(float(center), float(scale))


def _usable(center: float, scale: float) -> float:
    # Rounding leaves a spread of about 1e-16 relative in a constant column; dividing by it would blow noise up.
    return 1.0 if scale <= 1e-12 * abs(center) else scale
