"""Compile and fit."""
