"""What is found of new rows: a table, findings, and whether to train again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seq2seq_kit.drift.reference import Group
from seq2seq_kit.drift.stretches import STATISTICS, Alarms
from seq2seq_kit.findings import Finding

_SHOWN = 4
_NAMES = {
    ("error", "level"): "mean error",
    ("error", "spread"): "spread of errors",
    ("error", "distribution"): "distribution of errors",
    ("coverage", "level"): "coverage",
    ("category", "unseen"): "share of unseen values",
}
_PLAIN = {"missing": "share of missing cells", "level": "mean", "spread": "spread", "distribution": "distribution"}


@dataclass(frozen=True)
class Compared:
    """One group of columns, compared.

    Attributes:
        group: The columns and their reference.
        alarms: What was found.
        rows: Rows of each series that were compared, the newest.
        given: How many there were, in whole blocks.
        center: What brings a mean back to original units, shape `(columns,)`; likewise `scale`, NaN where series differ in it.
    """

    group: Group
    alarms: Alarms
    rows: int
    given: int
    center: np.ndarray
    scale: np.ndarray

    @property
    def what(self) -> str:
        """In words."""
        return self.group.what

    def past(self, row: int) -> np.ndarray:
        """The reference's stretches in the statistic of a row of `table`, the oldest first, in its units."""
        place, at = np.argwhere(~np.isnan(self.alarms.distance))[row]
        values = self.alarms.past[:, place, at]
        return np.array([self._in_units(place, STATISTICS[at], value) for value in values])

    def table(self) -> pd.DataFrame:
        """A row for each statistic of each column that was looked at."""
        found, rows = self.alarms, []
        for place, (column, kind) in enumerate(zip(self.group.columns, self.group.kinds, strict=True)):
            for at in np.flatnonzero(~np.isnan(found.distance[place])):
                statistic = STATISTICS[at]
                usual, now = (self._in_units(place, statistic, each[place, at]) for each in (found.usual, found.now))
                rows.append(
                    {
                        "column": column,
                        "statistic": _NAMES.get((kind, statistic)) or _PLAIN[statistic],
                        "usual": usual,
                        "now": now,
                        "distance": found.distance[place, at],
                        "threshold": found.threshold,
                        "p": found.p[place, at],
                        "alarm": bool(found.alarm[place, at]),
                    }
                )
        return pd.DataFrame(rows)

    def _in_units(self, place: int, statistic: str, value: float) -> float:
        if statistic not in ("level", "spread") or np.isnan(self.scale[place]):
            return float(value)
        return float(value * self.scale[place] + (self.center[place] if statistic == "level" else 0.0))


@dataclass(frozen=True)
class Drift:
    """How new rows differ from those of the training.

    Attributes:
        rate: Of the false alarms in each group: at most in so many cases one or more.
        groups: What was compared: the inputs and, where there is ground truth, the answers.
        notes: What was done to the rows.
        remarks: What could not be compared.
    """

    rate: float
    groups: Sequence[Compared]
    notes: Sequence[str] = ()
    remarks: Sequence[Finding] = field(default_factory=tuple)

    @property
    def drifted(self) -> bool:
        """Whether there is an alarm."""
        return any(each.alarms.alarm.any() for each in self.groups)

    def table(self) -> pd.DataFrame:
        """A row for each statistic of each column, the farthest first.

        `usual` is the median of the reference's stretches, `now` that of the new rows, both in original units (in training scales
        where series are scaled apart); `distance` is in robust deviations of the stretches, `p` the share of them in which any
        statistic is as far.
        """
        found = pd.concat([each.table() for each in self.groups], ignore_index=True)
        order = (-(found["distance"] / found["threshold"].clip(lower=1e-12))).argsort(kind="stable")
        return found.iloc[order].reset_index(drop=True)

    @property
    def findings(self) -> list[Finding]:
        """What drifted, with advice; then what could not be compared."""
        told = []
        alarms = self.table().query("alarm")
        errors, coverage = (alarms[alarms["statistic"].isin(names)] for names in (_ERRORS, ["coverage"]))
        inputs = alarms[~alarms["statistic"].isin([*_ERRORS, "coverage"])]
        if len(inputs):
            told.append(
                Finding(
                    "inputs_drifted", "warning", f"the inputs are not what they were: {_said(inputs)}", self._of_inputs
                )
            )
        if len(errors):
            told.append(
                Finding("errors_drifted", "warning", f"the errors are not what they were: {_said(errors)}", self.advice)
            )
        if len(coverage):
            said = f"the intervals do not cover what they did: {_said(coverage)}"
            told.append(
                Finding(
                    "coverage_drifted",
                    "warning",
                    said,
                    "`calibrate` them on recent rows, or `update` them as rows come",
                )
            )
        return [*told, *self.remarks]

    @property
    def _of_inputs(self) -> str:
        gone = self.table().query("alarm")["statistic"].isin([_PLAIN["missing"], _NAMES["category", "unseen"]]).any()
        source = "Look at what writes these columns first. " if gone else ""
        return f"{source}{self.advice}"

    @property
    def advice(self) -> str:
        """Whether to train again, and why."""
        alarms = set(self.table().query("alarm")["statistic"])
        errors, inputs = bool(alarms & set(_ERRORS)), bool(alarms - set(_ERRORS) - {"coverage"})
        known = any("error" in each.group.kinds for each in self.groups)
        if errors and inputs:
            return "Train again with rows up to now: the inputs have moved, and the errors with them"
        if errors:
            return "Train again with recent rows: the inputs are as they were, what follows from them is not"
        if "coverage" in alarms:
            return "No need to train again: errors are as they were; calibrate the intervals anew"
        if inputs and known:
            return "No need to train again yet: the errors are as they were. Watch them, and train again when they move"
        if inputs:
            return "Errors are not known here. Watch rows with ground truth before training again"
        return "No need to train again: nothing has moved by more than the training rows themselves do"


_ERRORS = [_NAMES["error", name] for name in ("level", "spread", "distribution")]


def _said(rows: pd.DataFrame) -> str:
    parts = [
        f"{row.statistic} of {row.column} {row.now:.4g}, usual {row.usual:.4g} (p {row.p:.3g})"
        for row in rows.itertuples()
    ]
    more = f"; {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return "; ".join(parts[:_SHOWN]) + more
