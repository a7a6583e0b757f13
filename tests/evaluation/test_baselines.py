"""The baselines are what their names say, and are fitted and chosen without a look at the test rows."""

import json
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation import Baseline, Presentation, fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation import ridge as ridge_fits
from seq2seq_kit.evaluation.baselines import (
    FORECAST_BASELINES,
    LastValue,
    Ridge,
    SeasonalNaive,
    held_seasons,
)
from seq2seq_kit.evaluation.stored import dump_baselines, restore_baselines
from seq2seq_kit.tasks.autoencode.baselines import BASELINES, TrainingMean, WindowPca, fit_autoencode_baselines
from seq2seq_kit.tasks.whole.evaluation import BASELINES as WHOLE_BASELINES
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe

PARTS = ("train", "val", "test")


def prepared_forecast(frame: pd.DataFrame, **data: Any) -> Prepared:
    small = {"input_steps": 6, "output_steps": 4, "calendar": [], "inputs": ["load", "heat"]}
    return prepare(parse_recipe(forecast_recipe(**small | data)).data, frame)


def prepared_autoencode(frame: pd.DataFrame, **data: Any) -> Prepared:
    return prepare(parse_recipe(autoencode_recipe(**{"input_steps": 6} | data)).data, frame)


def all_windows(prepared: Prepared, part: str) -> np.ndarray:
    return np.arange(prepared.windows[part].count)


def broken_frame() -> pd.DataFrame:
    """Two sites with gaps that swallow up to three days before, and all of ten; and missing cells."""
    frame = hourly_frame(700, series=("north", "south"))
    hours = (frame["time"] - frame["time"].iloc[0]) / pd.Timedelta(hours=1)
    south = frame["site"] == "south"
    gone = hours.between(200, 285) | (hours.between(330, 569) & south) | (hours.between(630, 640) & ~south)
    frame = frame[~gone].reset_index(drop=True)
    empty = np.random.default_rng(3).random(len(frame)) < 0.05
    frame.loc[empty, "load"] = np.nan
    frame.loc[0, "load"] = np.nan
    return frame


def carried_on(prepared: Prepared) -> list[dict[pd.Timestamp, np.ndarray]]:
    """The last known targets at each time of each series; before the first one the training centre. Row by row."""
    table, picked = prepared.table, [prepared.table.columns.index(name) for name in prepared.columns.targets]
    assert table.times is not None
    known: list[dict[pd.Timestamp, np.ndarray]] = []
    for series, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
        newest, own = prepared.target_center[series].copy(), {}
        for row in range(first, end):
            for position, column in enumerate(picked):
                if not np.isnan(table.values[row, column]):
                    newest[position] = table.values[row, column]
            own[table.times[row]] = newest.copy()
        known.append(own)
    return known


def slow_seasonal(prepared: Prepared, part: str, season: int) -> np.ndarray:
    """The definition, timestamp by timestamp."""
    windows, known, hour = prepared.windows[part], carried_on(prepared), pd.Timedelta(hours=1)
    assert prepared.table.times is not None
    forecasts = []
    for window, first in enumerate(windows.starts()):
        own = known[prepared.series_of(part, np.array([window]))[0]]
        newest = prepared.table.times[first + windows.shape.input_steps - 1]
        for step in range(windows.shape.output_steps):
            wanted = newest + (windows.shape.target_offset - windows.shape.input_steps + 1 + step) * hour
            while wanted > newest:
                wanted -= season * hour
            tries = [wanted - more * season * hour for more in range(4)]
            forecasts.append(next((own[time] for time in tries if time in own), own[newest]))
    return np.array(forecasts).reshape(windows.count, windows.shape.output_steps, -1)


def test_the_last_value_is_the_newest_input_of_each_target() -> None:
    prepared = prepared_forecast(hourly_frame(300), targets=["heat", "load"], gap_steps=2)
    for part in PARTS:
        got = LastValue()(prepared, part, all_windows(prepared, part))
        newest = prepared.table.values[prepared.windows[part].input_rows()[:, -1]]
        expected = newest[:, [prepared.table.columns.index("heat"), prepared.table.columns.index("load")]]
        np.testing.assert_array_equal(got, np.repeat(expected[:, None], 4, axis=1))


