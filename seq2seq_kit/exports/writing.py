"""Graphs as files: written in memory, checked, compared with the bundle, and only then put where they were asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from seq2seq_kit.exports.graph import OPSET, Graph, Value, make_model
from seq2seq_kit.exports.parity import Rounding, compare
from seq2seq_kit.exports.placing import put, refuse_existing
from seq2seq_kit.exports.program import SUFFIX, Exported, Parity, Program

FORMAT = 1
HEAD = "export.json"


@dataclass(frozen=True)
class Written:
    """A graph in its final bytes."""

    program: Program
    content: bytes
    parity: Parity


def write_program(program: Program, metadata: Mapping[str, object], rounding: Rounding) -> Written:
    """A program as bytes of ONNX, with what is known of it inside; `rounding` as in `compare`.

    Raises:
        ArgumentError: A layer has no writer.
        BundleError: The graph does not answer as the bundle does.
    """
    graph = Graph(program.name)
    values = [
        Value(port.name, tuple(size if isinstance(size, int) else None for size in port.shape), port.dtype)
        for port in program.inputs
    ]
    outputs = program.write(graph, values)
    graph.finish(list(zip([port.name for port in program.outputs], outputs, strict=True)))
    model = make_model(graph, program.inputs, program.outputs, {}, program.says)
    onnx.checker.check_model(model, full_check=True)
    parity = compare(program, model.SerializeToString(), rounding)
    ports = {
        "inputs": [port.to_json() for port in program.inputs],
        "outputs": [port.to_json() for port in program.outputs],
    }
    known = {**metadata, "program": program.name, **ports, "parity": asdict(parity)}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in known.items()}
    onnx.helper.set_model_props(model, texts)
    return Written(program, model.SerializeToString(), parity)


def write_file(program: Program, metadata: Mapping[str, object], path: Path, rounding: Rounding) -> Exported:
    """One program as one file, there whole or not at all."""
    refuse_existing(path)
    written = write_program(program, metadata, rounding)
    put(path, lambda partial: partial.write_bytes(written.content))
    return _exported(path, [written])


def write_folder(
    programs: Sequence[Program],
    metadata: Mapping[str, object],
    files: Mapping[str, bytes],
    path: Path,
    rounding: Rounding,
) -> Exported:
    """Several programs with a description, `export.json`, and other files; there whole or not at all."""
    refuse_existing(path)
    written = [write_program(program, metadata, rounding) for program in programs]
    content = {f"{each.program.name}{SUFFIX}": each.content for each in written} | dict(files)
    described = {
        each.program.name: {
            "file": f"{each.program.name}{SUFFIX}",
            "says": each.program.says,
            "inputs": [port.to_json() for port in each.program.inputs],
            "outputs": [port.to_json() for port in each.program.outputs],
            "parity": asdict(each.parity),
        }
        for each in written
    }
    head = {
        "format": FORMAT,
        "kind": "seq2seq_kit export",
        **metadata,
        "opset": OPSET,
        "programs": described,
        "sha256": {name: hashlib.sha256(bytes_).hexdigest() for name, bytes_ in content.items()},
    }

    def write(partial: Path) -> None:
        partial.mkdir()
        for name, bytes_ in content.items():
            (partial / name).write_bytes(bytes_)
        (partial / HEAD).write_text(json.dumps(head, indent=2), encoding="utf-8")

    put(path, write)
    return _exported(path, written)


def _exported(path: Path, written: Sequence[Written]) -> Exported:
    return Exported(
        path,
        {each.program.name: each.parity for each in written},
        {each.program.name: len(each.content) for each in written},
    )
