"""Weights of rows, in batches, in the loss and in what is counted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.windows.prepare import Prepared, prepare
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.tasks import open_job
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, levelled_frame, tag_values_recipe
from tests.untyped import parse_recipe


def weighted_frame(rows: int = 400) -> pd.DataFrame:
    """Nights weigh 0, working days 3, other days 1."""
    frame = hourly_frame(rows)
    weight = np.where(frame["time"].dt.hour < 6, 0.0, np.where(frame["time"].dt.day_of_week < 5, 3.0, 1.0))
    return frame.assign(stock=weight)


def prepared_of(frame: pd.DataFrame, make: Any = forecast_recipe, **data: Any) -> Prepared:
    return prepare(parse_recipe(make(weight="stock", **data)).data, frame)


@pytest.mark.parametrize("make", [forecast_recipe, autoencode_recipe])
@pytest.mark.parametrize("also", [{}, {"inputs": ["load", "stock"]}])
def test_batches_have_the_weight_of_each_target_row(make: Any, also: dict[str, Any]) -> None:
    if make is autoencode_recipe and also:
        return
    frame = weighted_frame()
    prepared = prepared_of(frame, make, **also)
    _, targets, weights = next(iter(prepared.batches("train", 40)))
    assert weights.shape == targets.shape[:2]
    rows = prepared.windows["train"].target_rows(np.arange(40))
    mean = frame["stock"].to_numpy()[:280].mean()
    np.testing.assert_allclose(weights, frame["stock"].to_numpy()[rows] / mean, rtol=1e-6)
    assert prepared.layout.columns[-1] == "stock"


def test_rows_of_weight_0_are_not_counted() -> None:
    frame = weighted_frame()
    prepared, plain = prepared_of(frame), prepare(parse_recipe(forecast_recipe()).data, frame)
    windows = np.arange(prepared.count("test"))
    out = frame["stock"].to_numpy()[prepared.windows["test"].target_rows(windows)] == 0
    for found, expected in (
        (prepared.truth("test", windows), plain.truth("test", windows)),
        (prepared.scaled_targets("test", windows), plain.scaled_targets("test", windows)),
    ):
        np.testing.assert_array_equal(np.isnan(found[..., 0]), out)
        np.testing.assert_array_equal(found[~out], expected[~out])
    # The encoder reads the rows as they are.
    np.testing.assert_array_equal(prepared.arrays("test", windows)[0], plain.arrays("test", windows)[0])


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_weight_that_is_none_is_named(value: float) -> None:
    frame = weighted_frame()
    frame.loc[7, "stock"] = value
    with pytest.raises(DataError, match=r"row 8 .*column stock") as caught:
        prepared_of(frame)
    assert caught.value.code == "invalid_weight"


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="all training rows have the weight 0") as caught:
        prepared_of(weighted_frame().assign(stock=0.0))
    assert caught.value.code == "invalid_weight"
    with pytest.raises(RecipeError) as problems:
        parse_recipe(forecast_recipe(weight="load"))
    assert [(problem.code, problem.key) for problem in problems.value.problems] == [("conflicting_keys", "data.weight")]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["refuse", "mask"])
@pytest.mark.parametrize("bridge", ["repeat", "state"])
def test_what_weighs_nothing_is_not_learned(missing: str, bridge: str) -> None:
    """Rows of weight 0 may hold anything as targets: the model learns the others."""
    frame = hourly_frame(600).assign(stock=1.0)
    broken = frame["time"].dt.hour == 12
    frame.loc[broken, "stock"] = 0.0
    wild = frame.assign(load=frame["load"].where(~broken, -4000.0))
    data = {"inputs": ["load", "heat"], "missing": missing}
    raw = forecast_recipe(**data, weight="stock") | {
        "model": {"bridge": bridge, "encoder_units": [8], "decoder_units": [8]}
    }
    job = open_job(parse_recipe(raw), wild)
    model = job.build()
    fitted = job.fit(model, [])
    assert np.isfinite([epoch.loss for epoch in fitted.history]).all()
    bundle: Any = job.bundle(model, {})
    board = job.report(bundle, "test")
    assert np.isfinite([board.overall(name).rmse for name in board.names]).all()
    assert board.overall("model").cells < board.windows * board.steps
    # Neither a forecast nor an evaluation needs the column.
    assert np.isfinite(bundle.predict(wild.drop(columns="stock"))["load"]).all()
    assert bundle.evaluate(wild.drop(columns="stock")).overall("model").rmse > board.overall("model").rmse
    assert [finding.code for finding in job.check() if "stock" in finding.text] == []


@pytest.mark.slow
def test_a_weighted_loss_is_that_of_repeated_rows() -> None:
    from seq2seq_kit.training.objective import value_loss

    rng = np.random.default_rng(0)
    truth, prediction = rng.normal(size=(2, 5, 4, 2)).astype(np.float32)
    weights = rng.integers(0, 3, (5, 4))
    for name in ("mse", "mae", "huber"):
        each = np.asarray(value_loss(name, masked=False, weighted=True)(truth, prediction))
        repeated = (
            np.repeat(truth.reshape(20, 2), weights.ravel(), axis=0),
            np.repeat(prediction.reshape(20, 2), weights.ravel(), axis=0),
        )
        expected = float(np.mean(np.asarray(value_loss(name, masked=True)(*repeated))))
        assert (each * weights).sum() / weights.sum() == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_balanced_labels_count_alike() -> None:
    from seq2seq_kit.models.labels import label_loss, weighted_label_loss

    truth = np.array([[0, 0, 0, 1, -1]])
    logits = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    plain = [float(label_loss(np.where(truth == label, label, -1), logits)) for label in (0, 1)]
    assert float(weighted_label_loss([4 / 6, 4 / 2])(truth, logits)) == pytest.approx(np.mean(plain), rel=1e-5)

    raw = tag_values_recipe()
    frame = levelled_frame().assign(level=lambda f: np.where(f["load"] > 127, "high", "low"))
    job: Any = open_job(parse_recipe(raw | {"training": {"class_weights": "balanced"}}), frame)
    loss: Any = job.objective()[0]
    counts = np.bincount(job.examples.truth_of("train"))
    assert counts[0] > 5 * counts[1] > 0
    expected = weighted_label_loss(counts.sum() / (2 * counts))(truth, logits)
    assert float(loss(truth, logits)) == pytest.approx(float(expected), rel=1e-6)
    plain_job: Any = open_job(parse_recipe(raw), frame)
    assert float(plain_job.objective()[0](truth, logits)) != pytest.approx(float(expected))