def test_the_last_value_passes_over_missing_cells() -> None:
    prepared = prepared_forecast(broken_frame(), series="site", missing="mask")
    known = carried_on(prepared)
    assert prepared.table.times is not None
    for part in PARTS:
        windows = all_windows(prepared, part)
        newest = prepared.windows[part].input_rows()[:, -1]
        series = prepared.series_of(part, windows)
        expected = [known[code][prepared.table.times[row]] for code, row in zip(series, newest, strict=True)]
        assert np.isnan(prepared.table.values[newest]).any()
        np.testing.assert_array_equal(LastValue()(prepared, part, windows)[:, 0], expected)


Normalise = Literal["none", "last", "mean_std"]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@pytest.mark.parametrize(("season", "gap_steps"), [(24, 0), (24, 3), (3, 0), (168, 0), (2, 5)])
def test_seasonal_naive_looks_back_by_time_across_gaps(season: int, gap_steps: int, missing: str) -> None:
    prepared = prepared_forecast(
        broken_frame(), series="site", missing=missing, targets=["load", "heat"], gap_steps=gap_steps
    )
    naive = SeasonalNaive("seasonal", "", season)
    for part in PARTS:
        expected = slow_seasonal(prepared, part, season)
        np.testing.assert_array_equal(naive(prepared, part, all_windows(prepared, part)), expected)


def test_seasonal_naive_never_reads_beyond_the_newest_input() -> None:
    frame = hourly_frame(300)
    before = prepared_forecast(frame)
    last = all_windows(before, "test")[-1:]
    newest = int(before.windows["test"].input_rows(last)[0, -1])
    frame.loc[newest + 1 :, ["load", "heat"]] += 1000.0
    after = prepared_forecast(frame)
    for season in (1, 2, 24):
        naive = SeasonalNaive("seasonal", "", season)
        np.testing.assert_array_equal(naive(after, "test", last), naive(before, "test", last))


