"""Dates and halves of days as other languages write them: `2024年1月31日 下午 1:00`, `2024. 1. 31. 오후 1:00`, `01:00 p. m.`"""

import re

import pandas as pd

# Before noon and after it, by Unicode's CLDR: Chinese, Japanese, Korean, Greek, Vietnamese. In Spanish it is a. m. with a blank.
_HALVES = {"AM": ("上午", "午前", "오전", "π.μ.", "πμ", "SA"), "PM": ("下午", "午後", "오후", "μ.μ.", "μμ", "CH")}
_HALF_OF = {word: half for half, words in _HALVES.items() for word in words}
_WORD = "|".join(map(re.escape, sorted(_HALF_OF, key=len, reverse=True)))
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_IN_FRONT = re.compile(rf"(?P<word>{_WORD})\s*(?P<clock>{_CLOCK})")
_BEHIND = re.compile(rf"(?P<clock>{_CLOCK})\s*(?P<word>{_WORD}|[ap]\.\s?m\.)(?=\s*$)", re.IGNORECASE)
_SIGNS = re.compile(r"(?P<year>\d{4})\s*[年년]\s*(?P<month>\d{1,2})\s*[月월](?:\s*(?P<day>\d{1,2})\s*[日일])?")
_POINTS = re.compile(r"^\s*(?P<year>\d{4})\.\s(?P<month>\d{1,2})\.(?:\s(?P<day>\d{1,2})\.?)?(?=\s|$)")
_OF_DAY = re.compile(
    r"(?P<hour>\d{1,2})\s*[時时点點시](?:\s*(?P<minute>\d{1,2})\s*[分분])?(?:\s*(?P<second>\d{1,2})\s*[秒초])?"
)
_LOOKED_AT = 100  # cells


def in_digits(column: pd.Series) -> pd.Series:
    """Texts with such signs and words as ISO and English write them, `2024-01-31 1:00 PM`; other columns as they are."""
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return column
    first = column.dropna().head(_LOOKED_AT).astype("str")
    if not any(form.search(cell) for cell in first for form in (_SIGNS, _POINTS, _OF_DAY, _IN_FRONT, _BEHIND)):
        return column
    texts = column.astype("str")
    for form in (_SIGNS, _POINTS):
        texts = texts.str.replace(form, _date, regex=True)
    texts = texts.str.replace(_OF_DAY, _time, regex=True)
    for form in (_IN_FRONT, _BEHIND):
        texts = texts.str.replace(form, _with_half, regex=True)
    return texts.str.strip().where(column.notna())


def _date(found: re.Match[str]) -> str:
    parts = (found["month"], found["day"])
    return "-".join([found["year"], *(part.zfill(2) for part in parts if part)]) + " "


def _time(found: re.Match[str]) -> str:
    parts = (found["minute"] or "00", found["second"])
    return ":".join([found["hour"].zfill(2), *(part.zfill(2) for part in parts if part)])


def _with_half(found: re.Match[str]) -> str:
    word = found["word"]
    half = _HALF_OF.get(word) or _HALF_OF.get(word.upper()) or f"{word[0].upper()}M"
    hour, sign, rest = found["clock"].partition(":")
    return f"{hour if int(hour) else '12'}{sign}{rest} {half}"
