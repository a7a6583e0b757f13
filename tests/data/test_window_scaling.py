"""Windows on a scale of their own: the same in batches and arrays, undone in every result."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.windows.prepare import Prepared, prepare
from seq2seq_kit.data.windows.window_scaling import WindowScaling
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.own_scale import own_ratio
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe

METHODS = ["mean_abs", "standard"]


def sizes() -> pd.DataFrame:
    """Three series of one shape whose sizes are 1, 1000 and a millionth."""
    frames = []
    for name, size in (("plain", 1.0), ("giant", 1e3), ("dwarf", 1e-6)):
        frame = hourly_frame(300, series=("x", name))[300:]
        frames.append(frame.assign(load=hourly_frame(300)["load"].to_numpy() * size))
    return pd.concat(frames, ignore_index=True)


def prepared_of(frame: pd.DataFrame, make: Any = forecast_recipe, **data: Any) -> Prepared:
    return prepare(parse_recipe(make(**data)).data, frame)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [forecast_recipe, autoencode_recipe])
@pytest.mark.parametrize("missing", slow_but(["refuse", "mask"], "mask"))
def test_batches_arrays_and_restored_targets_agree(method: str, make: Any, missing: str) -> None:
    frame = hourly_frame(400)
    if missing == "mask":
        frame.loc[[40, 41, 250, 390], "load"] = np.nan
    prepared = prepared_of(frame, make, window_scaling=method, missing=missing)
    for part in ("train", "test"):
        windows = np.arange(prepared.count(part))
        scaled = prepared.scaled_targets(part, windows)
        np.testing.assert_allclose(prepared.restore(scaled, part, windows), prepared.truth(part, windows), rtol=1e-5)
        inputs = prepared.arrays(part, windows)
        batches = list(prepared.batches(part, 50))
        read = [batch[0] if isinstance(batch[0], tuple) else (batch[0],) for batch in batches]
        for position, array in enumerate(inputs):
            together = np.concatenate([each[position].numpy() for each in read])
            np.testing.assert_allclose(together, array, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            np.concatenate([batch[1].numpy() for batch in batches]), scaled, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("method", METHODS)
def test_series_of_any_size_look_alike(method: str) -> None:
    prepared = prepared_of(sizes(), series="site", window_scaling=method)
    series = prepared.series_of("train")
    inputs, targets = (
        prepared.arrays("train", np.arange(len(series)))[0],
        prepared.scaled_targets("train", np.arange(len(series))),
    )
    load = prepared.layout.columns.index("load")
    for other in (1, 2):
        tolerance: Any = {"rtol": 1e-3, "atol": 2e-2 if method == "standard" else 1e-4}
        np.testing.assert_allclose(inputs[series == other][..., load], inputs[series == 0][..., load], **tolerance)
        np.testing.assert_allclose(targets[series == other], targets[series == 0], **tolerance)
    mine = inputs[..., load]
    if method == "mean_abs":
        np.testing.assert_allclose(np.abs(mine).mean(axis=1), 1, rtol=1e-4)
    else:
        np.testing.assert_allclose(mine.mean(axis=1), 0, atol=1e-3)
    # Columns that are no targets stay on the scale of all rows.
    heat = prepared.layout.columns.index("heat")
    rows = prepared.windows["train"].input_rows()
    np.testing.assert_array_equal(inputs[..., heat], prepared.matrix[:][rows][..., heat])
    assert own_ratio(prepared) is None


@pytest.mark.parametrize("method", METHODS)
def test_a_window_without_a_scale_keeps_that_of_its_column(method: str) -> None:
    frame = hourly_frame(400)
    frame.loc[100:160, "load"] = 0.0
    prepared = prepared_of(frame, window_scaling=method)
    windows = np.arange(prepared.count("train"))
    assert np.isfinite(prepared.scaled_targets("train", windows)).all()
    assert np.abs(prepared.scaled_targets("train", windows)).max() < 1e3
    np.testing.assert_allclose(
        prepared.restore(prepared.scaled_targets("train", windows), "train", windows),
        prepared.truth("train", windows),
        rtol=1e-5,
        atol=1e-4,
    )


def test_only_the_observed_cells_of_a_padded_window_count() -> None:
    frame = pd.concat([hourly_frame(300, series=("a",)), hourly_frame(8, series=("b", "c"))[8:]], ignore_index=True)
    prepared = prepared_of(
        frame, series="site", short_series="pad", window_scaling="mean_abs", split={"val": 0.1, "test": 0.1}
    )
    columns = prepared.layout.columns
    for windows in (np.arange(prepared.count("train")),):
        past = prepared.arrays("train", windows)[0]
        there = past[..., columns.index("load_observed")]
        load = past[..., columns.index("load")]
        np.testing.assert_allclose((np.abs(load) * there).sum(axis=1) / there.sum(axis=1), 1, rtol=1e-4)
        assert (load[there == 0] == 0).all()


def test_a_target_that_is_not_read_has_no_scale_of_its_own() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(inputs=["heat"], window_scaling="standard"))
    assert [(problem.code, problem.key) for problem in caught.value.problems] == [
        ("missing_input", "data.window_scaling")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_series_of_another_size_is_forecast_in_proportion(method: str) -> None:
    job = open_job(
        parse_recipe(forecast_recipe(series="site", inputs=["load"], calendar=[], window_scaling=method)), sizes()
    )
    model = job.build()
    job.fit(model, [])
    bundle: Any = job.bundle(model, {})
    assert bundle._reader is None
    new = hourly_frame(60, series=("new",))
    plain = bundle.predict(new)["load"]
    many = bundle.predict(new.assign(load=new["load"] * 100))["load"]
    np.testing.assert_allclose(many, plain * 100, rtol=2e-3)
    with pytest.warns(UserWarning, match="autoregressive"):
        longer = bundle.predict(new, steps=12)
    np.testing.assert_allclose(longer["load"][:6], plain, rtol=1e-5)
    # The second block reads the first one's forecast as rows, which then have a scale of their own.
    told = pd.concat([new, longer[:6].drop(columns="step")], ignore_index=True)
    np.testing.assert_allclose(longer["load"][6:], bundle.predict(told)["load"], rtol=1e-4)
    board = bundle.evaluate(new.assign(load=new["load"] * 1e4))
    assert np.isfinite([board.overall(name).rmse for name in board.names]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_hole_stays_in_its_own_column_and_moves_no_scale(method: Any) -> None:
    """Rows that are watched may have holes, whatever the training made of them."""
    scaling = WindowScaling(method, [0, 1], [], 2)
    past = np.random.default_rng(0).normal(5, 2, (3, 12, 2))
    holed = past.copy()
    holed[0, :, 0] = np.nan  # a dead column
    holed[1, 4, 0] = np.nan  # a missing cell
    center, scale = scaling.level(holed)
    assert np.isfinite(center).all()
    assert np.isfinite(scale).all()
    whole = scaling.level(past)
    np.testing.assert_allclose(center[:, :, 1], whole[0][:, :, 1])
    np.testing.assert_allclose(scale[:, :, 1], whole[1][:, :, 1])
    own = scaling.level(np.delete(past, 4, axis=1))
    np.testing.assert_allclose((center[1, 0, 0], scale[1, 0, 0]), (own[0][1, 0, 0], own[1][1, 0, 0]))
    read, expected = scaling.inputs(holed, (center, scale)), scaling.inputs(past, whole)
    np.testing.assert_allclose(read[:, :, 1], expected[:, :, 1])
    np.testing.assert_array_equal(np.isnan(read), np.isnan(holed))
