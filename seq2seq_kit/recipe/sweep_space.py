"""The combinations of a sweep: a recipe with values put in, the recipe's own values, and whether every combination is valid."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, product

from pydantic import ValidationError

from seq2seq_kit.errors import Problem, RecipeError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.messages import problems_of, refusal
from seq2seq_kit.recipe.renaming import Renaming
from seq2seq_kit.recipe.rules import broken_rules
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.recipe.sweep import Knob, Sweep, count_of_steps, is_active, knobs, stepped

MOST_COMBINATIONS = 4_000
_MOST_VALUES = 1_000  # of one key by itself
# All pairs of two keys together take about a second; of longer ranges fewer values are checked.
_MOST_PAIRS = 8_000
_VALUES_OF_A_PAIR = (100, 50, 30, 20, 12, 8, 5, 3, 2)
_MOST_REPORTED = 8
_EXAMPLES = 5  # combinations with one problem, among which the smallest is searched

Combination = dict[str, object]


def section_of(recipe: Recipe) -> Sweep:
    """The recipe's sweep section.

    Raises:
        RecipeError: There is no such section.
    """
    if recipe.sweep is None:
        said = (
            f"the recipe {recipe.name or ''} has no `sweep` section. Add one, for example:\n"
            "sweep:\n  tuner: bayesian\n  max_trials: 20\n  space:\n"
            "    training.learning_rate: {float: {min_value: 1e-4, max_value: 1e-2, sampling: log}}"
        )
        raise RecipeError(said, code="missing_sweep")
    return recipe.sweep


def trial_recipe(recipe: Recipe, values: Tree) -> Recipe:
    """The recipe of a trial: with some values put in, checked, and without its `sweep` section.

    Args:
        recipe: The recipe of the sweep.
        values: By dotted key, as a recipe would write them; a key that is not named keeps the recipe's own value.

    Raises:
        RecipeError: A key does not exist, or the recipe with these values has problems; all are listed.
    """
    current = Renaming(type(recipe))  # trials recorded by an older kit may use former names
    values = {current.key(key): value for key, value in values.items()}
    trial, problems = _checked(type(recipe), _with(_plain(recipe), values))
    if trial is None:
        raise refusal(f"the recipe with {in_words(values)}" if values else "the recipe", problems)
    return trial


def default_values(recipe: Recipe, knobs: Sequence[Knob]) -> Combination:
    """The recipe's own value of each hyperparameter whose conditions its other values meet, also where the space lacks it."""
    plain, found = _plain(recipe), Combination()
    for knob in knobs:
        if is_active(knob, found):
            found[knob.key] = _value_at(plain, knob.key)
    return found


def check_space(recipe: Recipe, *, origin: str = "the recipe") -> None:
    """Checks that every combination of the values of a recipe's sweep is a valid recipe.

    All combinations, up to 4,000. Of more: each value of each key and each pair of values of two keys (thinned out where there
    are over 8,000 pairs), both beside the recipe's own values of the others, and 4,000 drawn ones. A range without a step
    stands for its ends and, of whole numbers, a few between.

    Args:
        recipe: With a `sweep` section; without one nothing is checked.
        origin: What the message names.

    Raises:
        RecipeError: Some are not; each problem is told once, with the fewest values that cause it.
    """
    if recipe.sweep is None:
        return
    found = knobs(recipe.sweep)
    tried, everything = _combinations(found, default_values(recipe, found))
    plain, broken = _plain(recipe), dict[str, list[tuple[Combination, Problem]]]()
    for values in tried:
        problems = _checked(type(recipe), _with(plain, values))[1]
        for signature, problem in {_signature(problem): problem for problem in problems}.items():
            broken.setdefault(signature, []).append((values, problem))
    if not broken:
        return
    of = f"{len(tried):,} combinations{'' if everything else ' tried'}"
    smallest = [_smallest(recipe, found, plain, cases) for cases in broken.values()]
    lines = [
        f"  with {in_words(values)} ({len(cases):,} of {of}): {problem.key} {problem.text}"
        for cases, (values, problem) in zip(broken.values(), smallest, strict=True)
    ]
    more = [f"  and {len(lines) - _MOST_REPORTED} more"] if len(lines) > _MOST_REPORTED else []
    advice = "Leave such values out, choose a `step` that avoids them, or give one of the keys a condition (`when`)"
    said = f"{origin}: the space of its sweep contains invalid recipes:"
    message = "\n".join([said, *lines[:_MOST_REPORTED], *more, advice])
    raise RecipeError(message, code="invalid_space", problems=[problem for _, problem in smallest])


def put(place: object, parts: Sequence[str], value: object) -> object:
    """A copy of nested values with one of them replaced; what is not on the way is shared with the original.

    Raises:
        KeyError: The first part that does not exist.
    """
    if not parts:
        return value
    first, *rest = parts
    if isinstance(place, list) and first.isdigit() and int(first) < len(place):
        position = int(first)
        return [*place[:position], put(place[position], rest, value), *place[position + 1 :]]
    if isinstance(place, Mapping) and first in place:
        return {**place, first: put(place[first], rest, value)}
    raise KeyError(first)


def _plain(recipe: Recipe) -> Combination:
    return recipe.model_dump(exclude={"sweep"})


def _with(plain: Combination, values: Tree) -> Combination:
    found: object = plain
    for key, value in values.items():
        try:
            found = put(found, key.split("."), value)
        except KeyError as error:
            said = f"{key} does not exist in this recipe: there is no {error.args[0]}"
            raise RecipeError(said, code="unknown_key") from None
    assert isinstance(found, dict)
    return found


