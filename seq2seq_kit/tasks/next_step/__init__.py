"""Forecasts one step at a time, with states."""
