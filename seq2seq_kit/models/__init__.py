"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.autoencoder import build_autoencoder, split_autoencoder
from seq2seq_kit.models.encoder_decoder import build_encoder_decoder

__all__ = ["build_autoencoder", "build_encoder_decoder", "split_autoencoder"]
