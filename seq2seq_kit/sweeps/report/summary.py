"""The summary of a sweep in Markdown: the best trial and its margin, importances, ranges to widen, cost, next steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from seq2seq_kit.reports.notes import count_of, figure, markdown_lines
from seq2seq_kit.sweeps.report.importance import HARDLY, Importances
from seq2seq_kit.sweeps.report.range_edges import edge_hints
from seq2seq_kit.sweeps.trials import Direction, Trial, best_of, epoch_of, ranked, short_keys, text_of
from seq2seq_kit.text import code_in_markdown, for_markdown

if TYPE_CHECKING:
    from seq2seq_kit.recipe.sweep import Knob

Ended = Literal["done", "max_minutes", "interrupted", "exhausted"]
_ENDED = {
    "done": "all trials were made",
    "max_minutes": "its `max_minutes` were over",
    "interrupted": "it was interrupted, so the test rows were not evaluated",
}
# Why each tuner has nothing left to try; a random one gives up after some repetitions.
_EXHAUSTED = {
    "grid": "every recipe of the space was tried",
    "hyperband": "Hyperband had nothing more to try",
}
_EXHAUSTED_OTHERWISE = "the tuner found no recipe that it had not tried"
_SHOWN_TRIALS, _SHOWN_KEYS, _SHOWN_REASONS = 5, 6, 5
_VIEW = "workflowType=machine_learning"  # MLflow opens its view for language models without it
# R2 on unseen trials from which a forest's shares are reliable, or rough.
_FIRM, _LOOSE = 0.7, 0.3


def describe_sweep(
    *,
    name: str,
    trials: Sequence[Trial],
    knobs: Sequence[Knob],
    metric: str,
    direction: Direction,
    importances: Importances,
    ended: Ended,
    seconds: float,
    run_id: str,
    tuner: str,
    part: str = "fold",
    fits: int | None = None,
    verb: str = "predict",
    board: Sequence[str] = (),
    judged: str = "test",
    accepts: Callable[[str, object], bool] | None = None,
    experiment: str = "",
) -> str:
    """The note of a sweep's run.

    Args:
        name: Of the recipe.
        trials: In any order; trial 1 is the recipe as it stands.
        knobs: The space.
        metric, direction: The objective.
        importances: Of the same trials.
        ended, seconds: Why the sweep ended, and its wall time.
        run_id: MLflow run of the sweep.
        tuner: KerasTuner's name: random, bayesian, hyperband, grid.
        part, fits: Whether scores are by `fold` or by `origin`, and how many fits a trial has; default: one for each.
        verb: The first command of the winner's bundle.
        board: Lines of Markdown that compare the winner with the baselines.
        judged: The part that they are of.
        accepts: Whether the winner's recipe would be valid with this value at this key, called before one is suggested.
            Without it, only what holds for all recipes is known: rates below 1, counts from 1, no change of sign.
        experiment: Id of the MLflow experiment; with it, the trials are links inside MLflow's pages.

    Returns:
        Markdown; without a winner if no trial has finished.
    """
    best = best_of(trials, direction)
    lines = [f"## {name}: {_headline(best, metric)}", ""]
    if best:
        own = next((trial for trial in trials if trial.number == 1), None)
        lines += [_compared(best, own, metric, direction, part), ""]
        lines += [*_table(trials, knobs, metric, direction, importances, experiment), ""]
        lines += [*_over_parts(best, part), *_all_trials(run_id, experiment, direction)]
    if board:
        lines += [f"### The winner on the {judged} rows", "", *board, ""]
    if best:
        lines += ["### What mattered", "", *_mattered(importances), ""]
    widen = edge_hints(best, knobs, importances.shares, accepts=accepts) if best else []
    # Hyperband gives its trials their epochs; trial 1 has the recipe's own.
    where = "`max_epochs`" if best and tuner == "hyperband" and best.number != 1 else "`training.epochs`"
    if best and _ends_last(best, trials, fits) and not any(line.startswith(where) for line in widen):
        widen.append(
            f"the best epoch, {best.best_epoch}, is the last one that was trained: allow more epochs ({where})"
        )
    if widen:
        lines += ["### What to widen", "", *(f"- {line}" for line in widen), ""]
    lines += ["### What it took", "", _spent(trials, ended, seconds, tuner), *_failures(trials), ""]
    return "\n".join([*lines, "### Next steps", "", *_next_steps(trials, best, run_id, verb, ended)])


def describe_beginning(name: str, run_id: str) -> str:
    """The note of a sweep that has no result yet, as one that was killed keeps it. Markdown."""
    return "\n".join(
        [
            f"## {name}: a sweep without a result so far",
            "",
            "It is running, it was killed, or it ended in an error, which the tag `error` holds. Its trials are the runs below "
            "it; those that have finished are kept.",
            "",
            f"- resume it: `seq2seq-kit sweep --resume {run_id}`",
            f"- the best recipe so far: `seq2seq-kit sweep --best {run_id} --out best.yaml`",
        ]
    )


def _headline(best: Trial | None, metric: str) -> str:
    if best is None:
        return "no trial has finished"
    return f"{metric} {_scored(best)}, trial {best.number}"


def _scored(trial: Trial) -> str:
    assert trial.score is not None
    return figure(trial.score) + (f" ± {figure(trial.spread)}" if trial.spread is not None else "")


def _compared(best: Trial, own: Trial | None, metric: str, direction: Direction, part: str) -> str:
    """The winner's values, and how much better than the recipe as it stands."""
    values = ", ".join(f"{code_in_markdown(key)} {_cell(value)}" for key, value in best.values.items())
    if own is best:
        return f"No trial was better than the recipe as it stands ({values})."
    winner = f"Trial {best.number}: {values}."
    if own is None or own.score is None or best.score is None:
        why = f": {for_markdown(_first_line(own.reason))}" if own and own.reason else ""
        return f"{winner} The recipe as it stands has no {metric} to compare with{why}."
    margin = own.score - best.score if direction == "min" else best.score - own.score
    per_cent = f" ({abs(100 * margin / own.score):.1f} %)" if own.score else ""
    return (
        f"{winner} The recipe as it stands has {metric} {_scored(own)}; the winner is better by "
        f"{figure(margin)}{per_cent}.{_noise(best, own, margin, direction, part)}"
    )


