"""A forecast whose decoder reads its own output: trained, logged, loaded, asked."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.models.decoding import compile_free_forecast
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import train
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tracking.client import open_tracking
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import load

MODELS: dict[str, dict[str, Any]] = {
    "state": {"bridge": "state", "encoder_units": [6], "decoder_units": [6], "cell": "gru"},
    "attention": {
        "bridge": "attention",
        "encoder_units": [4, 4],
        "decoder_units": [8, 8],
        "bidirectional": True,
        "pyramid": 2,
    },
}


@pytest.fixture(scope="module", params=list(MODELS))
def result(request: pytest.FixtureRequest, store: Path) -> TrainResult:
    """`state` on rows with holes; `attention` with a column known ahead and half of the outputs its own."""
    frame = hourly_frame(300)
    data: dict[str, Any] = {"inputs": ["load"], "known_future": ["heat"]}
    training: dict[str, Any] = {"teacher_forcing": [1.0, 0.5]}
    if request.param == "state":
        frame.loc[::17, "load"] = np.nan
        data, training = {"missing": "mask"}, {}
    recipe = forecast_recipe(**data) | {"model": MODELS[request.param], "name": f"feedback_{request.param}"}
    recipe["training"] = recipe["training"] | training | {"epochs": 2}
    return train(recipe, data=frame, tracking_uri=str(store))


def rows_of(result: Any) -> dict[str, pd.DataFrame]:
    frame = hourly_frame(306)
    if result.recipe.model.bridge == "attention":
        return {"rows": frame.head(300), "future": frame.tail(6)[["time", "heat"]]}
    return {"rows": frame.head(300)}


def predicted(bundle: Any, rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    more = {"future": rows["future"]} if "future" in rows else {}
    frame: pd.DataFrame = bundle.predict(rows["rows"], **more)
    return frame


@pytest.mark.slow
def test_the_validation_loss_is_that_of_forecasts_from_own_outputs(result: Any) -> None:
    frame = hourly_frame(300)
    if result.recipe.model.bridge == "state":
        frame.loc[::17, "load"] = np.nan
    job = open_job(result.recipe, frame)
    prepared: Any = job.examples
    windows = np.arange(prepared.count("val"))
    arrays = prepared.arrays("val", windows)
    written = np.asarray(compile_free_forecast(result.bundle.model)(*[tensor_of(array) for array in arrays]))
    truth = prepared.scaled_targets("val", windows)
    expected = float(np.nanmean((written - truth) ** 2))
    best = result.fit.history[result.fit.best_epoch - 1]
    assert best.val_loss == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(result.bundle.forward(arrays), written, rtol=1e-4, atol=1e-5)


def tensor_of(array: np.ndarray) -> Any:
    import tensorflow as tf

    return tf.constant(array.astype(np.float32))


def test_attention_has_a_figure(result: Any, store: Path, tmp_path: Path) -> None:
    client = open_tracking(str(store)).client
    assert client.get_run(result.run_id).info.status == "FINISHED"
    figures = Path(client.download_artifacts(result.run_id, "figures", str(tmp_path)))
    there = {path.name for path in figures.iterdir()}
    assert ("attention.png" in there) == (result.recipe.model.bridge == "attention")
    assert {"loss_curves.png", "forecasts.png", "model.png"} <= there


def test_the_bundle_of_the_run_predicts_the_same(result: Any, store: Path) -> None:
    rows = rows_of(result)
    answer = predicted(result.bundle, rows)
    assert list(answer["step"]) == [1, 2, 3, 4, 5, 6]
    assert np.isfinite(answer["load"]).all()
    loaded = load(result.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(predicted(loaded, rows), answer, rtol=1e-5)


@pytest.mark.slow
def test_the_logged_models_answer(result: Any, store: Path) -> None:
    client = open_tracking(str(store)).client
    models = [client.get_logged_model(o.model_id) for o in client.get_run(result.run_id).outputs.model_outputs]
    places = {model.name: str(model.artifact_location) for model in models}
    assert set(places) == {"model", "network"}
    model, network = (mlflow.pyfunc.load_model(places[each]) for each in ("model", "network"))
    example = model.input_example
    answer = model.predict(example)
    assert len(answer) == 6
    pd.testing.assert_frame_equal(answer, result.bundle.answer(example), check_dtype=False, rtol=1e-4)
    stamps = example.assign(time=pd.to_datetime(example.time))  # texts may come as what they mean
    pd.testing.assert_frame_equal(model.predict(stamps), answer)
    scaled = network.predict(network.input_example)
    assert scaled.shape == (1, 6, 1)
    if result.recipe.model.bridge == "attention":
        assert set(network.input_example) == {"inputs", "future"}
