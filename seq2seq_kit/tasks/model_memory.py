"""Whether a recipe's model can fit into memory at all, by what it says of units, widths and steps: told before it is built."""

from __future__ import annotations

from itertools import pairwise

from seq2seq_kit.data.tables.memory import free_memory
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.fields import HorizonData, Recipe, WindowData
from seq2seq_kit.recipe.sweep import Knob, knobs
from seq2seq_kit.recipe.sweep_space import in_words, section_of, trial_recipe

_BYTES = 4  # of a float32
# Copies of the weights that a training step holds: themselves, gradients, and the optimizer's moments.
_COPIES = {"adam": 4, "adamw": 4, "rmsprop": 3, "sgd": 2}
_TOKENS = 3  # the fewest of a vocabulary: padding, unknown and one token
# What reads a token's vector: the first layer of these units.
_EMBEDDED = {"embedding_dim": ("encoder_units", "units"), "character_dim": ("character_units",)}


def least_parameters(recipe: Recipe) -> int:
    """The fewest parameters that the layers of a recipe can have: what the columns and tokens of its data add is left out.

    A recurrent layer of `u` units has `gates * u * (u + 1)` behind unknown inputs, and `gates * u * (u + below + 1)` behind
    another layer or an embedding.
    """
    model: dict[str, object] = recipe.model.model_dump()
    layers = _units_of(model)
    total = 0
    for key, units in layers.items():
        each = _directions(model, key) * _gates(model)
        total += each * sum(own * (own + 1) for own in units)
        total += each * sum(below * own for below, own in pairwise(units))
    for key, readers in _EMBEDDED.items():
        width = model.get(key)
        found = next((reader for reader in readers if layers.get(reader)), None)
        if isinstance(width, int) and found:
            total += width * (_TOKENS + _directions(model, found) * _gates(model) * layers[found][0])
    return total


def least_activations(recipe: Recipe, sequences: int) -> int:
    """The fewest numbers that a training step keeps for the gradient: the gates of each recurrent layer at each step.

    Args:
        recipe: Of windows, which have as many steps as it says; a sequence of any other counts as one step.
        sequences: Of the training part; a batch has no more.
    """
    model: dict[str, object] = recipe.model.model_dump()
    data = recipe.data
    batch = min(recipe.training.batch_size, sequences)
    reads, writes = 1, 1
    if isinstance(data, WindowData):
        segment = int(str(model.get("segment_steps", 1)))
        reads = data.input_steps // segment
        writes = data.output_steps // segment if isinstance(data, HorizonData) else reads
        if model.get("channels") == "independent":
            batch *= len(data.inputs)
    pyramid = int(str(model.get("pyramid", 1)))
    return batch * sum(
        _directions(model, key) * _gates(model) * own * ((writes if key == "decoder_units" else reads) // pyramid**at)
        for key, units in _units_of(model).items()
        for at, own in enumerate(units)
    )


def require_room_for_model(recipe: Recipe, sequences: int = 0) -> None:
    """Refuses a model whose training does not fit into the free memory.

    Args:
        recipe: Any recipe.
        sequences: Of its training part, where they are known already.

    Raises:
        RecipeError: It does not; the message has both sizes.
    """
    parameters, free = least_parameters(recipe), free_memory()
    others = recipe.ensemble.members - 1 if recipe.ensemble else 0  # members that wait have weights alone
    needed = parameters * _BYTES * (_COPIES[recipe.training.optimizer] + others)
    kept = least_activations(recipe, sequences) * (2 if recipe.training.precision != "float32" else _BYTES)
    if needed + kept <= free:
        return
    what = f"weights, gradients, the moments of {recipe.training.optimizer}"
    said = f"the model has at least {parameters:,} parameters, which take {needed / 1e9:,.1f} GB to train ({what})"
    cure = "Take fewer units"
    if kept:
        said += (
            f", and its steps of a batch of {min(recipe.training.batch_size, sequences):,} take {kept / 1e9:,.1f} GB"
        )
        cure += ", a smaller training.batch_size or fewer steps"
    raise RecipeError(f"{said}; {free / 1e9:,.1f} GB are free. {cure}, or free memory", code="model_too_large")


def require_room_for_space(recipe: Recipe) -> None:
    """Refuses a sweep whose space holds a model that does not fit into the free memory: each key at its outermost values.

    Raises:
        RecipeError: One does not; the message names its values.
    """
    if recipe.sweep is None:
        return
    for knob in knobs(section_of(recipe)):
        for value in _outer(knob) if knob.key.startswith("model.") and not knob.when else ():
            try:
                own = trial_recipe(recipe, {knob.key: value})
            except RecipeError:  # valid beside other values of other keys; those trials are checked when they begin
                continue
            try:
                require_room_for_model(own)
            except RecipeError as error:
                said = f"with {in_words({knob.key: value})} of the sweep's space: {error}"
                raise RecipeError(said, code=error.code) from None


def _outer(knob: Knob) -> list[object]:
    return list(knob.values) or [knob.low, knob.high]


def _units_of(model: dict[str, object]) -> dict[str, list[int]]:
    """Units of each stack of recurrent layers, first to last."""
    keys = ("units", "encoder_units", "decoder_units", "character_units")
    given = {key: value if isinstance(value, list) else [value] for key, value in model.items() if key in keys}
    return {key: [each for each in units if isinstance(each, int) and each] for key, units in given.items()}


def _gates(model: dict[str, object]) -> int:
    return 4 if model.get("cell") == "lstm" else 3


def _directions(model: dict[str, object], key: str) -> int:
    return 2 if key == "character_units" or (model.get("bidirectional") and key != "decoder_units") else 1
