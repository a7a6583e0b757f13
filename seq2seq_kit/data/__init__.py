"""Tables to windows: sources, time splits, scaling, batches. Knows no model."""

from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_ahead, prepare_new

__all__ = ["NAMED", "Prepared", "prepare", "prepare_ahead", "prepare_new", "read_source"]
