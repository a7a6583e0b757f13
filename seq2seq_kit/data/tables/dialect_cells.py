"""How the numbers of a table are written: evidence from all of its cells, never from a single one."""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.dialect_lines import Lines
from seq2seq_kit.data.tables.dialect_signs import SYMBOLS, Signs, odd_cells
from seq2seq_kit.data.tables.dialect_words import CELL, MISSING, MONTH_AND_YEAR, SURE, ZERO, is_date
from seq2seq_kit.data.tables.written import TRUTH, is_truth, read_texts
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

_READ_BY_PANDAS = {
    "", "#N/A", "#N/A N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
_NINES = re.compile(r"\D*9{1,6}(?:[.,]9*0*)?\D*|[-+]?\d(?:\.\d+)?[eE]\+?[23]\d")
_SENTINELS = (
    *(-9.0, -99.0, -999.0, -9999.0, -99999.0, -99.9, -999.9, -9999.9, 999.0, 9999.0, 99999.0, 999999.0, -1e30),
    *(-888.0, -8888.0, 8888.0, 88888.0, -997.0, -998.0, 999.9, 9999.9),
    *(-99.99, -999.99, -9999.99),
    *(1e20, 1e30, -1e31, 1e31, -1e34, 1e36, 9.96921e36, 9.969209968386869e36),  # of netCDF, GrADS, Ferret
    *(65535.0, 32767.0, -32768.0),  # of registers, all bits set or the least number
    -127.0,  # of the sensor DS18B20
)
_SHORT = (99.0, 99.9, 99.99)  # of buoys and stations; also a spike may be so, so they have to be farther off and more
_ENOUGH = 30  # cells such as 1.234, all with three digits, in which chance would have shown another number of them


def read_cells_of(lines: Lines, path: str) -> tuple[dict[str, object], list[str]]:
    """Keys of the format that are about cells, and why.

    Raises:
        DataError: The numbers contradict each other, or nothing tells what a sign means.
    """
    keys: dict[str, object] = {}
    reasons: list[str] = []
    columns: dict[str, Signs] = {}
    strip: Counter[str] = Counter()
    words: Counter[str] = Counter()
    zeros: Counter[str] = Counter()
    negatives: Counter[str] = Counter()
    told: list[str] = []
    truths: list[str] = []
    numbers: dict[str, Counter[str]] = {}
    width = max((len(row) for row in lines.rows), default=0)
    for position in range(width):
        name = lines.names[position] if position < len(lines.names) else f"column_{position + 1}"
        cells = Counter(lines.column(position))
        if is_truth(cells) and len({TRUTH[cell.lower()] for cell in cells}) == 2:
            truths.append(name)
            continue
        if cells and all(map(MONTH_AND_YEAR.fullmatch, cells)):
            continue
        plain = dict.fromkeys(cell for cell in cells if _PLAIN.fullmatch(cell))
        parts = {
            cell: match for cell in cells if cell not in plain and (match := CELL.fullmatch(cell)) and not is_date(cell)
        }
        for cell in odd_cells(cells, plain, parts):
            plain.pop(cell, None)
            parts.pop(cell, None)
        found = sum(count for cell, count in cells.items() if cell in plain or cell in parts)
        rest = {cell: count for cell, count in cells.items() if cell not in plain and cell not in parts}
        none = {cell: count for cell, count in rest.items() if ZERO.fullmatch(cell)}
        missing = {cell: count for cell, count in rest.items() if MISSING.fullmatch(cell) and cell not in none}
        others = {cell: count for cell, count in rest.items() if cell not in missing and cell not in none}
        symbols = _symbols(cells, parts, found)
        if missing and not found and not others:  # no value at all
            words.update({cell: count for cell, count in missing.items() if cell not in _READ_BY_PANDAS})
        if not found or sum(others.values()) > found / 4 or symbols is None:
            continue
        strip.update(symbols)
        zeros.update(none)
        words.update({cell: count for cell, count in missing.items() if cell not in _READ_BY_PANDAS})
        numbers[name] = Counter({cell: count for cell, count in cells.items() if cell in plain or cell in parts})
        signs = columns.setdefault(name, Signs())
        for cell in plain:
            signs.add(cell.lstrip("-+"), cells[cell])
        for cell, match in parts.items():
            signs.add(match["body"], cells[cell])
            if match["open"]:
                negatives["parentheses"] += cells[cell]
            elif match["after"]:
                negatives["trailing_minus"] += cells[cell]
        if others:
            word, count = max(others.items(), key=lambda each: each[1])
            total = sum(others.values())
            told.append(
                f"{name} has {total:,} cell{'s' if total > 1 else ''} with no number, such as {word!r} ({count:,}); if that "
                "stands for a missing value, add it to data.format.missing_words"
            )
    decimal, thousands, why = _decided(columns, lines.delimiter, path)
    reasons += why
    keys |= {"decimal": ","} if decimal == "," else {}
    keys |= {"thousands": thousands} if thousands else {}
    if strip:
        keys["strip"] = sorted(strip)
        reasons.append(f"numbers carry {', '.join(f'{each!r} ({strip[each]:,} cells)' for each in sorted(strip))}")
    if zeros:
        keys["zero_words"] = sorted(zeros)
        shown = ", ".join(f"{each!r} ({zeros[each]:,} cells)" for each in sorted(zeros))
        reasons.append(
            f"{shown} in columns of numbers {'is' if len(zeros) == 1 else 'are'} 0, as Excel's accounting writes it"
        )
    if words:
        keys["missing_words"] = sorted(words)
        shown = ", ".join(f"{each!r} ({words[each]:,} cells)" for each in sorted(words))
        reasons.append(f"{shown} in columns of numbers {'stands' if len(words) == 1 else 'stand'} for a missing value")
    if len(negatives) > 1:
        raise DataError(
            f"{path} writes numbers below 0 both in parentheses and with a minus behind them. Write them in one way, and set "
            "data.format.negatives in the recipe",
            code="unclear_format",
        )
    if negatives:
        ((way, count),) = negatives.items()
        keys["negatives"] = way
        called = "stand in parentheses" if way == "parentheses" else "have their minus behind them"
        reasons.append(f"numbers below 0 {called} ({count:,} cells)")
    if truths:
        keys["booleans"] = True
        reasons.append(f"{', '.join(truths[:5])} {'has' if len(truths) == 1 else 'have'} words for true and false")
    form = Format.model_validate(keys)
    return keys, [*reasons, *told, *_sentinels(numbers, form)]


def _symbols(cells: Mapping[str, int], parts: Mapping[str, re.Match[str]], total: int) -> Counter[str] | None:
    """Signs that numbers carry, and how often; None where the column is of names that have digits in them."""
    found: Counter[str] = Counter()
    for cell, match in parts.items():
        for group in SYMBOLS:
            if match[group]:
                found[match[group]] += cells[cell]
    units = {symbol: count for symbol, count in found.items() if not SURE.fullmatch(symbol)}
    if units and (len(units) > 1 or max(units.values()) < 0.9 * total):
        return None
    return found


def _decided(columns: Mapping[str, Signs], delimiter: str, path: str) -> tuple[str, str | None, list[str]]:
    """The decimal sign, the sign between thousands (None: none), and why."""
    decimals, thousands, either = (
        {sign: name for name, signs in columns.items() for sign in getattr(signs, what)}
        for what in ("decimal", "thousands", "open")
    )
    groups = [sign for sign in thousands if sign not in decimals]
    if len(decimals) > 1 or len(groups) > 1 or len(groups) < len(thousands):
        raise _contradiction(columns, path)
    decimal, group = next(iter(decimals), ""), next(iter(groups), None)
    for sign in either:
        if sign in (decimal, group):
            continue
        if decimal and group is None:
            group = sign
        elif group is not None and not decimal:
            decimal = sign
        elif decimal or len(either) > 1:
            raise _contradiction(columns, path)
        elif _means_thousands(columns, sign, delimiter, path):
            group = sign
        else:
            decimal = sign
    reasons = []
    if decimal == ",":
        reasons.append(f"numbers have a decimal comma ({_shown(columns, ',', 'decimal')})")
    if group:
        called = "blanks" if group == " " else repr(group)
        reasons.append(f"groups of digits are separated by {called} ({_shown(columns, group, 'thousands')})")
    return decimal or ("," if group == "." else "."), group, reasons


def _means_thousands(columns: Mapping[str, Signs], sign: str, delimiter: str, path: str) -> bool:
    """What a sign is before three digits where no other cell of the file tells."""
    seen = {name: signs for name, signs in columns.items() if signs.open[sign]}
    if any(signs.large for signs in seen.values()) or (sign == "." and delimiter == ","):
        return False  # 1234 would have the sign, too; and between commas a point is what programs write
    if any(signs.small and signs.open[sign] >= _ENOUGH for signs in seen.values()):
        return True
    name, signs = next(iter(seen.items()))
    example = signs.example["open", sign]
    whole, fraction = example.replace(sign, ""), example.replace(sign, ".")
    also = " and data.format.decimal: ','" if sign == "." else ""  # a decimal point is the default, and cannot be both
    raise DataError(
        f"{path}, column {name}: {example} may be {whole} or {fraction}, and no cell of the file tells. Set "
        f"data.format.thousands: {sign!r}{also} in the recipe for {whole}, data.format.decimal: {sign!r} for {fraction}",
        code="unclear_format",
    )


def _contradiction(columns: Mapping[str, Signs], path: str) -> DataError:
    shown: dict[tuple[str, str], str] = {}
    for name, signs in columns.items():
        for (said, sign), example in signs.example.items():
            shown.setdefault((said, sign), f"{example} in {name}")
    return DataError(
        f"{path} writes its numbers in more than one way: {'; '.join(list(shown.values())[:4])}. Write them in one way, or set "
        "data.format.decimal and data.format.thousands in the recipe to what most columns have, and leave the others out",
        code="unclear_format",
    )


def _shown(columns: Mapping[str, Signs], sign: str, said: str) -> str:
    for what in (said, "open"):
        for name, signs in columns.items():
            if (what, sign) in signs.example:
                return f"{signs.example[what, sign]} in {name}"
    return ""


def _sentinels(numbers: Mapping[str, Mapping[str, int]], form: Format) -> list[str]:
    """What is told of numbers such as -999 that may stand for a missing value."""
    found = []
    for name, cells in numbers.items():
        if not any(map(_NINES.fullmatch, cells)):
            continue
        values, _ = read_texts(pd.Series(list(cells), dtype=object), form)
        repeated = np.repeat(values, list(cells.values()))
        found += [
            f"{name} {said}: if that stands for a missing value, add {sentinel:g} to data.format.missing_words"
            for sentinel, said in sentinels_of(repeated).items()
        ]
    return found


def sentinels_of(values: np.ndarray) -> dict[float, str]:
    """Numbers such as -999 that stand far off all others more than once, each with what shows it."""
    found = {}
    others = values[np.isfinite(values) & ~np.isin(values, (*_SENTINELS, *_SHORT))]  # one of them must not hide another
    for sentinel in (*_SENTINELS, *_SHORT):
        count, times = int((values == sentinel).sum()), 3 if sentinel in _SHORT else 1
        if count > times and len(others) > 1 and _is_far(sentinel, others, times):
            found[sentinel] = f"has {sentinel:g} in {count:,} cells and else {others.min():g} to {others.max():g}"
    return found


def _is_far(value: float, others: np.ndarray, times: int) -> bool:
    low, high = others.min(), others.max()
    far = times * (high - low)
    return bool(value < low - far or value > high + far)
