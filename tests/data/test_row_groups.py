"""Rows of a Parquet file that stay there: they look like the rows of a table in memory, and are told the same."""

import re
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk, GroupedFile
from seq2seq_kit.data.on_disk.rows import RowsOnDisk
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import prepare, prepare_on_disk
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation import fit_forecast_baselines, naive_error
from seq2seq_kit.recipe.fields import Data
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from seq2seq_kit.tasks.digest import digest_of
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe

GROUP = 130  # rows; the parts, the windows and the gap below lie across its multiples


@pytest.fixture(autouse=True)
def each_group_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 1)


def _data(**data: Any) -> Data:
    section: Data = parse_recipe(forecast_recipe(**data)).data
    return section


def _both(folder: Path, frame: pd.DataFrame, data: Data) -> tuple[Prepared, Prepared, FrameOnDisk]:
    """The rows in memory and on disk."""
    path = folder / "hours.parquet"
    frame.to_parquet(path, row_group_size=GROUP)
    on_disk, source = prepare_on_disk(data, str(path))
    return prepare(data, frame, origin=str(path)), on_disk, source


def _refused(folder: Path, frame: pd.DataFrame, **data: Any) -> tuple[DataError, DataError]:
    """The errors of a frame in memory and on disk."""
    path = folder / "hours.parquet"
    frame.to_parquet(path, row_group_size=GROUP)
    with pytest.raises(DataError) as memory:
        prepare(_data(**data), pd.read_parquet(path), origin=str(path))
    with pytest.raises(DataError) as disk:
        prepare_on_disk(_data(**data), str(path))
    return memory.value, disk.value


def _gappy(rows: int = 900) -> pd.DataFrame:
    """Hours with a gap inside a row group and one at its border, and a value far off."""
    frame = hourly_frame(rows).drop(index=[200, 201, 2 * GROUP + 2]).reset_index(drop=True)
    frame.loc[555, "heat"] = 700.0
    return frame


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Prepared, FrameOnDisk]:
    patch = pytest.MonkeyPatch()
    patch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 1)
    try:
        return _both(tmp_path_factory.mktemp("rows"), _gappy(), _data(scaling={"heat": "minmax"}))
    finally:
        patch.undo()


Pair = tuple[Prepared, Prepared, FrameOnDisk]


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(100, 300),
        slice(890, 2000),
        (slice(125, 135), 1),
        (555, 1),
        np.array([5, 880, 131, 5]),
        (np.array([[0, 1], [129, 130]]), slice(0, 1)),
        (np.array([[0, 896], [129, 130]])[..., None], np.array([1, 0])),
        (np.array([[7]])[..., None], np.array([1])),
        (np.array([[7, 8]])[..., None], [1]),
    ],
    ids=str,
)
def test_rows_on_disk_are_indexed_as_a_matrix_is(pair: Pair, key: Any) -> None:
    memory, disk, _ = pair
    assert isinstance(disk.table.values, RowsOnDisk)
    assert disk.table.values.shape == memory.table.values.shape
    found = disk.table.values[key]
    np.testing.assert_array_equal(found, memory.table.values[key])
    assert np.shape(found) == np.shape(memory.table.values[key])


