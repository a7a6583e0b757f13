"""What the `sweep` section of a recipe may say: how it is searched, and over which values of which keys.

A hyperparameter is written in KerasTuner's words; `knobs` gives them in a neutral form, for the tuner, the figures and the note.
What a space has to do with the rest of the recipe stands in sweep_rules.py, its combinations in sweep_space.py.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.section import Section

KINDS = ("int", "float", "choice", "boolean")
DEFAULT_TRIALS = 20

Sampling = Literal["linear", "log", "reverse_log"]
_SAMPLING = "linear: evenly; log: evenly in the logarithm, `step` multiplies; reverse_log: the same from the other end."


def _form(value: Any) -> str:
    """Which member of a union is meant: without a word from here, each would report its own error."""
    return "either: section" if isinstance(value, Mapping | BaseModel) else "either: value"


class Objective(Section):
    """The figure that trials are judged by."""

    metric: str = Field(description="A figure of the validation part, by epoch: val_loss, val_accuracy.")
    direction: Literal["min", "max"] = Field(description="Whether the smallest or the largest is the best.")


class IntRange(Section):
    """Whole numbers from `min_value` to `max_value`, both included."""

    min_value: int
    max_value: int
    step: int | None = Field(
        None,
        description="From one value to the next; default: any whole number (log and reverse_log: a grid takes 10 of them).",
    )
    sampling: Sampling = Field("linear", description=_SAMPLING)

    @model_validator(mode="after")
    def _is_a_range(self) -> "IntRange":
        _check_range(self.min_value, self.max_value, self.step, self.sampling)
        return self


class FloatRange(Section):
    """Numbers from `min_value` to `max_value`, both included."""

    min_value: float
    max_value: float
    step: float | None = Field(
        None, description="From one value to the next; default: any number (a grid takes 10, evenly spaced)."
    )
    sampling: Sampling = Field("linear", description=_SAMPLING)

    @model_validator(mode="after")
    def _is_a_range(self) -> "FloatRange":
        _check_range(self.min_value, self.max_value, self.step, self.sampling)
        return self


def _check_range(low: float, high: float, step: float | None, sampling: str) -> None:
    if low >= high:
        found = "is empty" if low == high else "is upside down"
        raise ValueError(
            f"the range {found}: min_value must be below max_value. Received: min_value {low:g}, max_value {high:g}"
        )
    multiplied = sampling != "linear"
    if multiplied and low <= 0:
        raise ValueError(
            f"`sampling: {sampling}` needs min_value above 0, because it divides by it. Received: min_value {low:g}"
        )
    if step is None:
        return
    if multiplied and step <= 1:
        raise ValueError(
            f"`sampling: {sampling}` multiplies by step, so it must be above 1, such as 2. Received: {step:g}"
        )
    if step <= 0:
        raise ValueError(f"step must be above 0. Received: {step:g}")
    widest = high / low if multiplied else high - low
    if step > widest * (1 + 1e-9):
        advice = "Take a smaller one, or widen the range"
        raise ValueError(
            f"step must be at most {widest:g}, else min_value is the only value. {advice}. Received: {step:g}"
        )


Values = list[Any]


class Choice(Section):
    """One of some values."""

    values: Values = Field(description="As the recipe would write them; lists and null, too.")
    ordered: bool | None = Field(
        None, description="Whether neighbours are alike; default: true for numbers, else false."
    )

    @field_validator("values")
    @classmethod
    def _are_choices(cls, values: Values) -> Values:
        return _check_choices(values)


def _check_choices(values: Values) -> Values:
    if len(values) < 2:
        said = "must hold at least 2 values, because there is nothing to search among fewer"
        raise ValueError(f"{said}. Write a single one in its own section of the recipe. Received: {values}")
    written = [as_text(value) for value in values]
    twice = [value for position, value in enumerate(values) if as_text(value) in written[:position]]
    if twice:
        raise ValueError(f"holds {', '.join(map(str, twice))} twice; name each value once. Received: {values}")
    return values


class Boolean(Section):
    """False or true; has no keys of its own."""


class Hyperparameter(Section):
    """The values of one key: exactly one of `int`, `float`, `choice` and `boolean`."""

    int: IntRange | None = Field(None, description="Whole numbers in a range.")
    float: FloatRange | None = Field(None, description="Numbers in a range.")
    choice: (
        Annotated[
            Annotated[Values, Tag("either: value")] | Annotated[Choice, Tag("either: section")], Discriminator(_form)
        ]
        | None
    ) = Field(None, description="One of some values: [[32], [64], [64, 32]], or {values: [...], ordered: true}.")
    boolean: Boolean | None = Field(None, description="false or true: {}.")
    when: dict[str, Any] = Field(
        default_factory=dict,
        description="{other key: value or list of values}: searched only where each other key has one of these, else the "
        "recipe's own value holds.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_one_kind(cls, written: Any) -> Any:
        if isinstance(written, Hyperparameter):
            return written
        kinds = f"must be one of {', '.join(KINDS[:-1])} and {KINDS[-1]}"
        if isinstance(written, list):
            raise ValueError(f"{kinds}. Write `choice: {written}`. Received: {written}")
        if not isinstance(written, Mapping):
            raise ValueError(f"{kinds}, such as `choice: [a, b]`. Received: {written!r}")
        given = [kind for kind in KINDS if kind in written]
        if len(given) != 1:
            others = given if given else [str(key) for key in written if key != "when"]
            near = [match for key in others if not given for match in get_close_matches(key, KINDS, n=1)]
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{kinds}. Received: {' and '.join(others) or 'none of them'}{hint}")
        if written[given[0]] is not None:
            return written
        if given == ["boolean"]:
            return {**written, "boolean": {}}
        shape = "[first, second]" if given == ["choice"] else "{min_value: ..., max_value: ...}"
        raise ValueError(f"`{given[0]}` stands empty. Write `{given[0]}: {shape}`")

    @field_validator("choice")
    @classmethod
    def _are_choices(cls, choice: Values | Choice | None) -> Values | Choice | None:
        return _check_choices(choice) if isinstance(choice, list) else choice

    @model_serializer(mode="wrap")
    def _as_written(self, written_out: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the kinds that were not given: a `boolean` without anything in it is one that was."""
        values = written_out(self)
        kept = {kind: values[kind] for kind in KINDS if getattr(self, kind) is not None}
        return kept | ({"when": dict(self.when)} if self.when else {})


