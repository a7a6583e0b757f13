"""Whether a recipe's model can fit into memory at all, from its numbers of units alone: told before TensorFlow is imported."""

from __future__ import annotations

from itertools import pairwise

from seq2seq_kit.data.tables.memory import free_memory
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.fields import Recipe

_BYTES = 4  # of a float32
# Copies of the weights that a training step holds: themselves, gradients, and the optimizer's moments.
_COPIES = {"adam": 4, "adamw": 4, "rmsprop": 3, "sgd": 2}


def least_parameters(recipe: Recipe) -> int:
    """The fewest parameters that the recurrent layers of a recipe can have: what their inputs add is left out.

    A layer of `u` units has `gates * u * (u + 1)` behind unknown inputs, and `gates * u * (u + below + 1)` behind another layer.
    """
    model: dict[str, object] = recipe.model.model_dump()
    gates = 4 if model.get("cell") == "lstm" else 3
    both = 2 if model.get("bidirectional") else 1
    total = 0
    for key, value in model.items():
        if key not in ("units", "encoder_units", "decoder_units", "character_units"):
            continue
        units = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, int) and each]
        directions = 1 if key == "decoder_units" else both
        total += directions * gates * sum(own * (own + 1) for own in units)
        total += directions * gates * sum(below * own for below, own in pairwise(units))
    return total


def require_room_for_model(recipe: Recipe) -> None:
    """Refuses a model whose weights alone do not fit into the free memory.

    Raises:
        RecipeError: They do not; the message has both sizes.
    """
    parameters, free = least_parameters(recipe), free_memory()
    needed = parameters * _BYTES * _COPIES[recipe.training.optimizer]
    if needed > free:
        said = (
            f"the model has at least {parameters:,} parameters, which take {needed / 1e9:,.1f} GB to train (weights, gradients, "
            f"the moments of {recipe.training.optimizer}); {free / 1e9:,.1f} GB are free. Take fewer units, or free memory"
        )
        raise RecipeError(said, code="model_too_large")
