"""The verbs on recipes and runs. Each calls one library function and prints; a program can do the same without the CLI."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.cli import rows
from seq2seq_kit.cli.detecting import print_judged
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq_kit.evaluation import Board
    from seq2seq_kit.evaluation.members import Members
    from seq2seq_kit.results import TrainResult

_TOLD = 3  # commands that `list runs` names
INTERRUPTED = 130  # what shells expect after Ctrl-C
_LONGEST_LINE = 300


def list_(options: argparse.Namespace) -> None:
    """Recipes and named data sets, or the newest runs."""
    from rich.console import Console

    from seq2seq_kit.cli.progress import print_line, print_table

    console = Console()
    if options.what == "runs":
        from seq2seq_kit.tracking.client import open_tracking
        from seq2seq_kit.tracking.store import local_store

        local = local_store(options.tracking_uri)
        runs = None
        if not (local and local.is_new):
            tracking = open_tracking(options.tracking_uri, create=False)
            tracking.close_dead()
            runs = tracking.runs()
        if runs is None or runs.empty:
            console.print("no runs yet; train one: seq2seq-kit train RECIPE")
            return
        runs["run"] = runs["run"].str[:8]
        commands = runs.pop("resume")
        cells = runs.map(str)
        print_table(console, list(cells.columns), cells.to_numpy().tolist(), title="Newest runs")
        for command in [each for each in commands if each][:_TOLD]:
            print_line(console, f"resume: {command}")
        return
    if options.what in (None, "recipes"):
        lines = [[str(path), _first_line(path)] for path in sorted(Path("recipes").glob("*.yaml"))]
        lines = lines or [["no recipes in ./recipes", ""]]
        print_table(console, ["recipe", "description"], lines, title="Recipes", figures=False)
    if options.what in (None, "data"):
        from seq2seq_kit.data import NAMED

        lines = [[name, named.about] for name, named in NAMED.items()]
        print_table(console, ["source", "description"], lines, title="Named data sets", figures=False)


def _first_line(path: Path) -> str:
    """What the first line of a recipe says; a folder, or what is no text, is shown without."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST_LINE).rstrip("\n")
    except OSError as error:
        return f"(cannot be read: {error.strerror})"
    except UnicodeDecodeError:
        return "(cannot be read: it is no UTF-8 text)"
    return line.lstrip("# ") if line.startswith("#") else ""


def validate(options: argparse.Namespace) -> None:
    """Checks a recipe and its data."""
    from seq2seq_kit import validation

    checked = validation.validate(options.recipe, overrides=options.overrides)
    windows = ", ".join(f"{count:,} {part}" for part, count in checked.windows.items())
    series = f", {len(checked.series)} series" if len(checked.series) > 1 else ""
    recipe = checked.recipe
    lines = [f"{options.recipe} is valid: {recipe.task}, {checked.rows:,} rows{series}; {checked.unit}: {windows}"]
    lines += [f"sweep: {recipe.sweep.describe()}"] if recipe.sweep else []
    lines += [f"{'!' if each.level == 'warning' else 'i'} {each.code}: {each}" for each in checked.findings]
    print("\n".join(map(printable, lines)))


def explain(options: argparse.Namespace) -> None:
    """Prints what a recipe would train."""
    from rich.console import Console

    from seq2seq_kit.quiet import load_tensorflow
    from seq2seq_kit.validation import resolve

    recipe = resolve(options.recipe, options.overrides)  # a wrong recipe is reported before TensorFlow is imported
    load_tensorflow()
    from seq2seq_kit import explanation
    from seq2seq_kit.cli.progress import print_explanation

    print_explanation(Console(), explanation.explain(recipe))


