"""What a served model can be asked: its verbs, their options, and a request's answer as frames."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Literal

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.data.windows.ahead import split_ahead
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import HorizonData
from seq2seq_kit.serving.json_bodies import Columns

Value = str | int | float | bool | list[float]
_MOST_NAMES, _LONGEST_NAME = 1_000, 200  # of columns that a client sends
_SERVED = ("predict", "score", "detect", "encode", "reconstruct", "neighbours")
ORIGIN = "the body"


@dataclass(frozen=True)
class Option:
    """An option of a verb, given as `?name=value`.

    Attributes:
        kind: How its text is read.
        about: For people.
        most: The largest number it may be, and `least` the smallest one.
    """

    kind: Literal["text", "count", "number", "yes", "numbers"]
    about: str
    most: int = 10_000
    least: int = 0

    def read(self, name: str, text: str) -> Value:
        """The option's value.

        Raises:
            ArgumentError: The text is none.
        """
        try:
            if self.kind == "numbers":
                return [_number(each) for each in text.split(",") if each.strip()]
            if self.kind == "number":
                return _number(text)
            if self.kind == "count":
                return self._count(text)
            if self.kind == "yes":
                return {"true": True, "false": False}[text]
        except (ValueError, KeyError):
            expected = {
                "numbers": "numbers with commas between them, such as 80,95",
                "number": "a number",
                "count": f"a whole number from {self.least} to {self.most:,}",
                "yes": "true or false",
            }[self.kind]
            said = f"{name} must be {expected}. Received: {name}={text[:100]}"
            raise ArgumentError(said, code="invalid_argument") from None
        return text

    def _count(self, text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not self.least <= int(text) <= self.most:
            raise ValueError(text)
        return int(text)


OPTIONS = {
    "steps": Option("count", "rows to predict; default: as many as the model was trained for"),
    "levels": Option("numbers", "of intervals, in percent: 80,95; nothing for none; default: the recipe's"),
    "quantiles": Option("yes", "columns by probability instead of by level"),
    "samples": Option("count", "so many sample paths of each forecast instead of it", 1_000),
    "seed": Option("count", "of the sample paths", 999_999_999),
    "baseline": Option("text", "a baseline of the run that predicts instead of the model"),
    "all_windows": Option("yes", "from every window, not only the newest of each series"),
    "beams": Option("count", "beam width of a translator; default: 1, greedy", 64, 1),
    "stride": Option("count", "rows between windows; default: the recipe's", 999_999_999),
    "by": Option("text", "window or step: what has a row of its own"),
    "alarms_per_week": Option("number", "expected false alarms; default: the recipe's"),
    "threshold": Option("number", "score above which an event begins"),
    "at": Option("text", "a time, or the number of a row where rows have no time"),
    "series": Option("text", "the series of that time; for whole sequences the sequence"),
    "k": Option("count", "how many; default: 5", 1_000),
    "overlapping": Option("yes", "let windows count that share rows with it or each other"),
}
OF_DETECT = {"table": Option("text", "events (the default), or scores: a score for every row")}


def verbs_of(bundle: Bundle) -> dict[str, dict[str, Option]]:
    """The verbs that a model has and that are served, with their options."""
    found = {}
    for verb in _SERVED:
        if verb in bundle.verbs and (verb != "detect" or getattr(bundle, "detector", None) is not None):
            taken = signature(getattr(bundle, verb)).parameters
            found[verb] = {name: option for name, option in OPTIONS.items() if name in taken}
            found[verb] |= OF_DETECT if verb == "detect" else {}
    return found


def read_options(verb: str, options: Mapping[str, Option], given: list[tuple[str, str]]) -> dict[str, Value]:
    """The options of a request, from the pairs of its query.

    Raises:
        ArgumentError: One is not the verb's, is given twice or is wrong.
    """
    found: dict[str, Value] = {}
    for name, text in given:
        if name not in options:
            said = f"{verb} of this model takes the options {', '.join(options) or '(none)'}. Received: {name[:100]}"
            raise ArgumentError(said, code="not_supported")
        if name in found:
            raise ArgumentError(f"{name} is given twice. Give it once", code="invalid_argument")
        found[name] = options[name].read(name, text)
    return found


class Asked:
    """A model that is asked, one request after the other.

    Args:
        bundle: The model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._known = lru_cache(64)(self._unread)
        data, taken = bundle.recipe.data, signature(bundle.predict).parameters
        self._ahead = data if isinstance(data, HorizonData) and data.known_future and "future" in taken else None

    def _unread(self, names: tuple[str, ...]) -> list[str]:
        return self._bundle.ignored_columns(pd.DataFrame(columns=list(names)))

    def __call__(
        self, verb: str, rows: pd.DataFrame | Columns | list[str], options: Mapping[str, Value]
    ) -> tuple[pd.DataFrame | dict[str, np.ndarray], list[str]]:
        """The answer of a verb, a frame or its columns, and what is to be said about it; rows ahead as in `Bundle.answer`.

        Raises:
            KitError: The rows or options do not fit.
        """
        given: dict[str, object] = dict(options)
        table, notes, bundle = given.pop("table", "events"), list[str](), self._bundle
        if table not in ("events", "scores"):
            raise ArgumentError(f"table must be events or scores. Received: table={table}", code="invalid_argument")
        if isinstance(rows, list):
            if not bundle.takes_texts:
                said = f"a {bundle.recipe.task} model reads rows with columns. Received: a list of texts"
                raise ArgumentError(said, code="not_supported")
        else:
            names = tuple(map(str, rows))
            # What a client made up is not to stay in memory.
            ignored = self._known(names) if len(names) <= _MOST_NAMES else self._unread(names)
            more = f" and {len(ignored) - _MOST_NAMES} more" if len(ignored) > _MOST_NAMES else ""
            shown = ", ".join(name[:_LONGEST_NAME] for name in ignored[:_MOST_NAMES])
            notes += [f"columns that the model does not use: {shown}{more}"] if ignored else []
            if isinstance(rows, dict):
                arrays = {name: column for name, column in rows.items() if isinstance(column, np.ndarray)}
                plain = bundle.predict_columns(arrays) if verb == "predict" and not given else None
                if plain is not None:
                    return plain, notes
                rows = pd.DataFrame(rows)
            if self._ahead is not None and verb == "predict":
                rows, given["future"] = split_ahead(rows, self._ahead)
        call: Callable[..., pd.DataFrame | Detection] = getattr(bundle, verb)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = call(rows, origin=ORIGIN, **given)
        notes += [str(each.message) for each in warned if issubclass(each.category, UserWarning)]
        if isinstance(found, Detection):
            notes += [*found.notes, *(f"{finding.code}: {finding}" for finding in found.findings)]
            return found.events if table == "events" else found.scores, notes
        return found, [*notes, *found.attrs.get("notes", [])]


def _number(text: str) -> float:
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", text, re.ASCII):
        raise ValueError(text)
    return float(text)
