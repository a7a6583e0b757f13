"""Errors, baselines, and what they mean. Every figure of a model stands beside its baselines'."""

from seq2seq_kit.evaluation.base import MODEL, Board, ErrorBoard
from seq2seq_kit.evaluation.baselines import Baseline, fit_forecast_baselines
from seq2seq_kit.evaluation.diagnostics import no_test_part
from seq2seq_kit.evaluation.naive import naive_error
from seq2seq_kit.evaluation.presentation import Presentation
from seq2seq_kit.evaluation.windows import Evaluation, evaluate_part

__all__ = [
    "MODEL",
    "Baseline",
    "Board",
    "ErrorBoard",
    "Evaluation",
    "Presentation",
    "evaluate_part",
    "fit_forecast_baselines",
    "naive_error",
    "no_test_part",
]
