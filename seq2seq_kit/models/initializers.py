"""How weights begin where Keras has no initializer for it."""

import random

import keras
from keras import ops

from seq2seq_kit.models.arguments import positive_int
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE

LEAST_MEMORY = 3


@keras.saving.register_keras_serializable(package=PACKAGE)
class Chrono(keras.initializers.Initializer):
    """The biases of an LSTM whose units begin with memories of up to `steps` steps (Tallec and Ollivier 2018).

    A unit that forgets a share of 1 / T of its state at each step remembers about T steps. With T drawn evenly between 1 and
    `steps` - 1, the forget gate begins at log T and the input gate at -log T, so that what is kept and what is let in are one;
    the others begin at 0. By default an LSTM's forget gate begins at 1, a memory of four steps.

    Args:
        steps: T_max, the longest dependency that is expected; at least 3.
        seed: Of the draw; None: one of Python's generator, as Keras' own initializers take it.
    """

    def __init__(self, steps: int, seed: int | None = None) -> None:
        self.steps = positive_int("steps", steps, least=LEAST_MEMORY)
        self._given, self.seed = seed, random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        """Biases in Keras' order of an LSTM's gates: input, forget, cell, output; shape `(4 * units,)`."""
        units = shape[0] // 4
        memory = ops.log(keras.random.uniform((units,), 1.0, self.steps - 1.0, dtype=dtype, seed=self.seed))
        return ops.concatenate([-memory, memory, ops.zeros((2 * units,), dtype=memory.dtype)])

    def get_config(self) -> dict[str, object]:
        """What it is made from again."""
        return {"steps": self.steps, "seed": self._given}
