"""How long an encoder's LSTMs remember at the start of a training: the keys `model.forget_bias` and `memory_steps`."""

from typing import Annotated, Literal

from pydantic import Field

from seq2seq_kit.recipe.section import MOST, Section


class Remembering(Section):
    """An encoder whose LSTMs may begin with long memories."""

    forget_bias: Literal["ones", "chrono"] = Field(
        "ones",
        description="How the gates of the encoder's LSTMs begin; chrono: with memories of up to `memory_steps` steps (Tallec and "
        "Ollivier 2018).",
    )
    memory_steps: Annotated[int, Field(ge=3, le=MOST)] | None = Field(
        None,
        description="Longest memory of `forget_bias: chrono`; default: the steps that a layer runs over (`input_steps`).",
    )


def remembered(model: Remembering, data: Section) -> dict[str, int]:
    """The builder's `memory_steps` where its steps are open and the recipe says how many they are at most."""
    steps: int | None = model.memory_steps or getattr(data, "input_steps", None)
    return {"memory_steps": max(steps, 3)} if model.forget_bias == "chrono" and steps else {}
