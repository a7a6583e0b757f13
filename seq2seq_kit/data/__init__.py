"""Tables to windows: sources, time splits, scaling, batches. Knows no model."""

import sys

from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.data.windows import prepare as windows_prepare
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_ahead, prepare_new

__all__ = ["NAMED", "Prepared", "prepare", "prepare_ahead", "prepare_new", "read_source"]

# The module of the name of the function, where it was before: `from seq2seq_kit.data.prepare import prepare_new`.
sys.modules.setdefault(f"{__name__}.prepare", windows_prepare)
