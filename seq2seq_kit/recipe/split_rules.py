"""Rules about the split into train, val, calibration and test."""

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Split, Written
from seq2seq_kit.recipe.rules import is_count
from seq2seq_kit.recipe.section import Tree

_STEPS = ("val_steps", "calibration_steps", "test_steps")
_OTHERS = ("train", "val", "calibration", "test")


def split_of(recipe: Written) -> Tree:
    """The section as it was written, with defaults; empty where it is none."""
    split = recipe.data.get("split")
    return split if isinstance(split, Mapping) else {}


def counted_from_end(split: Tree) -> bool:
    """Whether a split counts from each series' end."""
    return any(split.get(key) is not None for key in _STEPS)


def a_split_in_time_leaves_training_rows(recipe: Written) -> Iterator[Problem]:
    split = split_of(recipe)
    if not split:
        return
    yield from _a_winner_is_judged_by_rows_that_it_has_not_seen(split, recipe.sweep)
    if counted_from_end(split):
        yield from _counted_alone(split)
        return
    if split.get("train") is None:
        yield from _shares_leave_training_rows(split, ", or a number of rows beside `split.train`")
        return
    written = recipe.written.get("split")
    given_keys = written if isinstance(written, Mapping) else {}
    for part in ("val", "calibration", "test"):
        value = split.get(part)
        if _is_number(value) and not is_count(value) and 0 < value < 1:
            given = value if part in given_keys else "none"
            said = f"must be a number of rows, because `split.train` is one. Received: {given}"
            yield Problem(f"data.split.{part}", said, "invalid_split")


def _counted_alone(split: Tree) -> Iterator[Problem]:
    """Both numbers are needed, and no other way to divide the rows is given beside them."""
    for key in ("val_steps", "test_steps"):
        if split.get(key) is None:
            none = "" if key == "val_steps" else "; 0: no test part"
            said = f"required where the split counts from each series' end: how many of its rows{none}"
            yield Problem(f"data.split.{key}", said, "missing_key")
    for key in _OTHERS:
        default = Split.model_fields[key].default if key in Split.model_fields else None
        # A resolved recipe writes defaults out, so only what differs from them was set.
        if split.get(key) is not None and split[key] != default:
            said = (
                "cannot be combined with `val_steps` and `test_steps`, which count from each series' end. Leave it out"
            )
            yield Problem(f"data.split.{key}", said, "conflicting_keys")


def _a_winner_is_judged_by_rows_that_it_has_not_seen(split: Tree, sweep: object) -> Iterator[Problem]:
    tested = split.get("test_steps") if counted_from_end(split) else split.get("test")
    if tested == 0 and isinstance(sweep, Mapping) and sweep.get("refit") is True:
        said = "trains on the validation rows, too, and there are no test rows to judge by. Leave it out, or keep test rows"
        yield Problem("sweep.refit", said, "conflicting_keys")


def a_split_of_sequences_leaves_training_sequences(recipe: Written) -> Iterator[Problem]:
    if split := split_of(recipe):
        yield from _shares_leave_training_rows(split, "")


def _shares_leave_training_rows(split: Tree, instead: str) -> Iterator[Problem]:
    parts = {part: split.get(part) for part in ("val", "calibration", "test") if split.get(part) is not None}
    for part, value in parts.items():
        if is_count(value):
            said = f"must be a share in (0, 1){instead}. Received: {value}"
            yield Problem(f"data.split.{part}", said, "invalid_split")
    shares = [value for value in parts.values() if _is_number(value) and 0 <= value < 1]
    if len(shares) == len(parts) and sum(shares) >= 1:
        given = f"{' + '.join(parts)} must leave rows to train on (a sum below 1). Received: "
        said = given + " + ".join(map(str, shares))
        yield Problem("data.split", said, "invalid_split")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
