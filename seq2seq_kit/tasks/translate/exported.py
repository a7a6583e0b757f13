"""A translator for other runtimes: all steps at once, or an encoder and a decoder's step, for greedy or beam search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.exported_sequences import ExportedSequences, probabilities
from seq2seq_kit.bundles.exporting import COMPARED
from seq2seq_kit.exports.program import Case, Port, Program, plain_scale

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.models.decoding import Decoder
    from seq2seq_kit.tasks.translate.bundle import TranslateBundle

_LONGEST = 12  # tokens of a source that is drawn
_MEMORY = ("values", "keys", "valid")


def translate_programs(bundle: TranslateBundle) -> list[Program]:
    """What is exported; compared on sources that are drawn. Each member of an ensemble has graphs of its own."""
    from seq2seq_kit.models.decoding import Decoder
    from seq2seq_kit.models.ensemble import members_of
    from seq2seq_kit.models.feedback import reads_own_output

    if not reads_own_output(bundle.model):
        made = ExportedSequences(bundle, None, [bundle.source_vocabulary.size])
        answered = probabilities([""] * bundle.target_vocabulary.size, steps=bundle.output_steps)
        says = "numbers of tokens to the probabilities of each output token"
        return [
            made.program("model", says, bundle.model, bundle.forward, answered),
            made.network(bundle.model, bundle.forward),
        ]
    members = members_of(bundle.model)
    decoders = {
        f"_{number}" if len(members) > 1 else "": Decoder.of(each) for number, each in enumerate(members, start=1)
    }
    return [write(bundle, decoder, suffix) for suffix, decoder in decoders.items() for write in (_encoder, _step)]


def _encoder(bundle: TranslateBundle, decoder: Decoder, suffix: str) -> Program:
    def write(graph: Graph, given: list[Value]) -> list[Value]:
        from seq2seq_kit.exports.feeding import write_start

        states, memory = write_start(graph, decoder, given[0])
        flat = [graph.add("Squeeze", each, np.array([0]), shape=each.shape[1:]) for each in states]
        if not memory:
            return flat
        mask = memory[0].mask
        assert mask is not None
        return [*flat, *memory, graph.cast(mask, "float32")]

    def case(count: int, seed: int) -> Case:
        source = _sources(bundle, count, seed)
        found = _started(decoder, source)
        return Case([source], found, [0.0] * len(found), plain_scale(found))

    source = Port("source", "int32", ("batch", "steps"), "numbers of tokens, 0 behind the last one")
    outputs = tuple(_ports(decoder))
    says = "numbers of tokens to what the decoder begins with"
    return Program(f"encoder{suffix}", says, (source,), outputs, write, case(3, 0), case(COMPARED, 1))


def _step(bundle: TranslateBundle, decoder: Decoder, suffix: str) -> Program:
    ports, before = _ports(decoder), _reader(decoder.model)
    count = sum(port.name not in _MEMORY for port in ports)

    def write(graph: Graph, given: list[Value]) -> list[Value]:
        from seq2seq_kit.exports.feeding import write_step
        from seq2seq_kit.exports.layers import nonzero
        from seq2seq_kit.exports.walking import write_layer

        read = write_layer(graph, before, graph.unsqueeze(given[0], 1))
        states = [graph.unsqueeze(state, 0) for state in given[1 : 1 + count]]
        memory = given[1 + count :]
        kept = [each.masked(nonzero(graph, memory[2])) for each in memory[:2]] if memory else []
        logits, after = write_step(graph, decoder, read, states, kept)
        flat = [graph.add("Squeeze", each, np.array([0]), shape=each.shape[1:]) for each in after]
        return [graph.add("Squeeze", logits, np.array([1]), shape=(None, logits.width)), *flat]

    def case(size: int, seed: int) -> Case:
        import tensorflow as tf

        found = _started(decoder, _sources(bundle, size, seed))
        states, memory = [tf.constant(each) for each in found[:count]], [tf.constant(each) for each in found[count:]]
        kept = [*memory[:2], memory[2] > 0] if memory else []
        token = np.random.default_rng(seed).integers(0, bundle.target_vocabulary.size, size).astype(np.int32)
        logits, after, _ = decoder.step(before(tf.constant(token)[:, None])[:, 0], states, kept)
        outputs = [logits.numpy(), *(state.numpy() for state in after)]
        return Case([token, *found], outputs, [0.0] * len(outputs), plain_scale(outputs))

    token = Port("token", "int32", ("batch",), "number of the token before the step, 0 before the first one")
    size = bundle.target_vocabulary.size
    logits = Port("logits", "float32", ("batch", size), "of each token; 0 is the end")
    after = [Port(f"{port.name}_after", port.dtype, port.shape, port.says) for port in ports[:count]]
    says = "a token, the states and the encoder's memory to the logits of the next token and the states after it"
    return Program(f"step{suffix}", says, (token, *ports), (logits, *after), write, case(3, 2), case(COMPARED, 3))


def _sources(bundle: TranslateBundle, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    longest = min(bundle.recipe.data.input_steps or _LONGEST, _LONGEST)
    lengths = np.sort(rng.integers(1, longest + 1, count))[::-1]
    tokens = rng.integers(1, bundle.source_vocabulary.size, (count, int(lengths[0])))
    return np.where(np.arange(lengths[0]) < lengths[:, None], tokens, 0).astype(np.int32)


def _started(decoder: Decoder, source: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    states, memory = decoder.start([tf.constant(source)])
    return [np.asarray(each, dtype=np.float32) for each in (*states, *memory)]


def _ports(decoder: Decoder) -> list[Port]:
    """The states of each layer and, with attention, the encoder's memory."""
    ports = []
    for layer in decoder.layers:
        for letter, state in zip("hc", layer.input[1:], strict=False):
            name = f"{layer.name}_{letter}"
            ports.append(Port(name, "float32", ("batch", int(state.shape[-1])), f"state {letter} of {layer.name}"))
    if "attention" in [layer.name for layer in decoder.model.layers]:
        _, values, keys = decoder.model.get_layer("attention").input
        widths = [("values", int(values.shape[-1])), ("keys", int(keys.shape[-1]))]
        ports += [Port(name, "float32", ("batch", "memory", width), f"the encoder's {name}") for name, width in widths]
        ports.append(Port("valid", "float32", ("batch", "memory"), "1 for each step of the memory that counts, else 0"))
    return ports


def _reader(model: keras.Model) -> keras.Layer:
    """The layer that makes a vector of the token before a step."""
    return next(layer for layer in model.layers if layer.name in ("previous_embedding", "previous_one_hot"))
