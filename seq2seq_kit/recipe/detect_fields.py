"""The section `detect`: how errors become events. Every default needs no labels."""

from typing import Annotated, Literal

from pydantic import Field

from seq2seq_kit.recipe.section import MOST, Section, Steps

Combine = Literal["median", "mean", "max", "min"]
Strictly = Annotated[float, Field(gt=0, lt=1)]


class Detect(Section):
    """How a model's errors become a score for each row, and scores become events."""

    by: Literal["model", "baseline", "both"] = Field(
        "model",
        description="Whose errors: the model's, those of the linear baseline beside it (PCA or ridge), or of the mean of both.",
    )
    combine: Combine = Field(
        "median",
        description="How the predictions of all windows that reach a row become one; max, min: by size of the error.",
    )
    stride: Steps | None = Field(
        None, description="Rows between windows; default: `data.window_stride`, but at most as many as are predicted."
    )
    columns: Literal["max", "mean", "mahalanobis"] = Field(
        "max",
        description="How the errors of the columns become a score: the largest, the root of their mean square, or with their "
        "correlations.",
    )
    smooth: Steps = Field(1, description="Rows up to and with this one whose errors are averaged.")
    threshold: Literal["pot", "quantile"] = Field(
        "pot",
        description="pot: from `alarms_per_week` by the tail of the validation scores; quantile: their `quantile`.",
    )
    alarms_per_week: float = Field(
        1.0, gt=0, description="Expected false alarms in a week; in 10,000 rows where rows have no time."
    )
    quantile: Strictly = Field(0.999, description="Share of the validation scores below the threshold `quantile`.")
    exit: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="An event goes on while the score is above this share of the threshold."
    )
    min_steps: Steps = Field(1, description="Shorter events are no alarms.")
    merge_gap: Annotated[int, Field(ge=0, le=MOST)] | None = Field(
        None, description="Rows between two events that are one; default: as many as a window has."
    )


class SequenceDetect(Detect):
    """The same for a model of whole sequences."""

    by: Literal["model"] = Field("model", description="Whose errors: the model's.")
    stride: None = Field(None, description="Not used: a sequence is one window.")


DETECT = "How errors become events; an autoencoder has a detector in any case, other models where the section is there."
