"""The recipe language: a strict typed schema, read from YAML with line numbers. Knows no Keras, no MLflow, no data."""

from seq2seq_kit.recipe.echo import EchoRecipe
from seq2seq_kit.recipe.kinds import Recipe, json_schema
from seq2seq_kit.recipe.loading import dump_recipe, load_recipe, parse_recipe
from seq2seq_kit.recipe.schema import AutoencodeRecipe, ForecastRecipe, WindowRecipe
from seq2seq_kit.recipe.sequences import NextStepRecipe, WholeRecipe
from seq2seq_kit.recipe.sweep import Knob, Sweep, knobs
from seq2seq_kit.recipe.sweep_space import check_space, default_values, trial_recipe
from seq2seq_kit.recipe.tokens import TagTokensRecipe, TagValuesRecipe, TranslateRecipe

__all__ = [
    "AutoencodeRecipe",
    "EchoRecipe",
    "ForecastRecipe",
    "Knob",
    "NextStepRecipe",
    "Recipe",
    "Sweep",
    "TagTokensRecipe",
    "TagValuesRecipe",
    "TranslateRecipe",
    "WholeRecipe",
    "WindowRecipe",
    "check_space",
    "default_values",
    "dump_recipe",
    "json_schema",
    "knobs",
    "load_recipe",
    "parse_recipe",
    "trial_recipe",
]
