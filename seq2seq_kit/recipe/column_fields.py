"""What recipes on windows may do with columns and series before a model sees them."""

from typing import Annotated, Literal

from pydantic import Field

from seq2seq_kit.recipe.section import Name, Section, Steps

Transform = Literal["log", "log1p", "box_cox", "diff", "seasonal_diff"]
WindowScale = Literal["none", "mean_abs", "standard"]
# Of recipes that cannot pad.
ShortSeries = Annotated[
    Literal["refuse", "leave_out"], Field(description="Series too short for a window: refused, or left out and told.")
]
AnomalyLabels = Annotated[
    Name | None,
    Field(
        description="Which rows are anomalous, for figures only: a column of 0 and 1, or a file with the columns `start`, `end` "
        "and those of `series` if there are any. Nothing is fitted on them.",
    ),
]


class WindowColumns(Section):
    """How columns and series are brought to a form that a model of windows learns from."""

    short_series: Literal["refuse", "leave_out", "pad"] = Field(
        "leave_out",
        description="Series too short for a window: refused; left out and told; pad: lengthened on the left by rows that the "
        "model is told are not there, as `missing: mask` does.",
    )
    transform: dict[Name, Transform | Annotated[list[Transform], Field(min_length=1, max_length=5)]] = Field(
        default_factory=dict,
        description="By column, before scaling, and undone in every result; several in a list are applied in its order: "
        "log (above 0), log1p (above -1), box_cox (above 0, its power fitted on the training rows), diff (to the row before), "
        "seasonal_diff (to the row a season before).",
    )
    season_steps: Steps | None = Field(
        None,
        description="Rows of a season for `seasonal_diff`; default: `season`, else the shortest natural one of `every`.",
    )
    window_scaling: WindowScale = Field(
        "none",
        description="Brings the targets of each window, as inputs too, to the scale of its own inputs: divided by their mean "
        "absolute value, or less their mean and by their deviation. For series of very different size, and new ones.",
    )
    categories: Annotated[list[Name], Field(max_length=1_000)] = Field(
        default_factory=list,
        description="Columns of `inputs`, `known_future` or `static` that are texts, truth values or numbers without an order: "
        "the model learns a vector for each value. A missing cell is a value of its own; so are all that training has not seen.",
    )
    static: Annotated[list[Name], Field(max_length=1_000)] = Field(
        default_factory=list,
        description="Columns that are the same in all rows of a series, such as its region: numbers, or named in `categories`. "
        "Given to the encoder and, in a forecast, to the decoder at every step.",
    )
    labels: AnomalyLabels = None
    series_category: bool = Field(
        False, description="The series itself is a category; series that training has not seen are the unknown one."
    )
    weight: Name | None = Field(
        None,
        description="Column of weights, 0 or more: how much each row counts as a target in training. A row of weight 0 is "
        "neither learned nor counted, as one that was out of stock.",
    )

    @property
    def transforms(self) -> dict[str, list[str]]:
        """The transforms of each column that has some, in the order in which they are applied."""
        return {name: chain_of(given) for name, given in self.transform.items()}


def chain_of(given: object) -> list[str]:
    """The transforms that a recipe names for a column: one, or several in a list."""
    return [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str)]
