"""What the keys of a recipe have to do with each other.

Apart from the schema, so that these problems are told together with all others, each at its own key. A rule looks at the values
as they were written and stays silent where one has the wrong type, which the schema reports.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from seq2seq_kit.recipe.messages import Problem
from seq2seq_kit.recipe.model_rules import is_count, problems_of_model

_LISTS = ("inputs", "targets", "known_future", "calendar")


def broken_rules(values: Mapping[str, Any]) -> list[Problem]:
    """Every rule that a recipe breaks."""
    data, model = values.get("data"), values.get("model", {})
    if not isinstance(data, Mapping):
        return []
    problems = [problem for rule in _RULES for problem in rule(data)]
    problems += _row_groups_are_read_as_they_stand(data, values.get("sweep"))
    problems += _a_split_leaves_training_rows(data, share=0.1 if _by_hash(data) else 0.15)
    if isinstance(model, Mapping):
        problems += problems_of_model(values, data, model)
    return problems


def _time_and_every_go_together(data: Mapping[str, Any]) -> Iterator[Problem]:
    time, every = data.get("time"), data.get("every")
    if time and every is None:
        yield Problem("data.time", f"`time: {time}` needs the step between rows. Add for example `every: 1h`")
    if every and time is None:
        yield Problem("data.every", f"`every: {every}` needs the column of timestamps. Add `time: <column>`")
    if data.get("calendar") and time is None:
        yield Problem("data.calendar", "`calendar` needs timestamps. Add `time: <column>` and `every: <step>`")


def _a_column_is_named_once(data: Mapping[str, Any]) -> Iterator[Problem]:
    for role in _LISTS:
        names = _texts(data.get(role))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield Problem(f"data.{role}", f"`{role}` names {', '.join(twice)} twice; name each column once")


def _a_target_is_not_known(data: Mapping[str, Any]) -> Iterator[Problem]:
    known = _texts(data.get("known_future"))
    leaked = [name for name in dict.fromkeys(_texts(data.get("targets"))) if name in known]
    if leaked:
        said = f"{', '.join(leaked)} stands in `targets` and in `known_future`; a target is not known"
        yield Problem("data.known_future", said)


def _limits_are_in_order(data: Mapping[str, Any]) -> Iterator[Problem]:
    limits = data.get("limits")
    for name, pair in limits.items() if isinstance(limits, Mapping) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] >= pair[1]:
            said = f"`limits.{name}` must be [lowest, highest]. Received: [{pair[0]:g}, {pair[1]:g}]"
            yield Problem(f"data.limits.{name}", said)


def _settings_are_of_known_columns(data: Mapping[str, Any]) -> Iterator[Problem]:
    used = [name for role in _LISTS[:3] for name in _texts(data.get(role))]
    for section in ("scaling", "limits"):
        given = data.get(section)
        for name in given if isinstance(given, Mapping) else ():
            if used and name not in used:
                near = get_close_matches(str(name), used, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it uses {', '.join(dict.fromkeys(used))}"
                yield Problem(f"data.{section}.{name}", f"no column of this recipe{hint}")


def _what_is_to_be_told_is_not_read(data: Mapping[str, Any]) -> Iterator[Problem]:
    labels, read = data.get("labels"), [*_texts(data.get("inputs")), data.get("tokens")]
    if labels is not None and labels in read:
        yield Problem(
            "data.labels", f"{labels} is also read, so there is nothing to learn; leave it out of what is read"
        )
    source = data.get("source_column")
    if source is not None and source == data.get("target_column"):
        yield Problem("data.target_column", f"is also `source_column` ({source}); name the column of the answers")


def _tokens_are_told_apart(data: Mapping[str, Any]) -> Iterator[Problem]:
    if "tokens" not in data:
        return
    if data.get("lines") and data.get("series"):
        said = "stands beside `lines`, whose blank lines tell the sequences apart; leave one of the two out"
        yield Problem("data.series", said)
    elif not data.get("lines") and not data.get("series"):
        said = (
            "a tagger needs to know where a sequence ends: give `series` for a table, or `lines` for a CoNLL-style file"
        )
        yield Problem("data.tokens", said)


def _row_groups_are_read_as_they_stand(data: Mapping[str, Any], sweep: Any) -> Iterator[Problem]:
    """Rows that are never in memory together cannot be sorted, filled from each other or asked for their quantiles."""
    if data.get("read") != "row_groups":
        return
    other, source, scaling = "or set `data.read: memory`", data.get("source"), data.get("scaling")
    if isinstance(source, str) and not source.lower().endswith((".parquet", ".pq")):
        yield Problem("data.read", f"`row_groups` are those of a Parquet file (.parquet, .pq). Received: {source}")
    if data.get("series"):
        yield Problem(
            "data.series", f"`read: row_groups` takes a single series in time order. Leave `series` out, {other}"
        )
    if data.get("missing", "refuse") != "refuse":
        said = f"`read: row_groups` fills no cells. Fill them in the file and leave `missing` at refuse, {other}"
        yield Problem("data.missing", said)
    if data.get("limits"):
        said = f"`read: row_groups` empties no cells. Correct them in the file and leave `limits` out, {other}"
        yield Problem("data.limits", said)
    methods = scaling.values() if isinstance(scaling, Mapping) else [scaling]
    if "robust" in methods:
        said = f"`robust` needs all values of a column at once. Choose standard, minmax or none, {other}"
        yield Problem("data.scaling", said)
    if sweep is not None:
        said = f"the trials of a sweep share a table in memory. Leave the `sweep` section out, {other}"
        yield Problem("data.read", said)


def _by_hash(data: Mapping[str, Any]) -> bool:
    return "source_column" in data or "tokens" in data or data.get("framing") == "whole"


def _a_split_leaves_training_rows(data: Mapping[str, Any], *, share: float) -> Iterator[Problem]:
    split = data.get("split")
    if not isinstance(split, Mapping):
        return
    val, test = split.get("val", share), split.get("test", share)
    if split.get("train") is not None:
        for part, value in {"val": val, "test": test}.items():
            if _is_number(value) and not is_count(value) and 0 < value < 1:
                said = "must be a number of rows, because `split.train` is one"
                yield Problem(f"data.split.{part}", f"{said}. Received: {value if part in split else 'none'}")
        return
    for part, value in {"val": val, "test": test}.items():
        if is_count(value):
            rows = "" if _by_hash(data) else ", or a number of rows beside `split.train`"
            said = f"must be a share in (0, 1){rows}"
            yield Problem(f"data.split.{part}", f"{said}. Received: {value}")
    if _is_number(val) and _is_number(test) and 0 < val < 1 and 0 < test < 1 and val + test >= 1:
        said = f"val + test must leave rows to train on (a sum below 1). Received: {val} + {test}"
        yield Problem("data.split", said)


def _texts(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RULES: list[Callable[[Mapping[str, Any]], Iterator[Problem]]] = [
    _time_and_every_go_together,
    _a_column_is_named_once,
    _a_target_is_not_known,
    _limits_are_in_order,
    _settings_are_of_known_columns,
    _what_is_to_be_told_is_not_read,
    _tokens_are_told_apart,
]
