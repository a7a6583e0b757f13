"""Many files: each has its answers, a bad one stops no other, a run that was cut short goes on, no stranger loses a file."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.data.on_disk.row_groups import GroupedFile
from seq2seq_kit.data.sources.files import Place
from seq2seq_kit.errors import ArgumentError, DataError, KitError
from seq2seq_kit.executing import ray_cluster
from seq2seq_kit.scoring import Scored, Scorer, ScoreResult, run, score_files
from seq2seq_kit.scoring.answering import FileTask
from seq2seq_kit.scoring.journal import NAME
from seq2seq_kit.scoring.messages import Read, Refused
from seq2seq_kit.scoring.planned import partial_of
from seq2seq_kit.scoring.pool import Processes, open_pool
from tests.conftest import ROOT
from tests.scoring.models import hours, model

KIND = "forecast_shapes"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with four files."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(4):
        hours(60 + number, seed=number).to_parquet(folder / f"{number}.parquet", index=False)
    return folder


@dataclass
class Reporter:
    """Hears of files; `then` is called with each."""

    then: Any = None
    told: list[str] = field(default_factory=list)

    def on_start(self, files: int, size: int) -> None:
        self.told.append(f"{files} files")

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None: ...

    def on_file(self, scored: Scored, size: int) -> None:
        self.told.append(f"{Path(scored.file).name} {scored.status}")
        if self.then:
            self.then(scored)

    def say(self, text: str) -> None:
        self.told.append(text)


def score(rows: Path, *, workers: int | None = 1, out: str = "out", **more: Any) -> ScoreResult:
    return score_files(model(KIND), "predict", f"{rows}/*", rows.parent / out, workers=workers, **more)


def statuses(result: ScoreResult) -> dict[str, str]:
    return {Path(each.file).name: each.code or each.status for each in result.files}


def contents(folder: Path) -> dict[str, str]:
    """Digests of what a folder holds, without the journal."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def test_each_file_has_the_bytes_that_the_command_writes_for_it_alone(rows: Path) -> None:
    hours(70, seed=9).to_csv(rows / "words.csv", index=False)
    out = rows.parent / "out"
    assert main(["predict", str(model(KIND)), "--data", f"{rows}/*", "--out", f"{out}/", "--workers", "1"]) == 0
    alone = rows.parent / "alone"
    alone.mkdir()
    for path in rows.iterdir():
        assert main(["predict", str(model(KIND)), "--data", str(path), "--out", str(alone / path.name)]) == 0
    assert contents(out) == contents(alone)
    assert len(contents(out)) == 5


def test_a_detection_has_the_bytes_that_the_command_writes(rows: Path) -> None:
    out, alone = rows.parent / "out", rows.parent / "alone.parquet"
    asked = ["--threshold", "1.5"]
    assert main(["detect", str(model(KIND)), "--data", str(rows), "--out", str(out), "--workers", "1", *asked]) == 0
    assert main(["detect", str(model(KIND)), "--data", f"{rows}/2.parquet", "--out", str(alone), *asked]) == 0
    assert (out / "2.parquet").read_bytes() == alone.read_bytes()
    assert len(pd.read_parquet(alone)) > 0