def two_seasons(*, val: str, test: str, rows: int = 2400) -> pd.DataFrame:
    """Values that repeat each day, or each week, in validation and test as told."""
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    rng = np.random.default_rng(0)
    daily = np.tile(rng.normal(size=24), rows // 24 + 1)[:rows]
    weekly = np.tile(rng.normal(size=168), rows // 168 + 1)[:rows]
    load = np.where(np.arange(rows) < rows * 0.5, daily, weekly)
    edges = [int(rows * 0.6), int(rows * 0.8)]
    load[edges[0] - 400 : edges[1]] = (daily if val == "day" else weekly)[edges[0] - 400 : edges[1]]
    load[edges[1] :] = (daily if test == "day" else weekly)[edges[1] :]
    return pd.DataFrame({"time": times, "load": load, "heat": rng.normal(size=rows)})


@pytest.mark.parametrize(("val", "test", "steps"), [("day", "week", 24), ("week", "day", 168)])
def test_the_season_is_chosen_on_validation_alone(val: str, test: str, steps: int) -> None:
    prepared = prepared_forecast(two_seasons(val=val, test=test), split={"val": 0.2, "test": 0.2})
    chosen = fit_forecast_baselines(prepared)[1]
    assert isinstance(chosen, SeasonalNaive)
    assert (chosen.name, chosen.season) == (f"seasonal naive ({val})", steps)
    assert chosen.about == (
        f"repeats the value of one {val} ({steps} steps) before, chosen on validation among day, week"
    )


def plain(found: list[Baseline]) -> tuple[str, dict[str, list[float]]]:
    words, arrays = dump_baselines(found)
    return json.dumps(words), {key: value.tolist() for key, value in arrays.items()}


def with_other_test_rows(prepared: Prepared, frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    changed.loc[prepared.split.rows("test")[0, 0] :, ["load", "heat"]] = 12345.0
    return changed


def test_no_test_row_changes_a_baseline_of_a_forecast() -> None:
    frame = hourly_frame(900)
    prepared = prepared_forecast(frame)
    changed = prepared_forecast(with_other_test_rows(prepared, frame))
    assert (changed.table.values[:] != prepared.table.values[:]).any()
    assert plain(fit_forecast_baselines(changed)) == plain(fit_forecast_baselines(prepared))


def test_no_val_or_test_row_changes_a_baseline_of_an_autoencoder() -> None:
    frame = hourly_frame(900)
    prepared = prepared_autoencode(frame)
    changed = frame.copy()
    changed.loc[prepared.split.rows("val")[0, 0] :, ["load", "heat"]] = 12345.0
    again = plain(fit_autoencode_baselines(prepared_autoencode(changed), latent_dim=3))
    assert again == plain(fit_autoencode_baselines(prepared, latent_dim=3))


def test_a_step_without_a_season_has_no_seasonal_naive() -> None:
    frame = hourly_frame(300)
    names = [baseline.name for baseline in fit_forecast_baselines(prepared_forecast(frame, time=None, every=None))]
    assert names == ["last value", "ridge"]


def test_a_history_shorter_than_a_week_has_no_weekly_naive() -> None:
    assert held_seasons(prepared_forecast(hourly_frame(160))) == {"day": 24}
    assert held_seasons(prepared_forecast(hourly_frame(300))) == {"day": 24, "week": 168}
    only = fit_forecast_baselines(prepared_forecast(hourly_frame(160)))[1]
    assert only.about == "repeats the value of one day (24 steps) before"


def noise(rows: int = 400) -> pd.DataFrame:
    """Columns without structure, so that a least-squares fit has one solution."""
    rng = np.random.default_rng(5)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    heat = rng.normal(size=rows)
    return pd.DataFrame({"time": times, "load": np.roll(heat, 3) * 4 + rng.normal(size=rows) + 50, "heat": heat})


def design(prepared: Prepared, part: str) -> np.ndarray:
    arrays = prepared.arrays(part, all_windows(prepared, part))
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1).astype(np.float64)


def own_ridge(prepared: Prepared) -> Ridge:
    """The ridge of windows as they stand."""
    return ridge_fits.fit_ridge(prepared, [Presentation()])


def test_ridge_is_least_squares_for_a_tiny_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge_fits, "_PENALTIES", np.array([1e-12]))
    prepared = prepared_forecast(noise(), targets=["load", "heat"])
    x = np.column_stack([design(prepared, "train"), np.ones(prepared.windows["train"].count)])
    y = prepared.scaled_targets("train", all_windows(prepared, "train")).reshape(len(x), -1)
    weights = np.linalg.lstsq(x, y.astype(np.float64), rcond=None)[0]
    for part in PARTS:
        windows = all_windows(prepared, part)
        scaled = np.column_stack([design(prepared, part), np.ones(len(windows))]) @ weights
        expected = prepared.restore(scaled.reshape(len(windows), 4, 2), part, windows)
        np.testing.assert_allclose(own_ridge(prepared)(prepared, part, windows), expected, rtol=1e-6)


def test_ridge_shrinks_the_slopes_by_its_penalty_and_not_the_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge_fits, "_PENALTIES", np.array([0.3]))
    prepared = prepared_forecast(noise())
    x = design(prepared, "train")
    y = prepared.scaled_targets("train", all_windows(prepared, "train")).reshape(len(x), -1).astype(np.float64)
    left = (x - x.mean(axis=0)).T @ (x - x.mean(axis=0)) + 0.3 * len(x) * np.eye(x.shape[1])
    expected = np.linalg.solve(left, (x - x.mean(axis=0)).T @ (y - y.mean(axis=0)))
    ridge = own_ridge(prepared)
    np.testing.assert_allclose(ridge.weights, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ridge.offset, y.mean(axis=0), rtol=1e-6, atol=1e-9)
    assert "penalty 0.3 chosen on validation" in ridge.about


