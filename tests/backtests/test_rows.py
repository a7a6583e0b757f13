"""What is known at an origin is the rows before it, and nothing that is fitted or forecast there depends on any other."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.backtests.frame import assemble
from seq2seq_kit.backtests.past import fit_past, open_past, past_recipe
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.worker import forecast_from
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks import parse_recipe
from tests.conftest import forecast_recipe, hourly_frame, next_step_recipe
from tests.untyped import open_job


def quick(recipe: dict[str, Any], **more: Any) -> Recipe:
    """The recipe with one epoch of a small model."""
    recipe["training"] |= {"epochs": 1}
    return parse_recipe(recipe | more)


def rows_of(recipe: Recipe, frame: pd.DataFrame, schedule: Schedule) -> Rows:
    job: Any = open_job(recipe, frame)
    return Rows.of(job.prepared, schedule)


def later_rows_changed(
    frame: pd.DataFrame, cutoffs: dict[str, Any], columns: list[str], *, value: float
) -> pd.DataFrame:
    """The frame with other values in every row behind the cutoff of its series."""
    changed = frame.copy()
    names = changed["site"] if "site" in changed else pd.Series("", index=changed.index)
    later = changed["time"] > names.map(cutoffs)
    assert later.any()
    changed.loc[later, columns] = value
    return changed


LEVELS: dict[str, Any] = {"levels": [60, 80]}
LINE: dict[str, Any] = {"model": {"encoder_units": [4], "decoder_units": [4]}}
DIFF = {"load": "seasonal_diff"}
SITES = pd.concat([hourly_frame(420, series=("a",)), hourly_frame(300, series=("b",), seed=1)], ignore_index=True)
HOLES = hourly_frame(420).assign(
    load=lambda frame: frame["load"].mask((np.arange(420) % 17 == 3) | np.isin(np.arange(420), range(400, 412)))
)
WORDS = hourly_frame(420).assign(shift=lambda frame: np.where(frame["time"].dt.hour < 8, "night", "day"))
PLAN = hourly_frame(420).assign(plan=lambda frame: frame["load"].round(-1))
CASES: dict[str, tuple[Recipe, pd.DataFrame, float]] = {
    "levels": (quick(forecast_recipe(), **LEVELS), hourly_frame(420), 1e6),
    "sites": (quick(forecast_recipe(series="site", scale_per_series=True)), SITES, -500.0),
    "holes": (quick(forecast_recipe(missing="interpolate")), HOLES, np.nan),
    "words": (quick(forecast_recipe(inputs=["load", "shift"], categories=["shift"], transform=DIFF)), WORDS, 5e3),
    "planned": (quick(forecast_recipe(known_future=["plan"]) | LINE), PLAN, 5e3),
    "steps": (quick(next_step_recipe()), hourly_frame(420), 1e5),
    "baselines": (quick(forecast_recipe() | {"model": "none"}), hourly_frame(420), 1e5),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_rows_behind_an_origin_change_nothing_of_it(case: str) -> None:
    """No weight, scaler, margin or forecast, of the model or a baseline."""
    recipe, frame, value = CASES[case]
    schedule = Schedule.of(3, 6, "always", None, 2 if case in ("levels", "steps") else 0)
    origin, before = 2, rows_of(recipe, frame, schedule)
    columns = [str(name) for name in frame if name not in ("time", "site", "plan", "shift")]
    changed = later_rows_changed(frame, before.cutoffs(origin), columns, value=value)
    if "shift" in changed:
        changed.loc[changed["load"] == value, "shift"] = "never seen"
    after = rows_of(recipe, changed, schedule)
    assert not before.truth().equals(after.truth())
    (forecast, state, arrays, weights), others = made(recipe, before, origin), made(recipe, after, origin)
    assert len(forecast)
    pd.testing.assert_frame_equal(forecast, others[0], check_exact=True)
    assert state == others[1]
    for own, other in zip([*arrays.values(), *weights], [*others[2].values(), *others[3]], strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.slow
def test_the_newest_row_before_an_origin_changes_its_forecast() -> None:
    """Else the test above would find nothing whatever it looks at."""
    recipe, frame, _ = CASES["baselines"]
    rows = rows_of(recipe, frame, Schedule.of(3, 6, "always", None, 0))
    known = frame.copy()
    known.loc[known["time"] == rows.cutoffs(2)[""], "load"] *= 1.5
    changed = rows_of(recipe, known, Schedule.of(3, 6, "always", None, 0))
    assert not made(recipe, rows, 2)[0].equals(made(recipe, changed, 2)[0])


def made(recipe: Recipe, rows: Rows, origin: int) -> tuple[Any, ...]:
    """The forecasts from an origin by a fit there, and all that the fit has learned."""
    past, skipped = past_recipe(recipe, Schedule.of(3, 6, "always", None, rows.ahead - 6))
    bundle, _ = fit_past(past, rows.until([origin]).before(origin))
    notes: list[str] = []
    forecast = forecast_from(bundle, rows.until([origin]), origin, skipped, notes)
    assert not notes
    return forecast, *bundle.state(), bundle.model.get_weights()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(60, 90), min_size=1, max_size=3),
    windows=st.integers(1, 4),
    stride=st.integers(1, 7),
    gap=st.integers(0, 3),
    rolling=st.none() | st.integers(1, 50),
    seed=st.integers(0, 9),
)
def test_what_is_known_is_the_rows_before_each_series_own_origin(
    lengths: list[int], windows: int, stride: int, gap: int, rolling: int | None, seed: int
) -> None:
    names = [f"s{number}" for number in range(len(lengths))]
    parts = [hourly_frame(count, series=(name,), seed=seed) for count, name in zip(lengths, names, strict=True)]
    frame = pd.concat(parts, ignore_index=True)
    recipe = parse_recipe(
        forecast_recipe(series="site", input_steps=4, output_steps=3, split={"val": 0.2, "test": 0.2})
    )
    rows = rows_of(recipe, frame, Schedule.of(windows, stride, "always", rolling, gap))
    for origin in range(1, windows + 1):
        known, cutoffs = rows.before(origin), rows.cutoffs(origin)
        for name, whole in zip(names, parts, strict=True):
            end = len(whole) - 3 - gap - (windows - origin) * stride
            own = whole.iloc[max(0, end - rolling) if rolling else 0 : end]
            told = known[known["site"] == name].reset_index(drop=True)
            pd.testing.assert_frame_equal(told, own[list(told)].reset_index(drop=True), check_dtype=False)
            assert cutoffs[name] == own["time"].iloc[-1]
        handed = rows.until([origin])
        pd.testing.assert_frame_equal(handed.before(origin), known)
        assert handed.frame["load"].notna().sum() <= sum(lengths) - (3 + gap) * len(lengths)


def test_a_fit_at_the_first_test_row_has_the_parts_of_the_recipe() -> None:
    """Validation has its share of the rows before the origin, so an origin at the test part repeats the recipe's own training."""
    recipe = parse_recipe(forecast_recipe() | LEVELS)
    whole: Any = open_job(recipe, hourly_frame(600))
    schedule = Schedule.of(85, 1, "never", None, 0)  # 84 + 6 rows are the test part
    past, _ = past_recipe(recipe, schedule)
    job = open_past(past, Rows.of(whole.prepared, schedule).before(1))
    for part in ("train", "val", "calibration"):
        np.testing.assert_array_equal(job.prepared.rows[part], whole.prepared.rows[part])
        assert job.prepared.windows[part].count == whole.prepared.windows[part].count
    assert job.prepared.scaler.to_json()["center"] == whole.prepared.scaler.to_json()["center"]
    assert job.prepared.windows["test"].count == 0


