"""The JSON Schema of recipes for editors: one branch for each kind of recipe, so that an error stands at its own key."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from seq2seq_kit.tasks.registry import NO_MODEL, SPECS, TASKS, TaskSpec

# Sections that each kind of recipe declares anew.
_SECTIONS = {
    "task": "What is learned; it decides which keys the other sections have.",
    "data": "Where the rows come from and how sequences are made of them.",
    "model": "The layers.",
    "training": "How the model is fitted.",
}


def json_schema() -> dict[str, object]:
    """The JSON Schema of every recipe, for editors that complete and check YAML.

    The kind of recipe is chosen by `if` and `then` as `recipe_class` chooses it; in a union of all kinds each mistake would be
    reported at the root of the file.
    """
    definitions = models_json_schema([(spec.recipe, "validation") for spec in SPECS])[1]["$defs"]
    for spec in SPECS:
        if not spec.trains:  # the section is written as a word
            definitions[spec.recipe.__name__]["properties"]["model"] = {"const": NO_MODEL}
    for definition in definitions.values():
        for name, key in definition.get("properties", {}).items():
            if "description" not in key:
                key["description"] = _SECTIONS.get(name) or definitions[_named(key)]["description"]
    return {
        "title": "seq2seq_kit recipe",
        "type": "object",
        "required": ["task"],
        "properties": {"task": {"enum": list(TASKS), "description": _SECTIONS["task"]}},
        "allOf": [
            {"if": _where("task", task), "then": _kind_of([spec for spec in SPECS if spec.task == task])}
            for task in TASKS
        ],
        "$defs": definitions,
    }


def _named(key: Mapping[str, Any]) -> str:
    """Name of the section that a key holds."""
    reference: str = key.get("$ref") or next(choice["$ref"] for choice in key["anyOf"] if "$ref" in choice)
    return reference.rpartition("/")[2]


def _kind_of(specs: Sequence[TaskSpec]) -> dict[str, object]:
    """The kinds of one task, the default one last."""
    asked = [(spec, condition) for spec in specs if (condition := _condition(spec, specs))]
    found = _reference(next(spec for spec in specs if spec not in [one for one, _ in asked]))
    for spec, condition in reversed(asked):
        found = {"if": condition, "then": _reference(spec), "else": found}
    return found


def _condition(spec: TaskSpec, specs: Sequence[TaskSpec]) -> dict[str, object]:
    """What a recipe says that makes it one of this kind; nothing for the default."""
    if not spec.trains:
        return _where("model", NO_MODEL)
    if spec.framing and spec is not next(each for each in specs if each.framing):
        return _within("data", _where("framing", spec.framing))
    if not spec.has and not spec.lacks:
        return {}
    keys: dict[str, object] = {"required": list(spec.has)}
    if spec.lacks:
        keys["not"] = {"anyOf": [{"required": [key]} for key in spec.lacks]}
    return _within("data", keys)


def _where(key: str, value: str) -> dict[str, object]:
    return _within(key, {"const": value})


def _within(key: str, said: Mapping[str, object]) -> dict[str, object]:
    return {"properties": {key: said}, "required": [key]}


def _reference(spec: TaskSpec) -> dict[str, object]:
    return {"$ref": f"#/$defs/{spec.recipe.__name__}"}
