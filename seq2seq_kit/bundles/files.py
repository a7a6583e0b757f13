"""Bundles on disk: written beside and renamed, checked file by file, safe to read from a stranger."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import BundleError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    import keras

FORMAT = 1
_HEAD = "bundle.json"
_FILES = ("recipe.yaml", "state.json", "arrays.npz", "model.keras")
# Scaled units; another processor rounds differently, a damaged weight does not hide in this.
_GOLDEN_TOLERANCE = 1e-3

# All that a model of this kit is made of. Keras' safe mode refuses Lambda layers and pickled code; this also refuses every
# other class that a foreign configuration might name.
_CLASSES = {
    "Functional",
    "InputLayer",
    "LSTM",
    "GRU",
    "Bidirectional",
    "RepeatVector",
    "Concatenate",
    "TimeDistributed",
    "Dense",
    "Attention",
    "Dropout",
    "Embedding",
    "RandomUniform",
    "DTypePolicy",
    "GlorotUniform",
    "Orthogonal",
    "OrthogonalInitializer",
    "Zeros",
    "L2",
    "__keras_tensor__",
    # Masks: what is no padding, and every second step of it.
    "NotEqual",
    "Greater",
    "GetItem",
    "__slice__",
}
# The kit's own layers and the modules that register them with Keras. Each is let in under its own name from its own module only.
_OWN_CLASSES = {
    "ChannelEmbedding": "seq2seq_kit.models.channels",
    "DropMask": "seq2seq_kit.models.masks",
    "StepBefore": "seq2seq_kit.models.feedback",
    "FoldSteps": "seq2seq_kit.models.characters",
    "Denormalise": "seq2seq_kit.models.layers",
    "JoinSteps": "seq2seq_kit.models.layers",
    "MergeChannels": "seq2seq_kit.models.channels",
    "Normalise": "seq2seq_kit.models.layers",
    "OneHot": "seq2seq_kit.models.masks",
    "PositionEmbedding": "seq2seq_kit.models.layers",
    "Repeat": "seq2seq_kit.models.layers",
    "RepeatChannels": "seq2seq_kit.models.channels",
    "SplitChannels": "seq2seq_kit.models.channels",
    "SplitSteps": "seq2seq_kit.models.layers",
    "UnfoldSteps": "seq2seq_kit.models.characters",
    "WithMask": "seq2seq_kit.models.masks",
}
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_MOST_CONFIG_BYTES = 4_000_000


def versions() -> dict[str, str]:
    """Versions of what a bundle depends on."""
    found = {}
    for package in ("seq2seq-kit", "tensorflow", "keras", "numpy", "pandas"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write_bundle(bundle: Bundle, folder: Path) -> Path:
    """Writes a bundle to a folder that does not exist yet: beside it first, then renamed, so it is there whole or not at all.

    Raises:
        BundleError: The folder exists, or the disk is full or not writable; nothing is left behind then.
    """
    if folder.exists():
        raise BundleError(
            f"{folder} exists already; expected the name of a new folder. Remove it or choose another name"
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        _write_files(bundle, partial)
        partial.rename(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, OSError | RuntimeError):  # h5py's word for a disk that fills up while it closes a file
            raise
        raise BundleError(
            f"could not write the bundle to {folder}: {error}. Nothing was left there; free some space or choose another "
            f"folder ({_free(folder)})"
        ) from error
    return folder


def read_bundle(
    folder: str | Path,
    *,
    load_recipe: Callable[[Path], Recipe],
    bundle_class: Callable[[Recipe], type[Bundle]],
) -> Bundle:
    """Reads a bundle, refusing what is damaged, foreign or from a newer kit; see `tasks.read_bundle`, which knows the classes.

    Raises:
        BundleError: The message says which file and what to do.
    """
    folder = Path(folder)
    head = _read_head(folder)
    _check_digests(folder, head)
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        # NumPy leaves a file that it opened itself open where it is no archive.
        with zipfile.ZipFile(folder / "arrays.npz") as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("arrays.npz is compressed, which a bundle's never is: it could unfold into any size")
        with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        recipe = load_recipe(folder / "recipe.yaml")
        golden = [arrays.pop(f"golden_input_{position}") for position in range(state["golden_inputs"])]
        expected = arrays.pop("golden_output")
        model = _load_model(folder / "model.keras")
        bundle = bundle_class(recipe).restore(recipe, model, state, arrays, head["info"])
    except BundleError:
        raise
    except Exception as error:  # whatever crafted words and arrays make JSON, NumPy, zipfile and the kit say
        raise BundleError(f"{folder} is not a bundle of this kit: {error}") from error
    _check_golden(bundle, golden, expected, folder, head)
    return bundle


def _write_files(bundle: Bundle, folder: Path) -> None:
    import keras

    state, arrays = bundle.state()
    golden = bundle.golden()
    arrays |= {f"golden_input_{position}": array for position, array in enumerate(golden)}
    arrays["golden_output"] = bundle.forward(golden)
    state["golden_inputs"] = len(golden)
    (folder / "recipe.yaml").write_text(dump_recipe(bundle.recipe), encoding="utf-8")
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    # The same layers without optimizer and loss, which a compiled model would write into its configuration.
    bare = keras.Model(bundle.model.inputs, bundle.model.outputs, name=bundle.model.name)
    bare.save(folder / "model.keras")
    head = {
        "format": FORMAT,
        "kind": "seq2seq_kit bundle",
        "task": bundle.recipe.task,
        "versions": versions(),
        "info": bundle.info,
        "sha256": {name: _digest(folder / name) for name in _FILES},
    }
    (folder / _HEAD).write_text(json.dumps(head, indent=2), encoding="utf-8")


def _read_head(folder: Path) -> dict[str, Any]:
    if not (folder / _HEAD).is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no {_HEAD}. Expected the folder of a trained model, or a run id"
        )
    try:
        head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
        newer = int(head["format"]) > FORMAT
        parts = [head[name] for name in ("sha256", "info", "versions")]
        if head["kind"] != "seq2seq_kit bundle" or not all(isinstance(part, dict) for part in parts):
            raise ValueError("its head is not a bundle's")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{folder / _HEAD} is damaged or foreign ({error}); copy the bundle again") from error
    if newer:
        raise BundleError(
            f"{folder} has the bundle format {head['format']}; this kit reads up to {FORMAT}. Install a newer seq2seq-kit"
        )
    return head


def _check_digests(folder: Path, head: dict[str, Any]) -> None:
    for name in _FILES:
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder} lacks {name}; copy the whole folder again")
        if _digest(path) != head["sha256"].get(name):
            raise BundleError(
                f"{path} is damaged: its content is not what was saved. Copy the bundle again, or train anew"
            )


def _load_model(path: Path) -> keras.Model:
    import keras

    from seq2seq_kit.models.acceleration import accelerate

    for module in sorted(set(_OWN_CLASSES.values())):
        import_module(module)  # Keras knows a class once its module is imported

    try:
        _refuse_foreign(path)
        return accelerate(keras.saving.load_model(path, compile=False, safe_mode=True))
    except BundleError:
        raise
    except Exception as error:  # whatever a crafted file makes Keras, zipfile or h5py say
        raise BundleError(f"{path} is not a model of this kit: {error}") from error


def _refuse_foreign(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        strange = sorted(set(archive.namelist()) - _MEMBERS)
        if strange:
            raise BundleError(
                f"{path} holds {', '.join(strange[:5])}; expected only {', '.join(sorted(_MEMBERS))}. Not loaded"
            )
        if archive.getinfo("config.json").file_size > _MOST_CONFIG_BYTES:
            raise BundleError(f"{path}: its configuration is larger than {_MOST_CONFIG_BYTES} bytes. Not loaded")
        config = json.loads(archive.read("config.json"))
    foreign = sorted(_classes_in(config) - _CLASSES)
    if foreign:
        raise BundleError(
            f"{path} names the classes {', '.join(foreign[:5])}, which no model of this kit has. Not loaded: the file is "
            "damaged or not to be trusted"
        )


def _classes_in(node: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(node, dict):
        own_layer = _is_own_layer(node)
        if "class_name" in node and not own_layer:
            module = node.get("module")
            own = (
                module is None or module in ("keras", "keras.src.models.functional") or str(module).startswith("keras.")
            )
            found.add(str(node["class_name"]) if own else f"{module}.{node['class_name']}")
        if node.get("registered_name") not in (None, node.get("class_name")) and not own_layer:
            found.add(str(node["registered_name"]))
        for value in node.values():
            found |= _classes_in(value)
    elif isinstance(node, list):
        for value in node:
            found |= _classes_in(value)
    return found


def _is_own_layer(node: dict[str, Any]) -> bool:
    """Whether a node names one of the kit's layers, and the same one in all three ways that Keras writes."""
    name = node.get("class_name")
    return (
        isinstance(name, str)
        and name in _OWN_CLASSES
        and node.get("module") == _OWN_CLASSES[name]
        and node.get("registered_name") == f"seq2seq_kit>{name}"
    )


def _check_golden(
    bundle: Bundle, golden: list[np.ndarray], expected: np.ndarray, folder: Path, head: dict[str, Any]
) -> None:
    try:
        received = bundle.forward(golden)
        off = float(np.abs(received - expected).max()) if received.shape == expected.shape else float("inf")
    except Exception as error:  # shapes of a model and inputs that do not belong together
        raise BundleError(
            f"{folder}: the model does not take its own golden input ({error}); copy the bundle again"
        ) from error
    if not off <= _GOLDEN_TOLERANCE:
        then, now = head["versions"], versions()
        changed = [f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name]]
        raise BundleError(
            f"{folder}: the model answers its golden input differently than when it was saved (off by {off:.2g}, expected at "
            f"most {_GOLDEN_TOLERANCE}). {'Versions changed: ' + ', '.join(changed) if changed else 'No version changed'}. "
            "Install the versions it was saved with, or train again from its recipe.yaml"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _free(folder: Path) -> str:
    try:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        return f"{shutil.disk_usage(there).free / 1e6:.0f} MB free there"
    except (OSError, StopIteration):
        return "free space unknown"
