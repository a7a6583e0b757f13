"""What a recipe for an autoencoder of whole sequences may say."""

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.fields import SPLIT, EncoderDecoder, Name, Recipe, Rule, SequenceSplit, Steps, Table, Training
from seq2seq_kit.recipe.model_rules import a_pyramid_has_layers_to_join
from seq2seq_kit.recipe.rules import (
    TABLE_RULES,
    a_split_of_sequences_leaves_training_sequences,
)


class WholeData(Table):
    """The table of an autoencoder of whole sequences."""

    framing: Literal["whole"] = Field(description="Each series is one sequence, of any length.")
    series: Name = Field(description="Column that tells the sequences apart.")
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class WholeModel(EncoderDecoder):
    """Encoder, latent vector and decoder over sequences of any length."""

    latent_dim: Steps | None = Field(None, description="Width of the latent vector; default: the last encoder layer's.")


class WholeRecipe(Recipe):
    """A sequence of any length -> itself, through a latent vector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        a_split_of_sequences_leaves_training_sequences,
        a_pyramid_has_layers_to_join,
    )
    no_folds: ClassVar[str] = "divides whole sequences"

    task: Literal["autoencode"]
    data: WholeData
    model: WholeModel = Field(default_factory=WholeModel)
    training: Training = Field(default_factory=Training)
