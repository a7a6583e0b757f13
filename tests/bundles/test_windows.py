"""A trained bundle predicts, encodes, reconstructs and scores frames it is handed, or says what is wrong with them."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import ArgumentError, DataError, SeriesTooShortError
from seq2seq_kit.evaluation.baselines import LastValue
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def untrained(recipe: Mapping[str, Any], frame: pd.DataFrame) -> Any:
    """A bundle with fitted scalers and random weights: all that the questions about frames need."""
    job: Any = open_job(parse_recipe(recipe), frame)
    return replace(job.bundle(job.build(), {}, peers=False), baselines=[LastValue()])


def by_hand(bundle: Any, frame: pd.DataFrame) -> np.ndarray:
    """The model on the newest rows of one series without calendar, scaled and unscaled here."""
    rows = frame[bundle.scaler.columns].to_numpy()[-bundle.recipe.data.input_steps :]
    center, scale = bundle.scaler.center[0], bundle.scaler.scale[0]
    inputs = [bundle.scaler.columns.index(name) for name in bundle.recipe.data.inputs]
    scaled = ((rows - center) / scale)[:, inputs].astype(np.float32)
    load = bundle.scaler.columns.index("load")
    return np.asarray(bundle.forward([scaled[None]])[0, :, 0] * scale[load] + center[load])


@pytest.mark.slow
def test_a_forecast_has_the_time_the_step_and_the_target(forecast_run: Any) -> None:
    frame = hourly_frame().tail(30)
    forecast = forecast_run.bundle.predict(frame)
    assert list(forecast) == ["time", "step", "load"]
    assert list(forecast["step"]) == [1, 2, 3, 4, 5, 6]
    ahead = pd.date_range(frame["time"].max() + pd.Timedelta(hours=1), periods=6, freq="h")
    assert list(forecast["time"]) == list(ahead)


def test_a_forecast_is_in_original_units(forecast_run: Any) -> None:
    forecast = forecast_run.bundle.predict(hourly_frame())
    truth = hourly_frame(606).tail(6)["load"].to_numpy()
    assert np.abs(forecast["load"] - truth).mean() < 20  # the wave is 60 high around 100; scaled units are within 3


def test_original_units_are_the_model_times_scale_plus_centre() -> None:
    frame = hourly_frame(300)
    bundle = untrained(forecast_recipe(calendar=[]), frame)
    np.testing.assert_allclose(bundle.predict(frame)["load"], by_hand(bundle, frame), rtol=1e-5)


def test_the_gap_is_skipped_in_time() -> None:
    frame = hourly_frame(300)
    forecast = untrained(forecast_recipe(gap_steps=3), frame).predict(frame)
    assert forecast["time"].iloc[0] == frame["time"].max() + pd.Timedelta(hours=4)
    assert len(forecast) == 6


def test_only_the_newest_rows_matter(forecast_run: Any) -> None:
    frame = hourly_frame()
    changed = frame.copy()
    changed.loc[changed.index[:-24], ["load", "heat"]] = 0.0
    expected = forecast_run.bundle.predict(frame)
    pd.testing.assert_frame_equal(forecast_run.bundle.predict(changed), expected)
    pd.testing.assert_frame_equal(forecast_run.bundle.predict(frame.tail(24)), expected)
    changed.loc[changed.index[-24], "load"] += 10
    assert not np.array_equal(forecast_run.bundle.predict(changed)["load"], expected["load"])


@pytest.mark.parametrize("rows", [300, 301, 302, 303, 304])
def test_the_newest_rows_are_read_whatever_the_stride(rows: int) -> None:
    frame = hourly_frame(rows)
    bundle = untrained(forecast_recipe(calendar=[], window_stride=5), frame)
    forecast = bundle.predict(frame)
    assert forecast["time"].iloc[0] == frame["time"].max() + pd.Timedelta(hours=1)
    np.testing.assert_allclose(forecast["load"], by_hand(bundle, frame), rtol=1e-5)


def test_every_window_gives_the_numbers_of_the_evaluation(forecast_run: Any) -> None:
    frame = hourly_frame()
    bundle = forecast_run.bundle
    prepared = prepare(bundle.recipe.data, frame)
    windows = prepared.windows["test"].count
    evaluated = bundle.forecast(prepared, "test", np.arange(windows))[:, :, 0]
    forecast = bundle.predict(frame.iloc[-(90 + 24) :], all_windows=True)
    predicted = forecast["load"].to_numpy().reshape(-1, 6)
    assert windows == 90 - 6 + 1
    assert len(predicted) == windows + 6  # six more reach beyond the newest row
    np.testing.assert_allclose(predicted[:windows], evaluated, rtol=1e-6)
    errors = predicted[:windows] - prepared.truth("test")[:, :, 0]
    assert np.sqrt((errors**2).mean()) == pytest.approx(forecast_run.test.overall().rmse, rel=1e-6)


@pytest.mark.slow
def test_a_fresh_process_predicts_the_numbers_of_the_evaluation(forecast_run: Any, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.parquet", tmp_path / "forecast.parquet"
    hourly_frame().iloc[-(90 + 24) :].to_parquet(rows)
    bundle = forecast_run.bundle.save(tmp_path / "bundle")
    words = ["predict", str(bundle), "--data", str(rows), "--all-windows", "--out", str(out)]
    subprocess.run([sys.executable, "-m", "seq2seq_kit", *words], check=True, cwd=tmp_path, capture_output=True)
    predicted = pd.read_parquet(out)["load"].to_numpy().reshape(-1, 6)
    prepared = prepare(forecast_run.bundle.recipe.data, hourly_frame())
    evaluated = forecast_run.bundle.forecast(prepared, "test", np.arange(85))[:, :, 0]
    np.testing.assert_allclose(predicted[:85], evaluated, rtol=1e-5)


def test_each_series_is_forecast_from_its_own_newest_rows() -> None:
    frame = hourly_frame(300, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site", scale_per_series=True), frame)
    north, south = frame[frame["site"] == "north"], frame[frame["site"] == "south"].iloc[:-10]
    forecast = bundle.predict(pd.concat([south, north]))
    assert list(forecast) == ["site", "time", "step", "load"]
    first = forecast.groupby("site")["time"].min()
    assert first["north"] == north["time"].max() + pd.Timedelta(hours=1)
    assert first["south"] == south["time"].max() + pd.Timedelta(hours=1)
    for name, own in (("north", north), ("south", south)):
        alone = bundle.predict(own)["load"].to_numpy()
        np.testing.assert_allclose(forecast.loc[forecast["site"] == name, "load"], alone, rtol=1e-6)


def test_an_unknown_series_is_named_where_scalers_are_by_series() -> None:
    frame = hourly_frame(300, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site", scale_per_series=True), frame)
    with pytest.raises(DataError, match="east"):
        bundle.predict(frame.assign(site="east").head(100))


def test_series_that_training_had_not_are_told_and_forecast() -> None:
    frame = hourly_frame(300, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site"), frame)
    named = replace(bundle, naive={name: np.ones(1) for name in ("north", "south", "west", "up", "down")})
    misspelt = frame.assign(site=frame["site"].replace("north", "North"))
    forecast = named.predict(misspelt)
    said = "North is none of the series that the model was trained on (5 series, down, north, south, ...)"
    assert said in forecast.attrs["notes"]
    assert not any("trained on" in note for note in named.predict(frame).attrs["notes"])
    assert not any("trained on" in note for note in bundle.predict(misspelt).attrs["notes"]), (
        "of before it knows no names"
    )
    pd.testing.assert_frame_equal(forecast, bundle.predict(misspelt))


def test_without_time_rows_are_counted() -> None:
    frame = hourly_frame(300).drop(columns="time")
    bundle = untrained(forecast_recipe(time=None, every=None, calendar=[]), frame)
    forecast = bundle.predict(frame.tail(40))
    assert list(forecast) == ["row", "step", "load"]
    assert list(forecast["row"]) == [41, 42, 43, 44, 45, 46]


def test_a_target_that_is_no_input_may_be_absent() -> None:
    frame = hourly_frame(300)
    bundle = untrained(forecast_recipe(inputs=["heat"]), frame)
    pd.testing.assert_frame_equal(bundle.predict(frame.drop(columns="load")), bundle.predict(frame))


def test_known_future_columns_reach_the_forecast() -> None:
    frame = hourly_frame(306)
    bundle = untrained(forecast_recipe(inputs=["load"], known_future=["heat"], calendar=[]), frame)
    past, future = frame.head(300), frame.tail(6)[["time", "heat"]]
    forecast = bundle.predict(past, future=future)
    assert len(forecast) == 6
    longer = frame.tail(60)[["time", "heat"]]
    np.testing.assert_array_equal(bundle.predict(past, future=longer)["load"], forecast["load"])
    warmer = bundle.predict(past, future=future.assign(heat=future["heat"] + 5))
    assert not np.array_equal(warmer["load"], forecast["load"])


def test_what_is_served_takes_the_rows_ahead_in_the_same_frame() -> None:
    frame = hourly_frame(306, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site", inputs=["load"], known_future=["heat"], calendar=[]), frame)
    ahead = frame["time"] >= frame["time"].unique()[300]
    expected = bundle.predict(frame[~ahead], future=frame.loc[ahead, ["site", "time", "heat"]])
    whole = frame.assign(load=frame["load"].mask(ahead))
    pd.testing.assert_frame_equal(bundle.answer(whole), expected)
    pd.testing.assert_frame_equal(bundle.predict(whole), expected)
    (note,) = bundle.predict(whole).attrs["notes"]
    assert note == "the last 12 rows hold heat alone and count as the steps ahead"
    with pytest.raises(DataError, match="newest 6 rows"):  # what is given goes before what stands there
        bundle.predict(whole, future=whole.drop(columns="load"))
    silent = whole.assign(load=whole["load"].mask(whole["site"] == "south"))
    assert bundle.predict(silent).attrs["left_out"] == {"south": "no value in the newest 306 rows"}
    with pytest.raises(DataError, match=r"known_future: \[heat\]"):
        bundle.answer(frame[~ahead])


def test_known_future_columns_that_are_not_given_are_asked_for() -> None:
    frame = hourly_frame(300)
    bundle = untrained(forecast_recipe(inputs=["load"], known_future=["heat"], gap_steps=1), frame)
    with pytest.raises(
        DataError, match=r"known_future: \[heat\] .* 7 steps ahead .*from 2024-01-13 12:00:00.*--future"
    ):
        bundle.predict(frame)


def test_steps_that_the_future_rows_lack_are_named() -> None:
    frame = hourly_frame(306)
    bundle = untrained(forecast_recipe(inputs=["load"], known_future=["heat"]), frame)
    future = frame.tail(6)[["time", "heat"]].iloc[:4]
    with pytest.raises(DataError, match="lack 2 of the 6 steps ahead: 2024-01-13 16:00:00 to 2024-01-13 17:00:00"):
        bundle.predict(frame.head(300), future=future)


def test_too_few_rows_are_counted(forecast_run: Any) -> None:
    with pytest.raises(SeriesTooShortError, match=r"new\.csv: .*newest 24 rows.*Received: 23 rows"):
        forecast_run.bundle.predict(hourly_frame().tail(23), origin="new.csv")


def test_a_gap_before_the_newest_rows_counts_as_too_few(forecast_run: Any) -> None:
    frame = hourly_frame().tail(40).drop(index=590)
    with pytest.raises(SeriesTooShortError, match="Received: 9 rows"):
        forecast_run.bundle.predict(frame)


def test_the_short_series_is_named() -> None:
    frame = hourly_frame(300, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site", short_series="refuse"), frame)
    rows = pd.concat([frame[frame["site"] == "north"], frame[frame["site"] == "south"].tail(5)])
    with pytest.raises(SeriesTooShortError, match="Received: series south: 5 rows"):
        bundle.predict(rows)


def test_a_missing_column_is_named_beside_those_at_hand(forecast_run: Any) -> None:
    frame = hourly_frame().rename(columns={"heat": "heart"})
    with pytest.raises(DataError, match=r"lacks the column heat\. It also has heart"):
        forecast_run.bundle.predict(frame)


def test_columns_that_are_not_used_are_listed_and_left_alone(forecast_run: Any) -> None:
    frame = hourly_frame().assign(colour="red")
    assert forecast_run.bundle.ignored_columns(frame) == ["colour"]
    pd.testing.assert_frame_equal(forecast_run.bundle.predict(frame), forecast_run.bundle.predict(hourly_frame()))


def test_a_wrong_step_between_rows_is_named(forecast_run: Any) -> None:
    frame = hourly_frame(60)
    frame["time"] = pd.date_range("2024-01-01", periods=60, freq="30min")
    with pytest.raises(DataError, match=r"row 2 .*00:30:00.*`every: 1h` .*most rows are 30 minutes apart"):
        forecast_run.bundle.predict(frame)


def test_a_missing_cell_is_named_where_the_recipe_refuses_it(forecast_run: Any) -> None:
    frame = hourly_frame(60)
    frame.loc[50, "heat"] = np.nan
    with pytest.raises(DataError, match=r"heat: 1 missing cell, the first in row 51"):
        forecast_run.bundle.predict(frame)


@pytest.mark.slow
def test_codes_have_a_row_for_each_window(autoencode_run: Any) -> None:
    frame = hourly_frame().tail(30)
    codes = autoencode_run.bundle.encode(frame)
    assert list(codes) == ["first_time", "last_time", "latent_0", "latent_1", "latent_2", "latent_3"]
    assert len(codes) == 30 - 24 + 1
    assert codes["first_time"].iloc[0] == frame["time"].iloc[0]
    assert codes["last_time"].iloc[-1] == frame["time"].iloc[-1]
    assert codes["latent_0"].nunique() > 1


def test_the_stride_can_be_chosen(autoencode_run: Any) -> None:
    codes = autoencode_run.bundle.encode(hourly_frame(72), stride=24)
    assert list(codes["first_time"].dt.day) == [1, 2, 3]
    with pytest.raises(ArgumentError, match=r"stride must be at least 1\. Received: stride=0"):
        autoencode_run.bundle.encode(hourly_frame(72), stride=0)


def test_a_reconstruction_is_the_decoder_on_the_code(autoencode_run: Any) -> None:
    bundle, frame = autoencode_run.bundle, hourly_frame(48)
    rebuilt = bundle.reconstruct(frame, stride=24)
    assert list(rebuilt) == ["time", "step", "load", "heat"]
    assert list(rebuilt["time"]) == list(frame["time"])
    codes = bundle.encode(frame, stride=24).filter(like="latent_").to_numpy()
    decoded = np.asarray(bundle.halves[1](codes.astype(np.float32))).reshape(48, 2)
    expected = decoded * bundle.scaler.scale[0] + bundle.scaler.center[0]
    np.testing.assert_allclose(rebuilt[["load", "heat"]].to_numpy(), expected, rtol=1e-4)


def test_a_score_is_the_root_mean_square_of_the_reconstruction_error(autoencode_run: Any) -> None:
    bundle, frame = autoencode_run.bundle, hourly_frame(50)
    scores = bundle.score(frame)
    names = ["load_error", "load_error_scaled", "heat_error", "heat_error_scaled"]
    assert list(scores) == ["first_time", "last_time", "reconstruction_error", *names]
    assert len(scores) == 50 - 24 + 1
    rebuilt = bundle.reconstruct(frame)[["load", "heat"]].to_numpy().reshape(-1, 24, 2)
    truth = np.stack([frame[["load", "heat"]].to_numpy()[first : first + 24] for first in range(27)])
    own = np.sqrt(((rebuilt - truth) ** 2).mean(axis=1))
    scaled = own / bundle.scaler.scale[0]
    np.testing.assert_allclose(scores[["load_error", "heat_error"]], own, rtol=1e-6)
    np.testing.assert_allclose(scores[["load_error_scaled", "heat_error_scaled"]], scaled, rtol=1e-6)
    np.testing.assert_allclose(scores["reconstruction_error"], np.sqrt((scaled**2).mean(axis=1)), rtol=1e-6)


def test_a_score_by_step_is_the_absolute_error_of_each_step(autoencode_run: Any) -> None:
    bundle, frame = autoencode_run.bundle, hourly_frame(30)
    steps = bundle.score(frame, by="step")
    assert len(steps) == 7 * 24
    assert list(steps["step"].head(24)) == list(range(1, 25))
    rebuilt = bundle.reconstruct(frame)["load"].to_numpy()
    truth = np.concatenate([frame["load"].to_numpy()[first : first + 24] for first in range(7)])
    np.testing.assert_allclose(steps["load_error"], np.abs(rebuilt - truth), rtol=1e-6)
    by_window = np.sqrt((steps["load_error"].to_numpy().reshape(7, 24) ** 2).mean(axis=1))
    np.testing.assert_allclose(by_window, bundle.score(frame)["load_error"], rtol=1e-6)


def test_an_unusual_day_scores_worst(autoencode_run: Any) -> None:
    frame = hourly_frame(240)
    frame.loc[96:119, "load"] = frame["load"].to_numpy()[96:120][::-1] + 40
    scores = autoencode_run.bundle.score(frame, stride=24)
    assert scores["reconstruction_error"].idxmax() == 4


def test_masked_cells_do_not_count_in_a_score() -> None:
    frame = hourly_frame(300)
    bundle = untrained(autoencode_recipe(missing="mask"), frame)
    holed = frame.head(24).copy()
    holed.loc[5, "load"] = np.nan
    steps = bundle.score(holed, by="step")
    assert np.isnan(steps["load_error"].iloc[5])
    assert steps["load_error"].isna().sum() == 1
    assert steps["reconstruction_error"].iloc[5] == pytest.approx(steps["heat_error_scaled"].iloc[5])
    known = steps["load_error"].dropna()
    assert bundle.score(holed)["load_error"].iloc[0] == pytest.approx(np.sqrt((known**2).mean()))


def test_a_column_that_is_missing_throughout_a_window_has_no_score() -> None:
    frame = hourly_frame(300)
    bundle = untrained(autoencode_recipe(missing="mask"), frame)
    scores = bundle.score(frame.head(24).assign(load=np.nan))
    assert np.isnan(scores["load_error"].iloc[0])
    assert scores["reconstruction_error"].iloc[0] == pytest.approx(scores["heat_error_scaled"].iloc[0])


def test_too_few_rows_for_a_window_are_counted(autoencode_run: Any) -> None:
    for verb in (autoencode_run.bundle.encode, autoencode_run.bundle.reconstruct, autoencode_run.bundle.score):
        with pytest.raises(SeriesTooShortError, match=r"One window spans 24 rows .*longest stretch without a gap 20\."):
            verb(hourly_frame(20))


def test_scores_are_by_window_or_by_step_only(autoencode_run: Any) -> None:
    with pytest.raises(ArgumentError, match="Received: by='hour'"):
        autoencode_run.bundle.score(hourly_frame(30), by="hour")


def test_a_forecast_refuses_the_verbs_of_an_autoencoder(forecast_run: Any) -> None:
    bundle = forecast_run.bundle
    for verb in (bundle.encode, bundle.reconstruct, bundle.score):
        with pytest.raises(ArgumentError, match=r"is a forecast: it can predict, detect and evaluate\. Received: "):
            verb(hourly_frame(60))


def test_an_autoencoder_refuses_to_predict(autoencode_run: Any) -> None:
    with pytest.raises(
        ArgumentError,
        match=r"an autoencoder: it can score, detect, encode, reconstruct, neighbours and evaluate\. Received: predict",
    ):
        autoencode_run.bundle.predict(hourly_frame(60))


def test_rows_for_days_to_come_are_no_observations(forecast_run: Any) -> None:
    frame = hourly_frame().tail(40).reset_index(drop=True)
    frame.loc[37:, ["load", "heat"]] = np.nan
    with pytest.raises(
        DataError, match=r"the newest 3 rows have no value in load, heat, from row 38 .* drop these rows"
    ):
        forecast_run.bundle.predict(frame)


@pytest.mark.parametrize("more", [{}, {"short_series": "pad"}])
@pytest.mark.parametrize("empty", [24, 30, 60])
def test_a_window_without_a_value_of_a_target_is_not_forecast_from(empty: int, more: dict[str, Any]) -> None:
    bundle = untrained(forecast_recipe(missing="interpolate", **more), hourly_frame(300))
    frame = hourly_frame().tail(60).reset_index(drop=True)
    frame.loc[60 - empty :, "load"] = np.nan
    with pytest.raises(
        DataError, match=rf"the newest {empty} rows have no value in load, from row {61 - empty} "
    ) as caught:
        bundle.predict(frame)
    assert caught.value.code == "missing_inputs"


def test_rows_that_a_gap_cuts_off_are_told_by_their_times() -> None:
    bundle = untrained(forecast_recipe(), hourly_frame(300))
    frame = hourly_frame().tail(60)
    late = frame.assign(time=[*frame["time"].iloc[:-1], frame["time"].iloc[-1] + pd.Timedelta("30D")])
    with pytest.raises(SeriesTooShortError, match=r"1 rows behind the gap from 2024-01-25 22:00:00 to 2024-02-24 23"):
        bundle.predict(late)


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_a_window_far_from_the_training_rows_is_told(scaling: str) -> None:
    bundle = untrained(forecast_recipe(scaling=scaling), hourly_frame(300))
    frame = hourly_frame().tail(60)
    assert not [note for note in bundle.predict(frame).attrs["notes"] if "far from" in note]
    (note,) = bundle.predict(frame.assign(load=frame["load"] + 5000)).attrs["notes"]
    assert re.search(
        r"the newest 24 rows lie far from the training rows: load is [-\d.e+]+ to [-\d.e+]+, which is \d+ to \d+ times",
        note,
    )
    sites = hourly_frame(300, series=("north", "south"))
    bundle = untrained(forecast_recipe(series="site", scaling=scaling, scale_per_series=True), sites)
    off = sites.assign(load=sites["load"].where(sites["site"] == "north", sites["load"] + 5000))
    (note,) = bundle.predict(off).attrs["notes"]
    assert "load of series south is" in note
    assert "north" not in note


def test_a_target_that_is_measured_rarely_is_forecast_from_its_last_value() -> None:
    bundle = untrained(forecast_recipe(missing="ffill"), hourly_frame(300))
    frame = hourly_frame().tail(200).reset_index(drop=True)
    frame.loc[frame.index % 48 != 0, "load"] = np.nan  # input_steps: 24
    for rows in (160, 174, 180):
        assert len(bundle.predict(frame.head(rows))) == 6
    frame.loc[1:, "load"] = np.nan
    with pytest.raises(DataError, match="newest 199 rows have no value in load"):
        bundle.predict(frame)


def test_one_of_two_targets_without_a_value_is_told() -> None:
    bundle = untrained(forecast_recipe(missing="ffill", targets=["load", "heat"]), hourly_frame(300))
    frame = hourly_frame().tail(60).reset_index(drop=True)
    frame.loc[30:, "heat"] = np.nan
    forecast = bundle.predict(frame)
    assert len(forecast) == 6
    assert [note for note in forecast.attrs["notes"] if "newest 30 rows have no value in heat" in note]


def test_the_age_of_the_newest_target_is_told() -> None:
    bundle = untrained(forecast_recipe(missing="interpolate"), hourly_frame(300))
    frame = hourly_frame().tail(60).reset_index(drop=True)
    frame.loc[37:, "load"] = np.nan
    forecast = bundle.predict(frame)
    note = f"the newest 23 rows have no value in load and count as having the last one, of row 37 ({frame['time'][36]})"
    assert note in forecast.attrs["notes"]
    assert not [note for note in bundle.predict(frame.head(37)).attrs["notes"] if "the last one" in note]
    masked = untrained(forecast_recipe(missing="mask"), hourly_frame(300))
    frame["load"] = np.nan  # which a mask tells the model, as it did in training
    assert masked.predict(frame)["load"].notna().all()


def test_a_future_that_the_model_has_no_use_for_is_refused(forecast_run: Any) -> None:
    frame = hourly_frame().tail(40)
    with pytest.raises(
        ArgumentError, match=r"no known_future columns, so it takes no `future` .* Received: a frame with price"
    ):
        forecast_run.bundle.predict(frame, future=pd.DataFrame({"price": [1.0]}))


def test_what_was_done_to_the_rows_is_told(forecast_run: Any) -> None:
    ahead = forecast_run.bundle.predict(hourly_frame().tail(40).iloc[::-1], origin="new.csv")
    assert ahead.attrs["notes"] == ["new.csv was not sorted by time; the rows were sorted"]


# --- more and fewer steps than trained


def test_fewer_steps_cut_the_output(forecast_run: Any) -> None:
    whole = forecast_run.bundle.predict(hourly_frame())
    pd.testing.assert_frame_equal(forecast_run.bundle.predict(hourly_frame(), steps=2), whole[:2])


def rolling(**data: Any) -> Any:
    return untrained(forecast_recipe(**{"targets": ["heat", "load"]} | data), hourly_frame(300))


def test_more_steps_are_forecasts_from_the_own_output() -> None:
    bundle, frame = rolling(), hourly_frame(300)
    with pytest.warns(
        UserWarning, match=r"trained for 6 steps; from step 7 to 15 the forecast is autoregressive, so errors add up"
    ):
        rolled = bundle.predict(frame, steps=15)
    assert rolled["step"].tolist() == list(range(1, 16))
    assert (rolled["time"].diff()[1:] == pd.Timedelta(hours=1)).all()
    by_hand = frame
    for first in (0, 6, 12):
        block = bundle.predict(by_hand)
        expected = block[: 15 - first]
        received = rolled[first : first + 6].reset_index(drop=True)
        np.testing.assert_allclose(received[["heat", "load"]], expected[["heat", "load"]], rtol=1e-4)
        by_hand = pd.concat([by_hand, block[["time", "load", "heat"]]], ignore_index=True)


def test_every_window_can_roll_forward() -> None:
    bundle, frame = rolling(), hourly_frame(40)
    with pytest.warns(UserWarning, match="autoregressive, so errors add up"):
        rolled = bundle.predict(frame, steps=8, all_windows=True)
    assert rolled.groupby((rolled["step"] == 1).cumsum()).size().tolist() == [8] * (len(rolled) // 8)
    first = rolled[:8].reset_index(drop=True)
    with pytest.warns(UserWarning, match="autoregressive, so errors add up"):
        alone = bundle.predict(frame[:24], steps=8)
    pd.testing.assert_frame_equal(first, alone, rtol=1e-4)


def test_rolling_forward_takes_known_columns_for_whole_blocks() -> None:
    # `heat` is known ahead, so only `load` has to be predicted.
    bundle = rolling(targets=["load"], inputs=["load"], known_future=["heat"])
    frame, longer = hourly_frame(300), hourly_frame(312)
    future = longer[300:][["time", "heat"]]
    with pytest.warns(UserWarning, match="from step 7 to 9"):
        rolled = bundle.predict(frame, steps=9, future=future)
    changed = future.assign(heat=np.where(np.arange(12) == 7, future["heat"] + 5, future["heat"]))
    with pytest.warns(UserWarning, match="from step 7 to 9"):
        other = bundle.predict(frame, steps=9, future=changed)
    np.testing.assert_array_equal(rolled["load"][:7], other["load"][:7])
    assert (rolled["load"][7:] != other["load"][7:]).all()
    with (
        pytest.warns(UserWarning, match="from step 7 to 9"),
        pytest.raises(DataError, match="the future rows lack 3 of the 12 steps ahead"),
    ):
        bundle.predict(frame, steps=9, future=future[:9])


def test_an_own_output_counts_as_observed_where_cells_are_masked() -> None:
    bundle, frame = rolling(missing="mask"), hourly_frame(300)
    with pytest.warns(UserWarning, match="autoregressive, so errors add up"):
        rolled = bundle.predict(frame, steps=9)
    block = bundle.predict(frame)
    again = bundle.predict(pd.concat([frame, block[["time", "load", "heat"]]], ignore_index=True))
    np.testing.assert_allclose(rolled["load"][6:], again["load"][:3], rtol=1e-4)


def test_a_model_that_does_not_predict_what_it_reads_cannot_go_on(forecast_run: Any) -> None:
    with pytest.raises(ArgumentError, match=r"it would need a forecast of heat.*Received: steps=7\. Ask for at most 6"):
        forecast_run.bundle.predict(hourly_frame(), steps=7)
    with pytest.raises(ArgumentError, match=r"after a gap of 2; it does not predict the rows of the gap.*steps=7"):
        rolling(gap_steps=2).predict(hourly_frame(300), steps=7)


@pytest.mark.parametrize("steps", [0, 1.5, True, "3"])
def test_steps_are_whole_numbers(forecast_run: Any, steps: Any) -> None:
    with pytest.raises(ArgumentError, match="steps must be a whole number of at least 1"):
        forecast_run.bundle.predict(hourly_frame(), steps=steps)


def test_the_decoder_sees_what_is_known_after_the_gap() -> None:
    frame, future = hourly_frame(300), hourly_frame(309)[300:][["time", "heat"]]
    bundle = untrained(forecast_recipe(inputs=["load"], known_future=["heat"], gap_steps=3), frame)
    before = bundle.predict(frame, future=future)
    in_the_gap = future.assign(heat=np.where(np.arange(9) < 3, 99.0, future["heat"]))
    pd.testing.assert_frame_equal(bundle.predict(frame, future=in_the_gap), before)
    behind_it = future.assign(heat=np.where(np.arange(9) == 3, 99.0, future["heat"]))
    assert (bundle.predict(frame, future=behind_it)["load"] != before["load"]).all()


@pytest.mark.parametrize("verb", ["score", "detect", "encode", "evaluate", "reconstruct"])
@pytest.mark.parametrize("rows", ["new.csv", [1, 2], None])
def test_what_is_no_table_is_told_by_every_verb(autoencode_run: TrainResult, verb: str, rows: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        getattr(autoencode_run.bundle, verb)(rows)
    assert caught.value.code == "unsupported_table"
