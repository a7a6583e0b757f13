"""What the keys of `model` have to do with each other and with `data`: reported with line numbers before anything is built.

The builders refuse the same; here it is said in the words of a recipe, together with all other problems.
"""

from collections.abc import Iterator

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import AUTOREGRESSIVE, Written
from seq2seq_kit.recipe.latent_fields import Latent
from seq2seq_kit.recipe.rules import is_count
from seq2seq_kit.recipe.section import Tree


def segments_and_pyramid_divide_the_steps(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    segment, pyramid, layers = model.get("segment_steps"), model.get("pyramid"), len(units_of(model, "encoder_units"))
    if not (is_count(segment) and is_count(pyramid)):
        return
    joined = pyramid ** max(layers - 1, 0)
    causes = [f"`model.segment_steps: {segment}`"] if segment > 1 else []
    yield from _divided(data, "output_steps", segment, causes)
    if joined > 1:
        causes.append(f"`model.pyramid: {pyramid}` over {layers} encoder layers")
    yield from _divided(data, "input_steps", segment * joined, causes)


def _divided(data: Tree, key: str, by: int, causes: list[str]) -> Iterator[Problem]:
    steps = data.get(key)
    if is_count(steps) and steps % by:
        near = " or ".join(str(each) for each in (steps // by * by, steps // by * by + by) if each)
        said = f"must be a multiple of {by} for {' and '.join(causes)}, such as {near}. Received: {steps}"
        yield Problem(f"data.{key}", said, "not_divisible")


def a_decoder_with_states_has_the_encoders_units(recipe: Written) -> Iterator[Problem]:
    model = recipe.model
    encoder, decoder = units_of(model, "encoder_units"), units_of(model, "decoder_units")
    feedback = model.get("bridge") in AUTOREGRESSIVE
    if not (feedback or model.get("decoder_state") == "encoder") or not encoder or not decoder:
        return
    key = f"bridge: {model['bridge']}" if feedback else "decoder_state: encoder"
    doubled = model.get("bidirectional") is True
    fitting = [units * 2 for units in encoder] if doubled else encoder
    if decoder != fitting:
        why = ", doubled because it is bidirectional" if doubled else ""
        said = f"`{key}` needs the encoder's units{why}: {fitting}. Received: {decoder}"
        yield Problem("model.decoder_units", said, "units_differ")


def a_pyramid_has_layers_to_join(recipe: Written) -> Iterator[Problem]:
    pyramid = recipe.model.get("pyramid")
    if is_count(pyramid) and pyramid > 1 and len(units_of(recipe.model, "encoder_units")) == 1:
        said = (
            "joins steps between two encoder layers, and there is one; add a layer to `encoder_units`, or leave it out"
        )
        yield Problem("model.pyramid", said, "unused_key")


def a_divergence_is_of_a_variational_latent(recipe: Written) -> Iterator[Problem]:
    if recipe.model.get("latent") != "plain":
        return
    for key in ("kl_weight", "kl_warmup"):
        # A resolved recipe writes defaults out, so only what differs from them was set.
        if recipe.model.get(key) != Latent.model_fields[key].default:
            said = "is for `latent: variational`; leave it out, or choose that. Received: `latent: plain`"
            yield Problem(f"model.{key}", said, "unused_key")


def true_outputs_are_for_decoders_that_read_them(recipe: Written) -> Iterator[Problem]:
    given = recipe.training.get("teacher_forcing")
    # A resolved recipe writes defaults out, so only what differs from them was set.
    if given not in (None, [1.0, 1.0], [1, 1]) and recipe.model.get("bridge") not in AUTOREGRESSIVE:
        said = "is for autoregressive decoders, and `bridge: repeat` writes all steps at once"
        advice = "Leave it out, or choose `model.bridge: state` or `attention`"
        yield Problem("training.teacher_forcing", f"{said}. {advice}", "unused_key")


def units_of(model: Tree, key: str) -> list[int]:
    """Units of the layers; empty where they are no such list."""
    value = model.get(key)
    return list(value) if isinstance(value, list) and all(map(is_count, value)) else []


def a_memory_is_of_a_forget_gate(recipe: Written) -> Iterator[Problem]:
    model, chrono = recipe.model, recipe.model.get("forget_bias") == "chrono"
    if chrono and model.get("cell") == "gru":
        said = "is of the forget gate of an LSTM, and a GRU has none. Leave it out, or choose `cell: lstm`"
        yield Problem("model.forget_bias", said, "conflicting_keys")
    if not chrono and model.get("memory_steps") is not None:
        said = "has no effect without `forget_bias: chrono`; give that, too, or leave it out"
        yield Problem("model.memory_steps", said, "unused_key")
    if chrono and model.get("memory_steps") is None and recipe.data.get("input_steps") is None:
        said = (
            "required with `forget_bias: chrono` where `data.input_steps` does not say it: the longest memory, in steps"
        )
        yield Problem("model.memory_steps", said, "missing_key")
