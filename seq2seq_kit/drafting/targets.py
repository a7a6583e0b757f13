"""Which columns are forecast: the named ones, or the best guess with its reason."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.roles import broken_numbers, told_slips
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.messages import did_you_mean

_NAMES = (
    r"target|^y$|label",
    r"^close$|^adj(usted)?[ _.]?close$|^schlusskurs$",
    r"sales|sold|revenue|turnover|demand|umsatz|absatz|verkauf|ventas|ventes|vendite|vendas|omzet",
    r"load|consum|verbrauch|\blast\b|leistung|power|energ|\bk?m?wh?\b|_k?m?wh?\b|kwh|consumo|conso|usage",
    r"units|quantity|qty|menge|cantidad|quantit|orders|traffic|volume|passenger|visits|clicks|^q$|count|anzahl",
    r"temp|flow|level|speed|pressure|rate",
    r"^close$|price|preis|precio|prix|cost|value|wert|valor|valeur",
)
_CODE = re.compile(
    r"status|state|code|flag|type|kind|class|mode|version|level_?id|zip|plz|channel|priority|error|(^|[_ ])id$", re.I
)
_PLACE = re.compile(r"^(lat|lon|lng|latitude|longitude)$", re.I)
_MOST_CODES, _MOST_NAMED = 30, 6
_ALIKE = 10  # times that the typical value of one column of a wide table may be that of another
_LEAST_WIDE = 3
_AMOUNT = r"[-+]?\s*[$\u20ac\u00a3]?\s*-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\s*[KMBkmb]?"
_MOSTLY_AMOUNTS = 0.9
_MOSTLY_NUMBERS = 0.5
_KNOWN = 0.6  # share of its rows that a column of a wide table must have


@dataclass(frozen=True)
class Targets:
    """The columns to forecast; `wide`: each is a series of its own, beside the others."""

    names: list[str]
    wide: bool = False


def choose_targets(
    frame: pd.DataFrame,
    numbers: list[str],
    named: list[str],
    notes: Notes,
    origin: str,
    *,
    left_out: Sequence[str] = (),
) -> Targets:
    """The targets of a forecast.

    Raises:
        DataError: A named column is missing or holds no numbers; or the table has no column of numbers.
    """
    if named:
        for name in named:
            if name not in numbers:
                _refuse(frame, name, numbers, origin)
        notes.say("targets", "as asked for")
        return Targets(list(named), wide=len(named) > 1)
    if not numbers:
        columns = listed([str(name) for name in frame.columns])
        raise DataError(
            f"{origin} has no column of numbers to forecast. Received: {columns or 'no columns'}"
            f"{f' ({listed(list(left_out))})' if left_out else ''}. {_advice(frame, left_out)}".rstrip(),
            code="nothing_to_draft",
        )
    if len(numbers) == 1:
        _refuse_broken(frame, numbers, numbers[0], origin)
        notes.say("targets", f"{numbers[0]} is the only column of numbers")
        return Targets(numbers)
    numbers, codes = _measured(frame, numbers)
    scarce = [name for name in numbers if frame[name].notna().mean() < _KNOWN]
    if scarce and len(scarce) == len(numbers) - 1:
        numbers = [name for name in numbers if name not in scarce]
        known = ", ".join(f"{name} ({frame[name].notna().mean():.0%})" for name in scarce)
        notes.say("targets", f"known in few rows, so not forecast: {known}; if it is, --target COLUMN")
    if codes:
        kinds = ", ".join(f"{name} ({frame[name].nunique()} different values)" for name in codes[:_MOST_NAMED])
        notes.say("targets", f"no measured number, so not forecast: {kinds}; if it is, --target COLUMN")
    if len(numbers) == 1:
        notes.say("targets", f"{numbers[0]} is the only column of measured numbers")
        return Targets(numbers)
    best = min(map(_rank, numbers))
    hinted = [name for name in numbers if _rank(name) == best < len(_NAMES)]
    if len(numbers) >= _LEAST_WIDE and len(hinted) in (0, len(numbers)) and _are_alike(frame, numbers):
        return _wide(frame, numbers, notes)
    if hinted and len(hinted) < len(numbers):
        _refuse_broken(frame, numbers, hinted[0], origin)
        notes.say("targets", f"{hinted[0]} is called like what is forecast; another one: --target COLUMN")
        return Targets([hinted[0]])
    _refuse_broken(frame, numbers, numbers[-1], origin)
    notes.say("targets", f"{numbers[-1]} is the last column of numbers; another one: --target COLUMN")
    return Targets([numbers[-1]])


def _advice(frame: pd.DataFrame, left_out: Sequence[str]) -> str:
    """What to do where no column is one of numbers; empty where `left_out` says it of one."""
    told = [name for name in frame.columns if any(said.startswith(f"{name} is left out: ") for said in left_out)]
    if any(pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns):
        return "A forecast needs a column of numbers that change and are measured; add one"
    for name in frame.columns.difference(told, sort=False):
        cells = frame[name].dropna().astype("str")
        if said := told_amounts(cells, str(name)):
            return said
        numbers = pd.to_numeric(cells, errors="coerce").notna()
        if len(cells) and numbers.mean() > _MOSTLY_NUMBERS:
            if numbers.all():
                return f"{name} holds numbers as categories or names: make them numbers, frame[{name!r}].astype(float)"
            bad = cells[~numbers]
            cells_are = f"{len(bad):,} cell{'s' if len(bad) > 1 else ''} with no number"
            return (
                f"{name} has {cells_are}, such as {bad.iloc[0][:40]!r}: correct them, or name them in "
                "data.format.missing_words (--set)"
            )
    if told:
        return ""
    return (
        "A table of texts is for the tasks translate, tag and classify: choose one with --task; or write the numbers as "
        "numbers"
    )


def told_amounts(cells: pd.Series, name: str) -> str:
    """What to do about texts that are numbers in thousands and millions, such as `$1.02M`; empty where they are none."""
    texts = cells.astype("str").str.strip()
    if not len(texts) or texts.str.fullmatch(_AMOUNT).mean() <= _MOSTLY_AMOUNTS:
        return ""
    lettered = texts[texts.str.contains(r"[KMB]$", case=False)]
    # `12B` may be the number of a flat.
    if 2 * len(lettered) < len(texts) or 2 * lettered.str.contains(r"[.$\u20ac\u00a3]|[KM]$", case=False).sum() < len(
        lettered
    ):
        return ""
    return (
        f"{name} has numbers with a letter for thousands, millions or billions, such as {lettered.iloc[0]!r}. Write them out: "
        f"parts = frame[{name!r}].str.replace(r'[^0-9.KMBkmb-]', '', regex=True).str.extract(r'(-?[0-9.]+)([KMB]?)', flags=2); "
        f"frame[{name!r}] = parts[0].astype(float) * parts[1].str.upper().map({{'': 1, 'K': 1e3, 'M': 1e6, 'B': 1e9}})"
    )


def _measured(frame: pd.DataFrame, numbers: list[str]) -> tuple[list[str], list[str]]:
    """Columns that measure, and those that tell states (0 and 1), codes or places; none of the latter where all are."""
    codes = [
        name
        for name in numbers
        if (frame[name].nunique() == 2 and set(frame[name].dropna().unique()) <= {0, 1}) or _is_code(frame[name], name)
    ]
    return ([name for name in numbers if name not in codes], codes) if len(codes) < len(numbers) else (numbers, [])


def _is_code(column: pd.Series, name: str) -> bool:
    whole = bool((column.dropna() % 1 == 0).all())
    return bool(_PLACE.search(name)) or (whole and column.nunique() <= _MOST_CODES and bool(_CODE.search(name)))


def _refuse_broken(frame: pd.DataFrame, numbers: list[str], chosen: str, origin: str) -> None:
    """Refuses to choose a target where a column with a few cells that are no numbers fits as one at least as well.

    Where neither's name fits, only the sole column of numbers is doubted: of many columns a broken one is one among others.
    """
    least = _rank(chosen) if len(numbers) == 1 else min(_rank(chosen), len(_NAMES) - 1)
    for name in (str(each) for each in frame.columns):
        if name not in numbers and _rank(name) <= least and (slips := broken_numbers(frame[name])):
            said = f"{slips.rstrip('.')}. Or choose the target yourself: --target {shlex.quote(chosen)}"
            raise DataError(f"{origin}, column {name}: {said}", code="not_a_number")


def _rank(name: str) -> int:
    """How well a name fits a target, 0 the best; `len(_NAMES)` where it fits none."""
    return next((place for place, called in enumerate(_NAMES) if re.search(called, name, re.I)), len(_NAMES))


def _refuse(frame: pd.DataFrame, name: str, numbers: list[str], origin: str) -> None:
    present = [str(each) for each in frame.columns]
    if name in present:
        if slips := told_slips(frame[name]):
            raise DataError(f"{origin}, column {name}: {slips}", code="not_a_number")
        if said := told_amounts(frame[name].dropna(), name):
            raise DataError(f"{origin}, column {name}: {said}", code="not_a_number")
        raise DataError(
            f"{origin}, column {name}: a target of a forecast must be a column of numbers that changes. Received: "
            f"{str(frame[name].iloc[0])[:40]!r}. Columns of numbers: {listed(numbers) or 'none'}",
            code="invalid_target",
        )
    near = did_you_mean(name, present, otherwise=f"; it has {listed(present)}")
    raise DataError(f"{origin} lacks the column {name}{near}", code="missing_column")


def _are_alike(frame: pd.DataFrame, numbers: list[str]) -> bool:
    """Whether columns are the same quantity of several places: numbered names, or values of one size."""
    stems = {re.sub(r"[\d _.-]+$|^[A-Za-z]{1,2}(?=\d)", "", name) for name in numbers}
    if len(stems) == 1 and all(re.search(r"\d", name) for name in numbers):
        return True
    typical = np.array([abs(frame[name].median()) for name in numbers], dtype=np.float64)
    return bool(typical.min() > 0 and typical.max() / typical.min() <= _ALIKE)


def _wide(frame: pd.DataFrame, numbers: list[str], notes: Notes) -> Targets:
    known = {name: float(frame[name].notna().mean()) for name in numbers}
    kept = [name for name in numbers if known[name] >= _KNOWN]
    if len(kept) < 1:
        kept = [max(numbers, key=lambda name: known[name])]
    notes.say(
        "targets", f"a wide table: {len(kept)} columns of one kind, each a series of its own with the same weights"
    )
    absent = [f"{name} ({known[name]:.0%} known)" for name in numbers if name not in kept]
    if absent:
        advice = "melt the table into a long one (time, series, value) to use them"
        notes.say("targets", f"{listed(absent)}: too few rows beside the others, so left out; {advice}")
    return Targets(kept, wide=len(kept) > 1)