def test_ridge_takes_the_penalty_that_does_best_on_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepared_forecast(noise(120), input_steps=24)
    windows = all_windows(prepared, "val")
    truth = prepared.truth("val", windows)

    def val_rmse(ridge: Ridge) -> float:
        return float(np.sqrt(np.mean((ridge(prepared, "val", windows) - truth) ** 2)))

    chosen = val_rmse(own_ridge(prepared))
    single = []
    for penalty in 10.0 ** np.arange(-8, 2):
        monkeypatch.setattr(ridge_fits, "_PENALTIES", np.array([penalty]))
        single.append(val_rmse(own_ridge(prepared)))
    assert chosen == pytest.approx(min(single))
    assert max(single) > 1.05 * min(single)


def test_ridge_is_given_the_known_future_too() -> None:
    frame = noise()
    frame["load"] = 3 * frame["heat"] + 7  # known only at the step itself
    without, given = prepared_forecast(frame), prepared_forecast(frame, known_future=["heat"], inputs=["load"])
    errors = []
    for prepared in (without, given):
        windows = all_windows(prepared, "test")
        errors.append(
            float(np.abs(own_ridge(prepared)(prepared, "test", windows) - prepared.truth("test", windows)).max())
        )
    assert errors[0] > 1
    assert errors[1] < 1e-3


def test_ridge_leaves_out_windows_with_missing_targets() -> None:
    frame = noise()
    frame.loc[[50, 51, 120], "load"] = np.nan
    prepared = prepared_forecast(frame, missing="mask")
    windows = all_windows(prepared, "test")
    assert np.isfinite(own_ridge(prepared)(prepared, "test", windows)).all()
    known = ~np.isnan(prepared.scaled_targets("train", all_windows(prepared, "train"))).any(axis=(1, 2))
    assert 0 < known.sum() < len(known)
    np.testing.assert_allclose(own_ridge(prepared).mean, design(prepared, "train")[known].mean(axis=0), atol=1e-9)


def test_the_training_mean_is_each_column_s_mean_in_each_series_own_training_rows() -> None:
    frame = hourly_frame(300, series=("north", "south"))
    prepared = prepared_autoencode(frame, series="site", scale_per_series=True)
    windows = all_windows(prepared, "test")
    got = TrainingMean()(prepared, "test", windows)
    assert got.shape == (len(windows), 6, 2)
    for series, (first, end) in enumerate(prepared.split.rows("train")):
        own = got[prepared.series_of("test", windows) == series]
        expected = prepared.table.values[first:end].mean(axis=0)
        np.testing.assert_allclose(own, np.broadcast_to(expected, own.shape), rtol=1e-9)


@pytest.mark.parametrize("width", [1, 4, 12])
def test_pca_is_the_truncated_singular_value_decomposition(width: int) -> None:
    prepared = prepared_autoencode(noise())
    rows = {
        part: prepared.scaled_targets(part, all_windows(prepared, part)).astype(np.float64).reshape(-1, 12)
        for part in ("train", "test")
    }
    mean = rows["train"].mean(axis=0)
    _, _, axes = np.linalg.svd(rows["train"] - mean, full_matrices=False)
    expected = (rows["test"] - mean) @ axes[:width].T @ axes[:width] + mean
    pca = fit_autoencode_baselines(prepared, latent_dim=width)[1]
    windows = all_windows(prepared, "test")
    assert pca.name == f"PCA ({width})"
    restored = prepared.restore(expected.reshape(-1, 6, 2), "test", windows)
    np.testing.assert_allclose(pca(prepared, "test", windows), restored, rtol=1e-6, atol=1e-6)


