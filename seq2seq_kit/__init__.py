"""Recurrent sequence models on Keras 3 by recipe.

    from seq2seq_kit import train, load

    result = train("recipes/forecast_traffic.yaml", overrides={"training.epochs": 5})
    forecast = load(result.run_id).predict(frame)

Names are resolved on first use, so importing the package is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_kit.backtests import BacktestResult, backtest
    from seq2seq_kit.bundles.base import Bundle
    from seq2seq_kit.calibrating import calibrate
    from seq2seq_kit.drafting import Draft, draft_recipe
    from seq2seq_kit.drift.result import Drift
    from seq2seq_kit.explanation import explain
    from seq2seq_kit.looking import Look, look
    from seq2seq_kit.models import (
        bidirectional_parameters,
        build_autoencoder,
        build_classifier,
        build_echo,
        build_encoder_decoder,
        build_feedback_forecaster,
        build_next_step,
        build_tagger,
        build_translator,
        build_whole_autoencoder,
        dense_parameters,
        gru_parameters,
        lstm_parameters,
        split_autoencoder,
    )
    from seq2seq_kit.opening import load
    from seq2seq_kit.recipe import Recipe
    from seq2seq_kit.registering import Registration, register
    from seq2seq_kit.replaying import ReplayResult, replay
    from seq2seq_kit.reporting import report
    from seq2seq_kit.results import TrainResult
    from seq2seq_kit.resuming import resume
    from seq2seq_kit.runs import evaluate, train
    from seq2seq_kit.scoring import Scorer, ScoreResult, score_files
    from seq2seq_kit.sweeps import SweepResult, best_recipe, resume_sweep, sweep
    from seq2seq_kit.tasks import json_schema, load_recipe, parse_recipe
    from seq2seq_kit.tasks.tag.bundle import TagBundle
    from seq2seq_kit.tasks.translate.bundle import TranslateBundle
    from seq2seq_kit.tracking.ui import open_ui
    from seq2seq_kit.validation import validate

__version__ = "0.1.0"

_HOMES = {
    "BacktestResult": "backtests",
    "Bundle": "bundles.base",
    "Draft": "drafting",
    "Drift": "drift.result",
    "Look": "looking",
    "Recipe": "recipe",
    "Registration": "registering",
    "ReplayResult": "replaying",
    "ScoreResult": "scoring",
    "Scorer": "scoring",
    "SweepResult": "sweeps",
    "TagBundle": "tasks.tag.bundle",
    "TrainResult": "results",
    "TranslateBundle": "tasks.translate.bundle",
    "backtest": "backtests",
    "best_recipe": "sweeps",
    "bidirectional_parameters": "models",
    "build_autoencoder": "models",
    "build_classifier": "models",
    "build_echo": "models",
    "build_encoder_decoder": "models",
    "build_feedback_forecaster": "models",
    "build_next_step": "models",
    "build_tagger": "models",
    "build_translator": "models",
    "build_whole_autoencoder": "models",
    "calibrate": "calibrating",
    "dense_parameters": "models",
    "draft_recipe": "drafting",
    "evaluate": "runs",
    "explain": "explanation",
    "gru_parameters": "models",
    "json_schema": "tasks",
    "load": "opening",
    "load_recipe": "tasks",
    "look": "looking",
    "lstm_parameters": "models",
    "open_ui": "tracking.ui",
    "parse_recipe": "tasks",
    "register": "registering",
    "replay": "replaying",
    "report": "reporting",
    "resume": "resuming",
    "resume_sweep": "sweeps",
    "score_files": "scoring",
    "split_autoencoder": "models",
    "sweep": "sweeps",
    "train": "runs",
    "validate": "validation",
    "write_anomaly_page": "reports.anomaly_page",
    "write_drift_page": "reports.drift_page",
    "write_image": "serving.image",
}

__all__ = [
    "BacktestResult",
    "Bundle",
    "Draft",
    "Drift",
    "Look",
    "Recipe",
    "Registration",
    "ReplayResult",
    "ScoreResult",
    "Scorer",
    "SweepResult",
    "TagBundle",
    "TrainResult",
    "TranslateBundle",
    "backtest",
    "best_recipe",
    "bidirectional_parameters",
    "build_autoencoder",
    "build_classifier",
    "build_echo",
    "build_encoder_decoder",
    "build_feedback_forecaster",
    "build_next_step",
    "build_tagger",
    "build_translator",
    "build_whole_autoencoder",
    "calibrate",
    "dense_parameters",
    "draft_recipe",
    "evaluate",
    "explain",
    "gru_parameters",
    "json_schema",
    "load",
    "load_recipe",
    "look",
    "lstm_parameters",
    "open_ui",
    "parse_recipe",
    "register",
    "replay",
    "report",
    "resume",
    "resume_sweep",
    "score_files",
    "split_autoencoder",
    "sweep",
    "train",
    "validate",
    "write_anomaly_page",
    "write_drift_page",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seq2seq_kit' has no attribute {name!r}")
    return getattr(import_module(f"seq2seq_kit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
