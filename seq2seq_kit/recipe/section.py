"""What every section of a recipe is: typed strictly, frozen, without unknown keys."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

# A section as it was written or dumped: values of any type by key, before the schema has checked them.
Tree = Mapping[str, object]
# Counts of rows, steps and units: TensorFlow counts them in 32 bits.
MOST = 2**31 - 1
Steps = Annotated[int, Field(ge=1, le=MOST)]
Name = Annotated[str, Field(min_length=1, max_length=4_096)]  # of a column, or a path


class Section(BaseModel):
    # Strict, so that `epochs: "5"` and `dropout: true` are refused instead of converted.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    # Former names of keys of this section, old -> new. They stay legal (renaming.py); keys that choose the schema (`task`,
    # `data.framing`) cannot be renamed here.
    renamed: ClassVar[Mapping[str, str]] = {}
