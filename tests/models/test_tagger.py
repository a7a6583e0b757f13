"""The tagger: sizes by the textbook's formula, names, saving, training, and indifference to padding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.bundles import files as bundle_files
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.labels import label_loss
from seq2seq_kit.models.tagger import build_tagger
from tests.conftest import slow_but

BATCH, LABELS, LETTERS = 3, 4, 5
GATES, BIASES = {"lstm": 4, "gru": 3}, {"lstm": 1, "gru": 2}

BUILT: dict[str, keras.Model] = {}


@dataclass(frozen=True)
class Case:
    """One set of arguments, and what follows from it."""

    name: str
    arguments: dict[str, Any]

    def model(self) -> keras.Model:
        keras.utils.set_random_seed(0)
        return build_tagger(**self.arguments)

    def shared(self) -> keras.Model:
        """One model for all tests that leave it as it is."""
        if self.name not in BUILT:
            BUILT[self.name] = self.model()
        return BUILT[self.name]

    def get(self, argument: str, default: Any = None) -> Any:
        return self.arguments.get(argument, default)

    def recurrent(self, width: int, units: int) -> int:
        cell = self.get("cell", "lstm")
        return int(GATES[cell] * units * (width + units + BIASES[cell]))

    @property
    def parameters(self) -> int:
        """The textbook count, layer by layer."""
        total, width = 0, self.get("input_features")
        if width is None:
            width = self.arguments["embedding_dim"]
            total += self.arguments["tokens"] * width
            spelling = self.get("character_units", 0)
            if spelling:
                total += self.arguments["characters"] * self.arguments["character_dim"]
                total += 2 * self.recurrent(self.arguments["character_dim"], spelling)
                width += 2 * spelling
        directions = 2 if self.get("bidirectional", False) else 1
        for units in self.arguments["units"]:
            total += directions * self.recurrent(width, units)
            width = directions * units
        return int(total + (width + 1) * LABELS)

    @property
    def layers(self) -> list[str]:
        names = ["masked", "unmasked", "output", *(f"recurrent_{n}" for n in range(len(self.arguments["units"])))]
        if self.get("input_features"):
            return ["values", "valid", *names]
        names += ["tokens", "token_embedding"]
        if self.get("character_units"):
            names += ["characters", "characters_fold", "character_embedding", "spelling", "characters_unfold"]
            names += ["token_and_spelling"]
        if self.get("token_dropout"):
            names += ["token_dropout"]
        return names

    def inputs(self, steps: int = 6) -> list[np.ndarray]:
        """Sequences of the lengths `steps`, 3 and 1."""
        rng = np.random.default_rng(0)
        valid = np.arange(steps) < np.array([steps, 3, 1])[:, None]
        if self.get("input_features"):
            values = rng.normal(size=(BATCH, steps, self.arguments["input_features"]))
            return [(values * valid[..., None]).astype(np.float32), valid.astype(np.float32)]
        tokens = rng.integers(1, self.arguments["tokens"], size=(BATCH, steps)) * valid
        if not self.get("character_units"):
            return [tokens.astype(np.int32)]
        letters = rng.integers(1, self.arguments["characters"], size=(BATCH, steps, LETTERS))
        letters[..., 3:] *= rng.integers(0, 2, size=(BATCH, steps, 1))  # some tokens are shorter
        return [tokens.astype(np.int32), (letters * valid[..., None]).astype(np.int32)]


def tokens(name: str, **arguments: Any) -> Case:
    return Case(name, {"labels": LABELS, "tokens": 9, "embedding_dim": 3, "units": [4]} | arguments)


def values(name: str, **arguments: Any) -> Case:
    return Case(name, {"labels": LABELS, "input_features": 2, "units": [4]} | arguments)


SPELLED: dict[str, Any] = {"characters": 7, "character_steps": LETTERS, "character_dim": 2, "character_units": 3}
CASES = [
    tokens("tokens"),
    tokens("tokens, gru, stacked", cell="gru", units=[5, 3]),
    tokens("tokens, both directions", bidirectional=True, units=[4, 3], dropout=0.3),
    tokens("spelled", **SPELLED),
    tokens("spelled, tokens dropped", **SPELLED, token_dropout=0.5),
    tokens("spelled, both directions, gru", **SPELLED, bidirectional=True, cell="gru"),
    values("values"),
    values("values, both directions, stacked", bidirectional=True, units=(4, 3), kernel_l2=0.01),
    values("values, gru", cell="gru", recurrent_dropout=0.2),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))


def called(model: keras.Model, inputs: list[np.ndarray]) -> np.ndarray:
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))


@every_case
def test_the_parameter_count_is_the_textbook_s(case: Case) -> None:
    model = case.shared()
    assert model.count_params() == case.parameters
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == case.parameters


@every_case
def test_shapes_and_names_follow_from_the_arguments(case: Case) -> None:
    model = case.shared()
    assert model.output_shape == (None, None, LABELS)
    assert called(model, case.inputs()).shape == (BATCH, 6, LABELS)
    assert sorted(layer.name for layer in model.layers) == sorted(case.layers)
    assert not model.compiled


@pytest.mark.parametrize("case", slow_but(CASES, *CASES[-2:]), ids=lambda case: case.name.replace(" ", "_"))
def test_a_saved_model_loads_with_equal_outputs(case: Case, tmp_path: Path) -> None:
    model = case.shared()
    model.save(tmp_path / "model.keras")
    loaded = bundle_files._load_model(
        tmp_path / "model.keras", 10**6, {"info": {}, "versions": {}}
    )  # lets in only what the kit's models are made of
    np.testing.assert_array_equal(called(loaded, case.inputs()), called(model, case.inputs()))


@pytest.mark.slow
@every_case
def test_a_training_step_has_a_finite_loss_and_changes_every_weight(case: Case) -> None:
    model, inputs = case.model(), case.inputs()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=label_loss, run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_weights]
    truth = np.random.default_rng(1).integers(0, LABELS, size=(BATCH, 6))
    truth[1, 3:] = truth[2, 1:] = -1
    assert np.isfinite(float(model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], truth)))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(weight.numpy()).all(), weight.path
        assert not np.array_equal(weight.numpy(), old), weight.path


@every_case
def test_padding_a_sequence_further_changes_none_of_its_steps(case: Case) -> None:
    model, inputs = case.shared(), case.inputs()
    outputs = called(model, inputs)
    longer = [np.pad(each, [(0, 0), (0, 3), (0, 0)][: each.ndim]) for each in inputs]
    np.testing.assert_allclose(called(model, longer)[:, :6], outputs, rtol=1e-5, atol=1e-6)
    alone = [each[1:2, :3] for each in inputs]
    np.testing.assert_allclose(called(model, alone)[0], outputs[1, :3], rtol=1e-5, atol=1e-6)


def test_what_stands_in_a_padded_step_does_not_matter() -> None:
    case = values("values, both directions", bidirectional=True)
    model, (numbers, valid) = case.model(), case.inputs()
    odd = np.where(valid[..., None] > 0, numbers, np.nan).astype(np.float32)
    outputs, steps = called(model, [odd, valid]), valid > 0
    np.testing.assert_array_equal(outputs[steps], called(model, [numbers, valid])[steps])


@pytest.mark.parametrize("both", [False, True])
def test_a_label_depends_on_what_follows_only_if_layers_read_in_both_directions(both: bool) -> None:
    case = tokens(f"tokens, both directions: {both}", bidirectional=both)
    model, inputs = case.shared(), case.inputs()
    changed = inputs[0].copy()
    changed[0, 3] = changed[0, 3] % 8 + 1
    moved = np.abs(called(model, [changed]) - called(model, inputs))[0].max(axis=1)
    assert (moved[:3].max() > 0) == both
    assert moved[3:].min() > 0


def test_a_token_is_told_by_its_spelling() -> None:
    case = tokens("spelled", **SPELLED)
    model, (numbers, letters) = case.model(), case.inputs()
    changed = letters.copy()
    changed[0, 2, 1] = changed[0, 2, 1] % 6 + 1
    moved = np.abs(called(model, [numbers, changed]) - called(model, [numbers, letters])).max(axis=2)
    assert moved[0, :2].max() == moved[1:].max() == 0
    assert moved[0, 2:].min() > 0


NO_COUNT = [0, -1, 2.0, "5", True]


@pytest.mark.parametrize(
    ("case", "name", "bads"),
    [
        (tokens("t"), "labels", [1, None, *NO_COUNT]),
        (tokens("t"), "tokens", NO_COUNT),
        (values("v"), "input_features", [None, *NO_COUNT]),
        (tokens("t"), "embedding_dim", [None, *NO_COUNT]),
        (tokens("s", **SPELLED), "characters", [1, None, *NO_COUNT]),
        (tokens("s", **SPELLED), "character_dim", [None, *NO_COUNT]),
        (tokens("s", **SPELLED), "character_steps", [None, *NO_COUNT]),
        (tokens("s", **SPELLED), "character_units", [-1, 2.0, "5", None]),
        (tokens("t"), "units", [[], 5, "5", None]),
        (tokens("t"), "cell", ["rnn", None]),
        (tokens("t"), "bidirectional", [1, None]),
        (tokens("t"), "token_dropout", [1, -0.1, None, True]),
        (tokens("t"), "dropout", [1, -0.1]),
        (tokens("t"), "recurrent_dropout", [1.0, None]),
        (tokens("t"), "kernel_l2", [-1, None]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_argument_is_refused_by_name_and_value(case: Case, name: str, bads: list[Any]) -> None:
    for bad in bads:
        with pytest.raises(ArgumentError, match=rf"{name} must be .*Received: {name}="):
            Case("bad", case.arguments | {name: bad}).model()


def test_a_dropped_token_is_dropped_whole_and_in_training_only() -> None:
    model = tokens("dropped", token_dropout=0.5).model()
    read = keras.Model(model.inputs[0], model.get_layer("token_dropout").output)
    numbers = np.tile(np.arange(1, 9, dtype=np.int32), (50, 1))
    vectors = np.asarray(read(numbers, training=False))
    drawn = np.asarray(read(numbers, training=True))
    dropped = (drawn == 0).all(axis=-1)
    assert 0.4 < dropped.mean() < 0.6
    assert len(np.unique(dropped, axis=0)) > 20, "each sequence draws for itself"
    np.testing.assert_allclose(drawn[~dropped], 2 * vectors[~dropped], rtol=1e-6)
