"""Forecasts over a horizon."""
