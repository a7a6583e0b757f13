"""What a program hands over that is of another type than a public function takes."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

import seq2seq_kit
from seq2seq_kit import draft_recipe, load, look, train
from seq2seq_kit.arguments import require_count, require_flags, require_levels
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.results import TrainResult
from tests.conftest import forecast_recipe, hourly_frame

WRONG: Mapping[str, Callable[[], object]] = {
    "run": lambda: load(None),  # type: ignore[arg-type]
    "recipe": lambda: train([forecast_recipe()]),  # type: ignore[arg-type]
    "overrides": lambda: train(forecast_recipe(), overrides=3, data=hourly_frame()),  # type: ignore[arg-type]
    "an override": lambda: train(forecast_recipe(), overrides=[("training.epochs", 1)], data=hourly_frame()),  # type: ignore[list-item]
    "target": lambda: draft_recipe(hourly_frame(), target=1),  # type: ignore[arg-type]
    "tracking_uri": lambda: load("0123456", tracking_uri=5),  # type: ignore[arg-type]
    "quantiles": lambda: require_flags(quantiles="no"),
    "levels": lambda: require_levels("80"),
    "seed": lambda: require_count("seed", True, 0),
    "samples": lambda: require_count("samples", 10**9, 1, 100_000),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_told_with_the_argument(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{name} must be ") as caught:
        WRONG[name]()
    assert caught.value.code == "invalid_argument"


def test_numbers_of_numpy_are_numbers() -> None:
    require_flags(quantiles=np.bool_(True))
    require_levels(np.array([80.0, 95.0]))
    require_count("seed", np.int64(3), 0)


@pytest.mark.parametrize("levels", [80, "80", ["80"], [True]])
def test_levels_of_another_type_are_refused(forecast_run: TrainResult, levels: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        forecast_run.bundle.predict(hourly_frame(60), levels=levels)  # type: ignore[call-arg]
    assert caught.value.code in ("invalid_argument", "no_intervals")


def test_future_rows_are_a_table(forecast_run: TrainResult) -> None:
    with pytest.raises(ArgumentError, match=r"^future must be a table"):
        forecast_run.bundle.predict(hourly_frame(60), future="f.csv")  # type: ignore[call-arg]


def test_a_draft_takes_what_a_training_takes() -> None:
    import pyarrow as pa

    frame = hourly_frame(600)
    expected = draft_recipe(frame).recipe
    for given in (pa.Table.from_pandas(frame), frame.convert_dtypes(dtype_backend="pyarrow")):
        assert draft_recipe(given).recipe == expected
    for wrong in (np.ones(3), [1, 2], None):
        with pytest.raises(ArgumentError) as caught:
            draft_recipe(wrong)  # type: ignore[arg-type]
        assert caught.value.code == "unsupported_table"


@pytest.mark.parametrize("frame", [pd.DataFrame(), hourly_frame()[:0]])
def test_an_empty_frame_is_told(frame: pd.DataFrame) -> None:
    for asked in (draft_recipe, look):
        with pytest.raises(DataError) as caught:
            asked(frame)
        assert caught.value.code == "empty_table"


def test_columns_that_are_called_by_numbers_are_those_of_the_recipe() -> None:
    frame = hourly_frame().rename(columns={"load": 0, "heat": 1})
    checked = seq2seq_kit.validate(forecast_recipe(inputs=["0", "1"], targets=["0"]), data=frame)
    assert checked.windows["train"] > 0
