"""The state of a fit on disk, from which another process resumes it at the next epoch.

A folder with the resolved recipe, the digest of the data and, from the first epoch on, one file of arrays and JSON: it is
written beside its place and renamed, so whoever is killed leaves the state of an epoch, whole. Nothing in it is pickled.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from seq2seq_kit.errors import KitWarning, TrainingError
from seq2seq_kit.training.callbacks import Epoch

if TYPE_CHECKING:
    import keras

_STATE, _DATA, _RECIPE, _LOCK = "state.npz", "data.json", "recipe.yaml", "lock"
_BEFORE, _AFTER, _NOTED, _MEMBER = "before", "after", "left_out.npy", "member_"
_KEPT = ("best", "wait", "cooldown_counter", "best_epoch", "stopped_epoch")  # what Keras' callbacks know
_SECONDS, _SHARE = 1.0, 0.1  # of a fit, for saving
_Callbacks = Sequence["keras.callbacks.Callback"]


@dataclass(frozen=True)
class State:
    """A fit after an epoch.

    Attributes:
        history: The epochs so far.
        seconds: Wall time of the fit so far.
        ended: Whether it has ended: all epochs were run, or validation has stopped improving.
        callbacks: Of each callback that has a state, its numbers.
        variables: Of the model (weights, states of its random generators) and then of the optimizer.
        best_weights: Of the best epoch so far.
    """

    history: list[Epoch]
    seconds: float
    ended: bool
    callbacks: list[dict[str, float | None]]
    variables: list[np.ndarray]
    best_weights: list[np.ndarray]

    @classmethod
    def of(
        cls, model: keras.Model, callbacks: _Callbacks, *, history: list[Epoch], seconds: float, ended: bool
    ) -> State:
        """The state of a model in its fit; the first callback keeps the best weights."""
        own = [{name: _number(vars(each)[name]) for name in _KEPT if name in vars(each)} for each in callbacks]
        variables = [np.asarray(variable) for variable in _variables(model)]
        return cls(history, seconds, ended, own, variables, list(callbacks[0].best_weights))

    def restore(self, model: keras.Model, callbacks: _Callbacks) -> None:
        """Gives a compiled model, whose optimizer is built, and its callbacks this state.

        Raises:
            TrainingError: It is the state of another model.
        """
        variables = _variables(model)
        kept, wanted = ([tuple(each.shape) for each in all_of] for all_of in (self.variables, variables))
        best, weights = ([tuple(each.shape) for each in all_of] for all_of in (self.best_weights, model.weights))
        if kept != wanted or best != weights or len(self.callbacks) != len(callbacks):
            raise TrainingError(
                f"the checkpoint is of another model or optimizer: expected {len(wanted)} variables of the shapes that the "
                f"recipe makes here. Received: {len(kept)}, not all of the same shapes. Resume with the versions that the run "
                "began with (its tag `versions`), or train again",
                code="checkpoint_differs",
            )
        for variable, value in zip(variables, self.variables, strict=True):
            variable.assign(value)
        for callback, own in zip(callbacks, self.callbacks, strict=True):
            vars(callback).update({name: own[name] for name in _KEPT if name in own and name in vars(callback)})
        callbacks[0].best_weights = self.best_weights


class Checkpoint:
    """A folder for the state of one fit. Get one from `only_user`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.began, self.spent = folder, time.perf_counter(), 0.0

    @property
    def recipe(self) -> Path:
        """The file of the resolved recipe."""
        return self.folder / _RECIPE

    @property
    def digest(self) -> str:
        """Of the data that the fit began with."""
        return str(json.loads((self.folder / _DATA).read_text(encoding="utf-8"))["sha256"])

    def begin(self, recipe: str, digest: str) -> None:
        """Notes what is fitted on what; without it there is nothing to resume."""
        (self.folder / _DATA).write_text(json.dumps({"sha256": digest}), encoding="utf-8")
        _write_whole(self.recipe, lambda file: file.write(recipe.encode()))

    @property
    def begun(self) -> bool:
        """Whether there is something to resume."""
        return self.recipe.is_file()

    @property
    def affordable(self) -> bool:
        """Whether saving has cost less than a second and a tenth of the time, so that short epochs are not slowed down."""
        return self.spent < max(_SECONDS, _SHARE * (time.perf_counter() - self.began))

    def save(self, state: State) -> None:
        """Replaces the state; a disk that is full does not end a fit, but is told."""
        began = time.perf_counter()
        values = {
            "history": [asdict(epoch) for epoch in state.history],
            "seconds": state.seconds,
            "ended": state.ended,
            "callbacks": state.callbacks,
            "variables": len(state.variables),
            "best_weights": len(state.best_weights),
        }
        arrays = dict(_named("variable", state.variables)) | dict(_named("best", state.best_weights))
        arrays["state"] = np.frombuffer(json.dumps(values).encode(), np.uint8)
        try:
            _write_whole(self.folder / _STATE, lambda file: np.savez(file, allow_pickle=False, **arrays))
        except OSError as error:
            text = (
                f"the checkpoint of epoch {len(state.history)} could not be written: {error}. Expected a disk with free space. "
                "Training continues; if it is killed, it resumes from an earlier epoch"
            )
            warnings.warn(KitWarning(text, code="checkpoint_not_written"), stacklevel=2)
        self.spent += time.perf_counter() - began

    def load(self) -> State | None:
        """The state, None before the first epoch has ended.

        Raises:
            TrainingError: The file is damaged.
        """
        written = self.written()
        return None if written is None else self.read(io.BytesIO(written))

    def written(self) -> bytes | None:
        """The file of the state; None before the first epoch has ended.

        Raises:
            TrainingError: The file cannot be read.
        """
        try:
            return (self.folder / _STATE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._damaged(error) from None

    def read(self, file: BinaryIO) -> State:
        """A state as it was written; errors as of `load`."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                values = json.loads(arrays["state"].tobytes())
                values["variables"] = [arrays[f"variable.{place}"] for place in range(values["variables"])]
                values["best_weights"] = [arrays[f"best.{place}"] for place in range(values["best_weights"])]
            values["history"] = [Epoch(**epoch) for epoch in values["history"]]
            return State(**values)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> TrainingError:
        return TrainingError(
            f"{self.folder / _STATE} is damaged ({error}). Expected the state that an epoch left. Remove the file to begin the "
            "run's fit anew, or train again",
            code="checkpoint_damaged",
        )

    def before(self) -> Checkpoint:
        """That of a fit that goes before this one."""
        folder = self.folder / _BEFORE
        folder.mkdir(exist_ok=True)
        return Checkpoint(folder)

    def member(self, number: int) -> Checkpoint:
        """That of the fit of one member of an ensemble, counted from 1."""
        folder = self.folder / f"{_MEMBER}{number}"
        folder.mkdir(exist_ok=True)
        return Checkpoint(folder)

    def epochs(self) -> list[Epoch]:
        """The epochs that are done; of an ensemble those of each member, with its number.

        Raises:
            TrainingError: A file is damaged.
        """
        state = self.load()
        found = list(state.history) if state else []
        number = 1
        while (self.folder / f"{_MEMBER}{number}").is_dir():
            state = self.member(number).load()
            found += [replace(epoch, member=number) for epoch in state.history] if state else []
            number += 1
        return found

    def after(self) -> Checkpoint:
        """That of a fit that goes after this one."""
        folder = self.folder / _AFTER
        folder.mkdir(exist_ok=True)
        return Checkpoint(folder)

    def note(self, numbers: np.ndarray) -> None:
        """Keeps what the fit before found out, the examples that this one leaves out: it is not repeated."""
        _write_whole(self.folder / _NOTED, lambda file: np.save(file, numbers, allow_pickle=False))
        self.before().remove()

    def noted(self) -> np.ndarray | None:
        """What `note` has kept; None where the fit before is not done."""
        path = self.folder / _NOTED
        return np.asarray(np.load(path, allow_pickle=False)) if path.is_file() else None

    def remove(self) -> None:
        """Removes everything: the fit is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def only_user(folder: Path, run_id: str) -> Iterator[Checkpoint]:
    """The checkpoint in a folder, for one process at a time; the system gives it free when that process ends, however it ends.

    Raises:
        TrainingError: Another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as file:
        try:
            lock(file.fileno())
        except OSError:
            raise TrainingError(
                f"the run {run_id} is trained by another process. Expected one that has ended. Wait for it, or end it with "
                "Ctrl-C",
                code="run_in_use",
            ) from None
        yield Checkpoint(folder)


def lock(descriptor: int) -> None:
    """Takes an open file for this process alone, until it is closed; raises `OSError` where another process has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _named(kind: str, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    return ((f"{kind}.{place}", array) for place, array in enumerate(arrays))


def _number(value: float | None) -> float | None:
    """JSON's, which reads back bit by bit; a whole number stays one."""
    return value if value is None or isinstance(value, int) else float(value)


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Beside its place, down to the disk, then renamed: a power cut leaves the former file or the new one."""
    partial = path.with_name(f"{path.name}.part")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # the rename itself, where a folder can be opened
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
