"""Recipes on texts: what shows that a table is one of texts, and what the recipes say."""

import re
from dataclasses import replace
from typing import NoReturn

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.labels import alike
from seq2seq_kit.drafting.nested import reading
from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.source import Source, as_written
from seq2seq_kit.drafting.targets import told_amounts
from seq2seq_kit.drafting.text_columns import (
    PAIR,
    are_truths,
    filled_once,
    has_new_words,
    holds_numbers,
    in_blocks,
    is_label,
    is_spelled,
    is_time,
    level_of,
    tell_same_days,
    texts_of,
    token_columns,
    without_sources,
)
from seq2seq_kit.drafting.unread import unread_times
from seq2seq_kit.errors import DataError

_MOST_NUMBERED = 20  # labels that are numbers
_CALLED_A_LABEL = re.compile(
    r"(?i:.*(label|class|target|sentiment|polarity|stars|rating|score|category|spam|toxic|topic).*|y|is_\w+)"
)
_ROWS_A_PASS = 200_000  # rows times epochs that two minutes hold


def task_of_texts(source: Source, target: list[str]) -> str | None:
    """The task that a table of texts shows; None where it holds numbers or times."""
    if source.lines:
        return "tag"
    texts = texts_of(source.frame)
    if not texts or holds_numbers(source.frame):
        return None
    if named := filled_once(source.frame, target):
        found = "frame" if "format" in source.keys else reading(source.origin)
        read = "" if found == "frame" else f"frame = {found}; "
        raise DataError(
            f"{source.origin}: {named} names a sequence in its first row and is empty in the others. Expected its name in each "
            f"row. Fill it: {read}frame[{named!r}] = frame[{named!r}].ffill(); "
            "frame.to_csv('filled.csv', index=False), then draft for filled.csv",
            code="missing_series_name",
        )
    if token_columns(source.frame, target):
        return "tag"
    if _numbered_labels(source.frame, texts):
        return "classify"
    texts = without_sources(source.frame, texts, target)
    timed = [name for name in texts if is_time(source.frame[name])]
    if timed and not (len(texts) == PAIR == source.frame.shape[1] and tell_same_days(source.frame, texts)):
        return None
    unread = unread_times(source.frame[texts])
    # Numbers beside times that cannot be read.
    free = [name for name in texts if name != unread and not is_label(source.frame[name])]
    if unread and not free and len(texts) < source.frame.shape[1]:
        return None
    labels = [name for name in texts if is_label(source.frame[name])]
    if len(texts) == 2 and not labels:
        return None if any(told_amounts(source.frame[name].dropna(), name) for name in texts) else "translate"
    return "classify" if len(texts) >= 2 and labels else None


def with_words(source: Source) -> Source:
    """The table with words for missing, such as `NA`, as the words that they are where recipes of texts read them."""
    frame = source.frame
    texts = texts_of(frame)
    # `yes` and `no` beside texts are labels.
    truths = [str(name) for name in frame.columns if texts and are_truths(frame[name])]
    names = [*(name for name in texts if frame[name].isna().any()), *truths]
    if not names or holds_numbers(frame.drop(columns=truths)):
        return source
    written = as_written(source, names)
    names = [name for name in names if name not in truths or pd.to_numeric(written[name], errors="coerce").isna().all()]
    blank = {name: written[name].isna() | (written[name].astype("str").str.strip() == "") for name in names}
    return replace(source, frame=frame.assign(**{name: written[name].mask(blank[name]) for name in names}))


def with_numbers_as_words(source: Source) -> Source:
    """The table with its whole numbers as they are written, where one column of texts is too few to translate: `3+4` and `7`."""
    frame = source.frame
    whole = [str(name) for name in frame.columns if pd.api.types.is_integer_dtype(frame[name])]
    counts = [name for name in whole if frame[name].is_unique and np.ptp(frame[name].dropna()) + 1 == len(frame)]
    if len(texts_of(frame)) + len(whole) - len(counts) >= PAIR:
        whole = [name for name in whole if name not in counts]  # which count the rows
    if len(texts_of(frame)) >= PAIR or not whole:
        return source
    return replace(source, frame=frame.assign(**{name: as_written(source, whole)[name] for name in whole}))


def holds_rows(frame: pd.DataFrame, target: list[str]) -> bool:
    """Whether a table to classify is one of measured rows: it has such numbers, and no texts that are mostly different."""
    texts = [name for name in texts_of(frame) if name not in target and not is_time(frame[name])]
    free = [name for name in texts if frame[name].nunique() > len(frame) / 2]
    return holds_numbers(frame) and not free


