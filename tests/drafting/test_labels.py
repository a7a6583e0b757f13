"""First recipes of classifiers of rows of numbers: a label for each series, or for each window."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.errors import DataError


def machine(rows: int = 1_200) -> pd.DataFrame:
    """Five-minute rows of a machine that runs, idles and cleans, an hour and more each."""
    rng = np.random.default_rng(0)
    states = np.repeat(rng.choice(["runs", "idles", "cleans"], p=[0.7, 0.2, 0.1], size=rows // 20), 20)
    level = pd.Series(states).map({"runs": 10.0, "idles": 3.0, "cleans": 6.0}).to_numpy()
    at = pd.date_range("2026-01-01", periods=rows, freq="5min").strftime("%Y-%m-%d %H:%M")
    return pd.DataFrame(
        {"time": at, "current": level + rng.normal(size=rows), "vibration": rng.normal(size=rows), "state": states}
    )


def batches(count: int = 60) -> pd.DataFrame:
    """Batches of 30 to 50 rows, each good or bad as a whole."""
    rng, frames = np.random.default_rng(1), []
    for number in range(count):
        bad, rows = number % 4 == 0, int(rng.integers(30, 50))
        at = pd.date_range("2026-01-01", periods=rows, freq="min") + pd.Timedelta(hours=2 * number)
        pressure = 4 + (0.05 if bad else 0.0) * np.arange(rows) + rng.normal(scale=0.1, size=rows)
        frames.append(
            pd.DataFrame({"batch": 1_000 + number, "at": at, "pressure": pressure, "result": "bad" if bad else "good"})
        )
    return pd.concat(frames, ignore_index=True)


def data_of(frame: pd.DataFrame, **given: Any) -> Mapping[str, Any]:
    draft = draft_recipe(frame, task="classify", **given)
    data = draft.recipe["data"]
    assert isinstance(data, Mapping)
    assert min(draft.windows.values()) > 0
    return data


def test_a_window_has_the_label_of_its_last_row() -> None:
    data = data_of(machine())
    assert {key: data[key] for key in ("time", "every", "inputs", "label")} == {
        "time": "time",
        "every": "5min",
        "inputs": ["current", "vibration"],
        "label": "state",
    }
    assert data["input_steps"] >= 2
    assert "text" not in data


def test_batches_are_sequences_with_a_label_each() -> None:
    for data in (data_of(batches()), data_of(batches(), series="batch", target="result")):
        assert (data["series"], data["inputs"], data["label"]) == ("batch", ["pressure"], "result")
        assert "input_steps" not in data


def test_rare_labels_weigh_as_much_as_others() -> None:
    draft = draft_recipe(machine(), task="classify")
    assert isinstance(draft.recipe["training"], Mapping)
    assert draft.recipe["training"]["class_weights"] == "balanced"
    even = machine().assign(state=np.arange(1_200) // 20 % 2)
    plain = draft_recipe(even, task="classify", target="state").recipe["training"]
    assert isinstance(plain, Mapping)
    assert "class_weights" not in plain


def test_a_number_is_a_target() -> None:
    assert data_of(machine(), target="vibration")["target"] == "vibration"


def test_texts_are_read_as_before_and_never_the_times() -> None:
    words = [
        f"{a}{b}{c} {number}"
        for number, (a, b, c) in enumerate(zip("abcd" * 60, "efgh" * 60, "ijkl" * 60, strict=True))
    ]
    frame = pd.DataFrame({"text": words, "price": np.arange(240.0) / 7, "kind": ["x", "y"] * 120})
    assert data_of(frame)["text"] == "text"
    times = pd.DataFrame({"time": machine()["time"], "state": machine()["state"]})
    with pytest.raises(DataError) as caught:
        draft_recipe(times, task="classify")
    assert caught.value.code == "nothing_to_draft"


@pytest.mark.parametrize("of", ["rows", "batches"])
def test_rows_that_a_column_counts_in_another_order_are_refused_with_the_line_that_sorts(of: str) -> None:
    frame = machine().drop(columns="time").assign(sample=range(1_200))
    by = ["sample"]
    if of == "batches":
        frame = batches().drop(columns="at")
        frame, by = frame.assign(sample=frame.groupby("batch").cumcount()), ["batch", "sample"]
    mixed = frame.sample(frac=1, random_state=0)
    mixed = mixed.sort_values("batch", kind="stable") if of == "batches" else mixed
    assert draft_recipe(frame, task="classify").recipe["task"] == "classify"
    with pytest.raises(DataError) as caught:
        draft_recipe(mixed, task="classify")
    assert caught.value.code == "unsorted_rows"
    assert f"frame.sort_values({by if len(by) > 1 else by[0]!r})" in str(caught.value)
    turned = mixed.sort_values(by)
    assert draft_recipe(turned, task="classify").recipe == draft_recipe(frame, task="classify").recipe
