"""What every own layer must do, over a table: shapes known and open, values, a training step, saving, masking."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.channels import ChannelEmbedding, MergeChannels, RepeatChannels, SplitChannels
from seq2seq_kit.models.drawing import AddNoise, DrawLatent
from seq2seq_kit.models.ensemble import CombineMembers, NewestSteps
from seq2seq_kit.models.layers import Denormalise, JoinSteps, Normalise, PositionEmbedding, Repeat, SplitSteps

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """A layer, the shapes of its inputs, and what it makes of them in NumPy (without its weights, which are set to 0)."""

    name: str
    make: Callable[[], keras.layers.Layer]
    shapes: list[tuple[int, ...]]
    expected: Callable[..., Array]
    weights: int = 0
    fixed_steps: bool = False

    def inputs(self) -> list[Array]:
        rng = np.random.default_rng(0)
        return [rng.normal(size=shape).astype(np.float32) for shape in self.shapes]

    def called(self, layer: keras.layers.Layer, inputs: list[Any]) -> Any:
        outputs = layer(inputs if len(inputs) > 1 else inputs[0])
        return outputs[0] if isinstance(outputs, tuple | list) else outputs

    def predicted(self, model: keras.Model) -> Array:
        """A model's outputs from a graph, in which the batch is open."""
        inputs = self.inputs()
        return np.asarray(model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0]))

    def model(self, *, open_steps: bool = False) -> keras.Model:
        """The layer alone, between inputs of known or of open length."""
        shapes: list[tuple[int | None, ...]] = [shape[1:] for shape in self.shapes]
        if open_steps:
            shapes = [(None, *shape[1:]) if len(shape) > 1 else shape for shape in shapes]
        entries = [keras.Input(shape) for shape in shapes]
        return keras.Model(entries if len(entries) > 1 else entries[0], self.called(self.make(), entries))


def joined(count: int) -> Callable[[Array], Array]:
    def join(x: Array) -> Array:
        padded = np.pad(x, [(0, 0), (0, -x.shape[1] % count), (0, 0)])
        return padded.reshape(len(x), -1, count * x.shape[2])

    return join


def split_channels(x: Array) -> Array:
    return np.stack([x[row][:, [channel, 2]] for row in range(len(x)) for channel in range(2)])


def softmax(x: Array) -> Array:
    exponents = np.exp(x)
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


CASES = [
    Case("repeat", lambda: Repeat(4), [(3, 5)], lambda x: np.repeat(x[:, None], 4, axis=1), fixed_steps=True),
    Case("repeat as long as", Repeat, [(3, 5), (3, 6, 2)], lambda x, _: np.repeat(x[:, None], 6, axis=1)),
    Case("join steps", lambda: JoinSteps(2), [(3, 6, 2)], joined(2)),
    Case("join steps with a rest", lambda: JoinSteps(4), [(3, 6, 2)], joined(4)),
    Case("split steps", lambda: SplitSteps(2), [(3, 4, 6)], lambda x: x.reshape(3, 8, 3)),
    Case("split channels", lambda: SplitChannels(2), [(3, 4, 3)], split_channels),
    Case("split all channels", lambda: SplitChannels(2), [(3, 4, 2)], lambda x: x.transpose(0, 2, 1).reshape(6, 4, 1)),
    Case("merge channels", lambda: MergeChannels(2), [(6, 4, 1)], lambda x: x.reshape(3, 2, 4).transpose(0, 2, 1)),
    Case("repeat channels", lambda: RepeatChannels(2), [(3, 4, 2)], lambda x: np.repeat(x, 2, axis=0)),
    Case("channel embedding", lambda: ChannelEmbedding(2), [(6, 4)], lambda x: x, weights=1, fixed_steps=True),
    Case("position embedding", lambda: PositionEmbedding(4), [(3, 4, 5)], lambda x: x, weights=1),
    Case(
        "normalise last",
        lambda: Normalise("last", [0, 2]),
        [(3, 4, 3)],
        lambda x: x - x[:, -1:] * np.array([1, 0, 1]),
    ),
    Case(
        "normalise mean_std",
        lambda: Normalise("mean_std", [0, 1, 2]),
        [(3, 4, 3)],
        lambda x: (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5),
    ),
    Case(
        "denormalise",
        lambda: Denormalise([2, 0]),
        [(3, 4, 2), (3, 2, 3)],
        lambda x, s: x * s[:, 1:, [2, 0]] + s[:, :1, [2, 0]],
        fixed_steps=True,
    ),
    Case(
        "combine members",
        CombineMembers,
        [(2, 3, 4), (2, 3, 4), (2, 3, 4)],
        lambda *given: np.mean(given, axis=0),
    ),
    Case(
        "combine members by their median",
        lambda: CombineMembers("median"),
        [(2, 3), (2, 3), (2, 3), (2, 3)],
        lambda *given: np.median(given, axis=0),
        fixed_steps=True,
    ),
    Case(
        "combine members that give logits",
        lambda: CombineMembers(logits=True),
        [(2, 3, 4), (2, 3, 4)],
        lambda *given: np.log(np.mean([softmax(each) for each in given], axis=0)),
    ),
    Case("newest steps", lambda: NewestSteps(2), [(2, 5, 3)], lambda x: x[:, -2:], fixed_steps=True),
    Case("add noise", lambda: AddNoise(0.5, 2), [(3, 4, 3)], lambda x: x),
    Case("draw latent", DrawLatent, [(3, 5), (3, 5)], lambda mean, _: mean, fixed_steps=True),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))


