"""Functions whose results are of a task's own class, which a test knows by what it asked for and mypy does not."""

from typing import Any

from seq2seq_kit import load as _load
from seq2seq_kit import tasks


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
    """As `tasks.read_bundle`."""
    return tasks.read_bundle(*arguments, **named)


def json_schema() -> Any:
    """As `tasks.json_schema`."""
    return tasks.json_schema()


def trial_recipe(*arguments: Any) -> Any:
    """As `recipe.trial_recipe`."""
    from seq2seq_kit.recipe import trial_recipe as _trial_recipe

    return _trial_recipe(*arguments)


TrainResult = Any  # its evaluation and its bundle are of the task's own classes


def train(*arguments: Any, **named: Any) -> Any:
    """As `seq2seq_kit.train`."""
    from seq2seq_kit import train as _train

    return _train(*arguments, **named)


def resume(*arguments: Any, **named: Any) -> Any:
    """As `seq2seq_kit.resume`."""
    from seq2seq_kit import resume as _resume

    return _resume(*arguments, **named)


def evaluate(*arguments: Any, **named: Any) -> Any:
    """As `seq2seq_kit.evaluate`."""
    from seq2seq_kit import evaluate as _evaluate

    return _evaluate(*arguments, **named)


def open_job(*arguments: Any, **named: Any) -> Any:
    """As `tasks.registry.open_job`."""
    return tasks.registry.open_job(*arguments, **named)
