"""Whether a kind of recipe has a key: a draft uses what its schema knows."""

from pydantic import BaseModel

from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.messages import section_of


def has_key(kind: type[Recipe], key: str) -> bool:
    """Whether the schema has a dotted key."""
    inner: type[BaseModel] | None = kind
    for part in key.split("."):
        if inner is None or part not in inner.model_fields:
            return False
        inner = section_of(inner.model_fields[part])
    return True
