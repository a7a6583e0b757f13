"""A run in words: the result table and the findings, as Markdown for MLflow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seq2seq_kit.evaluation import MODEL, Evaluation

if TYPE_CHECKING:
    from seq2seq_kit.runs import TrainResult

_ENDED = {"epochs": "all epochs", "early": "stopped early", "interrupted": "interrupted; best weights so far"}


def describe_run(result: TrainResult) -> str:
    """Headline, result table, findings, and what to do next."""
    recipe, test = result.recipe, result.test
    name = recipe.name or recipe.task
    lines = [
        f"## {name}: RMSE {figure(test.overall().rmse)}, skill {signed(test.skill)} against {test.best_baseline}",
        "",
        *markdown_table(test),
        "",
        f"{test.windows:,} test windows of {recipe.data.input_steps} -> {test.steps} steps. {units_of(test)} "
        "Skill is 1 - RMSE / the baseline's RMSE.",
        "",
        f"Fit: {len(result.fit.history)} epochs ({_ENDED[result.fit.ended]}), kept epoch {result.fit.best_epoch}, "
        f"{result.fit.seconds:.0f} s; seed {recipe.seed}.",
    ]
    if result.findings:
        lines += ["", "### What stands out", ""]
        lines += [
            f"- {'**' if f.level == 'warning' else ''}{f}{'**' if f.level == 'warning' else ''}"
            for f in result.findings
        ]
    verb = "predict" if recipe.task == "forecast" else "score"
    lines += ["", f"Use it: `seq2seq-kit {verb} {result.run_id} --data new.csv --out {verb}.csv`"]
    return "\n".join(lines)


def result_rows(test: Evaluation) -> list[list[str]]:
    """The result table: forecaster, MAE, RMSE, MASE, R2, and the model's skill against it."""
    own = test.overall()
    rows = []
    for name in test.sums:
        scores = test.overall(name)
        skill = "" if name == MODEL or not scores.rmse > 0 else signed(1 - own.rmse / scores.rmse)
        rows.append([name, figure(scores.mae), figure(scores.rmse), figure(scores.mase), figure(scores.r2), skill])
    return rows


HEADER = ["", "MAE", "RMSE", "MASE", "R2", "skill against it"]


def markdown_table(test: Evaluation) -> list[str]:
    """`result_rows` in Markdown."""
    rows = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *result_rows(test)]
    return ["| " + " | ".join(row) + " |" for row in rows]


def units_of(test: Evaluation) -> str:
    """What the figures of `overall` are measured in."""
    if len(test.targets) == 1:
        return f"Errors are in the units of {test.targets[0]}."
    return "Errors over several targets are in training standard units; test_scores.csv has each in its own."


def figure(value: float) -> str:
    """Four significant digits, no exponent for everyday sizes; a dash where there is no figure."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 9_999.5 else f"{value:.4g}"


def signed(skill: float) -> str:
    """A skill with its sign; a dash where there is none, beside a baseline without error."""
    return f"{skill:+.3f}" if math.isfinite(skill) else "-"
