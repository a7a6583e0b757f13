"""What a recipe for an autoencoder of whole sequences may say."""

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.fields import (
    Columns,
    Every,
    Fraction,
    Limits,
    Missing,
    Recipe,
    Rule,
    Scaling,
    SequenceSplit,
    Steps,
    Training,
    Units,
)
from seq2seq_kit.recipe.model_rules import a_pyramid_has_layers_to_join
from seq2seq_kit.recipe.rules import (
    a_column_is_named_once,
    a_split_of_sequences_leaves_training_sequences,
    limits_are_in_order,
    settings_are_of_known_columns,
    time_and_every_go_together,
)
from seq2seq_kit.recipe.section import Section


class WholeData(Section):
    """The table of an autoencoder of whole sequences."""

    framing: Literal["whole"] = Field(description="Each series is one sequence, of any length.")
    source: str | None = Field(None, description="A named data set or the path of a CSV or Parquet file.")
    series: str = Field(min_length=1, description="Column that tells the sequences apart.")
    time: str | None = Field(None, description="Column of timestamps; needs `every`.")
    every: Every | None = Field(None, description="Time from one row to the next.")
    inputs: Columns = Field(description="Columns of the sequence.")
    limits: Limits = Field(default_factory=dict, description="Lowest and highest possible value by column.")
    missing: Missing = Field("refuse", description="What to do with missing cells.")
    scaling: Scaling | dict[str, Scaling] = Field("standard", description="For all columns, or by column.")
    split: SequenceSplit = Field(default_factory=SequenceSplit)


class WholeModel(Section):
    """Encoder, latent vector and decoder over sequences of any length."""

    cell: Literal["lstm", "gru"] = "lstm"
    encoder_units: Units = Field(
        default_factory=lambda: [64], description="Units of each encoder layer, first to last."
    )
    decoder_units: Units = Field(
        default_factory=lambda: [64], description="Units of each decoder layer, first to last."
    )
    latent_dim: Steps | None = Field(None, description="Width of the latent vector; default: the last encoder layer's.")
    bidirectional: bool = Field(False, description="Encoder layers read the sequence in both directions.")
    pyramid: Steps = Field(1, description="Neighbouring steps that are joined between two encoder layers.")
    dropout: Fraction = Field(0.0, description="Share of each recurrent layer's inputs dropped in training.")
    recurrent_dropout: Fraction = Field(0.0, description="Share of the recurrent state dropped in training.")
    kernel_l2: float = Field(0.0, ge=0, description="L2 penalty on the input kernels of the recurrent layers.")
    output_dropout: Fraction = Field(0.0, description="Share of the decoder's outputs dropped in training.")


class WholeRecipe(Recipe):
    """A sequence of any length -> itself, through a latent vector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        time_and_every_go_together,
        a_column_is_named_once,
        limits_are_in_order,
        settings_are_of_known_columns,
        a_split_of_sequences_leaves_training_sequences,
        a_pyramid_has_layers_to_join,
    )
    no_folds: ClassVar[str] = "divides whole sequences"

    task: Literal["autoencode"]
    data: WholeData
    model: WholeModel = Field(default_factory=WholeModel)
    training: Training = Field(default_factory=Training)
