"""What a sweep has to do with the recipe that it searches: the keys that it may search, their values, and its objective.

As in rules.py, a rule reads the values as they were written and yields nothing where the schema reports the problem.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.hyperparameters import Hyperparameter
from seq2seq_kit.recipe.messages import all_keys, did_you_mean, model_in, text_of
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.recipe.sweep import Sweep, can_have, direction_of, knob_of, named_values
from seq2seq_kit.recipe.sweep_space import put

_NOT_SEARCHED = {
    "name": "it only names the experiment",
    "task": "each task has metrics of its own",
    "seed": "the best seed is luck; `folds`, or several sweeps with other seeds, show the spread",
    "training.loss": "`val_loss` is this very loss, so trials could not be compared",
    "training.forecast_weight": "`val_loss` is weighed by it, so trials could not be compared",
    "training.start_from": "only `train` starts from a run",
    "training.freeze": "only `train` freezes layers",
    "model.own": "only `train` takes a program's own model",
    "training.final": "it comes after the figures and changes none of them",
    "training.deterministic": "it makes a rerun equal, not better",
    "model.kernel_l2": "its penalty is part of `val_loss`, so trials could not be compared",
}
_SECTIONS = {
    "sweep": "a sweep does not search itself",
    "detect": "events do not change what trials are judged by",
    "ensemble": "each trial trains one model",
}


@dataclass(frozen=True)
class _Place:
    """Where a key of the space leads: a field, the parts that reach into its value, and the recipe's own value of it."""

    field: FieldInfo
    inside: list[str]
    own: object


def problems_of_sweep(values: Tree, kind: type[Recipe]) -> list[Problem]:
    """Every rule that a recipe's `sweep` section breaks; none where it has no such section."""
    sweep = values.get("sweep")
    if not isinstance(sweep, Mapping):
        return []
    problems = [*_an_objective_is_a_metric(sweep, kind), *_folds_are_of_rows_in_time(sweep, kind)]
    problems += _a_backtest_is_of_forecasts(sweep, kind)
    problems += _epochs_are_the_budget_of_hyperband(sweep)
    problems += _a_pruner_ends_trials_by_their_epochs(sweep)
    space = sweep.get("space")
    if not isinstance(space, Mapping):
        return problems
    parameters = {key: _understood(written) for key, written in space.items()}
    for key, parameter in parameters.items():
        refused = _a_key_can_be_searched(key, values, kind) or _a_key_is_searched_once(key, space, values, kind)
        if refused:
            problems.append(refused)
        elif parameter is not None:
            problems += _values_are_ones_that_the_key_takes(key, parameter, values, kind)
    problems += [problem for rule in kind.search_rules for problem in rule(parameters, values)]
    return problems + [problem for key in space for problem in _conditions_can_hold(key, parameters, space)]


def _understood(written: object) -> Hyperparameter | None:
    try:
        return Hyperparameter.model_validate(written)
    except ValidationError:  # the schema reports it
        return None


def _an_objective_is_a_metric(sweep: Tree, kind: type[Recipe]) -> Iterator[Problem]:
    objective = sweep.get("objective", "val_loss")
    section = objective if isinstance(objective, Mapping) else {}
    metric, key = (section.get("metric"), "sweep.objective.metric") if section else (objective, "sweep.objective")
    if not isinstance(metric, str) or sweep.get("backtest") is not None:  # which has a rule of its own
        return
    if metric not in kind.metrics:
        said = f"not a metric of this recipe by epoch; supported: {' and '.join(kind.metrics)}"
        yield Problem(key, f"{said}. Received: {metric!r}{did_you_mean(metric, kind.metrics)}", "unknown_metric")
    elif section.get("direction") in ("min", "max") and section["direction"] != direction_of(metric):
        right = direction_of(metric)
        why = f"a {'smaller' if right == 'min' else 'larger'} {metric} is better"
        said = f"must be {right}, because {why}. Received: {section['direction']!r}"
        yield Problem("sweep.objective.direction", said)


def _folds_are_of_rows_in_time(sweep: Tree, kind: type[Recipe]) -> Iterator[Problem]:
    if sweep.get("folds") is not None and kind.no_folds:
        said = "needs rows that are split by time, as forecasts and autoencoders of windows have them; this recipe"
        advice = "Leave `folds` out: trials are judged on its validation part"
        yield Problem("sweep.folds", f"{said} {kind.no_folds}. {advice}", "folds_not_supported")


