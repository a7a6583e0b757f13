"""Workers on one machine that sum through memory that they share: nothing listens, and no data leaves the processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    import tensorflow as tf

_SLOT = 2**18  # numbers of one worker at a time; a longer vector takes several turns


@dataclass(frozen=True)
class SharedMemory:
    """What the processes of a group share; goes to each with its start.

    Attributes:
        slots: Two tables of a slot for each worker, which are used in turn: nobody writes to one that somebody still reads.
        barrier: Where all wait for the last one.
        count: Workers.
    """

    slots: Any
    barrier: Any
    count: int

    @classmethod
    def of(cls, count: int, context: BaseContext) -> SharedMemory:
        """For so many processes that a context of `multiprocessing` starts."""
        return cls(context.RawArray("f", 2 * count * _SLOT), context.Barrier(count), count)


class MemoryGroup:
    """A worker of a group on this machine; see `training.group.Group`."""

    def __init__(self, shared: SharedMemory, rank: int) -> None:
        self.rank, self.count, self.barrier = rank, shared.count, shared.barrier
        self._slots = np.frombuffer(shared.slots, np.float32).reshape(2, shared.count, _SLOT)
        self._turn = 0

    def reduce(self, values: tf.Tensor) -> tf.Tensor:
        """See `Group`."""
        import tensorflow as tf

        total = tf.numpy_function(self._sum, [values], tf.float32)
        total.set_shape(values.shape)
        return total

    def _sum(self, values: np.ndarray) -> np.ndarray:
        total = np.empty_like(values)
        for first in range(0, len(values), _SLOT):
            piece = values[first : first + _SLOT]
            slots = self._slots[self._turn]
            self._turn = 1 - self._turn
            slots[self.rank, : len(piece)] = piece
            self.barrier.wait()
            # In the order of the workers on each of them, so all find the same last bit.
            np.add.reduce(slots[:, : len(piece)], axis=0, out=total[first : first + _SLOT])
        return total
