"""Long tables are looked at in pieces: nothing depends on where the pieces end."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.tables.pieces import Moments, pieces_of
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation import fit_forecast_baselines, naive_error
from seq2seq_kit.tasks.digest import digest_of
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.data.tables.pieces.PIECE", 7)


def _prepared(frame: pd.DataFrame, **data: Any) -> Prepared:
    return prepare(parse_recipe(forecast_recipe(**data)).data, frame, origin="hours.csv")


def test_pieces_hold_each_row_once(short_pieces: None) -> None:
    rows = np.concatenate([np.arange(50)[piece] for piece in pieces_of(3, 45)])
    np.testing.assert_array_equal(rows, np.arange(3, 45))
    assert len(list(pieces_of(3, 45))) == 6


def test_moments_of_pieces_are_those_of_the_column(short_pieces: None) -> None:
    values = 1e6 + np.random.default_rng(0).normal(size=(100, 2))
    values[5:30, 1] = np.nan
    found = Moments.of(values, 1, [(0, 40), (60, 100)])
    known = np.concatenate([values[:5, 1], values[30:40, 1], values[60:, 1]])
    assert (found.count, found.low, found.high) == (55, known.min(), known.max())
    assert (found.mean, found.deviation) == pytest.approx((known.mean(), known.std()), rel=1e-9)


def test_moments_of_an_empty_column_are_unknown() -> None:
    found = Moments.of(np.full((20, 1), np.nan), 0, [(0, 20)])
    assert found.count == 0
    assert np.isnan([found.mean, found.deviation, found.low, found.high]).all()


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_preparing_in_pieces_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    frame = hourly_frame(400, series=("a", "b")).drop(index=[100, 107, 500]).reset_index(drop=True)
    frame.loc[[20, 21, 300], "load"] = np.nan
    frame.loc[390, "heat"] = 400.0
    whole = _prepared(frame, series="site", missing=missing)
    found = check_data(whole)
    naive = naive_error(whole)
    monkeypatch.setattr("seq2seq_kit.data.tables.pieces.PIECE", 7)
    pieces = _prepared(frame, series="site", missing=missing)
    np.testing.assert_array_equal(pieces.matrix, whole.matrix)
    np.testing.assert_array_equal(pieces.segments, whole.segments)
    assert [str(finding) for finding in check_data(pieces)] == [str(finding) for finding in found]
    assert "outlier" in [finding.code for finding in found]
    np.testing.assert_allclose(naive_error(pieces), naive, rtol=1e-12)


@pytest.mark.parametrize("row", [6, 7, 8])
def test_a_doubled_time_is_named_wherever_a_piece_ends(short_pieces: None, row: int) -> None:
    frame = hourly_frame(400)
    frame.loc[row, "time"] = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=row - 1)
    with pytest.raises(DataError, match=f"row {row} .* and row {row + 1} have the same timestamp"):
        _prepared(frame)


@pytest.mark.parametrize("row", [6, 7, 8])
def test_a_time_off_the_grid_is_named_wherever_a_piece_ends(short_pieces: None, row: int) -> None:
    frame = hourly_frame(400)
    frame.loc[row, "time"] = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=row, minutes=20)
    with pytest.raises(DataError, match=rf"row {row + 1} \(.*not a whole number of steps of `every: 1h`"):
        _prepared(frame)


def test_month_ends_stay_on_the_grid_wherever_a_piece_ends(short_pieces: None) -> None:
    months = pd.date_range("2000-01-31", periods=120, freq="ME")
    rows = pd.DataFrame({"time": months, "load": np.arange(120.0), "heat": np.sin(np.arange(120))})
    prepared = _prepared(rows, every="1mo", calendar=["month"], input_steps=6, output_steps=2)
    np.testing.assert_array_equal(prepared.segments, [[0, 120, 0]])


def test_the_digest_in_pieces_is_that_of_the_whole_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = hourly_frame(100, series=("a", "b"))
    whole = digest_of(frame, ["site", "time", "load"])
    monkeypatch.setattr("seq2seq_kit.tasks.digest._HASHED_ROWS", 33)
    assert digest_of(frame, ["site", "time", "load"]) == whole
    assert digest_of(frame.iloc[::-1], ["site", "time", "load"]) != whole


def test_the_ridge_from_chunks_is_that_of_all_windows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = _prepared(hourly_frame(900))
    whole = fit_forecast_baselines(prepared)[-1]
    monkeypatch.setattr("seq2seq_kit.evaluation.ridge._CHUNK", 50)
    chunks = fit_forecast_baselines(prepared)[-1]
    windows = np.arange(prepared.count("test"))
    np.testing.assert_allclose(chunks(prepared, "test", windows), whole(prepared, "test", windows), rtol=1e-8)
