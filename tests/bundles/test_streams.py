"""Streams of events: any chunking gives what `detect` gives of the whole table, in another process too."""

import json
import sys
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.anomalies.stream import EventStream
from seq2seq_kit.anomalies.stream_update import StreamUpdate
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.tasks import open_job
from tests import forked
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe, slow_but
from tests.untyped import parse_recipe

SITES = ("a", "b", "c")
MODELS: dict[str, dict[str, Any]] = {
    "autoencoder": autoencode_recipe(series="site", input_steps=6),
    "strided": autoencode_recipe(series="site", input_steps=6, window_stride=4)
    | {"detect": {"stride": 4, "smooth": 3}},
    "apart": autoencode_recipe(series="site", input_steps=4) | {"detect": {"stride": 7, "smooth": 3}},
    "masked": autoencode_recipe(series="site", input_steps=6, missing="mask") | {"detect": {"columns": "mean"}},
    "carried": autoencode_recipe(series="site", input_steps=6, missing="ffill") | {"detect": {"combine": "max"}},
    "around": autoencode_recipe(series="site", input_steps=5, forecast_steps=2, backcast_steps=1, window_stride=2),
    "forecast": forecast_recipe(series="site", input_steps=6, output_steps=3)
    | {"detect": {"smooth": 2, "columns": "mahalanobis"}},
    "delayed": forecast_recipe(series="site", input_steps=6, output_steps=2, gap_steps=2) | {"detect": {}},
    "of each window": forecast_recipe(series="site", input_steps=6, window_scaling="standard", scale_per_series=True)
    | {"detect": {"combine": "mean"}},
    "next step": next_step_recipe(series="site", input_steps=6) | {"detect": {"min_steps": 2, "merge_gap": 3}},
    "median of three": forecast_recipe(series="site", input_steps=6, output_steps=1)
    | {"detect": {}, "ensemble": {"members": 3, "combine": "median"}},
    "mean of two": autoencode_recipe(series="site", input_steps=6, missing="mask") | {"ensemble": 2},
    "linear": autoencode_recipe(series="site", input_steps=6) | {"detect": {"by": "both", "merge_gap": 0}},
}


@cache
def untrained(name: str) -> WindowBundle:
    """A model as it begins, with a detector: what it says is another matter."""
    frame = hourly_frame(200, series=SITES)
    recipe = MODELS[name] | {"detect": {"alarms_per_week": 8, "merge_gap": 2} | MODELS[name].get("detect", {})}
    job = open_job(parse_recipe(recipe), frame)
    bundle, _ = job.detecting(job.bundle(job.make(), {}))
    assert isinstance(bundle, WindowBundle)
    return bundle


@cache
def table(name: str) -> pd.DataFrame:
    """Three series with wild rows, gaps and, where the model takes them, missing cells."""
    frame = hourly_frame(90, series=SITES, seed=4)
    rng = np.random.default_rng(0)
    for row in rng.integers(0, len(frame), 25):
        frame.loc[row : row + int(rng.integers(1, 4)), ["load", "heat"][row % 2]] *= 1.8
    if MODELS[name]["data"].get("missing", "refuse") != "refuse":
        frame.loc[rng.integers(0, len(frame), 30), "heat"] = np.nan
        frame.loc[[0, 90, 91], "heat"] = np.nan
    frame = frame.drop(index=[30, 31, 35, 120, 121, 122, 123, 178])
    return frame.sort_values(["time", "site"], kind="stable", ignore_index=True)


def told(updates: list[StreamUpdate]) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    scores = pd.concat([update.scores for update in updates], ignore_index=True)
    closed = pd.concat([update.closed for update in updates], ignore_index=True)
    scores = scores.sort_values(["site", "time"], ignore_index=True)
    closed = closed.drop(columns="event").sort_values(["site", "start"], ignore_index=True)
    return scores, closed, sum(update.unreached for update in updates)


@cache
def of_the_whole(name: str) -> Detection:
    """What `detect` gives of `table`."""
    return untrained(name).detect(table(name))


