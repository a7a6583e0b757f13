"""What a file of text looks like: its `data.format`, told from its bytes, and why.

What a program writes (commas, points, UTF-8) gives an empty format. Nothing ambiguous is guessed: it is refused with the key that
settles it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from seq2seq_kit.data.tables.dialect_cells import read_cells_of
from seq2seq_kit.data.tables.dialect_lines import Lines, cut_lines
from seq2seq_kit.data.tables.text_bytes import read_bytes
from seq2seq_kit.data.tables.text_encodings import decode
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

_MOST = 4 * 2**20  # bytes that are looked at
# How files begin that are none of text, whatever they are called.
_NO_TEXT = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "an Excel file (.xlsx) or another archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"PAR1": "a Parquet file (.parquet)",
    b"SQLite format 3": "a SQLite database (sqlite:///...)",
    b"ARROW1": "a Feather file (.feather)",
    b"\x89PNG": "a picture (.png)",
    b"\xff\xd8\xff": "a picture (.jpg)",
    b"GIF8": "a picture (.gif)",
    b"\x1f\x8b": "packed by gzip (.csv.gz)",
    b"BZh": "packed by bzip2 (.csv.bz2)",
    b"\xfd7zXZ": "packed by xz (.csv.xz)",
    b"\x28\xb5\x2f\xfd": "packed by zstd (.csv.zst)",
}
# How texts begin that are no tables, and what reads them.
_NO_TABLE = (
    (
        re.compile(r"\s*(?:<!DOCTYPE\s+html|<html|<head|<body)", re.IGNORECASE),
        "a page (HTML)",
        "pandas.read_html({path!r})[0]",
    ),
    (re.compile(r"\s*<(?:\?xml\s|([A-Za-z][\w:.-]*)[\s>](?=.*</\1>))", re.DOTALL), "XML", "pandas.read_xml({path!r})"),
    (
        re.compile(r'\s*\{\s*"[^"\n]*"\s*:.*\}\s*\n\s*\{'),
        "JSON by lines",
        "pandas.read_json({path!r}, lines=True); of mappings in it pandas.json_normalize(frame[NAME])",
    ),
    (
        re.compile(r'\s*(?:\[\s*[\[{]|\{\s*"[^"\n]*"\s*:)'),
        "JSON",
        "pandas.read_json({path!r}), or, where "
        "the rows stand below a key, pandas.DataFrame(json.load(open({path!r}))[KEY])",
    ),
)
_SIGNS = {"tab": "\t", "whitespace": " "}  # of a delimiter that has a word
_SAID = re.compile(r'\s*"?sep=(.)"?[;,\t]*\s*', re.IGNORECASE)  # Excel's first line


@dataclass(frozen=True)
class Detected:
    """How a file is written.

    Attributes:
        format: Only what differs from the defaults is set.
        reasons: A short sentence for each decision, and for what the owner should look at.
    """

    format: Format = field(default_factory=Format)
    reasons: list[str] = field(default_factory=list)


def detect(path: str | Path, given: Mapping[str, object] | None = None) -> Detected:
    """Looks at the first megabytes of a file, and at its end.

    Args:
        path: The file.
        given: Keys of its format that are settled already.

    Raises:
        DataError: The file cannot be read or is empty, or what it says is ambiguous or contradictory.
    """
    path, settled = Path(path), given or {}
    try:
        data = read_bytes(path, _MOST)
    except Exception as error:  # each way of packing has errors of its own
        said = f"cannot read {path}: {error}. Expected a readable table; copy or unpack the file again"
        raise DataError(said, code="unreadable_file") from None
    if kind := next((kind for mark, kind in _NO_TEXT.items() if data.startswith(mark)), None):
        said = f"{path} is named like a file of text and is {kind}. Give it its own ending, or export the table as CSV"
        raise DataError(said, code="unknown_file_type")
    whole = len(data) < _MOST
    text, encoding, reasons = decode(
        data if whole else data[: data.rfind(b"\n") + 1], str(path), str(settled.get("encoding") or "")
    )
    if not text.strip():
        raise DataError(f"{path} is empty; expected a header line and rows", code="empty_table")
    keys: dict[str, object] = {"encoding": encoding} if encoding else {}
    if found := next((each for each in _NO_TABLE if each[0].match(text)), None):
        anew = "A page that only reports a failure has none: get the file anew. " if "HTML" in found[1] else ""
        raise DataError(
            f"{path} is named like a table of text and holds {found[1]}. {anew}Read it in Python, hand the frame to draft_recipe "
            f"and train: {found[2].format(path=str(path))}",
            code="unknown_file_type",
        )
    first, _, below = text.partition("\n")
    excel = _SAID.fullmatch(first)
    delimiter, header_row = settled.get("delimiter"), settled.get("header_row")
    known = _SIGNS.get(str(delimiter), str(delimiter)) if delimiter else excel[1] if excel else None
    named = header_row if isinstance(header_row, int) else None
    lines = cut_lines(f"\n{below}" if excel else text, str(path), known, header_row=named, whole=whole)
    keys |= _separation(lines, path, reasons) | lines.keys
    if excel:
        keys.setdefault("header_row", 2)
        reasons.append(f"line 1 is {first.strip()!r}, which tells Excel the separator")
    reasons += lines.reasons
    try:
        cells, why = read_cells_of(lines, str(path))
    except DataError:
        if not {"decimal", "thousands", "strip"} & set(settled):
            raise
        cells, why = {}, []
    try:
        form = Format.model_validate(keys | cells | dict(settled))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors())
        said = f"{path}: what is said of its format does not fit together: {wrong}. Received: {spelled(settled)}"
        raise DataError(said, code="unclear_format") from None
    return Detected(form, [*reasons, *why])


def spelled(keys: Mapping[str, object]) -> str:
    """Keys of a format as a message names them.

    Example:
        >>> spelled({"delimiter": ";", "decimal": ","})
        "data.format.delimiter: ';', data.format.decimal: ','"
    """
    return ", ".join(f"data.format.{key}: {_spelled(value)}" for key, value in keys.items())


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _separation(lines: Lines, path: Path, reasons: list[str]) -> dict[str, object]:
    """What differs from what the file's name says: delimiter and quote."""
    keys: dict[str, object] = {}
    usual = Format().separator(path.name)
    if not lines.delimiter:
        if any(usual in cell for row in lines.rows for cell in row):
            keys["delimiter"] = ";"
            reasons.append(f"there is one column; {usual!r} is in its cells")
    elif lines.delimiter != usual:
        called = {"\t": "tab", " ": "whitespace"}.get(lines.delimiter, lines.delimiter)
        keys["delimiter"] = called
        width = max(len(row) for row in lines.rows[:100]) if lines.rows else len(lines.names)
        shown = called if len(called) > 1 else repr(called)
        reasons.append(f"cells are separated by {shown} ({width - 1} in each of {len(lines.rows):,} lines)")
    if lines.quote != ("" if lines.delimiter == "\t" else '"'):
        keys["quote"] = lines.quote
        reasons.append(f"cells stand in {lines.quote}" if lines.quote else "quotes are cells like any other")
    if lines.spaced and lines.quote:
        keys["skip_initial_space"] = True
        reasons.append("blanks stand between the separator and the quotes of cells")
    return keys
