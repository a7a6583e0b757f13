"""Fits in processes of their own: those of sweeps, backtests and ensembles."""
