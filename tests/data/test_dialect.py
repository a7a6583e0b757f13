"""Files as people export them: what is detected, that they are read by it with the right numbers, and what is refused."""

import bz2
import gzip
import lzma
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.data.tables.cells import read_numbers
from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.dialect_cells import sentinels_of
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

ROWS = 60
TIMES = pd.date_range("2024-03-01", periods=ROWS, freq="h")
VALUES = np.round(1_500 + 900 * np.sin(np.arange(ROWS) / 5), 2)
SMALL = np.round(np.cos(np.arange(ROWS) / 7) * 20 + 0.5, 1)

Writer = Callable[[float], str]


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def grouped(group: str, decimal: str, digits: int = 2) -> Writer:
    def write(value: float) -> str:
        return f"{value:,.{digits}f}".replace(",", "\0").replace(".", decimal).replace("\0", group)

    return write


def indian(value: float) -> str:
    whole, fraction = f"{value * 1_000:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(at - 2, 0) : at] for at in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail]) + "." + fraction


def table(
    delimiter: str = ",",
    write: Writer = lambda value: f"{value:.2f}",
    small: Writer = lambda value: f"{value:.1f}",
    *,
    names: str | None = None,
    end: str = "",
    quoted: bool = False,
) -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if quoted or delimiter in text else text

    rows = [
        [cell(f"{time:%Y-%m-%d %H:%M}"), cell(write(value)), cell(small(low))]
        for time, value, low in zip(TIMES, VALUES, SMALL, strict=True)
    ]
    header = names or delimiter.join(["time", "load", "temp"])
    return "\n".join([header, *(delimiter.join(row) + end for row in rows)]) + "\n"


def with_cell(row: int, column: int, text: str, written: str | None = None, delimiter: str = ",") -> str:
    lines = (written or table(delimiter)).splitlines()
    cells = lines[row].split(delimiter)
    cells[column] = text
    lines[row] = delimiter.join(cells)
    return "\n".join(lines) + "\n"


def whole(value: float) -> str:
    return f"{value:.0f}"


def euro(value: float) -> str:
    return grouped(" ", ",")(value) + " €"


def accounting(value: float) -> str:
    return f"({-value:.1f})" if value < 0 else f"{value:.1f}"


def behind(value: float) -> str:
    return f"{abs(value):.1f}-" if value < 0 else f"{value:.1f}"


