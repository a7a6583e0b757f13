"""Scalers: fitted on training rows, undone exactly, stored bit by bit."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.tables.scaling import Scaler, fit_scaler
from seq2seq_kit.errors import DataError

METHODS = ["standard", "minmax", "robust", "none"]
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


def _fit(values: Any, method: str = "standard", rows: Any = None) -> Scaler:
    matrix = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    names = [f"c{column}" for column in range(matrix.shape[1])]
    train = np.array([[0, len(matrix)]] if rows is None else rows)
    return fit_scaler(matrix, train, columns=names, methods=[method] * len(names))


@pytest.mark.parametrize(
    ("method", "center", "scale"),
    [("standard", 3.0, np.sqrt(2)), ("minmax", 1.0, 4.0), ("robust", 3.0, 2.0), ("none", 0.0, 1.0)],
)
def test_each_method_has_its_center_and_scale(method: str, center: float, scale: float) -> None:
    scaler = _fit([1, 2, 3, 4, 5], method)
    assert (scaler.center[0, 0], scaler.scale[0, 0]) == pytest.approx((center, scale))


@pytest.mark.parametrize("method", METHODS)
@given(values=st.lists(NUMBERS, min_size=1, max_size=30))
def test_the_inverse_undoes_the_transform(method: str, values: list[float]) -> None:
    scaler, codes = _fit(values, method), np.zeros(len(values), dtype=int)
    column = np.array(values)[:, None]
    restored = scaler.inverse(scaler.transform(column, codes), codes)
    np.testing.assert_allclose(restored, column, rtol=1e-9, atol=1e-9 * (1 + np.abs(values).max()))


@given(center=NUMBERS, scale=st.floats(1e-12, 1e12))
def test_json_gives_back_every_bit(center: float, scale: float) -> None:
    scaler = Scaler(["a"], np.array([[center]]), np.array([[scale]]), ["east"])
    stored = Scaler.from_json(json.loads(json.dumps(scaler.to_json())))
    assert stored.center.tobytes() == scaler.center.tobytes()
    assert stored.scale.tobytes() == scaler.scale.tobytes()
    assert (stored.columns, stored.series) == (["a"], ["east"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, 1e9 + 0.1])
def test_a_constant_column_is_only_shifted(method: str, value: float) -> None:
    scaler = _fit([value] * 37, method)
    assert scaler.scale[0, 0] == 1
    if method != "none":
        assert scaler.transform(np.array([[value]]), np.zeros(1, dtype=int))[0, 0] == pytest.approx(0, abs=1e-6)


def test_missing_cells_are_passed_over() -> None:
    assert _fit([1, np.nan, 3, np.nan], "minmax").center[0, 0] == 1
    assert _fit([1, np.nan, 3, np.nan], "minmax").scale[0, 0] == 2
    empty = _fit([np.nan, np.nan])
    assert (empty.center[0, 0], empty.scale[0, 0]) == (0, 1)


def test_only_the_training_rows_count() -> None:
    assert _fit([1, 2, 3, 900, 900], "minmax", rows=[[0, 3]]).scale[0, 0] == 2


def test_each_column_has_its_own_method() -> None:
    values = np.array([[1.0, 1.0], [3.0, 3.0]])
    scaler = fit_scaler(values, np.array([[0, 2]]), columns=["a", "b"], methods=["none", "minmax"])
    np.testing.assert_array_equal(scaler.transform(values, np.zeros(2, dtype=int)), [[1, 0], [3, 1]])


def _per_series() -> Scaler:
    values = np.array([[0.0], [2.0], [100.0], [300.0]])
    return fit_scaler(values, np.array([[0, 2], [2, 4]]), columns=["a"], methods=["minmax"], series=["east", "west"])


def test_series_can_be_scaled_each_by_itself() -> None:
    scaler = _per_series()
    rows = np.array([[1.0], [200.0]])
    np.testing.assert_array_equal(scaler.transform(rows, np.array([0, 1])), [[0.5], [0.5]])
    np.testing.assert_array_equal(scaler.inverse(np.array([[0.5], [0.5]]), np.array([0, 1])), rows)


def test_windows_are_restored_with_the_statistics_of_their_series() -> None:
    scaled = np.full((2, 3, 1), 0.5)
    restored = _per_series().inverse(scaled, np.array([1, 0]), ["a"])
    np.testing.assert_array_equal(restored[:, :, 0], [[200] * 3, [1] * 3])


def test_some_columns_can_be_restored_by_name() -> None:
    scaler = fit_scaler(
        np.array([[0.0, 0.0, 0.0], [1.0, 10.0, 100.0]]),
        np.array([[0, 2]]),
        columns=["a", "b", "c"],
        methods=["minmax"] * 3,
    )
    np.testing.assert_array_equal(
        scaler.inverse(np.array([[0.5, 0.5]]), np.zeros(1, dtype=int), ["c", "a"]), [[50, 0.5]]
    )


def test_series_are_found_by_name_in_any_order() -> None:
    assert _per_series().codes_of(["west", "east"]).tolist() == [1, 0]
    assert _fit([1, 2]).codes_of(["new", "newer"]).tolist() == [0, 0]


def test_an_unknown_series_is_named_beside_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"the series north were not in the training data.*Known series: east, west"):
        _per_series().codes_of(["west", "north"])


def test_a_robust_scale_of_a_column_that_is_mostly_zero_is_its_standard_deviation() -> None:
    rain = np.zeros((100, 1))
    rain[:10] = 30.0
    scaler = fit_scaler(rain, np.array([[0, 100]]), columns=["rain"], methods=["robust"])
    assert scaler.scale[0, 0] == pytest.approx(rain.std())


def test_a_column_of_tiny_values_is_not_constant() -> None:
    tiny = np.linspace(1e-13, 3e-13, 50)[:, None]
    scaler = fit_scaler(tiny, np.array([[0, 50]]), columns=["flux"], methods=["standard"])
    assert scaler.scale[0, 0] == pytest.approx(tiny.std())
