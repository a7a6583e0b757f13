"""A bundle for other runtimes: its programs, what is known of it, and the rows that they are compared on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.base import Bundle, rows_given, sourced
from seq2seq_kit.bundles.exports import npz_of, stored_files
from seq2seq_kit.bundles.files import versions
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import ArgumentError, KitError
from seq2seq_kit.exports.placing import put, refuse_existing
from seq2seq_kit.exports.program import SUFFIX, Case, Exported, Parity, Port, Program, differences, plain_scale
from seq2seq_kit.recipe import dump_recipe

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("onnx", "saved_model", "litert", "keras")
COMPARED = 1_000  # windows or sequences
_PACKAGES = ("onnx", "onnxruntime")
RUNTIME = ("numpy", "pandas", "onnxruntime", "pydantic", "ruamel.yaml", "psutil", "rich")
_ROUNDED, _HALF = 3, 0.5  # times that weights are rounded anew; half of them up
_NEAR = 1e-3  # states of two models whose weights were rounded otherwise
_SCALED = "the network reads and writes scaled numbers"


def export_bundle(
    bundle: Bundle, out: str | Path, *, format: str = "onnx", frame: pd.DataFrame | None = None
) -> Exported:
    """See `Bundle.export`."""
    path = Path(out)
    if format not in FORMATS:
        raise ArgumentError(
            f"format must be one of {', '.join(FORMATS)}. Received: format={format!r}", code="invalid_argument"
        )
    if format != "onnx":
        return _NETWORKS[format](bundle, path)
    require_packages()
    from seq2seq_kit.exports.writing import write_file, write_folder

    frame, notes = (frame, []) if frame is not None else own_rows(bundle)
    programs = bundle.programs(frame)
    known, rounding = metadata(bundle), _Rounding(bundle, frame)
    if path.suffix == SUFFIX:
        done = write_file(programs[0], known, path, rounding)
    else:
        done = write_folder(programs, known, _files(bundle, programs), path, rounding)
    return Exported(done.path, done.parity, done.bytes, tuple(notes))


@dataclass(frozen=True)
class _Rounding:
    """How far a bundle's answers move where its weights are rounded otherwise; see `exports.parity.compare`."""

    bundle: Bundle
    frame: pd.DataFrame | None

    @cached_property
    def others(self) -> list[dict[str, Program]]:
        """The programs of the same model with each weight moved to the next float32, up or down."""
        import keras

        found, weights = [], self.bundle.model.get_weights()
        for seed in range(_ROUNDED):
            rng, model = np.random.default_rng(seed), keras.models.clone_model(self.bundle.model)
            towards = [np.where(rng.random(each.shape) < _HALF, -np.inf, np.inf).astype(each.dtype) for each in weights]
            model.set_weights([np.nextafter(each, end) for each, end in zip(weights, towards, strict=True)])
            found.append({program.name: program for program in self.bundle.alone(model).programs(self.frame)})
        return found

    def __call__(self, program: Program) -> float:
        others = [programs[program.name] for programs in self.others]
        pairs = [(program.golden, other.golden) for other in others] + [
            (program.sample, other.sample) for other in others
        ]
        found = [differences(case, other.outputs)[1] for case, other in pairs if _same_inputs(case, other)]
        return max((each for each in found if np.isfinite(each)), default=0.0)


def _same_inputs(case: Case, other: Case) -> bool:
    """Whether cases of two models have the same inputs: some are chosen by what a model makes of them, or are its states."""
    pairs = zip(case.inputs, other.inputs, strict=True)
    return len(case.inputs[0]) > 0 and all(
        one.shape == another.shape
        and (
            np.array_equal(one, another)
            if one.dtype.kind in "iu"
            else np.allclose(one, another, rtol=_NEAR, atol=_NEAR, equal_nan=True)
        )
        for one, another in pairs
    )


def network_of(bundle: Bundle, name: str) -> Program:
    """A bundle's network as it is, compared on numbers that are drawn."""
    from seq2seq_kit.exports.networks import write_network

    def port(name: str, shape: Sequence[int | None], says: str) -> Port:
        return Port(name, "float32", ("batch", *("steps" if size is None else size for size in shape[1:])), says)

    def case(arrays: list[np.ndarray]) -> Case:
        outputs = [bundle.forward(arrays)]
        return Case(arrays, outputs, [0.0], plain_scale(outputs))

    golden, rng = bundle.golden(), np.random.default_rng(1)
    drawn = [rng.standard_normal((COMPARED, *array.shape[1:])).astype(np.float32) for array in golden]
    return Program(
        name,
        f"the network of {bundle.what}",
        tuple(port(tensor.name, tensor.shape, "what the network reads") for tensor in bundle.model.inputs),
        (port("outputs", bundle.model.output_shape, "what the network gives"),),
        lambda graph, given: [write_network(graph, bundle.model, given)],
        case(golden),
        case(drawn),
    )


