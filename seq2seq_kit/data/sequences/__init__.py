"""Sequences of any length, padded into batches; vocabularies."""
