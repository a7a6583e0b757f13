"""Every task of the kit, once: its recipe, and where its class for a run and its bundle are.

A new task is a folder beside this file and one line of `SPECS`. Nothing outside the folders tests which task it has: it uses
this registry, or the recipe, or what `open_job` and `bundle_class` return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from seq2seq_kit.errors import DataError, Problem
from seq2seq_kit.recipe import loading
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeRecipe
from seq2seq_kit.tasks.classify.recipe import (
    ClassifySeriesRecipe,
    ClassifyTextsRecipe,
    ClassifyWindowsRecipe,
)
from seq2seq_kit.tasks.echo.recipe import EchoRecipe
from seq2seq_kit.tasks.forecast.no_model import NO_MODEL as NO_MODEL
from seq2seq_kit.tasks.forecast.no_model import NoModelRecipe, has_no_model
from seq2seq_kit.tasks.forecast.recipe import ForecastRecipe
from seq2seq_kit.tasks.next_step.recipe import NextStepRecipe
from seq2seq_kit.tasks.tag.recipe import TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.translate.recipe import TranslateRecipe
from seq2seq_kit.tasks.whole.recipe import WholeRecipe

if TYPE_CHECKING:
    from seq2seq_kit.bundles.base import Bundle
    from seq2seq_kit.bundles.own_classes import CustomObjects
    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.tasks.job import Job


@dataclass(frozen=True)
class TaskSpec:
    """One kind of recipe and what belongs to it.

    Attributes:
        recipe: Its schema, which names the task.
        job: Module and class of a run (see `job.Job`), below `seq2seq_kit.tasks`; imported when it is needed.
        bundle: Module and class of the trained model, likewise.
        framing: Value of `data.framing` that chooses it among the recipes of its task; the first one of a task is the default.
        trains: Whether its recipes have a model to train; a task has at most one kind without.
        has: Keys of a data section without `framing` that mean this recipe, where its task has several; the first that fits.
        lacks: Keys that it does not have then.
    """

    recipe: type[Recipe]
    job: str
    bundle: str
    framing: str = ""
    trains: bool = True
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def chosen(self, data: Tree) -> bool:
        """Whether a data section without `framing` means this recipe."""
        return all(key in data for key in self.has) and not any(key in data for key in self.lacks)

    @property
    def task(self) -> str:
        """The value of the recipe's `task`."""
        (name,) = get_args(self.recipe.model_fields["task"].annotation)
        return str(name)


_CLASSIFY = "classify.task:ClassifyJob", "classify.bundle:ClassifyBundle"
SPECS = (
    TaskSpec(ForecastRecipe, "forecast.task:ForecastJob", "forecast.bundle:ForecastBundle", framing="horizon"),
    TaskSpec(
        NoModelRecipe, "forecast.alone:NoModelJob", "forecast.alone:NoModelBundle", framing="horizon", trains=False
    ),
    TaskSpec(NextStepRecipe, "next_step.task:NextStepJob", "next_step.bundle:NextStepBundle", framing="next_step"),
    TaskSpec(AutoencodeRecipe, "autoencode.task:AutoencodeJob", "autoencode.bundle:AutoencodeBundle", framing="window"),
    TaskSpec(WholeRecipe, "whole.task:WholeJob", "whole.bundle:WholeBundle", framing="whole"),
    TaskSpec(TranslateRecipe, "translate.task:TranslateJob", "translate.bundle:TranslateBundle"),
    TaskSpec(TagValuesRecipe, "tag.task:TagValuesJob", "tag.bundle:TagValuesBundle", has=("inputs",)),
    TaskSpec(TagTokensRecipe, "tag.task:TagTokensJob", "tag.bundle:TagTokensBundle"),
    TaskSpec(ClassifyTextsRecipe, *_CLASSIFY, has=("text",)),
    TaskSpec(ClassifySeriesRecipe, *_CLASSIFY, has=("series",), lacks=("input_steps",)),
    TaskSpec(ClassifyWindowsRecipe, *_CLASSIFY),
    TaskSpec(EchoRecipe, "echo.task:EchoJob", "echo.bundle:EchoBundle"),
)
TASKS = tuple(dict.fromkeys(spec.task for spec in SPECS))


