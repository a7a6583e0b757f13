"""Models that use categories, static columns and the series as a category."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import load
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.forecast.linear_start import start_from_ridge
from seq2seq_kit.tasks.forecast.task import ForecastJob
from tests.conftest import slow_but
from tests.conftest import train_unseen as train
from tests.data.test_categories import FULL, frame_of, recipe_of
from tests.untyped import parse_recipe

LEVELS = {"sun": 0.0, "rain": -2.0, "snow": 3.0}


def decided(rows: int = 400, series: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    """Rows whose load is decided by the weather of the hour, the region and nothing else."""
    frame = frame_of(rows, series)
    regions = {"north": 4.0, "south": -4.0}
    return frame.assign(load=frame["kind"].map(LEVELS) + frame["region"].map(regions) + 0.1 * frame["load"])


def recipe(**more: Any) -> dict[str, Any]:
    data = {
        "time": "time",
        "every": "1h",
        "series": "name",
        "inputs": ["load", "kind"],
        "targets": ["load"],
        "known_future": ["kind"],
        "categories": ["kind", "region"],
        "static": ["region"],
        "input_steps": 6,
        "output_steps": 3,
    }
    return {
        "task": "forecast",
        "data": data | more.pop("data", {}),
        "model": {"encoder_units": [8], "decoder_units": [8], "normalise": "none", "linear_skip": False} | more,
        "training": {"learning_rate": 0.02, "batch_size": 32, "epochs": 12, "patience": None},
    }


def future_of(frame: pd.DataFrame, kinds: list[str], steps: int = 3) -> pd.DataFrame:
    times = pd.date_range(frame["time"].max() + pd.Timedelta("1h"), periods=steps, freq="h")
    return pd.concat([pd.DataFrame({"time": times, "name": name, "kind": kinds}) for name in frame["name"].unique()])


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "state"])
def test_a_category_that_decides_the_target_is_learned_without_a_line(bridge: str, store: Path, tmp_path: Path) -> None:
    frame = decided()
    given = recipe() if bridge == "repeat" else recipe(bridge=bridge)
    if bridge == "state":
        given["model"] = {"encoder_units": [8], "decoder_units": [8], "bridge": "state"}
    result = train(given, data=frame, tracking_uri=str(store))
    result.bundle.save(tmp_path / "bundle")
    bundle: Any = load(tmp_path / "bundle")
    kinds = ["snow", "rain", "sun"]
    forecast = bundle.predict(frame, future=future_of(frame, kinds))
    for name, level in (("a", -4.0), ("b", 4.0)):
        found = forecast.loc[forecast["name"] == name, "load"].to_numpy()
        np.testing.assert_allclose(found, [level + LEVELS[kind] for kind in kinds], atol=1.0)
    # An unseen value is told; its forecast lies between those of the values that training has seen.
    strange = bundle.predict(frame, future=future_of(frame, ["fog"] * 3))
    assert any("kind" in note and "fog" in note for note in strange.attrs["notes"])
    assert -6.5 < strange.loc[strange["name"] == "a", "load"].mean() < -0.5


def test_answers_carry_each_column_of_the_series() -> None:
    frame = pd.concat([frame_of().assign(product=product) for product in ("x", "y/z")], ignore_index=True)
    job = ForecastJob.open(recipe_of(series=["name", "product"], scale_per_series=True), frame)
    bundle = job.bundle(job.build(), {}, peers=False)
    answer = bundle.predict(frame)
    steps = job.recipe.data.output_steps
    assert answer.columns.tolist() == ["name", "product", "time", "step", "load"]
    assert answer["name"].tolist() == ["a"] * steps + ["b"] * steps + ["a"] * steps + ["b"] * steps
    assert answer["product"].tolist() == ["x"] * 2 * steps + ["y/z"] * 2 * steps
    assert bundle.ignored_columns(frame) == ["promo", "region", "size"]
    with pytest.raises(DataError, match="product") as caught:
        bundle.predict(frame.drop(columns="product"))
    assert caught.value.code == "missing_column"


def test_rows_ahead_of_several_columns_belong_to_their_series() -> None:
    data = {"series": ["name", "region"], "known_future": ["promo"], "categories": ["kind", "promo"]}
    job = ForecastJob.open(recipe_of(**data), frame_of())
    bundle = job.bundle(job.build(), {}, peers=False)
    example, answer = job.served(bundle)["frames"]
    assert isinstance(example, pd.DataFrame)
    assert isinstance(answer, pd.DataFrame)
    pd.testing.assert_frame_equal(bundle.answer(example), answer)


@pytest.mark.parametrize("data", [FULL, {}, {"resample": "mean", "every": "2h"}])
def test_what_is_served_takes_words(data: dict[str, Any]) -> None:
    job = ForecastJob.open(recipe_of(**data), frame_of())
    bundle = job.bundle(job.build(), {}, peers=False)
    example, answer = job.served(bundle)["frames"]
    assert isinstance(example, pd.DataFrame)
    assert set(example["kind"]) <= {"sun", "rain", "snow", ""}
    assert isinstance(answer, pd.DataFrame)
    assert len(answer) == job.recipe.data.output_steps
    pd.testing.assert_frame_equal(bundle.answer(example), answer)
    assert bundle.ignored_columns(example) == []


@pytest.mark.parametrize("model", slow_but([{}, {"channels": "independent"}, {"normalise": "mean_std"}], {}))
def test_a_model_begins_as_the_ridge_that_sees_the_same(model: dict[str, Any]) -> None:
    form = {"encoder_units": [4], "decoder_units": [4], "linear_skip": True, "normalise": "none"} | model
    made = recipe_of(**FULL).model_dump() | {"model": form}
    job = ForecastJob.open(parse_recipe(made), frame_of())
    line, windows = job.build(), np.arange(11)
    start_from_ridge(line, job._start, job.prepared, job.view)
    arrays = job.prepared.arrays("test", windows)
    np.testing.assert_allclose(line(arrays), job._start.of_arrays(job.prepared, arrays), atol=1e-4)
    assert np.ptp(job._start.weights[-8:]) > 0  # of the region and the series


def test_a_bundle_whose_categories_have_other_values_is_refused(tmp_path: Path) -> None:
    job = ForecastJob.open(recipe_of(), frame_of())
    bundle = job.bundle(job.build(), {}, peers=False)
    bundle.check()
    bundle.scaler.vocabularies["kind"].append("hail")
    with pytest.raises(ValueError, match="codes"):
        bundle.check()
    bundle.scaler.vocabularies.clear()
    with pytest.raises(ValueError, match="categories"):
        bundle.check()
