"""What a recipe for an autoencoder of whole sequences may say."""

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.column_fields import AnomalyLabels
from seq2seq_kit.recipe.detect_fields import DETECT, SequenceDetect
from seq2seq_kit.recipe.fields import SPLIT, EncoderDecoder, Name, Recipe, Rule, SequenceSplit, Table
from seq2seq_kit.recipe.latent_fields import Latent
from seq2seq_kit.recipe.model_rules import (
    a_divergence_is_of_a_variational_latent,
    a_memory_is_of_a_forget_gate,
    a_pyramid_has_layers_to_join,
)
from seq2seq_kit.recipe.robust_fields import RobustTraining
from seq2seq_kit.recipe.rules import TABLE_RULES
from seq2seq_kit.recipe.split_rules import a_split_of_sequences_leaves_training_sequences
from seq2seq_kit.recipe.transform_rules import anomaly_labels_are_not_read


class WholeData(Table):
    """The table of an autoencoder of whole sequences."""

    framing: Literal["whole"] = Field(description="Each series is one sequence, of any length.")
    series: Name = Field(description="Column that tells the sequences apart.")
    labels: AnomalyLabels = None
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class WholeModel(EncoderDecoder, Latent):
    """Encoder, latent vector and decoder over sequences of any length."""


class WholeRecipe(Recipe):
    """A sequence of any length -> itself, through a latent vector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        a_split_of_sequences_leaves_training_sequences,
        a_pyramid_has_layers_to_join,
        a_memory_is_of_a_forget_gate,
        a_divergence_is_of_a_variational_latent,
        anomaly_labels_are_not_read,
    )
    no_folds: ClassVar[str] = "divides whole sequences"

    task: Literal["autoencode"]
    data: WholeData
    model: WholeModel = Field(default_factory=WholeModel)
    training: RobustTraining = Field(default_factory=RobustTraining)
    detect: SequenceDetect | None = Field(None, description=DETECT)
