"""What a program hands over that is of another type than a public function takes: told with the name of the argument."""

from collections.abc import Mapping, Sequence
from numbers import Real
from os import PathLike

import numpy as np

from seq2seq_kit.errors import ArgumentError


def require(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Refuses a value that is of none of some types.

    Args:
        name: The argument.
        value: What was given for it.
        kinds: What it may be.
        expected: The same in words.

    Raises:
        ArgumentError: It is of another type; a class is no value.
    """
    if isinstance(value, kinds) and not isinstance(value, type):
        return
    said = f"{name} must be {expected}. Received: {name}={_shown(value)}"
    raise ArgumentError(said, code="invalid_argument")


def require_place(name: str, value: object, expected: str) -> None:
    """Refuses what is neither a text nor a path; arguments and errors as of `require`."""
    require(name, value, (str, PathLike), expected)


def require_recipe(recipe: object) -> None:
    """Refuses what is no recipe in any of its forms; errors as of `require`."""
    from pydantic import BaseModel

    require("recipe", recipe, (str, PathLike, Mapping, BaseModel), "a path, a mapping or a Recipe")


def require_flags(**given: object) -> None:
    """Refuses values that are not True or False, such as the text 'no', which Python takes for true; errors as of `require`."""
    for name, value in given.items():
        require(name, value, (bool, np.bool_), "True or False")


def require_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuses what is no whole number from `least` to `most`; errors as of `require`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]  # it is one
        upper = "" if most is None else f" and at most {most:,}"
        said = f"{name} must be a whole number of at least {least}{upper}. Received: {name}={_shown(value)}"
        raise ArgumentError(said, code="invalid_argument")


def require_levels(levels: object) -> None:
    """Refuses levels that are no sequence of numbers; errors as of `require`."""
    if levels is None:
        return
    listed = isinstance(levels, Sequence | np.ndarray) and not isinstance(levels, str | bytes)
    if not listed or any(isinstance(level, bool) or not isinstance(level, Real) for level in levels):  # type: ignore[attr-defined]
        said = f"levels must be a list of numbers, such as [80, 95]. Received: levels={_shown(levels)}"
        raise ArgumentError(said, code="invalid_argument")


def _shown(value: object) -> str:
    """A value as a message shows it, a large one by its type."""
    text = repr(value) if isinstance(value, str | bool | int | float | list | tuple | dict | None) else ""
    return text if text and len(text) <= 60 else f"a {type(value).__module__}.{type(value).__qualname__}"
