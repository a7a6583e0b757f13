"""Tagged tokens, from a table or a CoNLL-style file to padded numbers of tokens and characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.labels import (
    alike,
    learn_labels,
    number_labels,
    read_labels,
    refuse_absent_joins,
    require_parts,
)
from seq2seq_kit.data.sequences.ragged import Field, Ragged
from seq2seq_kit.data.sequences.texts import read_texts, split_by_hash
from seq2seq_kit.data.sequences.vocabulary import PADDING, Vocabulary
from seq2seq_kit.data.tables.cells import require_columns
from seq2seq_kit.data.tables.dialect_words import DOCUMENT
from seq2seq_kit.data.tables.names import read_names
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.data.tables.splits import PARTS, joined_parts
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.tag.data import Tagged, require_labels
from seq2seq_kit.tasks.tag.recipe import TagTokensData

SEQUENCE = "sequence"  # column of the sequences' numbers in a frame that was read from lines
# First and last characters of a long token that are read: a suffix tells more of the part of speech than a prefix.
_HEAD, _TAIL = 6, 10
CHARACTERS = _HEAD + _TAIL


def read_lines(path: str | Path, names: Sequence[str], *, blanks: bool = False) -> pd.DataFrame:
    """Reads a CoNLL-style file: a line for each token, tab-separated columns, a blank line between sequences.

    Args:
        path: UTF-8 text; lines that begin with `# ` are comments, and `-DOCSTART-` begins a document and is no token.
        names: Names of the first columns; a file to be tagged may end before the labels.
        blanks: Whether runs of blanks separate the columns, as in CoNLL-2003; a token has none then.

    Returns:
        A row for each token: `sequence`, counted from 1, and the named columns.

    Raises:
        DataError: No such file, no tokens, or a line with another number of columns than the first one.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors put a mark in front
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name with a zero byte
        raise DataError(
            f"cannot read {path}: {error}. Expected a UTF-8 text file with a token in each line", code="unreadable_file"
        ) from None
    rows: list[list[str]] = []
    first_cells: list[str] = []
    width, number, fresh = 0, 0, True
    for line, content in enumerate(text.split("\n"), start=1):
        cells = (content.split() or [""]) if blanks else content.split("\t")
        if cells == [""] or cells[0] == DOCUMENT:
            fresh = True
            continue
        if content.startswith("# ") and fresh:
            continue
        width = width or len(cells)
        if len(cells) != width or not cells[0]:
            columns = "columns with blanks between them" if blanks else "tab-separated columns"
            raise DataError(
                f"{path}, line {line}: expected {width} {columns}, the first one not empty. Received: "
                f"{content[:60]!r}. Correct the line; a blank line stands between sequences only",
                code="wrong_cell_count",
            )
        number, fresh = number + fresh, False
        rows.append([str(number), *cells[: len(names)]])
        first_cells.append(cells[0])
    cells_of = {len(row[1].split()) for row in rows}
    if width == 1 < len(names) and len(cells_of) == 1 and cells_of != {1}:
        raise DataError(
            f"{path}: the cells of its lines, such as {rows[0][1][:60]!r}, are separated by blanks. Expected tabs. Set in the "
            "recipe: data.format.delimiter: whitespace",
            code="other_separator",
        )
    if not rows:
        raise DataError(
            f"{path} has no tokens; expected a token in each line and a blank line between sequences",
            code="empty_table",
        )
    frame = pd.DataFrame(rows, columns=[SEQUENCE, *names[: min(width, len(names))]]).astype({SEQUENCE: int})
    return frame[_are_tokens(frame[SEQUENCE], pd.Series(first_cells))].reset_index(drop=True)


def _are_tokens(sequences: pd.Series, cells: pd.Series) -> pd.Series[bool]:
    """Which lines are tokens: in CoNLL-U 1-2 is one of several words, 8.1 an empty node, where the others count from 1."""
    tokens = ~cells.str.fullmatch(r"\d+[-.]\d+")
    counted = sequences[tokens].groupby(sequences[tokens]).cumcount() + 1
    numbered = (cells[tokens] == counted.astype(str)).all()
    return tokens if numbered and tokens.any() else pd.Series(True, index=cells.index)


def read_tokens(data: TagTokensData, path: str | list[str]) -> pd.DataFrame:
    """A file of tokens in the form that the recipe gives it."""
    if data.lines:
        assert isinstance(path, str)  # by the recipe's rules
        return read_lines(path, data.lines, blanks=data.format.separator(path) == r"\s+")
    return read_table_of_tokens(data, path)


def read_table_of_tokens(data: TagTokensData, path: str | list[str]) -> pd.DataFrame:
    """A table with a row for each token; tokens and labels stay as they are written there."""
    texts = [data.tokens, data.labels, *([data.series] if data.series else [])]
    return read_source(path, texts=texts, section=data)


