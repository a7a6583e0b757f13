"""Intervals around forecasts: the keys `levels` and `intervals`, and what a recipe with them gets."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.column_fields import chain_of
from seq2seq_kit.recipe.fields import AUTOREGRESSIVE, Written
from seq2seq_kit.recipe.rules import names_of
from seq2seq_kit.recipe.split_rules import counted_from_end

DEFAULT_CALIBRATION = 0.1
_MOST_LEVELS = 20


def _in_percent(level: float) -> float:
    if level < 1:
        meant = f": {level * 100:g} for an interval that holds {level:.0%}" if level >= 0.01 else ", at least 1"
        raise ValueError(f"is in percent{meant}. Received: {level:g}")
    return level


def _each_once(levels: list[float]) -> list[float]:
    twice = sorted({level for level in levels if levels.count(level) > 1})
    if twice:
        raise ValueError(f"names {', '.join(f'{level:g}' for level in twice)} twice; name each level once")
    return levels


Level = Annotated[float, Field(gt=0, lt=100), AfterValidator(_in_percent)]
Levels = Annotated[list[Level], Field(min_length=1, max_length=_MOST_LEVELS), AfterValidator(_each_once)]
Kind = Literal["conformal"]
OwnKind = Literal["conformal", "quantile", "cqr"]
QUANTILE_KINDS = ("quantile", "cqr")  # the model writes quantiles of its own

LEVELS = "Intervals that every forecast carries, in percent of the actual values that each should hold: [80, 95]."
INTERVALS = "conformal: around the forecast, as wide as its errors in the calibration part say; default where `levels` are given."
OWN_INTERVALS = (
    f"{INTERVALS[:-1]}; quantile: the model writes quantiles and learns by their pinball loss; cqr: the same, moved by as "
    "much as the calibration part says."
)


def open_calibration(values: Mapping[str, object]) -> dict[str, object]:
    """What a recipe with `levels` gets that leaves open what they are calibrated on: such a part in `data`, and the kind.

    A split by numbers of rows has no default: a rule asks for the number.
    """
    data = values.get("data")
    if values.get("levels") is None or not isinstance(data, Mapping):
        return {}
    kind: dict[str, object] = {} if values.get("intervals") is not None else {"intervals": "conformal"}
    split = data.get("split", {})
    if not isinstance(split, Mapping) or split.get("train") is not None or split.get("calibration") is not None:
        return kind
    if counted_from_end(split):
        return kind
    return kind | {"data": {**data, "split": {**split, "calibration": DEFAULT_CALIBRATION}}}


def intervals_have_levels_and_rows(recipe: Written) -> Iterator[Problem]:
    levels, kind = recipe.whole.get("levels"), recipe.whole.get("intervals")
    if kind is not None and levels is None:
        yield Problem("intervals", "needs `levels`, such as `levels: [80, 95]`", "missing_key")
    split = recipe.data.get("split")
    if levels is None or not isinstance(split, Mapping):
        return
    if counted_from_end(split) and split.get("calibration_steps") is None:
        said = "required with `levels` beside `val_steps`: how many rows of each series the intervals are calibrated on"
        yield Problem("data.split.calibration_steps", said, "missing_key")
    if counted_from_end(split) or split.get("calibration") is not None:
        return
    shares = [share for share in (split.get("val"), split.get("test")) if isinstance(share, float)]
    if split.get("train") is None and sum(shares) < 1 <= sum(shares) + DEFAULT_CALIBRATION:
        said = f"val + test leave no training rows beside calibration, {DEFAULT_CALIBRATION} where there are `levels`. Received: "
        yield Problem("data.split", said + " + ".join(map(str, shares)), "invalid_split")
    if split.get("train") is not None:
        said = "required with `levels` beside `split.train`: how many rows between val and test the intervals are calibrated on"
        yield Problem("data.split.calibration", said, "missing_key")


def quantiles_are_of_all_steps_at_once(recipe: Written) -> Iterator[Problem]:
    kind = recipe.whole.get("intervals")
    if kind not in QUANTILE_KINDS:
        return
    stays = "Choose `intervals: conformal`"
    if recipe.model.get("bridge") in AUTOREGRESSIVE:
        said = (
            f"a decoder that feeds back its forecast (`bridge: {recipe.model['bridge']}`) writes no quantiles. {stays}"
        )
        yield Problem("intervals", f"{said}, or `bridge: repeat`", "conflicting_keys")
    if recipe.model.get("own") is True:
        yield Problem("intervals", f"a program's own model writes no quantiles. {stays}", "conflicting_keys")
    if recipe.training.get("loss") == "own":
        yield Problem("training.loss", f"quantiles are learned by the pinball loss. {stays}", "conflicting_keys")
    transform, targets = recipe.data.get("transform"), names_of(recipe.data, "targets")
    if isinstance(transform, Mapping):
        for name in targets:
            if "diff" in chain_of(transform.get(name)):
                said = f"quantiles of differences are none of their sum. {stays}, or leave this transform out"
                yield Problem(f"data.transform.{name}", said, "conflicting_keys")
