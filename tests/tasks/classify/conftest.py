"""Small recipes of classification that train in seconds, and their runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import hourly_frame, waves_frame
from tests.untyped import TrainResult, train


def classify_recipe(**data: Any) -> dict[str, Any]:
    """A small recipe; keywords are its data section."""
    return {
        "task": "classify",
        "name": "small_classify",
        "data": data,
        "model": {"encoder_units": [8]},
        "training": {"learning_rate": 0.02, "batch_size": 16, "epochs": 3},
    }


def texts_recipe(**data: Any) -> dict[str, Any]:
    """Words, told apart by their first letter."""
    return classify_recipe(**{"text": "word", "label": "kind", "split": {"val": 0.2, "test": 0.2}} | data)


def series_recipe(**data: Any) -> dict[str, Any]:
    """Sequences of 5 to 15 rows, and the number of their rows."""
    base = {"series": "name", "inputs": ["x", "y"], "target": "rows", "split": {"val": 0.2, "test": 0.2}}
    return classify_recipe(**base | data)


def windows_recipe(**data: Any) -> dict[str, Any]:
    """Windows of hours, labelled by the load of the last one."""
    base = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "label": "level", "input_steps": 6}
    return classify_recipe(**base | data)


def words_frame(rows: int = 200, *, seed: int = 0) -> pd.DataFrame:
    """Words of two to six letters; `kind` tells whether the first one is a vowel."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcdefi"), size=int(rng.integers(2, 7)))) for _ in range(rows)]
    return pd.DataFrame({"word": words, "kind": ["vowel" if word[0] in "aei" else "other" for word in words]})


def counted_frame(sequences: int = 80) -> pd.DataFrame:
    """`waves_frame` with the number of rows of each sequence in each of them."""
    frame = waves_frame(sequences)
    return frame.assign(rows=frame.groupby("name")["x"].transform("size"))


def levels_frame(rows: int = 400, **more: Any) -> pd.DataFrame:
    """Hours with the label `high` where the load is, else `low`."""
    frame = hourly_frame(rows, **more)
    return frame.assign(level=np.where(frame["load"] > 100, "high", "low"))


@pytest.fixture(scope="session")
def texts_run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A trained classifier of texts, whose rows come from a file."""
    path = tmp_path_factory.mktemp("classify") / "words.csv"
    words_frame().to_csv(path, index=False)
    return train(texts_recipe(source=str(path)), tracking_uri=str(store))


@pytest.fixture(scope="session")
def series_run(store: Path) -> TrainResult:
    """A trained model of a number for each sequence."""
    return train(series_recipe(), data=counted_frame(), tracking_uri=str(store))


@pytest.fixture(scope="session")
def windows_run(store: Path) -> TrainResult:
    """A trained classifier of windows with balanced weights."""
    recipe = windows_recipe()
    recipe["training"]["class_weights"] = "balanced"
    return train(recipe, data=levels_frame(), tracking_uri=str(store))


RUNS = ["texts_run", "series_run", "windows_run"]


@pytest.fixture(params=RUNS)
def result(request: pytest.FixtureRequest) -> TrainResult:
    """Each of the runs."""
    run: TrainResult = request.getfixturevalue(request.param)
    return run


def rows_of(result: TrainResult) -> pd.DataFrame:
    """Rows of the form that a run was trained on."""
    data = result.recipe.data
    if hasattr(data, "text"):
        return words_frame(40, seed=1)
    return levels_frame(60) if hasattr(data, "input_steps") else counted_frame(12)