def _value_at(place: object, key: str) -> object:
    for part in key.split("."):
        place = place[int(part)] if isinstance(place, list) else place[part]  # type: ignore[index]
    return place


def _checked(kind: type[Recipe], values: Combination) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, None where it has problems; and those."""
    problems, recipe = broken_rules(values, kind), None
    try:
        recipe = kind.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, kind)
    return (None if problems else recipe), problems


def _combinations(found: Sequence[Knob], own: Tree) -> tuple[list[Combination], bool]:
    """The combinations to check, and whether these are all."""
    few = {knob.key: _values(knob, _MOST_VALUES) for knob in found}
    everything = all(knob.values or knob.step is None or len(few[knob.key]) == count_of_steps(knob) for knob in found)
    tried = list(islice(_product(list(found), few, {}), MOST_COMBINATIONS + 1))
    if everything and len(tried) <= MOST_COMBINATIONS:
        return tried, True
    tried = [_around({knob.key: value}, found, few, own) for knob in found for value in few[knob.key]]
    tried += [_around(pair, found, few, own) for pair in _pairs(found)]
    draw = random.Random(0)
    tried += [_drawn(found, few, draw) for _ in range(MOST_COMBINATIONS)]
    return list({repr(values): values for values in tried}.values()), False


def _pairs(found: Sequence[Knob]) -> Iterator[Combination]:
    """Values of every two hyperparameters, as many of each as leave the number of pairs within bounds."""
    for most in _VALUES_OF_A_PAIR:
        few = [_values(knob, most) for knob in found]
        if sum(len(one) * len(other) for one, other in combinations(few, 2)) <= _MOST_PAIRS:
            break
    for (one, firsts), (other, seconds) in combinations(zip(found, few, strict=True), 2):
        yield from ({one.key: first, other.key: second} for first, second in product(firsts, seconds))


def _product(waiting: list[Knob], values: Mapping[str, list[object]], chosen: Combination) -> Iterator[Combination]:
    """Every combination; parents come first, so that a key whose conditions do not hold is left out."""
    if not waiting:
        yield chosen
        return
    first, *rest = waiting
    if not is_active(first, chosen):
        yield from _product(rest, values, chosen)
        return
    for value in values[first.key]:
        yield from _product(rest, values, {**chosen, first.key: value})


def _around(fixed: Tree, found: Sequence[Knob], values: Mapping[str, list[object]], own: Tree) -> Combination:
    """Some values, the parents that they need, and for the rest the recipe's own or the first value."""
    wanted = dict(fixed)
    for knob in reversed(found):  # children before their parents
        if knob.key in wanted:
            for parent, named in knob.when.items():
                wanted.setdefault(parent, named[0])
    chosen: Combination = {}
    for knob in found:
        if is_active(knob, chosen):
            chosen[knob.key] = wanted.get(knob.key, own.get(knob.key, values[knob.key][0]))
    return chosen


def _drawn(found: Sequence[Knob], values: Mapping[str, list[object]], draw: random.Random) -> Combination:
    chosen: Combination = {}
    for knob in found:
        if is_active(knob, chosen):
            chosen[knob.key] = draw.choice(values[knob.key])
    return chosen


def _values(knob: Knob, most: int) -> list[object]:
    """The values of a hyperparameter, at most so many: the ends and, drawn with a fixed seed, some between."""
    if knob.values:
        return [knob.values[position] for position in _positions(len(knob.values), most)]
    if knob.step is not None:
        return [stepped(knob, position) for position in _positions(count_of_steps(knob), most)]
    if knob.kind == "float":
        return list(knob.ends)
    low, high = map(int, knob.ends)
    if high - low < 16:
        return list(range(low, high + 1))
    # Both neighbours of the ends: an evenly spaced one may share its divisors with them.
    return [low, low + 1, *(low + (high - low) * part // 4 for part in (1, 2, 3)), high - 1, high]


def _positions(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return [0, *sorted(random.Random(0).sample(range(1, count - 1), most - 2)), count - 1]


def _signature(problem: Problem) -> str:
    """A problem without its numbers: the same rule, broken by other values, is the same problem."""
    text = re.sub(r"\[[^\]]*\]|\d[\d.]*(e[+-]?\d+)?", "#", problem.text)
    return f"{problem.key} {re.sub('#( or #)+', '#', text)}"


def _smallest(
    recipe: Recipe, found: Sequence[Knob], plain: Combination, cases: Sequence[tuple[Combination, Problem]]
) -> tuple[Combination, Problem]:
    """The fewest values that cause a problem, the others being the recipe's own, and the problem in its words."""
    reduced = [_reduced(recipe, found, plain, values, problem) for values, problem in cases[:_EXAMPLES]]
    return min(reduced, key=lambda case: len(case[0]))


def _reduced(
    recipe: Recipe, found: Sequence[Knob], plain: Combination, values: Combination, problem: Problem
) -> tuple[Combination, Problem]:
    wanted = _signature(problem)
    for key in list(values):
        fewer = {other: value for other, value in values.items() if other != key}
        beside = {knob.key: _value_at(plain, knob.key) for knob in found} | fewer
        if not all(is_active(knob, beside) for knob in found if knob.key in fewer):
            continue
        same = [one for one in _checked(type(recipe), _with(plain, fewer))[1] if _signature(one) == wanted]
        if same:
            values, problem = fewer, same[0]
    return values, problem


def in_words(values: Tree) -> str:
    """`key=value, key=value`."""
    return ", ".join(f"{key}={_written(value)}" for key, value in values.items())


def _written(value: object) -> str:
    """As YAML has it: `true` and `null`, and 0.001 without the tail that a float may have."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
