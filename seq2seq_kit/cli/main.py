"""The program `seq2seq-kit`: its arguments, its exit codes, and how errors and warnings are printed."""

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from seq2seq_kit import __version__
from seq2seq_kit.cli import backtesting, deploying, detecting, drafts, intervals, many, pages, replaying, rows, verbs
from seq2seq_kit.cli.packages import all_packages
from seq2seq_kit.cli.sweeping import add_sweep_options
from seq2seq_kit.cli.watching import add_watch
from seq2seq_kit.errors import ArgumentError, KitError, KitWarning
from seq2seq_kit.processes import begin_own, keep_own_folder
from seq2seq_kit.text import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: Json after the program's name; those of the process by default.

    Returns:
        0 done; 1 the run failed; 2 the recipe, data or call is wrong; 3 a difference; 130 interrupted (Ctrl-C, SIGTERM, SIGHUP).
    """
    options = _parser().parse_args(arguments)
    warnings.showwarning = lambda message, *rest: _show_warning(message)
    if arguments is None:  # a process of our own
        begin_own()
        keep_own_folder()
    try:
        with _ended_in_order(), _written_output(), all_packages():
            return int(options.verb(options) or 0)
    except KitError as error:
        if options.debug:
            raise
        advice = rows.advice_for_run(str(error), options)
        print(printable(f"error[{error.code}]: {error}{advice}", lines=True), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if options.debug:
            raise
        with suppress(OSError):  # the terminal may be closed
            print("interrupted", file=sys.stderr)
        return verbs.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has ended
        return 1


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: with its state in MLflow, its files and processes cleared away."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    # What was to be ignored (nohup) or is handled by somebody else is left so.
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _written_output() -> Iterator[None]:
    """What was printed must have been written, as a full disk is noticed only then."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:  # some other file
            raise
        with suppress(OSError, ValueError):  # Python would try once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        said = f"could not write to standard output: {error}. Free some space, or choose another place"
        raise ArgumentError(said, code="unwritable_file") from None


