"""How windows stand before a linear baseline: as they stand before the model, so that neither has more to go by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.indicators import Indicated

_EPSILON = 1e-5  # on the variance, as the model has it: a constant window is divided by 0.003 and not by 0


@dataclass(frozen=True)
class Presentation:
    """What is taken out of each window, and whether each target is a series of its own.

    Attributes:
        normalise: What is taken out of the measured columns and put back into the predictions: `none`, `last` (the newest
            value), `mean_std` (mean and standard deviation of the window).
        independent: Each target is a series of its own beside the inputs that are no targets; all share their weights.
    """

    normalise: Literal["none", "last", "mean_std"] = "none"
    independent: bool = False

    def width(self, prepared: Prepared) -> int:
        """Features of a row of `Windowed.design`."""
        shape, targets = prepared.windows["train"].shape, len(prepared.layout.targets)
        width = Indicated.of(prepared).width(shape.input_steps, shape.output_steps)
        # Of independent targets each has its own values and its mark.
        return width - shape.input_steps * (targets - 1) + targets if self.independent else width

    def of(self, prepared: Prepared, part: str, windows: np.ndarray) -> "Windowed":
        """Some windows of a part."""
        return self.of_arrays(prepared, prepared.arrays(part, windows))

    def of_arrays(self, prepared: Prepared, arrays: Sequence[np.ndarray]) -> "Windowed":
        """Windows as the model takes them: `Prepared.arrays`."""
        past, *future = Indicated.of(prepared).arrays(arrays)
        targets = len(prepared.layout.targets)
        center, scale = np.zeros((len(past), 1, targets)), np.ones((len(past), 1, targets))
        if self.normalise != "none":
            columns = prepared.columns
            measured = [at for at, name in enumerate(columns.inputs) if name not in columns.known_future]
            values = past[:, :, measured]
            if self.normalise == "last":
                taken, spread = values[:, -1:], np.ones_like(values[:, -1:])
            else:
                taken, spread = (
                    values.mean(axis=1, keepdims=True),
                    np.sqrt(values.var(axis=1, keepdims=True) + _EPSILON),
                )
            past[:, :, measured] = (values - taken) / spread
            own = [measured.index(position) for position in prepared.layout.targets]
            center, scale = taken[:, :, own], spread[:, :, own]
        rows = [array.reshape(len(past), -1) for array in future]
        if self.independent:
            shared = past[:, :, targets:].reshape(len(past), -1)
            own_rows = past[:, :, :targets].transpose(0, 2, 1).reshape(len(past) * targets, -1)
            # Which target it is, as the model's learned vector of each tells.
            marks = np.tile(np.eye(targets), (len(past), 1))
            return Windowed(
                np.concatenate([own_rows, marks, *(each.repeat(targets, axis=0) for each in (shared, *rows))], axis=1),
                center,
                scale,
                independent=True,
            )
        return Windowed(np.concatenate([past.reshape(len(past), -1), *rows], axis=1), center, scale)


def has_newest(prepared: Prepared) -> bool:
    """Whether a window holds the newest value of every target: the targets are among the inputs, with no stand-ins for cells."""
    columns, layout = prepared.columns, prepared.layout
    return not columns.masked and all(
        position < layout.inputs and name not in columns.known_future
        for position, name in zip(layout.targets, columns.targets, strict=True)
    )


@dataclass(frozen=True)
class Windowed:
    """Windows as rows.

    Attributes:
        design: `(windows, features)`, or `(windows * targets, features)` of independent ones.
        center: What was taken out of each target, `(windows, 1, targets)`, in scaled units.
        scale: What it was divided by, of the same shape.
        independent: As in `Presentation`.
    """

    design: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    independent: bool = field(default=False)

    def answers(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled targets `(windows, steps, targets)` as a row for each of `design`."""
        taken = (scaled - self.center) / self.scale
        return (
            taken.transpose(0, 2, 1).reshape(len(self.design), -1)
            if self.independent
            else taken.reshape(len(taken), -1)
        )

    def scaled(self, answers: np.ndarray) -> np.ndarray:
        """The reverse of `answers`."""
        windows, _, targets = self.center.shape
        if self.independent:
            shaped = answers.reshape(windows, targets, -1).transpose(0, 2, 1)
        else:
            shaped = answers.reshape(windows, -1, targets)
        return shaped * self.scale + self.center