def draft_tag(source: Source, target: list[str], notes: Notes) -> dict[str, object]:
    """Tokens and labels by lines, a blank line between sequences.

    Raises:
        DataError: The table is none of tokens and labels.
    """
    frame = source.frame
    if source.lines:
        tokens, labels = source.lines[0], source.lines[-1]
        between = "blanks" if "format" in source.keys else "tabs"
        notes.say("lines", f"{len(source.lines)} cells by {between} in each line, a blank line between sequences")
        data: dict[str, object] = dict(source.keys) | {"lines": source.lines}
    else:
        group, tokens, labels = token_columns(frame, target) or _tokens_asked_for(source, target)
        data = dict(source.keys) | {"series": group}
        notes.say("series", f"{group} tells the sequences apart")
    notes.say(
        "labels", f"{labels} has {frame[labels].nunique():,} different values, {tokens} {frame[tokens].nunique():,}"
    )
    data |= {"tokens": tokens, "labels": labels, "split": {"val": 0.1, "test": 0.1}}
    model = {"embedding_dim": 64, "character_units": 32, "units": [96], "bidirectional": True, "dropout": 0.4}
    return {"data": data, "model": model, "training": _training(len(frame) // 10, notes)}


def _tokens_asked_for(source: Source, target: list[str]) -> tuple[str, str, str]:
    """The same columns where they do not show by themselves."""
    frame = source.frame
    texts = texts_of(frame)
    labels = (target or [name for name in texts if is_label(frame[name])] or [""])[-1]
    groups = [str(name) for name in frame.columns if str(name) != labels and in_blocks(frame[name])]
    words = [name for name in texts if name not in (labels, *groups)]
    if labels not in frame.columns or not groups or not words:
        _refuse(
            source, "a column of tokens, one of labels and one that tells sequences apart, or lines of token and label"
        )
    return groups[0], words[0], labels


def draft_classify(source: Source, target: list[str], notes: Notes) -> dict[str, object]:
    """A text and its label.

    Raises:
        DataError: The table is none of texts and labels.
    """
    texts = texts_of(source.frame)
    words = [name for name in texts if is_label(source.frame[name])]
    called = [name for name in words if _CALLED_A_LABEL.fullmatch(name)]
    labels = target or called or _numbered_labels(source.frame, texts) or words
    others = [name for name in texts if name not in labels and not is_time(source.frame[name])]
    if not labels or not others:
        _refuse(source, "a column of texts and one of few labels. Labels of rows of numbers: see docs/classify.md")
    others = without_sources(source.frame, others, target, least=1)
    label, text = labels[-1], max(others, key=lambda name: source.frame[name].nunique())
    level = level_of(source.frame[text])
    notes.say("text", f"{text} has {source.frame[text].nunique():,} different texts")
    notes.say(
        "level", "texts of several words are read by words" if level == "token" else "short texts are read by letters"
    )
    notes.say("label", f"{label} has {source.frame[label].nunique():,} different values")
    for said in alike(sorted(source.frame[label].dropna().astype("str").unique()), label):
        notes.say("label", said)
    data = dict(source.keys) | {"text": text, "level": level, "label": label, "split": {"val": 0.15, "test": 0.15}}
    model = {"embedding_dim": 32, "encoder_units": [48], "bidirectional": True, "dropout": 0.2}
    return {"data": data, "model": model, "training": _training(len(source.frame), notes)}


def draft_translate(source: Source, target: list[str], notes: Notes) -> dict[str, object]:
    """A text and another one.

    Raises:
        DataError: The table has no two columns of texts.
    """
    texts = texts_of(source.frame)
    found, texts = texts, without_sources(source.frame, texts, target)
    for name in (each for each in found if each not in texts):
        notes.say("", f"{name} numbers rows, or names sources or licences, and is left out")
    free = [name for name in texts if not is_label(source.frame[name])]
    if len(target) > 1 or (not target and len(free) > PAIR):
        _refuse(source, f"one column to write (--target COLUMN), of {listed(texts)}; the first of the others is read")
    to = target[0] if target else ((free if len(free) > 1 else texts) or [""])[-1]
    others = [name for name in texts if name != to]
    if not others or to not in texts:
        _refuse(source, "two columns of texts")
    of = next((name for name in others if name in free), others[0])
    notes.say("source_column", f"{of} is read and {to} written: the order of the columns; another one: --target")
    read, written = level_of(source.frame[of]), level_of(source.frame[to])
    if is_spelled(source.frame[of]) and (written == "char" or has_new_words(source.frame[of])):
        read = "char"
    if read == "char" and is_spelled(source.frame[to]) and has_new_words(source.frame[to]):
        written = "char"
    told = {"token": "by words, which stand between spaces", "char": "by letters"}
    notes.say("level", f"{of} is read {told[read]}, {to} written {told[written]}")
    data = dict(source.keys) | {"source_column": of, "target_column": to, "level": read}
    data |= ({"target_level": written} if written != read else {}) | {"split": {"val": 0.1, "test": 0.1}}
    model = {
        "embedding_dim": 48,
        "encoder_units": [64],
        "decoder_units": [128],
        "bidirectional": True,
        "bridge": "attention",
        "dropout": 0.1,
    }
    return {"data": data, "model": model, "training": _training(len(source.frame), notes)}


def _training(rows: int, notes: Notes) -> dict[str, object]:
    epochs = max(2, min(40, _ROWS_A_PASS // max(rows, 1)))
    notes.say(
        "epochs", f"as many as about two minutes hold with {rows:,} sequences; the epoch of the best validation is kept"
    )
    batch = 32 if rows < 5_000 else 64 if rows < 30_000 else 256
    settings = {"learning_rate": 3e-3, "schedule": "cosine", "batch_size": batch, "epochs": epochs}
    return settings | {"patience": None, "clip_norm": 5.0}


def _refuse(source: Source, wanted: str) -> NoReturn:
    columns = listed([str(name) for name in source.frame.columns])
    raise DataError(
        f"{source.origin}: this task needs {wanted}. Received: {columns}. Choose another "
        "--task: forecast, autoencode, translate, tag or classify",
        code="nothing_to_draft",
    )


def _numbered_labels(frame: pd.DataFrame, texts: list[str]) -> list[str]:
    """Columns of few whole numbers that are called as labels of texts are, beside texts of several words and no time."""
    written = [name for name in texts if level_of(frame[name]) == "token" and not is_label(frame[name])]
    if not written or any(is_time(frame[name]) for name in texts):
        return []
    whole = [str(name) for name in frame.columns if pd.api.types.is_integer_dtype(frame[name])]
    return [name for name in whole if _CALLED_A_LABEL.fullmatch(name) and 1 < frame[name].nunique() <= _MOST_NUMBERED]