def _noise(best: Trial, own: Trial, margin: float, direction: Direction, part: str) -> str:
    """The margin beside its spread over the folds or origins; empty without them."""
    if len(best.folds) < 2:
        return ""
    if len(own.folds) != len(best.folds):
        spread, what = best.spread, "the spread of its score"
    else:
        # Both were judged on the same rows, and a hard fold is hard for both: what counts is how the margin varies.
        sign = 1 if direction == "min" else -1
        margins = [sign * (theirs - its) for its, theirs in zip(best.folds, own.folds, strict=True)]
        margin, spread, what = fmean(margins), stdev(margins), "the spread of the margin"
        won = sum(each > 0 for each in margins)
        what = f"it is better in {won} of {count_of(len(margins), part)}, and {what}"
    assert spread is not None
    if margin < spread:
        return f" **That may be noise**: {what} over the {part}s is {figure(spread)}, more than the margin."
    return f" Over the {part}s, {what} is {figure(spread)}."


def _table(
    trials: Sequence[Trial],
    knobs: Sequence[Knob],
    metric: str,
    direction: Direction,
    importances: Importances,
    experiment: str,
) -> list[str]:
    """The best trials, and the recipe as it stands below them if it is none of them."""
    order = [*importances.shares, *(knob.key for knob in knobs if knob.key not in importances.shares)]
    keys, titles = order[:_SHOWN_KEYS], short_keys([knob.key for knob in knobs])
    order_of = ranked(trials, direction)
    shown = order_of[:_SHOWN_TRIALS]
    shown += [trial for trial in order_of[_SHOWN_TRIALS:] if trial.number == 1]
    rows = [
        [
            f"{_linked(trial, experiment)}{' (as it stands)' if trial.number == 1 else ''}",
            _scored(trial),
            epoch_of(trial),
            *(_cell(trial.values[key]) if key in trial.values else "" for key in keys),
        ]
        for trial in shown
    ]
    more = [f"The {_SHOWN_KEYS} most important of {len(knobs)} keys."] if len(knobs) > _SHOWN_KEYS else []
    lines = markdown_lines(["trial", metric, "best epoch", *(for_markdown(titles[key]) for key in keys)], rows)
    return [*lines, *(["", *more] if more else [])]


def _linked(trial: Trial, experiment: str) -> str:
    """The trial's number, a link to its run where MLflow shows the note."""
    if not experiment or not trial.run_id:
        return str(trial.number)
    return f"[{trial.number}](#/experiments/{experiment}/runs/{trial.run_id}?{_VIEW})"


def _all_trials(run_id: str, experiment: str, direction: Direction) -> list[str]:
    """Links to MLflow's own pages of the trials: MLflow folds them away below the sweep, by age."""
    if not experiment:
        return []
    below = quote(f"tags.`mlflow.parentRunId` = '{run_id}'")
    order = f"orderByKey={quote('metrics.`sweep/objective`')}&orderByAsc={'true' if direction == 'min' else 'false'}"
    page = f"#/experiments/{experiment}/runs?{_VIEW}&searchFilter={below}&{order}"
    links = f"All trials: [the best first]({page}), [their curves]({page}&compareRunsMode=CHART)"
    return [f"{links}; figures: `sweep/` under Artifacts.", ""]


