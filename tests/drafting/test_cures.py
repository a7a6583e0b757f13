"""What a refused table's message says to paste does what it says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.drafting.zones import zone_of_offsets
from seq2seq_kit.errors import DataError, KitError


def test_series_in_rows_are_turned_into_rows_of_each_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of M5: an item is one series in each of two stores."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [
            {"item_id": f"item_{item}", "store_id": store}
            | {f"d_{day}": size + 5 * (day % 7) + rng.normal() for day in range(1, 121)}
            for item in range(5)
            for store, size in (("CA_1", 20), ("TX_1", 60))
        ]
    )
    frame.to_csv("wide.csv", index=False)
    with pytest.raises(DataError) as caught:
        draft_recipe("wide.csv", task="forecast")
    assert caught.value.code == "series_in_rows"
    (turned,) = re.findall(r"Turn it: (frame\.melt.*\.to_csv\('long\.csv', index=False\))", str(caught.value))
    assert "long.csv with --series item_id store_id" in str(caught.value)
    frame.melt(["item_id", "store_id"], var_name="step").dropna(subset="value").sort_values(
        ["item_id", "store_id"], kind="stable"
    ).to_csv("expected.csv", index=False)
    eval(turned, {"frame": frame})
    assert Path("long.csv").read_text(encoding="utf-8") == Path("expected.csv").read_text(encoding="utf-8")
    data: Any = draft_recipe("long.csv", task="forecast", series=["item_id", "store_id"]).recipe["data"]
    assert data["series"] == ["item_id", "store_id"]


@pytest.mark.parametrize("form", ["quarter", "FY%Y Q%q", "%K", "%"])
def test_a_format_that_reads_nothing_is_an_error_of_ours(form: str) -> None:
    frame = pd.DataFrame({"quarter": [f"FY{2000 + row // 4} Q{row % 4 + 1}" for row in range(80)], "sold": range(80)})
    with pytest.raises(KitError) as caught:
        draft_recipe(frame.assign(sold=np.arange(80) % 7 + 0.5), given={"data.time_format": form})
    assert caught.value.code in ("invalid_timestamp", "invalid_recipe", "invalid_time_format", "nothing_to_draft")


@pytest.mark.parametrize("zone", ["Africa/Cairo", "Asia/Jerusalem", "America/Santiago", "Europe/Berlin"])
def test_days_of_a_zone_with_changing_offsets_are_told_by_them(zone: str) -> None:
    days = pd.date_range("2023-01-01", "2024-12-31", freq="D").tz_localize(
        zone, nonexistent="shift_forward", ambiguous=np.ones(731, dtype=bool)
    )
    found = zone_of_offsets(pd.Series(days.map(lambda day: day.isoformat())))
    assert found is not None
    assert (days.tz_convert(found).tz_localize(None) == days.tz_localize(None)).all()


@pytest.mark.parametrize("kind", ["tokens", "values", "nested"])
def test_a_sequence_in_each_row_is_turned_by_the_line_that_is_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    if kind == "tokens":
        frame = pd.DataFrame({"tokens": [["a", f"b{n}", "c"] for n in range(60)], "tags": [[1, 2, 1]] * 60})
        frame = pd.concat([frame, pd.DataFrame({"tokens": [[]], "tags": [[]]})])
    elif kind == "values":
        day = np.sin(np.arange(300) * np.pi / 12) * 5 + 20
        frame = pd.DataFrame(
            {"item": ["a", "b"], "start": "2024-01-01", "target": [list(day), list(day + rng.normal())]}
        )
    else:
        rows = [{"load": float(np.sin(n * np.pi / 12)), "hour": n % 24} for n in range(300)]
        frame = pd.DataFrame({"id": [str(n) for n in range(300)], "row": rows})
    frame.to_json("rows.jsonl", orient="records", lines=True)
    with pytest.raises(DataError) as caught:
        draft_recipe("rows.jsonl")
    assert caught.value.code == "series_in_rows"
    turn, name = re.findall(r"Turn it: (.*?\.to_csv\('(\w+\.csv)', index=False\))", str(caught.value))[0]
    eval(turn, {"pandas": pd})
    options = re.search(r"long\.csv with --series (\w+)", str(caught.value))
    draft: Any = draft_recipe(name, series=options[1] if options else None).recipe
    assert draft["task"] == ("tag" if kind == "tokens" else "forecast")
    assert draft["data"].get("series") == {"tokens": "sequence", "values": "sequence", "nested": None}[kind]
    assert len(pd.read_csv(name)) == {"tokens": 180, "values": 600, "nested": 300}[kind]


@pytest.mark.parametrize(
    "kind", ["two lists of a sensor", "lists beside texts", "one label each", "a mood in mappings"]
)
def test_lists_beside_what_can_be_drafted_are_left_out(kind: str) -> None:
    rows = range(300)
    load = [float(np.sin(n * np.pi / 12)) for n in rows]
    mood = [{"good": n, "bad": 1} for n in rows]
    frame = {
        "a mood in mappings": pd.DataFrame({"load": load, "sentiment": mood, "last_update": mood}),
        "two lists of a sensor": pd.DataFrame({"load": load, "lat_lon": [[1.0, 2.0]] * 300, "range": [[1, 2]] * 300}),
        "lists beside texts": pd.DataFrame(
            {"text": [f"some text {n % 90}" for n in rows], "label": ["a", "b", "a"] * 100, "errors": [[1, 2]] * 300}
        ),
        "one label each": pd.DataFrame({"load": load, "tags": [["x"]] * 300}),
    }[kind]
    draft = draft_recipe(frame)
    assert draft.recipe["task"] == ("classify" if kind == "lists beside texts" else "forecast")
    assert any("is left out" in said for said in draft.decisions)


def test_a_time_in_mappings_is_not_left_out_unseen() -> None:
    frame = pd.DataFrame(
        {"time": [{"$date": f"2024-01-{n:02d}"} for n in range(1, 31)], "load": np.arange(30) % 7 + 0.5}
    )
    with pytest.raises(DataError, match="json_normalize") as caught:
        draft_recipe(frame)
    assert caught.value.code == "series_in_rows"


def test_a_frame_of_nothing_but_lists_is_refused() -> None:
    with pytest.raises(DataError, match="each row is a sequence") as caught:
        draft_recipe(pd.DataFrame({"x": [[1, 2], [3, 4]]}))
    assert caught.value.code == "series_in_rows"