@pytest.mark.slow
@every_case
def test_values_and_shapes_are_as_documented(case: Case) -> None:
    layer = case.make()
    case.called(layer, case.inputs())  # builds
    assert len(layer.trainable_weights) == case.weights
    layer.set_weights([np.zeros(weight.shape) for weight in layer.weights])
    received, expected = np.asarray(case.called(layer, case.inputs())), case.expected(*case.inputs())
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    # For a symbolic batch and length the layer says the same of its shape.
    assert case.model().output_shape[1:] == expected.shape[1:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.fixed_steps], ids=lambda case: case.name.replace(" ", "_")
)
def test_an_open_length_gives_the_same_values(case: Case) -> None:
    fixed, free = case.model(), case.model(open_steps=True)
    free.set_weights(fixed.get_weights())
    np.testing.assert_allclose(case.predicted(free), case.predicted(fixed), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@every_case
def test_a_saved_layer_loads_with_equal_values(case: Case, tmp_path: Path) -> None:
    model = case.model()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(case.predicted(loaded), case.predicted(model))
    own = [layer for layer in loaded.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert [keras.saving.get_registered_name(type(layer)) for layer in own] == [
        f"seq2seq_kit>{type(case.make()).__name__}"
    ]


@pytest.mark.slow
@every_case
def test_a_training_step_reaches_every_weight_behind_and_in_the_layer(case: Case) -> None:
    entries = [keras.Input(shape[1:]) for shape in case.shapes]
    first = keras.layers.Dense(case.shapes[0][-1], name="before")(entries[0])
    outputs = case.called(case.make(), [first, *entries[1:]])
    model = keras.Model(entries if len(entries) > 1 else entries[0], outputs)
    model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_weights]
    assert len(before) == 2 + case.weights
    targets = np.random.default_rng(1).normal(size=case.expected(*case.inputs()).shape)
    inputs = case.inputs()
    assert np.isfinite(model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], targets))
    assert all((weight.numpy() != old).any() for weight, old in zip(model.trainable_weights, before, strict=True))


LENGTHS = np.array([4, 1, 3, 4, 2, 3])


def masked(x: Array) -> tuple[Any, Array]:
    """Right-padded sequences of `LENGTHS`, with their mask at hand and on the tensor as Keras puts it."""
    mask = np.arange(x.shape[1]) < LENGTHS[: len(x), None]
    return keras.layers.Masking(0.0)(x * mask[..., None]), mask


def mask_of(layer: keras.layers.Layer, tensor: Any, mask: Array) -> Array:
    """The mask that a layer gives on, which must be the one that it puts on its output."""
    outputs = layer(tensor)
    output = outputs[0] if isinstance(outputs, tuple) else outputs
    said = layer.compute_mask(tensor, ops.convert_to_tensor(mask))
    said = said[0] if isinstance(said, tuple) else said
    received = np.asarray(output._keras_mask)
    np.testing.assert_array_equal(received, np.asarray(said))
    assert received.shape == output.shape[:2]
    return received


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "features", "expected"),
    [
        (JoinSteps(2), 3, lambda mask: mask[:, ::2]),
        (JoinSteps(3), 3, lambda mask: mask[:, ::3]),
        (SplitSteps(3), 3, lambda mask: np.repeat(mask, 3, axis=1)),
        (SplitChannels(2), 3, lambda mask: np.repeat(mask, 2, axis=0)),
        (RepeatChannels(2), 3, lambda mask: np.repeat(mask, 2, axis=0)),
        (PositionEmbedding(4), 3, lambda mask: mask),
        (Normalise("last", [0]), 3, lambda mask: mask),
        (Normalise("mean_std", [0]), 3, lambda mask: mask),
        (MergeChannels(2), 1, lambda mask: mask[::2]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else None,
)
def test_a_mask_goes_where_its_steps_go(
    layer: keras.layers.Layer, features: int, expected: Callable[[Array], Array]
) -> None:
    tensor, mask = masked(np.random.default_rng(0).normal(size=(6, 4, features)).astype(np.float32) + 5)
    np.testing.assert_array_equal(mask_of(layer, tensor, mask), expected(mask))


def test_padding_does_not_leak_into_a_joined_step() -> None:
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    mask = np.arange(4) < LENGTHS[:, None]
    outputs = [np.asarray(JoinSteps(2)(x + 100 * noise * ~mask[..., None], mask=mask)) for noise in (0, 1)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0][1, 0], [*x[1, 0], 0, 0])


