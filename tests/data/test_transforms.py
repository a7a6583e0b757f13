"""Transforms of columns: exact inverses, in windows, across gaps, in predictions and in bundles."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.data import prepare_ahead
from seq2seq_kit.data.tables.powers import best_power
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.transforms import backward, forward
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.evaluation.naive import naive_error
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe

METHODS = ["log", "log1p", "box_cox", "diff", "seasonal_diff"]


def recipe_of(make: Any = forecast_recipe, **data: Any) -> Any:
    return parse_recipe(make(**data))


def prepared_of(frame: pd.DataFrame | None = None, **data: Any) -> Prepared:
    return prepare(recipe_of(**data).data, hourly_frame() if frame is None else frame)


def untrained(frame: pd.DataFrame | None = None, make: Any = forecast_recipe, **data: Any) -> Any:
    job = open_job(recipe_of(make, **data), hourly_frame() if frame is None else frame)
    return job.bundle(job.build(), {})


@pytest.mark.parametrize(
    ("method", "power"), [("log", 0.0), ("log1p", 0.0), ("box_cox", 0.0), ("box_cox", 0.3), ("box_cox", 1.7)]
)
def test_a_round_trip_keeps_the_digits(method: str, power: float) -> None:
    values = np.concatenate([np.logspace(-8, 8, 200), [1.0]])
    back = backward(method, forward(method, values, power), power)
    large = values >= (0.1 if power or method == "log1p" else 0)  # 1 + 1e-8 has eight digits left of the 1e-8
    np.testing.assert_allclose(back[large], values[large], rtol=1e-13)


def test_a_power_is_that_of_the_largest_likelihood() -> None:
    normal = np.random.default_rng(0).normal(10, 1, 20_000)
    assert best_power(np.exp(normal)) == pytest.approx(0, abs=0.03)
    assert best_power(normal**2) == pytest.approx(0.5, abs=0.15)
    assert best_power(normal) == pytest.approx(1, abs=0.15)
    assert best_power(np.array([3.0, 3.0, np.nan])) == 1.0
    # A power below 0 would be best; a forecast beyond its reach would have no value.
    assert best_power(1 / normal**2) == 0.0
    assert backward("box_cox", np.array([-1e9]), 0.5)[0] == 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [forecast_recipe, autoencode_recipe])
def test_restored_targets_are_the_truth(method: str, make: Any) -> None:
    frame = hourly_frame(series=("east", "west")).drop(index=[100, 101, 700])  # windows across gaps there are none
    section = recipe_of(make, series="site", transform={"load": method, "heat": "diff"}).data
    prepared = prepare(section, frame)
    for part in ("train", "val", "test"):
        windows = np.arange(prepared.count(part))
        restored = prepared.restore(prepared.scaled_targets(part, windows), part, windows)
        np.testing.assert_allclose(restored, prepared.truth(part, windows), rtol=1e-5)
    lost = 24 if method == "seasonal_diff" else 1
    assert prepared.segments[0].tolist() == [lost, 100, 0]
    assert not np.isnan(prepared.matrix[:][prepared.windows["train"].input_rows()]).any()
    # What is compared with is in original units.
    np.testing.assert_allclose(prepared.target_center[:, 0], frame["load"].mean(), rtol=0.02)


def test_a_difference_is_undone_to_the_last_digits() -> None:
    prepared = prepared_of(transform={"load": "diff"})
    windows = np.arange(prepared.count("test"))
    rows = prepared.windows["test"].target_rows(windows)
    load = prepared.table.values[:, 0]
    steps = (np.diff(load, prepend=np.nan)[rows] - prepared.scaler.center[0, 0]) / prepared.scaler.scale[0, 0]
    np.testing.assert_allclose(prepared.restore(steps[..., None], "test", windows)[..., 0], load[rows], rtol=1e-14)


def test_a_season_shorter_than_the_horizon_is_undone_over_the_forecast_itself() -> None:
    prepared = prepared_of(transform={"load": "seasonal_diff"}, season_steps=4, output_steps=11)
    assert prepared.scaler.transforms is not None
    assert prepared.scaler.transforms.lag.tolist() == [4, 0]
    windows = np.arange(prepared.count("test"))
    restored = prepared.restore(prepared.scaled_targets("test", windows), "test", windows)
    np.testing.assert_allclose(restored, prepared.truth("test", windows), rtol=1e-5)


@pytest.mark.parametrize("missing", ["interpolate", "ffill", "mask"])
def test_missing_cells_go_through_a_difference(missing: str) -> None:
    frame = hourly_frame()
    frame.loc[[50, 51, 300, 580], "load"] = np.nan
    prepared = prepared_of(frame, missing=missing, transform={"load": "diff"})
    for part in ("train", "val", "test"):
        windows = np.arange(prepared.count(part))
        scaled, truth = prepared.scaled_targets(part, windows), prepared.truth(part, windows)
        whole = ~np.isnan(scaled).any(axis=(1, 2)) & ~np.isnan(truth).any(axis=(1, 2))
        assert whole.any()
        np.testing.assert_allclose(prepared.restore(scaled, part, windows)[whole], truth[whole], rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_forecast_of_no_change_goes_on_from_the_newest_rows(method: str) -> None:
    """Scaled values that stand for the newest value, or for no change, are forecast as such in original units."""
    section = recipe_of(transform={"load": method}).data
    frame = hourly_frame(100)
    scaler = prepare(section, hourly_frame()).scaler
    prepared = prepare_ahead(section, frame, scaler)
    newest, load = np.array([prepared.windows["test"].count - 1]), frame["load"].to_numpy()
    center, scale = scaler.center[0, 0], scaler.scale[0, 0]
    assert scaler.transforms is not None
    if method in ("diff", "seasonal_diff"):
        expected = np.repeat(load[-1], 6) if method == "diff" else load[-24:-18]
        scaled = np.full((1, 6, 1), (0.0 - center) / scale)
    else:
        expected = np.repeat(load[-1], 6)
        changed = forward(method, load[-1:], float(scaler.transforms.power[0]))
        scaled = np.full((1, 6, 1), (changed[0] - center) / scale)
        np.testing.assert_allclose(prepared.arrays("test", newest)[0][0, -1, 0], scaled[0, 0, 0], rtol=1e-4)
    np.testing.assert_allclose(prepared.restore(scaled, "test", newest)[0, :, 0], expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_predicts_the_same_from_just_enough_rows(method: str) -> None:
    bundle = untrained(transform={"load": method})
    assert bundle._reader is None
    lost = {"diff": 1, "seasonal_diff": 24}.get(method, 0)
    frame = hourly_frame(100)
    few = bundle.predict(frame.tail(24 + lost))
    pd.testing.assert_frame_equal(few, bundle.predict(frame), rtol=1e-6)
    if lost:
        with pytest.raises(DataError, match=f"newest {24 + lost} rows"):
            bundle.predict(frame.tail(23 + lost))
    evaluated = bundle.evaluate(frame)
    assert np.isfinite(evaluated.overall("model").rmse)
    # Repeating the newest value has nothing to do with transforms.
    plain = untrained().evaluate(frame.iloc[lost:]).overall("last value")
    assert evaluated.overall("last value").mae == pytest.approx(plain.mae, rel=1e-9)


@pytest.mark.slow
def test_a_bundle_keeps_its_transforms() -> None:
    bundle = untrained(transform={"load": "box_cox", "heat": "diff"})
    words, arrays = bundle.state()
    again = ForecastBundle.restore(bundle.recipe, bundle.model, json.loads(json.dumps(words)), arrays, {})
    pd.testing.assert_frame_equal(again.predict(hourly_frame(80)), bundle.predict(hourly_frame(80)))
    other = recipe_of(transform={"load": "log"})
    with pytest.raises(ValueError, match="the recipe has the transforms"):
        ForecastBundle.restore(other, bundle.model, words, arrays, {})


@pytest.mark.slow
def test_a_longer_forecast_adds_up_over_its_blocks() -> None:
    bundle = untrained(inputs=["load"], calendar=[], transform={"load": "diff"})
    with pytest.warns(UserWarning, match="autoregressive"):
        forecast = bundle.predict(hourly_frame(100), steps=12)
    short = bundle.predict(hourly_frame(100))
    np.testing.assert_allclose(forecast["load"][:6], short["load"], rtol=1e-6)
    assert abs(forecast["load"].iloc[6] - forecast["load"].iloc[5]) < 30


def test_a_power_is_fitted_on_training_rows_and_stored() -> None:
    frame = hourly_frame()
    frame.loc[500:, "load"] *= 1000
    first = prepared_of(hourly_frame(), transform={"load": "box_cox"}).scaler
    second = prepared_of(frame, transform={"load": "box_cox"}).scaler
    assert first.transforms is not None
    assert second.transforms is not None
    assert first.transforms.power[0] == second.transforms.power[0] > 0
    again = Scaler.from_json(json.loads(json.dumps(first.to_json())))
    assert again.to_json() == first.to_json()
    stored = first.to_json()
    assert "transforms" not in prepared_of().scaler.to_json()
    stored["transforms"]["lag"] = [3, 0]
    with pytest.raises(ValueError, match="lag"):
        Scaler.from_json(stored)


@pytest.mark.parametrize(("method", "value"), [("log", 0.0), ("box_cox", -2.0), ("log1p", -1.0)])
def test_what_has_no_logarithm_is_named(method: str, value: float) -> None:
    frame = hourly_frame()
    frame.loc[[580, 590], "load"] = value
    with pytest.raises(
        DataError, match=rf"row 581 .*column load: {value:g} \(and 1 more such cells\).*load: {method}"
    ) as caught:
        prepared_of(frame, transform={"load": method})
    assert caught.value.code == "transform_domain"
    good = prepared_of(transform={"load": method}).scaler
    with pytest.raises(DataError, match="row 581"):
        prepare_new(recipe_of(transform={"load": method}).data, frame, good)


def test_a_difference_over_the_season_of_the_recipe() -> None:
    own = prepared_of(transform={"load": "seasonal_diff"}, season=12).scaler.transforms
    both = prepared_of(transform={"load": "seasonal_diff"}, season=12, season_steps=7).scaler.transforms
    assert own is not None
    assert both is not None
    assert (own.lost, both.lost) == (12, 7)


def test_masse_and_season_are_of_original_units() -> None:
    np.testing.assert_allclose(naive_error(prepared_of(transform={"load": "log"})), naive_error(prepared_of()))


@pytest.mark.slow
def test_a_target_that_is_not_read_may_be_absent_in_predict() -> None:
    bundle = untrained(inputs=["heat"], transform={"load": "log"})
    assert np.isfinite(bundle.predict(hourly_frame(100).drop(columns="load"))["load"]).all()


@pytest.mark.slow
def test_a_known_column_ahead_is_transformed_too() -> None:
    bundle = untrained(inputs=["load"], known_future=["heat"], transform={"heat": "diff"})
    frame = hourly_frame(106)
    rows, future = frame.iloc[:100], frame.iloc[100:][["time", "heat"]]
    shifted = bundle.predict(rows.assign(heat=rows["heat"] + 50), future=future.assign(heat=future["heat"] + 50))
    pd.testing.assert_frame_equal(shifted, bundle.predict(rows, future=future), rtol=1e-4)


@pytest.mark.parametrize(
    ("data", "code", "key"),
    [
        ({"transform": {"lod": "log"}}, "unused_column", "data.transform.lod"),
        ({"transform": {"load": "diff"}, "gap_steps": 2}, "conflicting_keys", "data.transform.load"),
        ({"transform": {"load": "diff"}, "inputs": ["heat"]}, "missing_input", "data.transform.load"),
        ({"transform": {"load": "log"}, "season_steps": 7}, "missing_key", "data.season_steps"),
        (
            {"transform": {"load": "seasonal_diff"}, "short_series": "pad", "series": "site"},
            "conflicting_keys",
            "data.transform.load",
        ),
    ],
)
def test_what_cannot_be_undone_is_refused(data: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(**data)
    assert [(problem.code, problem.key) for problem in caught.value.problems] == [(code, key)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"time": None, "every": None, "calendar": []}, "no_season"),
        ({"gap_steps": 20}, "season_too_short"),
    ],
)
def test_a_season_that_is_not_there_is_told(data: dict[str, Any], code: str) -> None:
    with pytest.raises(DataError) as caught:
        prepared_of(transform={"load": "seasonal_diff"}, **data)
    assert caught.value.code == code


@pytest.mark.slow
def test_a_padded_series_has_differences() -> None:
    frame = pd.concat([hourly_frame(300, series=("a",)), hourly_frame(8, series=("b", "c"))[8:]], ignore_index=True)
    prepared = prepared_of(frame, series="site", short_series="pad", transform={"load": "diff"})
    assert np.isfinite(prepared.matrix[:][prepared.windows["train"].input_rows()]).all()
    bundle = untrained(frame, series="site", short_series="pad", transform={"load": "diff"})
    assert isinstance(bundle, ForecastBundle)
    forecast = bundle.predict(pd.concat([frame, hourly_frame(1, series=("c", "d"))[1:]]))
    assert forecast["site"].unique().tolist() == ["a", "c"]
    assert forecast.attrs["left_out"] == {"d": "1 rows"}


def test_a_trend_is_no_row_outside_the_training_range() -> None:
    job = open_job(
        recipe_of(transform={"load": "diff"}), hourly_frame().assign(load=lambda f: f["load"] + np.arange(600.0))
    )
    assert "test_outside_training_range" not in [finding.code for finding in job.check()]


@pytest.mark.parametrize(("normalise", "told"), [("none", True), ("last", False), ("mean_std", False)])
def test_a_level_that_each_window_loses_is_none_outside_the_training_range(normalise: str, told: bool) -> None:
    recipe = forecast_recipe(calendar=[])
    recipe["model"] = recipe["model"] | {"normalise": normalise}
    job = open_job(parse_recipe(recipe), hourly_frame().assign(load=lambda f: f["load"] + np.arange(600.0)))
    assert ("test_outside_training_range" in [finding.code for finding in job.check()]) == told
    job = open_job(
        parse_recipe(recipe | {"data": recipe["data"] | {"known_future": ["heat"]}}),
        hourly_frame().assign(heat=np.arange(600.0)),
    )
    assert "test_outside_training_range" in [finding.code for finding in job.check()], (
        "which no window's level is taken from"
    )


CHAINS = [
    ["log", "seasonal_diff"],
    ["box_cox", "diff", "seasonal_diff"],
    ["seasonal_diff", "diff"],
    ["diff", "diff"],
    ["log"],
]
LOST = [24, 25, 25, 2, 0]


@pytest.mark.parametrize(("chain", "lost"), list(zip(CHAINS, LOST, strict=True)))
@pytest.mark.parametrize("make", [forecast_recipe, autoencode_recipe])
def test_several_transforms_are_undone_in_the_reverse_order(chain: list[str], lost: int, make: Any) -> None:
    frame = hourly_frame(series=("east", "west")).drop(index=[100, 101, 700])
    prepared = prepare(recipe_of(make, series="site", transform={"load": chain}).data, frame)
    for part in ("train", "val", "test"):
        windows = np.arange(prepared.count(part))
        restored = prepared.restore(prepared.scaled_targets(part, windows), part, windows)
        np.testing.assert_allclose(restored, prepared.truth(part, windows), rtol=1e-4)
    assert prepared.segments[0].tolist() == [lost, 100, 0]
    assert not np.isnan(prepared.matrix[:][prepared.windows["train"].input_rows()]).any()
    stored = prepared.scaler.to_json()
    assert ("then" in stored["transforms"]) == (len(chain) > 1)
    again = Scaler.from_json(json.loads(json.dumps(stored)))
    assert again.to_json() == stored
    assert again.transforms is not None
    assert again.transforms.chains[0] == chain


def test_what_a_chain_makes_of_a_column_is_what_each_makes_of_the_one_before() -> None:
    prepared = prepared_of(transform={"load": ["log", "seasonal_diff", "diff"], "heat": "diff"})
    load = np.log(prepared.table.values[:, 0])
    assert prepared.scaler.transforms is not None
    lost = prepared.scaler.transforms.lost
    expected = np.diff(load[24:] - load[:-24])[lost - 25 :]
    scaled = prepared.matrix[lost:, 0].astype(float)
    np.testing.assert_allclose(scaled * prepared.scaler.scale[0, 0] + prepared.scaler.center[0, 0], expected, atol=1e-6)


def test_differences_of_several_columns_cost_the_rows_of_the_longest() -> None:
    chains = {"load": ["log", "seasonal_diff"], "heat": "seasonal_diff"}
    prepared = prepared_of(transform=chains, inputs=["load", "heat"], targets=["load", "heat"])
    assert prepared.scaler.transforms is not None
    assert prepared.scaler.transforms.lost == prepared.segments[0, 0] == 24
    windows = np.arange(prepared.count("val"))
    restored = prepared.restore(prepared.scaled_targets("val", windows), "val", windows)
    np.testing.assert_allclose(restored, prepared.truth("val", windows), rtol=1e-4)


@pytest.mark.parametrize("more", [{"scaling": "none"}, {"window_scaling": "mean_abs"}])
def test_a_difference_of_logarithms_goes_on_from_a_usual_value_where_none_is_known(more: dict[str, Any]) -> None:
    frame = hourly_frame()
    frame.loc[:40, "load"] = np.nan
    prepared = prepared_of(frame, transform={"load": ["log", "diff"]}, missing="mask", **more)
    windows = np.arange(prepared.count("train"))
    restored = prepared.restore(np.zeros_like(prepared.scaled_targets("train", windows)), "train", windows)
    assert np.nanmin(restored) > 20


def test_no_change_of_a_chain_goes_on_from_the_rows_a_season_before() -> None:
    section = recipe_of(transform={"load": ["log", "seasonal_diff"]}).data
    scaler, load = prepare(section, hourly_frame()).scaler, hourly_frame(100)["load"].to_numpy()
    prepared = prepare_ahead(section, hourly_frame(100), scaler)
    newest = np.array([prepared.windows["test"].count - 1])
    growth = np.full((1, 6, 1), (np.log(2) - scaler.center[0, 0]) / scaler.scale[0, 0])
    np.testing.assert_allclose(prepared.restore(growth, "test", newest)[0, :, 0], 2 * load[-24:-18], rtol=1e-6)


def test_a_bundle_with_a_chain_predicts_the_same_from_just_enough_rows() -> None:
    bundle = untrained(transform={"load": ["log", "diff", "seasonal_diff"]})
    frame = hourly_frame(100)
    pd.testing.assert_frame_equal(bundle.predict(frame.tail(49)), bundle.predict(frame), rtol=1e-6)
    with pytest.raises(DataError, match="newest 49 rows"):
        bundle.predict(frame.tail(48))
    words, arrays = bundle.state()
    again = ForecastBundle.restore(bundle.recipe, bundle.model, json.loads(json.dumps(words)), arrays, {})
    pd.testing.assert_frame_equal(again.predict(frame), bundle.predict(frame))
    with pytest.raises(ValueError, match="the recipe has the transforms"):
        ForecastBundle.restore(recipe_of(transform={"load": "log"}), bundle.model, words, arrays, {})


@pytest.mark.parametrize("chain", ["diff", ["log", "seasonal_diff"]])
@pytest.mark.parametrize("make", slow_but([forecast_recipe, autoencode_recipe], forecast_recipe))
def test_a_served_example_has_the_rows_that_differences_need(chain: Any, make: Any) -> None:
    bundle, frame = untrained(make=make, transform={"load": chain}), hourly_frame()
    prepared = prepare(bundle.recipe.data, frame)
    example, answer = served_examples(bundle, prepared, frame)["frames"]
    assert isinstance(answer, pd.DataFrame)
    pd.testing.assert_frame_equal(bundle.answer(example), answer)
    assert answer.select_dtypes("number").notna().any(axis=None)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"transform": {"load": ["diff", "log"]}}, "data.transform.load"),
        ({"transform": {"load": ["log", "log1p"]}}, "data.transform.load"),
        ({"transform": {"load": ["log", "diff"]}, "gap_steps": 2}, "data.transform.load"),
        ({"transform": {"load": []}}, "data.transform.load"),
        ({"transform": {"load": ["log", "square"]}}, "data.transform.load"),
    ],
)
def test_a_chain_that_cannot_be_undone_is_refused(data: dict[str, Any], key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(**data)
    assert key in {problem.key for problem in caught.value.problems} or key in str(caught.value)
    assert "transform" in str(caught.value)
