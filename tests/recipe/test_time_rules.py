"""What the keys of time have to do with each other."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import dump_recipe
from tests.conftest import forecast_recipe
from tests.untyped import parse_recipe

ON_DISK = {"source": "rows.parquet", "read": "row_groups"}


@pytest.mark.parametrize(
    ("data", "key", "code"),
    [
        ({"duplicates": "first", "time": None, "every": None, "calendar": []}, "data.duplicates", "missing_key"),
        ({"resample": "mean", "time": None, "every": None, "calendar": []}, "data.resample", "missing_key"),
        ({"every": "rows", "resample": "mean", "calendar": []}, "data.resample", "conflicting_keys"),
        ({"every": "rows", "gaps": "fill", "missing": "ffill", "calendar": []}, "data.gaps", "conflicting_keys"),
        ({"every": "rows", "calendar": ["hour"]}, "data.calendar", "conflicting_keys"),
        ({"every": "rows", "holidays": "DE", "calendar": []}, "data.holidays", "conflicting_keys"),
        ({"gaps": "fill"}, "data.gaps", "conflicting_keys"),
        ({"calendar": ["holidays"]}, "data.calendar", "missing_key"),
        ({"holidays": "DE"}, "data.holidays", "unused_key"),
        ({"holidays": "Germany!"}, "data.holidays", "invalid_value"),
        ({"time": ["day", "day"]}, "data.time", "duplicate_column"),
        ({"time": ["day", "clock"], "time_format": "epoch_s"}, "data.time", "conflicting_keys"),
        ({"time_format": "epoch"}, "data.time_format", "invalid_time_format"),
        ({**ON_DISK, "duplicates": "first"}, "data.duplicates", "conflicting_keys"),
        ({**ON_DISK, "resample": "mean"}, "data.resample", "conflicting_keys"),
        ({**ON_DISK, "gaps": "fill", "missing": "ffill"}, "data.gaps", "conflicting_keys"),
        ({**ON_DISK, "time": ["day", "clock"]}, "data.time", "conflicting_keys"),
        ({**ON_DISK, "time_format": "epoch_s"}, "data.time_format", "conflicting_keys"),
    ],
)
def test_keys_that_do_not_fit_are_told_at_their_place(data: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe(forecast_recipe(**data))
    assert (key, code) in [(problem.key, problem.code) for problem in error.value.problems]


@pytest.mark.parametrize(
    "data",
    [
        {"every": "rows", "calendar": [], "duplicates": "mean"},
        {"every": "1bd", "holidays": "DE-BY"},
        {"calendar": ["holidays", "month_end"], "holidays": "US"},
        {"time": ["day", "clock"]},
        {"resample": "sum", "gaps": "fill", "missing": "mask"},
        {**ON_DISK, "every": "rows", "calendar": []},
    ],
)
def test_keys_that_fit_are_read_and_written_out_again(data: dict[str, Any]) -> None:
    recipe = parse_recipe(forecast_recipe(**data))
    assert parse_recipe(YAML(typ="safe").load(dump_recipe(recipe))) == recipe