def test_only_the_blocks_read_last_are_held(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    values: Any = pair[1].table.values
    monkeypatch.setattr("seq2seq_kit.data.on_disk.rows.HELD_BYTES", 2 * GROUP * 2 * 8)
    values.held.clear()
    np.testing.assert_array_equal(values[:], pair[0].table.values)
    assert list(values.held) == [(5, (0, 1)), (6, (0, 1))]
    assert sum(block.nbytes for block in values.held.values()) <= 2 * GROUP * 2 * 8


def test_a_stretch_goes_on_into_as_many_blocks_as_it_takes(pair: Pair) -> None:
    memory, disk, _ = pair
    matrix: Any = disk.matrix
    for block, end in ((1, 2 * GROUP + 300), (5, len(memory.matrix))):
        into = np.empty((matrix.length(block, 300), matrix.width), np.float32)
        matrix.stretch(block, 300, into)
        np.testing.assert_array_equal(into, memory.matrix[block * GROUP : end])


def test_scaled_rows_windows_and_segments_are_those_of_memory(pair: Pair) -> None:
    memory, disk, _ = pair
    np.testing.assert_allclose(disk.matrix[:], memory.matrix[:], atol=1e-6)
    np.testing.assert_array_equal(disk.segments, memory.segments)
    assert len(disk.segments) == 3
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(disk.windows[part].starts(), memory.windows[part].starts())
        chosen = memory.windows[part].evenly(40)
        np.testing.assert_array_equal(disk.truth(part, chosen), memory.truth(part, chosen))


def test_times_on_disk_are_those_of_memory(pair: Pair) -> None:
    memory, disk, _ = pair
    assert memory.table.times is not None
    assert disk.table.times is not None
    assert disk.table.times[3] == memory.table.times[3]
    for key in (slice(120, 140), np.array([500, 2, 131])):
        pd.testing.assert_index_equal(disk.table.times[key], memory.table.times[key], check_names=False)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_times_keep_their_zone(tmp_path: Path, zone: str) -> None:
    frame = hourly_frame(600)
    frame["time"] = frame["time"].dt.tz_localize("UTC").dt.tz_convert(zone)
    memory, disk, source = _both(tmp_path, frame, _data())
    assert memory.table.times is not None
    assert disk.table.times is not None
    assert disk.table.times[5] == memory.table.times[5]
    assert str(disk.table.times[5].tz) == zone
    np.testing.assert_array_equal(disk.matrix[:], memory.matrix)
    assert digest_of(source, ["time", "load", "heat"]) == digest_of(frame, ["time", "load", "heat"])


def test_findings_and_the_digest_are_those_of_memory(pair: Pair) -> None:
    memory, disk, source = pair
    found = [str(finding) for finding in check_data(disk)]
    assert found == [str(finding) for finding in check_data(memory)]
    assert any("the farthest is 700" in text and "row 556" in text for text in found)
    columns = ["time", "load", "heat"]
    assert digest_of(source, columns) == digest_of(_gappy(), columns)
    assert len(source) == 897


def test_the_frame_on_disk_gives_the_rows_that_it_is_asked_for(pair: Pair) -> None:
    frame, source = _gappy(), pair[2]
    pd.testing.assert_frame_equal(source.iloc[125:400], frame.iloc[125:400].reset_index(drop=True))
    pd.testing.assert_frame_equal(
        source.iloc[[400, 3, 131]].reset_index(drop=True), frame.iloc[[400, 3, 131]].reset_index(drop=True)
    )


def test_baselines_and_mases_denominator_are_those_of_memory(pair: Pair) -> None:
    memory, disk, _ = pair
    np.testing.assert_allclose(naive_error(disk), naive_error(memory), rtol=1e-12)
    windows = np.arange(memory.count("test"))
    peers = zip(fit_forecast_baselines(disk), fit_forecast_baselines(memory), strict=True)
    for ours, theirs in peers:
        assert ours.name == theirs.name
        np.testing.assert_allclose(ours(disk, "test", windows), theirs(memory, "test", windows), rtol=1e-5)


def test_an_autoencoders_baselines_are_those_of_memory(tmp_path: Path) -> None:
    data: Any = parse_recipe(autoencode_recipe()).data
    memory, disk, _ = _both(tmp_path, hourly_frame(700), data)
    windows = np.arange(memory.count("test"))
    peers = zip(
        fit_autoencode_baselines(disk, latent_dim=4), fit_autoencode_baselines(memory, latent_dim=4), strict=True
    )
    for ours, theirs in peers:
        np.testing.assert_allclose(ours(disk, "test", windows), theirs(memory, "test", windows), rtol=1e-5)


def _with(row: int, column: str, value: Any) -> pd.DataFrame:
    frame = hourly_frame(600)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "code", "said"),
    [
        (_with(300, "heat", np.inf), "not_a_number", "row 301, column heat: expected a finite number. Received: inf"),
        (_with(301, "load", np.nan), "missing_cells", "load: 1 missing cell, the first in row 302"),
        (
            _with(260, "time", pd.Timestamp("2024-01-11 19:00")),
            "duplicate_timestamp",
            "row 260 .* and row 261",
        ),
        (
            _with(260, "time", pd.Timestamp("2024-01-11 19:20")),
            "off_grid_timestamp",
            "row 261 .*`every: 1h`",
        ),
        (
            _with(260, "time", pd.NaT),
            "invalid_timestamp",
            "row 261, column time: .*'2024-01-01 00:00:00'",
        ),
        (
            hourly_frame(600).drop(columns="load"),
            "missing_column",
            "lacks the column load. It has ",
        ),
        (hourly_frame(600)[:0], "empty_table", "has a header and no rows"),
        (
            hourly_frame(600).assign(load="much"),
            "not_a_number",
            "row 1, column load: .*'much'.*599 more",
        ),
        (
            hourly_frame(600).assign(heat=_with(0, "load", 0.0)["time"]),
            "not_a_number",
            "heat: .*timestamps",
        ),
        (
            hourly_frame(600).assign(time=1.5),
            "invalid_timestamp",
            "column time: expected timestamps such as 2024-01-31 13:00. Received: 1.5",
        ),
        (
            _with(300, "load", 1e300),
            "value_too_large",
            "row 301 .*column load: 1e\\+300 is beyond the range of float32",
        ),
    ],
    ids=["infinite", "missing", "duplicate", "off", "no_time", "absent", "empty", "text", "times", "numbers", "large"],
)
def test_what_is_wrong_with_a_row_is_said_as_in_memory(
    tmp_path: Path, frame: pd.DataFrame, code: str, said: str
) -> None:
    more = {"scaling": "none"} if "float32" in said else {}
    memory, disk = _refused(tmp_path, frame, **more)
    assert (disk.code, str(disk)) == (memory.code, str(memory))
    assert disk.code == code
    assert re.search(said, str(disk))


