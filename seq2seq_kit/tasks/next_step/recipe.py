"""What a recipe for a forecast one step at a time may say."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from seq2seq_kit.recipe.column_fields import AnomalyLabels, ShortSeries
from seq2seq_kit.recipe.detect_fields import DETECT, Detect
from seq2seq_kit.recipe.fields import (
    Calendar,
    CalibratedSplit,
    Columns,
    Data,
    Recipe,
    RecurrentModel,
    Rule,
    Steps,
    Training,
)
from seq2seq_kit.recipe.interval_fields import (
    INTERVALS,
    LEVELS,
    Kind,
    Levels,
    intervals_have_levels_and_rows,
    open_calibration,
)
from seq2seq_kit.recipe.rules import TABLE_RULES
from seq2seq_kit.recipe.split_rules import a_split_in_time_leaves_training_rows
from seq2seq_kit.recipe.time_fields import SEASON
from seq2seq_kit.recipe.transform_rules import anomaly_labels_are_not_read


class NextStepData(Data):
    """The table of a next-step forecast: its targets are its inputs, one row later."""

    framing: Literal["next_step"] = Field(description="Whole sequences, one step at a time, with states.")
    inputs: Columns = Field(description="Columns that are read, and predicted one row later.")
    calendar: list[Calendar] = Field(
        default_factory=list, description="Features of the timestamp of the row to be predicted."
    )
    input_steps: Steps = Field(
        description="Rows that warm the states up before a forecast; sequences are trained in chunks of at most as many."
    )
    output_steps: Steps = Field(description="Rows ahead that the evaluation forecasts autoregressively.")
    season: Steps | None = Field(None, description=SEASON)
    window_stride: Steps = Field(1, description="Rows from one forecast of the evaluation to the next.")
    labels: AnomalyLabels = None
    short_series: ShortSeries = "leave_out"
    missing: Literal["refuse", "interpolate", "ffill"] = Field("refuse", description="What to do with missing cells.")
    split: CalibratedSplit = Field(
        default_factory=CalibratedSplit, description="How the rows are divided into train, val, calibration and test."
    )


class NextStepRecipe(Recipe):
    """Each row of a sequence -> the next one; more steps autoregressively."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TABLE_RULES,
        a_split_in_time_leaves_training_rows,
        intervals_have_levels_and_rows,
        anomaly_labels_are_not_read,
    )
    no_ensemble: ClassVar[str] = (
        "a next-step forecast carries the states of one model from step to step; `framing: horizon` takes an ensemble"
    )
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps", "calendar")

    task: Literal["forecast"]
    data: NextStepData
    model: RecurrentModel = Field(default_factory=RecurrentModel)
    training: Training = Field(default_factory=Training)
    detect: Detect | None = Field(None, description=DETECT)
    levels: Levels | None = Field(None, description=LEVELS)
    intervals: Kind | None = Field(None, description=INTERVALS)

    @model_validator(mode="before")
    @classmethod
    def _with_open_choices(cls, values: object) -> object:
        return {**values, **open_calibration(values)} if isinstance(values, Mapping) else values
