"""What a column of texts is: labels, times, words or letters, names of blocks of rows, a licence."""

import re

import pandas as pd

_MOST_LABELS = 200  # different ones, for a column to be one of labels
_MANY_NUMBERS = 10  # columns of whole numbers, from which a table is none of texts
_REPEATS = 5  # rows that a label has at least, on average
_LONG = 12  # letters of a text from which it is read by words, where it has spaces
_SPELLED = 24  # letters of a text up to which it may be read letter by letter, though it has spaces
_A_SOUND = 2  # letters of a word up to which words are the letters of a text, such as phonemes
_SOURCES = re.compile(r"(?i)\s*(?:cc[- ]by\b.*|.*\battribution:.*|https?://\S+)\s*")
_MOSTLY = 0.9
_NEW = 0.01  # share of words that the half before has not
_TOKENS = re.compile(r"(?i)tokens?|words?|forms?|wort|palabras?|mots?|lemmas?")
_TAGS = re.compile(
    r"(?i)(?:(?:pos|ner|chunk|bio|iob|entity|word|token)[-_ ]?)?(?:tags?|labels?)|pos|ner|upos|xpos|bio|iob|entity|entities"
)
_PARTS_OF_NAMES = r"O|[BIESLU]-.+"
_VARY = 0.2  # share of sequences in which labels change, at least
PAIR = 2  # texts of a translation


def texts_of(frame: pd.DataFrame) -> list[str]:
    found = []
    for name in frame.columns:
        known = frame[name].dropna()
        if (known.nunique() > 1 or 0 < len(known) < len(frame)) and pd.api.types.infer_dtype(
            known, skipna=True
        ) == "string":
            found.append(str(name))
    return found


def holds_numbers(frame: pd.DataFrame) -> bool:
    whole = [name for name in frame.columns if pd.api.types.is_integer_dtype(frame[name])]
    if sum(frame[name].nunique() > 2 for name in whole) >= _MANY_NUMBERS:  # those of 0 and 1 are labels
        return True
    return any(pd.api.types.is_float_dtype(frame[name]) and frame[name].notna().any() for name in frame.columns)


def are_truths(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and column.notna().any() and column.dropna().isin([0, 1]).all())


def is_time(column: pd.Series) -> bool:
    cells = column.dropna().head(50)
    with_digits = cells.astype("str").str.contains(r"\d{1,4}[-./:]\d{1,2}").mean()
    return bool(
        with_digits > 0.9 and pd.to_datetime(cells, errors="coerce", format="mixed", utc=True).notna().mean() > 0.9
    )


def without_sources(frame: pd.DataFrame, texts: list[str], target: list[str], least: int = PAIR) -> list[str]:
    """The columns of texts without those that number the rows or say where each is from, as in the sentence pairs of Tatoeba."""
    others = [name for name in texts if name in target or not _tells_rows(frame[name].dropna().astype("str"))]
    return others if len(others) >= least else texts


def _tells_rows(cells: pd.Series) -> bool:
    numbered = cells.is_unique and bool(cells.str.fullmatch(r"\d+").all())
    return numbered or bool(cells.str.fullmatch(_SOURCES).mean() > _MOSTLY)


def is_label(column: pd.Series) -> bool:
    kinds = column.nunique()
    return 1 < kinds <= min(_MOST_LABELS, len(column) / _REPEATS)


def in_blocks(column: pd.Series) -> bool:
    """Whether each value of a column stands in one block of rows, and some in several."""
    cells = column.to_numpy(dtype=object)
    kinds = column.nunique()
    return bool(1 < kinds < len(cells) and 1 + int((cells[1:] != cells[:-1]).sum()) == kinds)


def tell_same_days(frame: pd.DataFrame, texts: list[str]) -> bool:
    """Whether two columns tell the same days in two ways, which is a translation and no table of times."""
    read = [pd.to_datetime(frame[name].head(50), errors="coerce", format="mixed", utc=True) for name in texts]
    return bool((read[0].dt.normalize() == read[1].dt.normalize()).mean() > 0.5)


def is_spelled(column: pd.Series) -> bool:
    """Whether texts are so short that they can be read letter by letter, and their words are more than a letter or a sound."""
    cells = column.dropna().astype("str").head(1_000)
    words = cells.str.split().explode().dropna()
    return bool(len(words) and cells.str.len().mean() <= _SPELLED and words.str.len().mean() > _A_SOUND)


def has_new_words(column: pd.Series) -> bool:
    """Whether later texts have words that the earlier ones have not."""
    cells = column.dropna().astype("str").head(20_000)
    words = [part.str.split().explode().dropna() for part in (cells[: len(cells) // 2], cells[len(cells) // 2 :])]
    return bool((~words[1].isin(set(words[0]))).mean() > _NEW)


def level_of(column: pd.Series) -> str:
    cells = column.dropna().astype("str").head(1_000)
    words = cells.str.split().explode().dropna()
    by_words = cells.str.strip().str.contains(" ").mean() > 0.5
    sounds = len(words) and words.str.len().mean() <= _A_SOUND
    return "token" if by_words and (sounds or cells.str.len().mean() > _LONG) else "char"


def token_columns(frame: pd.DataFrame, target: list[str]) -> tuple[str, str, str] | None:
    """Columns of the names of sequences, of tokens and of their labels, where rows show as tokens; None elsewhere.

    Names stand in blocks of rows, tokens are single words or signs in a column that is called so, and labels, called so or
    written as parts of names (B-PER, I-PER, O), are few and change within a sequence.
    """
    tokens = [name for name in texts_of(frame) if _TOKENS.fullmatch(name) and _are_words(frame[name])]
    labels = [str(name) for name in frame.columns if str(name) not in tokens and _are_tags(frame[name], str(name))]
    labels = [name for name in labels if name in target] if target else labels
    if not tokens or not labels or frame[tokens[0]].is_unique:
        return None
    for group in (str(name) for name in frame.columns if str(name) not in (*labels, *tokens)):
        if in_blocks(frame[group]):
            own = [name for name in labels if (frame.groupby(group)[name].nunique() > 1).mean() > _VARY]
            numbers = [str(name) for name in frame.select_dtypes("number").columns if str(name) not in (*labels, group)]
            if own and all(_counts_rows(frame[name], frame[group]) for name in numbers) and not is_time(frame[group]):
                return group, tokens[0], own[-1]
    return None


def _counts_rows(column: pd.Series, groups: pd.Series) -> bool:
    """Whether numbers count the rows, or those of each group."""
    return bool((column.diff().iloc[1:] == 1).all() or (column.groupby(groups).diff().dropna() == 1).all())


def filled_once(frame: pd.DataFrame, target: list[str]) -> str | None:
    """A column that names a sequence of tokens in its first row only; None without one."""
    for name in texts_of(frame):
        known = frame[name].notna()
        if known.iloc[0] and 1 < known.sum() < (1 - _VARY) * len(frame) and frame[name][known].is_unique:
            found = token_columns(frame.assign(**{name: frame[name].ffill()}), target)
            if found and found[0] == name:
                return name
    return None


def _are_tags(column: pd.Series, name: str) -> bool:
    if not is_label(column) or pd.api.types.is_float_dtype(column):
        return False
    return bool(_TAGS.fullmatch(name) or column.dropna().astype("str").str.fullmatch(_PARTS_OF_NAMES).all())


def _are_words(column: pd.Series) -> bool:
    return not column.dropna().astype("str").str.strip().str.contains(r"\s").any()
