"""Autoencoders of windows."""
