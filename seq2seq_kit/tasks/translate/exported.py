"""A translator for other runtimes: all steps at once, or the beam search, and an encoder and a decoder's step for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.exported_sequences import ExportedSequences, probabilities
from seq2seq_kit.bundles.exporting import COMPARED
from seq2seq_kit.exports.program import Case, Port, Program, plain_scale
from seq2seq_kit.exports.session import SEARCH

if TYPE_CHECKING:
    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.models.decoding import Decoder
    from seq2seq_kit.tasks.translate.bundle import TranslateBundle

_SOURCE = Port("source", "int32", ("batch", "steps"), "numbers of tokens, 0 behind the last one")
_LONGEST = 12  # tokens of a source that is drawn
_MEMORY = ("values", "keys", "valid")
_BEAMS = 3  # of what is compared
_POOL = 64  # sources
_CLEAR = 1e-3  # of two logarithms of probabilities: float32's rounding over some hundred steps is a tenth of it


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
    halves = [write(bundle, decoder, suffix) for suffix, decoder in decoders.items() for write in (_encoder, _step)]
    return [_search(bundle), *halves, _network(bundle)]


def _search(bundle: TranslateBundle) -> Program:
    def write(graph: Graph, given: list[Value]) -> list[Value]:
        from seq2seq_kit.exports.searching import write_search

        return write_search(graph, bundle.model, *given, most_steps=bundle.output_steps)

    def sample(count: int, seed: int) -> Case:
        from seq2seq_kit.models.decoding import compile_beam_search

        source = _sources(bundle, count, seed)
        outputs = compile_beam_search(bundle.model, beams=_BEAMS, most_steps=bundle.output_steps)(source)
        first = outputs[0][:, 0]
        logits = _logits(bundle, source[:_POOL], first[:_POOL])
        # The best one alone, and its tokens where rounding cannot have made another one the best.
        best = np.arange(_BEAMS) == 0
        clear = outputs[1][:, 0] - outputs[1][:, 1] > _CLEAR
        counts = [best[:, None] & clear[:, None, None], np.broadcast_to(best, outputs[1].shape)]
        # A score is the sum of as many logarithms as the output has steps, its end included.
        terms = np.minimum((first > 0).sum(axis=1, keepdims=True) + 1, bundle.output_steps)
        scale = [1.0, plain_scale([logits])[0] * terms]
        return Case([source, np.array([_BEAMS])], list(outputs), [0.0, 0.0], scale, counts)

    def golden(count: int, seed: int) -> Case:
        """Written greedily, from those of some sources that decide most clearly: another processor rounds otherwise."""
        from seq2seq_kit.models.decoding import compile_beam_search

        source = _sources(bundle, _POOL, seed)
        outputs = compile_beam_search(bundle.model, beams=1, most_steps=bundle.output_steps)(source)
        ordered = np.sort(_logits(bundle, source, outputs[0][:, 0]), axis=-1)
        best = np.argsort((ordered[..., -1] - ordered[..., -2]).min(axis=1))[-count:]
        kept = [each[best] for each in outputs]
        return Case([source[best], np.array([1])], kept, [0.0, 0.0], [1.0, float(bundle.output_steps)])

    beams = Port("beams", "int64", (1,), "beam width; 1 is greedy")
    shape = ("batch", "beams", bundle.output_steps)
    tokens = Port("tokens", "int32", shape, "numbers of tokens, 0 from the end on; the most probable output first")
    scores = Port("scores", "float32", shape[:2], "natural logarithm of each output's probability")
    says = "numbers of tokens to those of the outputs, by beam search"
    return Program(SEARCH, says, (_SOURCE, beams), (tokens, scores), write, golden(3, 4), sample(COMPARED, 5))


def _logits(bundle: TranslateBundle, source: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Of what follows each of the tokens that were written."""
    return bundle.forward([source, np.pad(written[:, :-1], ((0, 0), (1, 0)))])


def _network(bundle: TranslateBundle) -> Program:
    def write(graph: Graph, given: list[Value]) -> list[Value]:
        from seq2seq_kit.exports.walking import write_model

        return write_model(graph, bundle.model, given)

    def case(count: int, seed: int) -> Case:
        source = _sources(bundle, count, seed)
        rng = np.random.default_rng(seed)
        written = rng.integers(1, bundle.target_vocabulary.size, (count, min(bundle.output_steps, _LONGEST)))
        written[:, 0] = 0  # before the first step
        outputs = [bundle.forward([source, written.astype(np.int32)])]
        return Case([source, written.astype(np.int32)], outputs, [0.0], plain_scale(outputs))

    previous = Port(
        "previous", "int32", ("batch", "written"), "number of the token before each step, 0 before the first"
    )
    shape = ("batch", "written", bundle.target_vocabulary.size)
    logits = Port("outputs", "float32", shape, "logits of the token at each step; 0 is the end")
    says = "the logits behind tokens that are given, as this kit judges a translator"
    return Program("network", says, (_SOURCE, previous), (logits,), write, case(3, 6), case(COMPARED, 7))


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

    outputs = tuple(_ports(decoder))
    says = "numbers of tokens to what the decoder begins with"
    return Program(f"encoder{suffix}", says, (_SOURCE,), outputs, write, case(3, 0), case(COMPARED, 1))


def _step(bundle: TranslateBundle, decoder: Decoder, suffix: str) -> Program:
    from seq2seq_kit.models.decoding import token_layer

    ports, before = _ports(decoder), token_layer(decoder.model)
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
