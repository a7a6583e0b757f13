"""What a recipe for tagging may say: a label for each token, or for each row of numbers."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import (
    MOST,
    SPLIT,
    Columns,
    Data,
    Fraction,
    Name,
    Recipe,
    RecurrentModel,
    Rule,
    SequenceSplit,
    Steps,
    TokenTraining,
    Written,
)
from seq2seq_kit.recipe.rules import TABLE_RULES, labels_are_not_read
from seq2seq_kit.recipe.section import Section
from seq2seq_kit.recipe.source_rules import scheme_of
from seq2seq_kit.recipe.sourced import Sourced
from seq2seq_kit.recipe.split_rules import (
    a_split_in_time_leaves_training_rows,
    a_split_of_sequences_leaves_training_sequences,
)


class Labels(Section):
    """Where the labels are."""

    labels: Name = Field(description="Column of the labels.")
    join_labels: dict[str, Name] = Field(
        default_factory=dict, description="Labels that are replaced by another one: {from: to}."
    )


class TagTokensData(Sourced, Labels):
    """A table with a row for each token: its sequence, the token and its label."""

    val_source: Name | None = Field(None, description="File of the validation rows; default: a share of `source`.")
    test_source: Name | None = Field(None, description="File of the test rows; default: a share of `source`.")
    lines: Annotated[list[Name], Field(min_length=2)] | None = Field(
        None, description="Names of the columns of a CoNLL-style file: tab-separated, a blank line between sequences."
    )
    series: Name | None = Field(None, description="Column that tells the sequences of a table apart.")
    tokens: Name = Field(description="Column of the tokens.")
    min_count: Steps = Field(2, description="Tokens that are rarer in the training rows are unknown.")
    input_steps: Steps | None = Field(None, description="Most tokens of a sequence; default: any number.")
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class TagModel(RecurrentModel):
    """Recurrent layers with a label for each step."""

    bidirectional: bool = Field(False, description="Layers read the sequence in both directions.")


class TagTokensModel(TagModel):
    """The same, on tokens."""

    embedding_dim: Steps = Field(64, description="Width of a token's learned vector.")
    token_dropout: Fraction = Field(
        0.0,
        description="Share of the tokens whose learned vectors are dropped whole in training, for tokens never seen.",
    )
    character_units: Annotated[int, Field(ge=0, le=MOST)] = Field(
        0,
        description="Units of a recurrent layer that reads each token's characters, in each direction; 0: no such layer.",
    )
    character_dim: Steps = Field(16, description="Width of a character's learned vector.")


def tokens_have_sequences(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    if "tokens" not in data:
        return
    if data.get("lines") and data.get("series"):
        said = "is given beside `lines`, whose blank lines separate the sequences; leave one of the two out"
        yield Problem("data.series", said, "conflicting_keys")
    elif not data.get("lines") and not data.get("series"):
        said = "a tagger needs the ends of sequences: give `series` for a table, or `lines` for a CoNLL-style file"
        yield Problem("data.tokens", said, "missing_key")


def lines_are_of_one_file(recipe: Written) -> Iterator[Problem]:
    source = recipe.data.get("source")
    if recipe.data.get("lines") and (isinstance(source, list) or (isinstance(source, str) and scheme_of(source))):
        said = "reads a single file of this machine. Join the files, or give a table and `series`"
        yield Problem("data.lines", said, "conflicting_keys")


def a_character_has_units_to_be_read_by(recipe: Written) -> Iterator[Problem]:
    model, default = recipe.model, TagTokensModel.model_fields["character_dim"].default
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if model.get("character_dim") != default and not model.get("character_units"):
        said = "has no effect without `character_units`; give those, too, or leave it out"
        yield Problem("model.character_dim", said, "unused_key")


class TagTraining(TokenTraining):
    """The fit of a tagger."""

    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: each label counts as much as any other, however rare it is."
    )


class TagRecipe(Recipe):
    """A sequence -> a label for each step."""

    metrics: ClassVar[tuple[str, ...]] = ("val_loss", "val_accuracy")

    task: Literal["tag"]
    training: TagTraining = Field(default_factory=TagTraining)


class TagTokensRecipe(TagRecipe):
    """A sequence of tokens -> a label for each."""

    rules: ClassVar[tuple[Rule, ...]] = (
        labels_are_not_read,
        tokens_have_sequences,
        lines_are_of_one_file,
        a_split_of_sequences_leaves_training_sequences,
        a_character_has_units_to_be_read_by,
    )
    searched_data: ClassVar[tuple[str, ...]] = ("min_count",)
    no_folds: ClassVar[str] = "divides whole sequences"

    data: TagTokensData
    model: TagTokensModel = Field(default_factory=TagTokensModel)


class TagValuesData(Data, Labels):
    """A table with a label in each row."""

    inputs: Columns = Field(description="Numeric columns that are read.")


def a_stride_is_for_windows(recipe: Written) -> Iterator[Problem]:
    if recipe.data.get("window_stride") != TagValuesData.model_fields["window_stride"].default:
        said = "has no effect on a tagger, which labels every row once; leave it out"
        yield Problem("data.window_stride", said, "unused_key")


class TagValuesRecipe(TagRecipe):
    """A sequence of numbers -> a label for each step."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        labels_are_not_read,
        a_split_in_time_leaves_training_rows,
        a_stride_is_for_windows,
    )
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps", "inputs", "scaling", "scale_per_series")
    no_folds: ClassVar[str] = "tags rows"

    data: TagValuesData
    model: TagModel = Field(default_factory=TagModel)
