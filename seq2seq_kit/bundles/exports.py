"""A bundle from the folder of an export: the same verbs, frames and messages, its network run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_kit.bundles import bounds
from seq2seq_kit.bundles.base import Arrays, Bundle
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.exports.placing import put
from seq2seq_kit.exports.session import Network, Origin, missing_package
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    import keras

HEAD = "export.json"
FORMAT = 1
_NETWORK = "network"
_READ = ("recipe.yaml", "state.json", "arrays.npz", "golden.npz")
_MOST_BYTES = 1_000_000_000  # of a graph
_TOLERANCE = 1e-3  # as of a bundle's golden output


def is_export(folder: str | Path) -> bool:
    """Whether a folder is one that `export` wrote."""
    # A Path raises where no folder can have the name, such as one of 300 letters.
    return os.path.isfile(os.path.join(folder, HEAD))  # noqa: PTH113, PTH118


def read_export(
    folder: str | Path, *, load_recipe: Callable[[Path], Recipe], bundle_class: Callable[[Recipe], type[Bundle]]
) -> Bundle:
    """Reads the folder of an export; `load_recipe` and `bundle_class` as in `bundles.files.read_bundle`.

    Raises:
        ArgumentError: ONNX Runtime is not installed.
        BundleError: The folder is damaged, foreign, from a newer kit, or of a model that only TensorFlow can run.
    """
    folder = Path(folder)
    origin = _origin(folder)
    head = _read_head(folder)
    try:
        programs, digests = head["programs"], head["sha256"]
        if _NETWORK not in programs:
            raise BundleError(
                f"{folder}: the export has no graph `{_NETWORK}`, so this kit cannot answer by it. Its graphs: "
                f"{', '.join(map(str, programs))}. Run them in ONNX Runtime, or load the bundle itself",
                code="export_not_runnable",
            )
        for name in _READ:
            _content(folder, name, digests)
        recipe = load_recipe(folder / "recipe.yaml")
        kind = bundle_class(recipe)
        parts = [name for name in kind.exported_parts(recipe) if name in programs]
        content = {name: _content(folder, programs[name]["file"], digests) for name in (_NETWORK, *parts)}
        state, arrays = bounds.read_json(folder / "state.json"), bounds.read_arrays(folder / "arrays.npz")
        golden = bounds.read_arrays(folder / "golden.npz")
        network = Network(content[_NETWORK], {name: Network(content[name]) for name in parts}, origin)
        model: keras.Model = network  # what a bundle asks of its model beyond this needs TensorFlow
        bundle = kind.restore(recipe, model, state, arrays, head["info"])
        for name, graph in {_NETWORK: network, **network.parts}.items():
            _check_golden(name, graph, golden)
    except (ArgumentError, BundleError):
        raise
    except ImportError as error:
        raise missing_package(error) from error
    except Exception as error:  # whatever crafted words, arrays and graphs make JSON, NumPy and the runtime say
        raise BundleError(f"{folder} is not an export of this kit: {error}", code="bundle_damaged") from error
    return bundle


def read_parts(folder: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """The description of an export and the bytes of one of its graphs, which is the one that was written; nothing is run.

    Raises:
        BundleError: The folder is damaged, foreign or from a newer kit, or has no such graph.
    """
    head = _read_head(folder)
    programs: dict[str, Any] = head["programs"]
    if name not in programs:
        said = f"{folder}: the export has no graph `{name}`. Its graphs: {', '.join(map(str, programs))}. Load the bundle itself"
        raise BundleError(said, code="export_not_runnable")
    try:
        return head, _content(folder, programs[name]["file"], head["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder} is not an export of this kit: {error}", code="bundle_damaged") from error


def copy_export(folder: str | Path, out: Path) -> None:
    """Writes what an export consists of to a new folder: its head and the files that this names, by their digests.

    Whatever else lies there stays behind, and a link is not followed: the folder may be a stranger's, the copy goes to others.

    Raises:
        BundleError: The folder is damaged or foreign, or one of its files is a link.
    """
    folder = Path(folder)
    digests = _read_head(folder)["sha256"]
    out.mkdir()
    for name in (HEAD, *digests):
        if (folder / name).is_symlink():
            said = f"{folder / name} is a link; expected a file of the export itself. Copy the folder with what it points to"
            raise BundleError(said, code="bundle_damaged")
    _copy_files(folder, out, digests, digests)
    (out / HEAD).write_bytes((folder / HEAD).read_bytes())


def _copy_files(folder: Path, out: Path, names: Iterable[str], digests: dict[str, Any]) -> None:
    """Files of an export, each of which is what was written."""
    try:
        for name in names:
            (out / name).write_bytes(_content(folder, name, digests))
    except ValueError as error:
        raise BundleError(f"{folder} is not an export of this kit: {error}", code="bundle_damaged") from error


def save_export(bundle: Bundle, folder: Path) -> Path:
    """Writes an opened export to a new folder: the graphs as they are, with the intervals, detector and recipe of the bundle.

    Raises:
        BundleError: The folder exists or cannot be written, or the export is not any more what was opened.
    """
    assert isinstance(bundle.model, Network)
    origin, files = bundle.model.origin, stored_files(bundle)
    assert origin is not None

    def write(partial: Path) -> None:
        head = _opened_head(origin)
        partial.mkdir()
        _copy_files(origin.folder, partial, head["sha256"].keys() - files.keys(), head["sha256"])
        for name, content in files.items():
            (partial / name).write_bytes(content)
        head |= {"recipe": bundle.recipe.model_dump(mode="json"), "info": bundle.info}
        head["sha256"] |= {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        (partial / HEAD).write_text(json.dumps(head, indent=2), encoding="utf-8")

    put(folder, write)
    return folder


def _opened_head(origin: Origin) -> dict[str, Any]:
    """The head of an export that is still what was opened; another one may lie there by now."""
    if _origin(origin.folder) != origin:
        said = f"{origin.folder} is not the export any more that was opened: it was moved, removed or written anew"
        raise BundleError(f"{said}. Load it from where it is now", code="bundle_damaged")
    return _read_head(origin.folder)


def _origin(folder: Path) -> Origin:
    """Of an export that lies there; of what is none it has a digest of nothing."""
    try:
        content = (folder / HEAD).read_bytes()
    except OSError:
        content = b""
    return Origin(folder.absolute(), hashlib.sha256(content).hexdigest())


def stored_files(bundle: Bundle) -> dict[str, bytes]:
    """A bundle's own files but for the model."""
    state, arrays = bundle.state()
    return {
        "recipe.yaml": dump_recipe(bundle.recipe).encode(),
        "state.json": json.dumps(state).encode(),
        "arrays.npz": npz_of(arrays),
    }


