"""Where the best trial lies at the edge of a range, and by how much to widen the range."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.sweeps.report.importance import HARDLY
from seq2seq_kit.sweeps.trials import Trial, number_of, position_of, same, text_of
from seq2seq_kit.text import code_in_markdown

if TYPE_CHECKING:
    from seq2seq_kit.recipe.sweep import Knob

_NEAR = 0.05  # of the range: what a tuner that draws numbers hardly ever hits exactly


def edge_hints(
    best: Trial,
    knobs: Sequence[Knob],
    shares: Mapping[str, float],
    *,
    accepts: Callable[[str, object], bool] | None = None,
) -> list[str]:
    """A sentence for each key whose best value lies at the edge of its range, if the range can be widened there.

    Args:
        best: The best trial.
        knobs: The space.
        shares: Importances by key; may be empty.
        accepts: Whether a recipe with this value at this key would be valid.
    """
    sentences = []
    for knob in knobs:
        if knob.key not in best.values:
            continue
        sentence = _range_edge(knob, best.values[knob.key], accepts or (lambda key, value: True))
        if sentence:
            idle = shares.get(knob.key, 1.0) < HARDLY
            sentences.append(f"{code_in_markdown(knob.key)} {sentence}{' (it hardly mattered)' if idle else ''}")
    return sentences


def _range_edge(knob: Knob, value: object, accepts: Callable[[str, object], bool]) -> str:
    if knob.kind == "choice" and knob.ordered:
        return _choice_edge(knob, value, accepts)
    number = number_of(value)
    if knob.kind not in ("int", "float") or number is None or knob.low is None or knob.high is None:
        return ""
    if not knob.low <= number <= knob.high:
        ends = f"{_number_text(knob.low)} to {_number_text(knob.high)}"
        return f"{_number_text(number)}, the recipe's own value, lies outside the space ({ends}): widen it to hold the value"
    positions = [position_of(knob, each) for each in (knob.low, number, knob.high)]
    low, at, high = (position for position in positions if position is not None)
    for upper, away in ((True, high - at), (False, at - low)):
        end = knob.high if upper else knob.low
        if away > _NEAR * (high - low):
            continue
        wider = next((each for each in _wider(knob, upper=upper) if accepts(knob.key, each)), None)
        if wider is None:
            return ""
        word = "largest" if upper else "smallest"
        where = f"is the {word} value" if number == end else f"is close to {_number_text(end)}, the {word} value"
        return f"{_number_text(number)} {where} of the space: widen it, for example to {_number_text(wider)}"
    return ""


def _choice_edge(knob: Knob, value: object, accepts: Callable[[str, object], bool]) -> str:
    at = next((at for at, own in enumerate(knob.values) if same(own, value)), None)
    if at not in (0, len(knob.values) - 1):
        return ""
    upper = at != 0
    numbers = [number_of(own) for own in knob.values]
    word = "last" if upper else "first"
    if any(number is None for number in numbers):
        return f"{text_of(value)} is the {word} of its values: add one beyond it, if there is one"
    known = [number for number in numbers if number is not None]
    beyond = next((each for each in _continued(knob, known if upper else known[::-1]) if accepts(knob.key, each)), None)
    if beyond is None:
        return ""
    return f"{text_of(value)} is the {word} of its values: add one beyond it, for example {_number_text(beyond)}"


def _wider(knob: Knob, *, upper: bool) -> Iterator[float]:
    """Wider ends for the range of an int or a float, the widest first; only possible ones."""
    assert knob.low is not None
    assert knob.high is not None
    low, high = knob.low, knob.high
    end, sign = (high, 1) if upper else (low, -1)
    for part in (0.5, 0.25, 0.1):
        if knob.sampling == "log":
            # Half a decade, a quarter, a tenth; one digit, as people write them.
            yield from _possible(knob, float(f"{end * 10 ** (sign * part):.1g}"), upper=upper)
        else:
            step = knob.step or 0
            reach = part * (high - low)
            reach = step * max(1, round(reach / step)) if step else reach
            wider = end + sign * reach
            yield from _possible(knob, wider if step else _round(wider), upper=upper)
    # Towards the limit that a rate has at 1, and towards 0.
    middle = (1 + high) / 2 if upper else low / 2
    yield from _possible(knob, _round(middle), upper=upper)


def _continued(knob: Knob, numbers: Sequence[float]) -> Iterator[float]:
    """The number after the last one, by equal differences or else by equal ratios."""
    before, last = numbers[-2:]
    differences = {numbers[at + 1] - numbers[at] for at in range(len(numbers) - 1)}
    upper = last > before
    if len(numbers) > 2 and len(differences) == 1:
        yield from _possible(knob, 2 * last - before, upper=upper)
    if before * last > 0:
        yield from _possible(knob, _round(last * last / before), upper=upper)
    yield from _possible(knob, 2 * last - before, upper=upper)


def _possible(knob: Knob, value: float, *, upper: bool) -> Iterator[float]:
    """The value, whole where the key is, if no recipe's limits forbid it; nothing otherwise."""
    known = [number for own in knob.values if (number := number_of(own)) is not None]
    low, high = (min(known), max(known)) if known else (knob.low, knob.high)
    assert low is not None
    assert high is not None
    whole = knob.kind == "int" or (knob.kind == "choice" and all(isinstance(own, int) for own in knob.values))
    if whole:
        value = math.floor(value + 0.5)
    rate = "dropout" in knob.key.rpartition(".")[2]
    beyond = value > high if upper else value < low
    # Rates end below 1; a number that was never negative, or never 0, stays so, which for a whole one is from 1.
    if beyond and not (rate and value >= 1) and (value > 0 or low < 0):
        yield value


def _round(value: float) -> float:
    """Two digits, as a person would write an end."""
    return float(f"{value:.2g}") if abs(value) < 100 else float(f"{value:.3g}")


def _number_text(value: float) -> str:
    return text_of(int(value) if float(value).is_integer() else value)
