"""Whether a bundle's model takes and gives what its recipe says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.exports.session import Network

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]


def refuse_other_shapes(model: keras.Model, read: Sequence[Shape], given: Shape) -> None:
    """Refuses a model that does not take and give what its recipe says.

    Args:
        model: Its inputs but the answers of training are those that it reads.
        read: Shape of each input without the batch; where model or recipe leave a length open (None), any fits.
        given: Shape of the output, likewise.

    Raises:
        ValueError: A shape differs.
    """
    # As `models.inference.forward_inputs`, which loads TensorFlow.
    own = [tuple(tensor.shape[1:]) for tensor in model.inputs if tensor.name != "answers"]
    for name, expected, found in (("reads", list(read), own), ("gives", [given], [tuple(model.output_shape[1:])])):
        if len(expected) != len(found) or not all(map(_fits, expected, found)):
            raise ValueError(f"by the recipe the model {name} {expected}; by its layers {found}")


def refuse_other_sizes(model: keras.Model, sizes: Sequence[int]) -> None:
    """Raises `ValueError` for a model whose categories have other numbers of codes."""
    if isinstance(model, Network):  # its codes are constants of the graph
        return
    from seq2seq_kit.models.ensemble import members_of

    layers = [layer for each in members_of(model) for layer in each.layers if layer.name == "split_categories"]
    for found in [list(layer.sizes) for layer in layers] or [[]]:
        if found != list(sizes):
            raise ValueError(f"the model has categories of {found} codes, the scaler of {list(sizes)}")


def _fits(expected: Shape, found: Shape) -> bool:
    pairs = zip(expected, found, strict=False)
    return len(expected) == len(found) and all(None in pair or pair[0] == pair[1] for pair in pairs)
