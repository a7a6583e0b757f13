"""Classes that a program's own model is made of: named in its bundle, and loaded only where the caller hands them over.

No name out of a bundle is ever imported. A class or function that the allow-list does not have is let in under the name by which
the caller gave it, and only as the object that the caller gave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, TypeAlias

from seq2seq_kit.errors import ArgumentError

if TYPE_CHECKING:
    import keras

CustomObjects: TypeAlias = Mapping[str, object]
_CODE = ("Lambda", "__lambda__")


def by_registered_name(custom_objects: CustomObjects | None) -> dict[str, object]:
    """The caller's classes and functions under every name by which Keras may ask for them.

    Raises:
        ArgumentError: Something else than a class or function is among them.
    """
    import keras

    found: dict[str, object] = {}
    for name, value in (custom_objects or {}).items():
        if not isinstance(value, type) and not callable(value):
            raise ArgumentError(
                f"custom_objects must hold classes and functions by name. Received: {name!r}: {type(value).__name__}",
                code="invalid_argument",
            )
        found |= {str(name): value, keras.saving.get_registered_name(value): value}
    return found


def vouched(node: Mapping[str, object], trusted: Mapping[str, object]) -> bool:
    """Whether a node of a model's configuration names an object of the caller's, and Keras will take that very object.

    Args:
        node: With a `class_name`.
        trusted: Of `by_registered_name`.
    """
    name, registered, module = node.get("class_name"), node.get("registered_name"), node.get("module")
    if not isinstance(name, str) or name in _CODE or name.startswith("__"):
        return False
    if name == "function":  # which Keras looks for by the name in `config`
        return isinstance(node.get("config"), str) and node["config"] in trusted
    found = trusted.get(registered if isinstance(registered, str) else name)
    if not isinstance(found, type) or found.__name__ != name:
        return False
    of_keras = module == "keras" or str(module).startswith("keras.")
    return found.__module__.startswith("keras.") if of_keras else isinstance(registered, str)


def classes_of_keras(names: list[str]) -> dict[str, object] | None:
    """Keras' own public classes of these names; None where one is not Keras'."""
    import keras

    places = (keras.layers, keras.initializers, keras.regularizers, keras.constraints)
    found = {name: next((getattr(place, name) for place in places if hasattr(place, name)), None) for name in names}
    return None if None in found.values() else found


def config_of(model: keras.Model) -> dict[str, object]:
    """The configuration that a bundle of a model would hold."""
    import keras

    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    config: dict[str, object] = json.loads(json.dumps(keras.saving.serialize_keras_object(bare)))
    return config


def rebuild(model: keras.Model) -> None:
    """Makes each layer of a model's own classes anew from its configuration, as loading will do.

    Raises:
        ArgumentError: A layer cannot be made so.
    """
    import keras

    for layer in model.layers:
        if type(layer).__module__.startswith(("keras.", "seq2seq_kit.")):
            continue
        try:
            with keras.saving.custom_object_scope(_objects_in(layer)):
                keras.saving.deserialize_keras_object(
                    json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
                )
        except Exception as error:  # whatever the program's own class says
            raise ArgumentError(
                f"the layer {layer.name} ({type(layer).__name__}) cannot be made from its configuration, so its bundle could not "
                f"be loaded: {error}. Expected a `get_config` that returns every argument of `__init__`",
                code="unstorable_layer",
            ) from error


def _objects_in(layer: keras.Layer) -> dict[str, object]:
    """The classes and functions that a layer holds, by their registered names."""
    import keras

    from seq2seq_kit.models.keras_compat import flatten_layers

    held = [each for inner in flatten_layers(layer) for each in (inner, *vars(inner).values())]
    objects = [each if isinstance(each, FunctionType) else type(each) for each in held]
    return {keras.saving.get_registered_name(each): each for each in objects}
