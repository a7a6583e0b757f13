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
        f"Fit: {count_of(len(result.fit.history), 'epoch')} ({_ENDED[result.fit.ended]}), "
        f"kept {f'epoch {result.fit.best_epoch}' if result.fit.best_epoch else 'no epoch'}, "
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


# MLflow draws the columns of a table without any space between them.
_GAP = "&nbsp;" * 3
HEADER = ["", "MAE", "RMSE", "MASE", "R2", "skill against it"]


def markdown_table(test: Evaluation) -> list[str]:
    """`result_rows` in Markdown."""
    rule = ["---", *["---:"] * (len(HEADER) - 1)]
    rows = [[row[0], *(f"{_GAP}{cell}" for cell in row[1:])] for row in (HEADER, *result_rows(test))]
    return ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]


def units_of(test: Evaluation) -> str:
    """What the figures of `overall` are measured in."""
    if len(test.targets) == 1:
        return f"Errors are in the units of {test.targets[0]}."
    return (
        "Errors over several targets are in units of each one's training scale (data.scaling); "
        "test_scores.csv has each in its own."
    )


def count_of(number: int, thing: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def figure(value: float) -> str:
    """Four significant digits, no exponent for everyday sizes; a dash where there is no figure."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 9_999.5 else f"{value:.4g}"


def signed(skill: float) -> str:
    """A skill with its sign; a dash where there is none, beside a baseline without error."""
    return f"{skill:+.3f}" if math.isfinite(skill) else "-"
