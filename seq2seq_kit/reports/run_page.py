"""A run as one page: what it was, its result against the baselines, findings, figures, interactive examples, recipe, versions."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_kit.evaluation.diagnostics import verdict
from seq2seq_kit.reports import page
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.text import metric_keys

_FIRST = ("forecasts", "reconstructions", "overview", "error_by_step", "loss_curves")  # figures, the most telling ones
_FACTS = {
    "task": "task",
    "data": "data",
    "differs": "differs from the run before it",
    "ended": "training ended",
    "last_fit": "last fit",
    "seed": "seed",
    "recurrence": "recurrence",
    "versions": "versions",
    "mlflow.source.git.commit": "revision",
}
_NAMES = {"test": "test", "val": "validation"}
_WORDS = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "r2": "R2"}


def run_page(
    run_id: str,
    title: str,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    status: str,
    files: Path,
) -> str:
    """The page of a run, as MLflow holds it.

    Args:
        run_id: Its id.
        title: Its name.
        tags: Of the run; those of `logged.final_tags` where it has a result.
        metrics: Of the run, likewise.
        status: FINISHED, FAILED, KILLED or RUNNING.
        files: Folder of its artifacts; what is absent is left out.
    """
    blocks = [page.paragraph(f"Run {run_id}, {status.lower()}")]
    if "result" in tags:
        blocks.append(page.paragraph(tags["result"], kind="warning"))
    if "beats_baselines" in tags:
        skill = metrics.get(f"{_part(metrics)}/skill", 1.0 if tags["beats_baselines"] == "yes" else -1.0)
        said = f"The model {verdict(skill)} the best baseline, {tags.get('best_baseline', '')}"
        blocks.append(page.badge(said, good=verdict(skill) == "beats"))
    if "error" in tags:
        blocks.append(page.paragraph(tags["error"], kind="warning"))
    titles, rows = result_table(tags, metrics)
    if rows:
        blocks += [page.heading(f"Result on the {_NAMES[_part(metrics)]} part"), page.table(titles, rows)]
    if (members := files / "members.csv").is_file():
        titles, *rows = csv.reader(members.read_text(encoding="utf-8").splitlines())
        blocks += [
            page.heading("Members of the ensemble"),
            page.table(_words(titles), [list(map(_cell, row)) for row in rows]),
        ]
    if "evaluated" in tags:
        blocks.append(page.paragraph(tags["evaluated"]))
    findings = [(text, "") for key, text in sorted(tags.items()) if key.startswith("finding.")]
    if findings:
        blocks += [page.heading("Findings"), page.points(findings)]
    for found in _figures(files):
        name = found.stem.replace("_", " ")
        blocks += [page.heading(name.capitalize()), page.picture(found.read_bytes(), name)]
    facts = [[words, tags[key]] for key, words in _FACTS.items() if tags.get(key)]
    if "fit/seconds_of_the_whole_run" in metrics:
        facts.append(["seconds", figure(metrics["fit/seconds_of_the_whole_run"])])
    blocks += [page.heading("Run"), page.table(["", ""], facts, figures=False)]
    recipe = next((files / name for name in ("recipe.yaml", "sweep.yaml") if (files / name).is_file()), None)
    if recipe:
        blocks += [page.heading("Recipe"), page.code(recipe.read_text(encoding="utf-8"))]
    if "use" in tags:
        blocks += [page.heading("Use it"), page.code(tags["use"])]
    return page.whole_page(title, blocks, interactive=sorted(files.glob("*/*.html")))


def result_table(tags: Mapping[str, str], metrics: Mapping[str, float]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the result table, from a run's metrics; without rows where it has no result."""
    part = _part(metrics)
    keys = [key.removeprefix(f"{part}/") for key in metrics if key.startswith(f"{part}/") and key != f"{part}/skill"]
    keys.sort(key=lambda key: list(_WORDS).index(key) if key in _WORDS else -1)
    found = {"model": {key: metrics[f"{part}/{key}"] for key in keys}}
    named = {own: name for name, own in metric_keys(json.loads(tags.get("baselines", "[]"))).items()}
    for metric, value in sorted(metrics.items()):
        own = metric.removeprefix(f"{part}_baselines/")
        key = max((key for key in keys if own.endswith(f"_{key}")), key=len, default=None)
        if own != metric and key:
            name = own.removesuffix(f"_{key}")
            found.setdefault(named.get(name, name.replace("_", " ")), {})[key] = value
    titles = ["", *(_WORDS.get(key, key.replace("_", " ")) for key in keys)]
    return titles, [[name, *(figure(own.get(key, float("nan"))) for key in keys)] for name, own in found.items() if own]


def _words(titles: Sequence[str]) -> list[str]:
    """Names of columns as they stand above a table: `test rmse`."""
    return ["", *(title.replace("_", " ") for title in titles[1:])]


def _cell(text: str) -> str:
    """A cell of a file, figures as in every table."""
    return figure(float(text)) if "." in text else text


def _part(metrics: Mapping[str, float]) -> str:
    """The part that a run's result is of: a run without test rows has figures of val alone."""
    tested = any(key.startswith("test/") for key in metrics)
    return "test" if tested or not any(key.startswith("val_baselines/") for key in metrics) else "val"


def _figures(files: Path) -> list[Path]:
    found = sorted(files.glob("*/*.png"))
    return sorted(found, key=lambda path: _FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST))
