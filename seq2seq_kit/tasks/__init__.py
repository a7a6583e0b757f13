"""One class for each kind of recipe: what a run does with it, from the data to the figures."""

from __future__ import annotations

import pandas as pd

from seq2seq_kit.data import read_source
from seq2seq_kit.recipe import (
    AutoencodeRecipe,
    ForecastRecipe,
    Recipe,
    TagTokensRecipe,
    TagValuesRecipe,
    TranslateRecipe,
)
from seq2seq_kit.tasks.job import Job, digest_of, source_of


def open_job(recipe: Recipe, data: pd.DataFrame | None = None) -> Job:
    """The recipe with its data, checked and prepared.

    Args:
        recipe: Any recipe.
        data: Rows instead of the recipe's `data.source`.

    Raises:
        RecipeError: There is neither `data` nor a source.
        DataError: The data does not fit the recipe.
    """
    frame, origin = (data, "the DataFrame") if data is not None else (None, source_of(recipe))
    if isinstance(recipe, ForecastRecipe | AutoencodeRecipe):
        from seq2seq_kit.tasks.windows import WindowJob

        return WindowJob.open(recipe, read_source(origin) if frame is None else frame, origin)
    if isinstance(recipe, TagTokensRecipe | TagValuesRecipe):
        from seq2seq_kit.tasks.tag import TagJob

        return TagJob.open(recipe, data)
    if isinstance(recipe, TranslateRecipe):
        from seq2seq_kit.data.texts import read_table_of_texts
        from seq2seq_kit.tasks.translate import TranslateJob

        return TranslateJob.open(recipe, read_table_of_texts(recipe.data, origin) if frame is None else frame, origin)
    raise NotImplementedError(type(recipe).__name__)


__all__ = ["Job", "digest_of", "open_job"]
