"""Labels of rows: a column, or a file of intervals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies.labels import flags_of, labelled_rows
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeData

ROWS = 60


def table_of(*, series: tuple[str, ...] = (), clock: bool = True, zone: str | None = None) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h", tz=zone)
    parts = []
    for name in series or ("",):
        part = pd.DataFrame({"when": times, "load": np.sin(np.arange(ROWS) / 3.0)})
        parts.append(part.assign(site=name) if series else part)
    frame = pd.concat(parts, ignore_index=True)
    return frame if clock else frame.drop(columns="when")


def section(frame: pd.DataFrame, **given: object) -> AutoencodeData:
    clock = {"time": "when", "every": "1h"} if "when" in frame else {}
    series = {"series": "site"} if "site" in frame else {}
    return AutoencodeData.model_validate({"inputs": ["load"], "input_steps": 2, **clock, **series, **given})


def flagged(labels: str | pd.DataFrame, frame: pd.DataFrame, folder: Path, **given: object) -> list[int]:
    """The numbers of the labelled rows of the prepared table."""
    data = section(frame, **given)
    if isinstance(labels, pd.DataFrame):
        labels.to_csv(folder / "labels.csv", index=False)
        labels = str(folder / "labels.csv")
    return np.flatnonzero(labelled_rows(labels, prepare(data, frame).table, frame, data)).tolist()


def intervals(*pairs: tuple[object, object], **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"start": [pair[0] for pair in pairs], "end": [pair[1] for pair in pairs], **columns})


@pytest.mark.parametrize("zeros_and_ones", [[0, 1], [False, True], ["0", "1"], [0.0, 1.0], ["false", "TRUE"]])
def test_a_column_labels_rows_however_zero_and_one_are_written(tmp_path: Path, zeros_and_ones: list[object]) -> None:
    frame = table_of().assign(
        fault=pd.Series([zeros_and_ones[int(row in (5, 6))] for row in range(ROWS)], dtype=object)
    )
    assert flagged("fault", frame, tmp_path) == [5, 6]


def test_a_column_follows_its_rows_when_they_are_sorted(tmp_path: Path) -> None:
    frame = table_of(series=("b", "a")).assign(fault=0)
    frame.loc[[3, ROWS + 7], "fault"] = 1
    shuffled = frame.sample(frac=1, random_state=0)
    prepared = prepare(section(frame), shuffled).table
    first = dict(zip(prepared.series, prepared.bounds[:-1], strict=True))
    assert flagged("fault", shuffled, tmp_path) == sorted([int(first["b"]) + 3, int(first["a"]) + 7])


def test_a_step_with_one_labelled_row_is_labelled(tmp_path: Path) -> None:
    frame = table_of().assign(fault=[int(row == 9) for row in range(ROWS)])
    assert flagged("fault", frame, tmp_path, every="4h", resample="mean") == [2]
    spans = intervals(("2024-01-01 09:10", "2024-01-01 09:20"))
    assert flagged(spans, table_of(), tmp_path, every="4h", resample="mean") == [2]


@pytest.mark.parametrize("cell", [2, None, "yes", -1])
def test_a_label_that_is_neither_zero_nor_one_is_told_with_its_row(tmp_path: Path, cell: object) -> None:
    frame = table_of().assign(fault=pd.Series([0] * 7 + [cell] + [0] * (ROWS - 8), dtype=object))
    with pytest.raises(DataError, match="row 8, column fault") as told:
        flagged("fault", frame, tmp_path)
    assert told.value.code == "invalid_label"


def test_an_absent_column_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fault") as told:
        flagged("fault", table_of(), tmp_path)
    assert told.value.code == "missing_column"


def test_intervals_hold_their_end(tmp_path: Path) -> None:
    spans = intervals(("2024-01-01 03:00", "2024-01-01 05:00"), ("2024-01-02 00:30", "2024-01-02 01:30"))
    assert flagged(spans, table_of(), tmp_path) == [3, 4, 5, 25]


def test_an_interval_may_go_beyond_the_rows_and_lie_between_two(tmp_path: Path) -> None:
    spans = intervals(("2023-12-01", "2024-01-01 01:00"), ("2024-01-01 05:10", "2024-01-01 05:20"))
    assert flagged(spans, table_of(), tmp_path) == [0, 1]


def test_a_file_of_intervals_may_be_written_otherwise_than_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    lines = ("start;end;cause", "2024-01-01 03:00;2024-01-01 05:00;pump, left", "2024-01-02 23:00;2024-01-13 01:00;-")
    path.write_text("\n".join(lines) + "\n")
    assert flagged(str(path), table_of(), tmp_path) == [3, 4, 5, *range(47, ROWS)]


def test_no_interval_labels_nothing(tmp_path: Path) -> None:
    assert flagged(intervals(), table_of(), tmp_path) == []


def test_intervals_belong_to_their_series(tmp_path: Path) -> None:
    spans = intervals(
        ("2024-01-01 03:00", "2024-01-01 03:00"), ("2024-01-01 04:00", "2024-01-01 05:00"), site=["b", "a"]
    )
    assert flagged(spans, table_of(series=("a", "b")), tmp_path) == [4, 5, ROWS + 3]


def test_rows_without_a_clock_are_counted_from_one_in_their_series(tmp_path: Path) -> None:
    spans = intervals((1, 2), (ROWS, ROWS), site=["b", "a"])
    assert flagged(spans, table_of(series=("a", "b"), clock=False), tmp_path) == [ROWS - 1, ROWS, ROWS + 1]
    with pytest.raises(DataError, match="rows have no time") as told:
        flagged(intervals(("2024-01-01", "2024-01-02")), table_of(clock=False), tmp_path)
    assert told.value.code == "invalid_label"


def test_times_of_another_zone_are_brought_to_the_clock_of_the_rows(tmp_path: Path) -> None:
    frame = table_of(zone="UTC")
    spans = intervals(("2024-01-01 05:00+02:00", "2024-01-01 06:00+02:00"))
    assert flagged(spans, frame, tmp_path) == [3, 4]


@pytest.mark.parametrize("of_rows", [True, False])
def test_only_one_of_rows_and_labels_with_a_zone_is_told(tmp_path: Path, of_rows: bool) -> None:
    mark = "" if of_rows else "+00:00"
    with pytest.raises(DataError, match=r"labels\.csv, column start") as told:
        flagged(
            intervals((f"2024-01-01 05:00{mark}", f"2024-01-01 06:00{mark}")),
            table_of(zone="UTC" if of_rows else None),
            tmp_path,
        )
    assert told.value.code == "time_zone_differs"


@pytest.mark.parametrize(
    ("spans", "code", "said"),
    [
        (intervals(("2025-01-01", "2025-01-02")), "labels_outside_rows", "2024-01-01 00:00:00 to 2024-01-03 11:00:00"),
        (intervals(("2023-01-01", "2023-01-02")), "labels_outside_rows", "row 1"),
        (
            intervals(("2024-01-02 00:00", "2024-01-02 03:00"), ("2024-01-01", "2024-01-02 00:00")),
            "labels_overlap",
            "rows 2 and 1",
        ),
        (
            # One interval inside another, and a third between them in time.
            intervals(("2024-01-01", "2024-01-02"), ("2024-01-01 01:00", "2024-01-01 02:00")),
            "labels_overlap",
            "rows 1 and 2",
        ),
        (intervals(("2024-01-02", "2024-01-01")), "invalid_label", "ends before it starts"),
        (intervals(("2024-01-01", None)), "invalid_timestamp", "column end"),
        (pd.DataFrame({"start": ["2024-01-01"]}), "missing_column", "end"),
    ],
)
def test_what_is_wrong_with_an_interval_is_told(tmp_path: Path, spans: pd.DataFrame, code: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as told:
        flagged(spans, table_of(), tmp_path)
    assert told.value.code == code


def test_a_series_that_the_rows_lack_is_told(tmp_path: Path) -> None:
    spans = intervals(("2024-01-01", "2024-01-02"), site=["z"])
    with pytest.raises(DataError, match="no series 'z'") as told:
        flagged(spans, table_of(series=("a", "b")), tmp_path)
    assert told.value.code == "labels_outside_rows"


def test_rows_are_found_again_by_what_names_them() -> None:
    rows = pd.DataFrame({"site": ["a", "a", "b"], "row": [1, 2, 1]})
    assert flags_of(rows, rows.iloc[[2]]).tolist() == [False, False, True]