def test_pca_as_wide_as_the_window_gives_the_window_back() -> None:
    prepared = prepared_autoencode(noise())
    pca = fit_autoencode_baselines(prepared, latent_dim=99)[1]
    windows = all_windows(prepared, "test")
    assert pca.name == "PCA (12)"
    np.testing.assert_allclose(pca(prepared, "test", windows), prepared.truth("test", windows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("missing", ["refuse", "mask"])
def test_stored_baselines_predict_the_same(missing: str) -> None:
    frame = hourly_frame(400)
    if missing == "mask":
        frame.loc[::17, "load"] = np.nan
    forecast, autoencode = prepared_forecast(frame, missing=missing), prepared_autoencode(frame, missing=missing)
    for prepared, found in (
        (forecast, fit_forecast_baselines(forecast)),
        (autoencode, fit_autoencode_baselines(autoencode, latent_dim=3)),
    ):
        words, arrays = dump_baselines(found)
        restored = restore_baselines(json.loads(json.dumps(words)), FORECAST_BASELINES | BASELINES, arrays)
        windows = all_windows(prepared, "test")
        assert [(type(each), each.name, each.about) for each in restored] == [
            (type(each), each.name, each.about) for each in found
        ]
        for own, again in zip(found, restored, strict=True):
            np.testing.assert_array_equal(again(prepared, "test", windows), own(prepared, "test", windows))


def test_more_than_ten_baselines_keep_their_arrays_apart() -> None:
    peers: list[Baseline] = [WindowPca(f"PCA {n}", "", np.full(2, n), np.full((2, 1), n)) for n in range(12)]
    words, arrays = dump_baselines(peers)
    for number, each in enumerate(restore_baselines(words, BASELINES, arrays)):
        assert isinstance(each, WindowPca)
        assert each.mean.tolist() == [number, number]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([{"kind": "Exec", "name": "x", "about": ""}], KeyError),
        ([{"name": "last value", "about": ""}], KeyError),
        ([{"kind": "LastValue", "name": "x", "about": "", "season": 3}], TypeError),
        ([{"kind": "Ridge", "name": "ridge", "about": ""}], TypeError),
    ],
    ids=["unknown_kind", "no_kind", "a_field_too_many", "no_arrays"],
)
def test_foreign_words_are_refused(words: list[dict[str, Any]], error: type[Exception]) -> None:
    with pytest.raises(error):
        restore_baselines(words, FORECAST_BASELINES)


@pytest.mark.parametrize("season", [0, -1, 2**31, 2**63, 10**30, 1.5, float("inf")])
def test_a_season_that_no_recipe_may_have_is_refused(season: float) -> None:
    words = [{"kind": "SeasonalNaive", "name": "seasonal naive (day)", "about": "", "season": season}]
    with pytest.raises(ValueError, match=r"season|integer|finite"):
        restore_baselines(words, FORECAST_BASELINES)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_not_finite_are_refused_in_lists_too(number: float) -> None:
    words = [{"kind": "TrainingMeans", "mean": [1.0, number]}]
    with pytest.raises(ValueError, match="mean of a baseline holds a number that is not finite"):
        restore_baselines(words, WHOLE_BASELINES)
    words = [{"kind": "TrainingMeans", "mean": [1.0, 2.0]}]
    assert len(restore_baselines(words, WHOLE_BASELINES)) == 1


def slow_naive_error(prepared: Prepared, season: int) -> np.ndarray:
    """Mean absolute change over one season, by time, between known cells of the training rows."""
    table, found = prepared.table, []
    assert table.times is not None
    for first, end in prepared.split.rows("train"):
        values = {table.times[row]: table.values[:][row] for row in range(first, end)}
        for target in prepared.columns.targets:
            column, errors = table.columns.index(target), []
            for time, row in values.items():
                before = values.get(time - pd.Timedelta(hours=season))
                if before is not None and not np.isnan(row[column] - before[column]):
                    errors.append(abs(row[column] - before[column]))
            found.append(np.mean(errors) if errors else np.nan)
    return np.array(found).reshape(len(table.series), -1)


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_the_naive_error_is_the_mean_change_over_a_season_of_time(missing: str) -> None:
    prepared = prepared_forecast(broken_frame(), series="site", missing=missing, targets=["load", "heat"])
    expected = slow_naive_error(prepared, 24)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(naive_error(prepared), expected, rtol=1e-12)


