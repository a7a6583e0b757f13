"""The rows that a recipe is about: those of its source, or those that a program hands over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from seq2seq_kit.bundles.base import names_of_categories, names_of_series, rows_given, sourced
from seq2seq_kit.data import read_source
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.source_rules import is_database


def source_of(recipe: Recipe) -> str | list[str]:
    """The recipe's own data source, which may be a list of files.

    Raises:
        RecipeError: It names none.
    """
    source: str | list[str] | None = getattr(recipe.data, "source", None)
    if source is None:
        said = "the recipe names no data.source. Add one, or hand over a DataFrame as `data`"
        raise RecipeError(said, code="missing_source")
    return source


def data_name(recipe: Recipe) -> str:
    """The name of the file, or of a database's table, for MLflow."""
    section = sourced(recipe)
    if recipe.source is None or section is None or is_database(section.source):
        return (section.table or "query") if section and section.source else "DataFrame"
    return Path(recipe.source).name


def rows_of(recipe: Recipe, data: pd.DataFrame | None, *, texts: Sequence[str] = ()) -> tuple[pd.DataFrame, str]:
    """The rows that a recipe is about, and their name for messages: `data` if given, else its source.

    `texts` are columns that are taken as they are written, see `read_source`; the names of series always are.
    """
    if data is not None:
        return data, "the DataFrame"
    rows = read_source(
        source_of(recipe),
        texts=[*texts, *names_of_series(recipe), *names_of_categories(recipe)],
        section=sourced(recipe),
    )
    return rows_given(recipe, rows), str(recipe.source)
