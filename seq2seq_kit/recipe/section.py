"""What every section of a recipe is: typed strictly, frozen, without unknown keys."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

# A section as it was written or dumped: values of any type by key, before the schema has checked them.
Tree = Mapping[str, object]


class Section(BaseModel):
    # Strict, so that `epochs: "5"` and `dropout: true` are refused instead of converted.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    # Former names of keys of this section, old -> new. They stay legal (renaming.py); keys that choose the schema (`task`,
    # `data.framing`) cannot be renamed here.
    renamed: ClassVar[Mapping[str, str]] = {}
