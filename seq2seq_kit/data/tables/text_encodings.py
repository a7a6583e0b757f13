"""The encoding of a file of text, told from its bytes."""

import re

from seq2seq_kit.errors import DataError

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_UTF_8 = b"\xef\xbb\xbf"
# What files without a mark are written in beside Windows-1252, in the order in which they are named.
_OTHERS = (
    "cp1250",
    "cp1251",
    "mac_roman",
    "cp850",
    "gb18030",
    "big5",
    "shift_jis",
    "euc_kr",
    "koi8_r",
    "cp866",
    "cp1253",
    "cp1255",
)
_SHOWN_OF = 20_000  # characters


def decode(data: bytes, path: str, given: str = "") -> tuple[str, str, list[str]]:
    """The text of a file's bytes, its encoding where that is not UTF-8, and why.

    Args:
        data: The bytes.
        path: The file's name, for messages.
        given: The encoding where it is known.

    Raises:
        DataError: They are neither UTF-8, UTF-16 nor words in Windows-1252; the message shows what other encodings make of one.
    """
    if given:
        return data.decode(given, "replace").removeprefix("\ufeff"), given, []
    for mark, name in _MARKS:
        if data.startswith(mark):
            return (
                data.decode(name, "replace").removeprefix("\ufeff"),
                name,
                [f"the file begins with the mark of {name.upper()}"],
            )
    zeros = [data[at : 2**16 : 2].count(0) for at in (0, 1)]
    if max(zeros) > 0.3 * min(len(data), 2**16) / 2 > 4 * min(zeros):
        name = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return data.decode(name, "replace"), name, [f"every other byte is 0, as in {name.upper()}"]
    try:
        return data.removeprefix(_UTF_8).decode(), "", []
    except UnicodeDecodeError as error:
        bad, byte = error.start, data[error.start]
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if not text or not _is_western(text):
        raise DataError(
            f"cannot tell the encoding of {path}: it is no UTF-8 (byte {bad + 1:,} is 0x{byte:02X}), and as Windows-1252 its "
            f"letters make no words. Set data.format.encoding in the recipe{_choices(data)}",
            code="unclear_format",
        )
    word = re.search(r"\w*[^\x00-\x7f]\w*", text)
    shown = f", which makes it {word[0]!r}" if word else ""
    return (
        text,
        "cp1252",
        [f"the file is no UTF-8 (byte {bad + 1:,} is 0x{byte:02X}); it is read as Windows-1252{shown}"],
    )


def _choices(data: bytes) -> str:
    """The encodings that a file may have, the most probable first, each with some words of the file decoded by it."""
    found = []
    for name in _OTHERS:
        try:
            text = data[: data.rfind(b"\n") + 1].decode(name)
        except UnicodeDecodeError:
            continue
        words = re.findall(r"[^\s,;|\"]*[^\x00-\x7f][^\s,;|\"]*", text[:_SHOWN_OF])
        found.append((_odd_signs(text) / max(len(words), 1), name, " ".join(dict.fromkeys(words[:3]))[:40]))
    shown = [f"{name} ({words})" for _, name, words in sorted(found, key=lambda each: each[0])[:5]]
    return f": {', '.join(shown)}. Choose by the words" if shown else f", such as {', '.join(_OTHERS[:4])}"


def _is_western(text: str) -> bool:
    """Whether non-ASCII letters stand as in words of Western languages: one or two in a row, and no signs inside of words."""
    beyond = re.findall(r"[^\x00-\x7f\xa0]", text)  # a blank that does not break stands in numbers, too
    runs = sum(map(len, re.findall(r"[^\W\d_a-zA-Z]{3,}", text)))
    inside = len(re.findall(r"(?<=[a-zA-Z])[^\x00-\x7f\w'\u2019\u00b0\u00b2\u00b3\u00b7\u2013](?=[a-z])", text))
    return not beyond or (runs + inside + _odd_signs(text)) * 4 < len(beyond)


def _odd_signs(text: str) -> int:
    """How many signs stand as in no word: capitals between small letters, signs beside non-ASCII letters."""
    capitals = sum(each.isupper() for each in re.findall(r"(?<=[a-z])[^\W\d_a-zA-Z](?=[a-z])", text))
    beside = r"[\u00a1-\u00bf\u00d7\u00f7\u2020-\u2122\u2500-\u25ff\x80-\x9f]"
    letter = r"[^\W\d_a-zA-Z\u00aa\u00ba]"
    signs = len(re.findall(rf"(?<={letter}){beside}(?!\W*$)|{beside}(?={letter})", text))
    return capitals + signs + _mixed(text)


def _mixed(text: str) -> int:
    """Capitals within words of small letters of other scripts, as a Cyrillic text has in the wrong encoding."""
    return sum(
        any(letter.isupper() for letter in word[1:]) and any(letter.islower() for letter in word)
        for word in re.findall(r"[^\W\d_a-zA-Z]{2,}", text)
    )
