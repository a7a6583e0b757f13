"""One class for each kind of recipe: what a run does with it, from the data to the figures."""

from __future__ import annotations

import pandas as pd

from seq2seq_kit.data import read_source
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe import AutoencodeRecipe, EchoRecipe, ForecastRecipe, Recipe
from seq2seq_kit.tasks.job import Job, digest_of, source_of


def open_job(recipe: Recipe, data: pd.DataFrame | None = None) -> Job:
    """The recipe with its data, checked and prepared.

    Args:
        recipe: Any recipe.
        data: Rows instead of the recipe's `data.source`.

    Raises:
        ArgumentError: `data` for an echo, whose sequence stands in its recipe.
        RecipeError: There is neither `data` nor a source.
        DataError: The data does not fit the recipe.
    """
    if isinstance(recipe, EchoRecipe):
        from seq2seq_kit.tasks.echo import EchoJob

        if data is not None:
            raise ArgumentError(
                "an echo takes no `data`: its sequence stands in the recipe. Received: a frame with "
                f"{len(data)} rows. Set data.sequence instead"
            )
        return EchoJob.open(recipe)
    frame, origin = (data, "the DataFrame") if data is not None else (None, source_of(recipe))
    if isinstance(recipe, ForecastRecipe | AutoencodeRecipe):
        from seq2seq_kit.tasks.windows import WindowJob

        return WindowJob.open(recipe, read_source(origin) if frame is None else frame, origin)
    raise NotImplementedError(type(recipe).__name__)


__all__ = ["Job", "digest_of", "open_job"]
