"""A large file alone: its series are shared by processes, whose answers are those of one, byte by byte."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.scoring import Scored, ScoreResult, large, score_files, sharing
from seq2seq_kit.scoring.disk import FullDiskError
from seq2seq_kit.scoring.messages import Read, Refused
from seq2seq_kit.scoring.pool import Processes
from tests.scoring.models import hours, model, with_gaps, with_spikes

MOST = 300
SITES = ("a", "b", "c", "d", "e", "f", "g")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are shared however soon one process would be ready."""
    monkeypatch.setattr(large, "SHARED_SECONDS", -1.0)


def score(rows: pd.DataFrame, folder: Path, verb: str = "predict", kind: str = "forecast_shapes", **more: Any) -> Any:
    """The result with the rows as one file of many row groups."""
    path = folder / "rows.parquet"
    if not path.exists():
        rows.to_parquet(path, row_group_size=100, index=False)
    return score_files(model(kind), verb, path, folder / f"out{more.get('workers', 0)}", most_rows=MOST, **more)


def told(result: ScoreResult) -> list[Any]:
    return [(each.status, each.rows, each.written, each.code, each.error, each.notes) for each in result.files]


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "kind", "options"),
    [
        ("predict", "forecast_shapes", {"all_windows": True}),
        ("detect", "forecast_shapes", {}),
        ("encode", "autoencode_window", {}),
        ("predict", "forecast_next_step", {}),
    ],
)
@pytest.mark.parametrize("in_turn", [False, True])
def test_three_processes_give_the_bytes_and_notes_of_one(
    verb: str, kind: str, options: dict[str, Any], in_turn: bool, tmp_path: Path
) -> None:
    """Short series, one that is cut into pieces, and a first one that is too short for an answer."""
    frame = pd.concat([hours(5, series=("z",)), hours(150, series=SITES), hours(900, series=("long",))])
    frame = with_spikes(with_gaps(frame.reset_index(drop=True))).astype({"site": "category"})
    if kind == "forecast_next_step":  # which knows two series
        frame = hours(400)
    if in_turn:
        frame = frame.sort_values("time", kind="stable", ignore_index=True)
    one = score(frame, tmp_path, verb, kind, options=options, workers=1)
    three = score(frame, tmp_path, verb, kind, options=options, workers=3)
    assert three.workers == (2 if kind == "forecast_next_step" else 3)
    assert told(one) == told(three)
    assert one.files[0].written > 0
    assert left_in(tmp_path / "out1") == left_in(tmp_path / "out3") == ["_scored.jsonl", "rows.parquet"]
    assert (tmp_path / "out1/rows.parquet").read_bytes() == (tmp_path / "out3/rows.parquet").read_bytes()


@pytest.mark.slow
def test_rows_that_do_not_fit_are_told_as_by_one(tmp_path: Path) -> None:
    frame = hours(250, series=SITES)
    frame.loc[1_111, "heat"] = np.inf
    one, two = (score(frame, tmp_path, workers=workers) for workers in (1, 2))
    assert told(one) == told(two)
    assert "row 1112" in two.failed[0].error
    assert left_in(tmp_path / "out2") == ["_scored.jsonl"]


def test_how_long_rows_will_take_is_told_by_those_behind_the_first_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 6.0, 8.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    pace, expected = sharing.Pace(), list[float]()
    for rows in (10, 10, 20):
        expected.append(pace.expected(100))
        pace.add(rows)
    assert [*expected, pace.expected(100)] == [0.0, 0.0, 10.0, 10.0]
    clock = iter([0.0, 60.0])
    long = sharing.Pace()
    long.add(10)
    assert long.expected(20) == 120.0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [29.0, 31.0])
