"""The sections and types that kinds of recipes share; unknown keys are refused.

What a task adds is in its own folder (`tasks/*/recipe.py`). Defaults are in these classes and nowhere else. A field's
description is what `seq2seq-kit schema` shows in an editor.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.column_fields import WindowColumns
from seq2seq_kit.recipe.ensemble_fields import EnsembleKey
from seq2seq_kit.recipe.hyperparameters import Hyperparameter
from seq2seq_kit.recipe.memory_fields import Remembering
from seq2seq_kit.recipe.section import MOST as MOST
from seq2seq_kit.recipe.section import Name as Name
from seq2seq_kit.recipe.section import Section, Tree
from seq2seq_kit.recipe.section import Steps as Steps
from seq2seq_kit.recipe.sourced import Sourced, in_words
from seq2seq_kit.recipe.split_fields import SPLIT as SPLIT
from seq2seq_kit.recipe.split_fields import CalibratedSplit as CalibratedSplit
from seq2seq_kit.recipe.split_fields import SequenceSplit as SequenceSplit
from seq2seq_kit.recipe.split_fields import Split as Split
from seq2seq_kit.recipe.sweep import Sweep
from seq2seq_kit.recipe.time_fields import SEASON, Calendar, Timing

Missing = Literal["refuse", "interpolate", "ffill", "mask"]
Scaling = Literal["standard", "minmax", "robust", "none"]
Units = Annotated[list[Steps], Field(min_length=1, max_length=100)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Columns = Annotated[list[Name], Field(min_length=1, max_length=10_000)]
ColumnUnits = dict[Name, Annotated[str, Field(min_length=1, max_length=40)]]
UNITS = "Unit by column, such as {load: kW}; stands on axes, in tables and on pages."
Limits = dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
Read = Annotated[
    Literal["memory", "row_groups"],
    Field(description="memory: the whole table; row_groups: a Parquet file larger than memory, read as it is needed."),
]
Level = Literal["char", "token"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
TeacherForcing = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2)]
TEACHER_FORCING = (
    "Share of true outputs that a decoder reads in the first and in the last epoch; else its own (not `repeat`)."
)
# Bridges to an autoregressive decoder; with every other one it writes all steps at once.
AUTOREGRESSIVE = ("state", "attention")
BRIDGE = (
    "repeat: the encoder's last output at every step; state: an autoregressive decoder that starts from the encoder's states; "
    "attention: the same, with attention over every step of the encoder."
)


class Table(Timing, Sourced):
    """A table of rows, one or several series of them."""

    series: Name | None = Field(None, description="Column that tells the series of a long table apart.")
    inputs: Columns = Field(description="Columns that the encoder reads.")
    limits: Limits = Field(
        default_factory=dict,
        description="Lowest and highest possible value by column; what lies outside counts as missing.",
    )
    units: ColumnUnits = Field(default_factory=dict, description=UNITS)
    missing: Missing = Field("refuse", description="What to do with missing cells.")
    scaling: Scaling | dict[str, Scaling] = Field(
        "standard", description="For all columns, or by column; columns not named stay on `standard`."
    )

    @property
    def series_columns(self) -> list[str]:
        """The columns that tell the series apart together; none for a single series."""
        given: str | list[str] | None = self.series
        return [given] if isinstance(given, str) else list(given or [])


class Data(Table):
    """A table, and how windows are cut from it."""

    input_steps: Steps = Field(description="Rows that the encoder reads.")
    window_stride: Steps = Field(1, description="Rows from the start of one window to the start of the next.")
    scale_per_series: bool = Field(False, description="Fit the scalers on each series by itself.")
    split: Split = Field(default_factory=Split, description="How the rows are divided into train, val and test.")


class WindowData(WindowColumns, Data):
    """The table of a model of windows."""

    train_stride: Steps | None = Field(
        None,
        description="Rows from one training window to the next; default: `window_stride`, which counts in every part.",
    )
    read: Read = "memory"
    series: Name | Annotated[list[Name], Field(min_length=1, max_length=20)] | None = Field(  # type: ignore[assignment]
        None, description="Column that tells the series of a long table apart, or several that do so together."
    )


class HorizonData(WindowData):
    """Windows whose targets are the steps after their inputs."""

    targets: Columns = Field(description="Columns to forecast.")
    output_steps: Steps = Field(description="Rows that the decoder writes.")
    gap_steps: int = Field(0, ge=0, le=MOST, description="Rows between inputs and targets that belong to neither.")
    calendar: list[Calendar] = Field(
        default_factory=list, description="Features of the timestamp, also given to the decoder for the steps ahead."
    )
    season: Steps | None = Field(None, description=SEASON)
    known_future: Annotated[list[Name], Field(max_length=10_000)] = Field(
        default_factory=list, description="Columns known ahead of time; `predict` needs them for the steps ahead."
    )
    split: CalibratedSplit = Field(
        default_factory=CalibratedSplit, description="How the rows are divided into train, val, calibration and test."
    )


class Recurrence(Section):
    """What every stack of recurrent layers has."""

    cell: Literal["lstm", "gru"] = Field("lstm", description="Kind of the recurrent layers.")
    dropout: Fraction = Field(0.0, description="Share of each recurrent layer's inputs dropped in training.")
    recurrent_dropout: Fraction = Field(
        0.0, description="Share of the recurrent state dropped in training; leaves the fast kernels."
    )
    kernel_l2: float = Field(0.0, ge=0, description="L2 penalty on the input kernels of the recurrent layers.")


class EncoderDecoder(Remembering, Recurrence):
    """An encoder and a decoder; every key is an argument of the builder of the same name."""

    encoder_units: Units = Field(
        default_factory=lambda: [64], description="Units of each encoder layer, first to last."
    )
    decoder_units: Units = Field(
        default_factory=lambda: [64], description="Units of each decoder layer, first to last."
    )
    bidirectional: bool = Field(False, description="Encoder layers read the sequence in both directions.")
    pyramid: Steps = Field(1, description="Neighbouring steps that are joined between two encoder layers.")
    output_dropout: Fraction = Field(0.0, description="Share of the decoder's outputs dropped in training.")


class Model(EncoderDecoder):
    """An encoder and a decoder of windows."""

    own: bool = Field(
        False,
        description="The model is one that a program hands to `train(..., model=...)`; the other keys are not used.",
    )
    segment_steps: Steps = Field(1, description="Neighbouring steps that are one step of the recurrence.")
    position_embedding: bool = Field(
        False, description="Adds a learned vector to each step of the repeated latent vector."
    )
    embedding_units: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        description="Width of the vector that is learned for each value of `data.categories`; default: half as many as it has "
        "values, at most 50.",
    )


class RecurrentModel(Recurrence):
    """A stack of recurrent layers, one output for each step."""

    units: Units = Field(default_factory=lambda: [64], description="Units of each layer, first to last.")


MONITOR = "The figure of the validation part whose best epoch is kept, and that `patience` waits for."


class FitSettings(Section):
    """The fit, whatever is fitted."""

    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = Field("adam", description="Keras' optimizer of this name.")
    learning_rate: float = Field(1e-3, gt=0, description="Of the first step; `schedule` says how it goes on.")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "constant", description="cosine: to 0 over all epochs; plateau: halved after patience/2 epochs without gain."
    )
    clip_norm: float | None = Field(None, gt=0, description="Largest norm of a gradient; a cure for NaN losses.")
    batch_size: Steps = Field(64, description="Sequences of one step of the optimizer; of several workers together.")
    workers: Annotated[int, Field(ge=1, le=1_000)] = Field(
        1, description="Processes that train one model together, each its share of every batch; read by `train` only."
    )
    epochs: Steps = Field(30, description="Passes over the training sequences, at most; see `patience`.")
    patience: Steps | None = Field(
        5, description="Epochs without a better figure of `monitor` before stopping; null: train all epochs."
    )
    monitor: str = Field("val_loss", description=MONITOR)
    precision: Precision = Field(
        "float32", description="What training computes in; the mixed ones are for a GPU. The trained model is float32."
    )
    deterministic: bool = Field(False, description="Bit-equal reruns on the same machine, a little slower.")
    start_from: str | None = Field(
        None, description="Id of a run, or a bundle's folder, whose weights and scaler the training begins with."
    )
    final: Literal["all"] | None = Field(
        None,
        description="all: when the run has been judged, its epochs are fitted once more on the rows of all parts, and that "
        "model is kept; the figures stay those of the one that was judged.",
    )
    freeze: Annotated[list[Name], Field(max_length=1_000)] = Field(
        default_factory=list, description="Layers that are not trained, by name or pattern (encoder_*)."
    )


class Training(FitSettings):
    """The fit of a model that predicts numbers."""

    loss: Literal["mse", "mae", "huber", "own"] = Field(
        "mse", description="Of the scaled targets; own: one that a program hands to `train(..., loss=...)`."
    )
    monitor: Literal["val_loss"] = Field("val_loss", description=MONITOR)


class TokenTraining(FitSettings):
    """The fit of a model that predicts tokens or labels, by cross-entropy."""

    monitor: Literal["val_loss", "val_accuracy"] = Field("val_loss", description=MONITOR)


@dataclass(frozen=True)
class Written:
    """A recipe as it was written, with the schema's defaults filled in; values may have any type.

    Attributes:
        data: Its section of that name; empty where it is no section. Likewise `model`, `training`.
        sweep: None without one.
        written: The data section without defaults.
        whole: Every key of the recipe.
    """

    data: Tree
    model: Tree
    training: Tree
    sweep: object
    written: Tree
    whole: Tree = field(default_factory=dict)


Rule = Callable[[Written], Iterator[Problem]]
# Checks the hyperparameters of a sweep, by key (None: wrongly written), against the recipe as it was written.
SearchRule = Callable[[Mapping[str, Hyperparameter | None], Tree], Iterator[Problem]]


class Recipe(Section):
    """What every recipe has, and what each kind of recipe declares to the recipe language."""

    rules: ClassVar[tuple[Rule, ...]] = ()
    # Keys of `data` that a sweep may search: they leave the values to be predicted in validation as they are.
    searched_data: ClassVar[tuple[str, ...]] = ()
    # Metrics that a sweep may use as its objective.
    metrics: ClassVar[tuple[str, ...]] = ("val_loss",)
    search_rules: ClassVar[tuple[SearchRule, ...]] = ()
    # Why folds in time and ensembles are not supported; empty where they are.
    no_folds: ClassVar[str] = ""
    no_ensemble: ClassVar[str] = ""

    task: str
    name: str | None = Field(
        None,
        pattern=r"^[\w.-]+$",
        max_length=250,
        description="Name of what is trained, and of its MLflow experiment; default: the file's name.",
    )
    experiment: str | None = Field(
        None,
        pattern=r"^[\w.-]+$",
        max_length=250,
        description="MLflow experiment, where several recipes on the same data share one; default: `name`.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the weights, the shuffling and the dropout.")
    ensemble: EnsembleKey = None
    sweep: Sweep | None = Field(None, description="How the recipe is searched; read only by `seq2seq-kit sweep`.")
    data: Section
    model: Section
    training: FitSettings

    @property
    def source(self) -> str | None:
        """What its rows are read from, in words; None where a program passes them as `data`."""
        return in_words(getattr(self.data, "source", None))
