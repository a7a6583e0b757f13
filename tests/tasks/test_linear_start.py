"""A forecast that begins as ridge, whatever the model sees of a window."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.forecast import linear_start
from seq2seq_kit.tasks.forecast.linear_start import shrink_correction, start_from_ridge
from tests.conftest import forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe


def opened(model: dict[str, Any], frame: pd.DataFrame | None = None, **data: Any) -> Any:
    recipe = forecast_recipe(**data)
    recipe["model"] |= {"linear_skip": True} | model
    return open_job(parse_recipe(recipe), hourly_frame(400) if frame is None else frame)


def begun(job: Any) -> tuple[Any, Any]:
    """The model as it begins, and its bundle with the baselines."""
    model = job.build()
    start_from_ridge(model, job._start, job.prepared, job.view)
    return model, job.bundle(model, {})


@pytest.mark.parametrize("normalise", slow_but(["none", "last", "mean_std"], "mean_std"))
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"targets": ["heat", "load"], "known_future": [], "calendar": []},
        {"inputs": ["load"], "known_future": ["heat"], "gap_steps": 2},
    ],
    ids=["calendar", "two targets", "known future and a gap"],
)
@pytest.mark.parametrize("channels", slow_but(["joint", "independent"], "independent"))
def test_a_model_begins_as_the_line(normalise: str, data: dict[str, Any], channels: str) -> None:
    own = data | (
        {"inputs": ["heat", "load"]} if channels == "independent" and len(data.get("targets", [])) == 2 else {}
    )
    job = opened({"normalise": normalise, "channels": channels}, **own)
    _, bundle = begun(job)
    windows = np.arange(job.prepared.count("test"))
    np.testing.assert_allclose(
        bundle.forecast(job.prepared, "test", windows), job._start(job.prepared, "test", windows), rtol=2e-4
    )


def drifting() -> pd.DataFrame:
    """A series whose test rows lie far from its training rows, so that only the form less the newest value follows."""
    frame, rng = hourly_frame(400), np.random.default_rng(0)
    frame["load"] = np.cumsum(rng.normal(loc=0.5, size=400)) + 1.5 * np.arange(400) ** 1.3
    return frame


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_a_line_less_the_newest_value_fits_windows_as_they_stand(channels: str) -> None:
    job = opened({"channels": channels}, drifting(), inputs=["load"], calendar=[])
    assert job.ridge.normalise == "last"
    assert job.view.normalise == "none"
    windows = np.arange(job.prepared.count("test"))
    _, bundle = begun(job)
    np.testing.assert_allclose(
        bundle.forecast(job.prepared, "test", windows), job.ridge(job.prepared, "test", windows), rtol=2e-4
    )


def test_masked_cells_have_a_line_of_what_the_model_sees() -> None:
    frame = hourly_frame(400)
    frame.loc[::7, "load"] = np.nan
    job = opened({}, frame, missing="mask")
    windows = np.arange(job.prepared.count("test"))
    _, bundle = begun(job)
    np.testing.assert_allclose(
        bundle.forecast(job.prepared, "test", windows), job.ridge(job.prepared, "test", windows), rtol=2e-4
    )


def test_a_network_that_only_harms_is_left_out() -> None:
    job = opened({})
    model, _ = begun(job)
    output, rng = model.get_layer("output"), np.random.default_rng(0)
    output.set_weights([50 * rng.normal(size=weight.shape) for weight in output.get_weights()])
    assert shrink_correction(model, job.prepared) < 0.1
    windows = np.arange(job.prepared.count("test"))
    forecast = job.bundle(model, {}).forecast(job.prepared, "test", windows)
    assert np.isfinite(forecast).all()


@pytest.mark.slow
def test_the_factor_is_the_one_that_does_best_on_validation() -> None:
    job = opened({})
    model, _ = begun(job)
    output, rng = model.get_layer("output"), np.random.default_rng(0)
    weights = [0.5 * rng.normal(size=weight.shape) for weight in output.get_weights()]
    errors = {}
    for factor in linear_start._FACTORS:
        output.set_weights([weight * factor for weight in weights])
        errors[factor] = job.report(job.bundle(model, {}), "val").error_of()
    output.set_weights(weights)
    gained = min(errors.values()) <= (1 - linear_start._LEAST_GAIN) * errors[0.0]
    chosen = shrink_correction(model, job.prepared)
    assert chosen == (min(errors, key=lambda factor: errors[factor]) if gained else 0.0)
    np.testing.assert_allclose(output.get_weights()[0], weights[0] * chosen, rtol=1e-6)


@pytest.mark.slow
def test_a_fit_is_no_worse_on_validation_than_the_line() -> None:
    job = opened({"normalise": "last"})
    model = job.build()
    job.fit(model, [])
    val = job.report(job.bundle(model, {}), "val")
    assert val.error_of() <= val.error_of("ridge") * 1.0001
    assert job.build().get_layer("linear_skip").trainable


def test_the_skip_is_of_the_repeating_bridge() -> None:
    recipe = forecast_recipe()
    recipe["model"] |= {"linear_skip": True, "bridge": "state"}
    with pytest.raises(RecipeError, match="linear_skip"):
        parse_recipe(recipe)


@pytest.mark.parametrize(("shift", "left_out"), [(0.05, True), (1.0, False)])
def test_a_network_that_gains_next_to_nothing_is_left_out(shift: float, left_out: bool) -> None:
    job = opened({})
    model, bundle = begun(job)
    windows = np.arange(job.prepared.count("val"))
    off = job.prepared.truth("val", windows) - bundle.forecast(job.prepared, "val", windows)
    scale = float(job.prepared.target_scale[0, 0])
    # The line is moved off by a part of its own error, and the network knows exactly by how much.
    moved = (shift * float(off.std()) - float(off.mean())) / scale
    own, offset = model.get_layer("linear_skip").get_weights()
    model.get_layer("linear_skip").set_weights([own, offset - moved])
    kernel, bias = model.get_layer("output").get_weights()
    model.get_layer("output").set_weights([kernel, bias + moved])
    assert (shrink_correction(model, job.prepared) == 0.0) == left_out
