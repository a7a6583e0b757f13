"""A file that is read by row groups has the answers of the whole one, whatever lies across the borders, in bounded memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import load
from seq2seq_kit.data.on_disk import row_groups
from seq2seq_kit.data.on_disk.row_groups import GroupedFile
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation.baselines import SeasonalNaive
from seq2seq_kit.scoring import Scorer, cutting, cutting_events, score_files, stretches
from tests.scoring.models import changed, hours, model, with_gaps, with_holes, with_spikes

MOST = 300
ALL = {"all_windows": True}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred rows are many blocks."""
    monkeypatch.setattr(row_groups, "LEAST_ROWS", 128)
    monkeypatch.setattr(row_groups, "PIECE_ROWS", 64)
    monkeypatch.setattr(cutting, "CHUNK", 64)


def both(
    kind: str, frame: pd.DataFrame, verb: str, options: dict[str, Any], folder: Path, **data: Any
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """What a file gives by pieces and as a whole, and the notes."""
    path = folder / "rows.parquet"
    frame.to_parquet(path, row_group_size=100, index=False)
    with pytest.MonkeyPatch.context() as patch:
        if data:
            other = changed(Scorer(str(model(kind))).bundle, **data)
            patch.setattr(Scorer, "bundle", property(lambda self: other))
        result = score_files(model(kind), verb, path, folder / "out", workers=1, options=options, most_rows=MOST)
        result.raise_failed()
        whole = Scorer(str(model(kind)), verb, options)(pd.read_parquet(path))
    whole.attrs.clear()
    whole.to_parquet(folder / "whole.parquet", index=False)
    return pd.read_parquet(folder / "out" / path.name), pd.read_parquet(folder / "whole.parquet"), result.files[0].notes


ONE, SERIES, TURNS = hours(1000, series=("a",)), hours(600), hours(600, in_turn=True)
MANY = hours(40, series=tuple("abcdefghijklmnopqrst"), in_turn=True)
SHUFFLED = MANY.sample(frac=1, random_state=0, ignore_index=True)


@pytest.mark.parametrize(
    ("kind", "frame", "verb", "options"),
    [
        ("forecast_shapes", ONE, "predict", {}),
        ("forecast_shapes", with_gaps(ONE), "predict", ALL),
        ("forecast_shapes", with_gaps(ONE), "predict", ALL | {"steps": 3}),
        ("forecast_shapes", with_gaps(TURNS), "predict", {}),
        ("forecast_shapes", TURNS, "predict", ALL),
        ("forecast_shapes", MANY, "predict", ALL),
        ("forecast_shapes", SHUFFLED, "predict", {}),
        ("forecast_shapes", with_spikes(with_gaps(SERIES)), "detect", {}),
        ("forecast_shapes", with_spikes(with_gaps(TURNS)), "detect", {"threshold": 2.0}),
        ("forecast_repeat", ONE, "predict", {}),
        ("forecast_repeat", ONE, "predict", ALL),
        ("forecast_repeat", with_spikes(ONE), "detect", {}),
        ("forecast_next_step", TURNS, "predict", {}),
        ("forecast_next_step", SERIES, "predict", ALL),
        ("autoencode_window", with_gaps(with_holes(TURNS)), "encode", {}),
        ("autoencode_window", with_gaps(ONE), "encode", {"stride": 7}),
        ("autoencode_window", with_gaps(SERIES), "reconstruct", {}),
        ("autoencode_window", with_gaps(SERIES), "score", {"by": "step"}),
        ("autoencode_window", with_spikes(with_gaps(with_holes(TURNS))), "detect", {}),
    ],
)
def test_pieces_give_what_the_whole_file_gives(
    kind: str, frame: pd.DataFrame, verb: str, options: dict[str, Any], tmp_path: Path
) -> None:
    found, whole, notes = both(kind, frame, verb, options, tmp_path)
    assert len(found) > 0
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-4)
    assert not [note for note in notes if "as a whole" in note]


