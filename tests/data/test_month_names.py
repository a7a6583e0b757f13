"""Months and days in the languages of Europe are read as their English names are."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.data.tables.month_names import in_english
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.errors import DataError

DAYS = pd.date_range("2023-01-01", periods=400, freq="D")
_GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
_SPANISH = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
GERMAN, SPANISH = _GERMAN.split(), _SPANISH.split()
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
POLISH = ["sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"]
PORTUGUESE = ["jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"]


def drafted(frame: pd.DataFrame) -> Mapping[str, object]:
    section = draft_recipe(frame).recipe["data"]
    assert isinstance(section, Mapping)
    return section


def day_first(months: list[str], sign: str = " ", before: str = "") -> Callable[[pd.Timestamp], str]:
    return lambda day: f"{before}{day.day}{sign}{months[day.month - 1]}{sign.lstrip('.')}{day:%Y}"


def with_german_days(day: pd.Timestamp) -> str:
    return f"{['Mo', 'Di', 'Mi', 'Do', 'Fr', 'Sa', 'So'][day.day_of_week]}, {day:%d}. {GERMAN[day.month - 1]} {day:%Y}"


WRITTEN: dict[str, Callable[[pd.Timestamp], str]] = {
    "German": day_first(GERMAN, ". "),
    "German, short": day_first([name[:3] for name in GERMAN], "-"),
    "Austrian": day_first(["Jänner", *GERMAN[1:]], ". "),
    "German, named days": with_german_days,
    "Spanish": day_first(SPANISH, " de "),
    "French": day_first(FRENCH),
    "French, upper case": day_first([name.upper() for name in FRENCH]),
    "Polish": day_first(POLISH),
    "Portuguese, named days": day_first(PORTUGUESE, " de ", "segunda-feira, "),
}


@pytest.mark.parametrize("language", WRITTEN)
def test_days_are_read_in_another_language(language: str) -> None:
    times, _ = read_times(pd.Series([WRITTEN[language](day) for day in DAYS]), "when", "rows")
    np.testing.assert_array_equal(times, DAYS)


@pytest.mark.parametrize("language", ["German", "Spanish", "French"])
def test_a_first_recipe_has_a_clock_of_days(language: str) -> None:
    frame = pd.DataFrame({"when": [WRITTEN[language](day) for day in DAYS], "sold": np.sin(np.arange(400) * 0.9)})
    section = drafted(frame)
    assert (section["time"], section["every"]) == ("when", "1d")


def test_months_and_years_of_two_digits_are_settled_by_their_order() -> None:
    months = pd.date_range("2012-01-01", periods=132, freq="MS")
    cells = [f"{GERMAN[month.month - 1].replace('März', 'Mrz')[:3]}-{month:%y}" for month in months]
    with pytest.raises(DataError) as caught:
        read_times(pd.Series(cells), "Monat", "rows")
    assert caught.value.code == "ambiguous_dates"
    frame = pd.DataFrame({"Monat": cells, "Absatz": 100 + 10 * np.sin(np.arange(132) * np.pi / 6)})
    section = drafted(frame)
    assert (section["time_format"], section["every"]) == ("%b-%y", "1mo")


@pytest.mark.parametrize("name", ["Monat", "mes"])
def test_a_year_and_the_name_of_a_month_stand_in_two_columns(name: str) -> None:
    months = pd.date_range("2012-01-01", periods=132, freq="MS")
    words = GERMAN if name == "Monat" else SPANISH
    frame = pd.DataFrame({"year": months.year, name: [words[month.month - 1] for month in months]})
    section = drafted(frame.assign(sold=100 + 10 * np.sin(np.arange(132) * np.pi / 6)))
    assert (section["time"], section["every"]) == (["year", name], "1mo")


@pytest.mark.parametrize(
    "cells",
    [
        ["3 March 2024", "4 May 2024"],
        ["2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z"],
        ["3 März im Lager 2024", "4 März 2024"],  # a word that is neither month nor day
        ["Jan 2024", "Lager 2024"],
        [1, 2],
        [None, None],
    ],
)
def test_other_cells_stay_as_they_are(cells: list[object]) -> None:
    column = pd.Series(cells, dtype=object)
    assert in_english(column) is column


def test_empty_cells_stay_empty() -> None:
    assert in_english(pd.Series(["3. Mai 2024", None, "4. Mai 2024"])).isna().tolist() == [False, True, False]


def test_a_cell_that_is_no_time_is_told_as_it_is_written() -> None:
    with pytest.raises(DataError, match=r"row 2, column when: .* Received: '31\. Juni 2024'"):
        read_times(pd.Series(["30. Juni 2024", "31. Juni 2024", "1. Juli 2024"]), "when", "rows")
