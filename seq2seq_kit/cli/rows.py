"""The verbs that read rows, apply a trained model and write rows."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.cli import many
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.text import printable

if TYPE_CHECKING:
    import pandas as pd

    from seq2seq_kit.bundles.base import Bundle
    from seq2seq_kit.bundles.encoding import EncodingBundle
    from seq2seq_kit.recipe.format import Format

_WHATEVER_THE_FORMAT = ("file_not_found",)
_OF_BYTES = ("utf-8", "utf8", "latin-1", "cp1252", "iso-8859-1", "ascii")  # in which lines can be cut off
_LINES = (".tsv", ".txt", ".conll", ".conllu")  # may hold a token in each line instead of a table


def predict(options: argparse.Namespace) -> int:
    """Forecasts, translates or tags."""
    if options.seed is not None and options.samples is None:
        raise ArgumentError("--seed is that of sample paths. Add --samples N, or leave it out", code="invalid_option")
    given: dict[str, object] = {
        "all_windows": options.all_windows or None,
        "beams": options.beams,
        "baseline": options.baseline,
        "steps": options.steps,
        "levels": options.levels,
        "quantiles": options.quantiles or None,
        "samples": options.samples,
        "seed": options.seed if options.samples is not None else None,
    }
    if many.wanted(options):
        return many.score("predict", options, given)
    bundle, rows = loaded(options, "predict")
    answer: Callable[..., pd.DataFrame] = bundle.predict
    given["future"] = bundle.read(options.future) if options.future else None
    given = {name: value for name, value in given.items() if value is not None}
    strange = [name.replace("_", "-") for name in given if name not in signature(answer).parameters]
    if strange:
        said = f"a {bundle.recipe.task} model takes no --{strange[0]}. Leave it out, or name another run"
        raise ArgumentError(said, code="invalid_option")
    write_frame(answer(rows, origin=options.data or "--text", **given), options.out)
    return 0


def answer_windows(verb: str, options: argparse.Namespace) -> int:
    """Encodes, reconstructs or scores windows."""
    check_page(getattr(options, "map", None), "--map")
    given = {"by": options.by} if verb == "score" else {}
    if many.wanted(options):
        return many.score(verb, options, given | {"stride": options.stride})
    bundle, frame = loaded(options, verb)
    answer: Callable[..., pd.DataFrame] = getattr(bundle, verb)
    if drawn := getattr(options, "map", None):
        encoding, rows = _encoding(bundle, frame)
        mapped = encoding.latent_map(rows, method=options.map_by, stride=options.stride, origin=options.data)
        print(f"wrote {mapped.save(drawn)}", file=sys.stderr)
        if options.out is None:
            return 0
    write_frame(answer(frame, stride=options.stride, origin=options.data, **given), options.out)
    return 0


def neighbours(options: argparse.Namespace) -> None:
    """Finds the windows or sequences most like a given one."""
    bundle, frame = _encoding(*loaded(options, "neighbours"))
    found = bundle.neighbours(
        frame,
        at=options.at,
        series=options.series,
        k=options.k,
        overlapping=options.overlapping,
        stride=options.stride,
        origin=options.data,
    )
    write_frame(found, options.out)


def _encoding(bundle: Bundle, rows: pd.DataFrame | list[str]) -> tuple[EncodingBundle, pd.DataFrame]:
    """The same, of a model that has the verb `encode`."""
    from seq2seq_kit.bundles.encoding import EncodingBundle

    assert isinstance(bundle, EncodingBundle)
    assert not isinstance(rows, list)
    return bundle, rows


def loaded(options: argparse.Namespace, verb: str) -> tuple[Bundle, pd.DataFrame | list[str]]:
    """The model and its rows.

    A table is read first: a wrong file is reported before TensorFlow is imported. Lines of tokens are read as the recipe says.
    """
    from seq2seq_kit.data import read_source
    from seq2seq_kit.recipe.source_rules import is_database

    check_ending(options.out)
    rows: pd.DataFrame | list[str] | None = getattr(options, "text", None)
    unread: DataError | None = None
    # A database is read by the recipe's query.
    if rows is None and not options.data.lower().endswith(_LINES) and not is_database(options.data):
        try:
            rows = read_source(options.data)
        except DataError as error:
            if error.code in _WHATEVER_THE_FORMAT:
                raise
            unread = error
    from seq2seq_kit.bundles.base import format_of
    from seq2seq_kit.opening import load_quietly

    bundle = load_quietly(options.run, options.tracking_uri)
    if verb not in bundle.verbs:
        said = f"a {bundle.recipe.task} model can {', '.join(bundle.verbs)}. Received: {verb}"
        raise ArgumentError(said, code="not_supported")
    formatted = bool(format_of(bundle.recipe).given)
    if unread and not formatted:
        raise unread
    # Once more where pandas would guess what is to be read as it is written, or as the recipe says.
    if rows is None or ((bundle.takes_texts or bundle.as_written or formatted) and not isinstance(rows, list)):
        try:
            rows = bundle.read(options.data)
        except DataError as error:
            raise DataError(
                f"{error}{_advice_for_lines(options.data, format_of(bundle.recipe))}", code=error.code
            ) from None
    if isinstance(rows, list):
        if not bundle.takes_texts:
            said = f"a {bundle.recipe.task} model reads no --text. Give rows: --data FILE"
            raise ArgumentError(said, code="invalid_option")
        return bundle, rows
    ignored = bundle.ignored_columns(rows)
    if len(ignored) == rows.shape[1] and (advice := _advice_for_lines(options.data, format_of(bundle.recipe))):
        raise DataError(f"{options.data} has none of the model's columns{advice}", code="missing_column")
    if ignored:
        said = f"note: columns of {options.data} that the model does not use: {', '.join(ignored)}"
        print(printable(said), file=sys.stderr)
    return bundle, rows


def advice_for_run(said: str, options: argparse.Namespace) -> str:
    """What to do about a file that asks for keys of a recipe where that is a finished run's; empty for other messages.

    Args:
        said: The message, which names keys of `data.format`.
        options: Of the command line.
    """
    data, told = getattr(options, "data", None), said.partition("Set in the recipe: ")[2]
    found = re.findall(r"data\.format\.(delimiter|decimal|thousands|encoding): ('[^']*'|\"[^\"]*\"|[\w-]+)", told)
    if not found or not getattr(options, "run", None) or not isinstance(data, str) or not said.startswith(data):
        return ""
    special = {"tab": "'\\t'", "whitespace": "r'\\s+'"}
    values = [(key, value.strip(value[0]) if value[0] in "'\"" else value) for key, value in found]
    keys = [f"{'sep' if key == 'delimiter' else key}={special.get(value, repr(value))}" for key, value in values]
    return (
        ". The run is trained and its recipe stays as it is: write the file as the training rows are written, with commas and "
        f"points by pandas.read_csv({', '.join([repr(data), *keys])}).to_csv('new.csv', index=False), and give --data new.csv"
    )


def _advice_for_lines(data: str, form: Format) -> str:
    """What to do about a file with more or fewer lines above its names than the training rows had; empty for others."""
    from seq2seq_kit.data.sources.files import PACKED, is_file
    from seq2seq_kit.data.tables.dialect import detect

    path = Path(data)
    if (
        form.header_row <= 1
        or not is_file(path)
        or path.suffix.lower() in PACKED
        or form.encoding.lower() not in _OF_BYTES
    ):
        return ""
    own = {key: value for key, value in form.given.items() if key not in ("header_row", "first_row", "footer_rows")}
    try:
        line = detect(path, own).format.header_row
    except DataError:
        return ""
    more = line - form.header_row
    if not line or not more:
        return ""
    content = f"pathlib.Path({data!r}).read_bytes()"
    turned = f"b''.join({content}.splitlines(True)[{more}:])" if more > 0 else f"b'\\n' * {-more} + {content}"
    new = f"new{path.suffix}"
    return (
        f". The run is trained and its recipe stays as it is: the names of its rows stood in line {form.header_row}, here it is "
        f"line {line}. {'Cut lines above them' if more > 0 else 'Add lines above them'}: "
        f"pathlib.Path({new!r}).write_bytes({turned}), and give --data {new}"
    )


def check_ending(out: str | None, option: str = "--out") -> None:
    """Refuses a file type that cannot be written before anything is computed for it."""
    if out and Path(out).suffix.lower() not in (".csv", ".parquet", ".pq"):
        raise ArgumentError(f"{option} must end in .csv or .parquet. Received: {out}", code="invalid_option")


def check_page(out: str | None, option: str) -> None:
    """Refuses a page that no browser would open as one, before anything is computed for it."""
    if out and Path(out).suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"{option} must end in .html. Received: {out}", code="invalid_option")


def write_frame(frame: pd.DataFrame, out: str | None) -> None:
    """Writes to standard output, or to a file, whole or not at all."""
    for note in frame.attrs.get("notes", []):
        print(printable(f"note: {note}"), file=sys.stderr)
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
        said = f"could not write {out}: {error}. Choose another --out"
        raise ArgumentError(said, code="unwritable_file") from None
    print(f"{len(frame):,} rows written to {out}", file=sys.stderr)
