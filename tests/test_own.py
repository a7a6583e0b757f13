"""A program's own model, loss, metrics and callbacks in the kit's care, and trainings that start from a run's weights."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq_kit.bundles.own_classes import by_registered_name, vouched
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.models import build_autoencoder, build_encoder_decoder
from seq2seq_kit.models.own import freeze, own_model, take_weights
from seq2seq_kit.training.own import own_loss, own_metrics
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    next_step_recipe,
    resume_unseen,
    train_unseen,
)
from tests.untyped import TrainResult, load, train


class Gate(keras.layers.Layer):
    """A layer that only this test has."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.value, self.gate = keras.layers.Dense(units), keras.layers.Dense(units, activation="sigmoid")

    def build(self, shape: Any) -> None:
        self.value.build(shape)
        self.gate.build(shape)

    def call(self, inputs: Any) -> Any:
        return self.value(inputs) * self.gate(inputs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


def gated(
    input_steps: int, input_features: int, output_steps: int, future_features: int, output_features: int
) -> keras.Model:
    past = keras.Input((input_steps, input_features), name="past")
    future = keras.Input((output_steps, future_features), name="future")
    read = keras.layers.LSTM(8)(keras.layers.Conv1D(8, 3, padding="causal")(past))
    joined = keras.layers.Concatenate()([keras.layers.RepeatVector(output_steps)(read), future])
    return keras.Model([past, future], keras.layers.Dense(output_features)(Gate(8)(joined)))


def pinball(truth: Any, prediction: Any) -> Any:
    error = truth - prediction
    return ops.mean(ops.maximum(0.9 * error, -0.1 * error), axis=-1)


class Told(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(dict(logs))


OBJECTS = {"Gate": Gate, "Conv1D": keras.layers.Conv1D}
SIZES = {"input_steps": 4, "output_steps": 2, "input_features": 3, "output_features": 1, "future_features": 0}
SHAPES: dict[str, Any] = {"reads": {"inputs": (4, 3)}, "gives": (2, 1)}


def small(**given: Any) -> keras.Model:
    sizes = {name: size for name, size in SIZES.items() if name != "future_features"}
    return build_encoder_decoder(**sizes | {"encoder_units": [4], "decoder_units": [4]} | given)


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own") / "mlruns"


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def own_run(own_store: Path, told: Told) -> TrainResult:
    return train(
        forecast_recipe(),
        data=hourly_frame(),
        model=gated,
        loss=pinball,
        metrics=["mae", keras.metrics.RootMeanSquaredError(name="rms")],
        callbacks=[told],
        tracking_uri=str(own_store),
    )


# A model's shapes.


def test_a_function_is_called_with_the_sizes_that_it_takes() -> None:
    model = own_model(lambda input_steps, output_steps: small(), SIZES, **SHAPES)
    assert model.output_shape == (None, 2, 1)
    assert own_model(partial(build_encoder_decoder, encoder_units=[3]), SIZES, **SHAPES).name == "encoder_decoder"


def test_a_subclassed_model_gets_the_inputs_of_the_data() -> None:
    class Plain(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2), keras.layers.Reshape((2, 1))])

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    model = own_model(Plain(), SIZES, **SHAPES)
    assert model.input_shape == (None, 4, 3)
    assert len(model.trainable_weights) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (small(input_features=2), r"Expected: inputs \(batch, 4, 3\)\. Received: \(batch, 4, 2\)"),
        (small(output_steps=3), r"Expected: \(batch, 2, 1\): steps, targets\. Received: \(batch, 3, 1\)"),
        (small(future_features=2), r"Received: \(batch, 4, 3\), \(batch, 2, 2\)"),
        (
            keras.Sequential([keras.layers.Conv2D(2, 2)]),
            r"does not take the data's inputs: .*Expected: inputs \(batch, 4, 3\)",
        ),
    ],
    ids=["columns", "steps", "inputs", "rank"],
)
def test_a_model_of_other_shapes_is_told_what_was_expected(given: keras.Model, said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        own_model(given, SIZES, **SHAPES)
    assert caught.value.code == "model_shape"
    assert "\x1b" not in str(caught.value)


def test_a_length_that_a_model_leaves_open_fits() -> None:
    inputs = keras.Input((None, 3))
    outputs = keras.layers.Dense(1)(keras.layers.LSTM(2, return_sequences=True)(inputs))
    assert own_model(keras.Model(inputs, outputs), SIZES, reads={"inputs": (4, 3)}, gives=(4, 1)).input_shape[1] is None


@pytest.mark.parametrize("given", [3, lambda units: small(), lambda: 3])
def test_what_is_no_model_is_told(given: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        own_model(given, SIZES, **SHAPES)
    assert caught.value.code == "invalid_argument"


# Weights and frozen layers.


def test_weights_are_taken_by_the_name_of_the_layer() -> None:
    source, model = small(), small(output_steps=5)
    take_weights(model, source, origin="a run")
    for own, other in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_weights_of_other_shapes_are_told_layer_by_layer() -> None:
    model, source = small(encoder_units=[4, 4]), small(encoder_units=[6])
    before = model.get_weights()
    with pytest.raises(ArgumentError) as caught:
        take_weights(model, source, origin="the run abc")
    assert caught.value.code == "start_differs"
    told = str(caught.value)
    assert "encoder_0: expected (3, 16), (4, 16), (16,); received (3, 24), (6, 24), (24,)" in told
    assert "encoder_1: expected (4, 16), (4, 16), (16,); received no such layer" in told
    assert "output:" not in told
    assert all(np.array_equal(own, other) for own, other in zip(before, model.get_weights(), strict=True))


def test_frozen_layers_are_found_by_pattern() -> None:
    model = small(encoder_units=[4, 4])
    assert freeze(model, ["encoder_*"])[:2] == ["encoder_0", "encoder_1"]
    assert not model.get_layer("encoder_1").trainable
    assert model.get_layer("output").trainable_weights
    for patterns, code in ((["encodr_0"], "unknown_layer"), (["*"], "nothing_to_train")):
        with pytest.raises(ArgumentError) as caught:
            freeze(small(), patterns)
        assert caught.value.code == code


# Loss and metrics over what was observed.


@pytest.mark.parametrize(
    "loss", ["mse", "log_cosh", keras.losses.Huber(), pinball, lambda t, p: ops.mean(ops.abs(t - p))]
)
def test_a_loss_counts_the_observed_cells_only(loss: Any) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    truth, said = rng.normal(size=(2, 3, 5, 2)).astype(np.float32)
    truth[0, 2:] = truth[2, 1, 1] = np.nan
    masked = own_loss(loss, masked=True, weighted=False, shape=(5, 2))
    assert callable(masked)
    prediction = tf.Variable(said)
    with tf.GradientTape() as tape:
        value = masked(truth, prediction)
    slope = np.asarray(tape.gradient(value, prediction))
    there = ~np.isnan(truth)
    # The observed cells by themselves, each a sequence of one step.
    plain = own_loss(loss, masked=False, weighted=True, shape=(1, 1)) if not callable(loss) else loss
    assert callable(plain)
    alone = plain(truth[there][:, None, None], said[there][:, None, None])
    np.testing.assert_allclose(value, np.mean(alone), rtol=1e-5)
    assert np.all(slope[~there] == 0)
    assert np.all(slope[there] != 0)


def test_a_loss_beside_weights_gives_a_value_for_each_step() -> None:
    assert callable(own_loss(pinball, masked=False, weighted=True, shape=(5, 2)))
    for loss in (lambda t, p: ops.mean(ops.abs(t - p)), lambda t, p: ops.abs(t - p), lambda t, p: t.nothing):
        with pytest.raises(ArgumentError) as caught:
            own_loss(loss, masked=True, weighted=True, shape=(5, 2))
        assert caught.value.code == "own_loss"


@pytest.mark.parametrize(
    "metric", ["mae", keras.metrics.MeanAbsoluteError(name="mae"), keras.losses.mean_absolute_error]
)
def test_a_metric_counts_the_observed_cells_only(metric: Any) -> None:
    truth, said = np.random.default_rng(1).normal(size=(2, 3, 5, 2)).astype(np.float32)
    truth[1, :3, 0] = np.nan
    for masked in (True, False):
        (made,) = own_metrics([metric], masked=masked)
        made.reset_state()
        made.update_state(truth, said)
        expected = np.nanmean(np.abs(truth - said)) if masked else np.nan
        np.testing.assert_allclose(made.result(), expected, rtol=1e-5)
    assert made.name == (metric if isinstance(metric, str) else made.name)


@pytest.mark.parametrize(
    "given", [{"loss": "mee"}, {"loss": 3}, {"metrics": "mae"}, {"metrics": ["mee"]}, {"callbacks": [Told]}]
)
def test_a_wrong_argument_is_told_before_the_data_is_read(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as caught:
        train(forecast_recipe(source="there_is_no.csv"), **given)
    assert caught.value.code in ("own_loss", "invalid_argument")


# What a bundle lets in.


@pytest.mark.parametrize(
    ("node", "let_in"),
    [
        ({"class_name": "Gate", "module": None, "registered_name": "Gate", "config": {}}, True),
        ({"class_name": "Conv1D", "module": "keras.layers", "registered_name": None, "config": {}}, True),
        ({"class_name": "function", "module": "builtins", "registered_name": "x", "config": "pinball"}, True),
        ({"class_name": "function", "module": "os", "registered_name": "pinball", "config": "system"}, False),
        ({"class_name": "system", "module": "os", "registered_name": "Gate", "config": {}}, False),
        ({"class_name": "Gate", "module": "keras.layers", "registered_name": None, "config": {}}, False),
        ({"class_name": "Lambda", "module": "keras.layers", "registered_name": "Gate", "config": {}}, False),
        ({"class_name": "__typespec__", "module": "os", "registered_name": "Gate", "config": {}}, False),
        ({"class_name": "Conv2D", "module": "keras.layers", "registered_name": None, "config": {}}, False),
        ({"class_name": "Gate", "module": "mine", "config": {}}, False),
    ],
)
def test_only_the_callers_own_objects_are_let_in(node: dict[str, Any], let_in: bool) -> None:
    assert vouched(node, by_registered_name(OBJECTS | {"pinball": pinball})) is let_in


@pytest.mark.slow
def test_a_lambda_and_a_layer_without_configuration_are_told_before_the_training(tmp_path: Path) -> None:
    class Silent(keras.layers.Layer):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.units = units

        def call(self, inputs: Any) -> Any:
            return inputs

    def with_layer(layer: keras.Layer) -> keras.Model:
        inputs = keras.Input((24, 2))
        return keras.Model(inputs, layer(inputs))

    for layer in (keras.layers.Lambda(lambda values: values), Silent(3)):
        with pytest.raises(ArgumentError) as caught:
            train(
                autoencode_recipe(), data=hourly_frame(), model=with_layer(layer), tracking_uri=str(tmp_path / "mlruns")
            )
        assert caught.value.code == "unstorable_layer"


# Trainings.


@pytest.mark.slow
def test_an_own_model_is_trained_compared_and_logged(own_run: TrainResult, own_store: Path, told: Told) -> None:
    import mlflow

    assert own_run.recipe.model.own
    assert own_run.recipe.training.loss == "own"
    assert {"ridge", "last value"} <= set(own_run.test.names)
    names = {"mae", "val_mae", "rms", "val_rms"}
    assert [set(epoch.metrics) for epoch in own_run.fit.history] == [names] * 3
    assert [epoch["val_rms"] for epoch in told.epochs] == [epoch.metrics["val_rms"] for epoch in own_run.fit.history]
    client = mlflow.MlflowClient(f"sqlite:///{own_store}/mlflow.db")
    run = client.get_run(own_run.run_id)
    assert len(client.get_metric_history(own_run.run_id, "epoch/val_mae")) == 3
    assert run.data.params["model.own"] == "true"
    assert "model.encoder_units" not in run.data.params


@pytest.mark.slow
def test_an_own_models_bundle_asks_for_its_classes(own_run: TrainResult, own_store: Path) -> None:
    for given, lacking in ((None, r"Conv1D, tests\.test_own\.Gate"), ({"Gate": Gate}, "Conv1D")):
        with pytest.raises(BundleError, match=rf"with the classes {lacking}\.") as caught:
            load(own_run.run_id, tracking_uri=str(own_store), custom_objects=given)
        assert caught.value.code == "own_classes"
    loaded = load(own_run.run_id, tracking_uri=str(own_store), custom_objects=OBJECTS)
    frame = hourly_frame().tail(30)
    np.testing.assert_array_equal(loaded.predict(frame)["load"], own_run.bundle.predict(frame)["load"])
    again = loaded.save(own_store.parent / "saved_again")
    assert load(again, custom_objects=OBJECTS).predict(frame).equals(loaded.predict(frame))


@pytest.mark.slow
def test_the_recipe_of_an_own_training_says_so(own_run: TrainResult, own_store: Path) -> None:
    for given, lacking in (({}, "model and loss"), ({"model": gated}, "loss")):
        with pytest.raises(ArgumentError, match=f"whose {lacking} a program") as caught:
            train(own_run.recipe, data=hourly_frame(), tracking_uri=str(own_store), **given)
        assert caught.value.code == "own_missing"


def test_other_tasks_refuse(tmp_path: Path) -> None:
    frame, where = hourly_frame(), {"tracking_uri": str(tmp_path / "mlruns")}
    recipe = next_step_recipe()
    started = recipe | {"training": {"start_from": "abcdef"}}
    for asked, given in ((recipe, {"model": gated}), (recipe, {"callbacks": [Told()]}), (started, {})):
        with pytest.raises(ArgumentError, match="task forecast") as caught:
            train(asked, data=frame, **given, **where)
        assert caught.value.code == "not_supported"


def test_a_sweep_refuses(tmp_path: Path) -> None:
    from seq2seq_kit import sweep

    recipe = forecast_recipe() | {"sweep": {"space": {"training.learning_rate": {"choice": [0.1, 0.01]}}}}
    recipe["training"]["freeze"] = ["encoder_0"]
    with pytest.raises(ArgumentError) as caught:
        sweep(recipe, data=hourly_frame(), tracking_uri=str(tmp_path / "mlruns"))
    assert caught.value.code == "own_missing"


@pytest.mark.slow
def test_a_model_of_keras_own_layers_is_served_by_mlflow(tmp_path: Path) -> None:
    import mlflow

    def convolved(input_steps: int, input_features: int) -> keras.Model:
        inputs = keras.Input((input_steps, input_features))
        return keras.Model(inputs, keras.layers.Conv1D(input_features, 3, padding="same")(inputs))

    recipe = autoencode_recipe()
    result = train(recipe, data=hourly_frame(), model=convolved, tracking_uri=str(tmp_path / "mlruns"))
    assert result.test.names == ["model", "training mean"]
    with pytest.raises(ArgumentError):
        result.bundle.encode(hourly_frame().tail(30))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    served = mlflow.pyfunc.load_model(f"runs:/{result.run_id}/network")
    window = np.random.default_rng(0).normal(size=(1, 24, 2)).astype(np.float32)
    np.testing.assert_allclose(served.predict(window), result.bundle.forward([window]), rtol=1e-5)


@pytest.mark.slow
def test_a_masked_autoencoder_with_an_own_loss_reconstructs(tmp_path: Path) -> None:
    frame = hourly_frame()
    frame.loc[frame.index % 7 == 0, "heat"] = np.nan
    given = {"model": partial(build_autoencoder, latent_dim=3), "loss": "log_cosh", "metrics": ["mae"]}
    result = train_unseen(autoencode_recipe(missing="mask"), data=frame, tracking_uri=str(tmp_path / "mlruns"), **given)
    assert all(np.isfinite([epoch.loss, *epoch.metrics.values()]).all() for epoch in result.fit.history)
    loaded = load(result.run_id, tracking_uri=str(tmp_path / "mlruns"))  # the kit's own layers ask for nothing
    assert loaded.encode(frame.tail(25)).filter(like="latent_").shape == (2, 3)


def shifted() -> Any:
    return hourly_frame(seed=1).assign(load=lambda frame: 500 + 3 * frame["load"])


@pytest.mark.slow
def test_a_training_starts_from_a_runs_weights_and_scaler(forecast_run: TrainResult, store: Path) -> None:
    recipe = forecast_recipe() | {"training": {"epochs": 1, "start_from": forecast_run.run_id, "freeze": ["encoder_*"]}}
    result = train_unseen(recipe, data=shifted(), tracking_uri=str(store))
    before, after = forecast_run.bundle, result.bundle
    np.testing.assert_array_equal(after.scaler.center, before.scaler.center)
    for layer in before.model.layers:
        same = [
            np.array_equal(old, new)
            for old, new in zip(layer.get_weights(), after.model.get_layer(layer.name).get_weights(), strict=True)
        ]
        assert all(same) == (not same or layer.name.startswith("encoder_")), layer.name
    loaded = load(result.run_id, tracking_uri=str(store))
    rows = shifted().tail(24)
    assert loaded.predict(rows).equals(after.predict(rows))
    other = forecast_recipe() | {"training": {"epochs": 1, "start_from": forecast_run.run_id}}
    other["data"] = other["data"] | {"calendar": ["hour"]}
    with pytest.raises(ArgumentError, match=r"encoder_0: expected \(4, 32\).* received \(5, 32\)") as caught:
        train_unseen(other, data=shifted(), tracking_uri=str(store))
    assert caught.value.code == "start_differs"
    other["data"] = other["data"] | {"inputs": ["load"]}
    with pytest.raises(ArgumentError, match="other columns") as caught:
        train_unseen(other, data=shifted(), tracking_uri=str(store))
    assert caught.value.code == "start_differs"


@pytest.mark.slow
def test_a_started_linear_skip_keeps_its_line(tmp_path: Path) -> None:
    where = {"data": hourly_frame(), "tracking_uri": str(tmp_path / "mlruns")}
    recipe = forecast_recipe() | {"model": {"encoder_units": [8], "decoder_units": [8]}}
    first = train_unseen(recipe, **where)
    again = recipe | {"training": {"epochs": 1, "start_from": first.run_id}}
    second = train_unseen(again, **where | {"data": shifted()})
    for old, new in zip(
        *(run.bundle.model.get_layer("linear_skip").get_weights() for run in (first, second)), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_an_own_training_that_was_cut_short_is_resumed_with_the_same(own_store: Path) -> None:
    class Cut(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyError("cut")

    given = {"data": hourly_frame(), "model": gated, "loss": pinball}
    where = {"tracking_uri": str(own_store)}
    with pytest.raises(KeyError):
        train_unseen(forecast_recipe(), callbacks=[Cut()], **given, **where)
    import mlflow

    run = mlflow.MlflowClient(f"sqlite:///{own_store}/mlflow.db").search_runs(["1"], max_results=1)[0].info.run_id
    with pytest.raises(ArgumentError) as caught:
        resume_unseen(run, data=given["data"], **where)
    assert caught.value.code == "own_missing"
    assert len(resume_unseen(run, **given, **where).fit.history) == 3
