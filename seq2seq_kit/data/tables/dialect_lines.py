"""Where the table stands in a file of text: its separator, the line of names, what is before and after the rows."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from seq2seq_kit.data.tables.dialect_footers import count_footers
from seq2seq_kit.data.tables.dialect_names import count_up, is_a_row, kinds_of_columns, names_and_first
from seq2seq_kit.data.tables.dialect_words import is_date, is_number, shape_of
from seq2seq_kit.errors import DataError

CANDIDATES = ("\t", ";", "|", ",", " ")  # the last one: any run of white space
_NUMBERED = re.compile(r"#\d[\w.-]*")
_LONE_MARK = re.compile(r"^\s*#\s+")  # of a comment: no cell of its own
_LOOKED_AT = 500  # lines by which a separator is told


@dataclass(frozen=True)
class Lines:
    """A file cut into cells.

    Attributes:
        delimiter: What is between the cells; empty: there is one column.
        quote: The sign around cells.
        names: Of the columns; empty where no line has them.
        rows: Cells of each row, without what stands before and after them.
        keys: What is to be said in the format: header_row, first_row, footer_rows, comment.
        reasons: A sentence for each decision.
        spaced: Whether blanks stand between the delimiter and the quote of a cell.
    """

    delimiter: str
    quote: str
    names: list[str]
    rows: list[list[str]]
    keys: dict[str, object] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    spaced: bool = False

    def column(self, position: int) -> list[str]:
        """The cells of a column that are not empty."""
        return [row[position].strip() for row in self.rows if position < len(row) and row[position].strip()]


@dataclass(frozen=True)
class _Cut:
    """Rows with the line that each ends in, by one separator; blank lines and comments are left out."""

    delimiter: str
    rows: list[list[str]]
    lines: list[int]
    width: int
    header: int
    first: int

    @property
    def support(self) -> float:
        below = self.rows[self.header :]
        return sum(self.fits(row) for row in below[:_LOOKED_AT]) / max(min(len(below), _LOOKED_AT), 1)

    def fits(self, row: Sequence[str]) -> bool:
        return len(row) == self.width or (len(row) == self.width - 1 and not self.surplus_cells)

    @property
    def surplus_cells(self) -> bool:
        """Whether the last column has cells; a separator at the end of each row makes one that has none."""
        return any(len(row) == self.width and row[-1].strip() for row in self.rows[self.header + 1 : _LOOKED_AT])

    @property
    def foreign(self) -> float:
        """Share of cells that hold another separator."""
        others = [each for each in CANDIDATES[:4] if each != self.delimiter]
        cells = [cell for row in self.rows[self.header : self.header + 100] for cell in row]
        held = [
            cell for cell in cells if any(each in cell for each in others) and not (is_number(cell) or is_date(cell))
        ]
        return len(held) / max(len(cells), 1)


def cut_lines(
    text: str, path: str, delimiter: str | None = None, *, header_row: int | None = None, whole: bool = True
) -> Lines:
    """Finds the table in a text.

    Args:
        text: The file, or its beginning.
        path: Its name, for messages.
        delimiter: What is between cells where that is known.
        header_row: The line of the names where that is known; 0: there is none.
        whole: Whether the text has the end of the file.

    Raises:
        DataError: No separator gives rows of one width.
    """
    lines = re.split(r"\r\n|\n|\r", text)
    cuts = [
        cut
        for each in ([delimiter] if delimiter else CANDIDATES)
        if (cut := _cut(lines[: _LOOKED_AT + (header_row or 0)], each, '"', header_row))
    ]
    good = [cut for cut in cuts if cut.width > 1]
    if not delimiter:
        good = [cut for cut in good if cut.support >= 0.9 and cut.foreign < 0.4]
        good = [cut for cut in good if header_row is not None or _has_names(cut)]
    chosen = min(good[:-1] if len(good) > 1 and good[-1].delimiter == " " else good, key=_worth, default=None)
    if chosen is None:
        return _of_one_column(lines, cuts, path, header_row, whole=whole)
    quote = _quote(lines, chosen)
    cut = _cut(lines, chosen.delimiter, quote, header_row)
    assert cut is not None
    return _described(lines, cut, quote, header_row, whole=whole)


def _worth(cut: _Cut) -> tuple[bool, float, int]:
    return (cut.support < 0.99, round(cut.foreign, 1), -cut.width)


def _of_one_column(lines: list[str], cuts: Sequence[_Cut], path: str, header_row: int | None, *, whole: bool) -> Lines:
    single = _cut(lines, "", '"', header_row)
    if single is None:
        raise DataError(f"{path} is empty; expected a header line and rows", code="empty_table")
    numbers = [is_number(row[0]) for row in single.rows[1:]]
    wide = [cut for cut in cuts if cut.width > 1]
    if wide and sum(numbers) < 0.9 * len(numbers):
        widest = max(wide, key=lambda cut: cut.support)
        shown = "a tab" if widest.delimiter == "\t" else repr(widest.delimiter)
        raise DataError(
            f"cannot tell what separates the cells of {path}: no separator gives each row as many cells as there are names. "
            f"{shown} gives {widest.width} in {widest.support:.0%} of the rows. Correct the rows, or set "
            "data.format.delimiter and data.format.header_row in the recipe",
            code="unclear_format",
        )
    return _described(lines, single, '"', header_row, whole=whole)


def _cut(lines: Sequence[str], delimiter: str, quote: str, header_row: int | None) -> _Cut | None:
    rows, ends = [], []
    try:
        for end, row in _rows(lines, delimiter, quote):
            if any(cell.strip() for cell in row) or len(row) > 1:
                rows.append(row)
                ends.append(end)
    except csv.Error:
        return None
    told = [row for row in rows if not row[0].startswith("#")] or rows
    if not told:
        return None
    # In the middle, because lines about the file may outnumber the rows of a short one.
    counts = Counter(len(row) for row in told)
    width = max(counts, key=lambda each: (counts[each] if each > 1 else counts[each] - 0.5, each))
    header, first = names_and_first(rows, told, width)
    if header_row is not None:
        header = next((at for at, end in enumerate(ends) if end >= header_row), 0)
        first = max(first, header + 1)
    return _Cut(delimiter, rows, ends, width, header, first)


def _rows(lines: Sequence[str], delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    if delimiter in ("", " "):
        for number, line in enumerate(lines, 1):
            yield number, _LONE_MARK.sub("#", line).split() if delimiter else [line]
        return
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    reader = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=quoting,
        skipinitialspace=bool(quote) and _is_spaced(lines, delimiter),
    )
    for row in reader:
        yield reader.line_num, row


def _has_names(cut: _Cut) -> bool:
    """Whether the first line of full width may name the columns, or is the first line of all."""
    names = cut.rows[cut.header]
    numbers = [cell for cell in names if is_number(cell)]  # years may be names, measurements are none
    years = all(cell.strip().isdecimal() for cell in numbers) and count_up(names)
    comments = all(row[0].startswith("#") for row in cut.rows[: cut.header])  # and no names at all
    return comments or 2 * len(numbers) <= cut.width or years


def _quote(lines: Sequence[str], cut: _Cut) -> str:
    """The sign that stands around cells."""
    counts: Counter[str] = Counter()
    for _, row in _rows(lines[:_LOOKED_AT], cut.delimiter, ""):
        for cell in row:
            if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'":
                counts[cell[0]] += 1
    least = max(len(cut.rows[cut.header :]), 2) / 2
    single = counts["'"] >= least and not counts['"']
    return "'" if single else ('"' if cut.delimiter != "\t" or counts['"'] >= least else "")


def _described(lines: Sequence[str], cut: _Cut, quote: str, header_row: int | None, *, whole: bool) -> Lines:
    keys: dict[str, object] = {}
    reasons = []
    names, rows, ends = [cell.strip() for cell in cut.rows[cut.header]], cut.rows[cut.header + 1 :], cut.lines
    first = ends[cut.header - 1] + 1 if cut.header else 1
    line = next((at for at in range(first, len(lines) + 1) if lines[at - 1].strip()), first)
    if cut.header:
        keys["header_row"] = line
    comments = [row for row in rows if row and _is_marked(row)]
    named = _are_names(comments, rows, cut.width)
    comments = [] if named else comments
    above = cut.rows[: cut.header]
    noted = all(row[0].startswith("#") for row in above)  # nothing that has names, then
    unnamed = header_row == 0 or (
        header_row is None and noted and is_a_row(names, rows, kinds_of_columns(rows, cut.width))
    )
    comments += above if unnamed else []
    if comments or (names[0].startswith("#") and len(names[0]) > 1):
        rows = rows if named else [row for row in rows if not _is_marked(row)]
        names[0] = names[0].removeprefix("#").lstrip()
        keys["comment"] = "#"
        lines_are = "1 line begins" if len(comments) == 1 else f"{len(comments) or 'the names and no'} lines begin"
        reasons.append(f"{lines_are} with '#'")
    kinds = kinds_of_columns(rows, cut.width)
    if unnamed:
        keys["header_row"] = 0
        reasons.append("no line names the columns: the first one is a row like those below it")
        rows, names = [cut.rows[cut.header], *rows], []
    elif cut.header:
        reasons.insert(0, f"line {line} names the columns; what stands above it is about the file")
    units = sum(not _is_marked(row) for row in cut.rows[cut.header + 1 : cut.first])
    if units and names:
        keys["first_row"] = next(at for at in range(ends[cut.first - 1] + 1, len(lines) + 1) if lines[at - 1].strip())
        shown = " ".join(cell.strip() for cell in rows[0] if cell.strip())[:60]
        reasons.append(f"the rows begin in line {keys['first_row']}: {shown!r} below the names are no values")
        rows = rows[units:]
    footers = count_footers(rows, kinds, cut.width) if whole else 0
    if footers:
        keys["footer_rows"] = footers
        shown = " ".join(cell.strip() for cell in rows[-footers] if cell.strip())[:60]
        reasons.append(f"the last {'row is' if footers == 1 else f'{footers} rows are'} no data: {shown!r}")
        rows = rows[:-footers]
    return Lines(cut.delimiter, quote, names, rows, keys, reasons, _is_spaced(lines, cut.delimiter))


def _are_names(marked: list[list[str]], rows: list[list[str]], width: int) -> bool:
    """Whether rows that begin with `#` are rows like others, called by a number as orders are (`#1001`), where others are not."""
    if not marked or not all(len(row) == width and _NUMBERED.fullmatch(row[0].strip()) for row in marked):
        return False
    others = [row for row in rows if not _is_marked(row)]
    kinds = kinds_of_columns(others or marked, width)
    if others and not all(is_a_row(row, others, kinds) for row in marked[:_LOOKED_AT]):
        return False
    shapes = {shape_of(row[0]) for row in others}
    return not shapes & {shape_of(row[0].strip().lstrip("#")) for row in marked}


def _is_marked(row: list[str]) -> bool:
    return row[0].lstrip().startswith("#")


def _is_spaced(lines: Sequence[str], delimiter: str) -> bool:
    """Whether most lines have blanks between the delimiter and a quote, which would not be one for them."""
    if delimiter in ("", " "):
        return False
    there = [line for line in lines[:_LOOKED_AT] if line.strip()]
    form = re.compile(rf'{re.escape(delimiter)} +"')
    return 2 * sum(form.search(line) is not None for line in there) > len(there)
