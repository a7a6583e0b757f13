"""The note of a run: result table and findings, as Markdown for MLflow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.anomalies.comparison import TITLES, Comparison
from seq2seq_kit.evaluation import MODEL, Board
from seq2seq_kit.evaluation.base import signed
from seq2seq_kit.evaluation.members import Figures, Members
from seq2seq_kit.text import for_markdown

if TYPE_CHECKING:
    from seq2seq_kit.results import TrainResult

_ENDED = {"epochs": "all epochs", "early": "stopped early", "interrupted": "interrupted; best weights so far"}


def describe_run(result: TrainResult) -> str:
    """Headline, result table, findings, and the command that uses the model."""
    recipe = result.recipe
    lines = [f"## {for_markdown(f'{recipe.name or recipe.task}: {headline(result.board)}')}", "", *result_lines(result)]
    verb = result.bundle.verbs[0]
    lines += ["", f"Use it: `seq2seq-kit {verb} {result.run_id} --data new.csv --out {verb}.csv`"]
    return "\n".join(lines)


def result_lines(result: TrainResult) -> list[str]:
    """The result table, how the fit went, and the findings."""
    test = result.board
    lines = [
        *markdown_table(test),
        "",
        for_markdown(f"{test.title}. {test.units} Skill is 1 - the model's {test.compares} / the baseline's."),
        "",
        f"Fit: {count_of(len(result.fit.history), 'epoch')} ({_ENDED[result.fit.ended]}), "
        f"kept {_kept(result)}, {result.fit.seconds:.0f} s; seed {result.recipe.seed}.",
    ]
    if shared := shares_said(result):
        lines[-1] += f" {for_markdown(shared)}"
    if result.members:
        titles, *rows = ([for_markdown(cell) for cell in row] for row in member_rows(result.members))
        lines += ["", f"### {result.members.title}", "", *markdown_lines(titles, rows)]
    if result.last_fit and result.last_fit.ended != "interrupted":
        epochs = count_of(result.last_fit.best_epoch, "epoch")
        lines += [
            "",
            f"Last fit: {epochs} on the rows of all parts, {result.last_fit.seconds:.0f} s. The bundle holds that ",
        ]
        lines[-1] += "model; all figures here are of the one before it, which has not seen the rows that they are of."
    if result.judged:
        titles, *rows = ([for_markdown(cell) for cell in row] for row in judged_rows(result.judged))
        lines += ["", "### Anomalies", "", *markdown_lines(titles, rows), "", for_markdown(f"{result.judged.title}.")]
    if result.findings:
        lines += ["", "### Findings", ""]
        lines += [
            f"- {'**' if f.level == 'warning' else ''}{for_markdown(str(f))}{'**' if f.level == 'warning' else ''}"
            for f in result.findings
        ]
    return lines


def shares_said(result: TrainResult) -> str:
    """How several workers shared a training; empty where there was one."""
    training = result.recipe.training
    workers, batch = training.workers, training.batch_size
    if workers == 1:
        return ""
    least, most = batch // workers, -(-batch // workers)
    each = f"{most}" if least == most else f"{least} or {most}"
    return (
        f"{workers} workers trained it together: of each batch of {batch} every worker computed {each}, and the learning rate is "
        f"the recipe's, {training.learning_rate:g}."
    )


def _kept(result: TrainResult) -> str:
    """The epochs whose weights the model holds: `epoch 7`, `epochs 7, 5 and 9 of its members`."""
    epochs = [str(each.best_epoch) for each in result.fit.members]
    if len(epochs) > 1:
        return f"epochs {', '.join(epochs[:-1])} and {epochs[-1]} of its members"
    return f"epoch {result.fit.best_epoch}" if result.fit.best_epoch else "no epoch"


def member_rows(members: Members) -> list[list[str]]:
    """Titles, and a row for each member of an ensemble and for what they have together: one figure of val, all of test."""
    shown = [
        (part, key) for part in members.figures for key in members.titles if part != "val" or key == members.headline
    ]
    lengths = any(each.input_steps for each in members.members)
    titles = [
        "",
        "seed",
        *["input steps"] * lengths,
        "epoch",
        *(f"{members.titles[key]} on {part}" for part, key in shown),
    ]
    rows = [
        [name, str(each.seed), *[str(each.input_steps)] * lengths, str(each.best_epoch), *_cells(each.figures, shown)]
        for name, each in members.named()
    ]
    whole = [f"ensemble ({members.combine})", *[""] * (2 + lengths), *_cells(members.figures, shown)]
    return [titles, *rows, whole]


def _cells(figures: Figures, shown: Sequence[tuple[str, str]]) -> list[str]:
    return [figure(figures[part][key]) for part, key in shown]


def headline(test: Board) -> str:
    """`RMSE 337.3 kW, skill +0.056 against ridge`."""
    unit = f" {test.measured_in}" if test.measured_in else ""
    said = f"{test.titles[test.headline]} {figure(test.metrics()[test.headline])}{unit}"
    if test.compares != test.error:  # which is on another scale than the headline
        said += f", {test.compares} {figure(test.error_of())}"
    where = "" if test.part == "test" else "on validation: "
    return f"{where}{said}, {test.said(test.best_baseline)}"


def header(test: Board) -> list[str]:
    """Titles of the result table."""
    return ["", *test.columns.values(), "skill against it"]


def result_rows(test: Board) -> list[list[str]]:
    """The result table: forecaster, its figures, and the model's skill against it."""
    rows = []
    for name in test.names:
        skill = signed(test.skill_against(name)) if name != MODEL else ""
        cells = [figure(value) for value in test.metrics(name).values()]
        rows.append([name, *cells, skill])
    return rows


def judged_rows(judged: Comparison) -> list[list[str]]:
    """Titles, and a row for each figure of the detector and of each baseline; a dash where one is unknown."""
    figures = [judged.figures(name) for name in judged.judged]
    cells = [[title, *(figure(own.get(key, math.nan)) for own in figures)] for key, title in TITLES.items()]
    return [["", *judged.judged], *cells]


# MLflow draws the columns of a table without any space between them.
_GAP = "&nbsp;" * 3


def markdown_table(test: Board) -> list[str]:
    """`result_rows` in Markdown."""
    titles, *rows = ([for_markdown(cell) for cell in row] for row in (header(test), *result_rows(test)))
    return markdown_lines(titles, rows)


def markdown_lines(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, of cells in Markdown; all columns but the first are figures."""
    rule = ["---", *["---:"] * (len(titles) - 1)]
    rows = [[row[0], *(f"{_GAP}{cell}" for cell in row[1:])] for row in (titles, *cells)]
    return ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]


def count_of(number: int, thing: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def figure(value: float) -> str:
    """Four significant digits, no exponent for everyday sizes; a dash for NaN and infinity."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 9_999.5 else f"{value:.4g}"
