"""The verbs. Each parses, calls one library function and prints; nothing happens here that a program could not do."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit import __version__
from seq2seq_kit.cli import rows as cli_rows
from seq2seq_kit.errors import ArgumentError, KitError

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq_kit.evaluation import Board

_INTERRUPTED = 130  # what shells expect after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: Words after the program's name; those of the process by default.

    Returns:
        0 done; 1 the run failed; 2 the recipe, the data or the call is wrong; 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    warnings.showwarning = lambda message, *rest: print(f"warning: {message}", file=sys.stderr)
    try:
        return int(options.verb(options) or 0)
    except KitError as error:
        if options.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody to tell
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seq2seq-kit", description="Recurrent sequence models by recipe: train, review in MLflow, predict."
    )
    parser.add_argument("--version", action="version", version=f"seq2seq-kit {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    verb = _verb(verbs, "list", _list, "recipes and data sets at hand, or the newest runs")
    verb.add_argument("what", nargs="?", choices=["recipes", "data", "runs"], help="default: recipes and data")
    _tracking(verb)

    verb = _verb(verbs, "validate", _validate, "check a recipe and its data, without training")
    _recipe(verb)

    verb = _verb(verbs, "explain", _explain, "layers, parameters, steps, kernels, time and memory, without training")
    _recipe(verb)

    verb = _verb(verbs, "train", _train, "train by recipe and log the run in MLflow")
    _recipe(verb)
    _tracking(verb)

    verb = _verb(verbs, "sweep", _sweep, "search a recipe's `sweep.space`, resume a sweep, or write its best recipe")
    _recipe(verb, optional=True)
    verb.add_argument("--workers", type=int, help="trials at a time, each in a process of its own; default: the cores")
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--resume", metavar="RUN", help="go on with the sweep of this run")
    which.add_argument("--best", metavar="RUN", help="write the best recipe of the sweep of this run")
    verb.add_argument("--out", metavar="FILE", help="where --best writes to; default: the screen")
    _tracking(verb)

    verb = _verb(verbs, "predict", cli_rows.predict, "forecast the steps after the newest rows; translate; tag")
    _rows(verb, texts=True)
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--last", action="store_true", help="from the newest rows of each series (the default)")
    which.add_argument("--all-windows", action="store_true", help="from every window")
    verb.add_argument("--steps", type=int, help="rows to predict; default: as many as the model was trained for")
    verb.add_argument(
        "--future", metavar="FILE", help="values of the recipe's known_future columns for the steps ahead"
    )
    verb.add_argument("--beams", type=int, help="beginnings that a translator keeps at each step; default: 1, greedy")

    verb = _verb(verbs, "encode", cli_rows.encode, "one row of latent values for each window of an autoencoder")
    _rows(verb)
    _stride(verb)

    verb = _verb(verbs, "reconstruct", cli_rows.reconstruct, "what an autoencoder makes of each window")
    _rows(verb)
    _stride(verb)

    verb = _verb(verbs, "score", cli_rows.score, "reconstruction error of each window")
    _rows(verb)
    _stride(verb)
    verb.add_argument("--by", choices=["window", "step"], default="window", help="a row for each window, or each step")

    verb = _verb(verbs, "evaluate", _evaluate, "repeat the result table, on the run's test rows or on other data")
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument("--data", metavar="FILE", help="CSV or Parquet; default: the recipe's own test rows")
    verb.add_argument("--out", metavar="FILE", help="write every figure, by target, series and step (CSV or Parquet)")
    verb.add_argument("--beams", type=int, help="beginnings that a translator keeps at each step; default: 1, greedy")
    _tracking(verb)

    verb = _verb(verbs, "ui", _ui, "open MLflow's UI on the runs, on this machine only")
    verb.add_argument("--port", type=int, help="default: a free one")
    _tracking(verb)

    _verb(verbs, "schema", _schema, "print the JSON Schema of recipes, for editors")
    return parser


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    about: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.set_defaults(verb=run)
    return verb


def _recipe(verb: argparse.ArgumentParser, *, optional: bool = False) -> None:
    verb.add_argument("recipe", metavar="RECIPE", nargs="?" if optional else None, help="YAML file")
    verb.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="such as training.epochs=5"
    )


def _tracking(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def _rows(verb: argparse.ArgumentParser, *, texts: bool = False) -> None:
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    source = verb.add_mutually_exclusive_group(required=True) if texts else verb
    source.add_argument("--data", metavar="FILE", required=not texts, help="file with the recipe's columns")
    if texts:
        source.add_argument(
            "--text", metavar="TEXT", action="append", help="a text to translate or tag; may be repeated"
        )
    verb.add_argument("--out", metavar="FILE", help="CSV or Parquet; default: CSV to the screen")
    _tracking(verb)


def _stride(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--stride", type=int, help="rows between windows; default: the recipe's window_stride")


def _list(options: argparse.Namespace) -> None:
    from rich.console import Console

    from seq2seq_kit.cli.progress import print_table

    console = Console()
    if options.what == "runs":
        from seq2seq_kit.tracking.client import open_tracking
        from seq2seq_kit.tracking.store import local_store

        local = local_store(options.tracking_uri)
        runs = None if local and local.is_new else open_tracking(options.tracking_uri, create=False).runs()
        if runs is None or runs.empty:
            console.print("no runs yet; train one: seq2seq-kit train RECIPE")
            return
        runs["run"] = runs["run"].str[:8]
        cells = runs.map(str)
        print_table(console, list(cells.columns), cells.to_numpy().tolist(), title="Newest runs")
        return
    if options.what in (None, "recipes"):
        found = sorted(Path("recipes").glob("*.yaml"))
        rows = [[str(path), _first_line(path)] for path in found]
        print_table(
            console, ["recipe", "what it does"], rows or [["none in ./recipes", ""]], title="Recipes", figures=False
        )
    if options.what in (None, "data"):
        from seq2seq_kit.data import NAMED

        rows = [[name, named.about] for name, named in NAMED.items()]
        print_table(console, ["source", "what it is"], rows, title="Named data sets", figures=False)


def _first_line(path: Path) -> str:
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.lstrip("# ") if line.startswith("#") else ""


def _validate(options: argparse.Namespace) -> None:
    from seq2seq_kit.validation import validate

    checked = validate(options.recipe, overrides=options.overrides)
    windows = ", ".join(f"{count:,} {part}" for part, count in checked.windows.items())
    series = f", {len(checked.series)} series" if len(checked.series) > 1 else ""
    print(f"{options.recipe} is valid: {checked.recipe.task}, {checked.rows:,} rows{series}; {checked.unit}: {windows}")
    if checked.recipe.sweep:
        print(f"sweep: {checked.recipe.sweep.describe()}")
    for finding in checked.findings:
        print(f"{'!' if finding.level == 'warning' else 'i'} {finding}")


def _explain(options: argparse.Namespace) -> None:
    from rich.console import Console

    from seq2seq_kit.quiet import load_tensorflow
    from seq2seq_kit.validation import resolve

    recipe = resolve(options.recipe, options.overrides)  # a wrong recipe is told before TensorFlow has loaded
    load_tensorflow()
    from seq2seq_kit.cli.progress import print_explanation
    from seq2seq_kit.explanation import explain

    print_explanation(Console(), explain(recipe))


def _train(options: argparse.Namespace) -> int:
    from rich.console import Console

    from seq2seq_kit.cli.progress import TrainingConsole
    from seq2seq_kit.quiet import load_tensorflow
    from seq2seq_kit.validation import resolve

    recipe = resolve(options.recipe, options.overrides)  # a wrong recipe is told before TensorFlow has loaded
    console = Console()
    load_tensorflow()
    from seq2seq_kit.runs import train

    with TrainingConsole(console) as reporter:
        result = train(recipe, tracking_uri=options.tracking_uri, reporter=reporter)
    _print_evaluation(console, result.test)
    verb = result.bundle.verbs[0]
    console.print(f"run {result.run_id}  {result.seconds:.0f} s in all", highlight=False)
    console.print("  seq2seq-kit ui                                   review it", highlight=False, soft_wrap=True)
    console.print(
        f"  seq2seq-kit {verb} {result.run_id} --data new.csv --out {verb}.csv", highlight=False, soft_wrap=True
    )
    return _INTERRUPTED if result.fit.ended == "interrupted" else 0


def _sweep(options: argparse.Namespace) -> int:
    from rich.console import Console

    from seq2seq_kit.validation import resolve

    if options.best:
        _write_best(options)
        return 0
    if options.out is not None:
        raise ArgumentError("--out says where --best writes to. Add --best RUN, or leave it out")
    if options.recipe is None and options.resume is None:
        raise ArgumentError("name a RECIPE to sweep, a run to --resume, or one whose --best recipe to write")
    recipe = resolve(options.recipe, options.overrides) if options.recipe else None
    from seq2seq_kit.cli.sweep_progress import SweepConsole, print_result
    from seq2seq_kit.sweeps import resume_sweep, sweep

    console = Console()
    with SweepConsole(console) as reporter:
        shared: dict[str, Any] = {
            "workers": options.workers,
            "tracking_uri": options.tracking_uri,
            "reporter": reporter,
        }
        if options.resume:
            result = resume_sweep(
                options.resume, recipe=recipe, overrides=() if recipe else options.overrides, **shared
            )
        else:
            assert recipe is not None
            result = sweep(recipe, **shared)
    if result.winner is not None:
        _print_evaluation(console, result.winner.test)
    print_result(console, result)
    return _INTERRUPTED if result.ended == "interrupted" else 0


def _write_best(options: argparse.Namespace) -> None:
    from seq2seq_kit.sweeps import best_recipe

    if options.recipe is not None or options.overrides:
        raise ArgumentError("--best takes the recipe from the run. Leave RECIPE and --set out")
    found = best_recipe(options.best, out=options.out, tracking_uri=options.tracking_uri)
    if options.out is None:
        sys.stdout.write(found.text)
    else:
        print(f"{found.said}, written to {options.out}\ntrain it: seq2seq-kit train {options.out}", file=sys.stderr)


def _print_evaluation(console: "Console", board: "Board") -> None:
    from seq2seq_kit.cli.progress import print_table
    from seq2seq_kit.reports.notes import header, result_rows, signed

    print_table(console, header(board), result_rows(board), title=board.title)
    if len(board.names) > 1:  # a model that was put aside after a failure has no baselines
        best = board.best_baseline
        said = f"skill {signed(board.skill)} against the best baseline, {best} ({board.about[best]})."
        console.print(said, highlight=False)
    console.print(board.units, highlight=False)


def _evaluate(options: argparse.Namespace) -> None:
    from rich.console import Console

    from seq2seq_kit.quiet import load_tensorflow

    cli_rows.check_ending(options.out)
    load_tensorflow()
    from seq2seq_kit.runs import evaluate

    evaluation = evaluate(options.run, data=options.data, beams=options.beams, tracking_uri=options.tracking_uri)
    _print_evaluation(Console(), evaluation)
    if options.out:
        cli_rows.write_frame(evaluation.table(), options.out)


def _ui(options: argparse.Namespace) -> None:
    from seq2seq_kit.tracking.ui import open_ui

    with open_ui(tracking_uri=options.tracking_uri, port=options.port, say=lambda text: print(text, flush=True)) as ui:
        newest = f"\nnewest run: {ui.newest_run}" if ui.newest_run else ""
        print(f"open {ui.address}{newest}\nCtrl-C ends it", flush=True)
        ui.wait()


def _schema(options: argparse.Namespace) -> None:
    from seq2seq_kit.tasks.registry import json_schema

    print(json.dumps(json_schema(), indent=2))
