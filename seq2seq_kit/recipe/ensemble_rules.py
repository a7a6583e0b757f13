"""What `ensemble.input_steps` has to do with the other keys of a forecast."""

from collections.abc import Iterator, Mapping

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Written
from seq2seq_kit.recipe.model_rules import units_of
from seq2seq_kit.recipe.rules import is_count

_KEY = "ensemble.input_steps"


def members_read_the_newest_steps(recipe: Written) -> Iterator[Problem]:
    """Members of several lengths read a window's newest steps: the longest one all of them, each in whole segments."""
    ensemble = recipe.whole.get("ensemble")
    steps = ensemble.get("input_steps") if isinstance(ensemble, Mapping) else None
    if not isinstance(steps, list) or not steps or not all(is_count(each) for each in steps):
        return
    members, longest = ensemble.get("members", len(steps)) if isinstance(ensemble, Mapping) else 0, max(steps)
    if is_count(members) and members != len(steps):
        given = f"has {len(steps)} lengths, one for each member, and `ensemble.members` is {members}"
        said = f"{given}. Give as many, or write `ensemble: {{input_steps: [...]}}` alone"
        yield Problem(_KEY, said, "conflicting_keys")
    window = recipe.data.get("input_steps")
    if is_count(window) and longest != window:
        said = (
            f"needs one member that reads the whole window and none that reads more: the longest must be `data.input_steps`, "
            f"{window}. Received: {longest}"
        )
        yield Problem(_KEY, said, "conflicting_keys")
    yield from _whole_segments(recipe, steps)
    for key, conflicts, why in _conflicts(recipe):
        if conflicts:
            said = f"cannot be combined with `{key}`, {why}. Leave one of them out"
            yield Problem(_KEY, said, "conflicting_keys")


def _whole_segments(recipe: Written, steps: list[int]) -> Iterator[Problem]:
    segment, pyramid = recipe.model.get("segment_steps"), recipe.model.get("pyramid")
    if not (is_count(segment) and is_count(pyramid)):
        return
    by = segment * pyramid ** max(len(units_of(recipe.model, "encoder_units")) - 1, 0)
    uneven = [each for each in steps if each % by]
    if uneven:
        said = f"must be multiples of {by}, of which the recurrence makes one step. Received: {', '.join(map(str, uneven))}"
        yield Problem(_KEY, said, "not_divisible")


def _conflicts(recipe: Written) -> Iterator[tuple[str, bool, str]]:
    sweep = recipe.sweep
    space = sweep.get("space") if isinstance(sweep, Mapping) else None
    searched = set(space) if isinstance(space, Mapping) else set()
    bridge, share = recipe.model.get("bridge"), recipe.training.get("leave_out")
    yield f"model.bridge: {bridge}", bridge not in (None, "repeat"), "whose members write together, step by step"
    scaling = recipe.data.get("window_scaling")
    yield f"data.window_scaling: {scaling}", scaling not in (None, "none"), "which is of the whole window"
    padded = recipe.data.get("short_series") == "pad"
    yield (
        "data.short_series: pad",
        padded,
        "which pads a series to the longest window: the newest steps may all be padding",
    )
    left = isinstance(share, int | float) and share > 0
    yield f"training.leave_out: {share}", left, "which leaves out the same windows for all members"
    yield "sweep.space: data.input_steps", "data.input_steps" in searched, "of which they are parts"