def test_the_naive_error_without_a_season_is_the_mean_change_of_a_step() -> None:
    frame = hourly_frame(300)
    prepared = prepared_forecast(frame, time=None, every=None)
    first, end = prepared.split.rows("train")[0]
    expected = np.abs(np.diff(frame["load"].to_numpy()[first:end])).mean()
    np.testing.assert_allclose(naive_error(prepared), [[expected]], rtol=1e-12)


def test_the_season_of_the_recipe_is_that_of_baseline_and_denominator_without_a_clock() -> None:
    frame = hourly_frame(300)
    clocked, prepared = (
        prepared_forecast(frame),
        prepared_forecast(frame, time=None, every=None, calendar=[], season=24),
    )
    np.testing.assert_allclose(naive_error(prepared), naive_error(clocked), rtol=1e-12)
    naive = fit_forecast_baselines(prepared)[1]
    assert (naive.name, naive.about) == ("seasonal naive (season)", "repeats the value of one season (24 steps) before")
    windows = all_windows(prepared, "test")
    np.testing.assert_array_equal(naive(prepared, "test", windows), slow_seasonal(clocked, "test", 24))


def test_the_season_of_the_recipe_wins_over_the_clock_and_that_is_told() -> None:
    prepared = prepared_forecast(hourly_frame(400), season=12)
    assert held_seasons(prepared) == {"season": 12}
    np.testing.assert_allclose(naive_error(prepared), slow_naive_error(prepared, 12), rtol=1e-12)
    said = [finding.text for finding in check_data(prepared) if "data.season" in finding.text]
    assert said == [
        "as data.season says, 12 rows are the season of the seasonal naive forecast and of MASE; the clock has day 24, week 168"
    ]
    weekly = prepared_forecast(hourly_frame(400), season=168)
    assert held_seasons(weekly) == {"week": 168}
    assert not [each for each in check_data(prepared_forecast(hourly_frame(400), season=24)) if "season" in each.text]


def test_a_season_of_one_row_is_none() -> None:
    prepared = prepared_forecast(hourly_frame(400), season=1)
    assert [baseline.name for baseline in fit_forecast_baselines(prepared)] == ["last value", "ridge"]
    np.testing.assert_allclose(naive_error(prepared), slow_naive_error(prepared, 1), rtol=1e-12)


def test_a_season_as_long_as_the_training_rows_is_refused() -> None:
    check_data(prepared_forecast(hourly_frame(400), season=279))
    with pytest.raises(DataError, match=r"data\.season: 280 .* longest has 280") as caught:
        check_data(prepared_forecast(hourly_frame(400), season=280))
    assert caught.value.code == "season_too_long"


def test_a_column_that_repeats_itself_has_no_naive_error() -> None:
    frame = hourly_frame(300)
    frame["load"] = np.tile(np.arange(24.0), 13)[:300]
    assert np.isnan(naive_error(prepared_forecast(frame))).all()


def test_ridge_is_fitted_where_no_window_is_wholly_observed() -> None:
    frame = hourly_frame(300)
    frame.loc[::2, "load"] = np.nan
    prepared = prepare(parse_recipe(forecast_recipe(missing="mask", input_steps=12, output_steps=3)).data, frame)
    ridge = fit_forecast_baselines(prepared)[-1]
    predicted = ridge(prepared, "test", np.arange(5))
    assert np.isfinite(predicted).all()


def test_the_spectrum_is_the_same_by_rows_and_by_columns() -> None:
    x = np.random.default_rng(0).normal(size=(30, 12))
    spread, basis = ridge_fits.spectrum(x)
    dual_spread, dual_basis = ridge_fits.spectrum(np.hstack([x, np.zeros((30, 40))]))
    np.testing.assert_allclose(dual_spread, spread)
    np.testing.assert_allclose(np.abs(dual_basis[:12]), np.abs(basis), atol=1e-9)


