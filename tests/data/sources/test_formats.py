"""Sheets with notes around their table."""

from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.formats import excel_format, read_excel
from seq2seq_kit.recipe.format import Format


def test_notes_above_and_a_total_below_a_sheet_are_left_out(tmp_path: Path) -> None:
    book = tmp_path / "t.xlsx"
    rows = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=200), "sold": np.arange(200), "place": "Ulm"})
    with pd.ExcelWriter(book) as writer:
        rows.to_excel(writer, index=False, startrow=2, sheet_name="all")
        writer.sheets["all"]["A1"] = "Report"
        writer.sheets["all"]["A204"], writer.sheets["all"]["B204"] = "Total", 19_900
    form = excel_format(book, None)
    assert form == {"header_row": 3, "footer_rows": 1}
    assert read_excel(book, sheet=None, texts=(), form=Format(header_row=3, footer_rows=1)).equals(rows)
    rows.to_excel(tmp_path / "plain.xlsx", index=False)
    assert excel_format(tmp_path / "plain.xlsx", None) == {}


def test_units_below_the_names_of_a_sheet_are_no_row(tmp_path: Path) -> None:
    book = tmp_path / "t.xlsx"
    rows = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=200), "power": np.arange(200) / 4, "temp": 1.5})
    units = pd.DataFrame([[None, "kW", "\u00b0C"]], columns=rows.columns)
    with pd.ExcelWriter(book) as writer:
        units.to_excel(writer, index=False, sheet_name="all")
        rows.to_excel(writer, index=False, header=False, startrow=2, sheet_name="all")
    assert excel_format(book, None) == {"first_row": 3}
    assert read_excel(book, sheet=None, texts=(), form=Format(first_row=3)).equals(rows)
    words = rows.assign(place="Ulm", power=["m", *["s"] * 199])
    words[["place", "power"]].to_excel(tmp_path / "words.xlsx", index=False)
    assert "first_row" not in excel_format(tmp_path / "words.xlsx", None)
