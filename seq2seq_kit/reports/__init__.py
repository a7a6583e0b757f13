"""Figures, the model's diagram, the run in words."""