def _show_warning(message: Warning | str) -> None:
    code = f"[{message.code}]" if isinstance(message, KitWarning) else ""
    print(printable(f"warning{code}: {message}", lines=True), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seq2seq-kit", description="Recurrent sequence models by recipe: train, review in MLflow, predict."
    )
    parser.add_argument("--version", action="version", version=f"seq2seq-kit {__version__}")
    group = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    verb = _verb(group, "list", verbs.list_, "recipes and named data sets, or the newest runs")
    verb.add_argument("what", nargs="?", choices=["recipes", "data", "runs"], help="default: recipes and data")
    _tracking(verb)

    verb = _verb(group, "validate", verbs.validate, "check a recipe and its data, without training")
    _recipe(verb)

    verb = _verb(group, "init", drafts.init, "look at a table and write a recipe that trains on it")
    verb.add_argument("table", metavar="FILE", help="CSV or Parquet file, or a named data set")
    verb.add_argument("--task", help="forecast, autoencode, translate, tag or classify; default: what the table shows")
    verb.add_argument("--target", metavar="COLUMN", nargs="+", help="columns to predict; default: the best guess")
    verb.add_argument("--ahead", help="how far to forecast: rows (24) or a span (14d); default: one season")
    verb.add_argument("--series", metavar="COLUMN", nargs="+", help="columns that tell series apart")
    verb.add_argument("--known", metavar="COLUMN", nargs="+", help="columns known ahead, such as a plan")
    verb.add_argument("--out", metavar="RECIPE", help="file to write; default: the table's name with .yaml, here")
    _overrides(verb, "what is settled already, such as data.time_format=%%d/%%m/%%Y")
    verb.add_argument("--train", action="store_true", help="train the recipe at once")
    _tracking(verb)

    verb = _verb(
        group, "explain", verbs.explain, "layers, parameters, steps, kernels, time and memory, without training"
    )
    _recipe(verb)

    verb = _verb(group, "train", verbs.train, "train by recipe and log the run in MLflow, or resume a run")
    _recipe(verb, optional=True)
    verb.add_argument("--resume", metavar="RUN", help="resume the training of this run, which was cut short")
    verb.add_argument(
        "--start-from",
        metavar="RUN",
        help="begin with this run's weights and scaler (a run's id, or a bundle's folder)",
    )
    verb.add_argument("--report", metavar="FILE", help="write the run as one HTML page, too")
    verb.add_argument("--workers", type=int, default=1, help="members of an `ensemble` trained at a time; default: 1")
    _tracking(verb)

    verb = _verb(
        group, "sweep", verbs.sweep, "search a recipe's `sweep.space`, resume a sweep, or write its best recipe"
    )
    _recipe(verb, optional=True)
    add_sweep_options(verb)
    _tracking(verb)

    about = "forecast from past moments: how good, and whether to refit"
    backtesting.arguments(_verb(group, "backtest", backtesting.backtest, about))

    replaying.arguments(_verb(group, "replay", replaying.replay, replaying.ABOUT))
    add_watch(partial(_verb, group))

    verb = _verb(group, "predict", rows.predict, "forecast the steps after the newest rows; translate; tag; classify")
    _rows(verb, texts=True)
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--last", action="store_true", help="from the newest rows of each series (the default)")
    which.add_argument("--all-windows", action="store_true", help="from every window")
    verb.add_argument("--steps", type=int, help="rows to predict; default: as many as the model was trained for")
    verb.add_argument(
        "--future", metavar="FILE", help="values of the recipe's known_future columns for the steps ahead"
    )
    verb.add_argument("--beams", type=int, help="beam width of a translator; default: 1, greedy")
    verb.add_argument(
        "--baseline", metavar="NAME", help="a baseline of the run that predicts instead of the model: ridge"
    )
    intervals.predict_options(verb)

    verb = _verb(
        group,
        "encode",
        partial(rows.answer_windows, "encode"),
        "one row of latent values for each window of an autoencoder",
    )
    _rows(verb)
    _stride(verb)
    verb.add_argument(
        "--map", metavar="FILE", help="write a page with a map of the latent space (without --out only that)"
    )
    verb.add_argument("--map-by", choices=["pca", "umap"], default="pca", help="default: pca; umap is an extra")

    verb = _verb(group, "neighbours", rows.neighbours, "the windows most like the one at a time, by an autoencoder")
    _rows(verb, alone=True)
    _stride(verb)
    verb.add_argument("--at", metavar="TIME", help="a time, or the number of a row where rows have no time")
    verb.add_argument("--series", metavar="NAME", help="the series of that time; for whole sequences the sequence")
    verb.add_argument("-k", type=int, default=5, help="how many; default: 5")
    verb.add_argument(
        "--overlapping", action="store_true", help="let windows count that share rows with it or each other"
    )

    verb = _verb(
        group, "reconstruct", partial(rows.answer_windows, "reconstruct"), "reconstruct each window by an autoencoder"
    )
    _rows(verb)
    _stride(verb)

    verb = _verb(group, "score", partial(rows.answer_windows, "score"), "reconstruction error of each window")
    _rows(verb)
    _stride(verb)
    verb.add_argument("--by", choices=["window", "step"], default="window", help="a row for each window, or each step")

    verb = _verb(group, "detect", detecting.detect, "find events in new rows: when, how bad, which columns")
    _rows(verb, out="write the events (CSV or Parquet, or a folder)")
    verb.add_argument("--scores", metavar="FILE", help="write a score for every row, too (CSV or Parquet)")
    verb.add_argument(
        "--page", metavar="FILE", help="write a page to look at the events and to tune the threshold (HTML)"
    )
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--alarms-per-week", type=float, help="expected false alarms; default: the recipe's")
    which.add_argument("--threshold", type=float, help="score above which an event begins")
    detecting.take_labels(verb)
    verb.add_argument("--calibrate", metavar="FILE", help="usual rows, not trained on, to fit the detector on")
    verb.add_argument("--save", metavar="FOLDER", help="write the model with the detector that --calibrate fitted")

    verb = _verb(
        group, "evaluate", verbs.evaluate, "compute the result table again, on the run's test rows or on other data"
    )
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument("--data", metavar="FILE", help="rows as in `data.source`; default: the recipe's own test rows")
    detecting.take_labels(verb)
    verb.add_argument("--out", metavar="FILE", help="write every figure, by target, series and step (CSV or Parquet)")
    verb.add_argument("--beams", type=int, help="beam width of a translator; default: 1, greedy")
    verb.add_argument("--update", action="store_true", help="move the intervals by each value once it is known")
    _tracking(verb)

    verb = _verb(group, "calibrate", intervals.calibrate, "give the forecasts of a run intervals, without training")
    intervals.calibrate_options(verb)
    _tracking(verb)

    verb = _verb(group, "update", intervals.update, "move the intervals of a run by what became of its forecasts")
    intervals.update_options(verb)
    _tracking(verb)

    for name, take, run, about in (
        *deploying.VERBS,
        ("look", pages.look_arguments, pages.look, "write a page of a table: parts, gaps, odd cells, seasons"),
        ("report", pages.report_arguments, pages.report, "write a run as one HTML page, without MLflow and network"),
    ):
        take(_verb(group, name, run, about))

    verb = _verb(group, "ui", verbs.ui, "open MLflow's UI on the runs, on this machine only")
    verb.add_argument("--port", type=int, help="default: a free one")
    _tracking(verb)

    _verb(group, "schema", verbs.schema, "print the JSON Schema of recipes, for editors")
    return parser


def _verb(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    about: str,
) -> argparse.ArgumentParser:
    verb = group.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.set_defaults(verb=run)
    return verb


def _recipe(verb: argparse.ArgumentParser, *, optional: bool = False) -> None:
    verb.add_argument("recipe", metavar="RECIPE", nargs="?" if optional else None, help="YAML file")
    _overrides(verb, "such as training.epochs=5")


def _overrides(verb: argparse.ArgumentParser, about: str) -> None:
    verb.add_argument("--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help=about)


def _tracking(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def _rows(verb: argparse.ArgumentParser, *, texts: bool = False, out: str = "", alone: bool = False) -> None:
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    source = verb.add_mutually_exclusive_group(required=True) if texts else verb
    source.add_argument(
        "--data",
        metavar="FILE",
        required=not texts,
        help="rows with the recipe's columns: a file, or what else `data.source` may name",
    )
    if texts:
        source.add_argument(
            "--text", metavar="TEXT", action="append", help="a text to translate, tag or classify; may be repeated"
        )
    verb.add_argument("--out", metavar="FILE", help=out or "CSV (default: on standard output), Parquet, or a folder")
    if not alone:
        many.take_many(verb)
    _tracking(verb)


def _stride(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--stride", type=int, help="rows between windows; default: the recipe's window_stride")
