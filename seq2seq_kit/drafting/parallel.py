"""Texts and their translations in two files, a line for each pair: `x.en` and `x.de`, `src-x.txt` and `tgt-x.txt`."""

import glob
import re
from pathlib import Path

from seq2seq_kit.errors import DataError

# ISO 639-1, and the letters of ISO 639-2 that corpora are named by.
_LANGUAGE = re.compile(
    r"\.(?:"
    r"af|am|ar|az|be|bg|bn|bs|ca|cs|cy|da|de|el|en|eo|es|et|eu|fa|fi|fo|fr|ga|gl|gu|he|hi|hr|hu|hy|id|is|it|ja|"
    r"jv|ka|kk|km|kn|ko|ku|la|lb|lo|lt|lv|mg|mk|ml|mn|mr|ms|mt|my|nb|ne|nl|nn|no|oc|pa|pl|ps|pt|ro|ru|si|sk|sl|"
    r"so|sq|sr|sv|sw|ta|te|tg|th|tk|tl|tr|tt|ug|uk|ur|uz|vi|wa|xh|yi|zh|zu|ara|ben|ces|deu|ell|eng|est|fas|fin|"
    r"fra|heb|hin|hrv|hun|ita|jpn|kor|lav|lit|nld|nor|pol|por|ron|rus|slk|slv|spa|swe|tur|ukr|vie|zho"
    r")"
)
_SIDES = (("src", "tgt"), ("src", "trg"), ("source", "target"))
_SIDE_ENDINGS = ("", ".txt")
_MOST_BYTES = 1 << 28  # of files whose lines are counted
_LOOKED_AT = 200  # lines
_SEPARATED = r"[\t;|,]"
_MOSTLY = 0.5


def refuse_parallel(path: Path) -> None:
    """Raises `DataError` for a file of texts beside one with as many lines that is called like its translation."""
    try:
        found = _other_side(path)
    except OSError:
        return
    if found is None:
        return
    first, second = (path, found) if _is_read(path) else (found, path)
    names = [_column(first, "source"), _column(second, "target")]
    cells = ", ".join(
        f"{name!r}: pathlib.Path({str(each)!r}).read_bytes().decode({_encoding(each)!r})"
        ".replace('\\r\\n', '\\n').removesuffix('\\n').split('\\n')"
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
    named = []
    if _is_language(path):
        named = [each for each in sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")) if _is_language(each)]
    elif path.suffix in _SIDE_ENDINGS:
        for pair in _SIDES:
            for one, other in (pair, pair[::-1]):
                turned = re.sub(rf"(?<![a-z]){one}(?![a-z])", other, path.name)
                named += [path.with_name(turned)] if turned != path.name else []
    others = [each for each in named if each != path and each.is_file()]
    if not others or not path.is_file() or not _holds_sentences(path):
        return None
    lines = _lines(path)
    return next((each for each in others if lines == _lines(each) > 1 and _holds_sentences(each)), None)


def _is_language(path: Path) -> bool:
    return _LANGUAGE.fullmatch(path.suffix) is not None


def _is_read(path: Path) -> bool:
    """Whether a file is the side that is read: the source, or any of two languages."""
    return not any(re.search(rf"(?<![a-z]){side[1]}(?![a-z])", path.name) for side in _SIDES)


def _column(path: Path, side: str) -> str:
    return path.suffix[1:] if _is_language(path) else side


def _holds_sentences(path: Path) -> bool:
    """Whether lines are mostly letters and no cells of a table, which have as many separators each."""
    with path.open("rb") as file:
        data = file.read(1 << 16)
    lines = [line for line in data.decode(errors="replace").splitlines() if line.strip()][:_LOOKED_AT]
    separators = {len(re.findall(_SEPARATED, line)) for line in lines}
    letters = sum(sum(map(str.isalpha, line)) for line in lines)
    is_table = len(separators) == 1 and separators != {0}
    return letters > _MOSTLY * sum(map(len, lines)) and not is_table


def _encoding(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _lines(path: Path) -> int:
    """Lines of a file; 0 where it is too large to look at, or none of text."""
    if path.stat().st_size > _MOST_BYTES:
        return 0
    data = path.read_bytes()
    return 0 if b"\0" in data else data.removesuffix(b"\n").count(b"\n") + 1
