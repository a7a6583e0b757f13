"""The same rows have the same answer however they are written, and no column of an answer takes the place of another."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks import read_bundle
from tests.bundles.test_windows import untrained
from tests.conftest import ROOT, autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe

BERLIN = "Europe/Berlin"


def zoned(zone: str = BERLIN) -> pd.DataFrame:
    frame = hourly_frame()
    return frame.assign(time=frame.time.dt.tz_localize("UTC").dt.tz_convert(zone))


def in_zone(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    return frame.assign(time=frame.time.dt.tz_convert(zone))


@pytest.mark.parametrize("recipe", [forecast_recipe, next_step_recipe])
def test_the_same_instants_in_another_zone_have_the_same_forecast(recipe: Any) -> None:
    frame = zoned()
    bundle = untrained(recipe(calendar=["hour"]), frame)
    expected = bundle.predict(frame)
    found = bundle.predict(in_zone(frame, "UTC"))
    pd.testing.assert_frame_equal(found, expected)
    assert found.attrs["notes"] == [
        "the data, column time: the times were converted from UTC to Europe/Berlin, the zone of training"
    ]
    with pytest.raises(DataError, match=r"the model was trained on times in Europe/Berlin\. Received"):
        bundle.predict(frame.assign(time=frame.time.dt.tz_localize(None)))


@pytest.mark.parametrize("every", ["1h", "1d", "1mo"])
def test_the_example_for_serving_has_the_answer_of_its_rows(every: str) -> None:
    times = pd.date_range(
        "2015-01-01", periods=300, freq={"1h": "h", "1d": "D", "1mo": "MS"}[every], tz="Europe/London"
    )
    frame = hourly_frame(300).assign(time=times)
    bundle = untrained(forecast_recipe(every=every, calendar=["day_of_week"], input_steps=6), frame)
    from seq2seq_kit.data import prepare

    prepared = prepare(bundle.recipe.data, frame)
    example, answer = served_examples(bundle, prepared, frame)["frames"]
    assert isinstance(example, pd.DataFrame)
    at = pd.to_datetime(example.time).dt.tz_convert("Europe/London")
    expected = bundle.predict(frame[frame.time.isin(at)])
    pd.testing.assert_frame_equal(pd.DataFrame(answer), expected)


def test_the_rows_before_say_how_dates_are_written() -> None:
    frame = hourly_frame()
    written = frame.assign(time=frame.time.dt.strftime("%d/%m/%Y %H:%M"))
    bundle = untrained(forecast_recipe(), written)
    new = written.tail(600)[:264]  # the first eleven days, which may be months
    assert bundle.predict(new).time[0] == pd.Timestamp("2024-01-12")


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        ({"load": "step"}, {"inputs": ["step", "heat"], "targets": ["step"]}),
        ({"site": "step"}, {"series": "step"}),
        ({"time": "step"}, {"time": "step"}),
        ({"load": "row"}, {"inputs": ["row", "heat"], "targets": ["row"], "time": None, "every": None, "calendar": []}),
    ],
)
def test_a_forecast_keeps_its_labels_beside_columns_of_their_names(
    names: dict[str, str], roles: dict[str, Any]
) -> None:
    frame = hourly_frame(series=("A", "B")) if "site" in names else hourly_frame()
    plain = untrained(
        forecast_recipe(
            **{key: None for key in roles if roles[key] is None}
            | ({"series": "site"} if "site" in names else {})
            | ({"calendar": []} if "calendar" in roles else {})
        ),
        frame,
    )
    expected = plain.predict(frame)
    bundle = untrained(forecast_recipe(**roles), frame.rename(columns=names))
    object.__setattr__(bundle, "model", plain.model)
    found = bundle.predict(frame.rename(columns=names))
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
    ((kits, theirs),) = [(name, name.rstrip("_")) for name in found if name.endswith("_")]
    assert {kits, theirs} <= set(found)


def test_the_total_error_is_not_that_of_a_column() -> None:
    frame = hourly_frame().rename(columns={"load": "reconstruction"})
    bundle = untrained(autoencode_recipe(inputs=["reconstruction", "heat"]), frame)
    found = bundle.score(frame)
    squares = found[["reconstruction_error_scaled", "heat_error_scaled"]].to_numpy() ** 2
    np.testing.assert_allclose(found.reconstruction_error, np.sqrt(squares.mean(axis=1)))
    assert "reconstruction_error_" in found
    assert any("two columns called reconstruction_error" in note for note in found.attrs["notes"])


_PREDICT = """
import sys, json
import pandas as pd
if sys.argv[3] != "as it is":
    pd.set_option("future.infer_string", sys.argv[3] == "strings")
from seq2seq_kit.tasks import read_bundle
frame = pd.read_csv(sys.argv[2], dtype={"site": str})
if sys.argv[3] == "arrow":
    frame = frame.convert_dtypes(dtype_backend="pyarrow")
answer = read_bundle(sys.argv[1]).predict(frame)
print(answer.to_json(date_format="iso", double_precision=4))
"""


@pytest.mark.slow
def test_a_bundle_predicts_the_same_in_another_zone_culture_and_type_of_strings(tmp_path: Path) -> None:
    frame = hourly_frame(series=("007", "7"))
    frame = frame.assign(time=frame.time.dt.tz_localize("UTC").dt.tz_convert(BERLIN))
    bundle = untrained(forecast_recipe(series="site", scale_per_series=True), frame)
    bundle.save(tmp_path / "bundle")
    frame.tail(700).to_csv(tmp_path / "rows.csv", index=False)
    expected = read_bundle(tmp_path / "bundle").predict(frame.tail(700))
    assert expected.site.unique().tolist() == ["007", "7"]
    for zone, culture, strings in (
        ("Asia/Tokyo", "de_DE.UTF-8", "strings"),
        ("America/Sao_Paulo", "C", "objects"),
        ("UTC", "tr_TR.UTF-8", "arrow"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", _PREDICT, str(tmp_path / "bundle"), str(tmp_path / "rows.csv"), strings],
            env=os.environ | {"TZ": zone, "LC_ALL": culture, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected.to_json(date_format="iso", double_precision=4)


def test_a_bundle_of_before_brings_no_times_to_any_clock(tmp_path: Path) -> None:
    frame = hourly_frame()
    bundle = untrained(forecast_recipe(), frame)
    state = bundle.scaler.to_json()
    assert state.pop("times") == {"zone": "", "day_first": None}
    object.__setattr__(bundle, "scaler", type(bundle.scaler).from_json(state))
    assert bundle.as_written == []
    expected = bundle.predict(frame)
    found = bundle.predict(frame.assign(time=frame.time.dt.tz_localize("UTC")))
    np.testing.assert_array_equal(found.load, expected.load)
