"""Findings: remarks on data and results, each with a code, an observation and an advice."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One remark on data or results.

    Attributes:
        code: Short and stable, for MLflow tags, filters and tests: `loses_to_baseline`.
        level: `warning` asks for action, `note` is good to know.
        text: The observation, with its numbers.
        advice: What to do.
    """

    code: str
    level: Literal["warning", "note"]
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.text}. {self.advice}" if self.advice else self.text
