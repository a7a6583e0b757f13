"""Bundles that tell anomalies: a detector fitted on validation rows, and events of new ones."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import Detection, detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import Progress, RowErrors
from seq2seq_kit.bundles.base import Bundle, Json
from seq2seq_kit.bundles.watching import Watched, labelled
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.detect_fields import Detect
from seq2seq_kit.recipe.fields import Table

_SAME = 0.05  # share of a rate that rounding and interpolation may be off
_MONTH_SECONDS = 365.2425 / 12 * 86400
_BUSINESS_DAY_SECONDS = 7 / 5 * 86400
# Training rows with more events than this many times the expected ones, and this many at least, look anomalous themselves.
_TOO_MANY = 3.0
_AT_LEAST = 3
# Validation rows that score so many times what this share of them stays below are taken for anomalies: the highest of a thousand
# normal errors is 1.7 times it, of Student's t with four degrees of freedom 3.4 times, in 7 of 100 such samples more than 6.
_FAR, _MOST = 6.0, 0.95


class DetectingBundle(Bundle):
    """A bundle whose model gives an error for each row.

    Attributes:
        detector: Fitted on the validation rows of the training; None of a bundle without one.
    """

    detector: Detector | None

    @property
    def detect_settings(self) -> Detect:
        """The recipe's section `detect`, or its defaults."""
        section = getattr(self.recipe, "detect", None)
        return section if isinstance(section, Detect) else Detect()

    @property
    def beyond(self) -> float:
        """Share of a row's error that is of the windows around it, where windows tell such rows, too."""
        return float(getattr(self.recipe.training, "forecast_weight", 0.5))

    @abstractmethod
    def errors_of(self, frame: pd.DataFrame, origin: str, progress: Progress | None = None) -> Watched:
        """The errors of new rows, in which cells of any column may be missing."""

    @property
    @abstractmethod
    def window_steps(self) -> int:
        """Rows that the model looks at together."""

    def detect(
        self,
        frame: pd.DataFrame,
        *,
        alarms_per_week: float | None = None,
        threshold: float | None = None,
        labels: str | None = None,
        progress: Progress | None = None,
        origin: str = "the data",
    ) -> Detection:
        """The events of new rows, and a score for every row.

        Args:
            frame: Rows with the recipe's columns. Cells may be missing, and whole columns have no value (finding
                `column_without_values`): nothing is said of such cells, and the others are scored.
            alarms_per_week: Expected false alarms for each series (in 10,000 rows where rows have no time), instead of the
                recipe's.
            threshold: A score, instead of both.
            labels: Which rows are anomalous, for `Detection.judged` and pages: a column of 0 and 1, or a file of intervals, as in
                `data.labels`. None: those of the recipe, as far as they are of these rows.
            progress: Is told how many windows are done, and of how many.
            origin: Name of the file for messages.

        Raises:
            ArgumentError: The bundle has no detector, or both are given, or one is no number above 0.
            DataError: The rows do not fit.
        """
        detector = self.require_detector().tuned(alarms_per_week=alarms_per_week, threshold=threshold)
        rate, unit = detector.alarms_per_week, detector.unit
        asked = (
            []
            if alarms_per_week is None or np.isclose(rate, alarms_per_week, rtol=_SAME)
            else [
                f"{alarms_per_week:g} alarms per {unit} were asked for; the validation rows tell of {rate:.3g} at the "
                f"{'lowest' if rate < alarms_per_week else 'highest'} threshold that they have, which is used"
            ]
        )
        watched = self.errors_of(frame, origin, progress)
        data = self.recipe.data
        flags = labelled(watched, data, frame, labels, origin) if isinstance(data, Table) else None
        found = detect_events(watched.errors, detector, notes=[*asked, *watched.notes])
        return replace(found, findings=[*watched.findings, *found.findings], labelled=flags)

    def answer_to(self, frame: pd.DataFrame, *, verb: str | None = None) -> pd.DataFrame:
        """What MLflow serves where parameters are given: of the `verb` `detect` the events.

        Raises:
            ArgumentError: There is no such verb, or it does not answer with rows.
        """
        if verb in (None, self.verbs[0]):
            return self.answer(frame)
        if verb == "detect":
            return self.detect(frame).events
        rows = [name for name in self.verbs if name != "evaluate"]
        if verb not in rows:
            said = f"verb must be one of {', '.join(rows)}. Received: {verb}"
            raise ArgumentError(said, code="invalid_argument")
        answer: pd.DataFrame = getattr(self, str(verb))(frame)
        return answer

    @property
    def served_params(self) -> dict[str, str | int]:
        """The parameters that MLflow offers, with what they are if they are left out."""
        return {} if self.detector is None else {"verb": self.verbs[0]}

    def calibrate(self, frame: pd.DataFrame, *, origin: str = "the data") -> Self:
        """The bundle with a detector fitted on these rows: usual ones that it was not trained on.

        Warns of rows with the times of the training: they are its own, or those of another machine.

        Raises:
            DataError: The rows do not fit, or are too few.
        """
        watched = self.errors_of(frame, origin)
        if trained := self.trained_windows(watched):
            said = f"{trained:,} windows of {origin} have the times of rows that the model was trained on"
            told = "If they are those rows, its errors are too small and the threshold too low: calibrate on others"
            warnings.warn(f"{said}. {told}", stacklevel=2)
        return self.with_detector(watched.errors, watched.seconds)

    def trained_windows(self, watched: Watched) -> int:
        """How many windows begin in rows that the model was trained on, as far as their times tell."""
        return 0

    def with_detector(self, errors: RowErrors, every_seconds: float | None) -> Self:
        """The bundle with a detector fitted on row errors."""
        made = Detector.fit(errors, self.detect_settings, window_steps=self.window_steps, every_seconds=every_seconds)
        return replace(self, detector=made)  # type: ignore[type-var]  # every bundle is a dataclass

    def require_detector(self) -> Detector:
        """The detector.

        Raises:
            ArgumentError: There is none.
        """
        if self.detector is None:
            raise ArgumentError(
                "this model has no detector: it was trained before there were any, or by a recipe without the section `detect`. "
                "Calibrate it on usual rows that it was not trained on: detect --calibrate FILE, or `bundle.calibrate(rows)`; or "
                "train it again with `detect: {}` in its recipe",
                code="no_detector",
            )
        return self.detector

    def detector_state(self) -> Json:
        """What is saved of the detector; empty of a bundle without one, whose file is as it was before there were any."""
        return {} if self.detector is None else {"detector": self.detector.to_json()}


