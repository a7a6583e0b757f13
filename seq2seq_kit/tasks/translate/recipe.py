"""What a recipe for translating may say."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import (
    BRIDGE,
    SPLIT,
    TEACHER_FORCING,
    Level,
    Name,
    Recipe,
    Recurrence,
    Rule,
    SearchRule,
    SequenceSplit,
    Steps,
    TeacherForcing,
    TokenTraining,
    Units,
    Written,
)
from seq2seq_kit.recipe.hyperparameters import Hyperparameter, as_text
from seq2seq_kit.recipe.memory_fields import Remembering
from seq2seq_kit.recipe.model_rules import (
    a_decoder_with_states_has_the_encoders_units,
    a_memory_is_of_a_forget_gate,
    a_pyramid_has_layers_to_join,
    true_outputs_are_for_decoders_that_read_them,
)
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.recipe.sourced import Sourced
from seq2seq_kit.recipe.split_rules import a_split_of_sequences_leaves_training_sequences
from seq2seq_kit.recipe.sweep import knob_of


class TranslateData(Sourced):
    """A table with a source and a target text in each row."""

    source_column: Name = Field(description="Column of the texts to translate.")
    target_column: Name = Field(description="Column of their translations.")
    level: Level = Field("char", description="char: each character is a token; token: tokens are separated by spaces.")
    target_level: Level | None = Field(None, description="Level of the targets, where it is another one.")
    reverse_source: bool = Field(False, description="The encoder reads the source from its end.")
    min_count: Steps = Field(1, description="Tokens that are rarer in the training rows are unknown.")
    input_steps: Steps | None = Field(None, description="Most tokens of a source; default: any number.")
    output_steps: Steps | None = Field(
        None, description="Most tokens of a target; default: those of the longest training target and an end."
    )
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class TranslateModel(Remembering, Recurrence):
    """Encoder, bridge and decoder over tokens."""

    embedding_dim: Steps | None = Field(None, description="Width of a token's learned vector; default: one-hot.")
    encoder_units: Units = Field(default_factory=lambda: [128], description="Units of each encoder layer.")
    decoder_units: Units = Field(default_factory=lambda: [128], description="Units of each decoder layer.")
    bidirectional: bool = Field(False, description="Encoder layers read the source in both directions.")
    pyramid: Annotated[int, Field(ge=1, le=2)] = Field(
        1, description="2: each encoder layer joins the steps of the one before in pairs."
    )
    bridge: Literal["repeat", "state", "attention"] = Field("repeat", description=BRIDGE)


class TranslateTraining(TokenTraining):
    """The fit of a translator."""

    teacher_forcing: TeacherForcing = Field(default_factory=lambda: [1.0, 1.0], description=TEACHER_FORCING)


def a_text_is_not_its_own_translation(recipe: Written) -> Iterator[Problem]:
    source = recipe.data.get("source_column")
    if source is not None and source == recipe.data.get("target_column"):
        said = f"is also `source_column` ({source}); name the column of the translations"
        yield Problem("data.target_column", said, "target_leak")


def what_is_compared_is_the_same(parameters: Mapping[str, Hyperparameter | None], values: Tree) -> Iterator[Problem]:
    """An autoregressive translator is validated on true previous tokens, a repeating one on none."""
    bridge, model = parameters.get("model.bridge"), values.get("model", {})
    if bridge is None or not isinstance(model, Mapping):
        return
    # The first trial has the recipe's own values.
    own = model.get("bridge", TranslateModel.model_fields["bridge"].default)
    tried = {as_text(value) for value in (*knob_of("model.bridge", bridge).values, own)}
    if as_text("repeat") in tried and len(tried) > 1:
        said = "repeat cannot be compared with the other bridges, in the space or the recipe: these are validated on true tokens"
        advice = "Search among state and attention, or leave the key out"
        yield Problem("sweep.space.model.bridge", f"{said}. {advice}", "not_searchable")


class TranslateRecipe(Recipe):
    """A text -> another text."""

    rules: ClassVar[tuple[Rule, ...]] = (
        a_text_is_not_its_own_translation,
        a_split_of_sequences_leaves_training_sequences,
        a_decoder_with_states_has_the_encoders_units,
        a_pyramid_has_layers_to_join,
        a_memory_is_of_a_forget_gate,
        true_outputs_are_for_decoders_that_read_them,
    )
    # `level` and `min_count` change the target tokens, too.
    searched_data: ClassVar[tuple[str, ...]] = ("reverse_source",)
    search_rules: ClassVar[tuple[SearchRule, ...]] = (what_is_compared_is_the_same,)
    metrics: ClassVar[tuple[str, ...]] = ("val_loss", "val_accuracy")
    no_folds: ClassVar[str] = "divides whole sequences"

    task: Literal["translate"]
    data: TranslateData
    model: TranslateModel = Field(default_factory=TranslateModel)
    training: TranslateTraining = Field(default_factory=TranslateTraining)
