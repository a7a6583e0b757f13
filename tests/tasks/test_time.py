"""Every key of time holds wherever a task reads a table: in training, in answers, served, streamed, with a future frame."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.tasks import open_job
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    levelled_frame,
    next_step_recipe,
    tag_values_recipe,
)
from tests.untyped import parse_recipe

pytestmark = pytest.mark.slow


def untrained(recipe: dict[str, Any], frame: pd.DataFrame) -> tuple[Any, Any]:
    """A job, and a bundle of its model as it begins."""
    job: Any = open_job(parse_recipe(recipe), frame)
    return job, job.bundle(job.build(), {})


def in_two_columns(frame: pd.DataFrame) -> pd.DataFrame:
    split = {"day": frame.time.dt.strftime("%d.%m.%Y"), "clock": frame.time.dt.strftime("%H:%M")}
    return frame.drop(columns="time").assign(**split)


def in_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(time=frame.time.astype("M8[s]").astype("int64"))


def with_duplicates(frame: pd.DataFrame) -> pd.DataFrame:
    """Each tenth row twice, the second time with an impossible load."""
    return pd.concat([frame, frame.iloc[::10].assign(load=-1e6)], ignore_index=True)


def every_quarter(frame: pd.DataFrame) -> pd.DataFrame:
    """Four rows an hour, whose mean is the hour's."""
    rows = frame.loc[frame.index.repeat(4)].reset_index(drop=True)
    minutes = np.tile([1, 16, 31, 46], len(frame))
    return rows.assign(time=rows.time + pd.to_timedelta(minutes, unit="min"), load=rows.load + (minutes - 23.5) / 10)


def with_holes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=range(100, 400, 50)).reset_index(drop=True)


WRITTEN = [
    (in_two_columns, {"time": ["day", "clock"]}, "day_clock"),
    (in_seconds, {"time_format": "epoch_s"}, "time"),
    (with_duplicates, {"duplicates": "first"}, "time"),
    (every_quarter, {"resample": "mean"}, "time"),
]