def same(
    found: tuple[pd.DataFrame, pd.DataFrame, int], name: str, frame: pd.DataFrame | None = None, *, least: int = 2
) -> None:
    whole = of_the_whole(name) if frame is None else untrained(name).detect(frame)
    expected = whole.events.drop(columns="event").sort_values(["site", "start"], ignore_index=True)
    exact: dict[str, Any] = {"check_dtype": False, "rtol": 1e-4, "atol": 1e-4}
    pd.testing.assert_frame_equal(
        found[0], whole.scores.drop(columns="event").sort_values(["site", "time"], ignore_index=True), **exact
    )
    pd.testing.assert_frame_equal(found[1], expected, **exact)
    assert found[2] == whole.unreached
    assert len(expected) >= least


@pytest.mark.parametrize("name", slow_but(MODELS, "forecast", "next step"))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(0, 262), max_size=12), saved=st.integers(0, 12))
def test_any_chunking_gives_what_the_whole_table_gives(name: str, cuts: list[int], saved: int) -> None:
    bundle, frame = untrained(name), table(name)
    stream, updates = bundle.event_stream(), []
    edges = [0, *sorted(cuts), len(frame)]
    for number, (first, end) in enumerate(pairwise(edges)):
        if end > first:
            updates.append(stream.feed(frame[first:end]))
        if number == saved:
            stream = bundle.event_stream(state=json.loads(json.dumps(stream.to_json(), allow_nan=False)))
    updates.append(stream.finish())
    same(told(updates), name)


@pytest.mark.parametrize(
    "name", slow_but(["autoencoder", "carried", "forecast", "next step", "median of three", "mean of two"], "carried")
)
def test_row_by_row_gives_the_same(name: str) -> None:
    stream = untrained(name).event_stream()
    updates = [stream.feed(row) for row in table(name).to_dict("records")]
    same(told([*updates, stream.finish()]), name)


