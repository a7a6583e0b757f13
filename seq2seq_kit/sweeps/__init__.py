"""Searching a recipe's space: `sweep`, `resume`, `best_recipe`."""

from seq2seq_kit.sweeps.conduct import BestRecipe, SweepResult, best_recipe, resume, sweep

__all__ = ["BestRecipe", "SweepResult", "best_recipe", "resume", "sweep"]