def train(options: argparse.Namespace) -> int:
    """Trains and logs a run, or resumes one."""
    from rich.console import Console

    from seq2seq_kit.cli.progress import TrainingConsole
    from seq2seq_kit.quiet import load_tensorflow
    from seq2seq_kit.reports.notes import shares_said
    from seq2seq_kit.tasks.cluster import cluster_here
    from seq2seq_kit.tracking.store import local_store
    from seq2seq_kit.validation import resolve

    if options.resume is None and options.recipe is None:
        raise ArgumentError("name a RECIPE to train, or a run to --resume", code="invalid_option")
    if options.start_from is not None:
        options.overrides = [*options.overrides, f"training.start_from={json.dumps(options.start_from)}"]
    if options.resume is not None and (options.recipe is not None or options.overrides):
        said = "--resume takes the recipe from the run. Leave RECIPE, --set and --start-from out"
        raise ArgumentError(said, code="invalid_option")
    # A wrong recipe is reported before TensorFlow is imported.
    recipe = None if options.recipe is None else resolve(options.recipe, options.overrides)
    local_store(options.tracking_uri)  # and so is a place that no store can have
    console = Console()
    load_tensorflow()
    from seq2seq_kit import resuming, runs

    if recipe is not None and (cluster := cluster_here()) and cluster.rank:
        from seq2seq_kit import joining

        with TrainingConsole(console) as reporter:
            joining.join(recipe, reporter=reporter, tracking_uri=options.tracking_uri)
        console.print(f"worker {cluster.rank} has done its share; worker 0 has the run", highlight=False)
        return 0
    with TrainingConsole(console) as reporter:
        how = {"tracking_uri": options.tracking_uri, "reporter": reporter, "workers": options.workers}
        result = resuming.resume(options.resume, **how) if recipe is None else runs.train(recipe, **how)
    _print_evaluation(console, result.board)
    if result.members:
        _print_members(console, result.members)
    if result.judged:
        print_judged(console, result.judged)
    if shared := shares_said(result):
        console.print(shared, highlight=False, soft_wrap=True)
    verb = result.bundle.verbs[0]
    console.print(f"run {result.run_id}  {result.seconds:.0f} s in all", highlight=False)
    console.print("  seq2seq-kit ui                                   review it", highlight=False, soft_wrap=True)
    console.print(
        f"  seq2seq-kit {verb} {result.run_id} --data new.csv --out {verb}.csv", highlight=False, soft_wrap=True
    )
    if getattr(result.bundle, "detector", None) is not None:
        command = f"seq2seq-kit detect {result.run_id} --data new.csv --out events.csv"
        console.print(f"  {command}", highlight=False, soft_wrap=True)
    if getattr(options, "report", None):
        from seq2seq_kit import reporting

        written = reporting.report(result.run_id, out=options.report, tracking_uri=options.tracking_uri)
        console.print(f"  {written}   the run as one page", highlight=False, markup=False, soft_wrap=True)
    interrupted = result.interrupted
    if interrupted:
        console.print(f"  seq2seq-kit train --resume {result.run_id}   train on", highlight=False, soft_wrap=True)
    if (peer := _better_baseline(result)) is not None:
        command = f"seq2seq-kit predict {result.run_id} --data new.csv --baseline {shlex.quote(peer)} --out predict.csv"
        console.print(f"  {command}   use {peer}, which does better", highlight=False, markup=False, soft_wrap=True)
    return INTERRUPTED if interrupted else 0


def _better_baseline(result: TrainResult) -> str | None:
    """The baseline that beats the model of a run, where `predict` can use it."""
    from seq2seq_kit.evaluation.diagnostics import TIE  # at the top it would slow down every command

    board, verb = result.board, getattr(result.bundle, result.bundle.verbs[0])
    if len(board.names) == 1 or "baseline" not in signature(verb).parameters or not board.skill < -TIE:
        return None
    return board.best_baseline