@pytest.mark.parametrize("name", slow_but([name for name in MODELS if name != "of each window"], "autoencoder"))
@pytest.mark.parametrize("pieces", [1, 7, 60])
def test_a_column_that_dies_leaves_stream_and_table_the_same(name: str, pieces: int) -> None:
    """In one series from its beginning, in another one from the middle on, in the third for some rows."""
    frame = table(name).copy()
    number = frame.groupby("site").cumcount()
    dead = (frame.site == "a") | ((frame.site == "b") & (number >= 40)) | number.isin([5, 33, 34, 50])
    frame.loc[dead, "heat"] = np.nan
    frame.loc[number == 60, ["load", "heat"]] = np.nan
    stream = untrained(name).event_stream()
    updates = [stream.feed(frame[at : at + len(frame) // pieces]) for at in range(0, len(frame), len(frame) // pieces)]
    assert sum(update.without_value["heat"] for update in updates if update.without_value) == frame.heat.isna().sum()
    assert "no value of load in 3 rows, heat in" in " ".join(updates[0].notes) or pieces > 1
    found = told([*updates, stream.finish()])
    same(found, name, frame, least=1)
    scores = found[0].merge(frame, on=["site", "time"], suffixes=("", "_given"))
    judged = [column for column in ("load", "heat") if f"{column}_score" in scores]
    given = [f"{column}_given" for column in judged]
    assert (scores[[f"{column}_score" for column in judged]].isna().to_numpy() == scores[given].isna().to_numpy()).all()
    assert scores.score.isna().equals(scores[given].isna().all(axis=1))


def test_a_stream_with_a_silent_column_goes_on_from_its_state() -> None:
    frame = table("carried").copy()
    frame.loc[frame.groupby("site").cumcount() > 20, "heat"] = np.nan
    stream = untrained("carried").event_stream()
    updates = [stream.feed(frame[:80])]
    kept = json.loads(json.dumps(stream.to_json(), allow_nan=False))
    before = kept | {
        "series": {name: {k: v for k, v in each.items() if k != "silent"} for name, each in kept["series"].items()}
    }
    assert untrained("carried").event_stream(state=before).feed(frame[80:]).rows > 0  # of a version that did not count
    stream = untrained("carried").event_stream(state=kept)
    same(told([*updates, stream.feed(frame[80:]), stream.finish()]), "carried", frame, least=1)


@pytest.mark.slow
def test_events_open_before_they_close_under_the_same_number() -> None:
    stream = untrained("autoencoder").event_stream()
    opened: dict[int, pd.Timestamp] = {}
    for row in table("autoencoder").to_dict("records"):
        update = stream.feed(row)
        for event in update.opened.to_dict("records"):
            opened[event["event"]] = event["start"]
        for event in update.closed.to_dict("records"):
            assert opened.pop(event["event"]) == event["start"]
    assert set(stream.finish().closed.event) == set(opened)


@pytest.mark.slow
def test_a_state_goes_on_in_another_process(tmp_path: Path) -> None:
    bundle, frame = untrained("forecast"), table("forecast")
    stream = bundle.event_stream()
    updates = [stream.feed(frame[:150])]
    (tmp_path / "state.json").write_text(json.dumps(stream.to_json(), allow_nan=False))
    frame[150:].to_parquet(tmp_path / "rest.parquet")
    bundle.save(tmp_path / "bundle")
    code = (
        "import json, pandas as pd, seq2seq_kit as kit\n"
        "stream = kit.load('bundle').stream(state=json.load(open('state.json')))\n"
        "update, end = stream.feed(pd.read_parquet('rest.parquet')), stream.finish()\n"
        "pd.concat([update.scores, end.scores]).to_parquet('scores.parquet')\n"
        "pd.concat([update.closed, end.closed]).to_parquet('closed.parquet')\n"
        "print(update.unreached + end.unreached)\n"
    )
    done = forked.run([sys.executable, "-c", code], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = pd.concat([updates[0].scores, pd.read_parquet(tmp_path / "scores.parquet")])
    closed = pd.concat([updates[0].closed, pd.read_parquet(tmp_path / "closed.parquet")])
    found = (
        scores.sort_values(["site", "time"], ignore_index=True),
        closed.drop(columns="event").sort_values(["site", "start"], ignore_index=True),
        updates[0].unreached + int(done.stdout),
    )
    same(found, "forecast")


def rows_of(site: str, first: str, count: int) -> pd.DataFrame:
    times = pd.date_range(first, periods=count, freq="h")
    return pd.DataFrame({"time": times, "site": site, "load": 100.0, "heat": 10.0})


def test_late_duplicate_and_missing_rows_are_told_and_left_out() -> None:
    stream = untrained("autoencoder").event_stream()
    stream.feed(rows_of("a", "2026-03-01 00:00", 10))
    late = stream.feed(rows_of("a", "2026-03-01 07:00", 1))
    assert (late.late, late.rows) == ({"a": 1}, 0)
    twice = stream.feed(rows_of("a", "2026-03-01 09:00", 1))
    assert twice.duplicates == {"a": 1}
    beside = stream.feed(rows_of("a", "2026-03-01 10:20", 1))
    assert beside.duplicates == {"a": 1}
    after = stream.feed(rows_of("a", "2026-03-01 13:00", 2))
    assert after.missing == {"a": 3}
    assert "3 rows are missing; a new stretch begins after them: a" in after.notes
    assert after.rows == 5  # those that waited for rows that will not come
    mixed = pd.concat([rows_of("b", "2026-03-01 03:00", 2), rows_of("b", "2026-03-01 01:00", 2)])
    assert not stream.feed(mixed).late  # within a chunk rows are put in order
    assert stream.series == ["a", "b"]


def test_a_clock_that_jumps_back_is_an_error_and_nothing_is_taken() -> None:
    stream = untrained("autoencoder").event_stream()
    stream.feed(rows_of("a", "2026-03-02 00:00", 10))
    before = stream.to_json()
    jumped = pd.concat([rows_of("b", "2026-03-02 00:00", 10), rows_of("a", "2026-03-01 00:00", 10)])
    with pytest.raises(DataError, match="of series a jumps back by 33 steps") as error:
        stream.feed(jumped)
    assert error.value.code == "clock_jumped_back"
    within = pd.concat([rows_of("b", "2026-03-02 00:00", 30), rows_of("b", "2026-03-01 00:00", 10)])
    with pytest.raises(
        DataError, match=r"not in order of time.*of series b jumps back by 53 steps.*sort_values"
    ) as error:
        stream.feed(within)
    assert error.value.code == "clock_jumped_back"
    assert stream.to_json() == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"heat": 1e39}, "value_too_large"),
        ({"heat": "warm"}, "not_a_number"),
        ({"time": "soon"}, "invalid_timestamp"),
        ({"site": None}, "missing_series_name"),
    ],
)
def test_rows_that_cannot_be_read_change_nothing(change: dict[str, object], code: str) -> None:
    stream = untrained("autoencoder").event_stream()
    stream.feed(rows_of("a", "2026-03-01 00:00", 10))
    before = stream.to_json()
    row = {"time": pd.Timestamp("2026-03-01 10:00"), "site": "a", "load": 100.0, "heat": 10.0} | change
    with pytest.raises(DataError) as error:
        stream.feed(row)
    assert error.value.code == code
    assert stream.to_json() == before
    assert len(stream.feed(rows_of("a", "2026-03-01 10:00", 1)).scores) == 1


