"""What the kit has to say about data and results: a code to filter by, what was seen, what to do."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One remark.

    Attributes:
        code: Short and stable, for tags and tests: `loses_to_baseline`.
        level: `warning` asks for action, `note` is good to know.
        text: What was seen, with its figures.
        advice: What to do.
    """

    code: str
    level: Literal["warning", "note"]
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.text}. {self.advice}" if self.advice else self.text