def _over_parts(best: Trial, part: str) -> list[str]:
    count = f"{count_of(len(best.folds), part)} ± standard deviation"
    if not best.folds:
        return []
    if part == "origin":
        return [
            f"Errors at {count}; the best epoch is the last fit's. The winner is trained on the recipe's own split.",
            "",
        ]
    return [f"Means over {count}; best epoch, weights and fit are those of the last fold.", ""]


def _cell(value: object) -> str:
    return for_markdown(text_of(value))


def _mattered(importances: Importances) -> list[str]:
    """The shares, and how reliable they are."""
    if not importances.shares:
        return [f"Not known: {importances.why}."]
    assert importances.r2 is not None
    telling = {key: share for key, share in importances.shares.items() if share >= HARDLY}
    lines = []
    for key, share in telling.items():
        lean = f"; {importances.leanings[key]} values did better" if key in importances.leanings else ""
        lines.append(f"- {code_in_markdown(key)}: {100 * share:.0f} % (± {100 * importances.spreads[key]:.0f}){lean}")
    idle = [code_in_markdown(key) for key in importances.shares if key not in telling]
    if idle:
        lines.append(f"- hardly, under {100 * HARDLY:.0f} % each: {', '.join(idle)}")
    trust = (
        "reliable" if importances.r2 >= _FIRM else "rough" if importances.r2 >= _LOOSE else "unreliable, a hint only"
    )
    r2 = f"R2 {importances.r2:.2f} on trials that it did not see"
    count = count_of(importances.finished, "finished trial")
    return [*lines, "", f"Shares of what a forest on {count} knows about the objective ({r2}: {trust})."]


def _ends_last(best: Trial, trials: Sequence[Trial], fits: int | None) -> bool:
    longest = max(t.epochs / (fits or max(len(t.folds), 1)) for t in trials if t.state == "finished")
    return best.best_epoch is not None and best.best_epoch >= longest


def _spent(trials: Sequence[Trial], ended: Ended, seconds: float, tuner: str) -> str:
    states = ("finished", "pruned", "failed", "cut", "running")
    counts = [(sum(trial.state == state for trial in trials), state) for state in states]
    told = ", ".join(f"{count} {state}" for count, state in counts if count or state == "finished")
    epochs = count_of(sum(trial.epochs for trial in trials), "epoch")
    how = _EXHAUSTED.get(tuner, _EXHAUSTED_OTHERWISE) if ended == "exhausted" else _ENDED[ended]
    return f"{tuner}, {count_of(len(trials), 'trial')} ({told}) in {_time(seconds)}, {epochs} in all; {how}."


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _failures(trials: Sequence[Trial]) -> list[str]:
    """Failed trials by reason, the most frequent first; reasons that differ only in numbers are one."""
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.state == "failed":
            groups.setdefault(re.sub(r"\d[\d.,]*", "#", _first_line(trial.reason)), []).append(trial)
    if not groups:
        return []
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = []
    for group in ordered[:_SHOWN_REASONS]:
        numbers = ", ".join(str(trial.number) for trial in group[:8]) + (" ..." if len(group) > 8 else "")
        reason = _first_line(group[0].reason) or "no reason is known"
        lines.append(f"- failed: {for_markdown(reason)} ({count_of(len(group), 'trial')}: {numbers})")
    rest = sum(map(len, ordered[_SHOWN_REASONS:]))
    return ["", *lines, *([f"- failed for other reasons: {count_of(rest, 'trial')}"] if rest else [])]


def _first_line(reason: str) -> str:
    return reason.strip().partition("\n")[0].rstrip(".")


def _next_steps(trials: Sequence[Trial], best: Trial | None, run_id: str, verb: str, ended: Ended) -> list[str]:
    steps = []
    if best:
        steps += [
            f"- the winner's recipe: `seq2seq-kit sweep --best {run_id} --out best.yaml`",
            f"- use the winner: `seq2seq-kit {verb} {run_id} --data new.csv --out {verb}.csv`",
        ]
    else:
        steps.append("- the reasons above say what to change; a smaller space or fewer units often helps")
    if ended in ("max_minutes", "interrupted") or any(trial.state in ("cut", "running") for trial in trials):
        steps.append(f"- finish the sweep: `seq2seq-kit sweep --resume {run_id}`")
    return steps