@pytest.mark.parametrize("method", ["last", "mean_std"])
def test_padding_does_not_count_in_a_window_s_statistics(method: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    mask = np.arange(4) < LENGTHS[:, None]
    _, statistics = Normalise(method, [0, 1])(x + 100 * ~mask[..., None], mask=mask)
    for row, length in enumerate(LENGTHS):
        _, alone = Normalise(method, [0, 1])(x[row : row + 1, :length])
        np.testing.assert_allclose(np.asarray(statistics)[row], np.asarray(alone)[0], rtol=1e-5, atol=1e-6)


def test_repeat_takes_length_and_mask_from_its_reference() -> None:
    words = np.array([[3, 5, 0, 0], [1, 2, 4, 0]])
    vector = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    repeated = Repeat()([vector, keras.layers.Embedding(6, 2, mask_zero=True)(words)])
    assert repeated.shape == (2, 4, 3)
    np.testing.assert_array_equal(np.asarray(repeated._keras_mask), words != 0)


@pytest.mark.slow
def test_a_layer_behind_repeat_in_a_model_skips_what_the_reference_pads() -> None:
    entries = [keras.Input((3,)), keras.Input((None,), dtype="int32")]
    reference = keras.layers.Embedding(6, 2, mask_zero=True)(entries[1])
    outputs = keras.layers.LSTM(4)(Repeat()([entries[0], reference]))
    model = keras.Model(entries, outputs)
    vector = np.random.default_rng(0).normal(size=(1, 3)).astype(np.float32)
    padded = model.predict_on_batch([vector, np.array([[1, 2, 0, 0, 0]])])
    np.testing.assert_allclose(padded, model.predict_on_batch([vector, np.array([[1, 2]])]), rtol=1e-5)
    assert not np.allclose(padded, model.predict_on_batch([vector, np.array([[1, 2, 3]])]))


def test_repeat_without_a_mask_on_its_reference_has_none() -> None:
    repeated = Repeat()([np.zeros((2, 3), np.float32), np.zeros((2, 4, 1), np.float32)])
    assert getattr(repeated, "_keras_mask", None) is None


def test_denormalising_undoes_normalising() -> None:
    x = np.random.default_rng(0).normal(loc=50, scale=9, size=(3, 8, 4)).astype(np.float32)
    for method in ("last", "mean_std"):
        normalised, statistics = Normalise(method, [0, 1, 3])(x)
        restored = Denormalise([3, 0])([ops.take(normalised, [3, 0], axis=-1), statistics])
        np.testing.assert_allclose(np.asarray(restored), x[..., [3, 0]], rtol=1e-4)


def test_a_constant_window_is_normalised_to_zero_and_not_to_nan() -> None:
    normalised, _ = Normalise("mean_std", [0])(np.full((2, 5, 1), 7.0, np.float32))
    np.testing.assert_array_equal(np.asarray(normalised), np.zeros((2, 5, 1)))


def test_positions_and_channels_get_vectors_of_their_own() -> None:
    position, channel = PositionEmbedding(3), ChannelEmbedding(2)
    steps, series = np.asarray(position(np.zeros((2, 3, 4)))), np.asarray(channel(np.zeros((6, 4))))
    np.testing.assert_array_equal(steps[0], position.embeddings.numpy())
    np.testing.assert_array_equal(series, np.tile(channel.embeddings.numpy(), (3, 1)))
    assert len(np.unique(steps[0], axis=0)) == 3


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: JoinSteps(0), r"count must be a whole number of at least 1\. Received: count=0"),
        (lambda: Repeat(-1), r"steps must be a whole number of at least 1\. Received: steps=-1"),
        (
            lambda: Repeat()(np.zeros((2, 3))),
            r"Repeat\(steps=None\) takes \[vector, reference\].*Received: shape \(2, 3\)",
        ),
        (lambda: Repeat(2)([np.zeros((2, 3)), np.zeros((2, 3, 1))]), r"Repeat\(steps=2\) takes one vector"),
        (lambda: SplitSteps(4)(np.zeros((2, 3, 6))), r"multiple of count=4\. Received: shape \(2, 3, 6\)"),
        (lambda: SplitChannels(4)(np.zeros((2, 3, 3))), r"at least channels=4 columns\. Received: shape \(2, 3, 3\)"),
        (lambda: MergeChannels(2)(np.zeros((2, 3, 3))), r"series of one column\. Received: shape \(2, 3, 3\)"),
        (lambda: PositionEmbedding(4)(np.zeros((2, 3, 3))), r"steps=4 steps\. Received: shape \(2, 3, 3\)"),
        (lambda: Normalise("median", [0]), r"method must be one of 'last', 'mean_std'\. Received: method='median'"),
        (lambda: Normalise("last", [3])(np.zeros((2, 3, 3))), r"different positions below 3\. Received: columns=\[3\]"),
        (
            lambda: Denormalise([0])([np.zeros((2, 3, 2)), np.zeros((2, 2, 3))]),
            r"columns must be a list of 2 different positions below 3\. Received: columns=\[0\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_received(use: Callable[[], Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        use()
