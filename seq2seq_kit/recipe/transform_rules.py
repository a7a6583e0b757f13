"""What transforms, weights and scales of windows have to do with the other keys of a recipe."""

from collections.abc import Iterator, Mapping

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.category_rules import CATEGORY_RULES
from seq2seq_kit.recipe.column_fields import chain_of
from seq2seq_kit.recipe.fields import Rule, Written
from seq2seq_kit.recipe.rules import names_of

_LAGGED = ("diff", "seasonal_diff")
_POINTWISE = ("log", "log1p", "box_cox")


def differences_can_be_undone(recipe: Written) -> Iterator[Problem]:
    """They are undone by the values before the steps to predict, so the window must have those."""
    data, chosen = recipe.data, recipe.data.get("transform")
    if not isinstance(chosen, Mapping):
        return
    inputs, targets = names_of(data, "inputs"), names_of(data, "targets")
    for name, given in chosen.items():
        chain = chain_of(given)
        method = next((each for each in chain if each in _LAGGED), None)
        if method is None:
            continue
        key = f"data.transform.{name}"
        if "seasonal_diff" in chain and data.get("short_series") == "pad":
            said = "cannot be combined with `short_series: pad`: a short series may hold no season. Choose `diff`"
            yield Problem(key, said, "conflicting_keys")
        if name not in targets:
            continue
        if inputs and name not in inputs:
            said = f"is undone by the newest values of {name}; add {name} to `data.inputs`"
            yield Problem(key, f"`{method}` {said}", "missing_input")
        if "diff" in chain and data.get("gap_steps"):
            said = (
                "is undone by the row before the targets, which `gap_steps` hides. Set `gap_steps: 0`, or leave it out"
            )
            yield Problem(key, f"`diff` of a target {said}", "conflicting_keys")


def a_difference_comes_last(recipe: Written) -> Iterator[Problem]:
    """What follows a difference is a difference: it may be below 0, where there is no logarithm."""
    chosen = recipe.data.get("transform")
    for name, given in chosen.items() if isinstance(chosen, Mapping) else ():
        for method in chain_of(given)[1:]:
            if method in _POINTWISE:
                said = (
                    f"{method} must be the first of a column's transforms, with differences behind it: [{method}, diff]"
                )
                yield Problem(f"data.transform.{name}", f"{said}. Received: {given}", "conflicting_keys")


def a_season_is_for_a_difference(recipe: Written) -> Iterator[Problem]:
    chosen = recipe.data.get("transform")
    methods = [each for given in (chosen.values() if isinstance(chosen, Mapping) else ()) for each in chain_of(given)]
    if recipe.data.get("season_steps") is not None and "seasonal_diff" not in methods:
        said = "is the season of `transform: {<column>: seasonal_diff}`, which no column has. Add one, or leave it out"
        yield Problem("data.season_steps", said, "missing_key")


def what_a_window_is_scaled_by_is_read(recipe: Written) -> Iterator[Problem]:
    inputs, method = names_of(recipe.data, "inputs"), recipe.data.get("window_scaling")
    absent = [name for name in names_of(recipe.data, "targets") if inputs and name not in inputs]
    if method in ("mean_abs", "standard") and absent:
        said = f"`window_scaling: {method}` needs every target among `data.inputs`; add {', '.join(absent)} there"
        yield Problem("data.window_scaling", said, "missing_input")


def a_weight_is_no_target(recipe: Written) -> Iterator[Problem]:
    weight = recipe.data.get("weight")
    targets = names_of(recipe.data, "targets") or names_of(recipe.data, "inputs")
    if isinstance(weight, str) and weight in targets:
        said = f"{weight} is to be predicted, so it cannot say how much its rows count; choose another column"
        yield Problem("data.weight", said, "conflicting_keys")


def anomaly_labels_are_not_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    labels = data.get("labels")
    read = [name for key in ("inputs", "targets", "known_future", "static") for name in names_of(data, key)]
    if labels is not None and labels in [*read, data.get("weight")]:
        said = f"{labels} tells which rows are anomalous, so a model that reads it learns nothing; leave it out of what is read"
        yield Problem("data.labels", said, "target_leak")
    if labels is not None and data.get("read") == "row_groups":
        said = "`read: row_groups` has no labels, which need the table in memory. Leave `labels` out, or set `data.read: memory`"
        yield Problem("data.labels", said, "conflicting_keys")


# Rules of recipes on windows.
WINDOW_RULES: tuple[Rule, ...] = (
    differences_can_be_undone,
    a_difference_comes_last,
    a_season_is_for_a_difference,
    what_a_window_is_scaled_by_is_read,
    a_weight_is_no_target,
    anomaly_labels_are_not_read,
    *CATEGORY_RULES,
)
