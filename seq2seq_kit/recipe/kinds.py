"""All kinds of recipes: `task` and, where a task has several forms, one key of the data section decide which keys are legal."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from seq2seq_kit.recipe.echo import EchoRecipe
from seq2seq_kit.recipe.schema import AutoencodeRecipe, ForecastRecipe
from seq2seq_kit.recipe.sequences import NextStepRecipe, WholeRecipe
from seq2seq_kit.recipe.tokens import TagTokensRecipe, TagValuesRecipe, TranslateRecipe

Recipe = (
    ForecastRecipe
    | NextStepRecipe
    | AutoencodeRecipe
    | WholeRecipe
    | TranslateRecipe
    | TagTokensRecipe
    | TagValuesRecipe
    | EchoRecipe
)

TASKS = ("forecast", "autoencode", "translate", "tag", "echo")
# Words of `data.framing`; the first one is what a recipe without the key means.
FRAMINGS = {"forecast": ("horizon", "next_step"), "autoencode": ("window", "whole")}


def kind_of(values: Mapping[str, Any]) -> type[Recipe]:
    """The schema of a recipe with a known task, from the values as they were written."""
    data = values.get("data")
    data = data if isinstance(data, Mapping) else {}
    match values["task"]:
        case "forecast":
            return NextStepRecipe if data.get("framing") == "next_step" else ForecastRecipe
        case "autoencode":
            return WholeRecipe if data.get("framing") == "whole" else AutoencodeRecipe
        case "translate":
            return TranslateRecipe
        case "echo":
            return EchoRecipe
        case _:
            return TagValuesRecipe if "inputs" in data else TagTokensRecipe


def json_schema() -> dict[str, Any]:
    """The JSON Schema of every recipe, for editors that complete and check YAML."""
    return {"title": "seq2seq_kit recipe"} | TypeAdapter(Recipe).json_schema()