# By name: the file's ending, its text, its encoding, what is detected, what was written to `load` times its factor.
EXPORTS: dict[str, tuple[str, str, str, dict[str, object], float]] = {
    "plain": (".csv", table(), "utf-8", {}, 1),
    "plain, with a mark": (".csv", table(), "utf-8-sig", {}, 1),
    "tabs": (".tsv", table("\t"), "utf-8", {}, 1),
    "tabs in a csv": (".csv", table("\t"), "utf-8", {"delimiter": "tab"}, 1),
    "commas in a txt": (".txt", table(), "utf-8", {}, 1),
    "semicolons": (".csv", table(";"), "utf-8", {"delimiter": ";"}, 1),
    "bars": (".csv", table("|"), "utf-8", {"delimiter": "|"}, 1),
    "European": (".csv", table(";", comma, comma), "utf-8-sig", {"delimiter": ";", "decimal": ","}, 1),
    "European, quoted, by commas": (".csv", table(",", comma, comma), "utf-8", {"decimal": ","}, 1),
    "European, grouped": (
        ".csv",
        table(";", grouped(".", ","), comma),
        "utf-8",
        {"delimiter": ";", "decimal": ",", "thousands": "."},
        1,
    ),
    "points between thousands only": (
        ".csv",
        table(";", grouped(".", ",", 0), lambda value: f"{value:.0f}"),
        "utf-8",
        {"delimiter": ";", "decimal": ",", "thousands": "."},
        0,
    ),
    "American, grouped": (".csv", table(",", grouped(",", ".")), "utf-8", {"thousands": ","}, 1),
    "Swiss": (".csv", table(";", grouped("'", ".")), "utf-8", {"delimiter": ";", "thousands": "'"}, 1),
    "Swiss, typographic": (
        ".csv",
        table(";", grouped("\u2019", ".")),
        "cp1252",
        {"delimiter": ";", "thousands": "'"},
        1,
    ),
    "French": (
        ".csv",
        table(";", grouped("\u202f", ","), comma),
        "utf-8",
        {"delimiter": ";", "decimal": ",", "thousands": " "},
        1,
    ),
    "no-break": (
        ".csv",
        table(";", grouped("\u00a0", ","), comma),
        "cp1252",
        {"delimiter": ";", "decimal": ",", "thousands": " ", "encoding": "cp1252"},
        1,
    ),
    "Indian": (".csv", table(",", indian), "utf-8", {"thousands": ","}, 1_000),
    "euros": (
        ".csv",
        table(";", euro, comma),
        "utf-8",
        {"delimiter": ";", "decimal": ",", "thousands": " ", "strip": ["€"]},
        1,
    ),
    "euros in cp1252": (
        ".csv",
        table(";", euro, comma),
        "cp1252",
        {"delimiter": ";", "decimal": ",", "thousands": " ", "strip": ["€"], "encoding": "cp1252"},
        1,
    ),
    "dollars": (
        ".csv",
        table(",", lambda value: f"${value:,.2f}"),
        "utf-8",
        {"thousands": ",", "strip": ["$"]},
        1,
    ),
    "codes": (".csv", table(",", lambda value: f"{value:.2f} EUR"), "utf-8", {"strip": ["EUR"]}, 1),
    "units": (".csv", table(",", lambda value: f"{value:.2f} kWh"), "utf-8", {"strip": ["kWh"]}, 1),
    "percent": (".csv", table(",", small=lambda value: f"{value:.1f}%"), "utf-8", {"strip": ["%"]}, 1),
    "percent, apart": (".csv", table(",", small=lambda value: f"{value:.1f} %"), "utf-8", {"strip": ["%"]}, 1),
    "parentheses": (".csv", table(",", small=accounting), "utf-8", {"negatives": "parentheses"}, 1),
    "minus behind": (".csv", table(",", small=behind), "utf-8", {"negatives": "trailing_minus"}, 1),
    "all quoted": (".csv", table(";", comma, comma, quoted=True), "utf-8", {"delimiter": ";", "decimal": ","}, 1),
    "tabs, quoted": (".tsv", table("\t", quoted=True), "utf-8", {"quote": '"'}, 1),
    "UTF-16": (".tsv", table("\t"), "utf-16", {"encoding": "utf-16"}, 1),
    "UTF-16 without a mark": (".csv", table(), "utf-16-le", {"encoding": "utf-16-le"}, 1),
    "cp1252": (".csv", table(names="time,load,Außentemp"), "cp1252", {"encoding": "cp1252"}, 1),
    "sep=": (".csv", "sep=;\n" + table(";"), "utf-8", {"delimiter": ";", "header_row": 2}, 1),
    "sep=,": (".csv", "sep=,\r\n" + table(), "utf-8", {"header_row": 2}, 1),
    "lines above": (
        ".csv",
        "Report of station 7\nCreated 2024-05-01, by hand\n\n" + table(),
        "utf-8",
        {"header_row": 4},
        1,
    ),
    "padded lines above": (".csv", "Station 7,,\n,,\n" + table(), "utf-8", {"header_row": 3}, 1),
    "comments above": (".csv", "# station 7\n# kW\n" + table(), "utf-8", {"header_row": 3}, 1),
    "comments between": (
        ".csv",
        table().replace("2024-03-02 00:00", "# new battery\n2024-03-02 00:00"),
        "utf-8",
        {"comment": "#"},
        1,
    ),
    "separators at the end": (".csv", table(";", end=";"), "utf-8", {"delimiter": ";"}, 1),
    "separators at the end and in the names": (
        ".csv",
        table(";", end=";", names="time;load;temp;"),
        "utf-8",
        {"delimiter": ";"},
        1,
    ),
    "blank lines at the end": (".csv", table() + "\n\n  \n", "utf-8", {}, 1),
    "empty rows at the end": (".csv", table(";") + ";;\n;;\n", "utf-8", {"delimiter": ";", "footer_rows": 2}, 1),
    "total": (".csv", table() + "Total,90000.0,30.0\n", "utf-8", {"footer_rows": 1}, 1),
    "Summe, after a blank line": (
        ".csv",
        table(";") + "\nSumme;90000.0;30.0\n",
        "utf-8",
        {"delimiter": ";", "footer_rows": 1},
        1,
    ),
    "a source below": (".csv", table() + "\nSource: the operator\n", "utf-8", {"footer_rows": 1}, 1),
    "total without a word": (".csv", table() + ",90000.0,30.0\n", "utf-8", {"footer_rows": 1}, 1),
    "units below the names": (".csv", table(names="time,load,temp\n,kW,°C"), "utf-8", {"first_row": 3}, 1),
    "units below the names, all": (".csv", table(names="time,load,temp\nUTC,[kW],[°C]"), "utf-8", {"first_row": 3}, 1),
    "about the file, as wide as the table": (
        ".csv",
        "Station;Berlin;\nAltitude;34,5;m\n" + table(";", comma, comma),
        "utf-8",
        {"header_row": 3, "delimiter": ";", "decimal": ","},
        1,
    ),
    "units and lines above": (
        ".csv",
        "Export\n\n" + table(";", comma, comma, names="time;load;temp\nUTC;kW;°C"),
        "utf-8-sig",
        {"header_row": 3, "first_row": 5, "delimiter": ";", "decimal": ","},
        1,
    ),
    "a mark, sep=, decimal commas": (
        ".csv",
        "sep=;\r\n" + table(";", comma, comma).replace("\n", "\r\n"),
        "utf-8-sig",
        {"delimiter": ";", "decimal": ",", "header_row": 2},
        1,
    ),
    "percent with a comma": (
        ".csv",
        table(";", comma, lambda value: comma(value) + " %"),
        "cp1252",
        {"delimiter": ";", "decimal": ",", "strip": ["%"]},
        1,
    ),
    "dollars below 0": (
        ".csv",
        table(",", lambda value: f"${value:,.2f}", lambda value: f"$({-value:.1f})" if value < 0 else f"${value:.1f}"),
        "utf-8",
        {"thousands": ",", "strip": ["$"], "negatives": "parentheses"},
        1,
    ),
    "dollars below 0, within": (
        ".csv",
        table(",", lambda value: f"${value:,.2f}", lambda value: f"(${-value:.1f})" if value < 0 else f"${value:.1f}"),
        "utf-8",
        {"thousands": ",", "strip": ["$"], "negatives": "parentheses"},
        1,
    ),
    "German dates with grouped numbers": (
        ".csv",
        re.sub(r"2024-(\d\d)-(\d\d)", r"\2.\1.2024", table(";", grouped(".", ","), comma)),
        "utf-8",
        {"delimiter": ";", "decimal": ",", "thousands": "."},
        1,
    ),
    "a note below": (".csv", table(";") + "\n* preliminary\n", "utf-8", {"delimiter": ";", "footer_rows": 1}, 1),
    "average and total": (
        ".csv",
        table(";") + "Mittelwert;1500.0;0.5\nGesamtsumme;90000.0;30.0\n",
        "utf-8",
        {"delimiter": ";", "footer_rows": 2},
        1,
    ),
    "aligned": (
        ".txt",
        "".join(
            f"{a:>12} {b:>8} {c:>10} {d:>7}\n"
            for a, b, c, d in (
                line.replace(",", " ").split() for line in table(names="day,hour,load,temp").splitlines()
            )
        ),
        "utf-8",
        {"delimiter": "whitespace"},
        1,
    ),
    "single quotes": (".csv", table(";", quoted=True).replace('"', "'"), "utf-8", {"delimiter": ";", "quote": "'"}, 1),
    "minus signs": (
        ".csv",
        table(";", comma, lambda value: comma(value).replace("-", "\u2212")),
        "utf-8",
        {"delimiter": ";", "decimal": ","},
        1,
    ),
    "powers": (
        ".csv",
        table(";", lambda value: f"{value:.5E}".replace(".", ","), comma),
        "utf-8",
        {"delimiter": ";", "decimal": ","},
        1,
    ),
    "commas in the dates": (
        ".csv",
        re.sub(r"2024-03-(\d\d) (\d\d:\d\d)", r"Mar \1, 2024 \2", table(";", names="time;load;temp")),
        "utf-8",
        {"delimiter": ";"},
        1,
    ),
    "commas in the times": (".csv", re.sub(r"(\d\d:\d\d)", r"\1:00,250", table(";")), "utf-8", {"delimiter": ";"}, 1),
    "a note below that holds the separator": (
        ".csv",
        re.sub(r"2024-03-0(\d) (\d\d):00", r"place \1\2", table(";"))
        + "Gesamt;90000.0;30.0\n\nSource: the operator; as of 2024\n",
        "utf-8",
        {"delimiter": ";", "footer_rows": 2},
        1,
    ),
    "old Mac": (".csv", table().replace("\n", "\r"), "utf-8", {}, 1),
    "Windows": (".csv", table(";", comma, comma).replace("\n", "\r\n"), "utf-8", {"delimiter": ";", "decimal": ","}, 1),
    "unknown words": (".csv", with_cell(7, 2, "k. A."), "utf-8", {"missing_words": ["k. A."]}, 1),
    "dashes": (".csv", with_cell(7, 2, "--"), "utf-8", {"missing_words": ["--"]}, 1),
    "Excel's errors": (".csv", with_cell(7, 2, "#DIV/0!"), "utf-8", {"missing_words": ["#DIV/0!"]}, 1),
    "NULL and #N/A": (".csv", with_cell(9, 2, "#N/A", with_cell(7, 2, "NULL")), "utf-8", {}, 1),
    "white space": (
        ".txt",
        table().replace(",", "   ").replace("time", "day hour"),
        "utf-8",
        {"delimiter": "whitespace"},
        1,
    ),
    "no names": (".csv", table().partition("\n")[2], "utf-8", {"header_row": 0}, 1),
    "a comma in quotes": (".csv", table(names='time,load,"temp, outside"'), "utf-8", {}, 1),
}


