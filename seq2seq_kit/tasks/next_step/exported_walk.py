"""A next-step model that was exported, one step at a time: what `models.next_step.Stepper` is, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.exports.session import Network

if TYPE_CHECKING:
    from seq2seq_kit.models.next_step import Stepper

AnyStepper: TypeAlias = "Stepper | ExportedStepper"

_CHUNK = 1024
_BEFORE = 2  # inputs that are no states: rows that are read, and what is known of those ahead
_AFTER = 3  # outputs that are no states


@dataclass(frozen=True)
class Walk:
    """As `models.next_step.Walk`."""

    read: np.ndarray
    ahead: np.ndarray
    states: list[np.ndarray]
    newest: np.ndarray


class ExportedStepper:
    """The graph `network` of an exported next-step model; arguments, attributes and methods as of `Stepper`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        states = network.inputs[_BEFORE:]
        self.inputs, self.outputs = int(network.inputs[0].shape[-1] or 0), int(network.outputs[0].shape[-1] or 0)
        self.names = [state.name for state in states]
        self.widths = [int(state.shape[-1] or 0) for state in states]

    def zeros(self, sequences: int) -> list[np.ndarray]:
        """States before the first step."""
        return [np.zeros((sequences, width), dtype=np.float32) for width in self.widths]

    def walk(self, read: np.ndarray, known: np.ndarray, states: Sequence[np.ndarray] | None = None) -> Walk:
        """Reads some steps, at least one, then runs autoregressively.

        Raises:
            ArgumentError: There is no step to read.
        """
        if not read.shape[1]:
            said = (
                "an exported next-step model forecasts from rows that it reads. Load the bundle itself for its stream"
            )
            raise ArgumentError(said, code="needs_tensorflow")
        states = self.zeros(len(read)) if states is None else states
        pieces = []
        for first in range(0, max(len(read), 1), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            pieces.append(self._network.run([each[chunk] for each in (read, known, *states)]))
        outputs, ahead, newest, *after = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
        return Walk(outputs, ahead, after, newest)