@pytest.mark.parametrize("missing", ["interpolate", "ffill"])
@pytest.mark.parametrize("seed", range(2))
def test_cells_that_are_filled_are_filled_across_borders(missing: str, seed: int, tmp_path: Path) -> None:
    frame = with_gaps(with_holes(hours(700, in_turn=True, seed=seed), seed), seed)
    for verb, options in (("predict", ALL), ("detect", {})):
        folder = tmp_path / verb
        folder.mkdir()
        found, whole, _ = both("forecast_shapes", frame, verb, options, folder, missing=missing)
        pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-4)


def test_no_piece_is_longer_than_it_must_be_and_row_groups_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours(5_000, series=("a",)).to_parquet(tmp_path / "rows.parquet", row_group_size=100)
    asked, blocks = list[int](), list[int]()
    answer, batches = Scorer.answer, GroupedFile.batches

    def counted(self: Scorer, frame: pd.DataFrame, origin: str) -> Any:
        asked.append(len(frame))
        return answer(self, frame, origin)

    def read(self: GroupedFile, block: int, columns: list[str], most: int) -> Iterator[Any]:
        if "load" in columns:  # names of series are read before
            blocks.append(block)
        return batches(self, block, columns, most)

    monkeypatch.setattr(Scorer, "answer", counted)
    monkeypatch.setattr(GroupedFile, "batches", read)
    path = tmp_path / "rows.parquet"
    result = score_files(
        model("forecast_shapes"), "predict", path, tmp_path / "out", options=ALL, workers=1, most_rows=MOST
    )
    result.raise_failed()
    assert max(asked) < 2 * MOST
    assert len(asked) > 10
    assert blocks == sorted(set(blocks))


def test_rows_of_a_wrong_cell_are_counted_in_the_file(tmp_path: Path) -> None:
    for number, frame in enumerate((hours(600), hours(600, in_turn=True))):
        frame.loc[1_111, "heat"] = np.inf
        frame.to_parquet(tmp_path / "rows.parquet", row_group_size=100)
        for verb, options in (("predict", ALL), ("detect", {})):
            out = tmp_path / f"{verb}{number}"
            path = tmp_path / "rows.parquet"
            result = score_files(model("forecast_shapes"), verb, path, out, options=options, workers=1, most_rows=MOST)
            assert "row 1112" in result.failed[0].error
            assert [path.name for path in out.iterdir()] == ["_scored.jsonl"]


def test_a_long_series_out_of_order_is_refused(tmp_path: Path) -> None:
    frame = hours(1000, series=("a",))
    frame.loc[[500, 501]] = frame.loc[[501, 500]].to_numpy()
    frame["time"] = pd.to_datetime(frame["time"])
    frame.astype({"load": float, "heat": float, "wind": float}).to_parquet(tmp_path / "rows.parquet")
    for verb in ("predict", "detect"):
        result = score_files(
            model("forecast_shapes"), verb, tmp_path / "rows.parquet", tmp_path / verb, workers=1, most_rows=MOST
        )
        assert result.failed[0].code == "unsorted_rows"
        assert "row 502" in result.failed[0].error


def test_a_recipe_that_moves_rows_reads_the_file_as_a_whole_and_says_so(tmp_path: Path) -> None:
    frame = hours(1000, series=("a",))
    found, whole, notes = both("forecast_shapes", frame, "predict", {}, tmp_path, duplicates="mean")
    pd.testing.assert_frame_equal(found, whole)
    assert [note for note in notes if "as a whole" in note]


@pytest.mark.parametrize("verb", ["predict", "detect"])
def test_a_long_series_whose_folder_names_it_is_cut(verb: str, tmp_path: Path) -> None:
    frame = with_spikes(hours(1000, series=("a",)))
    (tmp_path / "site=a").mkdir()
    frame.drop(columns="site").to_parquet(tmp_path / "site=a" / "rows.parquet", row_group_size=100)
    result = score_files(
        model("forecast_shapes"), verb, f"{tmp_path}/site=*/*", tmp_path / "out", workers=1, most_rows=MOST
    )
    result.raise_failed()
    whole = Scorer(str(model("forecast_shapes")), verb)(frame)
    found = pd.read_parquet(tmp_path / "out" / "site=a" / "rows.parquet", partitioning=None)
    assert list(found["site"]) == ["a"] * len(whole) != []
    pd.testing.assert_series_equal(found[whole.columns[-1]], whole[whole.columns[-1]], rtol=1e-5)
    assert not [note for note in result.files[0].notes if "as a whole" in note]


