"""One colour for one forecaster, in every figure, page and table; each is readable on white."""

import zlib
from collections.abc import Iterable

from seq2seq_kit.evaluation.base import MODEL

TRUTH_COLOUR, MODEL_COLOUR, PAST_COLOUR = "#1b1b1b", "#d1495b", "#9aa5b1"
# Of the baselines of most runs; a seasonal naive forecast by its season.
_KNOWN = {
    MODEL: MODEL_COLOUR,
    "last value": "#1f8a7d",
    "seasonal naive": "#b07d05",
    "ridge": "#37709b",
    "PCA": "#37709b",
    "training mean": "#80589a",
}
_OTHERS = ("#7d5a3c", "#4f7f3a", "#a8548f", "#5f6b2d", "#3d4f8f", "#8a3b12")


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """The colour of each forecaster of a run: a name's own one, of a name that is not known one that depends on it alone.

    Only where two names of a run would get the same colour, the later one takes the next.

    Example:
        >>> colours_of(["model", "ridge"])
        {'model': '#d1495b', 'ridge': '#37709b'}
    """
    names = list(names)
    found = {name: _KNOWN[name] for name in names if name in _KNOWN}
    for name in names:
        if name in found:
            continue
        first = zlib.crc32(name.encode("utf-8", "surrogatepass")) % len(_OTHERS)
        ring = [_KNOWN[name.split(" (")[0]]] if name.split(" (")[0] in _KNOWN else []
        ring += [*_OTHERS[first:], *_OTHERS[:first], *_KNOWN.values()]
        found[name] = next((colour for colour in ring if colour not in found.values()), ring[0])
    return {name: found[name] for name in names}
