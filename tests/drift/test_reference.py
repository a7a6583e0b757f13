"""What a bundle keeps of its rows: small, written and read again, and refused where it is damaged."""

from typing import Any

import numpy as np
import pytest

from seq2seq_kit.drift.blocks import COUNT, SUMS
from seq2seq_kit.drift.comparing import compare_group
from seq2seq_kit.drift.reference import Cells, Group, Reference, block_rows
from seq2seq_kit.drift.result import Compared


def reference(series: int = 2) -> Reference:
    rng = np.random.default_rng(0)
    cells = [Cells(rng.normal(size=(600, 2))) for _ in range(series)]
    group = Group.fit(["a", "b"], ["number", "error"], cells, rows=3, pool=False)
    return Reference(3, [f"s{place}" for place in range(series)], group, group)


def test_a_reference_is_read_as_it_was_written() -> None:
    words, arrays = reference().dump()
    read = Reference.restore(words, arrays)
    assert read.dump()[0] == words
    assert read.rows == 3
    again = read.dump()[1]
    assert {name: values.dtype for name, values in again.items()} == {name: each.dtype for name, each in arrays.items()}
    assert all((again[name] == values).all() for name, values in arrays.items())


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("rows", 0),
        ("rows", True),
        ("rows", "3"),
        ("series", ["s0"]),
        ("series", "s0"),
        ("series", [1, 2]),
        ("inputs", {"columns": ["a"], "kinds": ["number"]}),
        ("inputs", {"columns": ["a", "b"], "kinds": ["number", "other"]}),
        ("drift_inputs_sums", np.zeros((2, 200, 2, 3))),
        ("drift_inputs_sums", np.zeros(4)),
        ("drift_inputs_sums", np.full((2, 200, 2, SUMS), np.nan)),
        ("drift_inputs_unit", np.zeros(2)),
        ("drift_answers_edges", np.zeros((2, 3))),
    ],
)
def test_a_damaged_reference_is_refused(where: str, value: Any) -> None:
    words, arrays = reference().dump()
    (arrays if where.startswith("drift_") else words)[where] = value
    with pytest.raises(ValueError):  # noqa: PT011 (which of the checks says so does not matter)
        Reference.restore(words, arrays)


@pytest.mark.parametrize(("rows", "series", "columns"), [(10**7, 1, 7), (100, 1, 1), (5_000, 400, 8), (800, 3, 500)])
def test_the_sums_stay_small_whatever_the_table(rows: int, series: int, columns: int) -> None:
    of_a_block, pool = block_rows(rows, series, columns)
    blocks = rows // of_a_block
    numbers = blocks * columns * SUMS * (1 if pool else series)
    assert numbers <= max(150_000, 60 * columns * SUMS)
    assert blocks >= min(rows // 2, 30)


def test_series_are_compared_with_their_own_past_and_others_left_out() -> None:
    rng = np.random.default_rng(1)
    made = reference()
    far = [Cells(rng.normal(size=(30, 2)) + 9) for _ in range(2)]
    told = compare_group(made.inputs, far, made, ["s1", "new"], 0.05, np.zeros(2), np.ones(2))
    assert isinstance(told, Compared)
    assert told.alarms.alarm.any()
    assert told.rows == told.given == 30
    none = compare_group(made.inputs, far, made, ["x", "y"], 0.05, np.zeros(2), np.ones(2))
    assert getattr(none, "code", "") == "reference_too_short"


def test_pooled_series_have_one_row_of_sums() -> None:
    cells = [Cells(np.ones((60, 1))), Cells(np.ones((30, 1)))]
    group = Group.fit(["a"], ["number"], cells, rows=3, pool=True)
    assert group.sums.shape == (1, 20, 1, SUMS)
    assert group.sums[0, :, 0, COUNT].tolist() == [3.0] * 10 + [6.0] * 10
