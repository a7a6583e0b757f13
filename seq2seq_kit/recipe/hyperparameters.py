"""One hyperparameter of a sweep as a recipe writes it, in KerasTuner's words: a range, a choice or a boolean, and conditions."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

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

from seq2seq_kit.recipe.messages import did_you_mean
from seq2seq_kit.recipe.section import Section

KINDS = ("int", "float", "choice", "boolean")

# The numbers of a range, and how many values one with a step may have.
_LEAST, _MOST, _MOST_STEPS = 1e-30, 1e30, 10_000_000

Sampling = Literal["linear", "log", "reverse_log"]
_SAMPLING = "linear: evenly; log: evenly in the logarithm, `step` multiplies; reverse_log: the same from the other end."


def form(value: object) -> str:
    """Which member of a union is meant: without it each member would report its own error."""
    return "either: section" if isinstance(value, Mapping | BaseModel) else "either: value"


class IntRange(Section):
    """Whole numbers from `min_value` to `max_value`, both included."""

    min_value: int = Field(description="Smallest value to try.")
    max_value: int = Field(description="Largest value to try.")
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

    min_value: float = Field(description="Smallest value to try.")
    max_value: float = Field(description="Largest value to try.")
    step: float | None = Field(
        None, description="From one value to the next; default: any number (a grid takes 10, evenly spaced)."
    )
    sampling: Sampling = Field("linear", description=_SAMPLING)

    @model_validator(mode="after")
    def _is_a_range(self) -> "FloatRange":
        _check_range(self.min_value, self.max_value, self.step, self.sampling)
        return self


def _check_range(low: float, high: float, step: float | None, sampling: str) -> None:
    multiplied, said = sampling != "linear", ""
    widest = high / low if multiplied and low > 0 else high - low
    if low >= high:
        found = "is empty" if low == high else "is reversed"
        said = f"the range {found}: min_value must be below max_value. Received: min_value {low:g}, max_value {high:g}"
    elif multiplied and low <= 0:
        said = f"`sampling: {sampling}` needs min_value above 0, because it divides by it. Received: min_value {low:g}"
    elif not all(_LEAST <= abs(end) <= _MOST for end in (low, high, step) if end):
        said = f"numbers must be 0, or from {_LEAST:g} to {_MOST:g} in size, which float32 holds. Received: {low:g} to {high:g}"
    elif step is not None and multiplied and step <= 1:
        said = f"`sampling: {sampling}` multiplies by step, so it must be above 1, such as 2. Received: {step:g}"
    elif step is not None and step <= 0:
        said = f"step must be above 0. Received: {step:g}"
    elif step is not None and step > widest * (1 + 1e-9):
        advice = "Take a smaller one, or widen the range"
        said = f"step must be at most {widest:g}, else min_value is the only value. {advice}. Received: {step:g}"
    elif step is not None and _count(widest, step, multiplied=multiplied) > _MOST_STEPS:
        said = f"holds more than {_MOST_STEPS:,} values. Take a larger step, or leave it out. Received: step {step:g}"
    if said:
        raise ValueError(said)


def _count(widest: float, step: float, *, multiplied: bool) -> float:
    return math.log(widest) / math.log(step) if multiplied else widest / step


Values = Annotated[list[object], Field(max_length=1_000)]


class Choice(Section):
    """One of some values."""

    values: Values = Field(description="As the recipe would write them; lists and null, too.")
    ordered: bool | None = Field(
        None, description="Whether the values have an order; default: true for numbers, else false."
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
        raise ValueError(f"holds {', '.join(map(str, twice))} twice; list each value once. Received: {values}")
    return values


class Boolean(Section):
    """False or true; takes no keys."""


class Hyperparameter(Section):
    """The values of one key: exactly one of `int`, `float`, `choice` and `boolean`."""

    int: IntRange | None = Field(None, description="Whole numbers in a range.")
    float: FloatRange | None = Field(None, description="Numbers in a range.")
    choice: (
        Annotated[
            Annotated[Values, Tag("either: value")] | Annotated[Choice, Tag("either: section")], Discriminator(form)
        ]
        | None
    ) = Field(None, description="One of some values: [[32], [64], [64, 32]], or {values: [...], ordered: true}.")
    boolean: Boolean | None = Field(None, description="false or true: {}.")
    when: dict[str, object] = Field(
        default_factory=dict,
        description="{other key: value or list of values}: searched only where each other key has one of these, else the "
        "recipe's own value holds.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_one_kind(cls, written: object) -> object:
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
            hint = next(filter(None, (did_you_mean(key, KINDS) for key in others if not given)), "")
            raise ValueError(f"{kinds}. Received: {' and '.join(others) or 'none of them'}{hint}")
        if written[given[0]] is not None:
            return written
        if given == ["boolean"]:
            return {**written, "boolean": {}}
        shape = "[first, second]" if given == ["choice"] else "{min_value: ..., max_value: ...}"
        raise ValueError(f"`{given[0]}` is empty. Write `{given[0]}: {shape}`")

    @field_validator("choice")
    @classmethod
    def _are_choices(cls, choice: Values | Choice | None) -> Values | Choice | None:
        return _check_choices(choice) if isinstance(choice, list) else choice

    @model_serializer(mode="wrap")
    def _as_written(self, written_out: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without the kinds that were not given; an empty `boolean` was given."""
        values = written_out(self)
        kept = {kind: values[kind] for kind in KINDS if getattr(self, kind) is not None}
        return kept | ({"when": dict(self.when)} if self.when else {})


def as_text(value: object) -> str:
    """A value to compare by: 1 and 1.0 are equal to a recipe; 1 and true are not, although Python says so."""
    return json.dumps(_as_floats(value), sort_keys=True, default=str)


def _as_floats(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _as_floats(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
