"""Networks for LiteRT: of built-in operations only, compared in its interpreter; what cannot be is refused and says why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.exports import litert
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe
from tests.exports.bundled import untrained
from tests.exports.test_windows import run_alone


def forecast(**model: Any) -> dict[str, Any]:
    sizes = {"encoder_units": [5], "decoder_units": [5]}
    return forecast_recipe(input_steps=6, output_steps=3, known_future=["heat"]) | {"model": sizes | model}


RECIPES: dict[str, Callable[[], dict[str, Any]]] = {
    "gru": lambda: forecast(cell="gru", bidirectional=True),
    "state": lambda: forecast(bridge="state"),
    "attention": lambda: forecast(bridge="attention"),
    "quantiles": lambda: forecast() | {"levels": [80], "intervals": "quantile"},
    "ensemble": lambda: forecast(normalise="none") | {"ensemble": {"members": 2}},
    "autoencode": lambda: autoencode_recipe(input_steps=6),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
def test_a_network_answers_in_the_interpreter_as_the_bundle_does(name: str, tmp_path: Path) -> None:
    bundle = untrained(RECIPES[name](), hourly_frame(200))
    done = bundle.export(tmp_path / "network", format="litert")
    assert done.path == tmp_path / "network.tflite"
    assert done.path.stat().st_size == done.bytes["network"]
    parity = done.parity["network"]
    assert parity.compared > 1_000
    assert parity.relative <= 1e-5
    layers = [each for each in bundle.model.layers if isinstance(each, keras.layers.RNN)]
    assert not any(each.unroll for each in layers)  # the bundle is as it was


@pytest.mark.slow
def test_the_file_runs_without_this_package(tmp_path: Path) -> None:
    bundle = untrained(forecast(), hourly_frame(200))
    bundle.export(tmp_path / "network.tflite", format="litert")
    inputs, future = bundle.golden()[:2]
    np.savez(tmp_path / "given.npz", inputs=inputs, future=future, outputs=bundle.forward([inputs, future]))
    code = (
        "import sys, warnings, numpy, tensorflow as tf\n"
        "warnings.simplefilter('ignore')\n"
        "given = numpy.load('given.npz')\n"
        "run = tf.lite.Interpreter('network.tflite').get_signature_runner('serving_default')\n"
        "for batch in (1, 3, 2):\n"
        "    found = run(inputs=given['inputs'][:batch], future=given['future'][:batch])['outputs']\n"
        "    numpy.testing.assert_allclose(found, given['outputs'][:batch], atol=1e-5)\n"
        "assert 'seq2seq_kit' not in sys.modules\n"
    )
    run_alone(code, tmp_path)


def test_what_reads_any_length_is_refused(tmp_path: Path) -> None:
    bundle = untrained(next_step_recipe(), hourly_frame(200))
    with pytest.raises(ArgumentError, match=r"sequences of any length \(inputs, valid\)") as caught:
        bundle.export(tmp_path / "network", format="litert")
    assert caught.value.code == "export_unsupported"
    assert [*tmp_path.iterdir()] == []


@keras.saving.register_keras_serializable("tests")
class Determinant(keras.layers.Layer):
    """What LiteRT has no operation for."""

    def call(self, inputs: Any) -> Any:
        import tensorflow as tf

        return inputs + tf.linalg.det(inputs[:, :2, :2])[:, None, None]


def test_an_operation_that_is_not_built_in_is_named() -> None:
    inputs = keras.Input((4, 2), name="inputs")
    with pytest.raises(ArgumentError, match=r"tf\.MatrixDeterminant") as caught:
        litert.litert_of(keras.Model(inputs, Determinant()(inputs), name="odd"))
    assert caught.value.code == "export_unsupported"


@pytest.mark.slow
def test_what_answers_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = untrained(autoencode_recipe(input_steps=3), hourly_frame(200))
    bundle.save(tmp_path / "bundle")
    words = ["export", str(tmp_path / "bundle"), "--format", "litert", "--out", str(tmp_path / "network")]
    with monkeypatch.context() as patch:
        patch.setattr(litert, "LIMIT", 1e-12)
        assert main(words) == 1
    assert "error[export_differs]" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert main(words) == 0
    assert "of the scale" in capsys.readouterr().out
    with pytest.raises(BundleError) as caught:
        bundle.export(tmp_path / "network", format="litert")
    assert caught.value.code == "export_exists"