class Sweep(Section):
    """How the recipe is searched; read only by `seq2seq-kit sweep`."""

    tuner: Literal["random", "bayesian", "hyperband", "grid"] = "bayesian"
    objective: Annotated[
        Annotated[str, Tag("either: value")] | Annotated[Objective, Tag("either: section")], Discriminator(_form)
    ] = Field(
        "val_loss",
        description="What trials are judged by, in the epoch of the smallest val_loss: val_loss, val_accuracy.",
    )
    max_trials: int | None = Field(
        None,
        json_schema_extra={"minimum": 2},
        description=f"Default: {DEFAULT_TRIALS} for random and bayesian, as many as they need for grid and hyperband. The "
        "recipe as it stands is the first one.",
    )
    max_minutes: float | None = Field(
        None, gt=0, description="After it no new trial begins; those that run are finished."
    )
    trial_minutes: float | None = Field(None, gt=0, description="A trial that takes longer is stopped and failed.")
    seed: int | None = Field(None, ge=0, lt=2**32, description="Of the tuner; default: the recipe's seed.")
    folds: int | None = Field(
        None, ge=2, description="Judge each trial by as many expanding folds in time order instead of one."
    )
    refit: bool = Field(False, description="Train the winner once more, on train and validation rows.")
    max_epochs: int | None = Field(
        None, ge=1, description="hyperband: most epochs of a trial; default: training.epochs."
    )
    factor: int = Field(3, ge=2, description="hyperband: one trial of as many goes on to the next, longer round.")
    iterations: int = Field(1, ge=1, description="hyperband: how often the whole of it is run.")
    space: dict[str, Hyperparameter] = Field(
        min_length=1, description="Dotted key of this recipe, and the values to try: {training.batch_size: {...}}."
    )

    @field_validator("max_trials")
    @classmethod
    def _are_trials(cls, count: int | None) -> int | None:
        if count is not None and count < 2:
            said = "must be at least 2, because the recipe as it stands is the first trial, for the others to be compared with"
            raise ValueError(f"{said}. To train the recipe alone, use `seq2seq-kit train`. Received: {count}")
        return count

    @property
    def metric(self) -> str:
        """Name of the figure that trials are judged by."""
        return self.objective if isinstance(self.objective, str) else self.objective.metric

    @property
    def direction(self) -> Literal["min", "max"]:
        """Whether the smallest or the largest figure is the best."""
        return direction_of(self.metric) if isinstance(self.objective, str) else self.objective.direction

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
        ordered: Whether neighbouring choices are alike.
        when: The other keys that it depends on, and the values of each for which it is searched.
    """

    key: str
    kind: Literal["int", "float", "choice", "boolean"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    sampling: str = "linear"
    values: tuple[Any, ...] = ()
    ordered: bool = False
    when: dict[str, tuple[Any, ...]] = field(default_factory=dict)


def knobs(sweep: Sweep) -> list[Knob]:
    """The hyperparameters of a sweep: who depends on another comes after it, else in the order of the file.

    Raises:
        RecipeError: Conditions that go round in a circle, or name a key that is not in the space.
    """
    plain = {key: knob_of(key, parameter) for key, parameter in sweep.space.items()}
    waiting, found = dict(plain), dict[str, Knob]()
    while waiting:
        ready = next((key for key in waiting if all(parent in found for parent in sweep.space[key].when)), None)
        if ready is None:
            raise RecipeError(
                f"the conditions of {', '.join(waiting)} name each other or a key outside the space; leave one `when` out"
            )
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


def named_values(parent: Knob, named: Any) -> tuple[Any, ...]:
    """What a condition names: one value of its parent, which may itself be a list, or a list of them."""
    if not isinstance(named, list) or any(as_text(named) == as_text(value) for value in parent.values):
        return (named,)
    return tuple(named)


def can_have(knob: Knob, value: Any) -> bool:
    """Whether a hyperparameter ever has a value."""
    if knob.values:
        return any(as_text(value) == as_text(own) for own in knob.values)
    if isinstance(value, bool) or not isinstance(value, int | float) or (knob.kind == "int" and value != int(value)):
        return False
    assert knob.low is not None
    assert knob.high is not None
    if not knob.low <= value <= knob.high:
        return False
    return knob.step is None or any(math.isclose(value, stepped(knob, n)) for n in range(count_of_steps(knob)))


def count_of_steps(knob: Knob) -> int:
    """Values of a range with a step, as KerasTuner counts them."""
    assert knob.low is not None
    assert knob.high is not None
    assert knob.step is not None
    if knob.sampling == "linear":
        return math.floor((knob.high - knob.low) / knob.step + 1e-9) + 1
    return math.floor(math.log(knob.high / knob.low) / math.log(knob.step) + 1e-8) + 1


def stepped(knob: Knob, position: int) -> float:
    """Value of a range with a step, counted from 0, as KerasTuner computes it."""
    assert knob.low is not None
    assert knob.high is not None
    assert knob.step is not None
    if knob.sampling == "linear":
        value = knob.low + position * knob.step
    elif knob.sampling == "log":
        value = knob.low * math.pow(knob.step, position)
    else:
        value = knob.high + knob.low - knob.low * math.pow(knob.step, position)
    return int(value) if knob.kind == "int" else value


def is_active(knob: Knob, values: Mapping[str, Any]) -> bool:
    """Whether a hyperparameter is searched beside these values of those that it depends on."""
    return all(
        parent in values and any(as_text(values[parent]) == as_text(value) for value in named)
        for parent, named in knob.when.items()
    )


def as_text(value: Any) -> str:
    """A value to compare by: 1 and 1.0 are the same to a recipe, 1 and true are not, although Python takes them so."""
    return json.dumps(_as_floats(value), sort_keys=True, default=str)


def _as_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_floats(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
