"""The verbs that read rows, put them through a trained model and write rows."""

import argparse
import sys
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

_LINES = (".tsv", ".txt", ".conll", ".conllu")  # may hold a token in each line instead of a table


def predict(options: argparse.Namespace) -> None:
    """Forecasts, translates or tags."""
    from seq2seq_kit.data import read_source

    bundle, rows = _loaded(options, "predict")
    given = {
        "future": read_source(options.future) if options.future else None,
        "all_windows": options.all_windows or None,
        "beams": options.beams,
        "steps": options.steps,
    }
    given = {name: value for name, value in given.items() if value is not None}
    strange = [name for name in given if name not in signature(bundle.predict).parameters]
    if strange:
        raise ArgumentError(
            f"a {bundle.recipe.task} model takes no --{strange[0].replace('_', '-')}. Leave it out, or name another run"
        )
    write_frame(bundle.predict(rows, origin=options.data or "--text", **given), options.out)


def encode(options: argparse.Namespace) -> None:
    """Latent values of windows."""
    bundle, frame = _loaded(options, "encode")
    write_frame(bundle.encode(frame, stride=options.stride, origin=options.data), options.out)


def reconstruct(options: argparse.Namespace) -> None:
    """What an autoencoder makes of windows."""
    bundle, frame = _loaded(options, "reconstruct")
    write_frame(bundle.reconstruct(frame, stride=options.stride, origin=options.data), options.out)


def score(options: argparse.Namespace) -> None:
    """Reconstruction errors."""
    bundle, frame = _loaded(options, "score")
    write_frame(bundle.score(frame, by=options.by, stride=options.stride, origin=options.data), options.out)


def _loaded(options: argparse.Namespace, verb: str) -> "tuple[Any, Any]":
    """The rows first: a wrong file is told before TensorFlow has loaded. Lines of tokens are read as the recipe says."""
    from seq2seq_kit.data import read_source

    check_ending(options.out)
    rows = getattr(options, "text", None)
    if rows is None and not options.data.lower().endswith(_LINES):
        rows = read_source(options.data)
    from seq2seq_kit.quiet import load_tensorflow

    load_tensorflow()
    from seq2seq_kit.runs import load

    bundle = load(options.run, tracking_uri=options.tracking_uri)
    if verb not in bundle.verbs:
        raise ArgumentError(f"a {bundle.recipe.task} model can {', '.join(bundle.verbs)}. Received: {verb}")
    if rows is None or (bundle.takes_texts and not isinstance(rows, list)):
        rows = bundle.read(options.data)
    if isinstance(rows, list):
        if not bundle.takes_texts:
            raise ArgumentError(f"a {bundle.recipe.task} model reads no --text. Give rows: --data FILE")
        return bundle, rows
    ignored = bundle.ignored_columns(rows)
    if ignored:
        print(f"note: columns of {options.data} that the model does not use: {', '.join(ignored)}", file=sys.stderr)
    return bundle, rows


def check_ending(out: str | None) -> None:
    """Refuses a file that cannot be written before anything is computed for it."""
    if out and Path(out).suffix.lower() not in (".csv", ".parquet", ".pq"):
        raise ArgumentError(f"--out must end in .csv or .parquet. Received: {out}")


def write_frame(frame: "pd.DataFrame", out: str | None) -> None:
    """To the screen, or to a file that is whole or not there."""
    for note in frame.attrs.get("notes", []):
        print(f"note: {note}", file=sys.stderr)
    if out is None:
        frame.to_csv(sys.stdout, index=False)
        return
    path = Path(out)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix.lower() == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ArgumentError(f"could not write {out}: {error}. Choose another --out") from None
    print(f"{len(frame):,} rows written to {out}", file=sys.stderr)
