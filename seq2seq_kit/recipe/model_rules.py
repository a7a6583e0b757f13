"""What the keys of `model` have to do with each other and with `data`: told with line numbers before anything is built.

The builders refuse the same; here it is said in the words of a recipe, together with all other problems. A rule stays silent
where a value has the wrong type, which the schema reports.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seq2seq_kit.recipe.messages import Problem


def _segments_and_pyramid_divide_the_steps(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    segment, pyramid, layers = (
        model.get("segment_steps", 1),
        model.get("pyramid", 1),
        len(_units(model, "encoder_units")),
    )
    if not (is_count(segment) and is_count(pyramid)):
        return
    joined = pyramid ** max(layers - 1, 0)
    causes = [f"`model.segment_steps: {segment}`"] if segment > 1 else []
    yield from _divided(data, "output_steps", segment, causes)
    if joined > 1:
        causes.append(f"`model.pyramid: {pyramid}` over {layers} encoder layers")
    yield from _divided(data, "input_steps", segment * joined, causes)


def _divided(data: Mapping[str, Any], key: str, by: int, causes: list[str]) -> Iterator[Problem]:
    steps = data.get(key)
    if isinstance(steps, int) and is_count(steps) and steps % by:
        near = " or ".join(str(each) for each in (steps // by * by, steps // by * by + by) if each)
        said = f"must be a multiple of {by} for {' and '.join(causes)}, such as {near}. Received: {steps}"
        yield Problem(f"data.{key}", said)


def _a_decoder_that_takes_states_has_the_encoder_s_units(
    data: Mapping[str, Any], model: Mapping[str, Any]
) -> Iterator[Problem]:
    default = [128] if "source_column" in data else [64]
    encoder, decoder = _units(model, "encoder_units", default), _units(model, "decoder_units", default)
    feedback = model.get("bridge") in ("state", "attention")
    if not (feedback or model.get("decoder_state") == "encoder") or not encoder or not decoder:
        return
    key = f"bridge: {model['bridge']}" if feedback else "decoder_state: encoder"
    doubled = model.get("bidirectional") is True
    fitting = [units * 2 for units in encoder] if doubled else encoder
    if decoder != fitting:
        why = ", doubled because it is bidirectional" if doubled else ""
        said = f"`{key}` needs the encoder's units{why}: {fitting}. Received: {decoder}"
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


def _feeding_back_stands_alone(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    bridge = model.get("bridge")
    if bridge not in ("state", "attention") or "targets" not in data:
        return
    usual = {
        "segment_steps": 1,
        "channels": "joint",
        "normalise": "none",
        "position_embedding": False,
        "decoder_state": "zeros",
        "output_dropout": 0,
    }
    for key, value in usual.items():
        if model.get(key, value) != value:
            said = f"does not go with `bridge: {bridge}`, whose decoder starts from the encoder's states and writes step by step"
            yield Problem(f"model.{key}", f"{said}. Leave it out, or choose `bridge: repeat`")
    inputs = _names(data, "inputs")
    absent = [name for name in _names(data, "targets") if inputs and name not in inputs]
    if absent:
        said = (
            f"`bridge: {bridge}` begins with the newest value of each target; add {', '.join(absent)} to `data.inputs`"
        )
        yield Problem("model.bridge", said)
    if data.get("gap_steps"):
        yield Problem("data.gap_steps", f"must be 0 for `bridge: {bridge}`, which goes on right after the inputs")


def _true_outputs_are_for_decoders_that_read_them(
    data: Mapping[str, Any], model: Mapping[str, Any], training: Mapping[str, Any]
) -> Iterator[Problem]:
    given = training.get("teacher_forcing")
    if given not in (None, [1.0, 1.0], [1, 1]) and model.get("bridge", "repeat") == "repeat":
        said = "is for decoders that read their own output; a repeating one does not"
        advice = "Leave it out, or choose `model.bridge: state` or `attention`"
        yield Problem("training.teacher_forcing", f"{said}. {advice}")


def problems_of_model(
    values: Mapping[str, Any], data: Mapping[str, Any], model: Mapping[str, Any]
) -> Iterator[Problem]:
    """Every rule that a recipe's model breaks."""
    for rule in RULES:
        # Only windows have a length that layers must divide: sequences of tokens are padded to what they need.
        windows = "targets" in data or values.get("task") == "autoencode"
        if (windows and data.get("framing") != "whole") or rule is not _segments_and_pyramid_divide_the_steps:
            yield from rule(data, model)
    training = values.get("training")
    if isinstance(training, Mapping):
        yield from _true_outputs_are_for_decoders_that_read_them(data, model, training)


def _units(model: Mapping[str, Any], key: str, default: Sequence[int] = (64,)) -> list[int]:
    """Units of the layers, also by default; empty where they are no such list."""
    value = model.get(key, list(default))
    return list(value) if isinstance(value, list) and all(map(is_count, value)) else []


def _names(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    return list(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else []


def is_count(value: Any) -> bool:
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _what_is_set_has_an_effect(data: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[Problem]:
    default = [128] if "source_column" in data else [64]
    pyramid = model.get("pyramid", 1)
    if is_count(pyramid) and pyramid > 1 and len(_units(model, "encoder_units", default)) == 1:
        said = (
            "joins steps between two encoder layers, and there is one; add a layer to `encoder_units`, or leave it out"
        )
        yield Problem("model.pyramid", said)
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if model.get("character_dim", 16) != 16 and not model.get("character_units"):
        yield Problem(
            "model.character_dim", "has no effect without `character_units`; give those, too, or leave it out"
        )
    if "labels" in data and "inputs" in data and data.get("window_stride", 1) != 1:
        said = "has no effect on a tagger, which labels every row once; leave it out"
        yield Problem("data.window_stride", said)


RULES: list[Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Problem]]] = [
    _segments_and_pyramid_divide_the_steps,
    _a_decoder_that_takes_states_has_the_encoder_s_units,
    _independent_channels_are_the_first_inputs,
    _what_is_normalised_is_read,
    _a_masked_cell_is_no_value_of_a_window,
    _feeding_back_stands_alone,
    _what_is_set_has_an_effect,
]
