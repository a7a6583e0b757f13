"""Early stopping's figure counts each series alike, whatever its size."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.own_scale import loss_by_series, own_ratio
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe
from tests.untyped import parse_recipe


def two_sizes() -> pd.DataFrame:
    frame = hourly_frame(400, series=("giant", "small"))
    frame.loc[frame["site"] == "giant", ["load", "heat"]] *= 1e4
    return frame


def prepared(**data: Any) -> Prepared:
    return prepare(parse_recipe(forecast_recipe(series="site", **data)).data, two_sizes())


def loss_of(found: Prepared, giant: float, small: float, loss: str = "mse") -> float:
    """Of forecasts that are off by so many of each series' own deviations."""
    ratio, series = own_ratio(found), found.series_of("val")
    assert ratio is not None
    off = np.array([giant, small]) / ratio[:, 0]
    return loss_by_series(
        lambda windows: found.scaled_targets("val", windows) + off[series[windows]][:, None, None],
        lambda windows: found.scaled_targets("val", windows),
        series,
        ratio,
        loss,
    )


def test_each_series_counts_alike() -> None:
    found = prepared()
    assert loss_of(found, 1.0, 0.1) == pytest.approx(loss_of(found, 0.1, 1.0), rel=1e-3)
    assert loss_of(found, 0.2, 0.4) == pytest.approx((0.04 + 0.16) / 2, rel=1e-3)
    assert loss_of(found, 0.2, 0.4, "mae") == pytest.approx(0.3, rel=1e-3)
    assert loss_of(found, 0.2, 3.0, "huber") == pytest.approx((0.02 + 2.5) / 2, rel=1e-3)


def test_where_scaling_has_done_it_nothing_is_computed_twice() -> None:
    assert own_ratio(prepared(scale_per_series=True)) is None
    single = hourly_frame(400)
    many = forecast_recipe(targets=["load", "heat"])
    assert own_ratio(prepare(parse_recipe(many).data, single)) is None
    raw = forecast_recipe(targets=["load", "heat"], scaling="none")
    assert own_ratio(prepare(parse_recipe(raw).data, single)) is not None
    assert own_ratio(prepare(parse_recipe(forecast_recipe(scaling="none")).data, single)) is None


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [forecast_recipe, autoencode_recipe, next_step_recipe])
def test_the_loss_that_chooses_the_epoch_is_the_model_s(recipe: Any) -> None:
    small = {"input_steps": 12} | ({"output_steps": 4} if recipe is not autoencode_recipe else {})
    job = open_job(parse_recipe(recipe(series="site", **small)), two_sizes())
    model = job.build()
    validate = job.validation(model)
    assert validate is not None
    before, bias = validate(), model.get_layer("output").trainable_variables[-1]
    bias.assign(bias + 3.0)
    assert 0 < before < validate()
    alone = open_job(parse_recipe(recipe(**small)), hourly_frame(400))
    assert alone.validation(alone.build()) is None