@dataclass(frozen=True)
class TokenVocabularies:
    """How tokens become numbers.

    Attributes:
        tokens: Vocabulary of the tokens.
        characters: Vocabulary of their characters; None where the model reads none.
    """

    tokens: Vocabulary
    characters: Vocabulary | None

    @classmethod
    def fit(cls, words: Sequence[str], *, min_count: int, characters: bool) -> TokenVocabularies:
        """The vocabularies of some tokens."""
        letters = Vocabulary.fit(words, level="char", min_count=2) if characters else None
        return cls(Vocabulary.fit_tokens(words, min_count=min_count), letters)

    def inputs(self, words: Sequence[str], starts: np.ndarray, lengths: np.ndarray) -> list[Field]:
        """The model's inputs: numbers of the tokens and, where it reads them, of their characters."""
        numbers = np.array(self.tokens.numbers(words), dtype=np.int32)
        fields = [Field(Ragged(numbers, starts, lengths), PADDING)]
        if self.characters is not None:
            known = self.characters
            spelled = np.zeros((len(words), CHARACTERS), dtype=np.int32)
            for row, word in enumerate(words):
                letters = word if len(word) <= CHARACTERS else word[:_HEAD] + word[-_TAIL:]
                spelled[row, : len(letters)] = known.numbers(letters)
            fields.append(Field(Ragged(spelled, starts, lengths), PADDING))
        return fields


def prepare_tokens(
    data: TagTokensData,
    frame: pd.DataFrame,
    *,
    own: Mapping[str, pd.DataFrame],
    characters: bool,
    origin: str = "the data",
) -> tuple[Tagged, TokenVocabularies]:
    """Checks and splits tagged tokens; vocabularies and labels are learned on the training sequences.

    Args:
        data: The recipe's section.
        frame: A row for each token.
        own: Rows of `val` and `test`, where they come from a file of their own; a part that is absent is a share of `frame`.
        characters: Whether the model reads characters.
        origin: Name of the file for messages.

    Returns:
        The sequences, and how tokens became numbers.

    Raises:
        DataError: A column or a token is missing, a sequence is too long, a part is empty, or a label of val or test is in
            no training row.
    """
    words, starts, lengths = read_sequences(data, frame, origin)
    names = [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
    parts = split_by_hash(names, data.split)
    parts["train"] = np.sort(np.concatenate([parts["train"], *(parts[part] for part in own)]))
    texts = [read_labels(frame, data.labels, data.join_labels, origin)]
    refuse_absent_joins([frame, *own.values()], data.labels, data.join_labels)
    rows, places = [np.arange(len(words))], [origin]
    for part, more in own.items():
        places.append(str(getattr(data, f"{part}_source")))
        others, first, counts = read_sequences(data, more, places[-1])
        parts[part] = len(starts) + np.arange(len(first))
        starts, lengths = np.concatenate([starts, first + len(words)]), np.concatenate([lengths, counts])
        words = words + others
        texts.append(read_labels(more, data.labels, data.join_labels, places[-1]))
        rows.append(np.arange(len(others)))
    require_parts(parts, origin)
    train = Ragged(np.arange(len(words)), starts, lengths).rows_of(parts["train"])
    vocabularies = TokenVocabularies.fit([words[row] for row in train], min_count=data.min_count, characters=characters)
    labels = learn_labels(np.concatenate(texts)[train])
    numbers = [number_labels(each, labels, place) for each, place in zip(texts, places, strict=True)]
    truth = Ragged(np.concatenate(numbers), starts, lengths)
    inputs, origins = vocabularies.inputs(words, starts, lengths), Ragged(np.concatenate(rows), starts, lengths)
    tagged = Tagged(inputs, truth, parts, labels, origins, np.array(words, dtype=object), alike(labels, data.labels))
    require_labels(tagged, PARTS, origin)
    return tagged, vocabularies


def joined_tokens(
    data: TagTokensData, tagged: Tagged, vocabularies: TokenVocabularies
) -> tuple[Tagged, TokenVocabularies]:
    """The same with the val sequences in train, too; the vocabularies are learned anew, so a model for it may be larger."""
    assert tagged.tokens is not None
    parts = joined_parts(tagged.parts)
    learned = tagged.tokens_of(parts["train"]).tolist()
    joined = TokenVocabularies.fit(learned, min_count=data.min_count, characters=vocabularies.characters is not None)
    inputs = joined.inputs(list(tagged.tokens), tagged.truth.starts, tagged.truth.lengths)
    return replace(tagged, inputs=inputs, parts=parts), joined


def read_sequences(data: TagTokensData, frame: pd.DataFrame, origin: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Tokens of all rows, and first row and length of each sequence.

    Raises:
        DataError: A column or a token is missing, the rows of a sequence do not stand together, or one is too long.
    """
    words = read_texts(frame, data.tokens, origin)
    column = SEQUENCE if data.lines else data.series
    if column is None:
        bounds = np.array([0, len(words)])
    else:
        require_columns(frame.columns, [column], origin, key=None if data.lines else "data.series")
        codes, series = read_names(frame[column], column, origin)
        names = np.array(series, dtype=object)[codes]
        bounds = np.concatenate([[0], np.flatnonzero(names[1:] != names[:-1]) + 1, [len(names)]])
        begun = names[bounds[:-1]]
        again = pd.Series(begun).duplicated().to_numpy()
        if again.any():
            row = int(bounds[:-1][again][0])
            raise DataError(
                f"{origin}, row {row + 1}: the sequence {names[row]} goes on after another one began; expected the rows of a "
                "sequence one after the other. Sort the file by sequence and position",
                code="unsorted_rows",
            )
    starts, lengths = bounds[:-1], np.diff(bounds)
    if data.input_steps is not None and lengths.max() > data.input_steps:
        worst = int(lengths.argmax())
        raise DataError(
            f"{origin}, row {starts[worst] + 1}: a sequence of {lengths[worst]} tokens, expected at most {data.input_steps} "
            f"({int((lengths > data.input_steps).sum())} such sequences). Raise data.input_steps, or split the sequence",
            code="sequence_too_long",
        )
    return words, starts, lengths
