"""Errors, baselines, and what they mean. Every figure of a model stands beside its baselines'."""

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.evaluation.baselines import Baseline, fit_autoencode_baselines, fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation.diagnostics import examine_autoencoder, examine_forecast
from seq2seq_kit.evaluation.windows import Evaluation, evaluate_part

__all__ = [
    "MODEL",
    "Baseline",
    "Board",
    "Evaluation",
    "evaluate_part",
    "examine_autoencoder",
    "examine_forecast",
    "fit_autoencode_baselines",
    "fit_forecast_baselines",
    "naive_error",
]
