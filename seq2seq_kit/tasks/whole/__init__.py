"""Autoencoders of whole sequences."""