@pytest.mark.parametrize("row", [5, GROUP, GROUP + 1])
def test_rows_that_are_not_in_time_order_are_refused(tmp_path: Path, row: int) -> None:
    frame, path = hourly_frame(600), tmp_path / "hours.parquet"
    order = np.arange(600)
    order[[row - 1, row]] = [row, row - 1]
    frame.iloc[order].to_parquet(path, row_group_size=GROUP, index=False)
    with pytest.raises(
        DataError, match=rf"row {row + 1} \(.*its time lies before that of the row above it \(2024-01-"
    ) as caught:
        prepare_on_disk(_data(), str(path))
    assert caught.value.code == "unsorted_rows"


def test_texts_are_no_timestamps_of_parquet(tmp_path: Path) -> None:
    frame, path = hourly_frame(600), tmp_path / "hours.parquet"
    frame.assign(time=frame["time"].astype(str)).to_parquet(path)
    with pytest.raises(DataError, match=r"takes a column of Parquet's timestamps\. Received: '2024-01-01 00:00:00'"):
        prepare_on_disk(_data(), str(path))


def test_a_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "hours.parquet"
    hourly_frame(600).to_parquet(path, row_group_size=GROUP)
    prepared, _ = prepare_on_disk(_data(), str(path))
    hourly_frame(600, seed=1).head(590).to_parquet(path, row_group_size=GROUP)
    with pytest.raises(DataError, match=r"hours\.parquet") as caught:
        prepared.arrays("test", np.array([0]))
    assert caught.value.code == "file_changed"


@pytest.mark.parametrize(("name", "code"), [("none.parquet", "file_not_found"), ("bad.parquet", "unreadable_file")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=re.escape(name)) as caught:
        GroupedFile.open(tmp_path / name)
    assert caught.value.code == code


def test_small_row_groups_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 250)
    path = tmp_path / "hours.parquet"
    hourly_frame(600).to_parquet(path, row_group_size=100)
    file = GroupedFile.open(path)
    np.testing.assert_array_equal(file.edges, [0, 300, 600])
    np.testing.assert_array_equal(file.groups, [0, 3, 6])
    pd.testing.assert_frame_equal(
        file.frame(1, ["load"]).set_index(np.arange(300, 600)), hourly_frame(600)[["load"]][300:]
    )
    monkeypatch.setattr("seq2seq_kit.data.on_disk.row_groups.PIECE_ROWS", 120)
    pieces = [piece for (piece,) in file.pieces(0, ["load"], 250)]
    assert [len(piece) for piece in pieces] == [120, 120, 10]
    np.testing.assert_array_equal(np.concatenate(pieces), hourly_frame(600)["load"][:250])


