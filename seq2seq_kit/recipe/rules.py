"""What the keys of a recipe have to do with each other: rules that kinds of recipes choose from.

Apart from the schema, so that these problems are told together with all others, each at its own key. A rule reads the recipe with
its defaults filled in and stays silent where a value has the wrong type, which the schema reports. What only one task has to
say stands in its folder.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeGuard

from seq2seq_kit.recipe.fields import Recipe, Written
from seq2seq_kit.recipe.messages import Problem, filled


def broken_rules(values: Mapping[str, Any], kind: type[Recipe]) -> list[Problem]:
    """Every rule of a kind of recipe that values break."""
    if not isinstance(values.get("data"), Mapping):
        return []
    complete = filled(kind, values)
    data, model, training = (_section(complete, name) for name in ("data", "model", "training"))
    recipe = Written(data, model, training, complete.get("sweep"), values["data"])
    return [problem for rule in kind.rules for problem in rule(recipe)]


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, Mapping) else {}


def time_and_every_go_together(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    time, every = data.get("time"), data.get("every")
    if time and every is None:
        yield Problem("data.time", f"`time: {time}` needs the step between rows. Add for example `every: 1h`")
    if every and time is None:
        yield Problem("data.every", f"`every: {every}` needs the column of timestamps. Add `time: <column>`")
    if data.get("calendar") and time is None:
        yield Problem("data.calendar", "`calendar` needs timestamps. Add `time: <column>` and `every: <step>`")


def a_column_is_named_once(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    for role in ("inputs", "targets", "known_future", "calendar"):
        names = texts_of(data.get(role))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield Problem(f"data.{role}", f"`{role}` names {', '.join(twice)} twice; name each column once")


def limits_are_in_order(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    limits = data.get("limits")
    for name, pair in limits.items() if isinstance(limits, Mapping) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] >= pair[1]:
            said = f"`limits.{name}` must be [lowest, highest]. Received: [{pair[0]:g}, {pair[1]:g}]"
            yield Problem(f"data.limits.{name}", said)


def settings_are_of_known_columns(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    used = [name for role in ("inputs", "targets", "known_future") for name in texts_of(data.get(role))]
    for section in ("scaling", "limits"):
        given = data.get(section)
        for name in given if isinstance(given, Mapping) else ():
            if used and name not in used:
                near = get_close_matches(str(name), used, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it uses {', '.join(dict.fromkeys(used))}"
                yield Problem(f"data.{section}.{name}", f"no column of this recipe{hint}")


def row_groups_are_read_as_they_stand(recipe: Written) -> Iterator[Problem]:
    """Rows that are never in memory together cannot be sorted, filled from each other or asked for their quantiles."""
    data, sweep = recipe.data, recipe.sweep
    if data.get("read") != "row_groups":
        return
    other, source, scaling = "or set `data.read: memory`", data.get("source"), data.get("scaling")
    if isinstance(source, str) and not source.lower().endswith((".parquet", ".pq")):
        yield Problem("data.read", f"`row_groups` are those of a Parquet file (.parquet, .pq). Received: {source}")
    if data.get("series"):
        yield Problem(
            "data.series", f"`read: row_groups` takes a single series in time order. Leave `series` out, {other}"
        )
    if data.get("missing") != "refuse":
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


def labels_are_not_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    labels, read = data.get("labels"), [*texts_of(data.get("inputs")), data.get("tokens")]
    if labels is not None and labels in read:
        yield Problem(
            "data.labels", f"{labels} is also read, so there is nothing to learn; leave it out of what is read"
        )


def a_split_in_time_leaves_training_rows(recipe: Written) -> Iterator[Problem]:
    split = recipe.data.get("split")
    if not isinstance(split, Mapping):
        return
    shares = {part: split.get(part) for part in ("val", "test")}
    if split.get("train") is None:
        yield from _shares_leave_training_rows(shares, ", or a number of rows beside `split.train`")
        return
    written = recipe.written.get("split")
    for part, value in shares.items():
        if _is_number(value) and not is_count(value) and 0 < value < 1:
            said = "must be a number of rows, because `split.train` is one"
            given = value if isinstance(written, Mapping) and part in written else "none"
            yield Problem(f"data.split.{part}", f"{said}. Received: {given}")


def a_split_of_sequences_leaves_training_sequences(recipe: Written) -> Iterator[Problem]:
    split = recipe.data.get("split")
    if isinstance(split, Mapping):
        yield from _shares_leave_training_rows({part: split.get(part) for part in ("val", "test")}, "")


def _shares_leave_training_rows(shares: Mapping[str, Any], instead: str) -> Iterator[Problem]:
    for part, value in shares.items():
        if is_count(value):
            yield Problem(f"data.split.{part}", f"must be a share in (0, 1){instead}. Received: {value}")
    val, test = shares["val"], shares["test"]
    if _is_number(val) and _is_number(test) and 0 < val < 1 and 0 < test < 1 and val + test >= 1:
        said = f"val + test must leave rows to train on (a sum below 1). Received: {val} + {test}"
        yield Problem("data.split", said)


def texts_of(value: Any) -> list[str]:
    """The texts of a list, none where it is no list."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def is_count(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