def test_one_bad_file_of_each_kind_is_told_by_name_and_the_others_go_on(
    rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = hours(60)
    frame.drop(columns="heat").to_parquet(rows / "lacks.parquet")
    frame.assign(heat=frame["heat"].where(frame.index != 7)).to_parquet(rows / "hole.parquet")
    frame.astype({"heat": str}).assign(heat="warm").to_parquet(rows / "words.parquet")
    frame.iloc[:3].to_parquet(rows / "short.parquet")
    frame.assign(more=1).to_parquet(rows / "more.parquet")
    (rows / "damaged.parquet").write_bytes((rows / "0.parquet").read_bytes()[:3_000])
    (rows / "empty.csv").touch()
    out = rows.parent / "out"
    assert main(["predict", str(model(KIND)), "--data", f"{rows}/*", "--out", f"{out}/", "--workers", "1"]) == 1
    said = capsys.readouterr().out
    for name, code in {
        "lacks": "missing_column",
        "hole": "missing_cells",
        "words": "not_a_number",
        "short": "series_too_short",
        "damaged": "unreadable_file",
        "empty": "empty_table",
    }.items():
        assert f"{name}" in said
        assert code in said
    assert set(contents(out)) == {*(f"{number}.parquet" for number in range(4)), "more.parquet"}
    frame.to_parquet(rows / "hole.parquet")  # mended
    result = score(rows)
    assert statuses(result)["hole.parquet"] == "done"
    assert statuses(result)["more.parquet"] == "kept"
    assert len(result.failed) == 5
    with pytest.raises(KitError, match="5 of 11 files"):
        result.raise_failed()
    assert list(result.frame()["status"]).count("failed") == 5


def test_a_run_that_was_interrupted_goes_on_and_gives_the_same_bytes(rows: Path) -> None:
    def interrupt(scored: Scored) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(rows, reporter=Reporter(interrupt))
    out = rows.parent / "out"
    assert len(contents(out)) == 1
    assert sorted(statuses(score(rows)).values()) == ["done", "done", "done", "kept"]
    assert statuses(score(rows, out="other")) == dict.fromkeys([f"{number}.parquet" for number in range(4)], "done")
    assert contents(out) == contents(rows.parent / "other")


KILLED = """
import os, signal, sys
from tests.scoring.test_files import Reporter, score
from pathlib import Path
from seq2seq_kit.scoring import score_files
def die(scored):
    os.kill(os.getpid(), signal.SIGKILL)
score_files(sys.argv[1], "predict", sys.argv[2] + "/*", sys.argv[3], workers=1, reporter=Reporter(die))
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(rows: Path) -> None:
    out = rows.parent / "out"
    call = [sys.executable, "-c", KILLED, str(model(KIND)), str(rows), str(out)]
    ended = subprocess.run(call, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert len(contents(out)) == 1
    assert sorted(statuses(score(rows)).values()) == ["done", "done", "done", "kept"]


def test_what_a_kill_may_leave_is_done_again(rows: Path) -> None:
    score(rows)
    out = rows.parent / "out"
    whole = contents(out)
    journal = (out / NAME).read_text()
    (out / "0.parquet").unlink()  # its line was written, its name was not given
    (out / "1.parquet").write_bytes(b"cut short")
    partial_of(out / "2.parquet").write_bytes(b"half")
    lines = journal.splitlines()
    gone = next(place for place, line in enumerate(lines) if '"out": "2.parquet"' in line)
    (out / "2.parquet").unlink()
    (out / NAME).write_text(
        "\n".join([*lines[:gone], *lines[gone + 1 :], lines[gone][:40]])
    )  # a line that was cut short
    found = statuses(score(rows))
    assert found == {"0.parquet": "done", "1.parquet": "done", "2.parquet": "done", "3.parquet": "kept"}
    assert contents(out) == whole
    assert set(statuses(score(rows)).values()) == {"kept"}


def test_other_rows_under_the_same_name_size_and_time_are_done_again(rows: Path) -> None:
    path = rows / "1.csv"
    path.write_text(hours(60).to_csv(index=False))
    score(rows)
    about = path.stat()
    text = path.read_text()
    at = text.index(".", text.index("\na,") if "\na," in text else 300) + 1
    path.write_text(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert path.stat().st_size == about.st_size
    found = statuses(score(rows))
    assert found.pop("1.csv") == "done"
    assert set(found.values()) == {"kept"}


def test_other_settings_are_refused_until_told_to_overwrite(rows: Path) -> None:
    score(rows)
    with pytest.raises(ArgumentError, match="steps") as caught:
        score(rows, options={"steps": 2})
    assert caught.value.code == "other_settings"
    assert set(statuses(score(rows)).values()) == {"kept"}
    assert set(statuses(score(rows, options={"steps": 2}, overwrite=True)).values()) == {"done"}
    assert len(pd.read_parquet(rows.parent / "out" / "0.parquet")) == 4


def test_a_strangers_file_is_not_overwritten(rows: Path) -> None:
    out = rows.parent / "out"
    out.mkdir()
    (out / "2.parquet").write_text("mine")
    with pytest.raises(ArgumentError, match=r"2\.parquet") as caught:
        score(rows)
    assert caught.value.code == "output_exists"
    assert (out / "2.parquet").read_text() == "mine"
    assert set(statuses(score(rows, overwrite=True)).values()) == {"done"}


def test_a_journal_that_is_none_is_refused(rows: Path) -> None:
    out = rows.parent / "out"
    out.mkdir()
    (out / NAME).write_text("what is this\n")
    with pytest.raises(ArgumentError) as caught:
        score(rows)
    assert caught.value.code == "other_settings"


def test_a_long_name_is_no_trouble(rows: Path) -> None:
    (rows / "0.parquet").rename(rows / f"{'n' * 240}.parquet")
    assert set(statuses(score(rows)).values()) == {"done"}


def test_without_tensorflow_no_cluster_scores(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run.find_spec
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "tensorflow" else found(name))
    with pytest.raises(ArgumentError) as caught:
        score(rows, executor="ray")
    assert caught.value.code == "needs_tensorflow"
    assert run._workers(2, "local") == 2


def test_two_runs_do_not_write_into_one_folder(rows: Path) -> None:
    def again(scored: Scored) -> None:
        with pytest.raises(ArgumentError) as caught:
            score(rows)
        assert caught.value.code == "output_in_use"

    assert len(score(rows, reporter=Reporter(again)).files) == 4


def test_files_keep_their_folders_and_none_becomes_two(rows: Path) -> None:
    (rows / "year=2025").mkdir()
    hours(60).drop(columns="site").to_parquet(rows / "year=2025" / "0.parquet")
    files = [f"{rows}/*.parquet", f"{rows}/*/*.parquet"]
    result = score_files(model("forecast_repeat"), "predict", files, rows.parent / "out", workers=1)
    result.raise_failed()
    assert "year=2025/0.parquet" in contents(rows.parent / "out")
    hours(60).to_csv(rows / "a.csv", index=False)
    hours(60).to_csv(rows / "a.csv.gz", index=False)
    with pytest.raises(ArgumentError, match="both become") as caught:
        score_files(model(KIND), "predict", f"{rows}/a.*", rows.parent / "two", workers=1)
    assert caught.value.code == "same_output"


def test_columns_that_folders_are_named_for_count(rows: Path) -> None:
    for site in ("a", "b"):
        (rows / f"site={site}").mkdir()
        hours(60, series=(site,)).drop(columns="site").to_parquet(rows / f"site={site}" / "rows.parquet")
    for most in (10_000, 50):
        out = rows.parent / f"out{most}"
        result = score_files(model(KIND), "predict", f"{rows}/site=*/*", out, workers=1, most_rows=most)
        result.raise_failed()
        assert set(pd.read_parquet(out / "site=b" / "rows.parquet", partitioning=None)["site"]) == {"b"}


def test_rows_are_never_overwritten_by_their_answers(rows: Path) -> None:
    with pytest.raises(ArgumentError, match="where the answers are written"):
        score_files(model(KIND), "predict", f"{rows}/*", rows, workers=1)
    assert pd.read_parquet(rows / "0.parquet").shape == (120, 5)


def test_a_file_that_vanishes_meanwhile_is_told(rows: Path) -> None:
    def remove(scored: Scored) -> None:
        (rows / "0.parquet").unlink(missing_ok=True)

    found = statuses(score(rows, reporter=Reporter(remove)))  # the smallest file comes last
    assert found == {"0.parquet": "file_not_found", "1.parquet": "done", "2.parquet": "done", "3.parquet": "done"}


@pytest.mark.parametrize(("what", "code"), [("gone", "unreadable_file"), ("other", "file_changed")])
def test_a_file_that_vanishes_or_changes_between_row_groups_is_told(
    what: str, code: str, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, path = GroupedFile.batches, rows / "2.parquet"

    def then(self: GroupedFile, block: int, columns: list[str], most: int) -> Iterator[Any]:
        yield from batches(self, block, columns, most)
        if self.path.name == path.name:
            path.unlink() if what == "gone" else hours(80).to_parquet(path)

    monkeypatch.setattr(GroupedFile, "batches", then)
    found = statuses(score(rows, most_rows=50))
    assert found == {"0.parquet": "done", "1.parquet": "done", "2.parquet": code, "3.parquet": "done"}
    assert "2.parquet" not in contents(rows.parent / "out")


@contextmanager
def smallest_files(most: int) -> Iterator[None]:
    """The system refuses to write more than so many bytes into a file, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
@pytest.mark.parametrize(("most_rows", "in_turn"), [(10_000, False), (300, False), (300, True)])
def test_a_disk_that_is_full_ends_the_run_and_the_rest_can_be_done_later(
    rows: Path, most_rows: int, in_turn: bool
) -> None:
    options = {"all_windows": True}
    hours(700, in_turn=in_turn).to_parquet(rows / "4.parquet")

    def small(scored: Scored) -> None:
        raise AssertionError("the largest file comes first")

    with smallest_files(3_000), pytest.raises(ArgumentError, match=r"4\.parquet: could not (write|sort)") as caught:
        score(rows, options=options, reporter=Reporter(small), most_rows=most_rows)
    assert caught.value.code == "unwritable_file"
    assert contents(rows.parent / "out") == {}
    assert not [path for path in (rows.parent / "out").iterdir() if path.is_dir()]
    assert set(statuses(score(rows, options=options, most_rows=most_rows)).values()) == {"done"}


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_row(rows: Path) -> None:
    (rows.parent / "file").touch()
    with pytest.raises(ArgumentError) as caught:
        score(rows, out="file/out")
    assert caught.value.code == "unwritable_file"


def test_a_bug_on_one_file_is_told_with_its_traceback(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Scorer.answer

    def broken(self: Scorer, frame: pd.DataFrame, origin: str) -> Any:
        if origin.endswith("1.parquet"):
            raise ZeroDivisionError("a bug")
        if origin.endswith("2.parquet"):
            raise MemoryError
        return answer(self, frame, origin)

    monkeypatch.setattr(Scorer, "answer", broken)
    result = score(rows)
    assert statuses(result) == {
        "0.parquet": "done",
        "1.parquet": "file_not_scored",
        "2.parquet": "out_of_memory",
        "3.parquet": "done",
    }
    assert "ZeroDivisionError: a bug" in result.failed[0].error


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"verb": "encode"}, "not_supported"),
        ({"verb": "sing"}, "invalid_argument"),
        ({"options": {"beams": 3}}, "invalid_option"),
        ({"workers": 0}, "invalid_argument"),
        ({"most_rows": 1.5}, "invalid_argument"),
        ({"files": "nothing/*.parquet"}, "file_not_found"),
    ],
)
def test_a_wrong_call_is_refused_before_the_first_row(call: dict[str, Any], code: str, rows: Path) -> None:
    given: dict[str, Any] = {"verb": "predict", "files": f"{rows}/*", "workers": 1} | call
    with pytest.raises((ArgumentError, DataError)) as caught:
        score_files(model(KIND), out=rows.parent / "out", **given)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "one.csv", "--workers", "2"], "--workers is for many files"),
        (["--out", "one.csv", "--overwrite"], "--overwrite is for many files"),
        (["--out", "many/", "--future", "f.csv"], "--future is about one table"),
    ],
)
def test_the_command_line_tells_options_of_one_table_from_those_of_many(
    more: list[str], said: str, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model(KIND)), "--data", str(rows), *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--executor", "ray"], 2, "seq2seq-kit[ray]"),
        (["--executor", "ray", "--address", "127.0.0.1:1"], 1, "error[cluster_unreachable]"),
        (["--address", "127.0.0.1:6379"], 2, "Add --executor ray"),
        (["--executor", "ray", "--out", "answers.csv"], 2, "--executor is for many files"),
    ],
)
def test_a_cluster_that_is_not_there_is_told(
    more: list[str],
    status: int,
    said: str,
    rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "[ray]" in said:
        monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    out = ["--out", str(rows.parent / "out/")] if "--out" not in more else []
    assert main(["predict", str(model(KIND)), "--data", f"{rows}/*", *out, *more]) == status
    assert said in capsys.readouterr().err


def test_reporters_hear_of_every_file(rows: Path) -> None:
    reporter = Reporter()
    score(rows, reporter=reporter)
    assert reporter.told == ["4 files", *(f"{number}.parquet done" for number in (3, 2, 1, 0))]


def test_settings_stand_in_the_journal_with_a_line_for_each_file(rows: Path) -> None:
    score(rows, options={"steps": 2})
    head, *lines = [json.loads(line) for line in (rows.parent / "out" / NAME).read_text().splitlines()]
    assert head["settings"]["options"] == {"steps": 2}
    assert {line["out"] for line in lines} == {f"{number}.parquet" for number in range(4)}


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(rows: Path) -> None:
    hours(60).drop(columns="heat").to_parquet(rows / "lacks.parquet")
    one, two = score(rows, out="one", most_rows=50), score(rows, workers=2, out="two", most_rows=50)
    assert two.workers == 2
    assert statuses(one) == statuses(two)
    assert statuses(two)["lacks.parquet"] == "missing_column"
    assert contents(rows.parent / "one") == contents(rows.parent / "two")


@pytest.mark.slow
def test_a_process_that_is_ended_costs_one_file(rows: Path) -> None:
    hours(20_000).to_parquet(rows / "large.parquet", row_group_size=500)

    def task(name: str) -> FileTask:
        return FileTask(Place(str(rows / name)), rows.parent / f".{name}.partial.parquet", most=500)

    scorer = Scorer(str(model(KIND)), "predict", {"all_windows": True})
    with open_pool(scorer, 2) as pool:
        assert isinstance(pool, Processes)
        pool.start(0, task("large.parquet"))
        pool.start(1, task("1.parquet"))
        told: dict[int, Any] = {}
        while len(told) < 2:
            for number, message in pool.wait():
                if not isinstance(message, Read):
                    told[number] = message
                elif number == 0:
                    os.kill(pool._running[0].process.pid or 0, signal.SIGKILL)
        assert isinstance(told[0], Refused)
        assert told[0].code == "process_ended"
        assert told[1].rows == 122
        assert pool.free == 2
        pool.start(2, task("2.parquet"))  # by a new one, or the one that is left
        done = [message for _ in range(9) if pool.free < 2 for _, message in pool.wait()]
        assert not isinstance(done[-1], Read | Refused)
