"""Months and days in other languages than English, in timestamps such as `3. März 2024`, `12-ene-24` and `févr. 2023`."""

import re
import unicodedata

import pandas as pd

from seq2seq_kit.data.tables.time_words import in_digits

_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG = "january february march april june july august september october november december sept"
_ENGLISH = {*(name.casefold() for name in _SHORT), *_LONG.split()}
# Danish, Dutch, French, German, Italian, Norwegian, Polish, Portuguese, Spanish and Swedish, without accents, by month: names and
# abbreviations of Unicode's CLDR. No word is in two of the twelve.
_MONTHS = (
    "januar januari janner jan janvier janv enero ene gennaio gen janeiro styczen stycznia sty",
    "februar februari feber feb fevrier fevr fev febrero febbraio fevereiro luty lutego lut",
    "marz mrz maart mrt mars marts marzo mar marco marzec marca",
    "april apr avril avr abril abr aprile kwiecien kwietnia kwi",
    "mai mei maj maja mayo may maggio mag maio",
    "juni jun juin junio giugno giu junho czerwiec czerwca cze",
    "juli jul juillet juil julio luglio lug julho lipiec lipca lip",
    "august augustus augusti aug aout agosto ago sierpien sierpnia sie",
    "september sept sep septembre septiembre setiembre set settembre setembro wrzesien wrzesnia wrz",
    "oktober okt octobre oct octubre ottobre ott outubro out pazdziernik pazdziernika paz",
    "november nov novembre noviembre novembro listopad listopada lis",
    "dezember dez december dec decembre diciembre dic dicembre dezembro desember des grudzien grudnia gru",
)
_MONTH_OF = {word: name for name, words in zip(_SHORT, _MONTHS, strict=True) for word in words.split()}
# Names of days, and what stands between them and the months.
_OTHERS = (
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so "
    "lundi mardi mercredi jeudi vendredi samedi dimanche lun mar mer jeu ven sam dim "
    "lunes martes miercoles jueves viernes sabado domingo mie jue vie sab dom "
    "lunedi martedi mercoledi giovedi venerdi domenica gio "
    "segunda terca quarta quinta sexta feira seg ter qua qui sex "
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma wo vr za zo "
    "mandag tirsdag tisdag onsdag torsdag fredag lordag sondag man tir tis ons tor fre lor son "
    "poniedzialek wtorek sroda czwartek piatek sobota niedziela pon wt sr czw pt sob niedz "
    "de del den der le la el il am um a as alle kl uhr h "
)
_BESIDE = frozenset(_OTHERS.split())
_STROKES = str.maketrans("\u0142\u00f8", "lo")  # letters that no accent makes
_WORD = re.compile(r"[^\W\d_]+")


def in_english(column: pd.Series) -> pd.Series:
    """Texts with the months of another language as pandas reads them: `3. März 2024` as `3 Mar 2024`.

    Signs and words of dates and halves of days are brought to digits, AM and PM first, see `in_digits`. A column that holds other
    words than months, days and what stands between them is else given back as it is, and so is one in English, or of anything but
    texts.
    """
    column = in_digits(column)
    known = column.dropna()
    if not len(known) or pd.api.types.infer_dtype(column, skipna=True) != "string" or not _named(str(known.iloc[0])):
        return column
    texts = column.astype("str").where(column.notna(), "")
    words = {word for found in texts.str.findall(_WORD).map(frozenset).unique() for word in found}
    plain = {word: _without_accents(word) for word in words}
    foreign = [word for word, short in plain.items() if short in _MONTH_OF and word.casefold() not in _ENGLISH]
    if not foreign or not all(short in _MONTH_OF or short in _BESIDE for short in plain.values()):
        return column

    def english(found: re.Match[str]) -> str:
        return _MONTH_OF.get(plain[found[1]], " ")

    read = texts.str.replace(re.compile(r"([^\W\d_]+)\.?,?"), english, regex=True)
    # What stood beside the words: 3. Mar, and the hyphen of segunda-feira.
    read = read.str.replace(r"(?<=\d)\.(?=\s)|(?:^|(?<=\s))-|-(?=\s|$)", "", regex=True).str.split().str.join(" ")
    return read.where(column.notna())


def month_of(word: str) -> int | None:
    """The number of a month by its name or an abbreviation, in English or another language; None for other words."""
    plain = _without_accents(word.strip().rstrip("."))
    english = next((at for at, short in enumerate(_SHORT, 1) if plain in _ENGLISH and plain[:3] == short.lower()), None)
    return english or (_SHORT.index(_MONTH_OF[plain]) + 1 if plain in _MONTH_OF else None)


def _named(cell: str) -> bool:
    """Whether a cell holds a word that may be a month; T, Z, UTC and AM are none."""
    return any(_without_accents(word) in _MONTH_OF for word in _WORD.findall(cell))


def _without_accents(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.casefold())
    return (
        "".join(letter for letter in letters if not unicodedata.combining(letter))
        .replace("\u0142", "l")
        .replace("\u00f8", "o")
    )
