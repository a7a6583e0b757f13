"""Tokens and their numbers: fitted on the training rows, with padding and unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

PADDING = 0  # also the end of a target, and the step before its beginning
UNKNOWN = 1
_FIRST = 2
UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one side.

    Attributes:
        level: `char`: each character is a token; `token`: the text between white space.
        tokens: Those with the numbers from 2 on; 0 is padding and 1 is unknown.
    """

    level: Literal["char", "token"]
    tokens: list[str]

    @classmethod
    def fit(cls, texts: Iterable[str], *, level: Literal["char", "token"], min_count: int = 1) -> Vocabulary:
        """The tokens of some texts, the most frequent first; rarer than `min_count` is left out and so unknown."""
        return cls(level, _kept((token for text in texts for token in _split(text, level)), min_count))

    @classmethod
    def fit_tokens(cls, tokens: Iterable[str], *, min_count: int = 1) -> Vocabulary:
        """The same of tokens that are told apart already, white space within them included."""
        return cls("token", _kept(tokens, min_count))

    @classmethod
    def restore(cls, level: str, tokens: list[str]) -> Vocabulary:
        """A vocabulary out of a file.

        Raises:
            ValueError: The file holds no vocabulary.
        """
        if level not in ("char", "token") or not all(isinstance(token, str) for token in tokens):
            raise ValueError(f"a vocabulary has a level, char or token, and texts. Received: {level!r}")
        if len(set(tokens)) != len(tokens):
            raise ValueError("a vocabulary has each token once")
        return cls(level, list(tokens))  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """Numbers in use, padding and unknown included."""
        return len(self.tokens) + _FIRST

    @cached_property
    def number(self) -> dict[str, int]:
        """Number of each token."""
        return {token: number for number, token in enumerate(self.tokens, start=_FIRST)}

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return _split(text, self.level)

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """The number of each token, `UNKNOWN` for those the training rows did not have."""
        known = self.number
        return [known.get(token, UNKNOWN) for token in tokens]

    def unknown_note(self, texts: Iterable[str]) -> list[str]:
        """A note on the tokens of some texts that the training rows did not have; none where there are none."""
        strange = sorted({token for text in texts for token in self.split(text)} - self.number.keys())
        what = (
            "1 token that the training rows did not have was"
            if len(strange) == 1
            else f"{len(strange)} tokens that the training rows did not have were"
        )
        said = f"{what} read as unknown: "
        return [said + ", ".join(strange[:10])] if strange else []

    def text(self, numbers: Iterable[int]) -> str:
        """The text of some numbers, without padding; an unknown one shows as the replacement character."""
        words = [
            self.tokens[number - _FIRST] if number >= _FIRST else UNKNOWN_TEXT
            for number in numbers
            if number != PADDING
        ]
        return ("" if self.level == "char" else " ").join(words)


def _kept(tokens: Iterable[str], min_count: int) -> list[str]:
    counts = Counter(tokens)
    return [token for _, token in sorted((-count, token) for token, count in counts.items() if count >= min_count)]


def _split(text: str, level: str) -> list[str]:
    return list(text) if level == "char" else text.split()