def _weighted(rows: int = 900) -> pd.DataFrame:
    frame = _gappy(rows)
    frame["counts"] = np.where(np.arange(len(frame)) % 7 == 0, 0, 1 + np.arange(len(frame)) % 5).astype(float)
    return frame


def _same(memory: Prepared, disk: Prepared, *, exact: bool = False) -> None:
    """The rows that a model sees, its targets, and what comes back are those of memory."""
    compare: Any = np.testing.assert_array_equal if exact else partial(np.testing.assert_allclose, atol=2e-6)
    compare(disk.matrix[:], memory.matrix[:])
    np.testing.assert_array_equal(disk.segments, memory.segments)
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(disk.windows[part].starts(), memory.windows[part].starts())
        chosen = memory.windows[part].evenly(40)
        compare(disk.scaled_targets(part, chosen), memory.scaled_targets(part, chosen))
        np.testing.assert_array_equal(disk.truth(part, chosen), memory.truth(part, chosen))
        scaled = memory.scaled_targets(part, chosen)
        np.testing.assert_allclose(
            disk.restore(scaled, part, chosen), memory.restore(scaled, part, chosen), rtol=1e-9, equal_nan=True
        )


@pytest.mark.slow
@pytest.mark.parametrize("read", [False, True])
def test_weights_are_those_of_memory(tmp_path: Path, read: bool) -> None:
    more = {"inputs": ["load", "heat", "counts"]} if read else {}
    memory, disk, _ = _both(tmp_path, _weighted(), _data(weight="counts", **more))
    assert memory.layout.weight is not None
    assert isinstance(disk.matrix, RowsOnDisk)
    _same(memory, disk)
    np.testing.assert_array_equal(disk.matrix[:, memory.layout.weight], memory.matrix[:, memory.layout.weight])
    peers = fit_forecast_baselines(memory), fit_forecast_baselines(disk)
    assert [peer.about for peer in peers[0]] == [peer.about for peer in peers[1]]


@pytest.mark.parametrize("cells", [{17: -1.0}, {400: np.nan, 500: -2.0}])
def test_a_wrong_weight_is_told_as_in_memory(tmp_path: Path, cells: dict[int, float]) -> None:
    frame = _weighted()
    for row, cell in cells.items():
        frame.loc[row, "counts"] = cell
    memory, disk = _refused(tmp_path, frame, weight="counts")
    assert str(memory) == str(disk)
    assert memory.code == disk.code == "invalid_weight"


def test_training_rows_without_weight_are_refused_as_in_memory(tmp_path: Path) -> None:
    memory, disk = _refused(tmp_path, _weighted().assign(counts=0.0), weight="counts")
    assert str(memory) == str(disk)


TRANSFORMS: list[Any] = [
    "log",
    "log1p",
    "box_cox",
    "diff",
    "seasonal_diff",
    ["log", "diff", "seasonal_diff"],
    ["box_cox", "seasonal_diff"],
]


@pytest.mark.parametrize("method", TRANSFORMS, ids=str)
def test_transforms_are_those_of_memory(tmp_path: Path, method: Any) -> None:
    data = _data(transform={"load": method, "heat": "diff"}, known_future=["heat"], calendar=[])
    memory, disk, _ = _both(tmp_path, _gappy(), data)
    assert isinstance(disk.matrix, RowsOnDisk)
    first, second = memory.scaler.transforms, disk.scaler.transforms
    assert first is not None
    assert second is not None
    assert first.chains == second.chains
    np.testing.assert_allclose(second.power, first.power, atol=1e-9)
    changed = second.apply(disk.table)
    np.testing.assert_array_equal(
        changed.values[:], first.apply(memory.table).values[:]
    ) if "box_cox" not in method else None
    _same(memory, disk)
    # Blocks by themselves and out of order, as the shuffle asks for them.
    matrix: Any = disk.with_scaler(disk.scaler).matrix
    into = np.empty((matrix.length(4, 40), matrix.width), np.float32)
    matrix.stretch(4, 40, into)
    np.testing.assert_array_equal(into, disk.matrix[4 * GROUP : 5 * GROUP + 40])