@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_ridge_with_more_features_than_windows_is_the_textbook_s(
    penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge_fits, "_PENALTIES", np.array([penalty]))
    prepared = prepared_forecast(noise(120), input_steps=40)
    x = design(prepared, "train")
    assert x.shape[1] > len(x)
    y = prepared.scaled_targets("train", all_windows(prepared, "train")).reshape(len(x), -1).astype(np.float64)
    left = (x - x.mean(axis=0)).T @ (x - x.mean(axis=0)) + penalty * len(x) * np.eye(x.shape[1])
    expected = np.linalg.solve(left, (x - x.mean(axis=0)).T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(own_ridge(prepared).weights, expected, rtol=1e-6, atol=1e-9)


def test_pca_with_more_features_than_windows_is_the_singular_value_decomposition() -> None:
    prepared = prepared_autoencode(noise(), input_steps=40, window_stride=4)
    rows = prepared.scaled_targets("train", all_windows(prepared, "train")).astype(np.float64).reshape(-1, 80)
    assert rows.shape[1] > len(rows)
    mean = rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows - mean, full_matrices=False)
    pca = fit_autoencode_baselines(prepared, latent_dim=5)[1]
    assert isinstance(pca, WindowPca)
    np.testing.assert_allclose(pca.basis @ pca.basis.T, axes[:5].T @ axes[:5], atol=1e-6)


def test_wide_windows_are_fitted_on_fewer_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepared_forecast(noise())
    features = design(prepared, "train").shape[1]
    for wide, used in ((features, prepared.windows["train"].count), (features - 1, features - 1)):
        monkeypatch.setattr(ridge_fits, "_WIDE", wide)
        expected = design(prepared, "train")[prepared.windows["train"].evenly(used)]
        np.testing.assert_allclose(own_ridge(prepared).mean, expected.mean(axis=0), atol=1e-9)


