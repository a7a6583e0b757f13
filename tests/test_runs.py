"""A run from recipe to record."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.reports.notes import describe_run
from seq2seq_kit.runs import Silent
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, train_unseen
from tests.untyped import TrainResult, evaluate, load, train


def test_a_forecast_run_beats_the_last_value(forecast_run: TrainResult) -> None:
    assert forecast_run.test.overall().rmse < forecast_run.test.overall("last value").rmse


def test_a_loaded_bundle_predicts_what_the_trained_one_predicts(forecast_run: TrainResult, store: Path) -> None:
    loaded = load(forecast_run.run_id, tracking_uri=str(store))
    frame = hourly_frame().tail(30)
    np.testing.assert_array_equal(loaded.predict(frame)["load"], forecast_run.bundle.predict(frame)["load"])


def test_an_autoencoder_encodes_to_its_latent_width(autoencode_run: TrainResult) -> None:
    codes = autoencode_run.bundle.encode(hourly_frame().tail(30))
    assert list(codes.filter(like="latent_")) == ["latent_0", "latent_1", "latent_2", "latent_3"]
    assert len(codes) == 30 - 24 + 1


def test_evaluation_of_the_test_rows_repeats_the_table(forecast_run: TrainResult) -> None:
    frame = hourly_frame()
    again = evaluate(forecast_run.bundle, data=frame.iloc[-(90 + 24) :])
    assert again.overall().rmse == pytest.approx(forecast_run.test.overall().rmse, rel=1e-5)
    assert again.windows == forecast_run.test.windows


def shaped_recipe() -> dict[str, Any]:
    """Every shape at once, on two targets of which each is a series of its own, with a column known ahead among the inputs."""
    recipe = forecast_recipe(
        inputs=["load", "heat", "plan"],
        targets=["load", "heat"],
        known_future=["plan"],
        split={"train": 420, "val": 80, "test": 90},
    )
    recipe["model"] = {
        "encoder_units": [8, 6],
        "decoder_units": [16, 12],
        "bidirectional": True,
        "pyramid": 2,
        "segment_steps": 3,
        "channels": "independent",
        "normalise": "last",
        "position_embedding": True,
        "decoder_state": "encoder",
        "output_dropout": 0.1,
    }
    return recipe


@pytest.mark.slow
def test_a_model_of_every_shape_is_trained_logged_loaded_and_predicts(tmp_path: Path) -> None:
    frame = hourly_frame().assign(plan=lambda frame: frame["load"].round(-1))
    result = train(shaped_recipe(), data=frame, tracking_uri=str(tmp_path / "mlruns"))
    assert result.test.overall().rmse < result.test.overall("last value").rmse
    assert result.test.windows == 90 - 6 + 1
    loaded = load(result.run_id, tracking_uri=str(tmp_path / "mlruns"))
    names = {layer.name for layer in loaded.model.layers}
    assert names >= {"segment", "split_channels", "normalise", "position_embedding", "encoder_1_join", "denormalise"}
    assert loaded.model.get_layer("normalise").columns == [0, 1]
    past, future = frame.iloc[:590], frame.iloc[590:596][["time", "plan"]]
    predicted = loaded.predict(past, future=future)
    expected = result.bundle.predict(past, future=future)
    assert list(predicted) == ["time", "step", "load", "heat"]
    assert len(predicted) == 6
    np.testing.assert_array_equal(predicted["load"], expected["load"])
    again = evaluate(loaded, data=frame.iloc[500 - 24 : 590])
    assert again.overall().rmse == pytest.approx(result.test.overall().rmse, rel=1e-5)


@pytest.mark.slow
def test_an_autoencoder_in_segments_encodes_and_reconstructs(tmp_path: Path) -> None:
    recipe = autoencode_recipe()
    recipe["model"] |= {"encoder_units": [8, 8], "segment_steps": 3, "pyramid": 2, "position_embedding": True}
    recipe["model"] |= {"output_dropout": 0.1}
    result = train_unseen(recipe, data=hourly_frame(), tracking_uri=str(tmp_path / "mlruns"))
    loaded = load(result.run_id, tracking_uri=str(tmp_path / "mlruns"))
    rows = hourly_frame().tail(30)
    assert loaded.encode(rows).filter(like="latent_").shape == (7, 4)
    assert len(loaded.reconstruct(rows)) == 7 * 24
    encoder, decoder = loaded.halves
    windows = np.random.default_rng(0).normal(size=(5, 24, 2)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(decoder(encoder(windows))), loaded.forward([windows]), rtol=1e-5, atol=1e-6)


class Impatient(Silent):
    """Presses Ctrl-C in the middle of the first epoch."""

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupt_before_the_first_epoch_ends_says_that_the_model_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2seq_kit.training.stepping._MOST_STEPS", 1)  # otherwise an epoch is over in one call
    result = train(forecast_recipe(), data=hourly_frame(), tracking_uri=str(tmp_path / "mlruns"), reporter=Impatient())
    assert result.fit.ended == "interrupted"
    assert result.fit.best_epoch == 0
    assert [found.advice for found in result.findings if found.code == "no_epoch_finished"] == [
        "Do not use this model; train again"
    ]
    assert "kept no epoch" in describe_run(result)


@pytest.mark.slow
def test_holes_and_clock_changes_in_the_test_rows_do_not_fail_a_run(tmp_path: Path) -> None:
    frame = hourly_frame(400).assign(time=pd.date_range("2024-03-15", periods=400, freq="h", tz="Europe/Berlin"))
    prepared_start = 340 - 24
    frame.loc[[prepared_start, 339, 345], "load"] = np.nan
    recipe = forecast_recipe(missing="interpolate")
    recipe["training"]["epochs"] = 1
    result = train_unseen(recipe, data=frame, tracking_uri=str(tmp_path / "mlruns"))
    loaded = load(result.run_id, tracking_uri=str(tmp_path / "mlruns"))
    assert len(loaded.predict(frame)) == 6


@pytest.mark.slow
def test_a_training_leaves_a_sweep_section_out_of_run_and_bundle(store: Path) -> None:
    import mlflow

    recipe = forecast_recipe() | {"sweep": {"space": {"training.epochs": {"int": {"min_value": 1, "max_value": 4}}}}}
    result = train_unseen(recipe, overrides={"training.epochs": 1}, data=hourly_frame(), tracking_uri=str(store))
    assert result.recipe.sweep is None
    params = mlflow.MlflowClient(result.tracking_uri).get_run(result.run_id).data.params
    assert params["training.epochs"] == "1"
    assert not [key for key in params if key.startswith("sweep")]
    assert load(result.run_id, tracking_uri=str(store)).recipe == result.recipe
