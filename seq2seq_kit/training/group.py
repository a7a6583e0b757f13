"""The workers that train one model together, as each of them sees the others: one sum over all of them, and what is made of it.

A process has a group or none: whoever starts workers gives each its own with `use_group`, and a fit asks `group_here`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seq2seq_kit.errors import TrainingError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_HALF = 2**20  # a length in two numbers that float32 holds
_mine: list[Group] = []


class Group(Protocol):
    """Workers that call the same methods in the same order; each waits there for all others."""

    @property
    def rank(self) -> int:
        """Number of this worker, from 0; worker 0 writes what is written."""

    @property
    def count(self) -> int:
        """Workers in all."""

    def reduce(self, values: tf.Tensor) -> tf.Tensor:
        """The sum over all workers of a float32 vector of equal length, the same on each bit by bit; also in a graph."""


def use_group(group: Group | None) -> None:
    """Makes this process a worker of a group for all of its fits; None takes that back."""
    _mine[:] = [] if group is None else [group]


def group_here() -> Group | None:
    """The group that this process is a worker of."""
    return _mine[0] if _mine else None


def from_first(group: Group, give: Callable[[], bytes]) -> bytes:
    """What worker 0 gives, on every worker; `give` is called there only."""
    own = np.frombuffer(give() if group.rank == 0 else b"", np.uint8)
    halves = _sum_of(group, np.array(divmod(len(own), _HALF)))
    whole = own if group.rank == 0 else np.zeros(halves[0] * _HALF + halves[1], np.uint8)
    return _sum_of(group, whole).astype(np.uint8).tobytes()


def from_all(group: Group, own: bytes) -> list[bytes]:
    """What each worker gives, as many bytes as the others, in the order of the workers."""
    table = np.zeros((group.count, len(own)))
    table[group.rank] = np.frombuffer(own, np.uint8)
    return [row.astype(np.uint8).tobytes() for row in _sum_of(group, table.reshape(-1)).reshape(table.shape)]


def require_workers(workers: int, group: Group | None, *, ended: bool = False) -> None:
    """Refuses a fit of several workers in a process that is none of them, unless nothing is left to fit.

    Raises:
        TrainingError: Likewise.
    """
    if workers > 1 and group is None and not ended:
        raise TrainingError(
            f"training.workers: {workers} workers are started by `train` only. Expected 1 here, where a fit is one process. "
            "Set training.workers=1",
            code="workers_not_supported",
        )


def share_variables(model: keras.Model, group: Group) -> None:
    """Gives all workers the weights and the optimizer's state of worker 0: what is fitted before may differ in a last digit."""
    for variable in (*model.variables, *model.optimizer.variables):
        own = np.asarray(variable)
        given = np.frombuffer(from_first(group, own.tobytes), own.dtype).reshape(own.shape)
        if group.rank:
            variable.assign(given)


def require_equal_weights(model: keras.Model, group: Group, epoch: int) -> None:
    """Compares the weights and the optimizer's state of all workers, by a digest of their bits.

    Raises:
        TrainingError: They differ.
    """
    digest = hashlib.sha256()
    for variable in (*model.variables, *model.optimizer.variables):
        digest.update(np.asarray(variable).tobytes())
    found = from_all(group, digest.digest())
    if len(set(found)) > 1:
        said = ", ".join(f"worker {rank}: {each.hex()[:12]}" for rank, each in enumerate(found))
        raise TrainingError(
            f"the workers' weights differ after epoch {epoch}. Expected equal ones bit by bit. Received the digests {said}. "
            "Train on processors of one kind with the same versions, or with training.workers: 1",
            code="workers_differ",
        )


def _sum_of(group: Group, values: np.ndarray) -> np.ndarray:
    """Whole numbers of up to 2^24 pass through float32 unchanged."""
    import tensorflow as tf

    return np.asarray(group.reduce(tf.constant(values, tf.float32))).astype(np.int64)