def recipe_class(values: Tree) -> type[Recipe] | Problem:
    """The schema of a recipe, from its values as they were written; or what keeps it from being chosen."""
    task, data = values.get("task"), values.get("data")
    if not isinstance(task, str) or task not in TASKS:
        return loading.unknown_word("task", task, TASKS, given="task" in values)
    data = data if isinstance(data, Mapping) else {}
    alone = next((spec for spec in SPECS if spec.task == task and not spec.trains), None)
    if has_no_model(values):
        if alone and data.get("framing") in (None, alone.framing):
            return alone.recipe
        said = "a run of the baselines alone, `none`, is for forecasts over a horizon; describe the model"
        return Problem("model", f"{said}. Received: task {task}", "not_without_model")
    specs = [spec for spec in SPECS if spec.task == task and spec.trains]
    framings = [spec.framing for spec in specs if spec.framing]
    word = data.get("framing")
    if framings and word is not None:
        if word not in framings:
            return loading.unknown_word("data.framing", word, framings)
        return next(spec.recipe for spec in specs if spec.framing == word)
    return next(spec.recipe for spec in specs if spec.chosen(data))


def load_recipe(path: str | Path, overrides: Overrides = ()) -> Recipe:
    """Reads a recipe file.

    Args:
        path: A YAML file.
        overrides: Dotted keys that replace the file's values: `{"training.epochs": 5}` or `["training.epochs=5"]`.

    Returns:
        The recipe, complete with defaults, of its task's own class. Its `name` is the file's stem unless the file gives one.

    Raises:
        RecipeError: The file is missing or not YAML, or has problems; all of them are listed with their lines.
    """
    return loading.load_recipe(path, overrides, choose=recipe_class)


def parse_recipe(
    tree: Tree, overrides: Overrides = (), *, origin: str = "the recipe", name: str | None = None
) -> Recipe:
    """Checks a recipe given as nested mappings; arguments and errors as in `load_recipe`."""
    return loading.parse_recipe(tree, overrides, choose=recipe_class, origin=origin, name=name)


def spec_of(recipe: Recipe) -> TaskSpec:
    """The entry of a recipe's class."""
    return next(spec for spec in SPECS if spec.recipe is type(recipe))


def open_job(recipe: Recipe, data: Given | None = None) -> Job:
    """The recipe with its data, checked and prepared.

    Args:
        recipe: Any recipe.
        data: Rows instead of the recipe's `data.source`; see `frame_of`.

    Raises:
        ArgumentError: `data` is no table, or `data` for a task whose data is in its recipe.
        RecipeError: There is neither `data` nor a source, or training the model does not fit into memory.
        DataError: The data does not fit the recipe.
    """
    # These load pandas, which reading a recipe need not.
    from seq2seq_kit.bundles.base import rows_given
    from seq2seq_kit.tasks.model_memory import require_room_for_model

    require_room_for_model(recipe)
    rows = None if data is None else rows_given(recipe, data)
    try:
        job: Job = _class_at(spec_of(recipe).job).open(recipe, rows)
    except DataError as error:
        said = str(error) if data is not None else _by_file(recipe, str(error))
        raise type(error)(said, code=error.code) from None
    require_room_for_model(recipe, job.examples.count("train"))
    return job


def _by_file(recipe: Recipe, message: str) -> str:
    """A message on the rows of a recipe's source, with the file where there are several."""
    from seq2seq_kit.bundles.base import sourced
    from seq2seq_kit.data.sources.files import in_their_files
    from seq2seq_kit.data.tables.sources import rows_by_file

    section = sourced(recipe)
    return in_their_files(message, rows_by_file(section.source, section)) if section and section.source else message


def bundle_class(recipe: Recipe) -> type[Bundle]:
    """The class of the trained model of a recipe."""
    found: type[Bundle] = _class_at(spec_of(recipe).bundle)
    return found


def read_bundle(folder: str | Path, custom_objects: CustomObjects | None = None) -> Bundle:
    """A trained model from its folder; `custom_objects` as in `runs.load`.

    Raises:
        BundleError: It is damaged, foreign or from a newer kit; the message says which file and what to do.
    """
    from seq2seq_kit.bundles import exports, files

    # Nobody edits the recipe of a bundle, so former names of keys give no warning.
    load = partial(loading.load_recipe, choose=recipe_class, warn=False)
    if exports.is_export(folder):
        return exports.read_export(folder, load_recipe=load, bundle_class=bundle_class)
    return files.read_bundle(folder, load_recipe=load, bundle_class=bundle_class, custom_objects=custom_objects)


def read_logged_bundle(folder: str | Path) -> Bundle:
    """As `read_bundle` inside a model that MLflow runs, whose code is its maker's anyway: Keras' own layers are let in."""
    from seq2seq_kit.bundles.files import keras_classes_of

    return read_bundle(folder, keras_classes_of(folder))


def _class_at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"seq2seq_kit.tasks.{module}"), name)
