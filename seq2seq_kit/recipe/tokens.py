"""What a recipe on tokens and labels may say: translating and tagging."""

from typing import Annotated, Literal

from pydantic import Field

from seq2seq_kit.recipe.schema import (
    BRIDGE,
    TEACHER_FORCING,
    BaseRecipe,
    Columns,
    Data,
    FitSettings,
    Fraction,
    Section,
    Steps,
    TeacherForcing,
    Units,
)
from seq2seq_kit.recipe.sequences import RecurrentModel, SequenceSplit

Level = Literal["char", "token"]
Name = Annotated[str, Field(min_length=1)]


class TranslateData(Section):
    """A table with a source and a target text in each row."""

    source: str | None = Field(None, description="A named data set or the path of a CSV or Parquet file.")
    source_column: Name = Field(description="Column of the texts to translate.")
    target_column: Name = Field(description="Column of their translations.")
    level: Level = Field("char", description="char: each character is a token; token: what stands between spaces.")
    target_level: Level | None = Field(None, description="Level of the targets, where it is another one.")
    reverse_source: bool = Field(False, description="The encoder reads the source from its end.")
    min_count: Steps = Field(1, description="A token that the training rows have less often is unknown.")
    input_steps: Steps | None = Field(None, description="Most tokens of a source; default: any number.")
    output_steps: Steps | None = Field(
        None, description="Most tokens of a target; default: those of the longest training target and an end."
    )
    split: SequenceSplit = Field(default_factory=SequenceSplit)


class TranslateModel(Section):
    """Encoder, bridge and decoder over tokens."""

    cell: Literal["lstm", "gru"] = "lstm"
    embedding_dim: Steps | None = Field(None, description="Width of a token's learned vector; default: one-hot.")
    encoder_units: Units = Field(default_factory=lambda: [128], description="Units of each encoder layer.")
    decoder_units: Units = Field(default_factory=lambda: [128], description="Units of each decoder layer.")
    bidirectional: bool = Field(False, description="Encoder layers read the source in both directions.")
    pyramid: Annotated[int, Field(ge=1, le=2)] = Field(
        1, description="2: each encoder layer joins the steps of the one before in pairs."
    )
    bridge: Literal["repeat", "state", "attention"] = Field("repeat", description=BRIDGE)
    dropout: Fraction = Field(0.0, description="Share of each recurrent layer's inputs dropped in training.")
    recurrent_dropout: Fraction = Field(0.0, description="Share of the recurrent state dropped in training.")
    kernel_l2: float = Field(0.0, ge=0, description="L2 penalty on the input kernels of the recurrent layers.")


class TokenTraining(FitSettings):
    """The fit of a model that predicts tokens or labels, by cross-entropy."""


class TranslateTraining(TokenTraining):
    """The fit of a translator."""

    teacher_forcing: TeacherForcing = Field(default_factory=lambda: [1.0, 1.0], description=TEACHER_FORCING)


class TranslateRecipe(BaseRecipe):
    """A text -> another text."""

    task: Literal["translate"]
    data: TranslateData
    model: TranslateModel = Field(default_factory=TranslateModel)
    training: TranslateTraining = Field(default_factory=TranslateTraining)


class TagTokensData(Section):
    """A table with a row for each token: its sequence, the token and its label."""

    source: str | None = Field(
        None, description="A named data set, a table, or a file with blank lines between sequences."
    )
    test_source: str | None = Field(None, description="File of the test rows; default: a share of `source`.")
    lines: Annotated[list[Name], Field(min_length=2)] | None = Field(
        None, description="Names of the columns of a CoNLL-style file: tab-separated, a blank line between sequences."
    )
    series: Name | None = Field(None, description="Column that tells the sequences of a table apart.")
    tokens: Name = Field(description="Column of the tokens.")
    labels: Name = Field(description="Column of the labels.")
    join_labels: dict[str, Name] = Field(
        default_factory=dict, description="Labels that count as another one: {from: to}."
    )
    min_count: Steps = Field(2, description="A token that the training rows have less often is unknown.")
    input_steps: Steps | None = Field(None, description="Most tokens of a sequence; default: any number.")
    split: SequenceSplit = Field(default_factory=SequenceSplit)


class TagModel(RecurrentModel):
    """Recurrent layers with a label for each step."""

    bidirectional: bool = Field(False, description="Layers read the sequence in both directions.")


class TagTokensModel(TagModel):
    """The same, on tokens."""

    embedding_dim: Steps = Field(64, description="Width of a token's learned vector.")
    character_units: Annotated[int, Field(ge=0)] = Field(
        0, description="Units of a recurrent layer that reads each token's characters, in each direction; 0: none."
    )
    character_dim: Steps = Field(16, description="Width of a character's learned vector.")


class TagTokensRecipe(BaseRecipe):
    """A sequence of tokens -> a label for each."""

    task: Literal["tag"]
    data: TagTokensData
    model: TagTokensModel = Field(default_factory=TagTokensModel)
    training: TokenTraining = Field(default_factory=TokenTraining)


class TagValuesData(Data):
    """A table with a label in each row."""

    labels: Name = Field(description="Column of the labels.")
    join_labels: dict[str, Name] = Field(
        default_factory=dict, description="Labels that count as another one: {from: to}."
    )
    inputs: Columns = Field(description="Numeric columns that are read.")


class TagValuesRecipe(BaseRecipe):
    """A sequence of numbers -> a label for each step."""

    task: Literal["tag"]
    data: TagValuesData
    model: TagModel = Field(default_factory=TagModel)
    training: TokenTraining = Field(default_factory=TokenTraining)