def _written(folder: Path, name: str, ending: str, text: str, encoding: str) -> Path:
    path = folder / f"{name.replace(' ', '_').replace(',', '').replace('#', '').replace('/', '')}{ending}"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_read_as_they_are_detected(tmp_path: Path, name: str) -> None:
    ending, text, encoding, keys, factor = EXPORTS[name]
    path = _written(tmp_path, name, ending, text, encoding)
    found = detect(path)
    if "\u2019" in text or (encoding == "cp1252" and not text.isascii()):
        keys = keys | {"encoding": "cp1252"}
    assert found.format.given == keys, found.reasons
    assert len(found.reasons) >= (1 if keys else 0)
    frame = read_source(str(path), form=found.format)
    assert len(frame) == ROWS
    if name in ("separators at the end and in the names",):
        frame = frame.iloc[:, :-1]
    load, temp = frame.iloc[:, -2], frame.iloc[:, -1]
    there = temp.notna().to_numpy()
    assert there.sum() >= ROWS - 2
    if factor:
        np.testing.assert_allclose(load, np.round(VALUES * factor, 2))
        np.testing.assert_allclose(temp[there], SMALL[there])
    else:
        np.testing.assert_allclose(load, [float(f"{value:.0f}") for value in VALUES])


def _refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        detect(path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (
            table(";", lambda value: f"{value / 10:.3f}", whole),
            "utf-8",
            r"may be 150000 or 150.000.*data.format.thousands: '.'",
        ),
        (table("\t", lambda value: f"{value / 10:.3f}".replace(".", ","), whole), "utf-8", "data.format.decimal: ','"),
        (table(";", comma), "utf-8", "writes its numbers in more than one way: .*1500,00 in load.*temp"),
        (
            table(";", grouped(".", ","), lambda value: f"{value:.1f}"),
            "utf-8",
            "data.format.decimal and data.format.thousands",
        ),
        (
            table(names="time,\u041d\u0430\u0433\u0440\u0443\u0437\u043a\u0430,temp"),
            "cp1251",
            "data.format.encoding .*cp1251",
        ),
        (table(",", lambda value: comma(value), quoted=False).replace('"', ""), "utf-8", "data.format.delimiter"),
        (with_cell(3, 2, "(5.0)", with_cell(5, 2, "5.0-")), "utf-8", "data.format.negatives"),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_key(tmp_path: Path, text: str, encoding: str, said: str) -> None:
    error = _refused(_written(tmp_path, "rows", ".csv", text, encoding))
    assert error.code == "unclear_format"
    assert re.search(said, str(error)), str(error)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (table(",", lambda value: f"{value / 10:.3f}"), {}),  # commas between cells: a program wrote points
        (table(";", lambda value: f"{value / 10:.3f}", lambda value: f"{value / 100:.3f}"), {"delimiter": ";"}),
        (table(";", lambda value: f"{value:,.0f}"), {"delimiter": ";", "thousands": ","}),  # temp has a point
        (table(";", lambda value: f"{value:.3f}"), {"delimiter": ";"}),  # 1500.000 is not grouped
    ],
)
def test_other_cells_and_columns_settle_what_one_leaves_open(
    tmp_path: Path, text: str, keys: dict[str, object]
) -> None:
    assert detect(_written(tmp_path, "rows", ".csv", text, "utf-8")).format.given == keys