def drifting(rows: int = 900) -> pd.DataFrame:
    """Two columns that wander far from where they were in training, alike from step to step."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    level = np.cumsum(rng.normal(size=(rows, 2)), axis=0) + np.arange(rows)[:, None] / 10
    wave = 3 * np.sin(2 * np.pi * np.arange(rows) / 12)[:, None]
    return pd.DataFrame(level + wave, columns=["load", "heat"]).assign(time=times)


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("normalise", ["last", "mean_std"])
def test_ridge_sees_windows_as_the_model_does(normalise: Normalise, independent: bool) -> None:
    prepared = prepared_forecast(drifting(), targets=["load", "heat"], input_steps=24, output_steps=12)
    ridge = fit_forecast_baselines(prepared, view=Presentation(normalise, independent))[-1]
    assert isinstance(ridge, Ridge)
    windows = all_windows(prepared, "test")
    got = ridge(prepared, "test", windows)
    assert got.shape == prepared.truth("test", windows).shape
    if independent:
        assert ridge.weights.shape == (24 + 2, 12)
    # A window that stands higher is forecast higher by as much: nothing of the level is left in the rows.
    higher = drifting()
    higher[["load", "heat"]] += [5.0, -3.0]
    moved = prepared_forecast(higher, targets=["load", "heat"], input_steps=24, output_steps=12)
    moved = moved.with_scaler(prepared.scaler)
    np.testing.assert_allclose(ridge(moved, "test", windows), got + np.array([5.0, -3.0]), atol=2e-3)


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("normalise", ["none", "last", "mean_std"])
def test_answers_and_their_reverse_are_one(normalise: Normalise, independent: bool) -> None:
    prepared = prepared_forecast(drifting(), targets=["load", "heat"], calendar=["hour"])
    view, windows = Presentation(normalise, independent), np.arange(7)
    seen = view.of(prepared, "train", windows)
    scaled = prepared.scaled_targets("train", windows).astype(np.float64)
    assert seen.design.shape[1] == view.width(prepared)
    np.testing.assert_allclose(seen.scaled(seen.answers(scaled)), scaled, atol=1e-12)


def test_ridge_of_a_model_that_normalises_follows_a_drift() -> None:
    prepared = prepared_forecast(drifting(), targets=["load", "heat"], input_steps=24, output_steps=12)
    windows = all_windows(prepared, "test")
    errors = [
        np.abs(
            fit_forecast_baselines(prepared, view=view)[-1](prepared, "test", windows) - prepared.truth("test")
        ).mean()
        for view in (Presentation(), Presentation("last", independent=True))
    ]
    assert errors[1] < errors[0]


def test_a_ridge_that_was_stored_before_it_knew_of_views_is_restored() -> None:
    ridge = own_ridge(prepared_forecast(noise()))
    words, arrays = dump_baselines([ridge])
    old = [{key: value for key, value in words[0].items() if key not in ("normalise", "independent", "edge")}]
    (restored,) = restore_baselines(old, FORECAST_BASELINES, arrays)
    assert isinstance(restored, Ridge)
    np.testing.assert_array_equal(restored.weights, ridge.weights)
    assert restored.normalise == "none"


def running_away(rows: int = 600) -> pd.DataFrame:
    """A level that leaves its training range: a line of levels that shrinks cannot follow it."""
    rng = np.random.default_rng(0)
    level = np.cumsum(rng.normal(loc=0.3, size=rows)) * np.linspace(1, 3, rows)
    return pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq="h"), "load": level})


def test_ridge_takes_the_form_that_does_better_on_validation() -> None:
    prepared = prepared_forecast(running_away(), inputs=["load"], calendar=[], input_steps=48)
    forms = ridge_fits.forms_of(prepared, Presentation())
    assert [form.normalise for form in forms] == ["none", "last"]
    windows, truth = all_windows(prepared, "val"), prepared.truth("val")
    each = [ridge_fits.fit_ridge(prepared, [form]) for form in forms]
    errors = [float(np.mean((ridge(prepared, "val", windows) - truth) ** 2)) for ridge in each]
    chosen = fit_forecast_baselines(prepared)[-1]
    assert isinstance(chosen, Ridge)
    assert errors[1] < errors[0]
    assert chosen.normalise == "last"
    assert "less the newest value" in chosen.about
    # The other way round, where the level says more than the newest value, which is noise.
    steady = prepared_forecast(noise(), inputs=["load"], calendar=[])
    other = fit_forecast_baselines(steady)[-1]
    assert isinstance(other, Ridge)
    assert other.normalise == "none"


@pytest.mark.parametrize(
    "data", [{"missing": "mask"}, {"inputs": ["heat"]}, {"inputs": ["heat"], "known_future": ["heat"]}]
)
def test_windows_without_a_newest_value_have_one_form(data: dict[str, Any]) -> None:
    prepared = prepared_forecast(noise(), **data)
    assert ridge_fits.forms_of(prepared, Presentation()) == [Presentation()]


def test_directions_that_only_rounding_tells_apart_have_no_weight() -> None:
    rng = np.random.default_rng(0)
    frames = []
    for number in range(6):
        wave = 1 + 0.3 * np.sin(np.arange(260) * 2 * np.pi / 7) + rng.normal(scale=0.1, size=260)
        at = pd.date_range("2024-01-01", periods=260)
        frames.append(pd.DataFrame({"time": at, "site": f"s{number}", "load": 20.0 * 3**number * wave}))
    section = {
        "time": "time",
        "every": "1d",
        "series": "site",
        "inputs": ["load"],
        "targets": ["load"],
        "input_steps": 14,
    }
    recipe = parse_recipe(
        {
            "task": "forecast",
            "data": section | {"output_steps": 7, "window_scaling": "mean_abs"},
            "model": {},
            "training": {},
        }
    )
    # The mean of each window is 1 but for the last digit of float32, which has nothing to do with what follows.
    prepared = prepare(recipe.data, pd.concat(frames))
    regression = ridge_fits.fit_regression(prepared)
    assert regression.spread.min() < 1e-9 * regression.spread.max()
    for penalty in (1e-12, 1e-6):
        assert np.abs(regression.ridge(penalty).weights).max() < 2
