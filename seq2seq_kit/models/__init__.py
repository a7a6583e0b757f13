"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.builders import build_autoencoder, build_encoder_decoder, split_autoencoder
from seq2seq_kit.models.counts import (
    bidirectional_parameters,
    dense_parameters,
    gru_parameters,
    lstm_parameters,
)
from seq2seq_kit.models.echo import build_echo, compile_free_run

__all__ = [
    "bidirectional_parameters",
    "build_autoencoder",
    "build_echo",
    "build_encoder_decoder",
    "compile_free_run",
    "dense_parameters",
    "gru_parameters",
    "lstm_parameters",
    "split_autoencoder",
]
