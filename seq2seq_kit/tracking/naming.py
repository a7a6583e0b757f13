"""What a run is called in MLflow: by what differs from the run before it, as far as a list of runs shows a name."""

from collections.abc import Mapping
from pathlib import Path

from seq2seq_kit.bundles.files import versions
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.text import printable
from seq2seq_kit.tracking.client import git_revision
from seq2seq_kit.tracking.record import as_params

NO_PARAMS = {"name", "experiment", "sweep"}  # of a recipe: they are names, or not of the run
_MOST_NAMED, _LONGEST = 3, 40
_FIRST, _SAME = "the first run of this experiment", "nothing: the same recipe"


def experiment_of(recipe: Recipe) -> str:
    """Name of the MLflow experiment that a recipe's runs are in."""
    return recipe.experiment or recipe.name or recipe.task


def params_of(recipe: Recipe) -> dict[str, object]:
    """The recipe as parameters of a run; of a program's own model without the keys that it does not use."""
    params = recipe.model_dump(mode="json", exclude=NO_PARAMS)
    return params | {"model": {"own": True}} if params["model"].get("own") else params


def named(recipe: Recipe, previous: Mapping[str, str] | None) -> tuple[str, str]:
    """Name of a run, and what differs in its recipe from the run before it, in words.

    Args:
        recipe: Resolved.
        previous: Parameters of the run before it in the same experiment, as MLflow stores them; None: it is the first.
    """
    if previous is None:
        return _by_model(recipe), _FIRST
    own = as_params(params_of(recipe))
    # A key that only one of both has came or went with a version of the kit, or with another kind of recipe.
    changed = {key: text for key, text in own.items() if key in previous and previous[key] != text}
    if own.get("task") != previous.get("task") or not changed:
        return _by_model(recipe), _SAME if not changed else f"task: {previous.get('task')} -> {recipe.task}"
    words = [f"{key.rpartition('.')[2]} {_short(text)}" for key, text in changed.items()]
    more = f" +{len(words) - _MOST_NAMED}" if len(words) > _MOST_NAMED else ""
    told = [f"{key}: {_short(previous[key])} -> {_short(text)}" for key, text in changed.items()]
    return ", ".join(words[:_MOST_NAMED]) + more, "; ".join(told)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _by_model(recipe: Recipe) -> str:
    # MLflow's UI cuts names at about 17 characters; what differs between runs of one experiment comes first.
    model: dict[str, object] = recipe.model.model_dump()
    if model.get("own"):
        return f"own e{recipe.training.epochs} s{recipe.seed}"
    layers = model.get("encoder_units") or model.get("units")
    if layers is None:
        return f"baselines s{recipe.seed}"
    units = "-".join(map(str, layers if isinstance(layers, list) else [layers]))
    shape = f"{model['shape']} " if "shape" in model else ""
    return f"{shape}{model['cell']}{units} e{recipe.training.epochs} s{recipe.seed}"


def first_tags(recipe: Recipe) -> dict[str, str]:
    """What is known before the fit: task, data, seed, versions, revision."""
    revision = git_revision(Path.cwd())
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    tags = {"task": recipe.task, "data": recipe.source or "DataFrame", "seed": str(recipe.seed), "versions": known}
    tags["mlflow.source.name"] = "seq2seq-kit train"
    return tags | ({"mlflow.source.git.commit": revision} if revision else {})
