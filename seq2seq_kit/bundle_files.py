"""The old place of `bundles.files`: models that MLflow stored before name it. Nothing in the kit imports it."""

from seq2seq_kit.bundles.files import read_bundle

__all__ = ["read_bundle"]
