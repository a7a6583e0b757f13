"""Checks of builder arguments: each refuses what Keras would clamp, convert or fail on later, and names the argument."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from seq2seq_kit.errors import ArgumentError


def positive_int(name: str, value: Any, *, least: int = 1) -> int:
    """A whole number of at least `least`; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ArgumentError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}")
    return int(value)


def units_list(name: str, value: Any) -> list[int]:
    """Units of each layer, first to last: a non-empty list of positive whole numbers."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not len(value):
        raise ArgumentError(
            f"{name} must be a list with the units of each layer, such as [64]. Received: {name}={value!r}"
        )
    return [positive_int(f"{name}[{position}]", units) for position, units in enumerate(value)]


def fraction(name: str, value: Any) -> float:
    """A share in [0, 1); Keras would clamp what lies outside."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ArgumentError(f"{name} must be in [0, 1). Received: {name}={value!r}")
    return float(value)


def non_negative(name: str, value: Any) -> float:
    """A finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < float("inf"):
        raise ArgumentError(f"{name} must be a finite number of at least 0. Received: {name}={value!r}")
    return float(value)


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in options:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, options))}. Received: {name}={value!r}")
    return value


def boolean(name: str, value: Any) -> bool:
    """True or False and nothing that merely counts as such."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False. Received: {name}={value!r}")
    return value


def positions(name: str, value: Any, *, below: int | None = None, count: int | None = None) -> list[int]:
    """Different positions of columns, each in [0, `below`); `count` of them where that is given."""
    known = "" if below is None else f" below {below}"
    many = "" if count is None else f"{count} "
    whole = isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) > 0
    fine = whole and all(
        isinstance(each, Integral) and not isinstance(each, bool) and int(each) >= 0 and (below is None or each < below)
        for each in value
    )
    if not fine or len(set(value)) != len(value) or count not in (None, len(value)):
        raise ArgumentError(f"{name} must be a list of {many}different positions{known}. Received: {name}={value!r}")
    return [int(each) for each in value]


def whole_steps(name: str, value: Any, segment_steps: int, pyramid: int = 1, layers: int = 1) -> int:
    """A number of steps that segments and a pyramid divide without a rest; the message names the nearest ones that do."""
    steps, of = positive_int(name, value), segment_steps * pyramid ** (layers - 1)
    if steps % of:
        near = [str(each) for each in (steps // of * of, steps // of * of + of) if each]
        causes = [f"segment_steps={segment_steps}"] if segment_steps > 1 else []
        causes += [f"pyramid={pyramid} over {layers} encoder layers"] if of > segment_steps else []
        raise ArgumentError(
            f"{name} must be a multiple of {of} ({', '.join(causes)}), such as {' or '.join(near)}. Received: {name}={value!r}"
        )
    return steps
