"""Batches of rows that stay on disk: each window once in an epoch, the windows of memory, in another order each time."""

import os
import platform
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.on_disk.batches import read_buffers
from seq2seq_kit.data.windows.prepare import prepare, prepare_on_disk
from seq2seq_kit.errors import ArgumentError
from tests.conftest import ROOT, autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe

GROUP, BATCH = 130, 32


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row group is a block, three are open at a time."""
    monkeypatch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 1)
    monkeypatch.setattr("seq2seq_kit.data.on_disk.batches.BUFFER_BYTES", 3 * GROUP * 5 * 4)


def _both(folder: Path, recipe: dict[str, Any]) -> tuple[Prepared, Prepared]:
    frame = hourly_frame(1500).drop(index=[200, 201, 2 * GROUP + 2]).reset_index(drop=True)
    frame.to_parquet(folder / "hours.parquet", row_group_size=GROUP)
    data: Any = parse_recipe(recipe).data
    return prepare(data, frame), prepare_on_disk(data, str(folder / "hours.parquet"))[0]


def _epoch(prepared: Prepared, part: str, *, seed: int | None = None, skip: int = 0) -> list[list[np.ndarray]]:
    """The batches of an epoch, each with its inputs and targets as arrays."""
    steps = -(-prepared.count(part) // BATCH)
    batches = iter(prepared.batches(part, BATCH, shuffle_seed=seed))
    found = list(islice(batches, skip * steps, (skip + 1) * steps if seed is not None else None))
    return [[np.asarray(array) for array in (*(x if isinstance(x, tuple) else (x,)), y)] for x, y in found]


def _windows(batches: list[list[np.ndarray]]) -> np.ndarray:
    """A row for each window with everything that the model is given of it, in the order of its values."""
    flat = [np.concatenate([array.reshape(len(array), -1) for array in batch], axis=1) for batch in batches]
    rows = np.concatenate(flat)
    return rows[np.lexsort(rows.T)]


RECIPES = {
    "forecast": forecast_recipe(),
    "gap": forecast_recipe(gap_steps=3, window_stride=7, calendar=[], targets=["heat"], inputs=["load"]),
    "long": forecast_recipe(input_steps=GROUP + 20, output_steps=12, window_stride=2),
    "autoencode": autoencode_recipe(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("part", ["train", "val"])
def test_each_window_is_seen_once_in_an_epoch_and_is_that_of_memory(tmp_path: Path, name: str, part: str) -> None:
    memory, disk = _both(tmp_path, RECIPES[name])
    assert disk.count(part) == memory.count(part) >= BATCH
    whole = _windows(_epoch(memory, part))
    assert len(np.unique(whole, axis=0)) == len(whole)
    for skip in (0, 1):
        shuffled = _epoch(disk, part, seed=3, skip=skip)
        assert [len(batch[-1]) for batch in shuffled[:-1]] == [BATCH] * (len(shuffled) - 1)
        np.testing.assert_allclose(_windows(shuffled), whole, atol=1e-6)


def test_without_a_seed_the_batches_are_those_of_memory_in_order(tmp_path: Path) -> None:
    memory, disk = _both(tmp_path, RECIPES["forecast"])
    ours, theirs = _epoch(disk, "test"), _epoch(memory, "test")
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for array, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(array, expected, atol=1e-6)


def test_the_order_follows_the_seed_and_the_epoch(tmp_path: Path) -> None:
    _, disk = _both(tmp_path, RECIPES["forecast"])
    first, again = (np.concatenate([batch[0] for batch in _epoch(disk, "train", seed=3)]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for other in (_epoch(disk, "train", seed=3, skip=1), _epoch(disk, "train", seed=4)):
        assert not np.array_equal(np.concatenate([batch[0] for batch in other]), first)


@pytest.fixture
def numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Prepared, np.ndarray]:
    """Rows whose only input is their own number, and the first rows of the windows of an epoch in the order that they come."""
    frame = pd.DataFrame({"row": np.arange(1500, dtype=np.float32)})
    monkeypatch.setattr("seq2seq_kit.data.on_disk.batches.BUFFER_BYTES", 3 * GROUP * 4)
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=GROUP)
    data: Any = parse_recipe(
        autoencode_recipe(time=None, every=None, inputs=["row"], input_steps=5, scaling="none")
    ).data
    prepared = prepare_on_disk(data, str(tmp_path / "rows.parquet"))[0]
    return prepared, np.concatenate([batch[0][:, 0, 0] for batch in _epoch(prepared, "train", seed=0)])


def test_windows_are_shuffled_across_row_groups_and_within(numbered: tuple[Prepared, np.ndarray]) -> None:
    prepared, starts = numbered
    groups = starts.astype(int) // GROUP
    assert len(starts) == prepared.count("train")
    # A batch has windows of all three open groups; the groups of the file come in no order.
    assert np.mean([len(set(groups[first : first + BATCH])) for first in range(0, len(groups) - BATCH, BATCH)]) > 2
    opened = list(dict.fromkeys(groups.tolist()))
    assert sorted(opened) == list(range(9))
    assert [set(opened[:3]), set(opened[3:6])] != [{0, 1, 2}, {3, 4, 5}]
    within = starts[groups == opened[0]]
    assert 0.3 < np.mean(np.diff(within) > 0) < 0.7


def test_no_more_groups_are_open_than_asked_for(numbered: tuple[Prepared, np.ndarray]) -> None:
    _, starts = numbered
    groups = starts.astype(int) // GROUP
    last_seen = {group: int(np.flatnonzero(groups == group)[-1]) for group in set(groups.tolist())}
    first_seen = {group: int(np.flatnonzero(groups == group)[0]) for group in set(groups.tolist())}
    together = [
        sum(first_seen[group] <= place <= last_seen[group] for group in last_seen) for place in range(len(groups))
    ]
    assert max(together) == 3


def test_reading_goes_on_in_a_thread_that_ends_with_the_batches(tmp_path: Path) -> None:
    _, disk = _both(tmp_path, RECIPES["forecast"])
    rows: Any = disk.matrix
    buffers = read_buffers(rows, disk.windows["train"], BATCH, 0)
    next(buffers)
    assert any(thread.name.startswith("row_groups") for thread in threading.enumerate())
    buffers.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("row_groups") for thread in threading.enumerate())


FAULTS = """
import resource, sys
import numpy as np
from seq2seq_kit.tasks import open_job, parse_recipe
from tests.conftest import forecast_recipe

