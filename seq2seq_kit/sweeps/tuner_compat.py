"""Every private member of KerasTuner that the kit touches, each guarded against versions that lack it or have changed it.

- `_set_project_dir` sets the folder of the oracle's files. Without it the sweep is refused, because they would lie anywhere.
- `_tried_so_far` and `_compute_values_hash` mark values that need not be drawn. Without them they may be drawn again.
- `_record_values` marks the values of a resumed sweep's trials as tried. Without it they may be drawn again.
- `_duplicate` and `_random_populate_space` keep the bayesian oracle from values that it has tried. Without them it may repeat.

A recipe of which a trial has finished is not trained again (see search.py), so a repetition costs one of `max_trials` and no
training. Functions return a note for the user, or None if all went well. Nothing here imports KerasTuner.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Protocol

from seq2seq_kit.errors import SweepError

KNOWN_VERSIONS = ("1.4.8",)  # with which the tests pass; pyproject.toml has the bounds
# Raised by a member that is missing, is not a method, takes other arguments or returns something else.
_CHANGED = (AttributeError, TypeError, KeyError, ValueError)


class Oracle(Protocol):
    """The private members of KerasTuner's oracles."""

    _tried_so_far: set[str]

    def _set_project_dir(self, directory: str, project_name: str) -> None: ...

    def _compute_values_hash(self, values: dict[str, object]) -> str: ...

    def _record_values(self, trial: object) -> None: ...


class BayesianOracle(Protocol):
    """Those of the bayesian one."""

    def _duplicate(self, values: object) -> bool: ...

    def _random_populate_space(self) -> Mapping[str, object]: ...


def unsupported(error: Exception) -> SweepError:
    """The error of a KerasTuner without which a sweep cannot run."""
    return SweepError(
        f"this version of KerasTuner is not supported: {error}. Installed: keras-tuner {installed_version()}; known to work: "
        f"{', '.join(KNOWN_VERSIONS)}. Install one of these",
        code="kerastuner_unsupported",
    )


def installed_version() -> str:
    """KerasTuner's version, or `unknown`."""
    try:
        return metadata.version("keras-tuner")
    except metadata.PackageNotFoundError:
        return "unknown"


def set_folder(oracle: Oracle, folder: str) -> None:
    """Sets the folder in which the oracle writes its state on every call.

    Raises:
        SweepError: This KerasTuner cannot be told.
    """
    try:
        oracle._set_project_dir(folder, "oracle")
    except _CHANGED as error:
        raise unsupported(error) from error


def mark_tried(oracle: Oracle, values: Mapping[str, object]) -> str | None:
    """Marks values, in the oracle's form, as tried."""
    try:
        oracle._tried_so_far.add(oracle._compute_values_hash(dict(values)))
    except _CHANGED as error:
        return _note(error, "the recipe's own values may be drawn again")
    return None


def record_values(oracle: Oracle, trial: object) -> str | None:
    """Marks the values of a trial as tried after they were replaced."""
    try:
        oracle._record_values(trial)
    except _CHANGED as error:
        return _note(error, "values of earlier trials may be drawn again")
    return None


def replace_duplicate(oracle: BayesianOracle, chosen: Mapping[str, object]) -> tuple[Mapping[str, object], str | None]:
    """`chosen`, what `populate_space` returned, or random values where the oracle has tried those."""
    values = chosen.get("values")
    try:
        if not values or not oracle._duplicate(values):
            return chosen, None
        drawn = oracle._random_populate_space()
        return {"status": drawn["status"], "values": drawn["values"]}, None
    except _CHANGED as error:
        return chosen, _note(error, "the bayesian tuner may come back to values that it has tried")


def _note(error: Exception, effect: str) -> str:
    return (
        f"KerasTuner {installed_version()} differs from the versions known to work ({', '.join(KNOWN_VERSIONS)}): {error}. The "
        f"sweep works, but {effect}; such a trial copies the score and trains nothing"
    )
