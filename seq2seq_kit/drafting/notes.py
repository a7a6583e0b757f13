"""What a draft says: each decision in a sentence, at the key of the recipe that it is about."""

from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_NAMED = 6


@dataclass
class Notes:
    """Sentences by dotted key, in the order in which they were said; the key is empty for what has none."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def say(self, key: str, text: str) -> None:
        """Adds a sentence without its full stop."""
        self.said.append((key, text))

    def about(self, key: str) -> Iterator[str]:
        """The sentences of one key."""
        return (text for at, text in self.said if at == key)

    @property
    def sentences(self) -> list[str]:
        """All of them, each with its key in front."""
        return [f"{key}: {text}" if key else text for key, text in self.said]


def listed(names: list[str]) -> str:
    """Names in a sentence; many are counted."""
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
