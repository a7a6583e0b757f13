"""What a recipe for an autoencoder of windows may say."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.column_fields import ShortSeries
from seq2seq_kit.recipe.detect_fields import DETECT, Detect
from seq2seq_kit.recipe.fields import MOST, Model, Recipe, Rule, WindowData, Written
from seq2seq_kit.recipe.latent_fields import Latent
from seq2seq_kit.recipe.model_rules import (
    a_divergence_is_of_a_variational_latent,
    a_memory_is_of_a_forget_gate,
    a_pyramid_has_layers_to_join,
    segments_and_pyramid_divide_the_steps,
)
from seq2seq_kit.recipe.robust_fields import RobustTraining
from seq2seq_kit.recipe.rules import TABLE_RULES, is_count, row_groups_are_read_as_they_stand
from seq2seq_kit.recipe.split_rules import a_split_in_time_leaves_training_rows
from seq2seq_kit.recipe.transform_rules import WINDOW_RULES

Beyond = Annotated[int, Field(ge=0, le=MOST)]


def segments_divide_what_is_written(recipe: Written) -> Iterator[Problem]:
    segment, around = recipe.model.get("segment_steps"), _around(recipe)
    if is_count(segment) and around % segment:
        said = (
            f"and `backcast_steps` must together be a multiple of `model.segment_steps: {segment}`. Received: {around}"
        )
        yield Problem("data.forecast_steps", said, "not_divisible")


def a_weight_is_of_rows_around_a_window(recipe: Written) -> Iterator[Problem]:
    weight = recipe.training.get("forecast_weight")
    own = recipe.training.get("loss") == "own"
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if weight != AutoencodeTraining.model_fields["forecast_weight"].default and (own or not _around(recipe)):
        why = "a program's own loss weighs what it likes" if own else "there are none"
        said = (
            f"weighs the rows around a window (`data.forecast_steps`, `data.backcast_steps`), and {why}; leave it out"
        )
        yield Problem("training.forecast_weight", said, "unused_key")


def row_groups_hold_what_is_told_of_before(recipe: Written) -> Iterator[Problem]:
    if recipe.data.get("read") == "row_groups" and recipe.data.get("backcast_steps"):
        said = "`read: row_groups` reads on from a window's first row. Leave it out, or set `data.read: memory`"
        yield Problem("data.backcast_steps", said, "conflicting_keys")


def _around(recipe: Written) -> int:
    """Rows around a window; 0 where a number of them is none."""
    given = [recipe.data.get(key) for key in ("forecast_steps", "backcast_steps")]
    return sum(each for each in given if is_count(each))


class AutoencodeData(WindowData):
    """The table of an autoencoder: its targets are its inputs."""

    framing: Literal["window"] = Field(
        "window", description="window: of input_steps rows; whole: each series is one sequence, of any length."
    )
    short_series: ShortSeries = "leave_out"
    forecast_steps: Beyond = Field(0, description="Rows after a window that are forecast from its latent vector, too.")
    backcast_steps: Beyond = Field(0, description="Rows before a window that are told from its latent vector, too.")


class AutoencodeModel(Model, Latent):
    """The layers of an autoencoder."""


class AutoencodeTraining(RobustTraining):
    """The fit of an autoencoder of windows."""

    forecast_weight: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5,
        description="Share of the loss, and of a row's error, that is of the rows around a window (`data.forecast_steps`, "
        "`data.backcast_steps`); the rest is of the window.",
    )


class AutoencodeRecipe(Recipe):
    """A window -> itself, through a latent vector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        *WINDOW_RULES,
        row_groups_are_read_as_they_stand,
        a_split_in_time_leaves_training_rows,
        segments_and_pyramid_divide_the_steps,
        a_pyramid_has_layers_to_join,
        a_memory_is_of_a_forget_gate,
        a_divergence_is_of_a_variational_latent,
        segments_divide_what_is_written,
        a_weight_is_of_rows_around_a_window,
        row_groups_hold_what_is_told_of_before,
    )
    # Its inputs are what it reconstructs, so they are not searched.
    searched_data: ClassVar[tuple[str, ...]] = ("train_stride",)

    task: Literal["autoencode"]
    data: AutoencodeData
    model: AutoencodeModel = Field(default_factory=AutoencodeModel)
    training: AutoencodeTraining = Field(default_factory=AutoencodeTraining)
    detect: Detect | None = Field(None, description=DETECT)