@pytest.mark.parametrize("split", [{"train": 300, "val": 40, "test": 50}, {"val": 0.3, "test": 0.2}])
def test_validation_lies_at_the_end_of_the_past(split: dict[str, Any]) -> None:
    recipe = parse_recipe(forecast_recipe(split=split))
    whole: Any = open_job(recipe, hourly_frame(600))
    schedule = Schedule.of(3, 24, "always", None, 0)
    past, _ = past_recipe(recipe, schedule)
    for origin in (1, 2, 3):
        job = open_past(past, Rows.of(whole.prepared, schedule).before(origin))
        known = 600 - 6 - (3 - origin) * 24
        val = 40 if "train" in split else known - round(known * (1 - 0.3 / 0.8))
        assert job.prepared.split.rows("val").tolist() == [[known - val, known]]
        assert job.prepared.split.rows("train").tolist() == [[0, known - val]]


def test_rows_without_a_clock_are_counted() -> None:
    frame = hourly_frame(300).drop(columns="time")
    section = forecast_recipe(calendar=[])
    section["data"] = {key: value for key, value in section["data"].items() if key not in ("time", "every")}
    rows = rows_of(parse_recipe(section), frame, Schedule.of(2, 5, "never", 200, 1))
    assert rows.cutoffs(1) == {"": 288}
    assert rows.cutoffs(2) == {"": 293}
    assert rows.truth()["key"].tolist() == list(range(1, 301))
    assert len(rows.before(1)) == 200


@pytest.mark.slow
def test_an_origin_without_rows_to_forecast_from_is_told() -> None:
    """A gap shortly before two of four origins; a forecast reads 24 rows without one."""
    recipe, frame = CASES["baselines"][0], hourly_frame(420).drop(index=[405, 406])
    schedule = Schedule.of(4, 4, "never", None, 0)
    rows, (past, skipped) = rows_of(recipe, frame, schedule), past_recipe(recipe, schedule)
    bundle, _ = fit_past(past, rows.before(1))
    notes: list[str] = []
    found = pd.concat(
        [forecast_from(bundle, rows, origin, skipped, notes) for origin in (1, 2, 3, 4)], ignore_index=True
    )
    assert found["origin"].unique().tolist() == [1, 2]
    assert [note.split(":")[0] for note in notes] == ["origin 3", "origin 4"]
    assembled = assemble(rows, schedule, {1: found})
    assert assembled.groupby("origin").size().tolist() == [5, 4]  # the clock goes on; two of the hours are not there
    assert assembled["y"].tolist() == frame.set_index("time")["load"][assembled["ds"]].tolist()