def _a_backtest_is_of_forecasts(sweep: Tree, kind: type[Recipe]) -> Iterator[Problem]:
    if sweep.get("backtest") is None:
        return
    data = model_in(kind.model_fields["data"].annotation)
    if kind.no_folds or data is None or "output_steps" not in data.model_fields:
        said = "is of forecasts, over a horizon or step by step, which this recipe has not. Leave `backtest` out"
        yield Problem("sweep.backtest", f"{said}: trials are judged on the validation part", "not_backtested")
        return
    if sweep.get("folds") is not None:
        said = "trials are judged by folds or by a backtest. Leave one of the two out"
        yield Problem("sweep.folds", said, "conflicting_keys")
    if sweep.get("objective", "val_loss") != "val_loss":
        said = "a backtest judges trials by its own errors. Leave `objective` out, and name sweep.backtest.metric: rmse or mae"
        yield Problem("sweep.objective", said, "conflicting_keys")


def _a_pruner_ends_trials_by_their_epochs(sweep: Tree) -> Iterator[Problem]:
    if sweep.get("pruner") is None:
        return
    if sweep.get("tuner", "bayesian") == "hyperband":
        said = "hyperband ends trials early by itself. Leave `pruner` out, or take another tuner"
        yield Problem("sweep.pruner", said, "conflicting_keys")
    if sweep.get("backtest") is not None:
        said = (
            "a backtest knows a trial's errors at its end only, so none can be ended by its epochs. Leave `pruner` out"
        )
        yield Problem("sweep.pruner", said, "conflicting_keys")


def _epochs_are_the_budget_of_hyperband(sweep: Tree) -> Iterator[Problem]:
    tuner, space = sweep.get("tuner", "bayesian"), sweep.get("space")
    if tuner == "hyperband":
        if isinstance(space, Mapping) and "training.epochs" in space:
            said = "Hyperband's budget is epochs; leave training.epochs out of the space or choose another tuner"
            yield Problem("sweep.space.training.epochs", said, "conflicting_keys")
        return
    for key in ("max_epochs", "factor", "iterations"):
        # A resolved recipe writes defaults out, so only what differs from them was set.
        if key == "factor" and sweep.get("pruner") == "asha":
            continue
        if sweep.get(key, Sweep.model_fields[key].default) != Sweep.model_fields[key].default:
            of = "`tuner: hyperband` and `pruner: asha`" if key == "factor" else "`tuner: hyperband`"
            said = f"is for {of}; leave it out, or choose that. Received: tuner {tuner}"
            yield Problem(f"sweep.{key}", said, "unused_key")


def _a_key_can_be_searched(key: str, values: Tree, kind: type[Recipe]) -> Problem | None:
    where = f"sweep.space.{key}"
    head, _, rest = key.partition(".")
    reason = _SECTIONS.get(head) or _NOT_SEARCHED.get(key)
    if reason:
        return Problem(where, f"cannot be searched: {reason}. Leave it out of the space", "not_searchable")
    place = _place(key, values, kind)
    if isinstance(place, str):
        return Problem(where, place, "unknown_key")
    allowed = kind.searched_data
    if head == "data" and rest.split(".")[0] not in allowed:
        named = " and ".join(filter(None, [", ".join(allowed[:-1]), *allowed[-1:]]))
        which = f"of `data` only {named} can be searched" if named else "no key of `data` can be searched"
        said = f"cannot be searched: trials would be judged on other values, or would not differ; {which}"
        return Problem(where, f"{said}. Leave it out of the space", "not_searchable")
    return None


def _place(key: str, values: Tree, kind: type[Recipe]) -> _Place | str:
    """Where a key leads, or the text of what is wrong with it."""
    parts = key.split(".")
    section: type[BaseModel] = kind
    own: object = values
    for position, part in enumerate(parts):
        field = section.model_fields.get(part)
        if field is None:
            return f"no key of this recipe{_did_you_mean(key, kind)}"
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        own = own.get(part, default) if isinstance(own, Mapping) else default
        below = model_in(field.annotation)
        if below is None:
            return _inside(key, _Place(field, parts[position + 1 :], own))
        if isinstance(own, BaseModel):
            own = own.model_dump()
        section = below
    known = [f"{key}.{name}" for name in section.model_fields]
    return f"is a whole section; name one of its keys, dotted: {', '.join(known)}"


def _inside(key: str, place: _Place) -> _Place | str:
    """The place, if its parts lead to a value of the recipe."""
    value = place.own
    for part in place.inside:
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            outside = ".".join(key.split(".")[: -len(place.inside)])
            counted = " (items are counted from 0)" if part.isdigit() else ""
            return f"the recipe has no {part} there{counted}; search {outside} itself. It is {place.own!r}"
    return place


def _did_you_mean(key: str, kind: type[Recipe]) -> str:
    sections = {name for name, field in kind.model_fields.items() if model_in(field.annotation)}
    known = [name for name in all_keys(kind) if name not in sections and not name.startswith("sweep.")]
    near = [name for name in known if name.split(".")[-1] == key.split(".")[-1]] or get_close_matches(key, known, n=1)
    near = near or [name for name in known if get_close_matches(key, [name.split(".")[-1]])]
    if near:
        return f"; did you mean {near[0]}?"
    return "; a key is written with its section and a dot, such as training.learning_rate"


