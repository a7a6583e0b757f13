"""Writing from one's own output: the search against trying every output, the loop against feeding back by hand."""

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.models.decoding import attention_weights, compile_beam_search, compile_free_forecast, has_attention
from seq2seq_kit.models.feedback import build_feedback_forecaster
from seq2seq_kit.models.inference import compile_forward
from seq2seq_kit.models.translator import build_translator

TOKENS, STEPS = 3, 3
MANY = 17  # beams; there are 15 outputs
SEARCHES: dict[tuple[int, int], Any] = {}
SOURCES = np.array([[1, 2, 3, 4, 2], [4, 2, 0, 0, 0], [3, 0, 0, 0, 0]], dtype=np.int32)


def stirred(model: keras.Model) -> keras.Model:
    """The model with larger weights, so that its outputs differ from step to step."""
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(2.5 * weight.numpy() + rng.normal(scale=0.4, size=weight.shape))
    return model


TRANSLATORS: dict[str, dict[str, Any]] = {
    "state": {"bridge": "state"},
    "state, gru, embedded, stacked": {
        "bridge": "state",
        "cell": "gru",
        "embedding_dim": 3,
        "encoder_units": [4, 3],
        "decoder_units": [4, 3],
    },
    "attention": {"bridge": "attention"},
    "attention, gru, both directions": {
        "bridge": "attention",
        "cell": "gru",
        "bidirectional": True,
        "decoder_units": [8],
    },
    "attention, embedded, pyramid": {
        "bridge": "attention",
        "embedding_dim": 3,
        "pyramid": 2,
        "encoder_units": [4, 3, 2],
        "decoder_units": [4, 3, 2],
    },
}


