"""The errors of rows, from windows that overlap."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies import row_errors as module
from seq2seq_kit.anomalies.row_errors import row_errors
from seq2seq_kit.data.windows.prepare import Prepared, prepare
from seq2seq_kit.recipe.detect_fields import Combine
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeData
from seq2seq_kit.tasks.forecast.recipe import ForecastData

COMBINE: dict[Combine, Callable[..., np.ndarray]] = {"median": np.median, "mean": np.mean}


def table(rows: int = 90, gap: int = 30) -> pd.DataFrame:
    """Two series of two columns; the first lacks an hour."""
    rng = np.random.default_rng(0)
    one = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=rows, freq="h"), "a": rng.normal(size=rows)})
    one["b"] = rng.normal(size=rows) * 7
    return pd.concat([one.drop(index=gap).assign(site="x"), one.assign(site="y")], ignore_index=True)


def autoencoder(frame: pd.DataFrame, **settings: object) -> Prepared:
    written = {"time": "time", "every": "1h", "series": "site", "inputs": ["a", "b"], "input_steps": 5} | settings
    return prepare(AutoencodeData.model_validate(written), frame)


def noisy(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """Another prediction for each window and step, always the same."""
    shape = (prepared.windows[part].shape.output_steps, 2)
    return np.array([np.random.default_rng(int(window)).normal(size=shape) for window in windows])


@pytest.mark.parametrize("combine", list(COMBINE))
@pytest.mark.parametrize("stride", [1, 2, 5, 7])
@pytest.mark.parametrize("chunk", [3, 4096])
def test_each_row_has_the_predictions_of_all_its_windows(
    combine: Combine, stride: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    prepared = autoencoder(table(), window_stride=stride)
    expected = predictions(prepared, "train")
    found = row_errors(noisy, prepared, "train", combine=combine)
    assert found.expected == pytest.approx(np.array([COMBINE[combine](own, axis=0) for own in expected]))
    assert len(found.labels) == len(expected)
    assert found.errors == pytest.approx((found.actual - found.expected) / prepared.target_scale[found.series])
    assert found.unreached == int(np.diff(prepared.split.rows("train")).sum()) - len(expected)


def predictions(prepared: Prepared, part: str) -> list[np.ndarray]:
    """Those of each row that a window reaches, by a loop."""
    windows = prepared.windows[part]
    every = np.arange(windows.count)
    by_row: dict[int, list[np.ndarray]] = {}
    for window, values in zip(windows.target_rows(every), noisy(prepared, part, every), strict=True):
        for row, value in zip(window, values, strict=True):
            by_row.setdefault(int(row), []).append(value)
    return [np.array(by_row[row]) for row in sorted(by_row)]


@pytest.mark.parametrize(("combine", "extreme"), [("max", np.max), ("min", np.min)])
def test_the_largest_or_smallest_error_may_decide(combine: Combine, extreme: Callable[..., np.ndarray]) -> None:
    prepared = autoencoder(table())
    found = row_errors(noisy, prepared, "val", combine=combine)
    sizes = [np.abs(own - actual) for own, actual in zip(predictions(prepared, "val"), found.actual, strict=True)]
    assert np.abs(found.expected - found.actual) == pytest.approx(np.array([extreme(own, axis=0) for own in sizes]))


def test_segments_change_at_gaps_and_at_series() -> None:
    found = row_errors(noisy, autoencoder(table()), "train")
    changes = found.labels[np.diff(found.segment, prepend=-1) != 0]
    assert changes[["site", "time"]].values.tolist() == [
        ["x", pd.Timestamp("2026-01-01 00:00")],
        ["x", pd.Timestamp("2026-01-02 07:00")],
        ["y", pd.Timestamp("2026-01-01 00:00")],
    ]
    assert found.series.tolist() == (found.labels.site == "y").astype(int).tolist()


def test_forecasts_reach_the_rows_after_their_inputs() -> None:
    data = {"time": "time", "every": "1h", "inputs": ["a", "b"], "targets": ["b", "a"], "input_steps": 6}
    frame = table().query("site == 'y'")
    prepared = prepare(ForecastData.model_validate(data | {"output_steps": 3}), frame)
    found = row_errors(noisy, prepared, "train")
    assert found.columns == ["b", "a"]
    assert found.labels.time.iloc[0] == pd.Timestamp("2026-01-01 06:00")
    assert found.unreached == 6
    assert found.actual[:, 0] == pytest.approx(frame.b.to_numpy()[6 : 6 + len(found.labels)])


def test_missing_cells_have_no_error() -> None:
    frame = table().query("site == 'y'").reset_index(drop=True)
    frame.loc[20, "a"] = np.nan
    found = row_errors(noisy, autoencoder(frame, missing="interpolate", series=None), "train")
    assert np.isnan(found.errors[20]).tolist() == [True, False]
    assert np.isfinite(found.expected).all()


def test_rows_that_were_padded_are_no_rows() -> None:
    short = table(rows=40, gap=3).query("site == 'y'").assign(site="z")[-7:]
    data: dict[str, object] = {"time": "time", "every": "1h", "series": "site", "inputs": ["a", "b"]}
    data |= {"targets": ["a", "b"], "input_steps": 12, "output_steps": 2, "short_series": "pad", "missing": "mask"}
    prepared = prepare(ForecastData.model_validate(data), pd.concat([table(), short]))
    assert prepared.table.pads is not None
    assert prepared.table.pads.max() > 0
    found = row_errors(noisy, prepared, "train")
    assert np.isfinite(found.actual).all()
    # The first 12 rows of both long series and of one after its gap; the first of the short one, before which there is nothing.
    assert found.unreached == 3 * 12 + 1
