"""What the keys of a recipe have to do with each other: rules that kinds of recipes choose from.

Apart from the schema, so that these problems are reported together with all others, each at its own key. A rule reads the recipe
with its defaults filled in and yields nothing where a value has the wrong type, which the schema reports. Rules of a single task
stand in its folder.
"""

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Recipe, Rule, Written
from seq2seq_kit.recipe.messages import did_you_mean, filled, shortened
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.recipe.source_rules import SOURCE_RULES, has_row_groups
from seq2seq_kit.recipe.time_rules import TIME_RULES
from seq2seq_kit.recipe.worker_rules import WORKER_RULES


def broken_rules(values: Tree, kind: type[Recipe]) -> list[Problem]:
    """Every rule of a kind of recipe that values break."""
    written = values.get("data")
    if not isinstance(written, Mapping):
        return []
    complete = filled(kind, values)
    data, model, training = (_section(complete, name) for name in ("data", "model", "training"))
    recipe = Written(data, model, training, complete.get("sweep"), written, complete)
    return [problem for rule in (*SOURCE_RULES, *WORKER_RULES, *kind.rules) for problem in rule(recipe)]


def _section(values: Tree, name: str) -> Tree:
    section = values.get(name)
    return section if isinstance(section, Mapping) else {}


def a_column_is_named_once(recipe: Written) -> Iterator[Problem]:
    for role in ("inputs", "targets", "known_future", "calendar", "categories", "static"):
        names = names_of(recipe.data, role)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            said = f"`{role}` names {', '.join(twice)} twice; name each column once"
            yield Problem(f"data.{role}", said, "duplicate_column")


def limits_are_in_order(recipe: Written) -> Iterator[Problem]:
    for name, pair in _section(recipe.data, "limits").items():
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] >= pair[1]:
            said = f"`limits.{name}` must be [lowest, highest]. Received: [{pair[0]:g}, {pair[1]:g}]"
            yield Problem(f"data.limits.{name}", said)


def settings_are_of_known_columns(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    used = [name for role in ("inputs", "targets", "known_future", "static") for name in names_of(data, role)]
    uses = f"; it uses {', '.join(dict.fromkeys(used))}"
    aim = data.get("target")
    for section in ("scaling", "limits", "transform", "units"):
        for name in _section(data, section):
            if used and name not in used and not (section == "units" and name == aim):
                said = f"no column of this recipe{did_you_mean(name, used, otherwise=uses)}"
                yield Problem(f"data.{section}.{name}", said, "unused_column")


# Rules of every recipe on a table.
TABLE_RULES: tuple[Rule, ...] = (
    *TIME_RULES,
    a_column_is_named_once,
    limits_are_in_order,
    settings_are_of_known_columns,
)


def row_groups_are_read_as_they_stand(recipe: Written) -> Iterator[Problem]:
    """Rows that are never in memory together cannot be sorted, filled from each other or asked for their quantiles."""
    data = recipe.data
    if data.get("read") != "row_groups":
        return
    source, scaling = data.get("source"), data.get("scaling")
    if not has_row_groups(source):
        said = (
            f"`row_groups` are those of Parquet files (.parquet, .pq) or of a database. Received: {shortened(source)}"
        )
        yield Problem("data.read", said)
    robust = "robust" in (scaling.values() if isinstance(scaling, Mapping) else [scaling])
    takes, fills = "takes a single series in time order", "fills no cells. Fill them in the file"
    for key, wrong, said in (
        ("series", data.get("series"), f"`read: row_groups` {takes}. Leave `series` out"),
        ("missing", data.get("missing") != "refuse", f"`read: row_groups` {fills} and leave `missing` at refuse"),
        (
            "limits",
            data.get("limits"),
            "`read: row_groups` clears no cells. Correct them in the file, leave `limits` out",
        ),
        ("short_series", data.get("short_series") == "pad", f"`read: row_groups` {takes}. Leave `short_series` out"),
        (
            "static",
            data.get("static"),
            f"`read: row_groups` {takes}, which has nothing to tell apart. Leave `static` out",
        ),
        ("format", data.get("format"), "`format` is about files of text. Leave it out"),
        ("scaling", robust, "`robust` needs all values of a column at once. Choose standard, minmax or none"),
        (
            "training.leave_out",
            recipe.training.get("leave_out"),
            "`read: row_groups` leaves no windows out. Leave `leave_out` out",
        ),
        ("read", recipe.sweep is not None, "the trials of a sweep share a table in memory. Leave `sweep` out"),
    ):
        if wrong:
            where = key if "." in key else f"data.{key}"
            yield Problem(where, f"{said}, or set `data.read: memory`", "conflicting_keys")


def labels_are_not_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    labels = data.get("labels")
    if labels is not None and labels in [*names_of(data, "inputs"), data.get("tokens")]:
        said = f"{labels} is also read, so there is nothing to learn; leave it out of what is read"
        yield Problem("data.labels", said, "target_leak")


def names_of(section: Tree, key: str) -> list[str]:
    """The texts of a list, such as names of columns; none where it is no list."""
    value = section.get(key)
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