def test_a_file_that_takes_long_is_shared_from_then_on(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = score(hours(250, series=SITES), tmp_path, workers=1, options={"all_windows": True})
    monkeypatch.setattr(large, "SHARED_SECONDS", sharing.SHARED_SECONDS)
    answered, expected = list[int](), sharing.Pace.add

    def add(self: sharing.Pace, rows: int) -> None:
        answered.append(rows)
        expected(self, rows)

    monkeypatch.setattr(sharing.Pace, "add", add)
    monkeypatch.setattr(sharing.Pace, "expected", lambda *_: seconds if len(answered) > 1 else 0.0)
    two = score(hours(250, series=SITES), tmp_path, workers=2, options={"all_windows": True})
    shared = seconds > sharing.SHARED_SECONDS
    assert (two.workers, len(answered)) == ((2, 2) if shared else (1, len(SITES)))
    assert told(one) == told(two)
    assert (tmp_path / "out1/rows.parquet").read_bytes() == (tmp_path / "out2/rows.parquet").read_bytes()


class Heard:
    """Hears how far a file is."""

    def __init__(self) -> None:
        self.shares = list[float]()

    def on_start(self, files: int, size: int) -> None: ...

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None:
        self.shares.append(share)

    def on_file(self, scored: Scored, size: int) -> None: ...

    def say(self, text: str) -> None: ...


@pytest.mark.slow
def test_a_process_that_is_ended_ends_the_file_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pools, hear = list[Processes](), Processes.wait

    def wait(self: Processes, seconds: float | None = None) -> Any:
        for number, message in hear(self, seconds):
            if self not in pools:
                pools.append(self)
                os.kill(self._running[0].process.pid or 0, signal.SIGKILL)
            yield number, message

    monkeypatch.setattr(Processes, "wait", wait)
    result = score(hours(250, series=SITES), tmp_path, workers=2, options={"all_windows": True})
    (failed,) = result.failed
    assert failed.code == "process_ended"
    assert "rows.parquet: its process was ended" in failed.error
    assert "fewer --workers" in failed.error
    assert left_in(tmp_path / "out2") == ["_scored.jsonl"]
    assert not any(each.process.is_alive() for each in pools[0]._running)
    monkeypatch.undo()
    again = score(hours(250, series=SITES), tmp_path, workers=2, options={"all_windows": True})
    assert again.files[0].status == "done"


@pytest.mark.slow
def test_progress_counts_up_and_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    score(hours(250, series=SITES), tmp_path, workers=2, reporter=heard, options={"all_windows": True})
    assert heard.shares == sorted(heard.shares)
    assert 0 < heard.shares[-1] <= 1

    processes = list[psutil.Process]()

    class Pressing(Heard):
        def on_rows(self, file: str, rows: int, share: float, size: int) -> None:
            processes.extend(psutil.Process(each) for each in pids())
            raise KeyboardInterrupt

    def pids() -> list[int]:
        return [each.process.pid or 0 for each in pools[-1]._running]

    pools, start = list[Processes](), Processes.start

    def started(self: Processes, number: int, task: Any) -> None:
        pools.append(self)
        start(self, number, task)

    monkeypatch.setattr(Processes, "start", started)
    with pytest.raises(KeyboardInterrupt):
        score(hours(250, series=SITES), tmp_path, workers=2, reporter=Pressing(), overwrite=True, options={"steps": 2})
    assert len(processes) == 2
    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert left_in(tmp_path / "out2") == ["_scored.jsonl"]


def test_a_full_disk_in_one_process_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that process tells it: `FullDiskError` comes out, and with it the run ends."""

    class Full:
        workers, free = 2, 2

        def start(self, number: int, task: sharing.StretchTask) -> None: ...

        def wait(self, seconds: float | None = None) -> Any:
            yield 0, Read(5, 0.5)
            yield 0, Refused("unwritable_file", "could not write answers", everything=True)

        def close(self) -> None: ...

    monkeypatch.setattr(sharing, "Processes", lambda *_: Full())
    with pytest.raises(ArgumentError, match="could not write answers") as caught:
        score(hours(250, series=SITES), tmp_path, workers=2)
    assert caught.value.code == "unwritable_file"


def test_answers_that_cannot_be_written_are_no_error_of_the_rows(tmp_path: Path) -> None:
    class Rows:
        place: Any = None

        def answers_to(self, *_: Any) -> Any:
            yield pd.DataFrame({"load": [1.0]})

    missing: Any = sharing.StretchTask(Rows(), None, tmp_path / "absent" / "0.answers")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError) as caught:
        missing.answer(None, lambda rows, share: None)
    assert caught.value.code == "unwritable_file"
    assert not isinstance(caught.value, FullDiskError | DataError)
    full: Any = sharing.StretchTask(Rows(), None, Path("/dev/full"))  # type: ignore[arg-type]
    with pytest.raises(FullDiskError):
        full.answer(None, lambda rows, share: None)
