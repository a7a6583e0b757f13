"""Files on a real Ray cluster of three nodes on this machine: the bytes of local scoring, whichever part of it is killed."""

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.scoring import Scorer
from seq2seq_kit.scoring.journal import NAME
from seq2seq_kit.scoring.ray_pool import open_ray_pool
from seq2seq_kit.scoring.ray_worker import Shared
from seq2seq_kit.scoring.scorer import model_files
from tests.raylets import Raylets, a_cluster, family_of, gone, workers_of_ray
from tests.scoring.models import hours, model
from tests.scoring.test_files import KIND, Reporter, contents, rows, score, statuses  # noqa: F401
from tests.sweeps.test_robust import started

LARGE = 12_000  # rows of each site, read some at a time
MOST = 500


@pytest.fixture(scope="module")
def raylets() -> Iterator[Raylets]:
    """See `Raylets`; this process is a driver of it."""
    with a_cluster() as made:
        yield made


class Killer(Reporter):
    """Kills the node that is in the middle of a large file, and where the file is read again the worker that has it."""

    def __init__(self, raylets: Raylets, out: Path) -> None:
        super().__init__()
        self.kills = [raylets.kill_node_of, psutil.Process.kill]
        self.out, self.killed = out, 0

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None:  # noqa: F811
        again = any("begins again" in text for text in self.told)
        if Path(file).name == "large.parquet" and 0 < share < 0.6 and self.kills and self.killed == again:
            worker = next((each for each in workers_of_ray("FileWorker") if self.writes(each)), None)
            if worker:
                self.kills.pop(0)(worker)
                self.killed += 1

    def writes(self, worker: psutil.Process) -> bool:
        """Whether a process below a worker has a file of answers open."""
        below = (file for each in worker.children(recursive=True) for file in each.open_files())
        return any(Path(file.path).parent == self.out for file in below)


@pytest.mark.slow
def test_nodes_give_the_bytes_of_this_machine_and_one_that_dies_costs_no_file(
    rows: Path,  # noqa: F811
    raylets: Raylets,
) -> None:
    hours(LARGE).to_parquet(rows / "large.parquet", row_group_size=MOST)
    hours(60).drop(columns="heat").to_parquet(rows / "lacks.parquet")
    options: dict[str, Any] = {"options": {"all_windows": True}, "most_rows": MOST}
    killer = Killer(raylets, rows.parent / "ray")
    first = score(rows, out="ray", workers=2, executor="ray", reporter=killer, **options)
    assert killer.kills == []
    assert first.workers == 2
    assert sum("was lost; it begins again on another" in text for text in killer.told) == 1
    found = statuses(first)
    assert (found.pop("large.parquet"), found.pop("lacks.parquet")) == ("process_ended", "missing_column")
    assert set(found.values()) == {"done"}
    assert any("its Ray worker on the node" in each.error for each in first.failed)
    again = score(rows, out="ray", workers=1, executor="ray", **options)
    assert statuses(again) == dict.fromkeys(found, "kept") | {
        "large.parquet": "done",
        "lacks.parquet": "missing_column",
    }
    score(rows, out="local", **options)
    assert contents(rows.parent / "ray") == contents(rows.parent / "local")
    assert gone(workers_of_ray("FileWorker"))


@pytest.mark.slow
def test_more_workers_than_cpus_and_a_second_cluster_are_refused(rows: Path, raylets: Raylets) -> None:  # noqa: F811
    with pytest.raises(ArgumentError, match=r"has 2 CPUs on \d nodes.*--workers 5") as caught:
        score(rows, workers=5, executor="ray")
    assert caught.value.code == "too_few_cpus"
    with pytest.raises(ArgumentError, match=r"part of the cluster at .*Received: 127\.0\.0\.1:1") as other:
        score(rows, executor="ray", address="127.0.0.1:1")
    assert other.value.code == "bad_address"
    assert contents(rows.parent / "out") == {}


@pytest.mark.slow
def test_what_a_node_does_not_see_is_told_before_the_first_file(tmp_path: Path, raylets: Raylets) -> None:
    named: dict[str, Any] = {"address": None, "default": 1, "say": raylets.said.append, "out": tmp_path}
    scorer = Scorer(str(model(KIND)), "predict")
    with (
        pytest.raises(DataError, match=r"the node .* does not see /nowhere/rows") as caught,
        open_ray_pool(scorer, workers=1, files=1, rows="/nowhere/rows.csv", **named) as pool,
    ):
        list(chain.from_iterable(pool.wait() for _ in range(600)))
    assert caught.value.code == "data_not_on_node"
    assert contents(tmp_path) == {}


def test_a_node_without_the_folder_of_answers_or_with_another_one_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.write_text("content")
    Shared(mark, "content", None).require("n7")
    assert contents(tmp_path).keys() == {"mark"}
    for other in (Shared(mark, "another disk's", None), Shared(tmp_path / "nowhere" / "mark", "content", None)):
        with pytest.raises(ArgumentError, match=r"the node n7 does not see the folder of answers") as caught:
            other.require("n7")
        assert caught.value.code == "output_not_on_node"
    with pytest.raises(DataError, match=r"n7 does not see /nowhere/a\.csv") as missing:
        Shared(mark, "content", "/nowhere/a.csv").require("n7")
    assert missing.value.code == "data_not_on_node"


def test_of_a_models_folder_only_the_model_travels(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in model_files(model(KIND)).items():
        (folder / name).write_bytes(content)
    (folder / "secret.txt").write_text("of somebody else")
    assert model_files(folder) == model_files(model(KIND))
    assert {"bundle.json", "model.keras"} < model_files(folder).keys()


@pytest.mark.slow
def test_ctrl_c_and_a_cluster_that_stops_keep_what_is_done(rows: Path) -> None:  # noqa: F811
    """Both of a cluster that the command has started for itself."""
    for number in range(16):
        hours(1_000, seed=number).to_parquet(rows / f"more-{number}.parquet")
    out = rows.parent / "out"
    words = [
        "-m",
        "seq2seq_kit",
        "predict",
        str(model(KIND)),
        "--all-windows",
        "--data",
        f"{rows}/*",
        "--out",
        f"{out}/",
    ]
    for again, status in ((False, 130), (True, 1)):
        with started(*words, "--executor", "ray", "--workers", "1", folder=rows.parent) as process:
            before = len(lines_of(out))
            while len(lines_of(out)) <= before:
                time.sleep(0.1)
                assert process.poll() is None
            family = family_of(process)
            if again:
                next(each for each in family if each.name() == "gcs_server").kill()
            else:
                os.killpg(process.pid, signal.SIGINT)
            assert process.stdout is not None
            said = process.stdout.read()
            assert process.wait(60) == status, said
            assert gone(family)
        assert "Traceback" not in said
        assert ("error[cluster_stopped]" in said) is again
    kept = {line["out"] for line in lines_of(out)}
    assert 1 < len(kept) < 20
    result = score(rows, options={"all_windows": True})
    assert {each.out for each in result.files if each.status == "kept"} == kept
    assert {path.name for path in out.iterdir()} == {NAME} | {each.out for each in result.files}


def lines_of(out: Path) -> list[dict[str, object]]:
    """The finished files of a folder of answers."""
    path = out / NAME
    return [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.is_file() else []
