"""The command line: `seq2seq-kit VERB`."""

from seq2seq_kit.cli.main import main

__all__ = ["main"]
