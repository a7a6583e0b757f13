"""What a recipe on whole sequences of numbers may say: forecasts one step at a time, autoencoders of any length."""

from typing import Literal

from pydantic import Field

from seq2seq_kit.recipe.schema import (
    BaseRecipe,
    Calendar,
    Columns,
    Every,
    Fraction,
    Limits,
    Missing,
    Scaling,
    Section,
    Split,
    Steps,
    Training,
    Units,
)


class NextStepData(Section):
    """The table of a next-step forecast: its targets are its inputs, one row later."""

    framing: Literal["next_step"] = Field(description="Whole sequences, one step at a time, with states.")
    source: str | None = Field(None, description="A named data set or the path of a CSV or Parquet file.")
    time: str | None = Field(None, description="Column of timestamps; needs `every`.")
    every: Every | None = Field(None, description="Time from one row to the next.")
    series: str | None = Field(None, description="Column that tells the sequences of a long table apart.")
    inputs: Columns = Field(description="Columns that are read, and predicted one row later.")
    calendar: list[Calendar] = Field(
        default_factory=list, description="Features of the timestamp of the row to be predicted."
    )
    input_steps: Steps = Field(
        description="Rows that warm the states up before a forecast; sequences are trained in chunks of at most as many."
    )
    output_steps: Steps = Field(description="Rows ahead that the evaluation forecasts by feeding back.")
    window_stride: Steps = Field(1, description="Rows from one forecast of the evaluation to the next.")
    limits: Limits = Field(default_factory=dict, description="Lowest and highest possible value by column.")
    missing: Literal["refuse", "interpolate", "ffill"] = Field("refuse", description="What to do with missing cells.")
    scaling: Scaling | dict[str, Scaling] = Field("standard", description="For all columns, or by column.")
    scale_per_series: bool = Field(False, description="Fit the scalers on each series by itself.")
    split: Split = Field(default_factory=Split)


class RecurrentModel(Section):
    """A stack of recurrent layers, one output for each step."""

    cell: Literal["lstm", "gru"] = "lstm"
    units: Units = Field(default_factory=lambda: [64], description="Units of each layer, first to last.")
    dropout: Fraction = Field(0.0, description="Share of each layer's inputs dropped in training.")
    recurrent_dropout: Fraction = Field(0.0, description="Share of the recurrent state dropped in training.")
    kernel_l2: float = Field(0.0, ge=0, description="L2 penalty on the input kernels of the recurrent layers.")


class NextStepRecipe(BaseRecipe):
    """Each row of a sequence -> the next one; more steps by feeding back."""

    task: Literal["forecast"]
    data: NextStepData
    model: RecurrentModel = Field(default_factory=RecurrentModel)
    training: Training = Field(default_factory=Training)


class SequenceSplit(Section):
    """How whole sequences are divided: by a hash of their name or text, so one never changes sides."""

    val: float = Field(0.1, gt=0, lt=1, description="Share of the sequences.")
    test: float = Field(0.1, gt=0, lt=1, description="Share of the sequences.")


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


class WholeRecipe(BaseRecipe):
    """A sequence of any length -> itself, through a latent vector."""

    task: Literal["autoencode"]
    data: WholeData
    model: WholeModel = Field(default_factory=WholeModel)
    training: Training = Field(default_factory=Training)