job = open_job(parse_recipe(forecast_recipe(source=sys.argv[1], read="row_groups")))
for _ in job.examples.batches("val", 32):
    pass
np.ones(2**18).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2**18).sum()  # 512 pages
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc: what TensorFlow changes there is undone")
@pytest.mark.parametrize(("threshold", "kept"), [("", True), (str(2**24), True), (str(2**17), False), ("odd", True)])
def test_memory_is_not_handed_back_to_the_system_after_each_use(tmp_path: Path, threshold: str, kept: bool) -> None:
    hourly_frame(1500).to_parquet(tmp_path / "hours.parquet", row_group_size=GROUP)
    command = [sys.executable, "-c", FAULTS, str(tmp_path / "hours.parquet")]
    given = os.environ | {"MALLOC_MMAP_THRESHOLD_": threshold}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, env=given)
    # TensorFlow's op for generators leaves 51,200 of them, as does who asks for its threshold.
    assert (int(done.stdout.splitlines()[-1]) < 5_000) == kept


def test_each_iteration_has_rows_of_its_own(tmp_path: Path) -> None:
    _, disk = _both(tmp_path, RECIPES["forecast"])
    batches = disk.batches("train", BATCH, shuffle_seed=3)
    alone = [np.asarray(inputs[0]) for inputs, _ in islice(iter(batches), 40)]
    for one, other, expected in zip(iter(batches), iter(batches), alone, strict=False):
        np.testing.assert_array_equal(one[0][0], expected)
        np.testing.assert_array_equal(other[0][0], expected)


def test_a_subset_of_windows_is_refused(tmp_path: Path) -> None:
    _, disk = _both(tmp_path, RECIPES["forecast"])
    with pytest.raises(ArgumentError, match="Received: a subset"):
        disk.batches("val", BATCH, subset=[1, 2])
