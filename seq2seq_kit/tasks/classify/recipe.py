"""What a recipe for classification may say: one label or one number for a text, a series or a window of a table."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.fields import (
    MONITOR,
    SPLIT,
    UNITS,
    Columns,
    ColumnUnits,
    Data,
    FitSettings,
    Fraction,
    Level,
    Limits,
    Missing,
    Name,
    Recipe,
    Recurrence,
    Rule,
    Scaling,
    SequenceSplit,
    Steps,
    Units,
    Written,
)
from seq2seq_kit.recipe.memory_fields import Remembering
from seq2seq_kit.recipe.messages import Problem
from seq2seq_kit.recipe.model_rules import a_memory_is_of_a_forget_gate
from seq2seq_kit.recipe.rules import TABLE_RULES, names_of
from seq2seq_kit.recipe.section import Section
from seq2seq_kit.recipe.sourced import Sourced
from seq2seq_kit.recipe.split_rules import (
    a_split_in_time_leaves_training_rows,
    a_split_of_sequences_leaves_training_sequences,
)
from seq2seq_kit.recipe.time_fields import Timing


class LabelOrTarget(Section):
    """What is to be predicted."""

    label: Name | None = Field(None, description="Column of the labels; or give `target`.")
    target: Name | None = Field(None, description="Column of the numbers to predict; or give `label`.")
    join_labels: dict[str, Name] = Field(
        default_factory=dict, description="Labels that count as another one: {from: to}."
    )
    units: ColumnUnits = Field(default_factory=dict, description=UNITS)


class TextsData(Sourced, LabelOrTarget):
    """A table with a text and its label or target in each row."""

    text: Name = Field(description="Column of the texts.")
    level: Level = Field("char", description="char: each character is a token; token: what stands between white space.")
    min_count: Steps = Field(1, description="A token that the training rows have less often is unknown.")
    input_steps: Steps | None = Field(None, description="Most tokens of a text; default: any number.")
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class SeriesData(Timing, Sourced, LabelOrTarget):
    """A long table; each series is one sequence with one label or target, which all its rows repeat."""

    series: Name = Field(description="Column that tells the sequences apart.")
    inputs: Columns = Field(description="Columns of the sequence.")
    limits: Limits = Field(default_factory=dict, description="Lowest and highest possible value by column.")
    missing: Missing = Field("refuse", description="What to do with missing cells.")
    scaling: Scaling | dict[str, Scaling] = Field("standard", description="For all columns, or by column.")
    split: SequenceSplit = Field(default_factory=SequenceSplit, description=SPLIT)


class WindowsData(Data, LabelOrTarget):
    """A table in time order; a window has the label or target of its last row."""


ClassifyData = TextsData | SeriesData | WindowsData


class ClassifyModel(Remembering, Recurrence):
    """A many-to-one encoder and a `Dense` head."""

    encoder_units: Units = Field(
        default_factory=lambda: [64], description="Units of each encoder layer, first to last."
    )
    bidirectional: bool = Field(False, description="Encoder layers read the sequence in both directions.")
    output_dropout: Fraction = Field(0.0, description="Share of the encoder's output dropped in training.")


class ClassifyTextsModel(ClassifyModel):
    """The same, on tokens."""

    embedding_dim: Steps = Field(64, description="Width of a token's learned vector.")


class ClassifyTraining(FitSettings):
    """The fit: labels by cross-entropy, numbers by `loss`."""

    loss: Literal["mse", "mae", "huber"] = Field("mse", description="For numbers.")
    monitor: Literal["val_loss", "val_accuracy"] = Field("val_loss", description=MONITOR)
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="For labels; balanced: each label counts as much as any other, however rare it is."
    )


def an_answer_is_named_and_not_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    given = [key for key in ("label", "target") if data.get(key) is not None]
    if not given:
        said = (
            "what is to be predicted is missing: give `label` (a column of classes) or `target` (a column of numbers)"
        )
        yield Problem("data", said, "missing_answer")
    elif len(given) == 2:
        said = "stands beside `label`; a model predicts a label or a number. Leave one of the two out"
        yield Problem("data.target", said, "conflicting_keys")
    read = [*names_of(data, "inputs"), data.get("text"), data.get("series"), data.get("time"), *names_of(data, "time")]
    for key in given:
        if data[key] in read:
            said = f"{data[key]} is also read, so there is nothing to learn; leave it out of what is read"
            yield Problem(f"data.{key}", said, "target_leak")


def settings_are_of_labels_or_of_numbers(recipe: Written) -> Iterator[Problem]:
    data, training = recipe.data, recipe.training
    sweep = recipe.sweep if isinstance(recipe.sweep, Mapping) else {}
    objective = sweep.get("objective")
    metric = objective.get("metric") if isinstance(objective, Mapping) else objective
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if data.get("label") is not None:
        if training.get("loss") != ClassifyTraining.model_fields["loss"].default:
            said = "is for numbers; labels are learned by cross-entropy. Leave it out, or give `data.target`"
            yield Problem("training.loss", said, "unused_key")
    elif data.get("target") is not None:
        settings = (
            ("data.join_labels", bool(data.get("join_labels"))),
            ("training.class_weights", training.get("class_weights") == "balanced"),
            ("training.monitor", training.get("monitor") == "val_accuracy"),
            ("sweep.objective", metric == "val_accuracy"),
        )
        for key, given in settings:
            if given:
                yield Problem(key, "is for labels, and `data.target` names numbers; leave it out", "unused_key")


_RULES: tuple[Rule, ...] = (
    an_answer_is_named_and_not_read,
    settings_are_of_labels_or_of_numbers,
    a_memory_is_of_a_forget_gate,
)
_TABLE_RULES: tuple[Rule, ...] = (*_RULES, *TABLE_RULES)


class ClassifyRecipe(Recipe):
    """A sequence -> one label or one number."""

    metrics: ClassVar[tuple[str, ...]] = ("val_loss", "val_accuracy")
    no_folds: ClassVar[str] = "classifies sequences"

    task: Literal["classify"]
    data: ClassifyData
    model: ClassifyModel = Field(default_factory=ClassifyModel)
    training: ClassifyTraining = Field(default_factory=ClassifyTraining)


class ClassifyTextsRecipe(ClassifyRecipe):
    """A text -> one label or one number."""

    rules: ClassVar[tuple[Rule, ...]] = (*_RULES, a_split_of_sequences_leaves_training_sequences)
    searched_data: ClassVar[tuple[str, ...]] = ("level", "min_count")

    data: TextsData
    model: ClassifyTextsModel = Field(default_factory=ClassifyTextsModel)


class ClassifySeriesRecipe(ClassifyRecipe):
    """A series of any length -> one label or one number."""

    rules: ClassVar[tuple[Rule, ...]] = (*_TABLE_RULES, a_split_of_sequences_leaves_training_sequences)
    searched_data: ClassVar[tuple[str, ...]] = ("inputs", "scaling")

    data: SeriesData


class ClassifyWindowsRecipe(ClassifyRecipe):
    """A window of a table -> the label or number of its last row."""

    rules: ClassVar[tuple[Rule, ...]] = (*_TABLE_RULES, a_split_in_time_leaves_training_rows)
    searched_data: ClassVar[tuple[str, ...]] = ("inputs", "scaling", "scale_per_series")

    data: WindowsData
