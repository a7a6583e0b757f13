"""The old place of `tasks.read_bundle`: models that MLflow stored before name it. Nothing in the kit imports it."""

from seq2seq_kit.tasks import read_bundle

__all__ = ["read_bundle"]