def test_a_single_column_with_decimal_commas_is_one_column(tmp_path: Path) -> None:
    path = _written(tmp_path, "rows", ".csv", "load\n" + "".join(f"{comma(value)}\n" for value in VALUES), "utf-8")
    found = detect(path)
    assert found.format.given == {"delimiter": ";", "decimal": ","}
    np.testing.assert_allclose(read_source(str(path), form=found.format)["load"], VALUES)


@pytest.mark.parametrize("sentinel", ["-999", "-9999.0", "9999"])
def test_numbers_that_may_stand_for_missing_are_told_and_not_guessed(tmp_path: Path, sentinel: str) -> None:
    path = _written(tmp_path, "rows", ".csv", with_cell(9, 2, sentinel, with_cell(20, 2, sentinel)), "utf-8")
    found = detect(path)
    assert found.format.given == {}
    assert any("temp has" in reason and "data.format.missing_words" in reason for reason in found.reasons)
    frame = read_source(str(path), form=Format(missing_words=[float(sentinel)]))
    assert frame["temp"].isna().sum() == 2


def test_a_word_that_is_unknown_is_told_and_not_guessed(tmp_path: Path) -> None:
    found = detect(_written(tmp_path, "rows", ".csv", with_cell(9, 2, "closed"), "utf-8"))
    assert found.format.given == {}
    assert any("'closed'" in reason for reason in found.reasons)


