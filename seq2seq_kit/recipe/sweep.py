"""The `sweep` section of a recipe: the tuner, its objective and budget, and the space of hyperparameters.

`knobs` gives the hyperparameters in a neutral form, for the tuner, the figures and the note. What a space has to do with the rest
of the recipe is in sweep_rules.py, its combinations are in sweep_space.py.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.backtest_fields import Backtest
from seq2seq_kit.recipe.hyperparameters import Choice, Hyperparameter, as_text, form
from seq2seq_kit.recipe.section import Section, Tree

DEFAULT_TRIALS = 20
_MOST, _MOST_MINUTES = 1_000_000, 525_600.0  # of counts; a year


class Objective(Section):
    """The metric that trials are judged by."""

    metric: str = Field(description="A metric of the validation part, by epoch: val_loss, val_accuracy.")
    direction: Literal["min", "max"] = Field(description="Whether the smallest or the largest is the best.")


class Sweep(Section):
    """How the recipe is searched; read only by `seq2seq-kit sweep`."""

    tuner: Literal["random", "bayesian", "hyperband", "grid"] = Field("bayesian", description="KerasTuner's tuner.")
    objective: Annotated[
        Annotated[str, Tag("either: value")] | Annotated[Objective, Tag("either: section")], Discriminator(form)
    ] = Field(
        "val_loss",
        description="What trials are judged by, in the epoch that is kept: val_loss, val_accuracy.",
    )
    max_trials: int | None = Field(
        None,
        le=_MOST,
        json_schema_extra={"minimum": 2},
        description=f"Default: {DEFAULT_TRIALS} for random and bayesian, as many as they need for grid and hyperband. The "
        "recipe's own values are the first one.",
    )
    max_minutes: float | None = Field(
        None, gt=0, le=_MOST_MINUTES, description="After it no new trial starts; running trials are finished."
    )
    trial_minutes: float | None = Field(
        None, gt=0, le=_MOST_MINUTES, description="A trial that takes longer is stopped and failed."
    )
    executor: Literal["local", "ray"] = Field(
        "local", description="Where trials run: processes of this machine, or a Ray cluster (extra `ray`)."
    )
    seed: int | None = Field(None, ge=0, lt=2**32, description="Seed of the tuner; default: the recipe's seed.")
    folds: int | None = Field(
        None, ge=2, le=1_000, description="Judge each trial by as many expanding folds in time order instead of one."
    )
    backtest: Backtest | None = Field(
        None,
        description="Judge each trial by its forecasts at past moments before calibration and test, in place of folds.",
    )
    refit: bool = Field(False, description="Train the winner once more, on train and validation rows.")
    pruner: Literal["median", "asha"] | None = Field(
        None,
        description="Ends trials early that are worse by the same epoch than half of the others, or all but one of factor.",
    )
    max_epochs: int | None = Field(
        None, ge=1, le=_MOST, description="hyperband: most epochs of a trial; default: training.epochs."
    )
    factor: int = Field(
        3,
        ge=2,
        le=_MOST,
        description="hyperband and asha: one of as many trials is promoted to the next, longer round.",
    )
    iterations: int = Field(1, ge=1, le=_MOST, description="hyperband: how often the whole algorithm is run.")
    space: dict[str, Hyperparameter] = Field(
        min_length=1,
        max_length=100,
        description="Dotted key of this recipe, and values to try: {training.batch_size: {...}}.",
    )

    @field_validator("max_trials")
    @classmethod
    def _are_trials(cls, count: int | None) -> int | None:
        if count is not None and count < 2:
            said = "must be at least 2, because the first trial has the recipe's own values, for the others to be compared with"
            raise ValueError(f"{said}. To train the recipe alone, use `seq2seq-kit train`. Received: {count}")
        return count

    @property
    def metric(self) -> str:
        """Name of the metric that trials are judged by."""
        if self.backtest:
            return self.backtest.metric
        return self.objective if isinstance(self.objective, str) else self.objective.metric

    @property
    def direction(self) -> Literal["min", "max"]:
        """Whether the smallest or the largest value is the best."""
        return direction_of(self.metric) if isinstance(self.objective, str) else self.objective.direction

    @property
    def part(self) -> str:
        """What the scores of a trial are by: `fold` or `origin`; empty where it has one."""
        return "origin" if self.backtest else "fold" if self.folds else ""

    @property
    def fits(self) -> list[int]:
        """The folds or origins, numbered from 1, at which a trial is fitted; `[1]` where it has none of either."""
        return self.backtest.fits if self.backtest else list(range(1, (self.folds or 1) + 1))

    @property
    def trials(self) -> int | None:
        """Most trials; None where the tuner knows how many it needs."""
        if self.max_trials is None and self.tuner in ("random", "bayesian"):
            return DEFAULT_TRIALS
        return self.max_trials

    def describe(self) -> str:
        """The search in a few words: `bayesian over 4 keys, 20 trials`."""
        keys = "1 key" if len(self.space) == 1 else f"{len(self.space)} keys"
        words = [f"{self.tuner} over {keys}", f"{self.trials} trials" if self.trials else "as many trials as it needs"]
        words += [f"{self.folds} folds each"] if self.folds else []
        if self.backtest:
            words.append(f"{self.backtest.windows} past moments and {len(self.fits)} fits each")
        words += [f"pruned by {self.pruner}"] if self.pruner else []
        words += [f"at most {self.max_minutes:g} minutes"] if self.max_minutes else []
        return ", ".join(words)


def direction_of(metric: str) -> Literal["min", "max"]:
    """A loss is better when it is smaller, an accuracy when it is larger."""
    return "max" if metric.endswith("accuracy") else "min"


@dataclass(frozen=True)
class Knob:
    """One hyperparameter in a neutral form.

    Attributes:
        key: Dotted key of the recipe; `model.encoder_units.0` reaches into a list that the recipe has.
        kind: What is drawn.
        low: Smallest value, of int and float.
        high: Largest value.
        step: From one value to the next: added, or multiplied unless `sampling` is `linear`; None: any.
        sampling: `linear`, `log` or `reverse_log`.
        values: Of choice and boolean: all values as the recipe writes them, lists as lists.
        ordered: Whether the values have an order.
        when: The other keys that it depends on, and the values of each for which it is searched.
    """

    key: str
    kind: Literal["int", "float", "choice", "boolean"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    sampling: str = "linear"
    values: tuple[object, ...] = ()
    ordered: bool = False
    when: dict[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value, of int and float."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high


def knobs(sweep: Sweep) -> list[Knob]:
    """The hyperparameters of a sweep: each after those that it depends on, else in the order of the file.

    Raises:
        RecipeError: Conditions form a cycle, or name a key that is not in the space.
    """
    plain = {key: knob_of(key, parameter) for key, parameter in sweep.space.items()}
    waiting, found = dict(plain), dict[str, Knob]()
    while waiting:
        ready = next((key for key in waiting if all(parent in found for parent in sweep.space[key].when)), None)
        if ready is None:
            said = f"the conditions of {', '.join(waiting)} form a cycle or name a key outside the space; leave one `when` out"
            raise RecipeError(said, code="invalid_condition")
        when = {parent: named_values(plain[parent], named) for parent, named in sweep.space[ready].when.items()}
        found[ready] = replace(waiting.pop(ready), when=when)
    return list(found.values())


def knob_of(key: str, parameter: Hyperparameter) -> Knob:
    """A hyperparameter by itself, without its conditions."""
    span = parameter.int or parameter.float
    if span is not None:
        kind: Literal["int", "float"] = "int" if parameter.int else "float"
        return Knob(key, kind, span.min_value, span.max_value, span.step, span.sampling)
    if parameter.boolean is not None:
        return Knob(key, "boolean", values=(False, True))
    choice = parameter.choice
    assert choice is not None
    values, ordered = (choice.values, choice.ordered) if isinstance(choice, Choice) else (choice, None)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return Knob(key, "choice", values=tuple(values), ordered=numbers if ordered is None else ordered)


def named_values(parent: Knob, named: object) -> tuple[object, ...]:
    """What a condition names: one value of its parent, which may itself be a list, or a list of them."""
    if not isinstance(named, list) or _is_among(named, parent.values):
        return (named,)
    return tuple(named)


def can_have(knob: Knob, value: object) -> bool:
    """Whether a hyperparameter ever has a value."""
    if knob.values:
        return _is_among(value, knob.values)
    if isinstance(value, bool) or not isinstance(value, int | float) or (knob.kind == "int" and value != int(value)):
        return False
    low, high = knob.ends
    if not low <= value <= high:
        return False
    if knob.step is None:
        return True
    if knob.sampling == "linear":
        near = round((value - low) / knob.step)
    else:
        near = round(math.log((value if knob.sampling == "log" else high + low - value) / low) / math.log(knob.step))
    return 0 <= near < count_of_steps(knob) and math.isclose(value, stepped(knob, near))


def count_of_steps(knob: Knob) -> int:
    """Values of a range with a step, as KerasTuner counts them."""
    low, high = knob.ends
    assert knob.step is not None
    if knob.sampling == "linear":
        return math.floor((high - low) / knob.step + 1e-9) + 1
    return math.floor(math.log(high / low) / math.log(knob.step) + 1e-8) + 1


def stepped(knob: Knob, position: int) -> float:
    """Value of a range with a step, counted from 0, as KerasTuner computes it."""
    low, high = knob.ends
    assert knob.step is not None
    if knob.sampling == "linear":
        value = low + position * knob.step
    else:
        offset = low * math.pow(knob.step, position)
        value = offset if knob.sampling == "log" else high + low - offset
    return int(value) if knob.kind == "int" else value


def is_active(knob: Knob, values: Tree) -> bool:
    """Whether a hyperparameter is searched beside these values of those that it depends on."""
    return all(parent in values and _is_among(values[parent], named) for parent, named in knob.when.items())


def _is_among(value: object, values: tuple[object, ...]) -> bool:
    return as_text(value) in map(as_text, values)
