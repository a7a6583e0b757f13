"""Hyperparameter search over a recipe's space: `sweep`, `resume_sweep`, `best_recipe`, their results and reporters."""

from seq2seq_kit.sweeps.conclusion import SweepResult
from seq2seq_kit.sweeps.run import BestRecipe, best_recipe, resume_sweep, sweep
from seq2seq_kit.sweeps.status import Progress, Standing, Status, SweepReporter
from seq2seq_kit.sweeps.trials import Trial

__all__ = [
    "BestRecipe",
    "Progress",
    "Standing",
    "Status",
    "SweepReporter",
    "SweepResult",
    "Trial",
    "best_recipe",
    "resume_sweep",
    "sweep",
]
