"""What the keys of `model` have to do with each other and with `data`: told with line numbers before anything is built.

The builders refuse the same; here it is said in the words of a recipe, together with all other problems. A rule stays silent
where a value has the wrong type, which the schema reports.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seq2seq_kit.recipe.messages import Problem


def _segments_and_pyramid_divide_the_steps(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    segment, pyramid, layers = (
        model.get("segment_steps", 1),
        model.get("pyramid", 1),
        len(_units(model, "encoder_units")),
    )
    if not (_is_count(segment) and _is_count(pyramid)):
        return
    joined = pyramid ** max(layers - 1, 0)
    causes = [f"`model.segment_steps: {segment}`"] if segment > 1 else []
    yield from _divided(data, "output_steps", segment, causes)
    if joined > 1:
        causes.append(f"`model.pyramid: {pyramid}` over {layers} encoder layers")
    yield from _divided(data, "input_steps", segment * joined, causes)


def _divided(data: Mapping[str, Any], key: str, by: int, causes: list[str]) -> Iterator[Problem]:
    steps = data.get(key)
    if isinstance(steps, int) and _is_count(steps) and steps % by:
        near = " or ".join(str(each) for each in (steps // by * by, steps // by * by + by) if each)
        said = f"must be a multiple of {by} for {' and '.join(causes)}, such as {near}. Received: {steps}"
        yield Problem(f"data.{key}", said)


def _a_decoder_that_takes_states_has_the_encoder_s_units(
    data: Mapping[str, Any], model: Mapping[str, Any]
) -> Iterator[Problem]:
    encoder, decoder = _units(model, "encoder_units"), _units(model, "decoder_units")
    if model.get("decoder_state") != "encoder" or not encoder or not decoder:
        return
    doubled = model.get("bidirectional") is True
    fitting = [units * 2 for units in encoder] if doubled else encoder
    if decoder != fitting:
        why = ", doubled because it is bidirectional" if doubled else ""
        said = f"`decoder_state: encoder` needs the encoder's units{why}: {fitting}. Received: {decoder}"
        yield Problem("model.decoder_units", said)


def _independent_channels_are_the_first_inputs(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    inputs, targets = _names(data, "inputs"), _names(data, "targets")
    if model.get("channels") == "independent" and inputs and targets and inputs[: len(targets)] != targets:
        rest = [name for name in inputs if name not in targets]
        said = (
            f"`model.channels: independent` needs the targets first, in their order: [{', '.join([*targets, *rest])}]"
        )
        yield Problem("data.inputs", f"{said}. Received: [{', '.join(inputs)}]")


def _what_is_normalised_is_read(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    inputs, method = _names(data, "inputs"), model.get("normalise")
    absent = [name for name in _names(data, "targets") if name not in inputs]
    if method in ("last", "mean_std") and inputs and absent:
        said = f"`normalise: {method}` needs every target among `data.inputs`; add {', '.join(absent)} there"
        yield Problem("model.normalise", said)


def _a_masked_cell_is_no_value_of_a_window(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    if data.get("missing") != "mask":
        return
    instead = "Choose `data.missing: interpolate` or `ffill`, or leave this key out"
    if model.get("normalise") in ("last", "mean_std"):
        said = "does not go with `data.missing: mask`, whose cells hold a stand-in and no value of the window"
        yield Problem("model.normalise", f"{said}. {instead}")
    if model.get("channels") == "independent":
        said = "does not go with `data.missing: mask`, whose flags belong to single columns"
        yield Problem("model.channels", f"{said}. {instead}")


def _units(model: Mapping[str, Any], key: str) -> list[int]:
    """Units of the layers, also by default; empty where they are no such list."""
    value = model.get(key, [64])
    return list(value) if isinstance(value, list) and all(map(_is_count, value)) else []


def _names(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    return list(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else []


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


RULES: list[Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Problem]]] = [
    _segments_and_pyramid_divide_the_steps,
    _a_decoder_that_takes_states_has_the_encoder_s_units,
    _independent_channels_are_the_first_inputs,
    _what_is_normalised_is_read,
    _a_masked_cell_is_no_value_of_a_window,
]
