"""Whether kit and plain Keras do the same work: the same weights and batches, in the same order, lead to the same loss."""

import keras
import numpy as np
from peers import keras_fit, kit
from peers.shapes import Shape, cut, make_rows

_TOLERANCE = 1e-4  # of the loss: float32 and another order of summation, over some steps of Adam


def check(shape: Shape, steps: int) -> tuple[str, bool]:
    """Trains both for some steps.

    Returns:
        A row of a table (mean loss of each, their relative difference, largest difference of a weight), and whether the losses
        are the same.
    """
    rows = make_rows(shape, shape.batch * steps)
    keras.utils.set_random_seed(1)
    own, plain = kit.build(shape), keras_fit.build(shape)
    plain.set_weights(own.get_weights())
    fitted = kit.run_fit(own, shape, kit.Sequences(shape, rows, shuffled=False), epochs=1)
    x, y = cut(shape, rows)
    history = plain.fit(x, y, batch_size=shape.batch, shuffle=False, verbose=0).history
    losses = fitted.history[0].loss, float(history["loss"][0])
    apart = abs(losses[0] - losses[1]) / abs(losses[1])
    pairs = zip(own.get_weights(), plain.get_weights(), strict=True)
    weights = max(float(np.abs(a - b).max()) for a, b in pairs)
    row = f"| {shape.label} | {steps} | {losses[0]:.7f} | {losses[1]:.7f} | {apart:.1e} | {weights:.1e} |"
    return row, apart <= _TOLERANCE
