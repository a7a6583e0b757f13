"""Series too short for a window: left out and told, refused, or padded on the left."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import prepare_ahead
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.errors import DataError, RecipeError, SeriesTooShortError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from seq2seq_kit.tasks.forecast.recipe import ForecastData
from tests.conftest import forecast_recipe, hourly_frame, next_step_recipe
from tests.untyped import parse_recipe

SITES = ("east", "north", "west")


def data_of(**data: Any) -> ForecastData:
    return parse_recipe(forecast_recipe(series="site", **data)).data


def shops(rows: dict[str, int]) -> pd.DataFrame:
    """The newest rows of each series."""
    frame = hourly_frame(400, series=tuple(rows))
    return pd.concat([frame[frame["site"] == name].tail(count) for name, count in rows.items()], ignore_index=True)


def untrained(frame: pd.DataFrame, **data: Any) -> ForecastBundle:
    job = open_job(parse_recipe(forecast_recipe(series="site", **data)), frame)
    bundle = job.bundle(job.build(), {}, peers=False)
    assert isinstance(bundle, ForecastBundle)
    return bundle


def test_a_series_too_short_stops_no_other() -> None:
    bundle = untrained(hourly_frame(300, series=SITES))
    frame = shops({"east": 100, "north": 23, "west": 24})
    forecast = bundle.predict(frame)
    assert forecast["site"].unique().tolist() == ["east", "west"]
    assert forecast.attrs["left_out"] == {"north": "23 rows"}
    assert forecast.attrs["notes"] == ["1 of 3 series are not forecast: north (23 rows)"]
    # The others are forecast as they are without it.
    alone = bundle.predict(frame[frame["site"] != "north"])
    pd.testing.assert_frame_equal(forecast, alone)
    assert "left_out" not in alone.attrs


def test_what_stands_in_the_way_is_told_of_each_series() -> None:
    bundle = untrained(hourly_frame(300, series=SITES), scale_per_series=True, missing="ffill")
    frame = hourly_frame(100, series=(*SITES, "new"))
    frame.loc[(frame["site"] == "north") & (frame.index % 100 > 96), ["load", "heat"]] = np.nan
    frame = frame.drop(index=[290])  # west: ten rows from its end
    forecast = bundle.predict(frame)
    assert forecast["site"].unique().tolist() == ["east"]
    assert forecast.attrs["left_out"] == {
        "new": "not in the training data",
        "north": "no value in the newest 3 rows",
        "west": "9 rows",
    }


def test_series_without_a_value_of_a_target_are_left_out() -> None:
    bundle = untrained(hourly_frame(300, series=SITES), scale_per_series=True, missing="ffill")
    frame = hourly_frame(100, series=SITES)
    frame.loc[(frame["site"] == "north") & (frame.index % 100 >= 76), "load"] = np.nan
    frame.loc[(frame["site"] == "west") & (frame.index % 100 >= 77), "load"] = np.nan
    forecast = bundle.predict(frame)
    assert forecast.attrs["left_out"] == {"north": "no value of load in the newest 24 rows"}
    assert [
        note for note in forecast.attrs["notes"] if "the newest 23 rows have no value in load of series west" in note
    ]


@pytest.mark.parametrize("rows", [{"east": 20, "west": 3}, {"east": 20}])
def test_no_series_that_can_be_forecast_is_an_error(rows: dict[str, int]) -> None:
    bundle = untrained(hourly_frame(300, series=SITES))
    with pytest.raises(SeriesTooShortError, match="series east: 20 rows"):
        bundle.predict(shops(rows))


def test_refuse_stops_at_the_first_short_series() -> None:
    long, short = hourly_frame(300, series=SITES), shops({"east": 300, "north": 300, "west": 30})
    bundle = untrained(long, short_series="refuse")
    with pytest.raises(SeriesTooShortError, match="series west: 20 rows"):
        bundle.predict(shops({"east": 100, "north": 24, "west": 20}))
    with pytest.raises(SeriesTooShortError, match="1 of 3 series are too short for a train window: west"):
        prepare(data_of(short_series="refuse"), short)
    assert prepare(data_of(), short).count("train") == 2 * 181


def test_series_with_fewer_rows_than_the_split_asks_for_have_no_part() -> None:
    frame, split = shops({"east": 300, "north": 60, "west": 300}), {"train": 200, "val": 40, "test": 40}
    prepared = prepare(data_of(split=split), frame)
    assert np.unique(prepared.series_of("train")).tolist() == np.unique(prepared.series_of("test")).tolist() == [0, 2]
    with pytest.raises(DataError, match="the series north has 60"):
        prepare(data_of(split=split, short_series="refuse"), frame)


def _padded(frame: pd.DataFrame, **data: Any) -> Prepared:
    return prepare(data_of(short_series="pad", **data), frame)


def test_padding_is_what_the_mask_makes_of_missing_cells() -> None:
    frame = shops({"east": 300, "north": 30, "west": 300})
    prepared = _padded(frame)
    plain = prepare(data_of(), frame)
    windows = prepared.windows["train"]
    north = np.flatnonzero(prepared.series_of("train") == 1)
    # 21 training rows: of the windows that begin in the padding the first reads a single row.
    assert len(north) == 21 - 1 - 6 + 1
    assert not (plain.series_of("train") == 1).any()
    inputs, future = prepared.arrays("train", north[:1])
    observed = prepared.layout.columns.index("load_observed")
    assert inputs[0, :, observed].tolist() == [0.0] * 23 + [1.0]
    assert (inputs[0, :23, :2] == 0).all()
    # Targets and the steps ahead are those of the series' own rows.
    own = frame[frame["site"] == "north"]["load"].to_numpy()
    np.testing.assert_array_equal(prepared.truth("train", north[:1])[0, :, 0], own[1:7])
    assert future.shape == (1, 6, 3)
    np.testing.assert_allclose(
        prepared.restore(prepared.scaled_targets("train", north), "train", north),
        prepared.truth("train", north),
        rtol=1e-6,
    )
    # Series that are long enough are windowed as they are without it.
    assert (prepared.series_of("train") == 0).sum() == (plain.series_of("train") == 0).sum()
    assert np.isfinite(prepared.matrix[:][windows.input_rows()][..., : prepared.layout.inputs]).all()


def test_the_calendar_of_the_padding_goes_on_to_the_past() -> None:
    prepared = _padded(shops({"east": 300, "north": 30}), calendar=["hour"])
    times, bounds = prepared.table.times, prepared.table.bounds
    assert times is not None
    steps = np.diff(times[int(bounds[1]) : int(bounds[2])])
    assert len(steps) == 23 + 30 - 1
    assert (steps == np.timedelta64(1, "h")).all()
    assert prepared.table.number(int(bounds[1]) + 23) == 301


@pytest.mark.parametrize("missing", ["refuse", "interpolate", "ffill", "mask"])
def test_a_padded_series_is_forecast_from_its_newest_rows(missing: str) -> None:
    frame = shops({"east": 300, "north": 5})
    if missing != "refuse":
        frame.loc[300, "load"] = np.nan  # the first row of north
    section = data_of(short_series="pad", missing=missing)
    scaler = prepare(section, hourly_frame(300, series=("east", "north"))).scaler
    prepared = prepare_ahead(section, frame, scaler)
    newest = np.array([prepared.windows["test"].count - 1])
    past = prepared.arrays("test", newest)[0][0]
    names = prepared.layout.columns
    given = [0.0] * 19 + ([1.0] * 5 if missing == "refuse" else [0.0] + [1.0] * 4)
    assert past[:, names.index("load_observed")].tolist() == given
    load = scaler.inverse(past[-4:, None, :2], np.zeros(4, np.int64))[:, 0, 0]
    np.testing.assert_allclose(load, frame["load"].to_numpy()[-4:], rtol=1e-6)
    # Exactly the columns of the longer series' own window.
    whole = prepare_ahead(section, frame[frame["site"] == "east"], scaler)
    assert whole.layout.columns == names


def test_rows_without_time_are_numbered_by_the_rows_that_there_are() -> None:
    bundle = untrained(hourly_frame(300, series=SITES), time=None, every=None, calendar=[], short_series="pad")
    forecast = bundle.predict(shops({"east": 40, "north": 5}))
    assert forecast.groupby("site")["row"].min().to_dict() == {"east": 41, "north": 6}


def test_a_padded_series_is_evaluated() -> None:
    section = data_of(short_series="pad")
    scaler = prepare(section, hourly_frame(300, series=("east", "north"))).scaler
    prepared = prepare_new(section, shops({"east": 100, "north": 10}), scaler)
    assert (prepared.series_of("test") == 1).sum() == 10 - 1 - 6 + 1


def test_folds_and_other_scalers_keep_the_padding() -> None:
    prepared = _padded(shops({"east": 300, "north": 60}), missing="interpolate")
    again = prepared.with_scaler(prepared.scaler)
    np.testing.assert_array_equal(again.matrix[:], prepared.matrix[:])
    assert prepared.folds(1)[0].count("train") > 0


def test_what_padding_does_not_go_with_is_told() -> None:
    raw = forecast_recipe(short_series="pad") | {"model": {"normalise": "last"}}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(raw)
    assert [(problem.key, problem.code) for problem in caught.value.problems] == [
        ("model.normalise", "conflicting_keys")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("make", [forecast_recipe, next_step_recipe])
def test_a_forecast_of_many_series_tells_of_the_short_one(make: Any) -> None:
    job = open_job(parse_recipe(make(series="site")), hourly_frame(300, series=SITES))
    forecast = job.bundle(job.build(), {}, peers=False).predict(shops({"east": 100, "north": 9, "west": 30}))
    assert forecast["site"].unique().tolist() == ["east", "west"]
    assert forecast.attrs["left_out"] == {"north": "9 rows"}


@pytest.mark.slow
def test_short_series_alone_are_trained_on() -> None:
    """Not one window fits into any of them."""
    names = tuple(f"s{number:02}" for number in range(40))
    job = open_job(parse_recipe(forecast_recipe(series="site", short_series="pad")), shops(dict.fromkeys(names, 40)))
    model = job.build()
    assert np.isfinite([epoch.val_loss for epoch in job.fit(model, []).history]).all()
    bundle = job.bundle(model, {})
    assert isinstance(bundle, ForecastBundle)
    board = job.report(bundle, "test")
    assert np.isfinite([board.overall(name).rmse for name in board.names]).all()
    forecast = bundle.predict(shops({"s00": 7, "s01": 45}))
    assert len(forecast) == 12
    assert np.isfinite(forecast["load"]).all()
