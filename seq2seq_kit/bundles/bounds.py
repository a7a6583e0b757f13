"""What a bundle's files may make the kit allocate: asked of the files themselves, before anything is unpacked or built.

A bundle may come from a stranger, and a few bytes can name any size: a compressed archive, the header of an array, the units of
a layer. Each is compared with the size of the files: weights and arrays take no more than their files have, and the largest
tensor of one sequence at most `MULTIPLE` times the files and `SPARE_BYTES`.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import h5py
    import keras

    from seq2seq_kit.bundles.base import Arrays, Json

MULTIPLE = 20
SPARE_BYTES = 16_000_000
# Of the files that are read as text: a recipe or a head of this size has no second meaning than to exhaust the reader.
MOST_TEXT_BYTES = {
    "bundle.json": 1_000_000,
    "export.json": 64_000_000,
    "recipe.yaml": 4_000_000,
    "state.json": 256_000_000,
}
_NUMBERS = "fiub"
_OPEN_STEPS = 8  # of an axis whose length is open; the golden inputs have as many


def read_json(path: Path) -> Json:
    """A file of JSON that holds a mapping.

    Raises:
        ValueError: It is too large, nested too deeply, or no JSON mapping.
    """
    text = read_text(path)
    try:
        words = json.loads(text)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    if not isinstance(words, dict):
        raise ValueError(f"{path.name} must be a mapping. Received: {type(words).__name__}")
    return words


def read_text(path: Path) -> str:
    """A file of text in UTF-8.

    Raises:
        ValueError: It is larger than `MOST_TEXT_BYTES`, or no text.
    """
    size, most = path.stat().st_size, MOST_TEXT_BYTES[path.name]
    if size > most:
        raise ValueError(f"{path.name} has {size} bytes; expected at most {most}")
    return path.read_text(encoding="utf-8")


def read_arrays(path: Path) -> Arrays:
    """The arrays of an `.npz` file.

    Raises:
        ValueError: A member is compressed, is no array of numbers, or announces another size than it has.
    """
    with zipfile.ZipFile(path) as archive:
        refuse_compressed(archive)
        return {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in archive.infolist()}


def refuse_compressed(archive: zipfile.ZipFile) -> None:
    """Raises `ValueError` for an archive that could unfold into any size, or that holds a name twice."""
    members = archive.infolist()
    if any(
        member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size for member in members
    ):
        raise ValueError(
            f"{Path(str(archive.filename)).name} is compressed, which a bundle's never is: it could unfold into any size"
        )
    if len({member.filename for member in members}) != len(members):
        raise ValueError(f"{Path(str(archive.filename)).name} holds a name twice")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
        if kind.kind not in _NUMBERS or math.prod(shape) * kind.itemsize != member.file_size - file.tell():
            raise ValueError(
                f"the array {member.filename} announces {shape} of {kind}, its file has {member.file_size} bytes"
            )
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def refuse_oversized_weights(path: Path) -> None:
    """Refuses weights that unfold, or that point out of their file.

    Args:
        path: A `.keras` file.

    Raises:
        ValueError: A link leads elsewhere, or a dataset is compressed, stored elsewhere or larger than the file.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        refuse_compressed(archive)
        with archive.open("model.weights.h5") as member, h5py.File(member, "r") as file:
            _check_group(file, path.stat().st_size, seen=set())


def _check_group(group: h5py.Group, most: int, seen: set[int]) -> None:
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"the weights hold a link, {group.name}/{name}, to another place")
        item = group[name]
        place = h5py.h5o.get_info(item.id).addr
        if place in seen:
            raise ValueError(f"the weights hold {group.name}/{name} twice")
        seen.add(place)
        if isinstance(item, h5py.Group):
            _check_group(item, most, seen)
        elif (
            not isinstance(item, h5py.Dataset)
            or item.external
            or item.is_virtual
            or item.compression
            or item.nbytes > most
        ):
            raise ValueError(f"the weights {group.name}/{name} are not stored plainly in their file")


def refuse_oversized_model(model: keras.Model, size: int) -> None:
    """Refuses a model, built of shapes only, that needs more memory than files of this size account for.

    Args:
        model: Its variables need no values.
        size: Bytes of the bundle's files.

    Raises:
        ValueError: Its weights are larger than the files, or a tensor of one sequence is larger than the bound.
    """
    weights = sum(math.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in model.weights)
    if weights > size:
        raise ValueError(f"the model's layers need {weights} bytes of weights, its files have {size}")
    most = MULTIPLE * size + SPARE_BYTES
    for layer in _all_layers(model):
        outputs = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
        for tensor in outputs:
            needed = 4 * math.prod(_OPEN_STEPS if axis is None else axis for axis in tensor.shape[1:])
            if needed > most:
                raise ValueError(
                    f"the layer {layer.name!r} makes {needed} bytes of one sequence; expected at most {most}"
                )


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model and of the models in it, such as the members of an ensemble."""
    import keras

    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)