def _a_key_is_searched_once(key: str, space: Tree, values: Tree, kind: type[Recipe]) -> Problem | None:
    around = (other for other in space if key.startswith(f"{other}."))
    whole = next((other for other in around if isinstance(_place(other, values, kind), _Place)), None)
    if whole is None:
        return None
    said = f"is a part of {whole}, which is searched, too; leave one of the two out"
    return Problem(f"sweep.space.{key}", said, "duplicate_key")


def _values_are_ones_that_the_key_takes(
    key: str, parameter: Hyperparameter, values: Tree, kind: type[Recipe]
) -> Iterator[Problem]:
    place = _place(key, values, kind)
    assert isinstance(place, _Place)
    adapter: TypeAdapter[object] = TypeAdapter(
        Annotated[(place.field.annotation, *place.field.metadata, key)],  # type: ignore[arg-type]
        config=ConfigDict(strict=True, allow_inf_nan=False),
    )
    knob = knob_of(key, parameter)
    for value in knob.values or knob.ends:
        try:
            adapter.validate_python(put(place.own, place.inside, value))
        except ValidationError as error:
            yield Problem(f"sweep.space.{key}", _refusal(key, knob.kind, value, place, error, kind))
            return


def _refusal(key: str, drawn: str, value: object, place: _Place, error: ValidationError, kind: type[BaseModel]) -> str:
    """The text for a value that the key does not take: how to write it, or the schema's own words."""
    detail = error.errors(include_url=False)[0]
    whole = f"{key} takes"
    match detail["type"]:
        case "list_type" if drawn != "choice":
            item = f", or search one of its items: {key}.0" if isinstance(place.own, list) and not place.inside else ""
            return f"{whole} a list: must be `choice: [[32], [64]]`{item}. Received: `{drawn}`"
        case "list_type":
            return f"{whole} a list: must be `choice: [[32], [64]]`, each choice in brackets. Received: {value!r}"
        case "literal_error" if drawn != "choice":
            words = str(detail["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
            return f"{whole} one of a few words: must be `choice: [{words}]`. Received: `{drawn}`"
        case "string_type" if drawn != "choice":
            return f"{whole} a text: must be `choice: [...]`. Received: `{drawn}`"
        case "bool_type" if drawn != "choice":
            return f"{whole} true or false: must be `boolean: {{}}`. Received: `{drawn}`"
        case "int_type" | "int_from_float" if drawn in ("float", "boolean"):
            return f"{whole} whole numbers: must be `int: {{...}}` or a choice of them. Received: `{drawn}`"
        case "float_type" if drawn == "boolean":
            return f"{whole} numbers: must be `float: {{...}}` or a choice of them. Received: `{drawn}`"
    loc = [int(part) if part.isdigit() else part for part in key.split(".")]
    return f"{key} {text_of(detail, loc, kind)}"


def _conditions_can_hold(key: str, parameters: Mapping[str, Hyperparameter | None], space: Tree) -> Iterator[Problem]:
    parameter = parameters[key]
    for other, named in (parameter.when if parameter else {}).items():
        said, parent = "", parameters.get(other)
        if other == key:
            said = "a key cannot depend on itself; leave the condition out"
        elif other not in space:
            hint = did_you_mean(other, [name for name in space if name != key])
            said = f"is not in the space; a condition names another key that is searched{hint}"
        elif _leads_back(key, other, parameters):
            said = f"{other} depends on {key} in turn; leave one of the two conditions out"
        elif parent is not None:
            knob = knob_of(other, parent)
            chosen = named_values(knob, named)
            never = [value for value in chosen if not can_have(knob, value)]
            if not chosen or never:
                has = ", ".join(map(str, knob.values)) if knob.values else f"{knob.low:g} to {knob.high:g}"
                steps = f" in steps of {knob.step:g}" if knob.step is not None else ""
                what = f"{other} never has the value {never[0]!r}" if never else "names no value"
                said = f"{what}; its values are {has}{steps}"
        if said:
            yield Problem(f"sweep.space.{key}.when.{other}", said, "invalid_condition")


def _leads_back(key: str, other: str, parameters: Mapping[str, Hyperparameter | None]) -> bool:
    """Whether `other` depends on `key`, over any number of others."""
    seen, waiting = set(), [other]
    while waiting:
        name = waiting.pop()
        parameter = parameters.get(name)
        if name in seen or parameter is None:
            continue
        seen.add(name)
        waiting += parameter.when
    return key in seen
