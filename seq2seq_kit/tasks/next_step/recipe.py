"""What a recipe for a forecast one step at a time may say."""

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.fields import (
    Calendar,
    Columns,
    Every,
    Limits,
    Recipe,
    RecurrentModel,
    Rule,
    Scaling,
    Split,
    Steps,
    Training,
)
from seq2seq_kit.recipe.rules import (
    a_column_is_named_once,
    a_split_in_time_leaves_training_rows,
    limits_are_in_order,
    settings_are_of_known_columns,
    time_and_every_go_together,
)
from seq2seq_kit.recipe.section import Section


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


class NextStepRecipe(Recipe):
    """Each row of a sequence -> the next one; more steps by feeding back."""

    rules: ClassVar[tuple[Rule, ...]] = (
        time_and_every_go_together,
        a_column_is_named_once,
        limits_are_in_order,
        settings_are_of_known_columns,
        a_split_in_time_leaves_training_rows,
    )
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps", "calendar")

    task: Literal["forecast"]
    data: NextStepData
    model: RecurrentModel = Field(default_factory=RecurrentModel)
    training: Training = Field(default_factory=Training)
