"""The translator: sizes by the textbook's formula, names, saving, training, and indifference to padding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.bundles import files as bundle_files
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.labels import label_loss
from seq2seq_kit.models.translator import build_translator

BATCH, STEPS = 3, 4
GATES, BIASES = {"lstm": 4, "gru": 3}, {"lstm": 1, "gru": 2}

BUILT: dict[str, keras.Model] = {}


@dataclass(frozen=True)
class Case:
    """One set of arguments, and what follows from it."""

    name: str
    arguments: dict[str, Any]

    def model(self) -> keras.Model:
        keras.utils.set_random_seed(0)
        return build_translator(**self.arguments)

    def shared(self) -> keras.Model:
        """One model for all tests that leave it as it is."""
        if self.name not in BUILT:
            BUILT[self.name] = self.model()
        return BUILT[self.name]

    def get(self, argument: str, default: Any = None) -> Any:
        return self.arguments.get(argument, default)

    @property
    def bridge(self) -> str:
        return str(self.get("bridge", "repeat"))

    @property
    def directions(self) -> int:
        return 2 if self.get("bidirectional", False) else 1

    def recurrent(self, width: int, units: int) -> int:
        cell = self.get("cell", "lstm")
        return int(GATES[cell] * units * (width + units + BIASES[cell]))

    @property
    def parameters(self) -> int:
        """The textbook count, layer by layer."""
        source, target = self.arguments["source_tokens"], self.arguments["target_tokens"]
        embedding, reads = self.get("embedding_dim"), self.bridge != "repeat"
        width, total = source - 1, 0
        if embedding:
            width, total = embedding, source * embedding + (target * embedding if reads else 0)
        for position, units in enumerate(self.arguments["encoder_units"]):
            total += self.directions * self.recurrent(width * (self.get("pyramid", 1) if position else 1), units)
            width = self.directions * units
        memory = width
        if reads:
            width = embedding or target - 1
        for units in self.arguments["decoder_units"]:
            total += self.recurrent(width, units)
            width = units
        if self.bridge == "attention":
            total += memory * width + (memory + width + 1) * width
        return int(total + (width + 1) * target)

    @property
    def layers(self) -> list[str]:
        """The documented names, inputs first."""
        kind = "embedding" if self.get("embedding_dim") else "one_hot"
        encoders, decoders = (range(len(self.arguments[f"{part}_units"])) for part in ("encoder", "decoder"))
        names = ["source", f"source_{kind}", *(f"encoder_{n}" for n in encoders), *(f"decoder_{n}" for n in decoders)]
        names += [f"encoder_{n}_join" for n in encoders if n and self.get("pyramid", 1) > 1]
        names += ["output"]
        if self.bridge == "repeat":
            return [*names, "bridge"]
        names += ["previous", f"previous_{kind}"]
        letters = {"lstm": "hc", "gru": "h"}[self.get("cell", "lstm")]
        if self.directions == 2:
            names += [f"encoder_{n}_state_{letter}" for n in encoders for letter in letters]
        if self.bridge == "attention":
            names += ["attention", "attention_keys", "attention_both", "attention_vector"]
        return names

    def inputs(self, steps: int = 7, seed: int = 0) -> list[np.ndarray]:
        """Sources of the lengths `steps`, 3 and 1, and what stood before each step."""
        rng = np.random.default_rng(seed)
        source = rng.integers(1, self.arguments["source_tokens"], size=(BATCH, steps)).astype(np.int32)
        source[1, 3:] = source[2, 1:] = 0
        if self.bridge == "repeat":
            return [source]
        previous = rng.integers(1, self.arguments["target_tokens"], size=(BATCH, STEPS)).astype(np.int32)
        previous[:, 0] = 0
        return [source, previous]


def case(name: str, **arguments: Any) -> Case:
    small = {
        "source_tokens": 9,
        "target_tokens": 6,
        "output_steps": STEPS,
        "encoder_units": [5],
        "decoder_units": [5],
    }
    return Case(name, small | arguments)


CASES = [
    case("repeat"),
    case("repeat, embedded, gru", embedding_dim=4, cell="gru", decoder_units=[6, 3]),
    case("repeat, both directions, pyramid", bidirectional=True, pyramid=2, encoder_units=[4, 3], decoder_units=[4]),
    case("state", bridge="state"),
    case("state, embedded, gru", bridge="state", embedding_dim=4, cell="gru"),
    case("state, stacked", bridge="state", encoder_units=[5, 4], decoder_units=[5, 4], dropout=0.2),
    case("attention", bridge="attention"),
    case("attention, gru", bridge="attention", cell="gru", kernel_l2=0.01),
    case(
        "attention, embedded, both directions, pyramid",
        bridge="attention",
        embedding_dim=4,
        bidirectional=True,
        pyramid=2,
        encoder_units=[3, 4],
        decoder_units=[6, 8],
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))


def called(model: keras.Model, inputs: list[np.ndarray]) -> np.ndarray:
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))


def test_the_addition_model_of_the_recipe_has_its_textbook_size() -> None:
    model = build_translator(source_tokens=13, target_tokens=12, output_steps=4)
    one_hot, units = 12, 128
    encoder = 4 * units * (one_hot + units + 1)
    decoder = 4 * units * (units + units + 1)
    assert model.count_params() == encoder + decoder + (units + 1) * 12 == 205_324


@pytest.mark.slow
@every_case
def test_the_parameter_count_is_the_textbook_s(case: Case) -> None:
    model = case.shared()
    assert model.count_params() == case.parameters
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == case.parameters


@pytest.mark.slow
@every_case
def test_shapes_and_names_follow_from_the_arguments(case: Case) -> None:
    model = case.shared()
    steps = STEPS if case.bridge == "repeat" else None
    assert [tensor.name for tensor in model.inputs] == (["source"] if steps else ["source", "previous"])
    assert all(tensor.shape == (None, None) for tensor in model.inputs)
    assert model.output_shape == (None, steps, 6)
    assert called(model, case.inputs()).shape == (BATCH, STEPS, 6)
    assert sorted(layer.name for layer in model.layers) == sorted(case.layers)
    assert not model.compiled


@pytest.mark.slow
@every_case
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
    model = case.model()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=label_loss, run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_weights]
    inputs = case.inputs()
    truth = np.random.default_rng(1).integers(0, 6, size=(BATCH, STEPS))
    assert np.isfinite(float(model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], truth)))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(weight.numpy()).all(), weight.path
        assert not np.array_equal(weight.numpy(), old), weight.path


@pytest.mark.slow
@every_case
def test_padding_a_source_further_changes_nothing(case: Case) -> None:
    model, inputs = case.shared(), case.inputs()
    outputs = called(model, inputs)
    for more in (1, 4):
        longer = [np.pad(inputs[0], [(0, 0), (0, more)]), *inputs[1:]]
        np.testing.assert_allclose(called(model, longer), outputs, rtol=1e-5, atol=1e-6)
    alone = [inputs[0][1:2, :3], *(each[1:2] for each in inputs[1:])]
    np.testing.assert_allclose(called(model, alone)[0], outputs[1], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.bridge != "repeat"], ids=lambda case: case.name)
def test_a_step_sees_what_was_written_before_it_and_nothing_after(case: Case) -> None:
    model, (source, previous) = case.shared(), case.inputs()
    outputs = called(model, [source, previous])
    for step in range(1, STEPS):
        changed = previous.copy()
        changed[:, step] = changed[:, step] % 5 + 1
        moved = np.abs(called(model, [source, changed]) - outputs).max(axis=(0, 2))
        assert moved[:step].max() == 0
        assert moved[step:].min() > 0


@pytest.mark.slow
@every_case
def test_every_token_of_the_source_reaches_every_output_step(case: Case) -> None:
    model, inputs = case.shared(), case.inputs()
    outputs = called(model, inputs)
    for place in (0, 2):
        changed = [inputs[0].copy(), *inputs[1:]]
        changed[0][:2, place] = changed[0][:2, place] % 8 + 1
        assert np.abs(called(model, changed) - outputs)[:2].max(axis=2).min() > 0


def test_numbers_past_those_in_use_are_nothing_in_one_hot_vectors() -> None:
    from seq2seq_kit.models.masks import OneHot

    layer = OneHot(3)
    np.testing.assert_array_equal(layer(np.array([[0, 1, 3]])), [[[0, 0, 0], [1, 0, 0], [0, 0, 1]]])
    np.testing.assert_array_equal(layer.compute_mask(np.array([[0, 1, 3]])), [[False, True, True]])
    assert OneHot(3, mask_zero=False).compute_mask(np.array([[0, 1]])) is None
    assert OneHot.from_config(OneHot(3, mask_zero=False).get_config()).mask_zero is False


NO_COUNT = [0, -1, 2.0, "5", True, None]


@pytest.mark.parametrize(
    ("name", "bads"),
    [
        ("source_tokens", [1, *NO_COUNT]),
        ("target_tokens", [1, *NO_COUNT]),
        ("output_steps", NO_COUNT),
        ("embedding_dim", NO_COUNT[:-1]),
        ("pyramid", NO_COUNT),
        ("bridge", ["", "State", None, 1]),
        ("cell", ["rnn", "", None]),
        ("bidirectional", [0, "true", None]),
        ("dropout", [1, -0.1, None]),
        ("recurrent_dropout", [1.0, "0.1"]),
        ("kernel_l2", [-1, float("nan")]),
        ("encoder_units", [[], 5, "5"]),
        ("decoder_units", [[], 5, "5"]),
    ],
)
def test_a_bad_argument_is_refused_by_name_and_value(name: str, bads: list[Any]) -> None:
    for bad in bads:
        with pytest.raises(ArgumentError, match=rf"{name} must be .*Received: {name}="):
            case("bad", **{name: bad}).model()


@pytest.mark.parametrize("bridge", ["state", "attention"])
def test_a_decoder_that_takes_states_has_the_encoder_s_units(bridge: str) -> None:
    with pytest.raises(ArgumentError, match=rf"must be \[5\]: with bridge='{bridge}'.*Received: decoder_units=\[4\]"):
        case("bad", bridge=bridge, decoder_units=[4]).model()
    with pytest.raises(ArgumentError, match=r"must be \[10\], twice as wide .*Received: decoder_units=\[5\]"):
        case("bad", bridge=bridge, bidirectional=True).model()