def test_rows_come_as_a_table_a_row_or_a_list_of_rows() -> None:
    frame = rows_of("a", "2026-03-01 00:00", 10)
    whole = untrained("autoencoder").event_stream()
    expected = whole.feed(frame).scores
    rows = frame.to_dict("records")
    for ways in (
        [rows],
        rows,
        [row for _, row in frame.iterrows()],
        [pa.Table.from_pandas(frame, preserve_index=False)],
    ):
        stream = untrained("autoencoder").event_stream()
        found = pd.concat([stream.feed(each).scores for each in ways], ignore_index=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)  # an empty column of names is none of texts
    before = whole.to_json()
    empty: list[dict[str, object]] = []
    for nothing in (frame.head(0), empty):
        assert whole.feed(nothing).rows == 0
    assert whole.to_json() == before
    for wrong in (None, 3, "row", [1, 2]):
        with pytest.raises(ArgumentError, match=r"One row is a dict by column name \(site, time, load, heat\)"):
            whole.feed(wrong)  # type: ignore[arg-type]


def test_a_row_of_a_wrong_far_time_is_forgotten_with_its_series() -> None:
    stream = untrained("autoencoder").event_stream()
    stream.feed(pd.concat([rows_of("a", "2026-03-01 00:00", 10), rows_of("b", "2026-03-01 00:00", 10)]))
    assert stream.feed(rows_of("a", "2027-03-01 00:00", 1)).missing == {"a": 8750}
    with pytest.raises(DataError, match=r"stream\.forget\('a'\)") as error:
        stream.feed(rows_of("a", "2026-03-01 10:00", 1))
    assert error.value.code == "clock_jumped_back"
    stream.forget("a")
    assert stream.feed(rows_of("a", "2026-03-01 10:00", 6)).rows == 1
    assert stream.feed(rows_of("b", "2026-03-01 10:00", 1)).rows == 1
    with pytest.raises(ArgumentError) as unknown:
        stream.forget("c")
    assert unknown.value.code == "invalid_argument"


def test_a_series_without_a_scale_changes_nothing() -> None:
    stream = untrained("of each window").event_stream()
    with pytest.raises(DataError) as error:
        stream.feed(pd.concat([rows_of("a", "2026-03-01", 3), rows_of("new", "2026-03-01", 3)]))
    assert error.value.code == "unknown_series"
    assert stream.series == []


@pytest.mark.parametrize("name", ["forecast", "apart"])
def test_a_state_of_another_model_is_refused(name: str) -> None:
    stored = untrained(name).event_stream().to_json()
    own = untrained("autoencoder").event_stream().to_json()
    broken = (own | {"series": {"a": {}}}, own | {"series": 3}, own | {"model": "0"}, json.dumps(own))
    states: list[Any] = [stored, {}, {"format": 1}, *broken]
    for wrong in states:
        with pytest.raises(ArgumentError) as error:
            untrained("autoencoder").event_stream(state=wrong)
        assert error.value.code == "invalid_stream_state"


