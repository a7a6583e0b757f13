"""Searching a recipe's space: `sweep`, `resume_sweep`, `best_recipe`, and what they give and tell."""

from seq2seq_kit.sweeps.conclusion import SweepResult
from seq2seq_kit.sweeps.run import BestRecipe, best_recipe, resume_sweep, sweep
from seq2seq_kit.sweeps.status import Progress, Standing, SweepReporter
from seq2seq_kit.sweeps.trials import Trial

__all__ = [
    "BestRecipe",
    "Progress",
    "Standing",
    "SweepReporter",
    "SweepResult",
    "Trial",
    "best_recipe",
    "resume_sweep",
    "sweep",
]
