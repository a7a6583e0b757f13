"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.autoencoder import build_autoencoder, split_autoencoder
from seq2seq_kit.models.encoder_decoder import build_encoder_decoder
from seq2seq_kit.models.feedback import build_feedback_forecaster
from seq2seq_kit.models.tagger import build_tagger
from seq2seq_kit.models.translator import build_translator

__all__ = [
    "build_autoencoder",
    "build_encoder_decoder",
    "build_feedback_forecaster",
    "build_tagger",
    "build_translator",
    "split_autoencoder",
]
