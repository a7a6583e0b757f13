"""What the digits of numbers say of the signs between them, and which cells of a column are written like no other."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from seq2seq_kit.data.tables.dialect_words import SURE
from seq2seq_kit.recipe.format import APOSTROPHES, BLANKS

SYMBOLS = ("first", "prefix", "suffix", "last")  # groups of `CELL`
_GROUPS = re.compile(r"\d{1,3}([,.' \u2019\u00a0\u202f\u2009_])(?:\d{2,3}\1)*\d{3}(?!\d)")
_PART = 0.1  # of a column's numbers: what fewer of them have is no way of writing, but a slip


@dataclass
class Signs:
    """What the numbers of one column show: how many cells say what of a sign, and one of them."""

    decimal: Counter[str] = field(default_factory=Counter)
    thousands: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)  # such as 1.234, which may be either
    example: dict[tuple[str, str], str] = field(default_factory=dict)
    small: int = 0  # cells of up to three digits
    large: int = 0  # cells of more digits, none of which is a sign

    def add(self, body: str, count: int) -> None:
        for said, sign in said_of(body):
            if said == "small":
                self.small += count
            elif said == "large":
                self.large += count
            else:
                getattr(self, said)[sign] += count
                self.example.setdefault((said, sign), body)


def said_of(body: str) -> Iterator[tuple[str, str]]:
    """What the digits of one number say of its signs."""
    signs = [each for each in body if not each.isdigit()]
    if not signs:
        yield ("small" if len(body) <= 3 else "large"), ""
        return
    groups = _GROUPS.match(body)
    last = signs[-1]
    if len(signs) == 1 and last in ".,":
        left, right = body.split(last)
        either = len(right) == 3 and 1 <= len(left) <= 3 and not left.startswith("0")
        if either or not (left.startswith("0") and len(left) > 1):
            yield ("open" if either else "decimal"), last
        return
    if groups:
        yield "thousands", kind_of(groups[1])
        if groups.end() < len(body) and last != groups[1]:
            yield "decimal", last


def kind_of(sign: str) -> str:
    """One sign for all blanks, one for all apostrophes."""
    return next((kind[0] for kind in (BLANKS, APOSTROPHES) if sign in kind), sign)


def is_few(count: int, total: int) -> bool:
    """Whether so many cells of a column show nothing of how it is written: a single one, or less than a tenth."""
    return count < total and (count < _PART * total or (count == 1 and total > 2))


def odd_cells(cells: Mapping[str, int], plain: Collection[str], parts: Mapping[str, re.Match[str]]) -> set[str]:
    """Cells whose unit or decimal sign few others of the column have; the others write it, or its absence, otherwise.

    Args:
        cells: How often each cell is there.
        plain: Those that are numbers as programs write them.
        parts: Those that look like numbers with signs, cut by `CELL`.
    """
    total = sum(cells[cell] for cell in (*plain, *parts))
    carried: Counter[str] = Counter()
    for cell, match in parts.items():
        carried.update({match[group]: cells[cell] for group in SYMBOLS if match[group]})
    few = {symbol for symbol, count in carried.items() if is_few(count, total)}
    # Many units of a few cells each are those of names, such as A1 and B2, and no slips.
    units = sum(carried[symbol] for symbol in few if not SURE.fullmatch(symbol))
    few = {symbol for symbol in few if SURE.fullmatch(symbol) or is_few(units, total)}
    odd = {cell for cell, match in parts.items() if any(match[group] in few for group in SYMBOLS)}
    bodies = {cell: cell.lstrip("-+") for cell in plain} | {cell: match["body"] for cell, match in parts.items()}
    signs = Signs()
    for cell in bodies.keys() - odd:
        signs.add(bodies[cell], cells[cell])
    slips = {sign for sign in {*signs.decimal, *signs.thousands, *signs.open} if _is_slip(sign, signs, total)}
    return odd | {cell for cell, body in bodies.items() if slips & {sign for _, sign in said_of(body)}}


def _is_slip(sign: str, signs: Signs, total: int) -> bool:
    """Whether few numbers have a sign and the others show that they would have it, too."""
    decimal, open_ = signs.decimal[sign], signs.open[sign]
    usual = max((count for each, count in signs.decimal.items() if each != sign), default=0)
    if decimal:
        alone = sign != "." and is_few(decimal + open_, total)  # a point is the sign by default
        return usual + decimal > 0 and (is_few(decimal + open_, usual + decimal + open_) or (alone and decimal == 1))
    there = signs.thousands[sign] + open_
    if sign == "." and not usual:
        return False
    return is_few(there, there + signs.large) or (open_ == 1 == there and is_few(1, total))
