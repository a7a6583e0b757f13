"""What every section of a recipe is: typed strictly, frozen, without unknown keys."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    # Strict, so that `epochs: "5"` and `dropout: true` are refused instead of converted.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
