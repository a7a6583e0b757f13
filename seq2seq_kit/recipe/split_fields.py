"""How the rows or sequences of a recipe are divided into train, val and test; rules in split_rules.py."""

from typing import Annotated

from pydantic import Field

from seq2seq_kit.recipe.section import MOST, Section, Steps

# A share of the rows, or how many of them.
Share = Annotated[float, Field(gt=0, lt=1)] | Steps
_ShareOrNone = Annotated[float, Field(ge=0, lt=1)] | Steps


class Split(Section):
    """How the rows of each series are divided, in time order: train, then val, then test.

    By shares; with `train` by whole numbers of rows from the oldest one, rows after them are not used; or with `val_steps` and
    `test_steps` by whole numbers of rows from each series' own newest one, all rows before them are train.
    """

    # split_rules.py checks which of them go together.
    train: Steps | None = Field(None, description="Rows, the oldest ones; makes `val` and `test` numbers of rows too.")
    val: Share = Field(0.15, description="Share of the rows, right before the test rows; or how many, after `train`.")
    test: _ShareOrNone = Field(
        0.15, description="Share of the rows, the newest ones; or how many, after `val`; 0: no test part."
    )
    val_steps: Steps | None = Field(
        None, description="Rows of each series, right before its test rows, however long it is; needs `test_steps`."
    )
    test_steps: Annotated[int, Field(ge=0, le=MOST)] | None = Field(
        None, description="Rows at the end of each series, however long it is; 0: no test part; needs `val_steps`."
    )

    @property
    def from_end(self) -> bool:
        """Whether the parts are counted from each series' end."""
        return self.val_steps is not None

    @property
    def tested(self) -> bool:
        """Whether there are test rows."""
        return bool(self.test_steps if self.from_end else self.test)


class CalibratedSplit(Split):
    """The same with rows between val and test for intervals: train, then val, then calibration, then test."""

    calibration: Share | None = Field(
        None,
        description="Share of the rows that intervals are calibrated on and nothing else looks at, between val and test; or how "
        "many, after `train`. Default where the recipe has `levels`: 0.1.",
    )
    calibration_steps: Steps | None = Field(
        None, description="The same as a number of rows of each series, right before its test rows; beside `val_steps`."
    )

    @property
    def calibrated(self) -> bool:
        """Whether there are rows to calibrate on."""
        return (self.calibration_steps if self.from_end else self.calibration) is not None


SPLIT = "How the sequences are divided into train, val and test."


class SequenceSplit(Section):
    """How whole sequences are divided: by a hash of their name or text, so one never changes sides."""

    val: float = Field(0.1, gt=0, lt=1, description="Share of the sequences.")
    test: float = Field(0.1, gt=0, lt=1, description="Share of the sequences.")
