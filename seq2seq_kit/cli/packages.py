"""Verbs in an environment that has not all packages, such as that of an exported model."""

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_kit.errors import ArgumentError, package_of

_NEEDS_KERAS = ("tensorflow", "keras")


@contextmanager
def all_packages() -> Iterator[None]:
    """A package that is not installed is told as an error.

    Raises:
        ArgumentError: One is not.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = package_of(error)
        if name is None:
            raise
        said = f"this needs the package {name}, which is not installed here"
        advice = f"Install it: pip install {name}"
        if name in _NEEDS_KERAS:
            advice = "An exported folder (`seq2seq-kit export`) answers without it; else install seq2seq-kit with all it needs"
        raise ArgumentError(f"{said}. {advice}", code="missing_package") from error