def require_packages() -> None:
    """Raises `ArgumentError` where a package of the extra `export` is missing."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        absent = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
        raise ArgumentError(
            f"ONNX is written and compared by the packages {' and '.join(_PACKAGES)}; {absent}. "
            f"Install it: pip install 'seq2seq-kit[export]' (or pip install {' '.join(missing)})",
            code="missing_package",
        )


def own_rows(bundle: Bundle) -> tuple[pd.DataFrame | None, list[str]]:
    """The rows of the recipe's own source where it can be read, and why it could not."""
    section = sourced(bundle.recipe)
    if section is None or section.source is None:
        return None, ["the recipe names no source, so the graphs were compared on inputs drawn at random"]
    if getattr(section, "read", "memory") == "row_groups":
        return None, [
            "the rows stay on disk, so the graphs were compared on inputs drawn at random; give some: --data FILE"
        ]
    try:
        several = not isinstance(section.source, str)
        rows = read_source(section.source, texts=bundle.as_written, section=section) if several else None
        return rows_given(bundle.recipe, bundle.read(str(section.source)) if rows is None else rows), []
    except (KitError, OSError) as error:
        return None, [f"the source cannot be read ({error}), so the graphs were compared on inputs drawn at random"]


def metadata(bundle: Bundle) -> dict[str, object]:
    """What is known of a bundle, as JSON."""
    data = bundle.recipe.data
    found: dict[str, object] = {
        "task": bundle.recipe.task,
        "name": bundle.recipe.name or bundle.recipe.task,
        "recipe": bundle.recipe.model_dump(mode="json"),
        "columns": {
            key: getattr(data, key) for key in ("inputs", "targets", "time", "series") if getattr(data, key, None)
        },
        "units": dict(getattr(data, "units", {})),
        "levels": list(getattr(bundle.recipe, "levels", None) or []),
        "versions": versions(),
        "info": bundle.info,
        "bundle_sha256": digest_of_bundle(bundle),
    }
    return found | bundle.facts()


def digest_of_bundle(bundle: Bundle) -> str:
    """SHA-256 of what a bundle answers by: recipe, state, arrays and weights."""
    state, arrays = bundle.state()
    found = hashlib.sha256()
    for text in (dump_recipe(bundle.recipe), json.dumps(state, sort_keys=True)):
        found.update(text.encode())
    weights = {f"weight_{place}": np.asarray(each) for place, each in enumerate(bundle.model.get_weights())}
    for name, array in sorted((arrays | weights).items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _files(bundle: Bundle, programs: Sequence[Program]) -> dict[str, bytes]:
    """What stands beside the graphs: a bundle's own files but for the model, and golden inputs with their outputs."""
    golden = {
        f"{program.name}_{kind}_{place}": array
        for program in programs
        for kind, given in (("input", program.golden.inputs), ("output", program.golden.outputs))
        for place, array in enumerate(given)
    }
    return {
        "requirements.txt": requirements().encode(),
        **stored_files(bundle),
        "golden.npz": npz_of(golden),
    }


def requirements() -> str:
    """What this kit needs beside itself to answer by an export, as installed here; the last two are those of its commands."""
    return "".join(f"{package}=={version(package)}\n" for package in RUNTIME)


def _as_keras(bundle: Bundle, path: Path) -> Exported:
    """The network alone, in scaled units."""
    import keras

    if path.suffix != ".keras":
        path = path.with_name(f"{path.name}.keras")
    bare = keras.Model(bundle.model.inputs, bundle.model.outputs, name=bundle.model.name)
    put(path, lambda partial: bare.save(partial))
    note = f"{_SCALED}; layers of the kit are known after `import seq2seq_kit.models`"
    return Exported(path, notes=(note,))


def _as_saved_model(bundle: Bundle, path: Path) -> Exported:
    """The network alone, in scaled units, for TensorFlow without this kit."""
    from seq2seq_kit.exports.saved_model import compare_saved_model, write_saved_model

    found: list[Parity] = []

    def write(partial: Path) -> None:
        write_saved_model(bundle.model, partial)
        found.append(compare_saved_model(partial, bundle.model, bundle.golden(), bundle.forward))

    put(path, write)
    sizes = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return Exported(path, {"serving_default": found[0]}, {"serving_default": sizes}, (_SCALED,))


def _as_litert(bundle: Bundle, path: Path) -> Exported:
    """The network alone, in scaled units, for phones and small machines."""
    from seq2seq_kit.exports.litert import LITERT_SUFFIX, litert_of, write_litert

    if path.suffix != LITERT_SUFFIX:
        path = path.with_name(f"{path.name}{LITERT_SUFFIX}")
    refuse_existing(path)
    content, found = litert_of(bundle.model), list[Parity]()
    put(path, lambda partial: found.append(write_litert(bundle.model, network_of(bundle, "network"), content, partial)))
    return Exported(path, {"network": found[0]}, {"network": len(content)}, (_SCALED,))


_NETWORKS = {"keras": _as_keras, "saved_model": _as_saved_model, "litert": _as_litert}
