"""The key `ensemble`: several models that differ by their seed, of forecasts also by what they read, and that answer as one."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.section import Section, Steps, Tree

MOST_MEMBERS = 100


class Ensemble(Section):
    """How many models are trained, and how their answers become one."""

    members: int = Field(
        ge=2, le=MOST_MEMBERS, description="Models that are trained, with the seeds `seed`, `seed` + 1, ..."
    )
    combine: Literal["mean", "median"] = Field(
        "mean", description="How their predictions become one; of classes and tokens, their probabilities."
    )


def _counted_either_way(schema: JsonDict) -> None:
    """In the JSON schema: their number, or a length for each."""
    del schema["required"]
    schema["anyOf"] = [{"required": ["members"]}, {"required": ["input_steps"]}]


class WindowEnsemble(Ensemble):
    """An ensemble of forecasts, whose members may read windows of several lengths."""

    model_config = ConfigDict(json_schema_extra=_counted_either_way)

    input_steps: Annotated[list[Steps], Field(min_length=2, max_length=MOST_MEMBERS)] | None = Field(
        None,
        description="How many of the newest steps of a window each member reads, such as [72, 168, 336]; the longest is "
        "`data.input_steps`. `members` is their number.",
    )


def _of_a_number(value: object) -> object:
    if isinstance(value, Mapping) and isinstance(steps := value.get("input_steps"), list):
        return {"members": max(len(steps), 2), **value}  # fewer are told as what they are
    return {"members": value} if isinstance(value, int | float | str) else value


EnsembleKey = Annotated[
    Ensemble | None,
    BeforeValidator(_of_a_number),
    Field(description="Models with other seeds that answer as one: 4, or {members: 4, combine: median}."),
]


WindowEnsembleKey = Annotated[
    WindowEnsemble | None,
    BeforeValidator(_of_a_number),
    Field(
        description="Models with other seeds that answer as one: 4, or {members: 4, combine: median}; "
        "{input_steps: [72, 168, 336]} for members that read windows of several lengths."
    ),
]


def problems_of_ensemble(values: Tree, no_ensemble: str) -> Iterator[Problem]:
    """The problem of a recipe that has the key and whose kind cannot; `no_ensemble` says why, empty where it can."""
    if no_ensemble and values.get("ensemble") is not None:
        yield Problem("ensemble", f"{no_ensemble}. Leave `ensemble` out", "ensemble_not_supported")


def lengths_of(ensemble: Ensemble | None) -> list[int]:
    """Input steps of each member; empty where all read what the recipe says."""
    return (ensemble.input_steps if isinstance(ensemble, WindowEnsemble) else None) or []


def steps_of(ensemble: Ensemble | None, place: int) -> int | None:
    """Input steps of the member at a place, counted from 0; None where it reads what the recipe says."""
    lengths = lengths_of(ensemble)
    return lengths[place] if lengths else None


def seeds_of(seed: int, ensemble: Ensemble | None) -> list[int]:
    """The seed of each member; of a single model its own."""
    return [(seed + place) % 2**32 for place in range(ensemble.members if ensemble else 1)]