def test_a_season_longer_than_a_block_is_read_from_the_blocks_before(tmp_path: Path) -> None:
    memory, disk, _ = _both(tmp_path, _gappy(), _data(transform={"load": "seasonal_diff"}, season_steps=200))
    _same(memory, disk)


def test_the_ends_of_blocks_take_no_more_than_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.data.on_disk.changed._ENDS_BYTES", 1)
    memory, disk, _ = _both(tmp_path, _gappy(), _data(transform={"load": ["seasonal_diff", "diff"], "heat": "diff"}))
    _same(memory, disk)


@pytest.mark.parametrize("method", ["log", "log1p", "box_cox"])
def test_what_has_no_logarithm_is_told_as_in_memory(tmp_path: Path, method: str) -> None:
    frame = _gappy()
    frame.loc[[310, 600], "load"] = -3.0
    memory, disk = _refused(tmp_path, frame, transform={"load": method})
    assert str(memory) == str(disk)
    assert disk.code == "transform_domain"


WORDS: dict[str, Any] = {
    "texts": ["rain", "sun", None, " fog "],
    "truth": [True, False, True, True],
    "truth with holes": [True, None, False, True],
    "whole": [3, 1, 2, 3],
    "whole with holes": [3, None, 2, 3],
    "dictionary": pd.Categorical(["b", "a", None, "b"]),
    "dates": [date(2024, 1, 3), date(2024, 1, 2), None, date(2024, 1, 3)],
    "times in a zone": pd.to_datetime(
        pd.Series(["2024-01-01 12:00", "2024-01-02 00:00", None, "2024-01-01 12:00"])
    ).dt.tz_localize("Asia/Tokyo"),
    "whole numbers beyond float64": pd.array([2**53 + 1, 2**53 + 2, None, 2**53 + 3], "Int64"),
}


@pytest.mark.parametrize("kind", slow_but(WORDS, "dates", "texts"))
def test_categories_are_those_of_memory(tmp_path: Path, kind: str) -> None:
    frame = _gappy()
    frame["word"] = pd.Series(WORDS[kind]).iloc[np.arange(len(frame)) // 3 % 4].reset_index(drop=True)
    data = _data(inputs=["load", "heat", "word"], categories=["word"], known_future=["word"], calendar=[])
    path = tmp_path / "hours.parquet"
    frame.to_parquet(path, row_group_size=GROUP)
    disk, source = prepare_on_disk(data, str(path))
    read = pd.read_parquet(path)
    memory = prepare(data, read, origin=str(path))
    assert isinstance(disk.matrix, RowsOnDisk)
    assert disk.scaler.vocabularies == memory.scaler.vocabularies
    _same(memory, disk)
    place = memory.layout.inputs - 1
    np.testing.assert_array_equal(disk.matrix[:, place], memory.matrix[:, place])
    assert [str(each) for each in check_data(disk)] == [str(each) for each in check_data(memory)]
    names = ["time", "load", "word"]
    if kind != "whole numbers beyond float64":  # the digest of a file takes them as the file's frame has them
        assert digest_of(source, names) == digest_of(read, names)
    peers = fit_forecast_baselines(memory), fit_forecast_baselines(disk)
    assert [peer.about for peer in peers[0]] == [peer.about for peer in peers[1]]


def test_values_that_no_training_row_has_are_told_as_in_memory(tmp_path: Path) -> None:
    frame = _gappy()
    frame["word"] = np.where(np.arange(len(frame)) > 800, "new", "old")
    data = _data(inputs=["load", "heat", "word"], categories=["word"])
    memory, disk, _ = _both(tmp_path, frame, data)
    assert [note for note in disk.notes if "new" in note] == [note for note in memory.notes if "new" in note] != []
    _same(memory, disk)


def test_a_category_with_a_fraction_is_told_with_its_row(tmp_path: Path) -> None:
    frame = _gappy().assign(word=1.0)
    frame.loc[400, "word"] = 2.5
    memory, disk = _refused(tmp_path, frame, inputs=["load", "heat", "word"], categories=["word"])
    assert str(memory) == str(disk)
    assert "row 401" in str(disk)