@pytest.fixture(scope="module", params=list(TRANSLATORS))
def translator(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(1)
    small: dict[str, Any] = {
        "source_tokens": 6,
        "target_tokens": TOKENS,
        "output_steps": STEPS,
        "encoder_units": [4],
        "decoder_units": [4],
    }
    return stirred(build_translator(**small | TRANSLATORS[request.param]))


def log_chances(model: keras.Model, sources: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Logarithm of each token's probability after the true ones, from the model as it is trained."""
    logits = np.asarray(model([sources, previous], training=False)).astype(np.float64)
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def every_output(model: keras.Model, source: np.ndarray) -> list[tuple[float, list[int]]]:
    """Each output that can be written in `STEPS` steps with the logarithm of its probability, the likeliest first."""
    written = {
        tuple(tokens[: tokens.index(0) + 1] if 0 in tokens else tokens)
        for tokens in product(range(TOKENS), repeat=STEPS)
    }
    outputs = [[*each] + [0] * (STEPS - len(each)) for each in sorted(written)]
    previous = np.array([[0, *each[:-1]] for each in outputs], dtype=np.int32)
    chances = log_chances(model, np.repeat(source[None], len(outputs), axis=0), previous)
    found = []
    for each, own in zip(outputs, chances, strict=True):
        steps = each.index(0) + 1 if 0 in each else STEPS
        found.append((float(sum(own[step, each[step]] for step in range(steps))), each))
    return sorted(found, key=lambda pair: -pair[0])


@pytest.mark.slow
def test_every_output_adds_up_to_certainty(translator: keras.Model) -> None:
    assert np.exp([chance for chance, _ in every_output(translator, SOURCES[0])]).sum() == pytest.approx(1, abs=1e-5)


def searched(model: keras.Model, beams: int, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of `STEPS` steps; each search is compiled once."""
    key = id(model), beams
    if key not in SEARCHES:
        SEARCHES[key] = compile_beam_search(model, beams=beams, most_steps=STEPS)
    tokens, scores = SEARCHES[key](sources)
    return tokens, scores


@pytest.mark.slow
def test_enough_beams_find_every_output_in_the_order_of_its_probability(translator: keras.Model) -> None:
    tokens, scores = searched(translator, MANY, SOURCES)
    assert tokens.shape == (3, MANY, STEPS)
    for row, source in enumerate(SOURCES):
        expected = every_output(translator, source)
        assert len(expected) == 15
        assert tokens[row, :15].tolist() == [output for _, output in expected]
        np.testing.assert_allclose(scores[row, :15], [chance for chance, _ in expected], atol=1e-4)
        assert np.isneginf(scores[row, 15:]).all()  # there is no further output


@pytest.mark.slow
def test_one_beam_is_the_greedy_loop(translator: keras.Model) -> None:
    tokens, scores = searched(translator, 1, SOURCES)
    previous, total, ended = np.zeros((3, 1), np.int32), np.zeros(3), np.zeros(3, bool)
    for _ in range(STEPS):
        chances = log_chances(translator, SOURCES, previous)[:, -1]
        chosen = np.where(ended, 0, chances.argmax(axis=1))
        total += np.where(ended, 0, chances[np.arange(3), chosen])
        ended |= chosen == 0
        previous = np.concatenate([previous, chosen[:, None].astype(np.int32)], axis=1)
    assert tokens[:, 0].tolist() == previous[:, 1:].tolist()
    np.testing.assert_allclose(scores[:, 0], total, atol=1e-4)


@pytest.mark.slow
def test_more_beams_are_never_less_likely(translator: keras.Model) -> None:
    sources = np.random.default_rng(0).integers(1, 6, size=(20, 5)).astype(np.int32)
    greedy, few, many = (searched(translator, beams, sources)[1] for beams in (1, 3, MANY))
    assert (np.diff(few, axis=1) <= 0).all()
    assert (many[:, 0] >= few[:, 0] - 1e-5).all()
    assert (many[:, 0] >= greedy[:, 0] - 1e-5).all()


def test_padding_and_company_change_no_output(translator: keras.Model) -> None:
    together, scores = searched(translator, 3, np.pad(SOURCES, [(0, 0), (0, 3)]))
    for row, length in enumerate([5, 2, 1]):
        alone, own = searched(translator, 3, SOURCES[row : row + 1, :length])
        assert alone[0].tolist() == together[row].tolist()
        np.testing.assert_allclose(own[0], scores[row], atol=1e-4)


def test_many_sources_are_written_in_chunks() -> None:
    keras.utils.set_random_seed(1)
    model = stirred(
        build_translator(
            source_tokens=6, target_tokens=TOKENS, output_steps=2, bridge="state", encoder_units=[2], decoder_units=[2]
        )
    )
    search = compile_beam_search(model, beams=1, most_steps=2)
    sources = np.random.default_rng(0).integers(1, 6, size=(1030, 3)).astype(np.int32)
    tokens, scores = search(sources)
    assert tokens.shape == (1030, 1, 2)
    np.testing.assert_allclose(scores[1024:], search(sources[1024:])[1], atol=1e-5)
    assert search(sources[:0])[0].shape == (0, 1, 2)


def test_attention_adds_up_to_one_and_leaves_padding_out() -> None:
    for name in ("attention", "attention, embedded, pyramid"):
        keras.utils.set_random_seed(1)
        small: dict[str, Any] = {
            "source_tokens": 6,
            "target_tokens": TOKENS,
            "output_steps": 3,
            "encoder_units": [4],
            "decoder_units": [4],
        }
        model = stirred(build_translator(**small | TRANSLATORS[name]))
        previous = np.array([[0, 1, 2], [0, 2, 2], [0, 1, 1]], dtype=np.int32)
        weights = attention_weights(model, [SOURCES, previous])
        joined = 4 if "pyramid" in name else 1
        assert weights.shape == (3, 3, -(-5 // joined))
        np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-5)
        for row, length in enumerate([5, 2, 1]):
            read = -(-length // joined)
            assert weights[row, :, read:].max(initial=0) == 0
            assert weights[row, :, :read].min() > 0
        layer, (queries, values, keys) = model.get_layer("attention"), model.get_layer("attention").input
        parts = keras.Model(model.inputs, [queries, values, keys, layer.output])([SOURCES, previous])
        np.testing.assert_allclose(np.asarray(weights @ np.asarray(parts[1])), parts[3], atol=1e-5)


FORECASTERS: dict[str, dict[str, Any]] = {
    "state": {},
    "state, gru, future": {"cell": "gru", "future_features": 2},
    "state, stacked, both directions": {"encoder_units": [3, 4], "decoder_units": [6, 8], "bidirectional": True},
    "attention, gru, stacked, future": {
        "bridge": "attention",
        "cell": "gru",
        "encoder_units": [4, 3],
        "decoder_units": [4, 3],
        "future_features": 1,
    },
    "attention, both directions, pyramid, future, two targets": {
        "bridge": "attention",
        "encoder_units": [3, 2],
        "decoder_units": [6, 4],
        "bidirectional": True,
        "pyramid": 2,
        "future_features": 2,
        "output_features": 2,
        "target_positions": [2, 0],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORECASTERS)
def test_a_free_run_is_feeding_back_by_hand(name: str) -> None:
    keras.utils.set_random_seed(2)
    small: dict[str, Any] = {
        "input_steps": 6,
        "output_steps": 4,
        "input_features": 3,
        "encoder_units": [4],
        "decoder_units": [4],
    }
    arguments = small | FORECASTERS[name]
    model = stirred(build_feedback_forecaster(**arguments))
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(3, 6, 3)).astype(np.float32)]
    if arguments.get("future_features"):
        given.append(rng.normal(size=(3, 4, arguments["future_features"])).astype(np.float32))
    answers = np.full((3, 4, arguments.get("output_features", 1)), 99.0, np.float32)  # what is not known yet
    for step in range(4):
        answers[:, step] = np.asarray(model([*given, answers], training=False))[:, step]
    written = np.asarray(compile_free_forecast(model)(*map(tf.constant, given)))
    np.testing.assert_allclose(written, answers, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(compile_free_forecast(model)(*given)), written)  # arrays, as they are
    assert np.ptp(written, axis=1).min() > 1e-3  # the steps differ
    np.testing.assert_allclose(compile_forward(model, batch_size=2)(given), answers, rtol=1e-4, atol=1e-5)
    assert has_attention(model) == ("attention" in name)
    if has_attention(model):
        weights = attention_weights(model, [*given, answers])
        assert weights.shape == (3, 4, 3 if "pyramid" in name else 6)
        np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-5)
