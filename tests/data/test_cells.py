"""Cells that pandas would turn into numbers that nobody meant, and how refusals lead to the fix."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.data.on_disk.table import open_table
from seq2seq_kit.data.tables.cells import read_cells, require_columns
from seq2seq_kit.data.tables.dialect_names import is_a_row, kind_of_cells
from seq2seq_kit.data.tables.table import read_table
from seq2seq_kit.data.tables.written import _read_each, read_texts
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

OTHERS: dict[str, Any] = {
    "durations": pd.to_timedelta([1, 2, 3], unit="s"),
    "durations of objects": pd.Series([pd.Timedelta("1s"), None, pd.Timedelta("2s")], dtype=object),
    "complex numbers": np.array([1 + 2j, 2, 3]),
    "periods": pd.period_range("2024-01", periods=3, freq="M"),
    "intervals": pd.interval_range(0, 3),
    "bytes": [b"1", b"2", b"3"],
    "timestamps": pd.date_range("2024-01-01", periods=3),
    "a mixture": pd.Series([1, "2", 3j], dtype=object),
}
NUMBERS: dict[str, Any] = {
    "nullable": pd.array([1, None, 3], dtype="Int64"),
    "decimals": [Decimal("1"), None, Decimal("3")],
    "texts": ["1", None, "3.0"],
    "categories": pd.Categorical(["1", None, "3"]),
    "float16": np.array([1, np.nan, 3], dtype=np.float16),
    "arrow": pd.array([1, None, 3], dtype="int8[pyarrow]"),
    "arrow texts": pd.array(["1", None, "3"], dtype="string[pyarrow]"),
    "truth": pd.Series([True, None, 3], dtype=object),
}


@pytest.mark.parametrize("kind", list(OTHERS))
def test_other_kinds_of_cells_are_refused_with_their_column(kind: str) -> None:
    with pytest.raises(DataError, match="column wait: expected numbers") as error:
        read_table(pd.DataFrame({"wait": OTHERS[kind]}), columns=["wait"])
    assert error.value.code == "not_a_number"


@pytest.mark.parametrize("kind", list(NUMBERS))
def test_numbers_of_any_type_are_read(kind: str) -> None:
    table = read_table(pd.DataFrame({"x": NUMBERS[kind]}), columns=["x"])
    np.testing.assert_array_equal(table.values[:, 0], [1, np.nan, 3])


@pytest.mark.parametrize("kind", ["durations", "periods", "bytes", "timestamps"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_parquet_files_are_no_way_around_it(tmp_path: Path, kind: str, unit: str) -> None:
    cells = pd.Series(OTHERS[kind])
    frame = pd.DataFrame(
        {"wait": cells.astype(np.dtype(f"m8[{unit}]")) if kind == "durations" else cells, "x": [1.0, 2.0, 3.0]}
    )
    path = str(tmp_path / "rows.parquet")
    frame.to_parquet(path)
    with pytest.raises(DataError, match="column wait: expected numbers"):
        read_table(read_source(path), columns=["wait"])
    with pytest.raises(DataError, match="column wait: expected numbers"):
        open_table(path, columns=["x", "wait"], time=None, every=None)


@pytest.mark.parametrize(
    ("cell", "cure"),
    [
        ("1,234.50", "data.format.thousands: ','"),
        ("12,34,567", "data.format.thousands: ','"),
        ("1,234", "data.format.thousands: ','"),
        ("1.234.567", "data.format.thousands: '.'"),
        ("1.234,50", "data.format.decimal: ',', data.format.thousands: '.'"),
        ("1 234", "data.format.thousands"),
        ("1\u202f234,5", "data.format.thousands"),
        ("1'234.5", "data.format.thousands"),
        ("523,42", "data.format.decimal: ','"),
        ("12 %", "data.format.strip: ['%']"),
        ("12,5 \u20ac", "data.format.strip"),
        ("$1,234.50", "data.format.strip"),
        ("EUR 12", "data.format.strip"),
        ("12.5 kWh", "data.format.strip"),
        ("(12.5)", "data.format.negatives: 'parentheses'"),
        ("12.5-", "data.format.negatives: 'trailing_minus'"),
        ("TRUE", "data.format.booleans: true"),
        ("nein", "data.format.booleans: true"),
        ("-", "stands for a missing value, set data.format.missing_words: ['-']"),
        ("n/a", "data.format.missing_words: ['n/a']"),
        ("k. A.", "data.format.missing_words: ['k. A.']"),
        ("sunny", "a column of texts"),
    ],
)
def test_how_cells_are_written_leads_to_the_fix(cell: str, cure: str) -> None:
    with pytest.raises(DataError) as error:
        read_table(pd.DataFrame({"x": [cell] * 5}), columns=["x"])
    assert cure in str(error.value)


ODD = [
    "12x4", "3kg", "0x1F", "12 %", "$5", "12 \u20ac", "EUR 5", "1,5", "1,234", "1,234.5", "1.234,5", "1 234", "1'234", "(5)",
    "5-", "true", "-", "k. A.", "abc", "12.3.4",
]  # fmt: skip
COLUMNS = {"whole": lambda row: str(row), "fractions": lambda row: f"{row}.5", "large": lambda row: str(row * 1000)}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("cell", ODD)
def test_a_single_odd_cell_is_to_be_corrected_and_no_way_of_writing(cell: str, column: str) -> None:
    cells = [COLUMNS[column](row) for row in range(1, 41)]
    cells[17] = cell
    with pytest.raises(DataError) as error:
        read_table(pd.DataFrame({"good": 1.0, "bad": cells}), columns=["good", "bad"])
    said = str(error.value)
    assert f"row 18, column bad: expected a number. Received: {cell!r}. Correct the cell: 39 others" in said
    assert not [
        key for key in ("strip", "decimal", "thousands", "negatives", "booleans") if f"data.format.{key}" in said
    ]
    assert error.value.code == "not_a_number"


@pytest.mark.parametrize(
    ("cell", "usual", "key"),
    [
        ("12x4", "{} \u20ac", "strip: ['\u20ac']"),
        ("1.5", "{},5", "decimal: ','"),
        ("3 kg", "{} kWh", "strip: ['kWh']"),
        ("1,5 \u20ac", "${}.5", "strip: ['$']"),
    ],
)
def test_advice_is_for_what_most_cells_have_and_then_for_the_odd_one(cell: str, usual: str, key: str) -> None:
    frame = pd.DataFrame({"x": [usual.format(row) for row in range(1, 40)] + [cell]})
    with pytest.raises(DataError, match=r"39 of 40 cells look like numbers") as error:
        read_table(frame, columns=["x"])
    said = str(error.value)
    assert said.endswith(f"data.format.{key}")
    name, value = key.split(": ", 1)
    form = Format.model_validate({name: value.strip("[']").split(", ") if name == "strip" else ","})
    with pytest.raises(DataError, match=r"row 40, column x: .* Correct the cell: 39 others"):
        read_table(frame, columns=["x"], form=form)


def test_few_cells_with_a_sign_are_slips_and_many_are_a_way_of_writing() -> None:
    few, many = (
        pd.DataFrame({"x": [f"{row} %" for row in range(n)] + [str(row) for row in range(100)]}) for n in (5, 50)
    )
    with pytest.raises(DataError, match=r"and 4 more such cells\)\. Correct these cells: 100 others"):
        read_table(few, columns=["x"])
    with pytest.raises(DataError, match=r"50 of 150 cells look like .* data\.format\.strip: \['%'\]"):
        read_table(many, columns=["x"])


@pytest.mark.parametrize("cells", [["12,5", "13,5"], ["(12)", "(13)"], ["12-", "13-"], ["1.234.567", "2.345.678"]])
def test_two_slips_among_many_numbers_are_no_way_of_writing(cells: list[str]) -> None:
    frame = pd.DataFrame({"x": [str(row % 90 + 10) for row in range(998)] + cells})
    with pytest.raises(DataError, match="Correct these cells: 998 others") as error:
        read_table(frame, columns=["x"])
    assert not [
        key for key in ("strip", "decimal", "thousands", "negatives") if f"data.format.{key}" in str(error.value)
    ]


def test_the_cure_is_that_of_the_cells_that_are_told(tmp_path: Path) -> None:
    first = pd.DataFrame({"x": ["1.5", "inf", *["2.5"] * 8]})
    later = pd.DataFrame({"x": ["1,5"] * 10})
    with pytest.raises(DataError, match=r"row 11, .*Received: '1,5' .*data\.format\.decimal: ','"):
        list(read_cells([(0, first["x"]), (10, later["x"])], "x", "the data"))


def test_all_that_is_said_of_cells_is_told_at_once() -> None:
    with pytest.raises(DataError) as error:
        read_table(pd.DataFrame({"x": ["1.234,50 \u20ac", "-", "12,25 \u20ac", "-3,5 \u20ac"] * 5}), columns=["x"])
    for key in ("decimal: ','", "thousands: '.'", "strip: ['\u20ac']", "missing_words: ['-'], and choose data.missing"):
        assert f"data.format.{key}" in str(error.value)


def test_units_below_the_names_are_told() -> None:
    with pytest.raises(DataError, match=r"data\.format\.first_row: 3"):
        read_table(pd.DataFrame({"x": ["kW", "1.5", "2.5"]}), columns=["x"])


def test_a_total_in_the_column_of_times_is_told() -> None:
    times = ["2024-01-01", "2024-01-02", "2024-01-03", "Total"]
    with pytest.raises(DataError, match=r"The last row \('Total'\) .* data\.format\.footer_rows: 1") as error:
        read_table(pd.DataFrame({"t": times, "x": 1.0}), columns=["x"], time="t", every="1d")
    assert error.value.code == "invalid_timestamp"


FORMATS: dict[str, tuple[Any, dict[str, Any]]] = {
    "European": (["1.234,5", "2,5", None], {"decimal": ",", "thousands": "."}),
    "missing": (["1234.5", "2.5", "-"], {"missing_words": ["-"]}),
    "missing numbers": ([1234.5, 2.5, -999.0], {"missing_words": [-999]}),
    "both": (pd.Series([1234.5, "2,5", None], dtype=object), {"decimal": ","}),
    "amounts": (["$1,234.5", "$2.5", None], {"strip": ["$"], "thousands": ","}),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_texts_of_a_frame_are_read_as_the_format_says(kind: str) -> None:
    cells, keys = FORMATS[kind]
    frame = pd.DataFrame({"x": cells})
    table = read_table(frame, columns=["x"], form=Format.model_validate(keys))
    np.testing.assert_array_equal(table.values[:, 0], [1234.5, 2.5, np.nan])
    pd.testing.assert_series_equal(frame["x"], pd.DataFrame({"x": cells})["x"])


@pytest.mark.parametrize(
    ("cell", "keys"),
    [
        ("2.5", {"decimal": ","}),  # a point is no decimal sign there
        ("12.34", {"decimal": ",", "thousands": "."}),
        ("1,23", {"thousands": ","}),
        ("01.02.2023", {"decimal": ",", "thousands": "."}),
        ("(5)", {"strip": ["%"]}),
        ("5-", {"strip": ["%"]}),
        ("5€3", {"strip": ["€"]}),
        ("-(5)", {"negatives": "parentheses"}),
        ("--5", {"strip": ["%"]}),
    ],
)
def test_digits_that_are_grouped_otherwise_are_no_number(cell: str, keys: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="row 2, column x: expected a number") as error:
        read_table(pd.DataFrame({"x": ["5", cell, "7"]}), columns=["x"], form=Format.model_validate(keys))
    assert error.value.code == "not_a_number"


def test_all_bad_columns_are_told_at_once() -> None:
    with pytest.raises(DataError) as error:
        read_table(pd.DataFrame({"a": ["x"], "b": [1.0], "c": [np.inf]}), columns=["a", "b", "c"])
    assert "column a" in str(error.value)
    assert "column c" in str(error.value)


def test_an_index_of_the_wanted_name_is_told() -> None:
    frame = pd.DataFrame({"x": [1.0]}, index=pd.Index(pd.to_datetime(["2024-01-01"]), name="time"))
    with pytest.raises(DataError, match=r"time as the name of its index .* frame.reset_index\(\)"):
        read_table(frame, columns=["x"], time="time", every="1h")


@pytest.mark.parametrize(("every", "apart"), [("1d", "60ms"), ("1w", "500ms"), ("1mo", "2s"), ("9999999mo", "1h")])
def test_rows_nearer_than_a_step_are_doubles(every: str, apart: str) -> None:
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(["0s", apart])
    frame = pd.DataFrame({"t": times, "x": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"row 1 .* and row 2 are .* apart, which is less than a step") as error:
        read_table(frame, columns=["x"], time="t", every=every)
    assert error.value.code == "duplicate_timestamp"


def test_a_column_of_times_of_day_is_named() -> None:
    frame = pd.DataFrame({"day": ["2024-01-01"] * 3, "clock": ["0:00", "1:00", "2:00"], "x": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"The column clock has times of day: set data.time: \[day, clock\]"):
        read_table(frame, columns=["x"], time="day", every="1h")


def test_unevenly_timed_rows_are_told_as_such() -> None:
    frame = pd.DataFrame({"t": pd.Timestamp("2024-01-01") + pd.to_timedelta([0, 61, 130, 170], unit="s"), "x": 1.0})
    with pytest.raises(
        DataError, match=r"unevenly timed: 40 s to 1.15 minutes apart.*data.resample: mean .* data.every: 1min"
    ):
        read_table(frame, columns=["x"], time="t", every="1min")


@pytest.mark.parametrize(
    ("separator", "told"),
    [
        (";", "data.format.delimiter: ';', data.format.decimal: ','"),
        ("\t", "delimiter: 'tab'"),
        ("|", "delimiter: '|'"),
    ],
)
def test_another_separator_is_told(tmp_path: Path, separator: str, told: str) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"t": [1, 2], "x": [2.5, 3.5]}).to_csv(path, sep=separator, decimal=",", index=False)
    with pytest.raises(DataError) as error:
        read_source(str(path))
    assert told in str(error.value)
    assert error.value.code == "other_separator"


def test_a_column_whose_name_holds_a_separator_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a;b": [1], "c;d": [2]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    pd.testing.assert_frame_equal(read_source(str(tmp_path / "rows.csv")), frame)


def test_lines_above_the_header_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("Report of station 7\n\nt,x\n1,2\n")
    with pytest.raises(DataError, match=r"data\.format\.header_row: 3"):
        read_source(str(path))
    path.write_text("Report,of station 7\nYear,2024\nt,x,y\n1,2,3\n")
    with pytest.raises(DataError, match=r"data\.format\.header_row: 3"):
        read_source(str(path))


FORMS = {
    "plain": Format(),
    "decimal comma": Format(decimal=","),
    "grouped": Format(decimal=",", thousands="."),
    "signs": Format(strip=["$", "%"], negatives="parentheses"),
    "words": Format(missing_words=["-9", " 5 ", 7], zero_words=["-"]),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", [object, "str"])
def test_cells_that_are_read_at_once_are_what_each_is_by_itself(name: str, dtype: object) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("0123456789" * 4 + ".,eE+-() '_$%x\t\u00a0\u2212naif\u0967"))
    cells = ["".join(rng.choice(letters, size=rng.integers(0, 7))) for _ in range(5_000)]
    cells += [
        "inf",
        "-Infinity",
        "nan",
        "NaN",
        "1e5",
        "1E400",
        "0x1F",
        "1_000",
        "1d3",
        "None",
        "+5",
        "--5",
        "5-",
        "(5)",
        "-",
        "7",
        "\n1",
    ]
    cells += [repr(float(number)) for number in rng.normal(size=2_000)]
    column = pd.Series(cells, dtype=dtype)  # type: ignore[call-overload]
    values, unread = read_texts(column, FORMS[name])
    alone, wrong = _read_each(column, FORMS[name])
    np.testing.assert_array_equal(unread, wrong)
    np.testing.assert_array_equal(values, alone)  # to the bit


def test_a_column_that_differs_in_case_alone_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks the columns date, sold.*\('Date ' for 'date', 'SOLD' for 'sold'\)"):
        require_columns(["Date ", "SOLD", "x"], ["date", "sold"], "new.csv")
    with pytest.raises(DataError) as caught:
        require_columns(["Date", "x"], ["date", "sold"], "new.csv")
    assert " for 'date'" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("land,1960,1961,1962,1963,", True),
        ("1,2,3,4,0.5,0.7", False),
        ("2024-01-01,21.5,3,4,5,6", False),
    ],
)
def test_numbers_that_count_up_are_names_where_no_other_value_stands_among_them(first: str, names: bool) -> None:
    cells = first.split(",")
    kinds = [kind_of_cells([cell]) if cell != "land" else "text" for cell in cells]
    assert is_a_row(cells, [cells] * 3, kinds) != names
