"""The checkpoint of a fit of several workers: worker 0 has it, the others are given what it holds."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from seq2seq_kit.training.checkpoint import Checkpoint, State
from seq2seq_kit.training.group import Group, from_first


class GroupCheckpoint(Checkpoint):
    """See `Checkpoint`; of the folder of worker 0. It keeps every epoch, for the others are all that a lost worker leaves."""

    def __init__(self, folder: Path, group: Group) -> None:
        super().__init__(folder)
        self.group = group

    @property
    def affordable(self) -> bool:
        """Always."""
        return True

    def save(self, state: State) -> None:
        """Worker 0 writes the state, which is the same on all."""
        if self.group.rank == 0:
            super().save(state)

    def load(self) -> State | None:
        """The state that worker 0 has, on every worker."""
        there = from_first(self.group, lambda: b"" if (written := self.written()) is None else b"1" + written)
        return self.read(io.BytesIO(there[1:])) if there else None


class EndedCheckpoint(Checkpoint):
    """A checkpoint whose fit is over, whatever epochs are left: fitting from it trains nothing and gives what is best in it."""

    def load(self) -> State | None:
        """The state, as one that has ended."""
        state = super().load()
        return None if state is None else replace(state, ended=True)

    def save(self, state: State) -> None:
        """Nothing: there is no epoch."""
