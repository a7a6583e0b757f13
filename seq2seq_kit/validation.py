"""Checking a recipe and its data without training, and without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from seq2seq_kit.arguments import require_recipe
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe import check_space
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.tasks.registry import load_recipe, parse_recipe

if TYPE_CHECKING:
    from seq2seq_kit.tasks.registry import Given


@dataclass(frozen=True)
class Validation:
    """What a valid recipe would train on.

    Attributes:
        recipe: Resolved.
        rows: Rows of the data.
        series: Names of its series; `[""]` for a single one.
        unit: What is counted: `windows`, `sequences`.
        windows: Number of them by part.
        findings: Remarks on the data.
    """

    recipe: Recipe
    rows: int
    series: list[str]
    unit: str
    windows: dict[str, int]
    findings: list[Finding]

    def __repr__(self) -> str:
        return f"<Validation: {self.recipe.task}, {self.rows:,} rows; {self._counts}; {len(self.findings)} findings>"

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(str(finding))}</li>" for finding in self.findings)
        return f"<p>{escape(self.recipe.task)}: {self.rows:,} rows; {self._counts}</p><ul>{said}</ul>"

    @property
    def _counts(self) -> str:
        return f"{self.unit}: " + ", ".join(f"{count:,} {part}" for part, count in self.windows.items())


def validate(recipe: str | Path | Tree | Recipe, *, overrides: Overrides = (), data: Given | None = None) -> Validation:
    """Checks everything that can be checked before training.

    Args:
        recipe: As for `train`.
        overrides: As for `train`.
        data: Rows instead of the recipe's `data.source`.

    Raises:
        RecipeError: The recipe has problems, or the space of its sweep contains invalid recipes; all are listed.
        DataError: The data does not fit the recipe.
    """
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.tasks.model_memory import require_room_for_space

    origin = str(recipe) if isinstance(recipe, str | Path) else "the recipe"
    recipe = resolve(recipe, overrides)
    check_space(recipe, origin=origin)
    require_room_for_space(recipe)
    job = open_job(recipe, data)
    return Validation(
        recipe=recipe,
        rows=len(job.source),
        series=job.series,
        unit=job.unit,
        windows={part: job.examples.count(part) for part in ("train", "val", "test")},
        findings=job.check(),
    )


def resolve(recipe: str | Path | Tree | Recipe, overrides: Overrides = ()) -> Recipe:
    """A recipe from whatever form it has, with overrides."""
    require_recipe(recipe)
    if isinstance(recipe, BaseModel):
        return parse_recipe(recipe.model_dump(mode="json"), overrides) if overrides else recipe
    if isinstance(recipe, Mapping):
        return parse_recipe(recipe, overrides)
    return load_recipe(recipe, overrides)
