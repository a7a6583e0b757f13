"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.acceleration import accelerate, portable
from seq2seq_kit.models.autoencoder import build_autoencoder, split_autoencoder
from seq2seq_kit.models.classifier import build_classifier
from seq2seq_kit.models.counts import bidirectional_parameters, dense_parameters, gru_parameters, lstm_parameters
from seq2seq_kit.models.echo import build_echo, compile_free_run
from seq2seq_kit.models.encoder_decoder import build_encoder_decoder
from seq2seq_kit.models.ensemble import join_members
from seq2seq_kit.models.feedback import build_feedback_forecaster
from seq2seq_kit.models.next_step import build_next_step
from seq2seq_kit.models.tagger import build_tagger
from seq2seq_kit.models.translator import build_translator
from seq2seq_kit.models.whole import build_whole_autoencoder

__all__ = [
    "accelerate",
    "bidirectional_parameters",
    "build_autoencoder",
    "build_classifier",
    "build_echo",
    "build_encoder_decoder",
    "build_feedback_forecaster",
    "build_next_step",
    "build_tagger",
    "build_translator",
    "build_whole_autoencoder",
    "compile_free_run",
    "dense_parameters",
    "gru_parameters",
    "join_members",
    "lstm_parameters",
    "portable",
    "split_autoencoder",
]
