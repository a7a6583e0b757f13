"""What tells an anomaly from an error: location and scale of validation errors, the threshold, the alarms it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seq2seq_kit.anomalies.row_errors import RowErrors
from seq2seq_kit.anomalies.threshold import Cut, alarm_rates, fit_tail
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.detect_fields import Detect

_WEEK_SECONDS = 7 * 86400
_ROWS = 10_000  # alarms are counted in, where rows have no clock
_MAD = 1.4826  # makes the median of absolute deviations a standard deviation, for normal errors
_SHRUNK = 0.1  # share of the covariance that is replaced by its diagonal
_LEAST_ROWS = 20


@dataclass(frozen=True)
class Detector:
    """Fitted on validation rows only.

    Attributes:
        settings: The recipe's section `detect`.
        columns: Names of the columns that are predicted.
        center: Median of the validation errors of each column in scaled units, shape `(columns,)`.
        scale: Their robust standard deviation; likewise.
        precision: Inverse of the correlations of the errors, for Mahalanobis' distance, shape `(columns, columns)`.
        threshold: Score at which an event begins.
        merge_gap: Rows between two events that are one.
        rows_per_week: None where rows have no clock: then alarms are counted in 10,000 rows.
        rates: Thresholds, ascending, and the expected alarms in a week (or 10,000 rows) at each; at most 200.
        median: Of the validation scores; what drift is measured from.
        rows: Validation rows with a score.
    """

    settings: Detect
    columns: list[str]
    center: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    threshold: float
    merge_gap: int
    rows_per_week: float | None
    rates: tuple[np.ndarray, np.ndarray]
    median: float
    rows: int

    @classmethod
    def fit(cls, errors: RowErrors, settings: Detect, *, window_steps: int, every_seconds: float | None) -> Self:
        """The detector of validation errors.

        Args:
            errors: Of the validation part.
            settings: The recipe's section.
            window_steps: Rows of a window; events that close are one unless the recipe says otherwise.
            every_seconds: From one row to the next; None where rows have no clock.

        Raises:
            DataError: Fewer than 20 rows have a score.
        """
        known = np.isfinite(errors.errors)
        if (found := int(known.any(axis=1).sum())) < _LEAST_ROWS:
            raise DataError(
                f"a detector needs at least {_LEAST_ROWS} validation rows with an observed value, to tell usual errors from "
                f"unusual ones. Received: {found}. Use more rows or a larger data.split.val",
                code="too_few_rows_to_calibrate",
            )
        center, scale = _location_and_scale(errors.errors)
        merge_gap = window_steps if settings.merge_gap is None else settings.merge_gap
        per_week = None if every_seconds is None else _WEEK_SECONDS / every_seconds
        precision = _precision((errors.errors - center) / scale)
        none = (np.zeros(0), np.zeros(0))
        made = cls(settings, errors.columns, center, scale, precision, 1.0, merge_gap, per_week, none, 0.0, found)
        scores, _ = made.score(errors.errors, errors.segment)
        tail = fit_tail(scores, errors.segment, made.cut, made.units(len(scores)))
        made = replace(
            made,
            rates=alarm_rates(scores, errors.segment, made.cut, made.units(len(scores)), tail),
            median=float(np.nanmedian(scores)),
        )
        if settings.threshold == "quantile":
            return replace(made, threshold=_positive(float(np.nanquantile(scores, settings.quantile))))
        if settings.alarms_per_week < tail.rate:
            return replace(made, threshold=_positive(tail.threshold(settings.alarms_per_week)))
        return made.at_rate(settings.alarms_per_week)

    @property
    def cut(self) -> Cut:
        """How scores are cut into events."""
        return Cut(self.settings.exit, self.settings.min_steps, self.merge_gap)

    @property
    def exit_threshold(self) -> float:
        """Score at which an event ends."""
        return self.settings.exit * self.threshold

    @property
    def alarms_per_week(self) -> float:
        """Expected at the threshold; in 10,000 rows where rows have no clock."""
        return float(self.alarms_at(np.array([self.threshold]))[0])

    @property
    def unit(self) -> str:
        """What alarms are counted in: `week` or `10,000 rows`."""
        return f"{_ROWS:,} rows" if self.rows_per_week is None else "week"

    def units(self, rows: int) -> float:
        """Weeks, or ten thousands, of rows."""
        return rows / (self.rows_per_week or _ROWS)

    def alarms_at(self, thresholds: np.ndarray) -> np.ndarray:
        """Expected alarms in a week (or 10,000 rows) at each threshold; beyond the highest level that is known, that of it."""
        levels, rates = self.rates
        return np.interp(thresholds, levels, rates)

    def at_threshold(self, threshold: float) -> Self:
        """The same with another threshold.

        Raises:
            ArgumentError: It is no number above 0.
        """
        _require_above_0("threshold", threshold, "a score above 0")
        return replace(self, threshold=float(threshold))

    def at_rate(self, alarms_per_week: float) -> Self:
        """The same with the lowest threshold above which no more alarms a week (or in 10,000 rows) are expected.

        Raises:
            ArgumentError: It is no number above 0.
        """
        _require_above_0("alarms_per_week", alarms_per_week, "a number above 0")
        levels, rates = self.rates
        if alarms_per_week >= rates[0]:
            most = int(np.searchsorted(-rates, -rates[0], side="right")) - 1
            return replace(self, threshold=_positive(float(levels[most])))  # so many are never met
        below = int(np.searchsorted(-rates, -alarms_per_week, side="left"))  # the first level with no more of them
        if below == len(levels):
            return replace(self, threshold=float(levels[-1]))
        log = np.log(np.maximum(rates[[below, below - 1]], 1e-300))
        return replace(
            self, threshold=_positive(float(np.interp(np.log(alarms_per_week), log, levels[[below, below - 1]])))
        )

    def tuned(self, *, alarms_per_week: float | None = None, threshold: float | None = None) -> Self:
        """`at_rate` or `at_threshold`, or the same.

        Raises:
            ArgumentError: Both are given, or one is no number above 0.
        """
        if alarms_per_week is not None and threshold is not None:
            said = (
                f"alarms_per_week and threshold are two ways to say one thing. Received: {alarms_per_week}, {threshold}"
            )
            raise ArgumentError(f"{said}. Leave one out", code="invalid_argument")
        if threshold is not None:
            return self.at_threshold(threshold)
        return self if alarms_per_week is None else self.at_rate(alarms_per_week)

    def robust(self, errors: np.ndarray) -> np.ndarray:
        """Errors in units of their robust standard deviation, signed, shape `(rows, columns)`."""
        return np.asarray((errors - self.center) / self.scale)

    def score(self, errors: np.ndarray, segment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and which columns they come from.

        Args:
            errors: In scaled units, NaN where a cell was missing, shape `(rows, columns)`.
            segment: As in `RowErrors`; smoothing does not cross it.

        Returns:
            Scores of at least 0, shape `(rows,)`, NaN where every cell was missing; and shares of the columns, shape
            `(rows, columns)`, which sum to 1 in each row, 0 where the cell was missing.
        """
        usual = self.robust(errors)
        unknown = np.isnan(usual)
        filled = np.where(unknown, 0.0, usual)
        parts = filled * (filled @ self.precision) if self.settings.columns == "mahalanobis" else filled**2
        parts = np.where(unknown, np.nan, parts)
        if self.settings.smooth > 1:
            parts = trailing_mean(parts, segment, self.settings.smooth)
        known = np.isfinite(parts)
        count, parts = known.sum(axis=1), np.where(known, parts, 0.0)
        folded = parts.max(axis=1) if self.settings.columns == "max" else parts.sum(axis=1) / np.maximum(count, 1)
        scores = np.where(count > 0, np.sqrt(np.maximum(folded, 0.0)), np.nan)
        positive = np.maximum(parts, 0.0)  # a column that makes Mahalanobis' distance smaller contributes nothing
        total = positive.sum(axis=1, keepdims=True)
        even = np.where(count[:, None] > 0, known / np.maximum(count, 1)[:, None], 1.0 / parts.shape[1])
        return scores, np.where(total > 0, positive / np.where(total > 0, total, 1.0), even)

    def to_json(self) -> dict[str, Any]:
        """As plain numbers; `from_json` reads it."""
        return {
            "settings": self.settings.model_dump(),
            "columns": self.columns,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "precision": self.precision.tolist(),
            "threshold": self.threshold,
            "merge_gap": self.merge_gap,
            "rows_per_week": self.rows_per_week,
            "rates": [each.tolist() for each in self.rates],
            "median": self.median,
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """The reverse of `to_json`.

        Raises:
            ValueError: The numbers do not belong together.
        """
        read = dict(written)
        for name in ("center", "scale", "precision"):
            read[name] = np.array(read[name], dtype=np.float64)
        levels, rates = (np.array(each, dtype=np.float64) for each in read["rates"])
        read |= {"settings": Detect.model_validate(read["settings"]), "rates": (levels, rates)}
        made = cls(**read)
        width = len(made.columns)
        fits = made.center.shape == made.scale.shape == (width,) and made.precision.shape == (width, width)
        if not fits or levels.ndim != 1 or levels.shape != rates.shape or not len(levels):
            raise ValueError(f"a detector of {width} columns has other numbers of errors or rates")
        made.require_numbers()
        return made

    def require_numbers(self) -> None:
        """Raises `ValueError` where a number is none that a detector can have."""
        levels, rates = self.rates
        arrays = (self.center, self.scale, self.precision, levels, rates)
        whole = type(self.merge_gap) is int and type(self.rows) is int and self.merge_gap >= 0
        above = self.threshold > 0 and self.median >= 0 and (self.rows_per_week is None or self.rows_per_week > 0)
        finite = all(
            np.isfinite(each).all() for each in (*arrays, self.threshold, self.median, self.rows_per_week or 1.0)
        )
        ordered = (np.diff(levels) > 0).all() and (np.diff(rates) <= 0).all() and (self.scale > 0).all()
        if not (whole and above and finite and ordered):
            raise ValueError("a number of the detector is none that it can have")


def _location_and_scale(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust standard deviation of each column; where most errors are equal the ordinary one, else 1."""
    center, scale = np.zeros(errors.shape[1]), np.ones(errors.shape[1])
    for place, column in enumerate(errors.T):
        known = column[np.isfinite(column)]
        if not len(known):
            continue
        center[place] = np.median(known)
        spread = _MAD * np.median(np.abs(known - center[place]))
        least = 1e-9 * max(1.0, float(np.abs(known).max()))
        spread = spread if spread > least else float(known.std())
        scale[place] = spread if spread > least else 1.0  # a scaled unit: the training rows' standard deviation
    return center, scale


def _precision(usual: np.ndarray) -> np.ndarray:
    """Inverse of the shrunk correlations of robust errors; large ones are clipped, so that no anomaly bends it."""
    clipped = np.clip(np.nan_to_num(usual), -3.0, 3.0)
    covariance = clipped.T @ clipped / max(len(clipped), 1)
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / spread[:, None] / spread
    shrunk = (1 - _SHRUNK) * correlation + _SHRUNK * np.eye(len(correlation))
    np.fill_diagonal(shrunk, 1.0)
    return np.asarray(np.linalg.inv(shrunk))


def trailing_mean(values: np.ndarray, segment: np.ndarray, steps: int) -> np.ndarray:
    """Mean of each row and up to `steps - 1` before it in its segment, of known cells; NaN where the cell itself is unknown."""
    known = np.isfinite(values)
    sums = np.zeros(values.shape)
    counts = np.zeros(values.shape)
    filled = np.where(known, values, 0.0)
    for back in range(min(steps, len(values))):
        same = np.ones(len(values), dtype=bool)
        same[:back] = False
        same[back:] = segment[back:] == segment[: len(values) - back]
        sums[same] += filled[np.flatnonzero(same) - back]
        counts[same] += known[np.flatnonzero(same) - back]
    return np.where(known, sums / np.maximum(counts, 1), np.nan)


def _require_above_0(name: str, value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ArgumentError(f"{name} is {what}. Received: {name}={value!r}", code="invalid_argument")


def _positive(threshold: float) -> float:
    return max(threshold, 1e-9)
