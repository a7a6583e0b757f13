"""What a recipe may say where its training rows are not all of normal running."""

from typing import Annotated

from pydantic import Field

from seq2seq_kit.recipe.fields import Training


class RobustTraining(Training):
    """The fit of a model whose training rows may hold anomalies."""

    leave_out: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0,
        description="Share of the training windows or sequences, those with the largest errors after one fit, that a second one "
        "from the same start leaves out.",
    )
