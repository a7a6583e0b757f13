"""The recipe language: a strict typed schema, read from YAML with line numbers. Knows no Keras, no MLflow, no data."""

from seq2seq_kit.recipe.loading import dump_recipe, load_recipe, parse_recipe
from seq2seq_kit.recipe.schema import AutoencodeRecipe, ForecastRecipe, Recipe, json_schema

__all__ = [
    "AutoencodeRecipe",
    "ForecastRecipe",
    "Recipe",
    "dump_recipe",
    "json_schema",
    "load_recipe",
    "parse_recipe",
]
