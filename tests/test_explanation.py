"""What a recipe would train is told without training it: layers, steps, kernels, time and memory."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.explanation import Recurrence, explain, kernels_of, recurrences_of, slow_layers
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.runs import train
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.estimating import estimate_seconds
from tests.conftest import ROOT, autoencode_recipe, forecast_recipe, hourly_frame, stand_ins
from tests.untyped import load_recipe, parse_recipe

Captured = pytest.CaptureFixture[str]
ECHO: dict[str, Any] = {"task": "echo", "data": {"sequence": [0.0, 0.2, 0.4, 0.6, 0.8]}}


def test_every_layer_of_a_forecast_is_told_with_its_shapes_and_the_sum_is_the_models() -> None:
    told = explain(forecast_recipe(), data=hourly_frame())
    job = open_job(parse_recipe(forecast_recipe()), hourly_frame())
    model = job.build()
    assert [row.name for row in told.rows] == [layer.name for layer in model.layers]
    assert told.parameters == model.count_params() == sum(row.parameters for row in told.rows)
    encoder = next(row for row in told.rows if row.name == "encoder_0")
    # load, heat, sine and cosine of the hour, weekend
    assert (encoder.inputs, encoder.outputs) == ((24, 5), (8,))
    assert encoder.how == "4 x ((5 + 1) x 8 + 8^2) = 448"
    assert told.counts == {part: job.examples.count(part) for part in ("train", "val", "test")}
    assert [(run.layer, run.steps, run.directions) for run in told.recurrences] == [
        ("encoder_0", 24, 1),
        ("decoder_0", 6, 1),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_explained(path: Path, tmp_path: Path) -> None:
    own = stand_ins(path.stem, tmp_path)
    told = explain(path, overrides=own)
    assert told.recurrences
    assert all(row.how for row in told.rows if row.parameters)
    assert told.seconds_per_epoch > 0
    assert told.recipe == load_recipe(path, own)


def test_overrides_are_followed() -> None:
    told = explain(ECHO, overrides={"model.shape": "one_step", "model.cell": "gru"})
    assert [row.how for row in told.rows if row.how] == ["3 x ((5 + 2) x 5 + 5^2) = 180", "(5 + 1) x 5 = 30"]
    assert [run.steps for run in told.recurrences] == [1]


def test_nothing_is_trained_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(1)
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    assert explain(autoencode_recipe(), data=hourly_frame(), overrides={"seed": 3}).recipe.seed == 3
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # type: ignore[index]


def test_both_directions_are_told() -> None:
    told = explain(forecast_recipe(), data=hourly_frame(), overrides={"model.bidirectional": True})
    assert [(run.layer, run.directions) for run in told.recurrences] == [("encoder_0", 2), ("decoder_0", 1)]


def test_wrapped_and_open_recurrences_are_found() -> None:
    inputs = keras.Input((None, 7, 3))
    inner = keras.layers.TimeDistributed(keras.layers.Bidirectional(keras.layers.LSTM(2)), name="words")(inputs)
    outputs = keras.layers.GRU(4, name="sentence")(inner)
    runs = recurrences_of(keras.Model(inputs, outputs))
    assert [(run.layer, run.steps) for run in runs] == [("words", 7), ("sentence", None)]


def test_memory_is_counted_by_its_parts() -> None:
    told = explain(ECHO, overrides={"model.shape": "many_to_many"})
    assert told.memory.parameters == 146 * 4 * 4  # weights, gradients and Adam's two moments, 4 bytes each
    # A step leaves 4 gates, 2 states and the output of 5 units, the last layer one value; the inputs are held too.
    assert told.memory.activations == 4 * (5 * 5 * 7 + 5 + 5)
    assert told.memory.data == open_job(parse_recipe(ECHO)).source.memory_usage(deep=True).sum()
    assert told.memory.total == told.memory.parameters + told.memory.activations + told.memory.data
    assert explain(ECHO, overrides={"training.optimizer": "sgd"}).memory.parameters == 146 * 4 * 2


def test_two_directions_leave_twice_as_much_in_the_gates() -> None:
    def activations(**model: bool) -> int:
        overrides = {f"model.{key}": value for key, value in model.items()} | {"training.batch_size": 1}
        return explain(forecast_recipe(), data=hourly_frame(300), overrides=overrides).memory.activations

    # Of 8 units over 24 steps: once more 6 numbers; and an output twice as wide, here, in the bridge and beside the future.
    assert activations(bidirectional=True) - activations() == 4 * (24 * 8 * 6 + 8 + 6 * 8 + 6 * 8)


@pytest.mark.slow
def test_a_larger_batch_needs_more_memory_until_the_data_ends() -> None:
    def activations(size: int) -> int:
        return explain(
            forecast_recipe(), data=hourly_frame(300), overrides={"training.batch_size": size}
        ).memory.activations

    assert activations(20) == 2 * activations(10)
    assert activations(10_000) == activations(181)  # there are no more windows


@pytest.mark.slow
def test_the_time_of_an_epoch_does_not_depend_on_the_epochs() -> None:
    job = open_job(parse_recipe(forecast_recipe()), hourly_frame())
    model = job.build()
    times = [
        explain(forecast_recipe(), data=hourly_frame(), overrides={"training.epochs": epochs}).seconds_per_epoch
        for epochs in (1, 1000)
    ]
    whole = estimate_seconds(model, job.examples, job.recipe.training)
    assert max(*times, whole) < 50 * min(*times, whole)  # another machine's load apart, not 1,000 times


def test_a_fit_without_the_worst_windows_counts_twice() -> None:
    recipe = autoencode_recipe()
    recipe["training"] |= {"epochs": 7, "leave_out": 0.1}
    assert explain(recipe, data=hourly_frame()).epochs == 14
    recipe["training"]["leave_out"] = 0
    assert explain(recipe, data=hourly_frame()).epochs == 7


def test_a_mask_in_the_model_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    inputs = keras.Input((6,))
    embedded = keras.layers.Embedding(9, 3, mask_zero=True)(inputs)
    (run,) = recurrences_of(keras.Model(inputs, keras.layers.LSTM(2)(embedded)))
    assert run.kernel == "cudnn"
    assert "right-padded" in run.why


def test_problems_are_the_usual_errors() -> None:
    with pytest.raises(DataError, match="load"):
        explain(forecast_recipe(), data=hourly_frame().drop(columns="load"))
    with pytest.raises(ArgumentError, match="an echo takes no `data`"):
        explain(ECHO, data=hourly_frame())


def test_the_verb_prints_layers_steps_kernel_time_and_memory(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "echo.yaml").write_text(dump_recipe(parse_recipe(ECHO)))
    assert main(["explain", str(tmp_path / "echo.yaml"), "--set", "model.shape=one_to_many"]) == 0
    out = capsys.readouterr().out
    assert "one_to_many: 146 parameters" in out
    assert re.search(r"repeat +│ RepeatVector +│ \(1\) -> \(5, 1\) +│ none", out)
    assert "4 x ((1 + 1) x 5 + 5^2) = 140" in out
    assert "recurrent recurs over 5 steps: the kit's compiled kernel, a whole sequence at once" in out
    assert "sequences: 1 train, 1 val, 1 test; batches of 5" in out
    assert re.search(r"an epoch takes about [\d.e-]+ s, 1,000 take about ", out)
    assert "2.3 kB weights, gradients and adam's moments" in out


def test_a_wrong_recipe_is_told_before_anything_is_built(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "echo.yaml").write_text(dump_recipe(parse_recipe(ECHO)))
    assert main(["explain", str(tmp_path / "echo.yaml"), "--set", "model.shape=none"]) == 2
    assert "model.shape" in capsys.readouterr().err


def test_an_open_length_counts_as_many_steps_as_the_data_has() -> None:
    from seq2seq_kit.explanation import _kept
    from seq2seq_kit.models.counts import explain_layers

    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, keras.layers.LSTM(3, return_sequences=True)(inputs))
    row = explain_layers(model)[-1]
    assert _kept(model.layers[-1], row, 10) == 10 * 3 * 7
    assert row.outputs == (None, 3)


@pytest.mark.slow
def test_a_layer_that_runs_keras_loop_is_found_with_its_reason(tmp_path: Path) -> None:
    slow = {"model.recurrent_dropout": 0.1, "training.epochs": 1}
    result = train(forecast_recipe(), data=hourly_frame(), overrides=slow, tracking_uri=str(tmp_path / "runs"))
    (finding,) = [each for each in result.findings if each.code == "keras_loop"]
    assert finding.text.endswith("fused kernel: encoder_0, decoder_0: recurrent_dropout is not 0")


@pytest.mark.slow
def test_half_precision_without_a_gpu_is_found_with_what_to_do(tmp_path: Path) -> None:
    half = {"training.precision": "mixed_float16", "training.epochs": 1}
    result = train(forecast_recipe(), data=hourly_frame(300), overrides=half, tracking_uri=str(tmp_path / "runs"))
    (finding,) = [each for each in result.findings if each.code == "keras_loop"]
    assert finding.level == "warning"
    assert finding.text.endswith("fused kernel: encoder_0, decoder_0: it computes in float16")
    assert finding.advice.endswith("TensorFlow sees none: set training.precision: float32 here")
    run = open_tracking(str(tmp_path / "runs")).client.get_run(result.run_id)
    assert (run.data.tags["recurrence"], run.data.params["training.precision"]) == ("loop", "mixed_float16")
    # What predicts is float32 again.
    assert {run.kernel for run in recurrences_of(result.bundle.model)} == {"compiled"}


def test_on_a_gpu_half_precision_is_nothing_to_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    model = open_job(parse_recipe(forecast_recipe()), hourly_frame(300)).build()
    runs = recurrences_of(model, "mixed_float16")
    assert {run.kernel for run in runs} == {"cudnn"}
    assert slow_layers(runs, "mixed_float16") == []
    dropped = [replace(run, kernel="loop", why="Keras' own loop (): recurrent_dropout is not 0") for run in runs]
    (finding,) = slow_layers(dropped, "mixed_float16")
    assert finding.level == "note"
    assert "precision" not in finding.advice


def test_on_a_gpu_bfloat16_takes_the_loop_because_cudnns_gradients_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    model = open_job(parse_recipe(forecast_recipe()), hourly_frame(300)).build()
    runs = recurrences_of(model, "mixed_bfloat16")
    assert {(run.kernel, run.why.rpartition("): ")[2]) for run in runs} == {
        ("loop", "cuDNN's gradients are wrong in bfloat16")
    }
    (finding,) = slow_layers(runs, "mixed_bfloat16")
    assert (finding.level, finding.advice) == ("warning", "Set training.precision: mixed_float16, or float32")
    # After it the model is what it was.
    assert {run.kernel for run in recurrences_of(model)} == {"cudnn"}


@pytest.mark.slow
def test_half_precision_is_explained(capsys: Captured, tmp_path: Path) -> None:
    half = {"training.precision": "mixed_bfloat16"}
    single, told = explain(ECHO), explain(ECHO, overrides=half)
    assert [(run.kernel, run.why.rpartition(": ")[2]) for run in told.recurrences] == [
        ("loop", "it computes in bfloat16")
    ]
    assert told.memory.activations == single.memory.activations / 2
    assert told.memory.parameters == single.memory.parameters
    (tmp_path / "echo.yaml").write_text(dump_recipe(parse_recipe(ECHO)))
    assert main(["explain", str(tmp_path / "echo.yaml")]) == 0
    assert "bundle are float32" not in capsys.readouterr().out
    assert main(["explain", str(tmp_path / "echo.yaml"), "--set", "training.precision=mixed_bfloat16"]) == 0
    said = (
        "training computes in mixed_bfloat16, on a GPU; without one float32 is faster; weights, validation and bundle"
    )
    assert said in capsys.readouterr().out


def test_the_kernels_of_a_model_are_one_word_where_they_agree() -> None:
    run = Recurrence("encoder_0", 24, 1, "compiled", "")
    assert kernels_of([run, replace(run, layer="decoder_0")]) == "compiled"
    assert kernels_of([run, replace(run, layer="decoder_0", kernel="loop")]) == "encoder_0 compiled, decoder_0 loop"
    assert run.way == run.kernel  # its old name
