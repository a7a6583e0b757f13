"""Bundles on disk: written beside and renamed, checked file by file, safe to read from a stranger."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles import bounds
from seq2seq_kit.bundles.allow_list import refuse_foreign, refuse_unlisted, register_own_layers
from seq2seq_kit.bundles.base import Arrays, Bundle, Json
from seq2seq_kit.bundles.own_classes import CustomObjects, by_registered_name, classes_of_keras
from seq2seq_kit.errors import BundleError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    import keras

FORMAT = 1
OWN_CLASSES, LAST_FIT = "own_classes", "last_fit"  # in a bundle's info
_HEAD = "bundle.json"
_NOTHING: CustomObjects = MappingProxyType({})
_FILES = ("recipe.yaml", "state.json", "arrays.npz", "model.keras")
_RELEASE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}")
# Scaled units; another processor rounds differently, a damaged weight does not hide in this.
_GOLDEN_TOLERANCE = 1e-3


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
        BundleError: The folder exists, the disk is full or not writable, or a layer is not on the allow-list, so that the
            bundle could not be loaded again; nothing is left behind then.
    """
    if folder.exists():
        raise BundleError(
            f"{folder} exists already; expected the name of a new folder. Remove it or choose another name",
            code="bundle_exists",
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        _write_files(bundle, partial)
        refuse_unlisted(partial / "model.keras", own_classes_in(bundle.info))
        partial.rename(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, OSError | RuntimeError):  # h5py's word for a disk that fills up while it closes a file
            raise
        raise BundleError(
            f"could not write the bundle to {folder}: {error}. Nothing was left there; free some space or choose another "
            f"folder ({_free(folder)})",
            code="bundle_not_written",
        ) from error
    return folder


def read_bundle(
    folder: str | Path,
    *,
    load_recipe: Callable[[Path], Recipe],
    bundle_class: Callable[[Recipe], type[Bundle]],
    custom_objects: CustomObjects | None = None,
) -> Bundle:
    """Reads a bundle, refusing what is damaged, foreign or from a newer kit; see `tasks.read_bundle`, which knows the classes.

    Raises:
        BundleError: The message says which file and what to do.
    """
    folder = Path(folder)
    head = _read_head(folder)
    _check_digests(folder, head)
    trusted = by_registered_name(custom_objects)
    try:
        state, arrays = bounds.read_json(folder / "state.json"), bounds.read_arrays(folder / "arrays.npz")
        bounds.read_text(folder / "recipe.yaml")
        recipe = load_recipe(folder / "recipe.yaml")
        golden, expected = _golden_of(state, arrays)
        size = sum((folder / name).stat().st_size for name in _FILES)
        model = _load_model(folder / "model.keras", size, head, trusted)
        bundle = bundle_class(recipe).restore(recipe, model, state, arrays, head["info"])
    except BundleError:
        raise
    except Exception as error:  # whatever crafted words and arrays make JSON, NumPy, zipfile and the kit say
        raise BundleError(f"{folder} is not a bundle of this kit: {error}", code="bundle_damaged") from error
    _check_golden(bundle, golden, expected, folder, head)
    return bundle


@dataclass(frozen=True)
class Stored:
    """A bundle's files without its model, which need not load here: head, state, golden inputs and their output."""

    head: Json
    state: Json
    inputs: list[np.ndarray]
    output: np.ndarray


def read_golden(folder: Path) -> Stored:
    """Reads what a bundle says of itself.

    Raises:
        BundleError: It is damaged or foreign.
    """
    head = _read_head(folder)
    _check_digests(folder, head)
    try:
        state = bounds.read_json(folder / "state.json")
        return Stored(head, state, *_golden_of(state, bounds.read_arrays(folder / "arrays.npz")))
    except Exception as error:  # as in `read_bundle`
        raise BundleError(f"{folder} is not a bundle of this kit: {error}", code="bundle_damaged") from error


def _golden_of(state: Json, arrays: Arrays) -> tuple[list[np.ndarray], np.ndarray]:
    """Takes the golden inputs and their output out of a bundle's arrays."""
    count = state["golden_inputs"]
    if type(count) is not int or not 1 <= count <= len(arrays):
        raise ValueError(f"golden_inputs must be the number of stored inputs. Received: {count!r}")
    return [arrays.pop(f"golden_input_{position}") for position in range(count)], arrays.pop("golden_output")


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


def _read_head(folder: Path) -> Json:
    if not (folder / _HEAD).is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no {_HEAD}. Expected the folder of a trained model, or a run id",
            code="bundle_missing",
        )
    try:
        head = bounds.read_json(folder / _HEAD)
        if type(head["format"]) is not int or head["format"] < 1:
            raise ValueError(f"its format must be a whole number from 1. Received: {head['format']!r}")
        newer = head["format"] > FORMAT
        parts = [head[name] for name in ("sha256", "info", "versions")]
        if head["kind"] != "seq2seq_kit bundle" or not all(isinstance(part, dict) for part in parts):
            raise ValueError("its head is not a bundle's")
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder / _HEAD} is damaged or foreign ({error}); copy the bundle again", code="bundle_damaged"
        ) from error
    if newer:
        raise BundleError(
            f"{folder} has the bundle format {head['format']}; this kit reads up to {FORMAT}. Install a newer seq2seq-kit",
            code="bundle_too_new",
        )
    return head


