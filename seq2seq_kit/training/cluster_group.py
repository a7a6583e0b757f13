"""Workers on several machines that sum by TensorFlow's collectives, over the network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

_SHORTEST, _GROWTH, _LONGEST = 1_024, 1.25, 2**31
_GROUP_KEY = 20_251  # TensorFlow's own groups count from 1


class ClusterGroup:
    """A worker of the cluster that `TF_CONFIG` names; see `training.group.Group`.

    Call it before the first operation of TensorFlow in the process; it waits until all workers are there.
    """

    def __init__(self, rank: int, count: int) -> None:
        import tensorflow as tf

        self.rank, self.count = rank, count
        # It connects the workers, and asks every half a minute whether the others live; nothing else of it is used.
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        # A sum is known by a key and has one length for ever, so vectors are brought to one of a few lengths.
        steps = math.ceil(math.log(_LONGEST / _SHORTEST, _GROWTH))
        self._lengths = [math.ceil(_SHORTEST * _GROWTH**step) for step in range(steps)]

    def reduce(self, values: tf.Tensor) -> tf.Tensor:
        """See `Group`."""
        import tensorflow as tf

        size = tf.size(values)
        place = tf.searchsorted(tf.constant(self._lengths), tf.reshape(size, [1]))[0]
        total = tf.raw_ops.CollectiveReduceV2(
            input=tf.pad(values, [[0, tf.gather(self._lengths, place) - size]]),
            group_size=self.count,
            group_key=_GROUP_KEY,
            instance_key=place + 1,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            communication_hint="auto",
        )[:size]
        total.set_shape(values.shape)
        return total