@pytest.mark.parametrize("name", ["strided", "around", "forecast"])
def test_a_damaged_state_is_refused_and_the_stream_stays_as_it_was(name: str) -> None:
    stream = untrained(name).event_stream()
    stream.feed(table(name)[:150])
    stored = json.loads(json.dumps(stream.to_json()))
    whole = {each: state for each, state in stored["series"].items() if state["values"] and state["starts"]}
    site, state = next(iter(whole.items()))
    odd = ["x", True, 1e300, -(10**30), float("inf"), {}, [["a"]], [1e300] * 3]
    damaged = [state | {key: value} for key in state for value in odd]
    damaged += [state | {key: state[key] + by} for key in ("rows", "kept", "window", "newest") for by in (-1, 1)]
    damaged += [state | {key: state[key][1:]} for key in ("values", "matrix", "times", "filled", "stack", "starts")]
    damaged += [{key: value for key, value in state.items() if key != gone} for gone in state if gone != "silent"]
    damaged += [state | {"time": None}, state | {"times": state["times"][::-1]}, state | {"starts": [0] * 99}]
    damaged += [state | {"values": [[1e200] * len(row) for row in state["values"]]}]
    events = [each["event"] for each in stored["series"].values() if each["event"]] or [None]
    for event in filter(None, events):
        changes = [{key: value} for key in event for value in ("x", None, 1e300, 10**400, [1, 2, 3, 4])]
        damaged += [state | {"event": event | change} for change in changes]
    streams = [stored | {"series": stored["series"] | {site: each}} for each in damaged]
    streams += [stored | {"events": value} for value in (-1, 1.5, True, 10**30, None)]
    streams += [stored | {"series": {"": state}}, stored | {"series": [state]}]
    stream.feed(table(name)[150:160])
    before = stream.to_json()
    for wrong in streams:
        with pytest.raises(ArgumentError) as error:
            stream.restore(wrong)
        assert error.value.code == "invalid_stream_state"
    assert stream.to_json() == before


@pytest.mark.parametrize(
    "data", [{"resample": "mean"}, {"transform": {"load": "log"}}, {"gaps": "fill", "missing": "interpolate"}]
)
def test_what_no_stream_can_do_is_told(data: dict[str, Any]) -> None:
    job = open_job(parse_recipe(autoencode_recipe(**data)), hourly_frame(300))
    bundle, _ = job.detecting(job.bundle(job.build(), {}, peers=False))
    with pytest.raises(ArgumentError) as error:
        bundle.stream()
    assert error.value.code == "stream_not_supported"
    with pytest.raises(ArgumentError) as error:
        replace(bundle, detector=None).stream()
    assert error.value.code == "no_detector"


def test_without_a_clock_rows_are_steps() -> None:
    frame = hourly_frame(300).drop(columns="time")
    recipe = autoencode_recipe(input_steps=6)
    del recipe["data"]["time"], recipe["data"]["every"]
    job = open_job(parse_recipe(recipe), frame)
    bundle, _ = job.detecting(job.bundle(job.build(), {}, peers=False))
    stream: EventStream = bundle.stream()
    updates = [stream.feed(row) for row in frame[:40].to_dict("records")] + [stream.feed(frame[40:]), stream.finish()]
    found = pd.concat([update.scores for update in updates], ignore_index=True)
    pd.testing.assert_frame_equal(
        found, bundle.detect(frame).scores.drop(columns="event"), check_dtype=False, rtol=1e-4
    )
    assert found.row.tolist() == list(range(1, 301))


def test_a_single_bad_cell_is_no_column_of_texts() -> None:
    stream = untrained("autoencoder").event_stream()
    row = rows_of("a", "2026-03-01", 1).astype({"heat": object})
    row.loc[0, "heat"] = "broken"
    with pytest.raises(DataError, match="Correct the cell") as caught:
        stream.feed(row)
    assert caught.value.code == "not_a_number"
