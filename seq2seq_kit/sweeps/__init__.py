"""Searching a recipe's space: `sweep`, `resume_sweep`, `best_recipe`."""

from seq2seq_kit.sweeps.conclusion import SweepResult
from seq2seq_kit.sweeps.conduct import BestRecipe, best_recipe, resume_sweep, sweep

__all__ = ["BestRecipe", "SweepResult", "best_recipe", "resume_sweep", "sweep"]