def npz_of(arrays: Arrays) -> bytes:
    """Arrays as the bytes of a file."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _read_head(folder: Path) -> dict[str, Any]:
    try:
        head = bounds.read_json(folder / HEAD)
        if head["kind"] != "seq2seq_kit export" or type(head["format"]) is not int or head["format"] < 1:
            raise ValueError("its head is not an export's")
        for name in ("programs", "sha256", "info"):
            if not isinstance(head[name], dict):
                raise ValueError(f"{name} must be a mapping")
        for name in head["sha256"]:
            _require_plain(name)
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder / HEAD} is damaged or foreign ({error}); export the model again", code="bundle_damaged"
        ) from error
    if head["format"] > FORMAT:
        raise BundleError(
            f"{folder} has the export format {head['format']}; this kit reads up to {FORMAT}. Install a newer seq2seq-kit",
            code="bundle_too_new",
        )
    return head


def _content(folder: Path, name: str, digests: dict[str, dict[str, str]]) -> bytes:
    """A file of the folder that is what was written."""
    _require_plain(name)
    path = folder / name
    if not path.is_file():
        raise BundleError(f"{folder} lacks {name}; copy the whole folder again", code="bundle_damaged")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{name} has {path.stat().st_size:,} bytes; expected at most {_MOST_BYTES:,}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digests.get(name):
        raise BundleError(
            f"{path} is damaged: its content is not what was written. Copy the folder again, or export again",
            code="bundle_damaged",
        )
    return content


def _require_plain(name: object) -> None:
    if not isinstance(name, str) or not name or Path(name).name != name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a file in the folder")


def _check_golden(name: str, network: Network, golden: dict[str, np.ndarray]) -> None:
    given = [golden[f"{name}_input_{place}"] for place in range(len(network.inputs))]
    for place, found in enumerate(network.run(given)):
        expected = golden[f"{name}_output_{place}"]
        loose = 0.0 if expected.dtype.kind in "iu" else _TOLERANCE  # numbers of tokens are right or wrong
        same = found.shape == expected.shape and np.allclose(found, expected, rtol=loose, atol=loose)
        if not same:
            raise BundleError(
                f"the graph `{name}` answers its golden input differently than when it was written. Export the model again",
                code="golden_output_differs",
            )
