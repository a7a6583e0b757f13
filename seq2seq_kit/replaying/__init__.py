"""Replays: a run is trained again by its own recipe, and what differs is told."""

from seq2seq_kit.replaying.result import ReplayResult
from seq2seq_kit.replaying.run import replay

__all__ = ["ReplayResult", "replay"]