def _check_digests(folder: Path, head: Json) -> None:
    for name in _FILES:
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder} lacks {name}; copy the whole folder again", code="bundle_damaged")
        if _digest(path) != head["sha256"].get(name):
            raise BundleError(
                f"{path} is damaged: its content is not what was saved. Copy the bundle again, or train again",
                code="bundle_damaged",
            )


def own_classes_in(info: Json) -> list[str]:
    """The classes beside the allow-list that a bundle says a program's own model is made of."""
    names = info.get(OWN_CLASSES, [])
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def keras_classes_of(folder: str | Path) -> CustomObjects:
    """Keras' own classes among those, for who runs what a bundle's maker logged anyway."""
    names = own_classes_in(_read_head(Path(folder))["info"])
    return classes_of_keras(names) or {}


def _load_model(path: Path, size: int, head: Json, trusted: CustomObjects = _NOTHING) -> keras.Model:
    import keras

    from seq2seq_kit.models.acceleration import accelerate
    from seq2seq_kit.models.keras_compat import shapes_only

    register_own_layers()
    try:
        config = refuse_foreign(path, trusted, own_classes_in(head["info"]))
        bounds.refuse_oversized_weights(path)
        with shapes_only():
            model = keras.saving.deserialize_keras_object(config, custom_objects=dict(trusted), safe_mode=True)
            bounds.refuse_oversized_model(model, size)
        return accelerate(keras.saving.load_model(path, custom_objects=dict(trusted), compile=False, safe_mode=True))
    except BundleError:
        raise
    except Exception as error:  # whatever a crafted file makes Keras, zipfile or h5py say
        then, now = head["versions"].get("keras"), versions()["keras"]
        if _order_of(then) > _order_of(now):
            raise BundleError(
                f"{path} was saved with Keras {then}; Keras {now} is installed here and does not know all settings of its "
                f"layers. Install that version: pip install 'keras=={then}', or train again from its recipe.yaml",
                code="bundle_too_new",
            ) from error
        raise BundleError(f"{path} is not a model of this kit: {error}", code="bundle_damaged") from error


def _order_of(release: object) -> list[int]:
    """What releases are compared by: 3.9.2 comes before 3.15; words of a stranger's file before both."""
    return (
        [int(part) for part in release.split(".")] if isinstance(release, str) and _RELEASE.fullmatch(release) else []
    )


def _check_golden(bundle: Bundle, golden: list[np.ndarray], expected: np.ndarray, folder: Path, head: Json) -> None:
    try:
        received = bundle.forward(golden)
        off = float(np.abs(received - expected).max()) if received.shape == expected.shape else float("inf")
    except Exception as error:  # shapes of a model and inputs that do not belong together
        raise BundleError(
            f"{folder}: the model does not take its own golden input ({error}); copy the bundle again",
            code="bundle_damaged",
        ) from error
    if not off <= _GOLDEN_TOLERANCE:
        then, now = head["versions"], versions()
        changed = [f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name]]
        raise BundleError(
            f"{folder}: the model answers its golden input differently than when it was saved (off by {off:.2g}, expected at "
            f"most {_GOLDEN_TOLERANCE}). {'Versions changed: ' + ', '.join(changed) if changed else 'No version changed'}. "
            "Install the versions it was saved with, or train again from its recipe.yaml",
            code="golden_output_differs",
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