@pytest.mark.parametrize(("write", "data", "name"), WRITTEN, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("known", [[], ["heat"]], ids=["", "known_future"])
def test_the_same_rows_written_otherwise_give_the_same_forecast(
    write: Any, data: dict[str, Any], name: str, known: list[str]
) -> None:
    frame = hourly_frame(400)
    section = {"known_future": known, "inputs": ["load"] if known else ["load", "heat"]}
    plain, expected = untrained(forecast_recipe(**section), frame)
    job, bundle = untrained(forecast_recipe(**section, **data), write(frame))
    bundle.model.set_weights(expected.model.get_weights())
    np.testing.assert_allclose(job.prepared.matrix[:], plain.prepared.matrix[:], atol=1e-4)
    rows, later = frame[:300], frame[300:310]
    given = write(rows.reset_index(drop=True))
    future = write(later.reset_index(drop=True)) if known else None
    answer = bundle.predict(given, future=future)
    wanted = expected.predict(rows, future=later if known else None)
    np.testing.assert_allclose(answer.load, wanted.load, rtol=1e-4)
    assert answer[name].dt.tz_localize(None).tolist() == wanted.time.tolist()
    every = bundle.predict(given, future=future, all_windows=True)
    assert len(every) == len(expected.predict(rows, future=later if known else None, all_windows=True))
    assert bundle.evaluate(write(frame)).table().shape == expected.evaluate(frame).table().shape
    served = job.served(bundle)
    assert set(served) == {"frames", "tensors"}


@pytest.mark.parametrize("known", [[], ["heat"]], ids=["", "known_future"])
def test_rows_are_steps_and_the_time_of_the_next_one_is_not_known(known: list[str]) -> None:
    frame = hourly_frame(400)
    section = {"known_future": known, "inputs": ["load"] if known else ["load", "heat"], "calendar": []}
    _, expected = untrained(forecast_recipe(**section), frame)
    uneven = frame.assign(time=frame.time + pd.to_timedelta(np.arange(400) ** 2, unit="s"))
    job, bundle = untrained(forecast_recipe(**section, every="rows"), uneven)
    bundle.model.set_weights(expected.model.get_weights())
    future = {"future": uneven[290:306]} if known else {}
    answer = bundle.predict(uneven[:300], **future)
    wanted = expected.predict(frame[:300], **({"future": frame[300:306]} if known else {}))
    np.testing.assert_allclose(answer.load, wanted.load, rtol=1e-4)
    assert answer.time.isna().all()
    every = bundle.predict(uneven[:300], all_windows=True, **future)
    assert every.time[: 6 * 200].equals(
        pd.Series(np.lib.stride_tricks.sliding_window_view(uneven.time[24:], 6)[:200].ravel())
    )
    assert set(job.served(bundle)) == {"frames", "tensors"}


@pytest.mark.parametrize("missing", ["interpolate", "ffill", "mask"])
def test_absent_rows_are_filled_as_missing_cells_are(missing: str) -> None:
    frame = hourly_frame(600)
    empty = frame.copy()
    empty.loc[range(100, 400, 50), ["load", "heat"]] = np.nan
    plain, expected = untrained(forecast_recipe(missing=missing), empty)
    job, bundle = untrained(forecast_recipe(missing=missing, gaps="fill"), with_holes(frame))
    np.testing.assert_array_equal(job.prepared.matrix[:], plain.prepared.matrix[:])
    for part in ("train", "val", "test"):
        assert job.prepared.windows[part].count == plain.prepared.windows[part].count
    bundle.model.set_weights(expected.model.get_weights())
    np.testing.assert_allclose(bundle.predict(with_holes(frame)).load, expected.predict(empty).load, rtol=1e-5)
    assert set(job.served(bundle)) == {"frames", "tensors"}


def test_no_training_window_is_drawn_towards_a_later_part_over_rows_that_were_added() -> None:
    frame = hourly_frame(600)
    hole = frame.drop(index=range(410, 430)).reset_index(drop=True)  # over the border of train and val
    recipe = forecast_recipe(missing="interpolate", gaps="fill")
    other = hole.assign(load=np.where(np.arange(len(hole)) >= 410, 1e4, hole.load))
    matrices = [untrained(recipe, rows)[0].prepared for rows in (hole, other)]
    end = matrices[0].split.rows("train")[0, 1]
    assert 410 < end < 430
    windows = np.arange(matrices[0].count("train"))
    assert len(windows) == matrices[1].count("train") > 0
    for one, two in zip(*(prepared.arrays("train", windows) for prepared in matrices), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(*(prepared.scaled_targets("train", windows) for prepared in matrices))


@pytest.mark.parametrize(("write", "data", "name"), WRITTEN, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("recipe", [autoencode_recipe, next_step_recipe], ids=lambda value: value.__name__)
def test_other_tasks_read_the_same_rows(write: Any, data: dict[str, Any], name: str, recipe: Any) -> None:
    frame = hourly_frame(400)
    job, bundle = untrained(recipe(**data), write(frame))
    assert len(job.prepared.table.values) == 400
    assert set(job.served(bundle)) == {"frames", "tensors"}
    given = write(frame[:100].reset_index(drop=True))
    answer = bundle.predict(given) if recipe is next_step_recipe else bundle.score(given)
    assert any(column.endswith(name) for column in answer)
    if recipe is next_step_recipe:
        stream = bundle.stream()
        given = write(frame[76:100].reset_index(drop=True))  # what a forecast reads
        stream.feed(given)
        np.testing.assert_allclose(stream.predict(steps=3).load, bundle.predict(given, steps=3).load, rtol=1e-3)


def test_a_stream_of_rows_goes_on_whatever_the_clock_says() -> None:
    frame = hourly_frame(400)
    uneven = frame.assign(time=frame.time + pd.to_timedelta(np.arange(400) ** 2, unit="s"))
    _, bundle = untrained(next_step_recipe(every="rows", calendar=[]), uneven)
    stream = bundle.stream()
    stream.feed(uneven[76:90])
    stream.feed(uneven[90:100])
    np.testing.assert_allclose(stream.predict(steps=3).load, bundle.predict(uneven[76:100], steps=3).load, rtol=1e-3)


def hourly_levels() -> pd.DataFrame:
    return levelled_frame(600).assign(time=pd.date_range("2024-01-01", periods=600, freq="h"))


def test_a_tagger_gives_no_label_to_rows_that_were_added() -> None:
    frame = hourly_levels().drop(index=range(100, 500, 50)).reset_index(drop=True)
    recipe = tag_values_recipe(time="time", every="1h", gaps="fill", missing="ffill")
    job, bundle = untrained(recipe, frame)
    label = recipe["data"]["labels"]
    assert len(job.prepared.table.values) == 600
    truth = job.examples.truth.values
    assert (truth < 0).sum() == 600 - len(frame)
    answer = bundle.predict(frame.drop(columns=label))
    assert answer.time.tolist() == frame.time.tolist()
    assert job.served(bundle)


def test_a_window_that_ends_in_a_row_that_was_added_has_no_label() -> None:
    frame = hourly_levels().drop(index=range(100, 500, 50)).reset_index(drop=True)
    label = tag_values_recipe()["data"]["labels"]
    data = {
        "time": "time",
        "every": "1h",
        "gaps": "fill",
        "missing": "ffill",
        "inputs": tag_values_recipe()["data"]["inputs"],
        "label": label,
        "input_steps": 12,
    }
    job, bundle = untrained(
        {"task": "classify", "name": "windows", "data": data, "model": {"encoder_units": [4]}}, frame
    )
    ends = pd.DatetimeIndex(job.examples.about.time)
    labelled = np.concatenate([job.examples.parts[part] for part in ("train", "val", "test")])
    assert ends[labelled].isin(frame.time).all()
    assert len(labelled) < len(ends)
    assert len(bundle.predict(frame)) == 600 - 11
    assert job.served(bundle)


def test_business_days_without_holidays_are_followed_by_business_days() -> None:
    days = pd.bdate_range("2022-01-03", "2024-03-28")
    import holidays

    free = holidays.country_holidays("DE", years=range(2022, 2025))
    days = days[[day.date() not in free for day in days]]
    frame = hourly_frame(len(days)).assign(time=days)
    section = {"every": "1bd", "holidays": "DE", "calendar": ["holidays", "days_to_holiday", "month_end"]}
    job, bundle = untrained(forecast_recipe(**section), frame)
    assert len(job.prepared.segments) == 1
    assert bundle.predict(frame).time.dt.strftime("%m-%d").tolist() == [
        "04-02",
        "04-03",
        "04-04",
        "04-05",
        "04-08",
        "04-09",
    ]
    assert bundle.predict(frame[:-1]).time[0] == frame.time.iloc[-1]


def test_the_same_instants_in_utc_give_the_same_forecast_of_steps_of_the_local_clock() -> None:
    local = pd.date_range("2023-10-01", periods=4 * 24 * 45, freq="15min", tz="Europe/Berlin")
    frame = pd.DataFrame({"time": local, "load": np.sin(2 * np.pi * np.asarray(local.hour) / 24), "heat": 1.0})
    section = {"every": "1d", "resample": "mean", "input_steps": 5, "output_steps": 2}
    section["calendar"] = ["day_of_week", "holidays"]
    section["holidays"] = "DE"
    _, bundle = untrained(forecast_recipe(**section), frame)
    there, here = bundle.predict(frame), bundle.predict(frame.assign(time=local.tz_convert("UTC")))
    pd.testing.assert_frame_equal(there, here)
    assert (there.time.dt.hour == 0).all()
