"""The allow-list of a bundle's model: what it may be made of, asked when it is loaded and before it is saved.

Keras' safe mode refuses Lambda layers and pickled code; the list also refuses every other class that a foreign configuration
might name. A new layer of the kit is added to `_BY_MODULE`, a layer of Keras that a builder begins to use to `CLASSES`.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from seq2seq_kit.bundles.own_classes import config_of, rebuild, vouched
from seq2seq_kit.errors import ArgumentError, BundleError

if TYPE_CHECKING:
    import keras

Json = dict[str, object]

# fmt: off
CLASSES = frozenset([
    "Functional", "InputLayer", "LSTM", "GRU", "Bidirectional", "RepeatVector", "Concatenate", "TimeDistributed", "Dense",
    "Attention", "Dropout", "Embedding", "RandomUniform", "DTypePolicy", "GlorotUniform", "Orthogonal", "OrthogonalInitializer",
    "Zeros", "L2", "__keras_tensor__", "Flatten", "Reshape", "Add",
    "NotEqual", "Greater", "GetItem", "__slice__",  # masks: what is no padding, and every second step of it
])
# fmt: on
# The kit's own layers by the module that registers them with Keras. Each is let in under its own name from its own module only.
_BY_MODULE = {
    "categories": "Indicators SplitCategories",
    "channels": "ChannelEmbedding MergeChannels RepeatChannels SplitChannels",
    "characters": "FoldSteps UnfoldSteps",
    "drawing": "AddNoise DrawLatent",
    "ensemble": "CombineMembers NewestSteps",
    "feedback": "StepBefore",
    "initializers": "Chrono",
    "layers": "Denormalise JoinSteps Normalise PositionEmbedding Repeat SplitSteps",
    "masks": "DropMask OneHot WithMask",
    "quantiles": "Quantiles",
}
OWN_CLASSES = {name: f"seq2seq_kit.models.{module}" for module, names in _BY_MODULE.items() for name in names.split()}
MEMBERS = frozenset(["metadata.json", "config.json", "model.weights.h5"])
_MOST_CONFIG_BYTES = 4_000_000


def register_own_layers() -> None:
    """Makes the kit's layers known to Keras, which knows a class once its module is imported."""
    for module in _BY_MODULE:
        import_module(f"seq2seq_kit.models.{module}")


def refuse_foreign(path: Path, trusted: Mapping[str, object], named: Collection[str] = ()) -> Json:
    """Refuses to load a `.keras` file that holds more than a model of the kit is made of.

    Args:
        path: The file.
        trusted: What the caller lets in beside it, of `own_classes.by_registered_name`.
        named: The classes that the bundle says a program's own model has; they are only told.

    Returns:
        The model's configuration.

    Raises:
        BundleError: The message names the members or classes.
    """
    config = _config_of(path)
    foreign = sorted(classes_in(config, trusted) - CLASSES)
    if foreign and set(foreign) <= set(named):
        names = dict.fromkeys(re.split(r"[.>]", name)[-1] for name in foreign)
        known = ", ".join(f'"{name}": {name}' for name in names)
        raise BundleError(
            f"{path} is a program's own model, with the classes {', '.join(foreign)}. Not loaded: nothing that a bundle names is "
            f"imported. If you trust who made it, hand them over: load(..., custom_objects={{{known}}})",
            code="own_classes",
        )
    if foreign:
        raise BundleError(
            f"{path} names the classes {', '.join(foreign[:5])}, which no model of this kit has. Not loaded: the file is "
            "damaged or not to be trusted",
            code="bundle_foreign",
        )
    return config


def refuse_unlisted(path: Path, named: Collection[str] = ()) -> None:
    """Refuses to keep a `.keras` file, just written, that `refuse_foreign` would not let in again; `named` as there.

    Raises:
        BundleError: The message names each layer with its classes.
    """
    config = _config_of(path)
    if not (unlisted := classes_in(config) - CLASSES - set(named)):
        return
    layers = config["config"].get("layers", []) if isinstance(config["config"], dict) else []
    held = {layer["config"]["name"]: sorted(classes_in(layer) - CLASSES) for layer in layers}
    named = [f"layer {name!r} ({', '.join(classes)})" for name, classes in held.items() if classes]
    raise BundleError(
        f"the model cannot be saved as a bundle, because it would not be loaded again: {'; '.join(named) or sorted(unlisted)} "
        "is not on the allow-list of bundles. Build the model from the kit's layers, or save it with `model.save`",
        code="unlisted_layer",
    )


def _config_of(path: Path) -> Json:
    with zipfile.ZipFile(path) as archive:
        strange = sorted(set(archive.namelist()) - MEMBERS)
        if strange:
            raise BundleError(
                f"{path} holds {', '.join(strange[:5])}; expected only {', '.join(sorted(MEMBERS))}. Not loaded",
                code="bundle_foreign",
            )
        if archive.getinfo("config.json").file_size > _MOST_CONFIG_BYTES:
            raise BundleError(
                f"{path}: its configuration is larger than {_MOST_CONFIG_BYTES} bytes. Not loaded",
                code="bundle_foreign",
            )
        config: Json = json.loads(archive.read("config.json"))
        return config


def require_storable(model: keras.Model) -> list[str]:
    """The classes of a program's own model that are not on the list, for its bundle.

    Raises:
        ArgumentError: It holds Python code, or a layer that cannot be made from its configuration.
    """
    found = sorted(classes_in(config_of(model)) - CLASSES)
    if {"Lambda", "__lambda__"} & set(found):
        raise ArgumentError(
            f"the model {model.name} has a Lambda layer, which is Python code that no bundle holds. Expected layers that are "
            "made from their configuration. Write a class of keras.Layer with `call` and `get_config`",
            code="unstorable_layer",
        )
    rebuild(model)
    return found


def classes_in(node: object, trusted: Mapping[str, object] = MappingProxyType({})) -> set[str]:
    """Every class that a configuration names, in words of Keras' own modules; those of others with their module.

    Nodes that are objects of `trusted` are left out; what they hold is not.
    """
    found: set[str] = set()
    if isinstance(node, dict):
        if not _is_own_layer(node) and not vouched(node, trusted):
            name, module = node.get("class_name"), node.get("module")
            if "class_name" in node:
                of_keras = module in (None, "keras") or str(module).startswith("keras.")
                found.add(str(name) if of_keras else f"{module}.{name}")
            if node.get("registered_name") not in (None, name):
                found.add(str(node["registered_name"]))
        node = list(node.values())
    if isinstance(node, list):
        found.update(*(classes_in(each, trusted) for each in node))
    return found


def _is_own_layer(node: Json) -> bool:
    """Whether a node names one of the kit's layers, and the same one in all three ways that Keras writes."""
    name = node.get("class_name")
    return (
        isinstance(name, str)
        and name in OWN_CLASSES
        and node.get("module") == OWN_CLASSES[name]
        and node.get("registered_name") == f"seq2seq_kit>{name}"
    )
