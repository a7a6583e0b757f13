"""One class for each kind of recipe: what a run does with it, from the data to the figures."""

from __future__ import annotations

from importlib import import_module

import pandas as pd

from seq2seq_kit.recipe import Recipe
from seq2seq_kit.tasks.job import Job, digest_of

# Imported when they are needed: some read with what others do without.
_JOBS = {
    "AutoencodeRecipe": ("windows", "WindowJob"),
    "EchoRecipe": ("echo", "EchoJob"),
    "ForecastRecipe": ("windows", "WindowJob"),
    "NextStepRecipe": ("next_step", "NextStepJob"),
    "TagTokensRecipe": ("tag", "TagJob"),
    "TagValuesRecipe": ("tag", "TagJob"),
    "TranslateRecipe": ("translate", "TranslateJob"),
    "WholeRecipe": ("whole", "WholeJob"),
}


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
    module, name = _JOBS[type(recipe).__name__]
    job: Job = getattr(import_module(f"seq2seq_kit.tasks.{module}"), name).open(recipe, data)
    return job


__all__ = ["Job", "digest_of", "open_job"]
