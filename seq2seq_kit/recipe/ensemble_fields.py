"""The key `ensemble`: several models that differ by their seed, and that answer as one."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.section import Section, Tree

MOST_MEMBERS = 100


class Ensemble(Section):
    """How many models are trained, and how their answers become one."""

    members: int = Field(
        ge=2, le=MOST_MEMBERS, description="Models that are trained, with the seeds `seed`, `seed` + 1, ..."
    )
    combine: Literal["mean", "median"] = Field(
        "mean", description="How their predictions become one; of classes and tokens, their probabilities."
    )


def _of_a_number(value: object) -> object:
    return {"members": value} if isinstance(value, int | float | str) else value


EnsembleKey = Annotated[
    Ensemble | None,
    BeforeValidator(_of_a_number),
    Field(description="Models with other seeds that answer as one: 4, or {members: 4, combine: median}."),
]


def problems_of_ensemble(values: Tree, no_ensemble: str) -> Iterator[Problem]:
    """The problem of a recipe that has the key and whose kind cannot; `no_ensemble` says why, empty where it can."""
    if no_ensemble and values.get("ensemble") is not None:
        yield Problem("ensemble", f"{no_ensemble}. Leave `ensemble` out", "ensemble_not_supported")


def seeds_of(seed: int, ensemble: Ensemble | None) -> list[int]:
    """The seed of each member; of a single model its own."""
    return [(seed + place) % 2**32 for place in range(ensemble.members if ensemble else 1)]
