"""Checks of builder arguments: each refuses what Keras would clamp, convert or fail on later, and names the argument."""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import NoReturn

from seq2seq_kit.errors import ArgumentError


def refuse(name: str, value: object, must: str) -> NoReturn:
    """Raises `ArgumentError`: what an argument must be, and what was received."""
    raise ArgumentError(f"{name} must {must}. Received: {name}={value!r}", code="invalid_argument")


def refuse_shape(needs: str, shape: Iterable[object]) -> NoReturn:
    """Raises `ArgumentError`: which shape a layer needs, and which it received."""
    raise ArgumentError(f"{needs}. Received: shape {tuple(shape)}", code="shape_not_supported")


def positive_int(name: str, value: object, *, least: int = 1) -> int:
    """A whole number of at least `least`; True and False are refused."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        refuse(name, value, f"be a whole number of at least {least}")
    return int(value)


def units_list(name: str, value: object) -> list[int]:
    """Units of each layer, first to last: a non-empty list of positive whole numbers."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not len(value):
        refuse(name, value, "be a list with the units of each layer, such as [64]")
    return [positive_int(f"{name}[{position}]", units) for position, units in enumerate(value)]


def fraction(name: str, value: object) -> float:
    """A share in [0, 1); Keras would clamp what lies outside."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        refuse(name, value, "be in [0, 1)")
    return float(value)


def non_negative(name: str, value: object) -> float:
    """A finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < float("inf"):
        refuse(name, value, "be a finite number of at least 0")
    return float(value)


def one_of(name: str, value: object, options: Sequence[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in options:
        refuse(name, value, f"be one of {', '.join(map(repr, options))}")
    return value


def boolean(name: str, value: object) -> bool:
    """True or False; 1 and 0 are refused."""
    if not isinstance(value, bool):
        refuse(name, value, "be True or False")
    return value


def positions(name: str, value: object, *, below: int | None = None, count: int | None = None) -> list[int]:
    """Different positions of columns, each in [0, `below`); `count` of them where that is given."""
    known = "" if below is None else f" below {below}"
    many = "" if count is None else f"{count} "
    given = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    fine = given and all(
        isinstance(each, Integral) and not isinstance(each, bool) and int(each) >= 0 and (below is None or each < below)
        for each in given
    )
    if not fine or len(set(given)) != len(given) or count not in (None, len(given)):
        refuse(name, value, f"be a list of {many}different positions{known}")
    return [int(each) for each in given]


def output_columns(output_features: int | None, input_features: int) -> int:
    """Columns of the outputs, the first ones of the inputs; None: all."""
    if output_features is None:
        return input_features
    if positive_int("output_features", output_features) > input_features:
        refuse("output_features", output_features, f"be at most input_features ({input_features})")
    return output_features


def whole_steps(name: str, value: object, segment_steps: int, pyramid: int = 1, layers: int = 1) -> int:
    """A number of steps that segments and a pyramid divide without a rest; the message names the nearest ones that do."""
    steps, of = positive_int(name, value), segment_steps * pyramid ** (layers - 1)
    if steps % of:
        near = [str(each) for each in (steps // of * of, steps // of * of + of) if each]
        causes = [f"segment_steps={segment_steps}"] if segment_steps > 1 else []
        causes += [f"pyramid={pyramid} over {layers} encoder layers"] if of > segment_steps else []
        refuse(name, value, f"be a multiple of {of} ({', '.join(causes)}), such as {' or '.join(near)}")
    return steps
