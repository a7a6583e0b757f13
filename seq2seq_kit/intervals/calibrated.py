"""The intervals of a bundle: of its model and of each baseline, calibrated on the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seq2seq_kit.arguments import require_levels
from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.intervals.adaptive import RATE, at_levels, moved
from seq2seq_kit.intervals.calibration import (
    POINT,
    Predicts,
    errors_of,
    idle_series,
    long_enough,
    point_errors,
    require_calibration,
    scales_of,
    without_idle,
)
from seq2seq_kit.intervals.conformal import Margins, needed
from seq2seq_kit.intervals.prediction import DECILES, Prediction, as_prediction

_CHUNK = 4_096
_TEMPLATES = "intervals_paths"
_MOST_CELLS = 50_000_000  # of scores, windows evenly spread: beyond that a quantile hardly moves


@dataclass(frozen=True)
class Intervals:
    """What turns a forecast into one with quantiles.

    Attributes:
        kind: As `intervals` in a recipe.
        levels: Asked for, in percent, in the recipe's order.
        margins: By forecaster: `model`, and the baselines by name.
        scale: What errors of a series are divided by, by its name, shape `(targets,)` each; its seasonal naive MAE in training.
        limits: Lowest and highest possible value by target, see `data.limits`.
        windows: Windows that they were calibrated on.
        used: By series that `follow` was told of, the levels that are used for `levels` of the model, in percent, shape
            `(levels, steps, targets)`.
        templates: How the steps of the model's windows hang together, see `paths.templates_of`; None where that is not known.
    """

    kind: str
    levels: tuple[float, ...]
    margins: Mapping[str, Margins]
    scale: Mapping[str, np.ndarray]
    limits: Mapping[str, Sequence[float]]
    windows: int
    used: Mapping[str, np.ndarray] = field(default_factory=dict)
    templates: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        prepared: Prepared,
        predictors: Mapping[str, Predicts],
        *,
        levels: Sequence[float],
        naive: Mapping[str, np.ndarray],
        kind: str = "conformal",
        part: str = CALIBRATION,
    ) -> Intervals:
        """The intervals of some forecasters by their errors on one part, which neither training nor any choice has seen.

        Args:
            prepared: The rows.
            predictors: By name.
            levels: In percent.
            naive: MASE's denominators by series; of a series without one, which did not move in training, the mean error takes
                their place, and no other series has its margins by such errors.
            kind: What becomes of a forecaster's own quantiles, where it has any: `quantile` leaves them, `cqr` moves them.
            part: Of the rows.

        Raises:
            DataError: The part has too few windows for a level; the message says how many it takes.
        """
        these = prepared.windows[part]
        require_calibration(prepared, levels, part)
        cells = these.shape.output_steps * len(prepared.columns.targets)
        picked = these.evenly(max(needed(max(levels)), _MOST_CELLS // cells))
        names, of = prepared.table.series, prepared.series_of(part, picked)
        idle = idle_series(prepared, naive)
        first = next(iter(predictors.values()))
        errors = {
            int(place): point_errors(prepared, part, first, picked[of == place])
            for place in np.flatnonzero(idle.any(axis=1))
            if (of == place).any()
        }
        scale, least = scales_of(prepared, naive, idle, errors), needed(max(levels))
        by = np.stack([scale[name] for name in names])[of][:, None, :]
        own = long_enough(these, names, max(levels))
        margins = {}
        for name, predict in predictors.items():
            scores: dict[float, list[np.ndarray]] = {}
            for chunk in np.split(picked, range(_CHUNK, len(picked), _CHUNK)):
                for level, off in errors_of(prepared.truth(part, chunk), predict(prepared, part, chunk)).items():
                    scores.setdefault(level, []).append(off)
            joined = {level: np.concatenate(offs) / by for level, offs in scores.items()}
            if POINT in joined:
                shared = without_idle(joined[POINT], idle[of], least)
                margins[name] = Margins.fit(joined[POINT], of, names, own, levels, shared=shared)
            elif kind == "cqr":
                pool = [without_idle(each, idle[of], least) for each in joined.values()]
                margins[name] = Margins.adjust(list(joined.values()), of, names, own, list(joined), levels, shared=pool)
            else:
                shape = (len(joined), 1, these.shape.output_steps, len(prepared.columns.targets))
                margins[name] = Margins(tuple(joined), (), np.zeros(shape))
        limits = {name: pair for name, pair in prepared.data.limits.items() if name in prepared.columns.targets}
        return cls(kind, tuple(map(float, levels)), margins, scale, limits, len(picked))

    def offered(self, name: str) -> tuple[float, ...]:
        """Levels that a forecaster has intervals of, ascending."""
        return self.margins[name].levels

    def judged(self, name: str) -> tuple[float, ...]:
        """The levels that an evaluation looks at, ascending: those asked for, and those of the deciles."""
        return tuple(level for level in self.offered(name) if level in (*self.levels, *DECILES))

    def require(self, name: str, levels: Sequence[float]) -> tuple[float, ...]:
        """Levels that are offered, ascending.

        Raises:
            ArgumentError: One is not.
        """
        require_levels(levels)
        offered = self.offered(name)
        strange = [level for level in levels if level not in offered]
        if strange:
            raise ArgumentError(
                f"these intervals have the levels {', '.join(f'{level:g}' for level in offered)}. Received: levels="
                f"{[float(level) for level in levels]}. Name some of them, or calibrate the model for others: "
                "seq2seq-kit calibrate",
                code="unknown_level",
            )
        if len({*levels}) < len(levels):
            said = f"levels names one twice. Received: {[float(level) for level in levels]}. Name each level once"
            raise ArgumentError(said, code="invalid_argument")
        return tuple(sorted(map(float, levels)))

    def around(
        self,
        name: str,
        predicted: np.ndarray | Prediction,
        series: Sequence[str],
        levels: Sequence[float],
        targets: Sequence[str],
    ) -> Prediction:
        """The forecast of one forecaster with its quantiles.

        Args:
            name: Of the forecaster.
            predicted: What it forecasts, shape `(windows, steps, targets)`, or with quantiles of its own; of more steps than it
                was calibrated for, the later ones have no quantiles (NaN).
            series: Name of the series of each window.
            levels: Ascending, some of `offered`.
            targets: Their names.
        """
        predicted, margins = as_prediction(predicted), self.margins[name]
        point = predicted.point
        names, of = np.unique(np.asarray(series, dtype=object), return_inverse=True)
        scale = np.stack([self.scale_of(each) for each in names])
        picked = [margins.levels.index(level) for level in levels]
        steps = min(point.shape[1], margins.widths.shape[2])
        reach = (margins.of(list(names))[picked] * scale[:, None, :])[:, of, :steps]  # levels, windows, steps, targets
        quantiles = np.full((*point.shape, 2 * len(picked) + 1), np.nan)
        quantiles[..., len(picked)] = point
        before = after = point[:, :steps]
        for place, level in enumerate(levels):
            lower, upper = (point, point) if predicted.quantiles is None else predicted.band(level)
            # Ends that were moved inwards do not pass those nearer to the middle.
            before, after = (
                np.fmin(lower[:, :steps] - reach[place], before),
                np.fmax(upper[:, :steps] + reach[place], after),
            )
            quantiles[:, :steps, :, len(picked) - 1 - place] = before
            quantiles[:, :steps, :, len(picked) + 1 + place] = after
        for target, (low, high) in self.limits.items():
            k = list(targets).index(target)
            # An end beyond what is possible says nothing; the forecast itself stays what the model says.
            clipped = np.clip(quantiles[:, :, k], low, high)
            clipped[..., len(picked)] = quantiles[:, :, k, len(picked)]
            quantiles[:, :, k] = clipped
        return Prediction(point, tuple(levels), quantiles)

    def adapted(
        self,
        name: str,
        predicted: np.ndarray | Prediction,
        series: Sequence[str],
        levels: Sequence[float],
        targets: Sequence[str],
    ) -> Prediction:
        """As `around`, at the levels that `follow` has moved to; `levels` among those asked for, else as they are."""
        if name != self.followed or not self.used:
            return self.around(name, predicted, series, levels, targets)
        every = self.around(name, predicted, series, self.offered(name), targets)
        assert every.quantiles is not None
        steps, asked = min(every.point.shape[1], self.steps), list(self.levels)
        used = np.empty((len(levels), *every.point.shape))
        for place, level in enumerate(levels):
            used[place] = level
            if level in asked:
                for window, one in enumerate(series):
                    if one in self.used:
                        used[place, window, :steps] = self.used[one][asked.index(level), :steps]
        return at_levels(every, levels, used)

    @property
    def followed(self) -> str:
        """The forecaster whose levels move: the model."""
        return next(iter(self.margins))

    @property
    def steps(self) -> int:
        """Steps that they were calibrated for."""
        return int(self.margins[self.followed].widths.shape[2])

    def follow(self, series: str, missed: np.ndarray, rate: float = RATE) -> Intervals:
        """The same after a forecast of the model whose actual values became known.

        Args:
            series: Its series.
            missed: Whether they lay outside, for each of `levels`, NaN where one is not known: `(levels, steps, targets)`.
            rate: How far one miss moves a level, see `adaptive.moved`.
        """
        asked = np.array(self.levels)[:, None, None]
        before = self.used.get(series, np.broadcast_to(asked, missed.shape))
        return replace(self, used={**self.used, series: moved(before, self.levels, missed, rate)})

    def scale_of(self, series: str) -> np.ndarray:
        """The scale of a series; of one that training did not know the median of the others'."""
        found = self.scale.get(series)
        return np.median(np.stack(list(self.scale.values())), axis=0) if found is None else found

    def dump(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """As plain values for JSON, and arrays; `restore` reads them."""
        arrays = {f"intervals_{place}": each.widths for place, each in enumerate(self.margins.values())}
        arrays |= {f"intervals_used_{place}": used for place, used in enumerate(self.used.values())}
        arrays |= {} if self.templates is None else {_TEMPLATES: self.templates}
        words = {
            "kind": self.kind,
            "levels": list(self.levels),
            "margins": [
                {"name": name, "levels": list(each.levels), "series": list(each.series)}
                for name, each in self.margins.items()
            ],
            "scale": {name: values.tolist() for name, values in self.scale.items()},
            "limits": {name: list(pair) for name, pair in self.limits.items()},
            "windows": self.windows,
            "used": list(self.used),
        }
        return words, arrays

    @classmethod
    def restore(
        cls, words: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, steps: int, targets: Sequence[str]
    ) -> Intervals:
        """The reverse of `dump`.

        Raises:
            ValueError: What was stored does not belong to a forecast of these steps and targets.
        """
        margins = {}
        for place, entry in enumerate(words["margins"]):
            levels, series = tuple(map(float, entry["levels"])), tuple(map(str, entry["series"]))
            made = Margins(levels, series, np.asarray(arrays[f"intervals_{place}"], dtype=np.float64))
            made.require_steps(steps, len(targets))
            margins[str(entry["name"])] = made
        scale = {str(name): np.array(values, dtype=np.float64) for name, values in words["scale"].items()}
        levels = tuple(map(float, words["levels"]))
        limits = {str(name): [float(low), float(high)] for name, (low, high) in words["limits"].items()}
        if not scale or any(each.shape != (len(targets),) for each in scale.values()) or not {*limits} <= {*targets}:
            raise ValueError(f"the recipe has the targets {list(targets)}, the intervals scales or limits of others")
        if any(not {*levels} <= {*each.levels} for each in margins.values()):
            raise ValueError(f"intervals of {levels} lack margins of one of these levels")
        used = {str(name): arrays[f"intervals_used_{place}"] for place, name in enumerate(words.get("used", []))}
        if any(
            each.shape != (len(levels), steps, len(targets)) or not np.isfinite(each).all() for each in used.values()
        ):
            raise ValueError(f"the levels that are used have not the shape {(len(levels), steps, len(targets))}")
        templates = arrays.get(_TEMPLATES)
        if templates is not None and not (
            templates.ndim == 3
            and templates.shape[1:] == (steps, len(targets))
            and len(templates) > 1
            and bool(((templates > 0) & (templates < 1)).all())
        ):
            raise ValueError(f"templates of paths must lie in (0, 1), of shape (two or more, {steps}, {len(targets)})")
        return cls(str(words["kind"]), levels, margins, scale, limits, int(words["windows"]), used, templates)
