"""What a recipe for the baselines alone may say: `model: none`."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.category_rules import CATEGORY_RULES
from seq2seq_kit.recipe.detect_fields import DETECT, Detect
from seq2seq_kit.recipe.fields import Recipe, Rule, Written
from seq2seq_kit.recipe.interval_fields import (
    INTERVALS,
    LEVELS,
    Kind,
    Levels,
    intervals_have_levels_and_rows,
    open_calibration,
)
from seq2seq_kit.recipe.rules import TABLE_RULES, row_groups_are_read_as_they_stand
from seq2seq_kit.recipe.section import Section, Tree
from seq2seq_kit.recipe.split_rules import a_split_in_time_leaves_training_rows
from seq2seq_kit.tasks.forecast.recipe import ForecastData, ForecastTraining, a_target_is_not_known

NO_MODEL = "none"


class NoModel(Section):
    """No network: the run is of the baselines."""

    none: Literal[True] = Field(True, description="`model: none` says the same.")


def has_no_model(values: Tree) -> bool:
    """Whether a recipe as it was written says `model: none`."""
    model = values.get("model")
    return model == NO_MODEL or (isinstance(model, Mapping) and "none" in model)


def nothing_is_searched(recipe: Written) -> Iterator[Problem]:
    if recipe.training.get("final") is not None:
        said = "nothing is trained with `model: none`, so there is no last fit. Leave it out, or describe a model"
        yield Problem("training.final", said, "conflicting_keys")
    if recipe.training.get("workers") not in (None, 1):
        said = "nothing is trained with `model: none`, so there is nothing to share. Leave it out, or describe a model"
        yield Problem("training.workers", said, "conflicting_keys")
    if recipe.sweep is not None:
        said = "there is nothing to search with `model: none`. Leave the sweep out, or describe a model"
        yield Problem("sweep", said, "conflicting_keys")


class NoModelRecipe(Recipe):
    """A forecast by baselines: (input_steps, inputs) -> (output_steps, targets), nothing is trained."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        *CATEGORY_RULES,
        a_target_is_not_known,
        row_groups_are_read_as_they_stand,
        a_split_in_time_leaves_training_rows,
        intervals_have_levels_and_rows,
        nothing_is_searched,
    )

    no_ensemble: ClassVar[str] = "nothing is trained with `model: none`"

    task: Literal["forecast"]
    data: ForecastData
    model: NoModel
    training: ForecastTraining = Field(default_factory=ForecastTraining, description="Not used: nothing is trained.")
    detect: Detect | None = Field(None, description=DETECT)
    levels: Levels | None = Field(None, description=LEVELS)
    intervals: Kind | None = Field(None, description=INTERVALS)

    @model_validator(mode="before")
    @classmethod
    def _of_a_word(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        values = {**values, **open_calibration(values)}
        return {**values, "model": {"none": True}} if values.get("model") == NO_MODEL else values
