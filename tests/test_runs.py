"""A run from recipe to record."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.notes import describe_run
from seq2seq_kit.runs import Silent, TrainResult, evaluate, load, train
from tests.conftest import forecast_recipe, hourly_frame


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


class Impatient(Silent):
    """Presses Ctrl-C in the middle of the first epoch."""

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt


def test_an_interrupt_before_the_first_epoch_ends_says_that_the_model_is_of_no_use(tmp_path: Path) -> None:
    result = train(forecast_recipe(), data=hourly_frame(), tracking_uri=str(tmp_path / "mlruns"), reporter=Impatient())
    assert result.fit.ended == "interrupted"
    assert result.fit.best_epoch == 0
    assert [found.advice for found in result.findings if found.code == "no_epoch_finished"] == [
        "Do not use this model; train again"
    ]
    assert "kept no epoch" in describe_run(result)


def test_holes_and_clock_changes_in_the_test_rows_do_not_fail_a_run(tmp_path: Path) -> None:
    frame = hourly_frame(400).assign(time=pd.date_range("2024-03-15", periods=400, freq="h", tz="Europe/Berlin"))
    prepared_start = 340 - 24
    frame.loc[[prepared_start, 339, 345], "load"] = np.nan
    recipe = forecast_recipe(missing="interpolate")
    recipe["training"]["epochs"] = 1
    result = train(recipe, data=frame, tracking_uri=str(tmp_path / "mlruns"))
    loaded = load(result.run_id, tracking_uri=str(tmp_path / "mlruns"))
    assert len(loaded.predict(frame)) == 6