def stored_detector(state: Json, columns: Sequence[str]) -> Detector | None:
    """The reverse of `detector_state`.

    Raises:
        ValueError: It is of other columns than the recipe.
    """
    if "detector" not in state:
        return None
    detector = Detector.from_json(state["detector"])
    if detector.columns != list(columns):
        raise ValueError(f"the recipe has the columns {list(columns)}, the detector {detector.columns}")
    return detector


def fitted_detector(
    bundle: DetectingBundle, errors_of: Callable[[str], RowErrors], every_seconds: float | None
) -> tuple[Any, list[Finding]]:
    """The bundle with a detector of its validation part, and what it finds in the training part.

    Args:
        bundle: Trained.
        errors_of: The errors of `train` or `val`.
        every_seconds: From one row to the next; None without a clock.
    """
    try:
        usual = errors_of("val")
        made = bundle.with_detector(usual, every_seconds)
    except (ArgumentError, DataError) as error:
        said = f"no detector was fitted: {str(error).rstrip('.')}"
        return bundle, [Finding("detector_not_fitted", "warning", said, "`detect` needs one; see `calibrate`")]
    detector = made.require_detector()
    return made, [*examine_validation(usual, detector), *examine_training(detect_events(errors_of("train"), detector))]


def examine_validation(usual: RowErrors, detector: Detector) -> list[Finding]:
    """Whether rows that the threshold was fitted on are so far from the others that they are anomalies themselves."""
    scores, _ = detector.score(usual.errors, usual.segment)
    far = _FAR * float(np.nanquantile(scores, _MOST))
    if not 0 < far < np.nanmax(scores):
        return []
    found = detect_events(usual, detector.at_threshold(far))
    worst = found.events.iloc[0] if len(found.events) else None
    if worst is None:
        return []
    said = (
        f"the validation part, of which the threshold comes, holds {len(found.events)} events with scores above {_FAR:g} times "
        f"their {_MOST:.0%} quantile; the worst from {worst.start} to {worst.end}, {worst.score:.3g} where the threshold is "
        f"{detector.threshold:.3g}. Weaker anomalies stay below such a threshold"
    )
    advice = "If they are no usual operation: another data.split, `detect --calibrate` with usual rows, or more alarms_per_week"
    return [Finding("validation_part_contains_anomalies", "warning", said, advice)]


def examine_training(found: Detection) -> list[Finding]:
    """Whether the training part holds many more events than the threshold lets through."""
    detector, count = found.detector, len(found.events)
    expected = detector.alarms_per_week * detector.units(len(found.scores))
    if count <= max(_AT_LEAST, _TOO_MANY * expected):
        return []
    worst = found.events.iloc[0]
    said = (
        f"{count} events in the training part, where {expected:.1f} are expected; the worst from {worst.start} to {worst.end}, "
        f"{worst.severity:.1f} times the threshold"
    )
    advice = "The model has learned from them. If they are no usual operation, leave those rows out and train again"
    return [Finding("training_part_contains_anomalies", "warning", said, advice)]


def seconds_between(prepared: Prepared) -> float | None:
    """From one row to the next, on average; None without a clock."""
    table = prepared.table
    if table.times is None:
        return None
    if table.every is not None:
        every = table.every
        return every.seconds or every.months * _MONTH_SECONDS or every.weekdays * _BUSINESS_DAY_SECONDS
    spans = [
        ((table.times[end - 1] - table.times[first]).total_seconds(), end - first - 1)
        for first, end in zip(table.bounds[:-1], table.bounds[1:], strict=True)
    ]
    seconds, steps = np.sum(spans, axis=0)
    return float(seconds / steps) if steps and seconds > 0 else None
