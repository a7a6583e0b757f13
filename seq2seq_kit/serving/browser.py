"""A forecast as one page: the exported graph, ONNX Runtime for browsers and a program that reads a CSV, without a network."""

from __future__ import annotations

import base64
import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from seq2seq_kit.bundles.exports import is_export, read_parts
from seq2seq_kit.data.tables.transforms import LOWEST
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.exports.placing import put, refuse_existing
from seq2seq_kit.intervals.prediction import DECILES, named, probabilities_of
from seq2seq_kit.reports.page import program_page
from seq2seq_kit.serving.model import export_aside

RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # of onnxruntime-web, at least 1.20
_SCRIPTS = "script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:"  # nothing may be asked for: there is no connect-src
_POLICY = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; {_SCRIPTS}"
_GRAPH = "model"
_QUANTILES = 4  # axes of an output with quantiles


def write_browser_page(
    run: str,
    out: str | Path,
    *,
    runtime: str | Path,
    tracking_uri: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Writes a page that forecasts in a browser: a CSV is dropped on it, nothing leaves the machine.

    Args:
        run: Folder of an export or a bundle, a run, or a registered model. What is no export is exported first.
        out: The file, new.
        runtime: Folder `dist` of the npm package `onnxruntime-web`, which becomes part of the page.
        tracking_uri: As in `train`.
        say: Is told what takes a while.

    Raises:
        ArgumentError: The runtime is not there, or the forecast needs what a page cannot compute.
        BundleError: The model is missing or damaged, cannot be exported, or the file exists.
        TrackingError: No such run.
    """
    parts = [_runtime_file(Path(runtime), name) for name in RUNTIME]
    path = Path(out)
    refuse_existing(path)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(run)
        if not is_export(run):
            say("exporting the model")
            folder = Path(scratch) / "model"
            export_aside(run, tracking_uri, str(folder))
        head, graph = read_parts(folder, _GRAPH)
    data = _described(head)
    data |= {"graph": _packed(graph), "program": _packed(parts[0]), "runtime": _packed(parts[1])}
    text = program_page(f"Forecast: {head['name']}", "forecast", data, policy=_POLICY)
    put(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    return path


def _runtime_file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError:
        raise ArgumentError(
            f"--runtime: the folder dist of the npm package onnxruntime-web, which runs the model in a browser. Expected {name} "
            f"in it. Received: {folder}, without that file. Get it: npm install onnxruntime-web, then --runtime "
            "node_modules/onnxruntime-web/dist",
            code="runtime_missing",
        ) from None


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def _described(head: dict[str, Any]) -> dict[str, Any]:
    """What the page knows of the model, from the head of its export.

    Raises:
        ArgumentError: It needs what a page does not compute.
    """
    recipe, programs = head["recipe"], head["programs"]
    data = recipe["data"]
    graph = programs.get(_GRAPH, {"inputs": [], "outputs": []})
    names = [port["name"] for port in graph["inputs"]]
    calendar = list(data.get("calendar") or [])
    every = _milliseconds(data.get("every"))
    reasons = {
        f"the task is {recipe['task']}, not over a horizon": data.get("framing") != "horizon",
        "it reads columns that are known ahead (data.known_future)": data.get("known_future"),
        "it reads categories or static columns": data.get("categories")
        or data.get("static")
        or data.get("series_category"),
        "its calendar knows holidays": data.get("holidays"),
        "its calendar follows a clock with a time zone (data.time_zone)": calendar and data.get("time_zone"),
        f"its steps, every {data.get('every')}, have no fixed length, and it reads a calendar": calendar
        and every is None,
        "its rows are put on a grid first (data.resample)": data.get("resample"),
        f"its graph reads {', '.join(names) or 'nothing'}": not {"inputs"}
        <= set(names)
        <= {"inputs", "future", "series"},
    }
    if found := [reason for reason, holds in reasons.items() if holds]:
        raise ArgumentError(
            f"a page forecasts from a table of numbers alone, with a calendar where there is one. Received: {'; '.join(found)}. "
            "Use `serve`, or run the exported graph by a program of your own",
            code="page_not_supported",
        )
    columns = {port["name"]: port["columns"] for port in graph["inputs"] if "columns" in port}
    read = [name for name in columns["inputs"] if name in head["columns"]["inputs"]]
    output = graph["outputs"][0]
    endings = _endings(recipe, output["shape"])
    return {
        "clock": bool(data.get("time")),
        "time": data.get("time"),
        "every": every,
        "steps": next(port["shape"][1] for port in graph["inputs"] if port["name"] == "inputs"),
        "ahead": data["output_steps"],
        "gap": data.get("gap_steps") or 0,
        "series": data.get("series"),
        "known": head["series"] if "series" in names else [],
        "read": read,
        "inputs": columns["inputs"],
        "future": columns.get("future"),
        "calendar": calendar,
        "masked": data.get("missing") == "mask",
        "targets": output["columns"],
        "names": [f"{name}{ending}" for name in output["columns"] for ending in endings],
        "places": list(endings.values()),
        "written": 1 if len(output["shape"]) < _QUANTILES else output["shape"][-1],
        "lowest": _lowest(data.get("transform") or {}),
        "units": head["units"],
        "decimal": (data.get("format") or {}).get("decimal"),
    }


def _endings(recipe: dict[str, Any], shape: list[object]) -> dict[str, int]:
    """What `predict` calls the quantiles of a target, each with its place among those that are written.

    Of one value it is the name alone; so it is where intervals have margins, which the graph does not know.
    """
    if len(shape) < _QUANTILES:
        return {"": 0}
    levels = sorted(map(float, recipe.get("levels") or []), reverse=True)
    written = probabilities_of([*levels, *DECILES])
    if len(written) != shape[-1]:
        said = f"the graph writes {shape[-1]} quantiles of each target; expected {len(written)} by the recipe's levels"
        raise ArgumentError(f"{said}. Export the model again, or `serve` it", code="page_not_supported")
    levels = levels if recipe.get("intervals") == "quantile" else []
    lower = {f"_lo_{named(level)}": probabilities_of([level])[0] for level in levels}
    upper = {f"_hi_{named(level)}": probabilities_of([level])[-1] for level in reversed(levels)}
    return {ending: written.index(each) for ending, each in (lower | {"": 0.5} | upper).items()}


def _lowest(transforms: dict[str, str | list[str]]) -> dict[str, float]:
    """For columns of which the model takes a logarithm the number that their values have to be above."""
    first = {name: given if isinstance(given, str) else given[0] for name, given in transforms.items() if given}
    return {name: LOWEST[method] for name, method in first.items() if method in LOWEST}


def _milliseconds(every: object) -> int | None:
    """The length of a step, None where steps differ in length."""
    if not isinstance(every, str):
        return None
    try:
        return int(pd.Timedelta(every) / pd.Timedelta(milliseconds=1))
    except ValueError:
        return None
