"""What the keys of `model` have to do with each other and with `data`: told with line numbers before anything is built.

The builders refuse the same; here it is said in the words of a recipe, together with all other problems.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq_kit.recipe.fields import Written
from seq2seq_kit.recipe.messages import Problem
from seq2seq_kit.recipe.rules import is_count


def segments_and_pyramid_divide_the_steps(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    segment, pyramid, layers = (
        model.get("segment_steps"),
        model.get("pyramid"),
        len(units_of(model, "encoder_units")),
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


def a_decoder_with_states_has_the_encoders_units(recipe: Written) -> Iterator[Problem]:
    model = recipe.model
    encoder, decoder = units_of(model, "encoder_units"), units_of(model, "decoder_units")
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


def a_pyramid_has_layers_to_join(recipe: Written) -> Iterator[Problem]:
    pyramid = recipe.model.get("pyramid")
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if is_count(pyramid) and pyramid > 1 and len(units_of(recipe.model, "encoder_units")) == 1:
        said = (
            "joins steps between two encoder layers, and there is one; add a layer to `encoder_units`, or leave it out"
        )
        yield Problem("model.pyramid", said)


def true_outputs_are_for_decoders_that_read_them(recipe: Written) -> Iterator[Problem]:
    model, training = recipe.model, recipe.training
    given = training.get("teacher_forcing")
    if given not in (None, [1.0, 1.0], [1, 1]) and model.get("bridge") == "repeat":
        said = "is for decoders that read their own output; a repeating one does not"
        advice = "Leave it out, or choose `model.bridge: state` or `attention`"
        yield Problem("training.teacher_forcing", f"{said}. {advice}")


def units_of(model: Mapping[str, Any], key: str) -> list[int]:
    """Units of the layers; empty where they are no such list."""
    value = model.get(key)
    return list(value) if isinstance(value, list) and all(map(is_count, value)) else []


def names_of(data: Mapping[str, Any], key: str) -> list[str]:
    """Names of columns; empty where they are no such list."""
    value = data.get(key)
    return list(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else []
