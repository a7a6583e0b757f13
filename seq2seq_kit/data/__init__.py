"""Tables to windows: sources, time splits, scaling, batches. Knows no model."""

from seq2seq_kit.data.named import NAMED
from seq2seq_kit.data.prepare import Prepared, prepare, prepare_ahead, prepare_new
from seq2seq_kit.data.sources import read_source

__all__ = ["NAMED", "Prepared", "prepare", "prepare_ahead", "prepare_new", "read_source"]
