"""A folder for each task, and `registry.py`, which knows them all."""

from seq2seq_kit.tasks.editor_schema import json_schema
from seq2seq_kit.tasks.registry import (
    SPECS,
    TASKS,
    TaskSpec,
    bundle_class,
    load_recipe,
    open_job,
    parse_recipe,
    read_bundle,
    recipe_class,
    spec_of,
)

__all__ = [
    "SPECS",
    "TASKS",
    "TaskSpec",
    "bundle_class",
    "json_schema",
    "load_recipe",
    "open_job",
    "parse_recipe",
    "read_bundle",
    "recipe_class",
    "spec_of",
]
