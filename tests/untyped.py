"""Functions whose results are of a task's own class, which a test knows by what it asked for and mypy does not."""

from typing import Any

from seq2seq_kit import load as _load
from seq2seq_kit import tasks
from seq2seq_kit.bundles.files import read_bundle as _read_bundle


def parse_recipe(*arguments: Any, **named: Any) -> Any:
    """As `tasks.parse_recipe`."""
    return tasks.parse_recipe(*arguments, **named)


def load_recipe(*arguments: Any, **named: Any) -> Any:
    """As `tasks.load_recipe`."""
    return tasks.load_recipe(*arguments, **named)


def load(*arguments: Any, **named: Any) -> Any:
    """As `seq2seq_kit.load`."""
    return _load(*arguments, **named)


def read_bundle(*arguments: Any, **named: Any) -> Any:
    """As `bundles.files.read_bundle`."""
    return _read_bundle(*arguments, **named)
