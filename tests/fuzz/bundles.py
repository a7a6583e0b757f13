"""Damaged and hostile bundles: `damage(folder, number)` damages a sound one in a way that its number stands for."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FILES = ("recipe.yaml", "state.json", "arrays.npz", "model.keras")
VALUES: list[Any] = [
    *(None, True, "", "a", "\x1b[2J", "../../etc", -1, 0, 1, 3, 0.5, -0.5, 10**11, 2**63, 10**400, 1e308),
    *(float("nan"), float("inf"), [], {}, [None], [[]], [1, 2, 3], {"a": 1}, "x" * 1000, "builtins.eval"),
]


def damage(folder: Path, number: int) -> str:
    """Damages the bundle in `folder`; equal numbers do equal damage to equal files.

    Returns:
        What was done, for messages.
    """
    rng = random.Random(number)
    how = rng.choice(_WAYS)
    done = how(folder, rng)
    if how is not _bytes or rng.random() < 0.7:
        _vouch_for(folder)
    return f"case {number}: {done}"


def _vouch_for(folder: Path) -> None:
    """Writes the digests of the present files into the head, as an attacker would."""
    try:
        head = json.loads((folder / "bundle.json").read_text())
        head["sha256"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    except (ValueError, TypeError, OSError):
        return
    (folder / "bundle.json").write_text(json.dumps(head))


def _bytes(folder: Path, rng: random.Random) -> str:
    path = folder / rng.choice([*FILES, "bundle.json"])
    content = bytearray(path.read_bytes())
    what = rng.choice(["flipped", "cut", "repeated", "emptied", "removed"])
    place = rng.randrange(len(content))
    if what == "flipped":
        for _ in range(rng.choice([1, 5, 50])):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif what == "cut":
        del content[place:]
    elif what == "repeated":
        content[place:place] = content[place:]
    else:
        content.clear()
    path.unlink() if what == "removed" else path.write_bytes(content)
    return f"{path.name} {what}"


def _head(folder: Path, rng: random.Random) -> str:
    return _json_file(folder / "bundle.json", rng)


def _state(folder: Path, rng: random.Random) -> str:
    return _json_file(folder / "state.json", rng)


def _json_file(path: Path, rng: random.Random) -> str:
    words = json.loads(path.read_text())
    done = change_json(words, rng)
    path.write_text(json.dumps(words))
    return f"{path.name} {done}"


def _recipe(folder: Path, rng: random.Random) -> str:
    path = folder / "recipe.yaml"
    lines = path.read_text().splitlines()
    place = rng.randrange(len(lines))
    key = lines[place].partition(":")[0]
    value = rng.choice(
        [*map(str, VALUES[:20]), "!!python/object:os.system", "[" * 300, "*a", "{", "99999999999 days", "1e9"]
    )
    lines[place] = rng.choice([f"{key}: {value}", f"{key}:\n    - {value}", "", lines[place] + "\n" + lines[place]])
    path.write_text("\n".join(lines))
    return f"recipe.yaml, line {place + 1}: {lines[place]!r}"


def _arrays(folder: Path, rng: random.Random) -> str:
    path = folder / "arrays.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    name = rng.choice(sorted(arrays))
    array = arrays.pop(name)
    what = rng.choice(
        ["nan", "wider", "narrower", "text", "gone", "flat", "another axis", "huge header", "empty", "int"]
    )
    if what == "nan":
        array = np.full_like(array, np.nan) if array.dtype.kind == "f" else array - 9
    elif what == "wider":
        array = np.concatenate([array, array], axis=-1) if array.ndim else array
    elif what == "narrower":
        array = array[..., :-1] if array.ndim else array
    elif what in ("flat", "another axis"):
        array = array.ravel() if what == "flat" else array[None]
    elif what in ("text", "int"):
        array = np.full(array.shape, "a") if what == "text" else np.full(array.shape, 2**40)
    elif what == "empty":
        array = array[:0] if array.ndim else array
    if what not in ("gone", "huge header"):
        arrays[name] = array
    np.savez(path, **arrays)
    if what == "huge header":
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**11,)})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{name}.npy", header.getvalue())
    return f"arrays.npz, {name}: {what}"


def _config(folder: Path, rng: random.Random) -> str:
    done = ""

    def change(members: dict[str, bytes]) -> None:
        nonlocal done
        config = json.loads(members["config.json"])
        done = change_json(config, rng)
        members["config.json"] = json.dumps(config).encode()

    _members(folder, change)
    return f"configuration {done}"


def _weights(folder: Path, rng: random.Random) -> str:
    done = ""

    def change(members: dict[str, bytes]) -> None:
        nonlocal done
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            name = rng.choice(names)
            value = file[name][...]
            what = rng.choice(["gone", "nan", "wider", "link", "zipped", "external"])
            done = f"{name}: {what}"
            del file[name]
            if what == "nan":
                file[name] = np.full_like(value, np.nan)
            elif what == "wider":
                file[name] = np.repeat(value, 2, axis=-1)
            elif what == "link":
                file[name] = h5py.ExternalLink("/etc/hostname", "x")
            elif what == "zipped":
                file.create_dataset(name, shape=(10**5, 10**5), dtype="f4", chunks=(1000, 1000), compression="gzip")
            elif what == "external":
                file.create_dataset(name, shape=value.shape, dtype="f4", external=[("/etc/hostname", 0, 10**6)])
        members["model.weights.h5"] = buffer.getvalue()

    _members(folder, change)
    return f"weights {done}"


def _member(folder: Path, rng: random.Random) -> str:
    what = rng.choice(["strange", "zipped", "without weights", "without configuration"])

    def change(members: dict[str, bytes]) -> None:
        if what == "strange":
            members["../../evil.py"] = b"print('hello')"
        elif what.startswith("without"):
            members.pop("model.weights.h5" if what.endswith("weights") else "config.json")

    _members(folder, change, zipped=what == "zipped")
    return f"model.keras {what}"


def _members(folder: Path, change: Callable[[dict[str, bytes]], None], *, zipped: bool = False) -> None:
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if zipped else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def change_json(words: Any, rng: random.Random) -> str:
    """Replaces, removes or adds a value somewhere in nested JSON."""
    parent, key, place = words, None, ""
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            break
        key = rng.choice(keys)
        place += f".{key}"
        if not isinstance(parent[key], dict | list) or not parent[key] or rng.random() < 0.15:
            break
        parent = parent[key]
    what = rng.choice(["replaced", "replaced", "replaced", "removed", "doubled", "nested"])
    value = rng.choice(VALUES)
    if key is None:
        return "unchanged"
    if what == "removed":
        del parent[key]
    elif what == "doubled" and isinstance(parent, list):
        parent.append(parent[key])
    elif what == "nested":
        value = parent[key]
        for _ in range(rng.choice([1, 500])):
            value = [value]
        parent[key] = value
    else:
        parent[key] = value
        return f"{place} = {value!r:.60}"
    return f"{place} {what}"


_WAYS = [_bytes, _head, _state, _state, _state, _recipe, _recipe, _arrays, _arrays, _config, _config, _weights, _member]