def sweep(options: argparse.Namespace) -> int:
    """Searches a recipe's space, resumes a sweep, or writes its best recipe."""
    from rich.console import Console

    from seq2seq_kit.recipe.loading import warn_of_searched
    from seq2seq_kit.validation import resolve

    if options.best:
        _write_best(options)
        return 0
    if options.out is not None:
        raise ArgumentError("--out is the file of --best. Add --best RUN, or leave it out", code="invalid_option")
    if options.recipe is None and options.resume is None:
        said = "name a RECIPE to sweep, a run to --resume, or one whose --best recipe to write"
        raise ArgumentError(said, code="invalid_option")
    recipe = resolve(options.recipe, options.overrides) if options.recipe else None
    if recipe is not None:
        warn_of_searched(recipe, options.overrides)
    from seq2seq_kit import sweeps
    from seq2seq_kit.cli.sweep_progress import SweepConsole, print_result

    if options.resume:
        overrides = () if recipe else options.overrides
        search = partial(sweeps.resume_sweep, options.resume, recipe=recipe, overrides=overrides)
    else:
        assert recipe is not None
        search = partial(sweeps.sweep, recipe)
    console = Console()
    with SweepConsole(console) as reporter:
        place = {name: getattr(options, name) for name in ("workers", "executor", "address")}
        result = search(**place, tracking_uri=options.tracking_uri, reporter=reporter)
    if result.winner is not None:
        _print_evaluation(console, result.winner.board)
        if result.winner.members:
            _print_members(console, result.winner.members)
    print_result(console, result)
    return INTERRUPTED if result.ended == "interrupted" else 0


def _write_best(options: argparse.Namespace) -> None:
    from seq2seq_kit.sweeps import best_recipe

    if options.recipe is not None or options.overrides:
        said = "--best takes the recipe from the run. Leave RECIPE and --set out"
        raise ArgumentError(said, code="invalid_option")
    found = best_recipe(options.best, out=options.out, tracking_uri=options.tracking_uri)
    if options.out is None:
        sys.stdout.write(found.text)
    else:
        print(
            f"{found.said}, written to {options.out}\ntrain it: seq2seq-kit train {shlex.quote(options.out)}",
            file=sys.stderr,
        )


def _print_evaluation(console: Console, board: Board) -> None:
    from seq2seq_kit.cli.progress import print_table, shown
    from seq2seq_kit.reports.notes import header, result_rows

    print_table(console, header(board), result_rows(board), title=board.title)
    if len(board.names) > 1:  # a model that was saved after a failure has no baselines
        best = board.best_baseline
        console.print(shown(f"{board.said(best)}, the best baseline: {board.about[best]}."))
    console.print(shown(board.units))


def _print_members(console: Console, members: Members) -> None:
    from seq2seq_kit.cli.progress import print_table
    from seq2seq_kit.reports.notes import member_rows

    titles, *cells = member_rows(members)
    print_table(console, titles, cells, title=members.title)


def evaluate(options: argparse.Namespace) -> None:
    """Computes the result table again."""
    from rich.console import Console

    from seq2seq_kit import judging, runs
    from seq2seq_kit.cli.progress import print_finding
    from seq2seq_kit.opening import load_quietly

    rows.check_ending(options.out)
    bundle = load_quietly(options.run, options.tracking_uri)
    evaluation = runs.evaluate(bundle, data=options.data, beams=options.beams, update=options.update)
    _print_evaluation(console := Console(), evaluation)
    judged = judging.judge(bundle, data=options.data, labels=options.labels)
    if judged:
        print_judged(console, judged)
        for finding in judged.findings():
            print_finding(console, finding)
    if options.out:
        rows.write_frame(evaluation.table(), options.out)


def ui(options: argparse.Namespace) -> None:
    """Serves MLflow's UI."""
    from seq2seq_kit.tracking.ui import open_ui

    say = partial(print, flush=True)
    with open_ui(tracking_uri=options.tracking_uri, port=options.port, say=say) as served:
        newest = f"\nnewest run: {served.newest_run}" if served.newest_run else ""
        say(f"open {served.address}{newest}\nCtrl-C ends it")
        served.wait()


def schema(options: argparse.Namespace) -> None:
    """Prints the JSON Schema of recipes."""
    from seq2seq_kit.tasks.editor_schema import json_schema

    print(json.dumps(json_schema(), indent=2))
