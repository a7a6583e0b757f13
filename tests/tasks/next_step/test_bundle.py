"""A next-step bundle forecasts any number of steps, and its streams hold states that the caller can keep and set."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError, SeriesTooShortError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.next_step.bundle import NextStepBundle
from tests import forked
from tests.conftest import hourly_frame, next_step_recipe
from tests.untyped import TrainResult, load, parse_recipe, read_bundle

SITES = ("a", "b", "c")


def untrained(frame: pd.DataFrame, **data: Any) -> NextStepBundle:
    recipe = parse_recipe(next_step_recipe(**data))
    job = open_job(recipe, frame)
    bundle = job.bundle(job.build(), {}, peers=False)
    assert isinstance(bundle, NextStepBundle)
    return bundle


@pytest.fixture(scope="module")
def tanks() -> NextStepBundle:
    """Three series, no calendar, random weights."""
    return untrained(hourly_frame(200, series=SITES), series="site", calendar=[])


@pytest.fixture(scope="module")
def calendar() -> NextStepBundle:
    """Three series with the hour."""
    return untrained(hourly_frame(200, series=SITES), series="site")


def array_of(frame: pd.DataFrame, first: int = 0, end: int | None = None) -> np.ndarray:
    rows = [group[["load", "heat"]].to_numpy()[first:end] for _, group in frame.groupby("site", sort=False)]
    return np.stack(rows)


def cut(frame: pd.DataFrame, first: int, end: int) -> pd.DataFrame:
    place = frame.groupby("site", sort=False).cumcount()
    return frame[(place >= first) & (place < end)].reset_index(drop=True)


# --- forecasts


@pytest.mark.slow
def test_a_run_is_trained_logged_and_evaluated_beside_the_baselines(next_step_run: TrainResult) -> None:
    assert next_step_run.test.names == ["model", "last value", "seasonal naive (week)", "ridge"]
    assert next_step_run.test.steps == 6
    assert next_step_run.test.targets == ["load", "heat"]
    assert next_step_run.test.skill_against("last value") > 0
    assert next_step_run.fit.history[-1].val_loss < next_step_run.fit.history[0].val_loss


def test_a_forecast_is_of_the_inputs_after_the_newest_rows(next_step_run: TrainResult) -> None:
    frame = hourly_frame(50, series=("a", "b"))
    forecast = next_step_run.bundle.predict(frame)
    assert list(forecast) == ["site", "time", "step", "load", "heat"]
    assert forecast["step"].tolist() == [*range(1, 7)] * 2
    assert forecast["time"][0] == frame["time"].max() + pd.Timedelta(hours=1)


@pytest.mark.parametrize("steps", [1, 2, 6, 40])
def test_any_number_of_steps_begins_alike(next_step_run: TrainResult, steps: int) -> None:
    frame = hourly_frame(50, series=("a", "b"))
    whole = next_step_run.bundle.predict(frame, steps=45)
    some = next_step_run.bundle.predict(frame, steps=steps)
    assert some["step"].max() == steps
    expected = whole[whole["step"] <= steps].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected, rtol=1e-5)


def test_only_the_newest_input_steps_are_read(next_step_run: TrainResult) -> None:
    frame = hourly_frame(60, series=("a", "b"))
    changed = frame.copy()
    changed.loc[frame.groupby("site").cumcount() < 36, ["load", "heat"]] = 0.0
    expected = next_step_run.bundle.predict(frame)
    pd.testing.assert_frame_equal(next_step_run.bundle.predict(changed), expected)


def test_every_window_gives_the_numbers_of_the_evaluation(next_step_run: TrainResult) -> None:
    frame = hourly_frame(60, series=("a", "b"))
    every = next_step_run.bundle.predict(frame, all_windows=True)
    board = next_step_run.bundle.evaluate(frame)
    truth = frame.set_index(["site", "time"])["load"].rename("load_truth")
    known = every.set_index(["site", "time"]).join(truth).dropna()
    # The last windows reach behind the rows and have no whole truth.
    window = (known["step"] == 1).cumsum()
    known = known[known.groupby(window)["step"].transform("count") == 6]
    error = known["load"] - known["load_truth"]
    table = board.table()
    row = table[(table.forecaster == "model") & (table.target == "load") & (table.series == "") & (table.step == 0)]
    assert float(np.sqrt((error**2).mean())) == pytest.approx(float(row["rmse"].iloc[0]), rel=1e-6)
    assert len(error) == int(row["cells"].iloc[0])


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same(next_step_run: TrainResult, tmp_path: Path) -> None:
    frame = hourly_frame(50, series=("a", "b"))
    frame.to_csv(tmp_path / "new.csv", index=False)
    folder = next_step_run.bundle.save(tmp_path / "bundle")
    command = [sys.executable, "-m", "seq2seq_kit", "predict", str(folder), "--data", "new.csv", "--steps", "9"]
    done = forked.run([*command, "--out", "out.csv"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = next_step_run.bundle.predict(frame, steps=9)
    np.testing.assert_allclose(
        pd.read_csv(tmp_path / "out.csv")[["load", "heat"]], expected[["load", "heat"]], rtol=1e-5
    )


def test_the_run_loads_from_mlflow_and_its_page_is_whole(next_step_run: TrainResult, store: Path) -> None:
    from seq2seq_kit.tracking.client import open_tracking

    bundle = load(next_step_run.run_id, tracking_uri=str(store))
    assert isinstance(bundle, NextStepBundle)
    frame = hourly_frame(40, series=("a", "b"))
    pd.testing.assert_frame_equal(bundle.predict(frame), next_step_run.bundle.predict(frame), rtol=1e-6)
    figures = open_tracking(str(store)).fetch(next_step_run.run_id, "figures", store.parent / "next_step_figures")
    names = {path.name for path in Path(figures).iterdir()}
    assert names == {"loss_curves.png", "forecasts.png", "forecasts.html", "error_by_step.png", "model.png"}


def test_a_saved_bundle_keeps_its_peers_and_answers(next_step_run: TrainResult, tmp_path: Path) -> None:
    again = read_bundle(next_step_run.bundle.save(tmp_path / "bundle"))
    assert [peer.name for peer in again.baselines] == [peer.name for peer in next_step_run.bundle.baselines]
    frame = hourly_frame(40, series=("a", "b"))
    pd.testing.assert_frame_equal(again.answer(frame), next_step_run.bundle.predict(frame), rtol=1e-6)
    assert again.ignored_columns(frame.assign(wind=1.0)) == ["wind"]


@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_steps_are_whole_numbers(tanks: NextStepBundle, steps: Any) -> None:
    with pytest.raises(ArgumentError, match=rf"steps must be a whole number of at least 1\. Received: steps={steps}"):
        tanks.predict(hourly_frame(40, series=SITES), steps=steps)


def test_what_does_not_fit_is_told(tanks: NextStepBundle) -> None:
    with pytest.raises(SeriesTooShortError, match=r"newest 24 rows .* 10 rows"):
        tanks.predict(hourly_frame(10, series=SITES))
    with pytest.raises(ArgumentError, match="takes no `future`"):
        tanks.predict(hourly_frame(40, series=SITES), future=hourly_frame(2))


# --- streams


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_chunks_of_two_and_three_rows_are_five(cell: str) -> None:
    frame = hourly_frame(200, series=SITES)
    recipe = next_step_recipe(series="site", calendar=[]) | {"model": {"units": [6, 5], "cell": cell}}
    job = open_job(parse_recipe(recipe), frame)
    bundle: Any = job.bundle(job.build(), {}, peers=False)
    rows = array_of(frame, 0, 5)
    whole, parts = bundle.stream(SITES), bundle.stream(SITES)
    expected = whole.feed(rows)
    received = np.concatenate([parts.feed(rows[:, :2]), parts.feed(rows[:, 2:])], axis=1)
    assert expected.shape == (3, 5, 2)
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    for name, state in parts.states.items():
        np.testing.assert_allclose(state, whole.states[name], rtol=1e-5, atol=1e-6)
    pd.testing.assert_frame_equal(parts.predict(steps=7), whole.predict(steps=7), rtol=1e-5)


def test_a_stream_of_frames_is_one_of_arrays(calendar: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    framed, plain = calendar.stream(SITES), calendar.stream(SITES)
    told = framed.feed(cut(frame, 0, 4))
    times = pd.DatetimeIndex(frame["time"][:4])
    values = plain.feed(array_of(frame, 0, 4), times=times)
    assert isinstance(told, pd.DataFrame)
    assert list(told) == ["site", "time", "load", "heat"]
    np.testing.assert_allclose(told[["load", "heat"]].to_numpy().reshape(3, 4, 2), values)
    # Each is the prediction of the row after the one that was read.
    assert told["time"].tolist() == [*frame["time"][1:5]] * 3


def test_the_order_of_the_rows_does_not_matter(tanks: NextStepBundle) -> None:
    frame = cut(hourly_frame(200, series=SITES), 0, 6)
    stream, shuffled = tanks.stream(SITES), tanks.stream(("c", "a", "b"))
    stream.feed(frame)
    shuffled.feed(frame.sample(frac=1, random_state=0))
    state = stream.states["layer_0 h"]
    np.testing.assert_allclose(shuffled.states["layer_0 h"], state[[2, 0, 1]], atol=1e-6)


def test_after_the_warm_up_a_stream_forecasts_what_predict_does(calendar: NextStepBundle) -> None:
    frame = hourly_frame(24, series=SITES)
    stream = calendar.stream(SITES)
    stream.feed(cut(frame, 0, 7))
    stream.feed(cut(frame, 7, 24))
    pd.testing.assert_frame_equal(stream.predict(steps=11), calendar.predict(frame, steps=11), rtol=1e-5)


def test_predicting_moves_nothing(tanks: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = tanks.stream(SITES)
    stream.feed(cut(frame, 0, 5))
    before = stream.states
    stream.predict(steps=9)
    for name, state in stream.states.items():
        np.testing.assert_array_equal(state, before[name])
    stream.feed(cut(frame, 5, 6))


def test_rows_are_counted_where_there_is_no_time() -> None:
    frame = hourly_frame(200).drop(columns="time")
    bundle = untrained(frame, time=None, every=None, calendar=[])
    stream = bundle.stream()
    stream.feed(frame[:3])
    assert stream.feed(frame[3:5])["row"].tolist() == [5, 6]
    told = stream.predict(steps=3)
    assert list(told) == ["row", "step", "load", "heat"]
    assert told["row"].tolist() == [6, 7, 8]


def test_a_reset_sequence_begins_anew_and_the_others_go_on(tanks: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream, fresh = tanks.stream(SITES), tanks.stream(SITES)
    stream.feed(array_of(frame, 0, 6))
    stream.reset(["b"])
    again, new = stream.feed(array_of(frame, 6, 9)), fresh.feed(array_of(frame, 6, 9))
    np.testing.assert_allclose(again[1], new[1], rtol=1e-5)
    assert np.abs(again[[0, 2]] - new[[0, 2]]).max() > 1e-4


def test_after_a_reset_any_time_may_follow(calendar: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = calendar.stream(SITES)
    stream.feed(cut(frame, 0, 5))
    with pytest.raises(
        DataError, match=r"step by step \(every 1h\) after 2024-01-01 04:00:00\. Received: .* reset\(\)"
    ):
        stream.feed(cut(frame, 9, 12))
    stream.reset()
    told: Any = stream.feed(cut(frame, 9, 12))
    fresh: Any = calendar.stream(SITES).feed(cut(frame, 9, 12))
    pd.testing.assert_frame_equal(told, fresh)


def test_states_can_be_kept_and_set_in_another_stream(tanks: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = tanks.stream(SITES)
    stream.feed(array_of(frame, 0, 10))
    other = tanks.stream(SITES)
    other.states = stream.states
    columns = ["load", "heat"]
    np.testing.assert_allclose(other.predict(steps=4)[columns], stream.predict(steps=4)[columns], rtol=1e-6)
    np.testing.assert_allclose(other.feed(array_of(frame, 10, 12)), stream.feed(array_of(frame, 10, 12)), rtol=1e-6)


def test_the_states_that_are_handed_out_are_copies(tanks: NextStepBundle) -> None:
    stream = tanks.stream(SITES)
    stream.feed(array_of(hourly_frame(200, series=SITES), 0, 3))
    handed = stream.states
    handed["layer_0 h"][:] = 9.0
    assert not (stream.states["layer_0 h"] == 9.0).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda states: list(states.values()), "must be a dict with layer_0 h, layer_0 c. Received: list"),
        (lambda states: {"h": 0}, r"layer_0 h, layer_0 c\. Received: \['h'\]"),
        (lambda states: states | {"layer_0 c": states["layer_0 c"][:2]}, r"shape \(3, 8\).*Received: \(2, 8\)"),
        (lambda states: states | {"layer_0 c": states["layer_0 c"][:, :7]}, r"shape \(3, 8\).*Received: \(3, 7\)"),
        (
            lambda states: states | {"layer_0 h": states["layer_0 h"].astype("float64")},
            r"must be float32\. Received: float64\. Convert it: state\.astype\('float32'\)",
        ),
        (lambda states: states | {"layer_0 h": states["layer_0 h"] * np.float32("nan")}, "no finite number"),
    ],
)
def test_states_that_do_not_fit_are_refused_with_the_fix(tanks: NextStepBundle, change: Any, message: str) -> None:
    stream = tanks.stream(SITES)
    stream.feed(array_of(hourly_frame(200, series=SITES), 0, 3))
    before = stream.states
    with pytest.raises(ArgumentError, match=message):
        stream.states = change(stream.states)
    np.testing.assert_array_equal(stream.states["layer_0 h"], before["layer_0 h"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((5, 2)), r"\(sequences, steps, inputs\) = \(3, any, 2\).*Received: \(5, 2\)"),
        (np.zeros((2, 5, 2)), r"\(3, any, 2\), the inputs load, heat\. Received: \(2, 5, 2\)"),
        (np.zeros((3, 5, 3)), r"Received: \(3, 5, 3\)"),
        (np.zeros((3, 5, 2)).astype(object), r"numbers of one kind\. Received: dtype object\. Convert it: np\.asarray"),
        (np.array([[["1", 2]]] * 3), "Received: dtype <U"),
        (np.full((3, 1, 2), np.nan), "no finite number; a stream takes no missing cells"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_the_fix(tanks: NextStepBundle, rows: Any, message: str) -> None:
    stream = tanks.stream(SITES)
    with pytest.raises(ArgumentError, match=message):
        stream.feed(rows)
    assert not any(state.any() for state in stream.states.values())


def test_frames_that_do_not_fit_are_refused(calendar: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = calendar.stream(SITES)
    with pytest.raises(DataError, match=r"must hold the sequences a, b, c\. Received: a, b\. Feed all of them"):
        stream.feed(frame[frame["site"] != "c"])
    with pytest.raises(
        DataError, match=r"same rows of each sequence, without a gap\. Received rows of a: 3, b: 3, c: 4"
    ):
        stream.feed(pd.concat([cut(frame, 0, 3), frame[frame["site"] == "c"].iloc[3:4]]))
    with pytest.raises(DataError, match="stand at different times"):
        stream.feed(pd.concat([cut(frame[frame["site"] != "c"], 0, 3), frame[frame["site"] == "c"].iloc[3:6]]))
    holed = cut(frame, 0, 3)
    holed.loc[1, "load"] = np.nan
    with pytest.raises(DataError, match=r"load: 1 missing cell.*\n.*A stream takes no missing cells"):
        stream.feed(holed)
    with pytest.raises(ArgumentError, match=r"the recipe has a calendar \(hour\).*Give `times`, or feed a frame"):
        stream.feed(array_of(frame, 0, 3))
    with pytest.raises(ArgumentError, match=r"timestamps of the 3 steps\. Received: 2"):
        stream.feed(array_of(frame, 0, 3), times=pd.DatetimeIndex(frame["time"][:2]))


def test_a_stream_that_was_fed_nothing_predicts_nothing(tanks: NextStepBundle) -> None:
    stream = tanks.stream(SITES)
    with pytest.raises(ArgumentError, match=r"nothing has been fed of a, b, c since the start or the last reset"):
        stream.predict(steps=2)
    stream.feed(array_of(hourly_frame(200, series=SITES), 0, 3))
    with pytest.raises(ArgumentError, match=r"steps must be a whole number of at least 1\. Received: steps=0"):
        stream.predict(steps=0)
    stream.reset(["b"])
    with pytest.raises(ArgumentError, match=r"nothing has been fed of b since"):
        stream.predict(steps=2)


def test_names_are_checked(tanks: NextStepBundle) -> None:
    for names in (["a", "a"], []):
        with pytest.raises(ArgumentError, match="names must be different names"):
            tanks.stream(names)
    with pytest.raises(ArgumentError, match=r"a list with a name for each sequence\. Received: names='abc'"):
        tanks.stream("abc")
    with pytest.raises(ArgumentError, match=r"name those of the stream: stream\(\['A', 'B'\]\)"):
        tanks.stream()
    with pytest.raises(ArgumentError, match=r"names must be some of a, b, c, in a list\. Received: names=\['d'\]"):
        tanks.stream(SITES).reset(["d"])


def test_new_sequences_may_join_where_all_are_scaled_alike(tanks: NextStepBundle) -> None:
    rows = array_of(hourly_frame(200, series=SITES), 0, 4)
    known, new = tanks.stream(SITES).feed(rows), tanks.stream(["x", "y", "z"]).feed(rows)
    np.testing.assert_array_equal(new, known)
    frame = hourly_frame(200, series=SITES)
    own = untrained(frame, series="site", calendar=[], scale_per_series=True)
    assert np.isfinite(own.stream(["c", "a"]).feed(rows[:2])).all()
    with pytest.raises(DataError, match="the series x were not in the training data"):
        own.stream(["x"])


def test_states_that_are_set_bring_no_clock_and_the_right_rows_may_follow(tanks: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = tanks.stream(SITES)
    stream.feed(cut(frame, 0, 10))
    kept = stream.states
    stream.feed(cut(frame, 10, 20))
    stream.states = kept
    again: Any = stream.feed(cut(frame, 10, 12))
    fresh = tanks.stream(SITES)
    fresh.feed(cut(frame, 0, 10))
    straight: Any = fresh.feed(cut(frame, 10, 12))
    np.testing.assert_allclose(again[["load", "heat"]], straight[["load", "heat"]], rtol=1e-6)


def test_an_array_moves_the_clock_on_and_a_gap_behind_it_is_refused(tanks: NextStepBundle) -> None:
    frame = hourly_frame(200, series=SITES)
    stream = tanks.stream(SITES)
    stream.feed(cut(frame, 0, 5))
    stream.feed(array_of(frame, 5, 8))
    with pytest.raises(DataError, match="after 2024-01-01 07:00:00"):
        stream.feed(cut(frame, 90, 92))
    stream.feed(cut(frame, 8, 9))
    with pytest.raises(ArgumentError, match="a frame brings its own times"):
        stream.feed(cut(frame, 9, 10), times=pd.date_range("2024-01-01", periods=1, freq="h"))
