"""Texts and their translations in two files, a line for each pair: `x.en` and `x.de`, `src-x.txt` and `tgt-x.txt`."""

import re
from pathlib import Path

from seq2seq_kit.data.tables.sources import ENDINGS, TOLD_ENDINGS, is_file
from seq2seq_kit.errors import DataError

_LANGUAGE = re.compile(r"\.[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?")  # as in .en, .deu, .pt_BR
_SIDES = (("src", "tgt"), ("src", "trg"), ("source", "target"))
_MOST_BYTES = 1 << 28  # of files whose lines are counted


def refuse_parallel(path: Path) -> None:
    """Raises `DataError` for a file of texts beside one with as many lines that is called like its translation."""
    found = _other_side(path) if is_file(path) else None
    if found is None:
        return
    names = [_column(path), _column(found)]
    if names[0] == names[1]:
        names = ["source", "target"]
    first, second = (path, found) if _reads_first(path) else (found, path)
    names = names if first == path else names[::-1]
    cells = ", ".join(
        f"{name!r}: pathlib.Path({str(each)!r}).read_text('utf-8').rstrip('\\n').split('\\n')"
        for name, each in zip(names, (first, second), strict=True)
    )
    raise DataError(
        f"{path} has a line for each line of {found.name}, as texts and their translations have. Expected both in one table. "
        f"Join them: pandas.DataFrame({{{cells}}}).to_csv('pairs.csv', index=False), then draft for pairs.csv with --task "
        "translate",
        code="unpaired_texts",
    )


def _other_side(path: Path) -> Path | None:
    """The file beside this one that is called like its translation and has as many lines."""
    others = []
    if _is_language(path):
        others = [each for each in sorted(path.parent.glob("*.*")) if each.stem == path.stem and _is_language(each)]
    for pair in _SIDES:
        for one, other in (pair, pair[::-1]):
            if re.search(rf"(?<![a-z]){one}(?![a-z])", path.name):
                others.append(path.with_name(re.sub(rf"(?<![a-z]){one}(?![a-z])", other, path.name)))
    lines = _lines(path) if others else 0
    return next((each for each in others if each != path and is_file(each) and lines == _lines(each) > 1), None)


def _is_language(path: Path) -> bool:
    return _LANGUAGE.fullmatch(path.suffix) is not None and path.suffix not in (*ENDINGS, *TOLD_ENDINGS)


def _reads_first(path: Path) -> bool:
    """Whether `path` is the side that is read: the source, or the one that was named."""
    return not any(re.search(rf"(?<![a-z]){side[1]}(?![a-z])", path.name) for side in _SIDES)


def _column(path: Path) -> str:
    if _is_language(path):
        return path.suffix[1:]
    return "target" if not _reads_first(path) else "source"


def _lines(path: Path) -> int:
    """Lines of a file; 0 where it is too large to look at."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return 0
        data = path.read_bytes()
    except OSError:
        return 0
    return 0 if b"\0" in data else data.rstrip(b"\n").count(b"\n") + 1
