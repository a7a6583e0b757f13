"""Checking a recipe and its data without training, and without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from seq2seq_kit.data import prepare, read_source
from seq2seq_kit.data.checks import check_data
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe import AutoencodeRecipe, ForecastRecipe, Recipe, load_recipe, parse_recipe
from seq2seq_kit.recipe.loading import Overrides


@dataclass(frozen=True)
class Validation:
    """A recipe that can be trained.

    Attributes:
        recipe: Resolved.
        rows: Rows of the data.
        series: Names of its series; `[""]` for a single one.
        windows: Number of windows by part.
        findings: What stands out in the data.
    """

    recipe: Recipe
    rows: int
    series: list[str]
    windows: dict[str, int]
    findings: list[Finding]


def validate(
    recipe: str | Path | Mapping[str, Any] | Recipe, *, overrides: Overrides = (), data: pd.DataFrame | None = None
) -> Validation:
    """Checks everything that can be checked before training.

    Args:
        recipe: As for `train`.
        overrides: As for `train`.
        data: Rows instead of the recipe's `data.source`.

    Raises:
        RecipeError: The recipe has problems; all are listed.
        DataError: The data does not fit the recipe.
    """
    recipe = resolve(recipe, overrides)
    frame, origin = read_rows(recipe, data)
    prepared = prepare(recipe.data, frame, origin=origin)
    return Validation(
        recipe=recipe,
        rows=len(prepared.table.values),
        series=prepared.table.series,
        windows={part: windows.count for part, windows in prepared.windows.items()},
        findings=check_data(prepared),
    )


def resolve(recipe: str | Path | Mapping[str, Any] | Recipe, overrides: Overrides = ()) -> Recipe:
    """A recipe from whatever form it has, with overrides."""
    if isinstance(recipe, ForecastRecipe | AutoencodeRecipe):
        return parse_recipe(recipe.model_dump(mode="json"), overrides) if overrides else recipe
    if isinstance(recipe, Mapping):
        return parse_recipe(recipe, overrides)
    return load_recipe(recipe, overrides)


def read_rows(recipe: Recipe, data: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    """The rows a recipe is about, and their name for messages: `data` if given, else its source."""
    if data is not None:
        return data, "the DataFrame"
    if recipe.data.source is None:
        raise RecipeError("the recipe names no data.source. Add one, or hand over a DataFrame as `data`")
    return read_source(recipe.data.source), recipe.data.source
