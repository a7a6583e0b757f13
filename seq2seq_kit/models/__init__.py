"""Builders of recurrent models. Flat keyword arguments in, an uncompiled `keras.Model` out."""

from seq2seq_kit.models.builders import build_autoencoder, build_encoder_decoder, split_autoencoder

__all__ = ["build_autoencoder", "build_encoder_decoder", "split_autoencoder"]
