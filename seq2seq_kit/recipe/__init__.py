"""The recipe language: strict typed schemas, read from YAML with line numbers. Knows no task, no Keras, no MLflow, no data."""

from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import dump_recipe
from seq2seq_kit.recipe.sweep import Knob, Sweep, knobs
from seq2seq_kit.recipe.sweep_space import check_space, default_values, trial_recipe

__all__ = ["Knob", "Recipe", "Sweep", "check_space", "default_values", "dump_recipe", "knobs", "trial_recipe"]
