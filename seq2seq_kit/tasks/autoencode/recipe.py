"""What a recipe for an autoencoder of windows may say."""

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.column_fields import ShortSeries
from seq2seq_kit.recipe.detect_fields import DETECT, Detect
from seq2seq_kit.recipe.fields import Model, Recipe, RobustTraining, Rule, WindowData
from seq2seq_kit.recipe.latent_fields import Latent
from seq2seq_kit.recipe.model_rules import (
    a_divergence_is_of_a_variational_latent,
    a_pyramid_has_layers_to_join,
    segments_and_pyramid_divide_the_steps,
)
from seq2seq_kit.recipe.rules import (
    TABLE_RULES,
    a_split_in_time_leaves_training_rows,
    row_groups_are_read_as_they_stand,
)
from seq2seq_kit.recipe.transform_rules import WINDOW_RULES


class AutoencodeData(WindowData):
    """The table of an autoencoder: its targets are its inputs."""

    framing: Literal["window"] = Field(
        "window", description="window: of input_steps rows; whole: each series is one sequence, of any length."
    )
    short_series: ShortSeries = "leave_out"


class AutoencodeModel(Model, Latent):
    """The layers of an autoencoder."""


class AutoencodeRecipe(Recipe):
    """A window -> itself, through a latent vector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        *WINDOW_RULES,
        row_groups_are_read_as_they_stand,
        a_split_in_time_leaves_training_rows,
        segments_and_pyramid_divide_the_steps,
        a_pyramid_has_layers_to_join,
        a_divergence_is_of_a_variational_latent,
    )
    # Its inputs are what it reconstructs, so they are not searched.
    searched_data: ClassVar[tuple[str, ...]] = ("train_stride",)

    task: Literal["autoencode"]
    data: AutoencodeData
    model: AutoencodeModel = Field(default_factory=AutoencodeModel)
    training: RobustTraining = Field(default_factory=RobustTraining)
    detect: Detect | None = Field(None, description=DETECT)
