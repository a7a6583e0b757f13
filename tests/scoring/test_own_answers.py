"""Answers in a folder are never those of another model, of other rows, or what a kill, a full disk or a stranger left there."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit import load
from seq2seq_kit.data.sources.files import Place
from seq2seq_kit.errors import ArgumentError, DataError, KitError
from seq2seq_kit.scoring import Scorer, ScoreResult, answering, pool, score_files
from seq2seq_kit.scoring.answering import FileTask
from seq2seq_kit.scoring.disk import FullDiskError, writing
from seq2seq_kit.scoring.journal import NAME, Journal, Line, open_journal
from seq2seq_kit.scoring.messages import Read, Refused
from seq2seq_kit.scoring.planned import plan_files
from seq2seq_kit.scoring.pool import Processes, attempt
from tests.scoring.models import hours, model
from tests.scoring.test_files import Reporter, contents, rows, score, smallest_files, statuses  # noqa: F401 (a fixture)

KIND = "forecast_shapes"


def files_of(folder: Path, *names: str) -> list[Path]:
    made = [folder / name for name in names]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("load\n1\n")
    return made


def outs(folder: Path, *sources: str, out: str = "out", made: set[str] | None = None) -> list[str]:
    from seq2seq_kit.data.sources.addresses import local_files
    from seq2seq_kit.data.tables.sources import ENDINGS

    named = [f"{folder}/{each}" for each in sources]
    with local_files(named, ENDINGS) as places:
        return [each.out for each in plan_files(named, places, folder / out, made or set())]


def test_a_model_that_was_saved_again_answers_anew(rows: Path) -> None:  # noqa: F811
    """In one process, from the same folder."""
    folder, frame = rows.parent / "model", hours(60)
    shutil.copytree(model(KIND), folder)
    scorer = Scorer(str(folder))
    before = scorer(frame)
    bundle = load(folder)
    weights = [each * 1.5 for each in bundle.model.get_weights()]
    bundle.model.set_weights(weights)
    shutil.rmtree(folder)
    bundle.save(folder)
    after = scorer(frame)
    pd.testing.assert_frame_equal(after, load(folder).predict(frame))
    assert not after.equals(before)


def test_a_model_that_changes_between_files_gives_no_answers(rows: Path) -> None:  # noqa: F811
    folder = rows.parent / "model"
    shutil.copytree(model(KIND), folder)

    def change(scored: Any) -> None:
        head = folder / "bundle.json"
        head.write_text(json.dumps(json.loads(head.read_text()), indent=4) + "\n")

    result = score_files(folder, "predict", f"{rows}/*", rows.parent / "out", workers=1, reporter=Reporter(change))
    assert list(statuses(result).values()).count("file_changed") == 3
    assert len(contents(rows.parent / "out")) == 1


def test_answers_of_the_same_size_that_are_not_those_of_the_line_are_made_anew(rows: Path) -> None:  # noqa: F811
    """A line was written, and the old answers never replaced; or somebody wrote into them."""
    score(rows)
    path = rows.parent / "out" / "1.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert statuses(score(rows))["1.parquet"] == "done"
    assert path.read_bytes() == whole


def test_answers_of_rows_that_cannot_be_scored_any_more_do_not_stay(rows: Path) -> None:  # noqa: F811
    score(rows)
    hours(60).drop(columns="heat").to_parquet(rows / "1.parquet")
    assert statuses(score(rows))["1.parquet"] == "missing_column"
    assert sorted(contents(rows.parent / "out")) == ["0.parquet", "2.parquet", "3.parquet"]


def test_other_rows_of_the_same_stem_are_refused(rows: Path) -> None:  # noqa: F811
    score(rows)
    shutil.copytree(rows, rows.parent / "stores")
    hours(50, seed=7).to_parquet(rows.parent / "stores" / "1.parquet")
    whole = contents(rows.parent / "out")
    again: Callable[..., ScoreResult] = lambda **more: score_files(  # noqa: E731
        model(KIND), "predict", f"{rows.parent}/stores/*", rows.parent / "out", workers=1, **more
    )
    with pytest.raises(ArgumentError, match="of other rows") as caught:
        again()
    assert caught.value.code == "output_exists"
    assert contents(rows.parent / "out") == whole
    assert sorted(statuses(again(overwrite=True)).values()) == ["done", "kept", "kept", "kept"]
    assert set(statuses(again()).values()) == {"kept"}


def test_overwriting_leaves_no_answers_of_other_settings(rows: Path) -> None:  # noqa: F811
    score(rows)
    (rows / "3.parquet").unlink()
    score(rows, options={"steps": 2}, overwrite=True)
    assert sorted(contents(rows.parent / "out")) == ["0.parquet", "1.parquet", "2.parquet"]


def test_what_matches_a_glob_later_moves_no_answers(tmp_path: Path) -> None:
    files_of(tmp_path, "logs/2024/a.csv")
    assert outs(tmp_path, "logs/**/*.csv") == ["2024/a.csv"]
    files_of(tmp_path, "logs/2025/a.csv")
    assert outs(tmp_path, "logs/**/*.csv") == ["2024/a.csv", "2025/a.csv"]
    files_of(tmp_path, "parts/year=2024/a.csv")
    assert outs(tmp_path, "parts") == ["year=2024/a.csv"]
    assert outs(tmp_path, "logs/2024/*.csv", "parts") == ["logs/2024/a.csv", "parts/year=2024/a.csv"]


def test_a_glob_does_not_mean_its_own_answers(tmp_path: Path) -> None:
    files_of(tmp_path, "a.csv", "out/a.csv", "out/b.csv")
    assert outs(tmp_path, "**/*.csv", made={"a.csv", "b.csv"}) == ["a.csv"]
    for source, made in (("**/*.csv", {"a.csv"}), ("out/a.csv", {"a.csv"})):
        with pytest.raises(ArgumentError, match="where the answers are written"):
            outs(tmp_path, source, made=made)


def test_rows_at_an_address_of_a_file_are_not_overwritten(tmp_path: Path) -> None:
    (path,) = files_of(tmp_path, "d/a.csv")
    address = f"file://{path}"
    with pytest.raises(ArgumentError, match="where the answers are written"):
        plan_files([address], [Place("fetched/0/a.csv", name=address)], tmp_path / "d")


def test_what_stands_behind_an_address_is_no_ending(tmp_path: Path) -> None:
    (path,) = files_of(tmp_path, "data.csv")
    address = "https://h/data.csv?day=1"
    assert plan_files([address], [Place(str(path), name=address)], tmp_path / "out")[0].out == "data.csv"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        outs(tmp_path, "missing.parquet")
    assert caught.value.code == "file_not_found"


def test_settings_of_a_journal_without_answers_can_be_corrected(tmp_path: Path) -> None:
    for steps in (2, 3):
        with open_journal(tmp_path, {"steps": steps}, overwrite=False) as journal:
            assert journal.lines == {}
    assert json.loads((tmp_path / NAME).read_text())["settings"] == {"steps": 3}


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_disk_that_is_full_when_settings_are_written_is_told(tmp_path: Path) -> None:
    with smallest_files(10), pytest.raises(FullDiskError), open_journal(tmp_path, {"steps": 2}, overwrite=False):
        pass


def test_a_disk_that_is_full_when_a_line_is_written_is_told(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def full(self: Journal, line: Line) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Journal, "add", full)
    with pytest.raises(FullDiskError, match="No space left") as caught:
        score(rows)
    assert caught.value.code == "unwritable_file"
    assert contents(rows.parent / "out") == {}


def test_a_line_that_cannot_be_written_at_once_is_written_whole(tmp_path: Path) -> None:
    with open_journal(tmp_path, {}, overwrite=False) as journal:
        whole = journal.file

        class Slow:
            def write(self, text: bytes) -> int:
                return whole.write(text[:7]) or 0

            def fileno(self) -> int:
                return whole.fileno()

        journal.file = Slow()  # type: ignore[assignment]
        journal.add(Line("a.csv", "1", 2, 3, 4))
    with open_journal(tmp_path, {}, overwrite=False) as journal:
        assert journal.lines == {"a.csv": Line("a.csv", "1", 2, 3, 4)}


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EACCES, False), (errno.ENAMETOOLONG, False)])
def test_only_a_full_disk_ends_the_run(
    number: int, full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        with writing("write"):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(answering, "answer_file", fails)
    task = FileTask(Place("a.csv"), tmp_path / ".a.partial.csv")
    found = attempt(Scorer("model"), task, lambda read: None)
    assert isinstance(found, Refused)
    assert found.code == "unwritable_file"
    assert found.everything == full


def test_nothing_is_left_of_a_process_that_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        task.partial.with_suffix(".rows").mkdir()
        task.partial.write_text("half")
        raise KeyboardInterrupt

    (path,) = files_of(tmp_path, "in/a.csv")
    (tmp_path / "out").mkdir()
    task = FileTask(Place(str(path)), tmp_path / "out" / ".a.partial.csv")
    monkeypatch.setattr(answering, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        answering.answer_file(Scorer("model"), task, lambda rows, share: None)
    assert list((tmp_path / "out").iterdir()) == []


class Ended:
    """A process that is gone, and its pipe."""

    exitcode = 1

    def join(self) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None: ...

    def send(self, task: Any) -> None:
        raise BrokenPipeError


class Waiting(Ended):
    def send(self, task: Any) -> None: ...


def test_a_process_that_was_ended_while_it_waited_costs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "start_process", lambda *_: (Waiting(), Waiting()))
    processes = Processes(Scorer("model"), 2, tmp_path)
    processes._running.append(pool._Worker(Ended(), Ended(), tmp_path))  # type: ignore[arg-type]
    task = FileTask(Place("a.csv"), tmp_path / ".a.partial.csv")
    processes.start(0, task)
    (worker,) = processes._running
    assert isinstance(worker.pipe, Waiting)
    task.partial.write_text("half")
    task.partial.with_suffix(".rows").mkdir()
    processes.close()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_could_not_begin_says_why(tmp_path: Path) -> None:
    (tmp_path / "stderr.txt").write_text("Traceback\nModuleNotFoundError: No module named 'x'\n")
    task = FileTask(Place("a.csv"), tmp_path / ".a.partial.csv")
    processes = Processes(Scorer("model"), 2, tmp_path)
    worker = pool._Worker(Ended(), Ended(), tmp_path, 0, task)  # type: ignore[arg-type]
    processes._running.append(worker)
    assert "No module named 'x'" in processes._death_of(worker).reason


def test_one_process_tells_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, Read]] = []

    def read(scorer: Scorer, task: FileTask, told: Callable[[int, float], None]) -> Any:
        told(5, 0.5)
        raise KitError("no answers", code="empty_table")

    monkeypatch.setattr(answering, "answer_file", read)
    with pool.open_pool(Scorer("model"), 1, lambda number, read: heard.append((number, read))) as here:
        here.start(7, FileTask(Place("a.csv"), tmp_path / ".a.partial.csv"))
    assert heard == [(7, Read(5, 0.5))]


@pytest.mark.parametrize("options", [{"future": pd.DataFrame()}, {"origin": "x"}, {"steps": pd.Timedelta(1)}])
def test_options_of_one_table_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as caught:
        Scorer(str(model(KIND)), "predict", options).require()
    assert caught.value.code == "invalid_option"