def test_names_with_digits_are_no_numbers(tmp_path: Path) -> None:
    shops = "\n".join(
        ["day,shop,sold", *(f"2024-01-{day:02d},S{shop},{day + shop}" for shop in (1, 2) for day in range(1, 29))]
    )
    assert detect(_written(tmp_path, "rows", ".csv", shops, "utf-8")).format.given == {}


def test_a_series_called_total_is_data(tmp_path: Path) -> None:
    rows = [f"{region},2024-01-{day:02d},{day}" for region in ("north", "Total") for day in range(1, 29)]
    assert detect(_written(tmp_path, "rows", ".csv", "\n".join(["region,day,sold", *rows]), "utf-8")).format.given == {}


@pytest.mark.parametrize("words", [("yes", "no"), ("TRUE", "FALSE"), ("ja", "nein"), ("on", "OFF")])
def test_words_for_true_and_false_are_numbers_where_it_is_asked_for(tmp_path: Path, words: Sequence[str]) -> None:
    rows = [f"{time},{words[at % 2]}" for at, time in enumerate(TIMES)]
    path = _written(tmp_path, "rows", ".csv", "\n".join(["time,open", *rows]), "utf-8")
    found = detect(path)
    assert found.format.given == {"booleans": True}
    assert read_source(str(path), form=found.format)["open"].astype(float).tolist() == [1.0, 0.0] * (ROWS // 2)


def _zip(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", data)


def _zst(path: Path, data: bytes) -> None:
    import pyarrow as pa

    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as packed:
        packed.write(data)


PACKERS: dict[str, Callable[[Path, bytes], object]] = {
    "gz": lambda path, data: path.write_bytes(gzip.compress(data)),
    "bz2": lambda path, data: path.write_bytes(bz2.compress(data)),
    "xz": lambda path, data: path.write_bytes(lzma.compress(data)),
    "zip": _zip,
    "zst": _zst,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("name", ["plain", "European", "lines above", "euros in cp1252", "total"])
def test_packed_files_are_read_as_they_are_detected(tmp_path: Path, ending: str, name: str) -> None:
    _, text, encoding, keys, _ = EXPORTS[name]
    path = tmp_path / f"rows.csv.{ending}"
    PACKERS[ending](path, text.encode(encoding))
    found = detect(path)
    assert found.format.given == keys
    np.testing.assert_allclose(read_source(str(path), form=found.format)["load"], VALUES)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    assert _refused(_written(tmp_path, "rows", ".csv", "\n\n", "utf-8")).code == "empty_table"


@pytest.mark.parametrize(
    "name",
    ["semicolons", "European", "bars", "tabs in a csv", "sep=", "lines above", "comments above", "cp1252", "UTF-16"],
)
def test_a_refused_file_is_told_with_the_keys_that_cure_it(tmp_path: Path, name: str) -> None:
    ending, text, encoding, keys, _ = EXPORTS[name]
    with pytest.raises(DataError) as caught:
        read_source(str(_written(tmp_path, name, ending, text, encoding)))
    for key in keys:
        assert f"data.format.{key}: " in str(caught.value), str(caught.value)


@pytest.mark.parametrize(("begin", "kind"), [(b"%PDF-1.4\n", "PDF"), (b"PK\x03\x04", ".xlsx"), (b"PAR1", ".parquet")])
def test_a_file_of_another_kind_with_the_ending_of_text_is_told(begin: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(begin + bytes(range(256)) * 20)
    with pytest.raises(DataError, match="is named like a file of text") as caught:
        detect(tmp_path / "t.csv")
    assert caught.value.code == "unknown_file_type"
    assert kind in str(caught.value)


@pytest.mark.parametrize("cell", ["12x4", "12 %", "$5", "1,5", "1.234,5"])
def test_a_single_odd_cell_says_nothing_of_how_a_file_is_written(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "t.csv"
    rows = [f"2024-01-{day:02d};{cell if day == 9 else f'{day}.5'};{day}.25" for day in range(1, 32)]
    path.write_text("\n".join(["date;a;b", *rows]))
    found = detect(path)
    assert found.format.given == {"delimiter": ";"}
    assert any(f"such as {cell!r}" in reason for reason in found.reasons)


def test_an_odd_cell_leaves_the_others_as_evidence(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a;b", *(f"{'12x4' if row == 9 else f'{row},5 kWh'};{row}" for row in range(1, 40))]))
    assert detect(path).format.given == {"delimiter": ";", "decimal": ",", "strip": ["kWh"]}


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ('{"t": "2024-01-01", "v": 1.5}\n{"t": "2024-01-02", "v": 2.5}\n', r"JSON by lines.*read_json\(.*lines=True"),
        ('[\n {"t": "2024-01-01", "v": 1.5}\n]\n', r"holds JSON\. Read it in Python.*read_json"),
        ("<!DOCTYPE html>\n<html><body>404, sorry, none</body></html>\n", r"a page \(HTML\).*read_html"),
        ('<?xml version="1.0"?>\n<a><b>1</b></a>\n', r"XML.*read_xml"),
        ("\x1f\x8b", "packed by gzip"),
    ],
)
def test_what_is_no_table_is_told_by_what_it_is(tmp_path: Path, head: str, told: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(head.encode("latin-1"))
    with pytest.raises(DataError, match=told) as caught:
        detect(path)
    assert caught.value.code == "unknown_file_type"


@pytest.mark.parametrize("below", [['"TS","RN","Deg C"', '"","","Avg"'], ['"TS","[n]","[degC]"', '"","Smp","Avg"'], []])
def test_what_loggers_write_below_the_names_names_nothing(tmp_path: Path, below: list[str]) -> None:
    rows = [f'"2024-01-01 {hour:02d}:00:00",{hour},{hour / 10}' for hour in range(24)]
    path = tmp_path / "t.dat"
    path.write_text("\n".join(['"TOA5","CR1000","7"', '"TIMESTAMP","RECORD","AirTC_Avg"', *below, *rows]))
    frame = read_source(str(path), form=detect(path).format)
    assert list(frame.columns) == ["TIMESTAMP", "RECORD", "AirTC_Avg"]
    assert len(frame) == 24


def test_years_may_name_most_columns(tmp_path: Path) -> None:
    names = ",".join(["Country", "Code", *map(str, range(1990, 2020))])
    rows = [",".join([f"C{row}", "X", *(f"{row + year}.5" for year in range(30))]) for row in range(20)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(['"Source","Indicators",', "", names, *rows]))
    assert detect(path).format.header_row == 3


def test_the_typographic_minus_is_a_minus(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("t,x\n" + "".join(f"2024-01-{day:02d},\u2212{day}.5\n" for day in range(1, 20)))
    assert read_numbers(read_source(str(path)), "x", "t.csv")[-1] == -19.5


def test_names_in_angle_brackets_are_no_xml(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("<DATE>\t<CLOSE>\n" + "".join(f"2024.01.{day:02d}\t{day}.5\n" for day in range(1, 20)))
    assert detect(path).format.given == {"delimiter": "tab"}
    path.write_text("<rows a='1'>\n" + "<row>1</row>\n" * 9 + "</rows>\n")
    with pytest.raises(DataError, match="holds XML"):
        detect(path)


@pytest.mark.parametrize("word", ["M", "ERR", "calibrating", "<0.1", "12.5*"])
@pytest.mark.parametrize("many", [1, 6])
def test_a_word_in_the_first_rows_takes_no_names(tmp_path: Path, word: str, many: int) -> None:
    rows = [f"2023-01-01 {hour:02d}:00,{word if hour < many else hour / 2},{60 + hour},7.{hour}" for hour in range(24)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["time,temp,hum,wind", *rows]))
    found = detect(path)
    assert "header_row" not in found.format.given
    assert list(read_source(str(path), form=found.format).columns) == ["time", "temp", "hum", "wind"]


def test_a_word_below_names_and_units_takes_neither(tmp_path: Path) -> None:
    rows = [f"2023-01-01 {hour:02d}:00,{'M' if hour < 2 else hour / 2},{60 + hour}" for hour in range(24)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["Station 7", "", "time,temp,hum", ",degC,%", *rows]))
    frame = read_source(str(path), form=detect(path).format)
    assert list(frame.columns) == ["time", "temp", "hum"]
    assert (len(frame), frame["time"].iloc[0]) == (24, "2023-01-01 00:00")


@pytest.mark.parametrize("codes", [(-999, -888), (-9999, -8888), (-999, 9999), (99999, 88888), (65535, -127)])
def test_two_codes_for_a_missing_value_do_not_hide_each_other(codes: tuple[int, int]) -> None:
    values = np.concatenate([np.linspace(10, 30, 300), np.repeat(codes, 3)])
    assert set(sentinels_of(values)) == set(codes)


def test_numbers_that_look_like_codes_among_others_of_their_size_are_none() -> None:
    assert not sentinels_of(np.concatenate([np.linspace(-2_000, 20_000, 300), [-999, -999, 9999, 9999]]))


@pytest.mark.parametrize("encoding", ["cp1251", "cp1253", "cp1255"])
def test_a_blank_in_numbers_is_no_letter_of_the_west(tmp_path: Path, encoding: str) -> None:
    names = {"cp1251": "Дата;Расход", "cp1253": "Ημερομηνία;Ποσό", "cp1255": "תאריך;כמות"}[encoding]
    rows = [f"{day:02d}.01.2024;1\u00a0{200 + day},5" for day in range(1, 29)]
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join([names, *rows]).encode(encoding))
    with pytest.raises(DataError, match=r"data\.format\.encoding"):
        detect(path)


def test_widths_below_the_names_are_no_values(tmp_path: Path) -> None:
    rows = [f"USGS\t01646500\t2024-01-{day:02d}\t{3_000 + 10 * day}\tA" for day in range(1, 29)]
    names = ["agency_cd\tsite_no\tdatetime\t69928_00060\t69928_00060_cd", "5s\t15s\t20d\t14n\t10s"]
    path = tmp_path / "usgs.txt"
    path.write_text("\n".join(["# Data for the following site", "# -----", *names, *rows]))
    frame = read_source(str(path), form=detect(path).format)
    assert (len(frame), list(frame.columns)[2:4]) == (28, ["datetime", "69928_00060"])


@pytest.mark.parametrize("blank", [3, 114])
def test_blank_rows_behind_the_table_are_none_of_it(tmp_path: Path, blank: int) -> None:
    rows = [f"{day:02d}/03/2004;18.00.00;{day},5;{day};;" for day in range(1, 29)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["Date;Time;CO(GT);NOx;;", *rows, *[";;;;;"] * blank]) + "\n")
    assert len(read_source(str(path), form=detect(path).format)) == 28


def test_the_dash_of_accounting_is_zero(tmp_path: Path) -> None:
    cells = [f'" ${value:,.2f} "' for value in VALUES]
    cells[4:6] = ['" $-   "', '" $ -   "']
    rows = [f"2024-03-{at + 1:02d},{cell},{'-' if at == 7 else at}" for at, cell in enumerate(cells[:28])]
    path = _written(tmp_path, "rows", ".csv", "\n".join(["day,revenue,units", *rows, ""]), "utf-8")
    found = detect(path)
    assert found.format.given["zero_words"] == ["$ -", "$-"]
    assert found.format.missing_words == ["-"]  # without a currency nothing tells
    assert "0, as Excel's accounting writes it" in " ".join(found.reasons)
    frame = read_source(str(path), form=found.format)
    np.testing.assert_allclose(frame["revenue"], [*VALUES[:4].round(2), 0, 0, *VALUES[6:28].round(2)])
    assert frame["units"].isna().sum() == 1


def test_a_word_is_not_zero_and_missing_at_once(tmp_path: Path) -> None:
    path = _written(tmp_path, "rows", ".csv", table(), "utf-8")
    with pytest.raises(DataError, match="share a word"):
        detect(path, {"zero_words": ["-"], "missing_words": ["-"]})


def test_a_blank_before_a_quote_belongs_to_no_cell(tmp_path: Path) -> None:
    rows = [f'"2024-03-{day:02d}", "Oslo, north", "{day}.5"' for day in range(1, 29)]
    path = _written(tmp_path, "rows", ".csv", "\n".join(['"day", "site", "load"', *rows, ""]), "utf-8")
    found = detect(path)
    assert found.format.given == {"skip_initial_space": True}
    frame = read_source(str(path), form=found.format)
    assert list(frame.columns) == ["day", "site", "load"]
    assert set(frame["site"]) == {"Oslo, north"}
    assert frame["load"].tolist() == [day + 0.5 for day in range(1, 29)]


def test_names_stand_above_units_that_are_there_twice(tmp_path: Path) -> None:
    rows = [f"2024 03 {day:02d} {day}.0 {day}.5" for day in range(28, 0, -1)]
    text = "\n".join(["#YY  MM DD WSPD GST", "#yr  mo dy m/s  m/s", *rows, ""])
    found = detect(_written(tmp_path, "rows", ".txt", text, "utf-8"))
    assert found.format.given == {"delimiter": "whitespace", "comment": "#"}
    frame = read_source(str(tmp_path / "rows.txt"), form=found.format)
    assert (list(frame.columns), len(frame)) == (["YY", "MM", "DD", "WSPD", "GST"], 28)


def test_rows_below_comments_have_no_names(tmp_path: Path) -> None:
    rows = [f"1990   {month:2d}    {1990 + month / 12:.3f}      {310 + month}.00" for month in range(1, 13)]
    text = "\n".join(["# of a station", "#        decimal     average", *rows, ""])
    path = _written(tmp_path, "rows", ".txt", text, "utf-8")
    found = detect(path)
    assert found.format.given == {"delimiter": "whitespace", "header_row": 0, "comment": "#"}
    frame = read_source(str(path), form=found.format)
    assert (frame.shape, frame["column_4"].iloc[0]) == ((12, 4), 311.0)


def test_a_first_sentence_among_sentences_is_no_name(tmp_path: Path) -> None:
    pairs = [("Go.", "Va !"), ("Hi.", "Salut !"), ("Run!", "Cours !"), ("Who?", "Qui ?")] * 5
    path = _written(tmp_path, "pairs", ".txt", "".join(f"{a}\t{b}\n" for a, b in pairs), "utf-8")
    assert detect(path).format.given == {"delimiter": "tab", "header_row": 0}
    named = _written(tmp_path, "named", ".txt", "en\tfr\n" + path.read_text("utf-8"), "utf-8")
    assert detect(named).format.given == {"delimiter": "tab"}
    asked = _written(tmp_path, "asked", ".txt", "How are you?\tHow old?\n" + "fine\told\n" * 20, "utf-8")
    assert detect(asked).format.given == {"delimiter": "tab"}


def test_what_is_said_of_lines_and_separators_is_how_they_are_cut(tmp_path: Path) -> None:
    above = "a,b,c\nof,the,file\n"
    path = _written(tmp_path, "rows", ".csv", above + table(), "utf-8")
    found = detect(path, {"header_row": 3})
    assert found.format.given == {"header_row": 3}
    assert len(read_source(str(path), form=found.format)) == ROWS
    texts = "en;fr\n" + "a, b;c, d\ne, f;g, h\n" * 20
    said = detect(_written(tmp_path, "texts", ".csv", texts, "utf-8"), {"delimiter": ";"})
    assert said.format.given == {"delimiter": ";"}
    unnamed = detect(_written(tmp_path, "unnamed", ".tsv", "ein Haus\tune maison\n" * 20, "utf-8"), {"header_row": 0})
    assert len(read_source(str(tmp_path / "unnamed.tsv"), form=unnamed.format)) == 20


def test_two_nines_stand_for_missing_only_far_off_and_often() -> None:
    waves = np.linspace(0.3, 4.0, 300)
    assert list(sentinels_of(np.concatenate([waves, [99.0] * 4]))) == [99.0]
    assert not sentinels_of(np.concatenate([waves, [99.0] * 2]))  # two spikes
    assert not sentinels_of(np.concatenate([waves * 10, [99.0] * 4]))  # a percentage
