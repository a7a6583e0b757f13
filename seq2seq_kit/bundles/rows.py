"""What a recipe says of the rows that its bundle takes: their source, series, categories and how their files are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.data.sources.given import Given, frame_of
from seq2seq_kit.data.tables.written import PLAIN
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.format import Format
from seq2seq_kit.recipe.section import Section
from seq2seq_kit.recipe.sourced import Sourced

if TYPE_CHECKING:
    import pandas as pd


def rows_given(recipe: Recipe, data: Given) -> pd.DataFrame:
    """Rows that a program hands over, as a frame with the columns that a recipe names; see `frame_of`."""
    data_of = recipe.data
    values = dict.fromkeys([*getattr(data_of, "inputs", []), *getattr(data_of, "targets", [])])
    return frame_of(data, time=_names(data_of, "time"), series=names_of_series(recipe), values=list(values))


def sourced(recipe: Recipe) -> Sourced | None:
    """The section that says how a recipe's source is read; None of a recipe without one."""
    return recipe.data if isinstance(recipe.data, Sourced) else None


def _names(section: Section, key: str) -> list[str]:
    value = getattr(section, key, None)
    return [value] if isinstance(value, str) else list(value or [])


def names_of_series(recipe: Recipe) -> list[str]:
    """The columns that tell a recipe's series apart, if it has any."""
    return _names(recipe.data, "series")


def names_of_categories(recipe: Recipe) -> list[str]:
    """The columns of words that a recipe names."""
    return _names(recipe.data, "categories")


def format_of(recipe: Recipe) -> Format:
    """How a recipe's files of text are written."""
    found: Format = getattr(recipe.data, "format", PLAIN)
    return found
