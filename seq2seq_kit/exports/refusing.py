"""How an export is refused: by the name of the layer that cannot be written, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from seq2seq_kit.errors import ArgumentError

if TYPE_CHECKING:
    import keras


def refuse_layer(layer: keras.Operation, why: str) -> NoReturn:
    """Raises `ArgumentError`: the layer and what stands against writing it."""
    raise refused(f"layer {layer.name!r} ({type(layer).__name__}) cannot be written as ONNX: {why}")


def refused(said: str) -> ArgumentError:
    """The error of a model that a format cannot hold."""
    advice = "Build the model without it, or run the bundle itself"
    return ArgumentError(f"{said}. {advice}", code="export_unsupported")
