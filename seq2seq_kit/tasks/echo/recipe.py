"""What a recipe for an echo may say: one short sequence of numbers that a small model learns to repeat.

A lesson in shapes, not a measure of skill: the recipe holds the only sequence.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import MONITOR, FitSettings, Rule, Steps, Written
from seq2seq_kit.recipe.fields import Recipe as BaseRecipe
from seq2seq_kit.recipe.section import Section

EchoShape = Literal["one_to_one", "many_to_one", "many_to_many", "one_to_many", "feedback", "one_step"]


class EchoData(Section):
    """The sequence itself."""

    # Takes the place of the key `source` that other kinds of recipes have.
    source: ClassVar[str] = "data.sequence"

    sequence: list[float] = Field(
        description="Values of the sequence, at least two; not scaled, so within about -1 to 1."
    )

    @field_validator("sequence")
    @classmethod
    def _is_a_sequence(cls, values: list[float]) -> list[float]:
        if len(values) < 2:
            raise ValueError(f"must hold at least 2 values, one for each step. Received: {values}")
        return values


class EchoModel(Section):
    """One recurrent layer; every key is an argument of `build_echo`."""

    shape: EchoShape = Field(
        "many_to_many",
        description="one_to_one: each value by itself; many_to_one: the sequence -> one vector; many_to_many: a value for each "
        "step; one_to_many: a value, repeated -> the sequence; feedback: each output is the next input; one_step: the steps "
        "as features of a single one.",
    )
    units: Steps = Field(5, description="Units of the recurrent layer.")
    cell: Literal["lstm", "gru"] = Field("lstm", description="Kind of the recurrent layer.")


class EchoTraining(FitSettings):
    """The fit of an echo, by mean squared error. An epoch is one pass over one sequence, so there are many."""

    monitor: Literal["val_loss"] = Field("val_loss", description=MONITOR)
    learning_rate: float = Field(1e-2, gt=0, description="Of the first step; `schedule` says how it goes on.")
    batch_size: Steps = Field(5, description="Only `one_to_one` has more than one sequence: a value each.")
    epochs: Steps = Field(1000, description="Passes over the sequence, at most; see `patience`.")
    patience: Steps | None = Field(
        None, description="Epochs without a smaller error of the echo before stopping; null: train all epochs."
    )


def an_echo_has_no_other_rows(recipe: Written) -> Iterator[Problem]:
    if recipe.training.get("final") is not None:
        said = "an echo has one sequence, which is train, val and test at once, so there is no last fit. Leave it out"
        yield Problem("training.final", said, "conflicting_keys")


class EchoRecipe(BaseRecipe):
    """A sequence -> itself, in one of the shapes that a recurrent layer offers."""

    rules: ClassVar[tuple[Rule, ...]] = (an_echo_has_no_other_rows,)
    no_folds: ClassVar[str] = "divides whole sequences"
    no_ensemble: ClassVar[str] = "an echo is a lesson on one small model, which repeats its only sequence"

    task: Literal["echo"]
    data: EchoData
    model: EchoModel = Field(default_factory=EchoModel)
    training: EchoTraining = Field(default_factory=EchoTraining)
