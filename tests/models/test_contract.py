"""What every builder must do, over a table of argument variants: shapes, names, sizes, training, saving."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.models import build_autoencoder, build_encoder_decoder
from seq2seq_kit.models.acceleration import accelerate

BATCH = 3
GATES = {"lstm": 4, "gru": 3}
BIASES = {"lstm": 1, "gru": 2}  # Keras' GRU has a bias for the input and one for the state


@dataclass(frozen=True)
class Case:
    """One builder with one set of arguments, and what follows from them."""

    name: str
    build: Callable[..., keras.Model]
    arguments: dict[str, Any]

    def model(self) -> keras.Model:
        keras.utils.set_random_seed(0)
        return self.build(**self.arguments)

    def get(self, argument: str, default: Any) -> Any:
        return self.arguments.get(argument, default)

    @property
    def output_steps(self) -> int:
        around = self.get("forecast_steps", 0) + self.get("backcast_steps", 0)
        return int(self.get("output_steps", self.arguments["input_steps"]) + around)

    @property
    def output_features(self) -> int:
        own = 1 if self.build is build_encoder_decoder else self.arguments["input_features"]
        return int(self.get("output_features", own))

    @property
    def independent(self) -> bool:
        return bool(self.get("channels", "joint") == "independent")

    @property
    def skips_future(self) -> bool:
        return bool(self.get("linear_skip", False) and self.get("future_features", 0))

    @property
    def layers(self) -> list[str]:
        """The documented names, inputs first."""
        units = self.arguments["encoder_units"]
        asked = {
            "normalise": self.get("normalise", "none") != "none",
            "split_channels": self.independent,
            "segment_join": self.get("segment_steps", 1) > 1,
            "segment": self.get("segment_steps", 1) > 1,
            "latent": self.get("latent_dim", None),
            "channel_embedding": self.independent,
            "position_embedding": self.get("position_embedding", False),
            "future": self.get("future_features", 0),
            "future_channels": self.get("future_features", 0) and self.independent,
            "future_join": self.get("future_features", 0) and self.get("segment_steps", 1) > 1,
            "bridge_future": self.get("future_features", 0),
            "output_dropout": self.get("output_dropout", 0),
            "noise": self.get("noise", 0),
            "output_split": self.get("segment_steps", 1) > 1,
            "merge_channels": self.independent,
            "denormalise": self.get("normalise", "none") != "none",
            **dict.fromkeys(SKIP, self.get("linear_skip", False)),
            **dict.fromkeys(["linear_skip_future", "linear_skip_seen"], self.skips_future),
            "linear_skip_channel": self.get("linear_skip", False) and self.independent and self.output_features > 1,
        }
        joins = [f"encoder_{position}_join" for position in range(1, len(units)) if self.get("pyramid", 1) > 1]
        states = []
        if self.get("decoder_state", "zeros") == "encoder" and self.get("bidirectional", False):
            letters = {"lstm": "hc", "gru": "h"}[self.get("cell", "lstm")]
            states = [f"encoder_{position}_state_{letter}" for position in range(len(units)) for letter in letters]
        recurrent = [f"encoder_{position}" for position in range(len(units))]
        recurrent += [f"decoder_{position}" for position in range(len(self.arguments["decoder_units"]))]
        return ["inputs", "bridge", "output", *recurrent, *joins, *states, *(name for name in asked if asked[name])]

    @property
    def parameters(self) -> int:
        """The textbook count, layer by layer."""
        directions = 2 if self.get("bidirectional", False) else 1
        segment, pyramid = self.get("segment_steps", 1), self.get("pyramid", 1)
        width, total = self.arguments["input_features"], 0
        if self.independent:
            width -= self.output_features - 1
        if segment > 1:
            total += (segment * width + 1) * self.arguments["encoder_units"][0]
            width = self.arguments["encoder_units"][0]
        for position, units in enumerate(self.arguments["encoder_units"]):
            total += directions * self.recurrent(width * (pyramid if position else 1), units)
            width = directions * units
        if self.get("latent_dim", None):
            total += (width + 1) * self.arguments["latent_dim"]
            width = self.arguments["latent_dim"]
        if self.independent:
            total += self.output_features * width
        if self.get("position_embedding", False):
            total += self.output_steps // segment * width
        width += self.get("future_features", 0) * segment
        for units in self.arguments["decoder_units"]:
            total += self.recurrent(width, units)
            width = units
        if self.get("linear_skip", False):
            total += self.line
        return int(total + (width + 1) * segment * (1 if self.independent else self.output_features))

    @property
    def line(self) -> int:
        """Parameters of the linear map beside the recurrent layers."""
        columns, outputs = self.arguments["input_features"], self.output_steps * self.output_features
        offsets = 0
        if self.independent:
            columns, outputs = columns - self.output_features + 1, self.output_steps
            offsets = self.output_features * outputs if self.output_features > 1 else 0
        seen = columns * self.arguments["input_steps"] + self.output_steps * self.get("future_features", 0)
        return int((seen + 1) * outputs + offsets)

    def recurrent(self, width: int, units: int) -> int:
        cell = self.get("cell", "lstm")
        return int(GATES[cell] * units * (width + units + BIASES[cell]))

    @property
    def recurrent_layers(self) -> int:
        directions = 2 if self.get("bidirectional", False) else 1
        return directions * len(self.arguments["encoder_units"]) + len(self.arguments["decoder_units"])

    @property
    def unused(self) -> list[str]:
        """Weights that one step cannot move: a state that starts at 0 and is read once."""
        steps = {"encoder": self.arguments["input_steps"], "decoder": self.output_steps}
        return [f"{part}_0/lstm_cell/recurrent_kernel" for part, count in steps.items() if count == 1]

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        shapes = [(BATCH, self.arguments["input_steps"] or 8, self.arguments["input_features"])]
        if self.get("future_features", 0):
            shapes.append((BATCH, self.output_steps, self.arguments["future_features"]))
        return [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    def targets(self) -> np.ndarray:
        shape = (BATCH, self.output_steps, self.output_features)
        return np.random.default_rng(1).normal(size=shape).astype(np.float32)


SKIP = ("linear_skip", "linear_skip_window", "linear_skip_steps", "add_linear_skip")


def forecaster(name: str, **arguments: Any) -> Case:
    small = {"input_steps": 5, "output_steps": 2, "input_features": 3, "encoder_units": [4], "decoder_units": [4]}
    return Case(f"encoder_decoder {name}", build_encoder_decoder, small | arguments)


def autoencoder(name: str, **arguments: Any) -> Case:
    arguments.pop("output_steps", None)  # the inputs'
    small = {"input_steps": 4, "input_features": 2, "encoder_units": [4], "decoder_units": [4]}
    return Case(f"autoencoder {name}", build_autoencoder, small | arguments)


def variants(make: Callable[..., Case]) -> list[Case]:
    """What both builders offer."""
    return [
        make("lstm"),
        make("gru", cell="gru"),
        make("stacked", encoder_units=[5, 3], decoder_units=[3, 5, 2]),
        make("bidirectional", bidirectional=True),
        make("bidirectional stacked gru", bidirectional=True, encoder_units=(4, 3), decoder_units=(5, 4), cell="gru"),
        make("dropout", dropout=0.4),
        make("recurrent dropout", recurrent_dropout=0.4),
        make("kernel l2", kernel_l2=0.01, bidirectional=True, encoder_units=[4, 3]),
        make("of one unit and one column", encoder_units=[1], decoder_units=[1], input_features=1),
    ]


def variants_of_shape(make: Callable[..., Case]) -> list[Case]:
    """What both builders offer on the steps of a sequence."""
    return [
        make("pyramid", pyramid=2, input_steps=8, encoder_units=[4, 3, 2], bidirectional=True),
        make("segments", segment_steps=2, input_steps=6, output_steps=6),
        make(
            "segments in a pyramid", segment_steps=2, pyramid=3, input_steps=12, output_steps=12, encoder_units=[4, 3]
        ),
        make("position embedding", position_embedding=True),
        make("output dropout", output_dropout=0.4),
    ]


ALL_SHAPES: dict[str, Any] = {
    "input_steps": 8,
    "output_steps": 6,
    "input_features": 4,
    "output_features": 2,
    "future_features": 3,
    "encoder_units": [4, 3],
    "decoder_units": [8, 6],
    "bidirectional": True,
    "pyramid": 2,
    "segment_steps": 2,
    "channels": "independent",
    "normalise": "mean_std",
    "position_embedding": True,
    "decoder_state": "encoder",
    "output_dropout": 0.2,
    "linear_skip": True,
    "target_positions": [0, 1],
    "measured_positions": [0, 1, 2],
}


CASES = [
    *variants(forecaster),
    forecaster("with future columns", future_features=2),
    forecaster("with a linear skip", linear_skip=True),
    forecaster("with a linear skip and future", linear_skip=True, future_features=2, output_features=2),
    forecaster("of any input length", input_steps=None),
    forecaster(
        "of any input length, bidirectional, with future", input_steps=None, bidirectional=True, future_features=1
    ),
    forecaster("longer than its inputs, several targets", output_steps=9, output_features=4),
    forecaster("of one step", input_steps=1, output_steps=1),
    *variants(autoencoder),
    autoencoder("with a latent layer", latent_dim=3),
    autoencoder("of its first column", input_features=3, output_features=1),
    autoencoder("with a latent layer, stacked", latent_dim=1, encoder_units=[5, 4], bidirectional=True),
    *variants_of_shape(forecaster),
    forecaster("of independent channels", channels="independent", output_features=3),
    forecaster(
        "of independent channels beside a shared column and a known future",
        channels="independent",
        input_features=3,
        output_features=2,
        future_features=2,
    ),
    forecaster("less its last value", normalise="last", target_positions=[1], measured_positions=[1, 2]),
    forecaster("standardised", normalise="mean_std", output_features=2),
    forecaster("from the encoder's state", decoder_state="encoder", encoder_units=[4, 3], decoder_units=[4, 3]),
    forecaster("from the encoder's state, gru", decoder_state="encoder", cell="gru"),
    forecaster(
        "from both states", decoder_state="encoder", bidirectional=True, encoder_units=[2, 3], decoder_units=[4, 6]
    ),
    forecaster(
        "from both states, gru", decoder_state="encoder", bidirectional=True, decoder_units=[8], cell="gru", dropout=0.3
    ),
    forecaster("with all shapes", **ALL_SHAPES),
    forecaster("with all shapes, of any input length", **ALL_SHAPES | {"linear_skip": False, "input_steps": None}),
    autoencoder("that forecasts, too", forecast_steps=3, backcast_steps=1, position_embedding=True, segment_steps=2),
    autoencoder("with noise in segments", noise=0.3, input_steps=6, segment_steps=2),
    *variants_of_shape(autoencoder),
    autoencoder("in segments through a latent layer", input_steps=6, segment_steps=3, latent_dim=2, output_features=1),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))


def called(model: keras.Model, inputs: list[np.ndarray], *, training: bool = False) -> np.ndarray:
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=training))


@pytest.mark.slow
@every_case
def test_shapes_follow_from_the_arguments(case: Case) -> None:
    model = case.model()
    assert model.input_shape == (
        (None, case.arguments["input_steps"], case.arguments["input_features"])
        if "future" not in case.layers
        else [
            (None, case.arguments["input_steps"], case.arguments["input_features"]),
            (None, case.output_steps, case.arguments["future_features"]),
        ]
    )
    assert model.output_shape == (None, case.output_steps, case.output_features)
    assert called(model, case.inputs()).shape == (BATCH, case.output_steps, case.output_features)


@pytest.mark.slow
@every_case
def test_layers_have_their_documented_names(case: Case) -> None:
    assert sorted(layer.name for layer in case.model().layers) == sorted(case.layers)


@pytest.mark.slow
@every_case
def test_the_parameter_count_is_the_textbook_s(case: Case) -> None:
    model = case.model()
    assert model.count_params() == case.parameters
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == case.parameters


@pytest.mark.slow
@every_case
def test_a_model_comes_uncompiled(case: Case) -> None:
    assert not case.model().compiled


@pytest.mark.slow
@every_case
def test_a_training_step_has_a_finite_loss_and_changes_every_weight(case: Case) -> None:
    model = case.model()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)  # tracing a graph takes seconds
    before = [weight.numpy() for weight in model.trainable_weights]
    inputs = case.inputs()
    loss = float(model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], case.targets()))
    assert np.isfinite(loss)
    assert loss > 0
    for weight, old in zip(model.trainable_weights, before, strict=True):
        new = weight.numpy()
        assert np.isfinite(new).all(), weight.path
        assert np.array_equal(new, old) == (weight.path in case.unused), weight.path


@pytest.mark.slow
@every_case
def test_a_saved_model_loads_with_equal_outputs(case: Case, tmp_path: Path) -> None:
    model = case.model()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    # Keras' own loop rounds differently than the kernel.
    np.testing.assert_allclose(called(loaded, case.inputs()), called(model, case.inputs()), atol=1e-5)
    np.testing.assert_array_equal(called(accelerate(loaded), case.inputs()), called(model, case.inputs()))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.slow
@every_case
def test_dropout_acts_in_training_only_and_only_where_asked(case: Case) -> None:
    model, inputs = case.model(), case.inputs()
    np.testing.assert_array_equal(called(model, inputs), called(model, inputs))
    drops = any(case.get(name, 0.0) > 0 for name in ("dropout", "recurrent_dropout", "output_dropout", "noise"))
    equal = np.array_equal(called(model, inputs, training=True), called(model, inputs, training=True))
    assert equal != drops


@pytest.mark.slow
@every_case
def test_the_l2_penalty_is_on_every_input_kernel_and_nothing_else(case: Case) -> None:
    model = case.model()
    factor = case.get("kernel_l2", 0.0)
    kernels = [
        weight.numpy()
        for weight in model.trainable_weights
        if weight.path.endswith("/kernel")
        and weight.path.split("/")[0] not in ("output", "latent", "segment", "linear_skip")
    ]
    assert len(kernels) == case.recurrent_layers
    expected = factor * sum(float((kernel.astype(np.float64) ** 2).sum()) for kernel in kernels)
    assert float(sum(np.asarray(loss) for loss in model.losses)) == pytest.approx(expected, rel=1e-5)
    assert len(model.losses) == (case.recurrent_layers if factor else 0)


@pytest.mark.slow
@every_case
def test_the_first_input_row_reaches_the_first_output_step(case: Case) -> None:
    model, inputs = case.model(), case.inputs()
    changed = [array.copy() for array in inputs]
    changed[0][:, 0] += 1.0
    assert np.abs(called(model, changed)[:, 0] - called(model, inputs)[:, 0]).max() > 0


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_an_open_input_length_takes_any_number_of_steps(steps: int) -> None:
    model = forecaster("of any input length", input_steps=None).model()
    assert called(model, [np.zeros((2, steps, 3), np.float32)]).shape == (2, 2, 1)
