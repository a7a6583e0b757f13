"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.autoencoder import build_autoencoder, split_autoencoder
from seq2seq_kit.models.counts import (
    bidirectional_parameters,
    dense_parameters,
    gru_parameters,
    lstm_parameters,
)
from seq2seq_kit.models.echo import build_echo, compile_free_run
from seq2seq_kit.models.encoder_decoder import build_encoder_decoder
from seq2seq_kit.models.feedback import build_feedback_forecaster
from seq2seq_kit.models.tagger import build_tagger
from seq2seq_kit.models.translator import build_translator

__all__ = [
    "bidirectional_parameters",
    "build_autoencoder",
    "build_echo",
    "build_encoder_decoder",
    "build_feedback_forecaster",
    "build_tagger",
    "build_translator",
    "compile_free_run",
    "dense_parameters",
    "gru_parameters",
    "lstm_parameters",
    "split_autoencoder",
]