def test_a_series_that_is_too_short_is_left_out_as_in_the_whole_file(tmp_path: Path) -> None:
    frame = pd.concat([hours(5, series=("z",)), hours(600)], ignore_index=True)
    found, whole, _ = both("forecast_shapes", frame, "predict", {}, tmp_path, short_series="leave_out")
    pd.testing.assert_frame_equal(found, whole)
    assert set(found["site"]) == {"a", "b"}


def test_an_event_across_a_border_is_one(tmp_path: Path) -> None:
    frame = hours(1000, series=("a",))
    frame.loc[280:420, "load"] += 400 * np.where(np.arange(141) % 2, 1, -1)
    found, whole, _ = both("forecast_shapes", frame, "detect", {}, tmp_path)
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-4)
    assert found["steps"].max() > 100


def test_a_model_loaded_here_and_there_says_the_same() -> None:
    frame = hours(60)
    path = model("forecast_shapes")
    pd.testing.assert_frame_equal(Scorer(str(path))(frame), load(path).predict(frame))


@pytest.mark.parametrize(("frame", "options"), [(MANY, ALL), (hours(40, series=tuple("abcdefghijklmnopqrst")), ALL)])
def test_several_series_are_not_cut_as_one(
    frame: pd.DataFrame, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a stretch has more rows than are held, because files that are open at a time are few."""
    monkeypatch.setattr(stretches, "_MOST_STRETCHES", 2)
    found, whole, _ = both("forecast_shapes", frame, "predict", options, tmp_path)
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-4)


def test_an_event_that_never_ends_is_told_as_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting_events, "_LONGEST", 2)
    frame = hours(2_400, series=("a",))
    frame.loc[300:1_999, "load"] += 400 * np.where(np.arange(1_700) % 2, 1, -1)
    found, whole, _ = both("forecast_shapes", frame, "detect", {}, tmp_path)
    first, last = found.columns[2:4]
    assert len(found) > len(whole)
    assert found[first].min() == whole[first].min()
    assert found[last].max() == whole[last].max()
    assert found["steps"].sum() >= 0.98 * whole["steps"].sum()


@pytest.mark.parametrize("stride", [5, 7])
def test_windows_of_a_detection_keep_in_step_across_borders(stride: int, tmp_path: Path) -> None:
    frame = with_spikes(hours(1_500, series=("a",)))
    found, whole, _ = both("autoencode_window", frame, "detect", {"threshold": 3.0}, tmp_path, window_stride=stride)
    assert len(found) > 1
    pd.testing.assert_frame_equal(found, whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "verb"), [("forecast_shapes", "predict"), ("autoencode_window", "encode"), ("autoencode_window", "detect")]
)
def test_a_series_that_the_model_does_not_know_is_left_out_by_forecasts_only(
    kind: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Scaler.codes_of

    def codes_of(self: Scaler, names: list[str]) -> np.ndarray:
        if "z" in names:
            raise DataError("the series z were not in the training data", code="unknown_series")
        return known(self, names)

    monkeypatch.setattr(Scaler, "codes_of", codes_of)
    hours(350, series=("a", "z", "b")).to_parquet(tmp_path / "rows.parquet")
    (found,) = score_files(
        model(kind), verb, tmp_path / "rows.parquet", tmp_path / "out", workers=1, most_rows=MOST
    ).files
    if verb == "predict":
        assert set(pd.read_parquet(tmp_path / "out" / "rows.parquet")["site"]) == {"a", "b"}
        assert [note for note in found.notes if "series z" in note]
    else:
        assert found.code == "unknown_series"


def test_a_baseline_has_the_season_that_it_looks_back_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    season = SeasonalNaive("seasonal naive (long)", "repeats", 290)
    other = replace(Scorer(str(model("forecast_shapes"))).bundle, baselines=[season])  # type: ignore[type-var]
    monkeypatch.setattr(Scorer, "bundle", property(lambda self: other))
    found, whole, _ = both("forecast_shapes", ONE, "predict", {"baseline": "seasonal naive"}, tmp_path)
    pd.testing.assert_frame_equal(found, whole)
