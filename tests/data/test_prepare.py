"""From a frame to scaled rows and windows: nothing of the test rows reaches the training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.data import Prepared, prepare_new
from seq2seq_kit.data.windows.prepare import prepare, prepare_ahead
from seq2seq_kit.errors import DataError, SeriesTooShortError
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def _forecast(frame: pd.DataFrame, **data: Any) -> Prepared:
    return prepare(parse_recipe(forecast_recipe(**data)).data, frame, origin="hours.csv")


def _autoencode(frame: pd.DataFrame, **data: Any) -> Prepared:
    return prepare(parse_recipe(autoencode_recipe(**data)).data, frame, origin="hours.csv")


def _all(prepared: Prepared, part: str) -> list[np.ndarray]:
    """Every window of a part, gathered from its batches: inputs, future inputs, targets."""
    batches = []
    for inputs, targets in prepared.batches(part, 64).as_numpy_iterator():
        batches.append([*(inputs if isinstance(inputs, tuple) else [inputs]), targets])
    return [np.concatenate(pieces) for pieces in zip(*batches, strict=True)]


def _same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


ROWS = 120
TEST_FIRST = 102  # 15 % of 120 rows
VAL_FIRST = 84


def _later(
    frame: pd.DataFrame, border: int, level: float, emptied: set[int], holes: set[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frame with `holes`, and the same with other values and other holes from `border` on."""
    frame = frame.copy()
    frame.loc[sorted(holes), "load"] = np.nan
    frame.loc[[ROWS + hole for hole in sorted(holes)], "heat"] = np.nan
    later = np.arange(len(frame)) % ROWS >= border
    changed = frame.copy()
    changed.loc[later, ["load", "heat"]] = changed.loc[later, ["load", "heat"]] * -3 + level
    changed.loc[sorted(emptied), "load"] = np.nan
    return frame, changed


SCALINGS = ["standard", "minmax", "robust", "none"]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["refuse", "interpolate", "ffill", "mask"])
@settings(max_examples=15, deadline=None)
@given(
    scaling=st.sampled_from(SCALINGS),
    per_series=st.booleans(),
    border=st.sampled_from([VAL_FIRST, TEST_FIRST]),
    holes=st.sets(st.integers(VAL_FIRST - 6, ROWS - 1), max_size=12),
    emptied=st.sets(st.integers(TEST_FIRST, ROWS - 1), max_size=8),
    level=st.floats(-1e4, 1e4),
    seed=st.integers(0, 99),
)
def test_later_rows_change_neither_scalers_nor_earlier_windows(
    missing: str,
    scaling: str,
    per_series: bool,
    border: int,
    holes: set[int],
    emptied: set[int],
    level: float,
    seed: int,
) -> None:
    if missing == "refuse":
        holes = emptied = set()
    frame, changed = _later(hourly_frame(ROWS, series=("east", "west"), seed=seed), border, level, emptied, holes)
    options = {"series": "site", "missing": missing, "scaling": scaling, "scale_per_series": per_series}
    one, other = _forecast(frame, **options), _forecast(changed, **options)
    assert one.scaler.to_json() == other.scaler.to_json()
    for part in ["train", "val"] if border == TEST_FIRST else ["train"]:
        every = np.arange(one.windows[part].count)
        _same(
            [*one.arrays(part, every), one.scaled_targets(part, every)],
            [*other.arrays(part, every), other.scaled_targets(part, every)],
        )


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["refuse", "interpolate", "ffill", "mask"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_test_rows_do_not_reach_the_batches_of_the_training(missing: str, scaling: str) -> None:
    holes = set() if missing == "refuse" else {VAL_FIRST - 2, VAL_FIRST - 1, VAL_FIRST, TEST_FIRST - 1, TEST_FIRST}
    frame, changed = _later(hourly_frame(ROWS, series=("east", "west")), VAL_FIRST, 500.0, set(), holes)
    one, other = (_forecast(rows, series="site", missing=missing, scaling=scaling) for rows in (frame, changed))
    assert one.scaler.to_json() == other.scaler.to_json()
    _same(_all(one, "train"), _all(other, "train"))


def test_the_training_windows_do_change_with_the_training_rows() -> None:
    frame = hourly_frame(ROWS)
    changed = frame.copy()
    changed.loc[VAL_FIRST - 1, "load"] = 500.0
    one, other = _forecast(frame), _forecast(changed)
    assert one.scaler.to_json() != other.scaler.to_json()
    assert not np.array_equal(_all(one, "train")[-1], _all(other, "train")[-1])


def test_test_inputs_look_back_over_the_border_and_targets_do_not() -> None:
    prepared = _forecast(hourly_frame(ROWS))
    windows = prepared.windows["test"]
    assert windows.target_rows().min() == TEST_FIRST
    assert windows.input_rows().min() == TEST_FIRST - 24
    assert prepared.windows["val"].target_rows().max() == TEST_FIRST - 1
    assert prepared.windows["train"].target_rows().max() == VAL_FIRST - 1


def test_arrays_and_batches_give_the_same_windows() -> None:
    prepared = _forecast(hourly_frame(ROWS, series=("east", "west")), series="site", known_future=["heat"])
    every = np.arange(prepared.windows["test"].count)
    _same(_all(prepared, "test"), [*prepared.arrays("test", every), prepared.scaled_targets("test", every)])


def test_scaled_targets_are_restored_to_what_was_observed() -> None:
    frame = hourly_frame(ROWS, series=("east", "west"))
    prepared = _forecast(frame, series="site", scale_per_series=True, targets=["heat", "load"])
    every = np.arange(prepared.windows["val"].count)
    restored = prepared.restore(prepared.scaled_targets("val", every), "val")
    np.testing.assert_allclose(restored, prepared.truth("val"), rtol=1e-5)
    rows = prepared.windows["val"].target_rows()
    np.testing.assert_array_equal(prepared.truth("val"), frame[["heat", "load"]].to_numpy()[rows])


def test_calendar_columns_reach_the_encoder_and_the_decoder() -> None:
    prepared = _forecast(hourly_frame(ROWS), calendar=["hour", "weekend"])
    assert prepared.layout.columns == ["load", "heat", "hour_sin", "hour_cos", "weekend"]
    past, future, _ = _all(prepared, "train")
    assert (past.shape[1:], future.shape[1:]) == ((24, 5), (6, 3))
    np.testing.assert_allclose(future[0, 0], [0, 1, 0], atol=1e-6)  # Tuesday 2024-01-02 00:00
    np.testing.assert_allclose(past[0, 6, 2:], [1, 0, 0], atol=1e-6)  # Monday 06:00


def test_a_column_with_the_name_of_a_calendar_column_is_not_taken_for_it() -> None:
    frame = hourly_frame(ROWS).assign(weekend=np.arange(ROWS, dtype=float))
    prepared = _forecast(frame, inputs=["load", "weekend"], calendar=["weekend"])
    future = _all(prepared, "train")[1]
    assert set(np.unique(future)) <= {0.0, 1.0}


def test_known_columns_are_given_for_the_steps_to_be_predicted() -> None:
    prepared = _forecast(hourly_frame(ROWS), inputs=["load"], known_future=["heat"], calendar=[])
    past, future, _ = _all(prepared, "train")
    assert prepared.layout.columns == ["load", "heat"]
    np.testing.assert_array_equal(future[0, :, 0], past[6, -6:, 1])


def test_a_target_that_is_no_input_stays_out_of_the_encoder() -> None:
    prepared = _forecast(hourly_frame(ROWS), inputs=["heat"], targets=["load"], calendar=[])
    assert (prepared.layout.inputs, prepared.layout.targets) == (1, [1])
    assert _all(prepared, "train")[0].shape[-1] == 1


def test_missing_cells_are_refused_with_name_row_and_count() -> None:
    frame = hourly_frame(ROWS)
    frame.loc[[7, 8], "load"] = np.nan
    with pytest.raises(DataError) as caught:
        _forecast(frame)
    assert str(caught.value).splitlines() == [
        "hours.csv has missing cells:",
        "  load: 2 missing cells, the first in row 8 (2024-01-01 07:00:00)",
        "Fill them in the file, or choose data.missing in the recipe: interpolate, ffill or mask",
    ]


def _holes() -> pd.DataFrame:
    frame = hourly_frame(ROWS)
    frame.loc[[30, 31, 60], "load"] = np.nan
    frame.loc[40, "heat"] = np.nan
    return frame


def test_masked_cells_stand_at_the_centre_beside_a_column_that_says_so() -> None:
    prepared = _forecast(_holes(), missing="mask", calendar=["weekend"])
    assert prepared.layout.columns == ["load", "heat", "weekend", "load_observed", "heat_observed", "load"]
    matrix = prepared.matrix[:]
    assert np.flatnonzero(matrix[:, 3] == 0).tolist() == [30, 31, 60]
    assert np.flatnonzero(matrix[:, 4] == 0).tolist() == [40]
    assert matrix[[30, 31, 60], 0].tolist() == [0, 0, 0]
    assert not np.isnan(matrix[:, :5]).any()


def test_masked_targets_stay_missing_for_the_loss_and_the_truth() -> None:
    prepared = _forecast(_holes(), missing="mask")
    past, _, targets = _all(prepared, "train")
    assert not np.isnan(past).any()
    rows = prepared.windows["train"].target_rows()
    np.testing.assert_array_equal(np.isnan(targets[..., 0]), np.isin(rows, [30, 31, 60]))
    np.testing.assert_array_equal(np.isnan(prepared.truth("train")), np.isnan(targets))


def test_a_masked_autoencoder_is_given_its_inputs_with_their_holes() -> None:
    prepared = _autoencode(_holes(), missing="mask", split={"val": 0.25, "test": 0.25})
    past, targets = _all(prepared, "train")
    assert (past.shape[-1], targets.shape[-1]) == (4, 2)
    np.testing.assert_array_equal(np.isnan(targets), past[..., 2:] == 0)
    np.testing.assert_array_equal(np.nan_to_num(targets), past[..., :2])


@pytest.mark.parametrize(("missing", "said"), [("interpolate", "interpolated"), ("ffill", "carried on")])
def test_filled_cells_are_noted_and_the_truth_keeps_its_holes(missing: str, said: str) -> None:
    prepared = _forecast(_holes(), missing=missing)
    assert any(said in note and "load 3, heat 1 (longest stretch 2 rows)" in note for note in prepared.notes)
    assert not np.isnan(prepared.matrix[:]).any()
    assert np.isnan(prepared.truth("train")).any()


def test_limits_turn_impossible_values_into_missing_cells() -> None:
    frame = hourly_frame(ROWS)
    frame.loc[50, "load"] = 1e9
    prepared = _forecast(frame, limits={"load": [0.0, 1000.0]}, missing="interpolate")
    assert prepared.scaler.scale[0, 0] < 1000
    np.testing.assert_allclose(
        prepared.scaler.inverse(prepared.matrix[50:51, :2], np.zeros(1, dtype=int))[0, 0],
        (frame["load"][49] + frame["load"][51]) / 2,
        rtol=1e-5,
    )


def test_no_window_crosses_a_gap_in_time() -> None:
    prepared = _forecast(hourly_frame(ROWS).drop(index=[50, 51]))
    times = prepared.table.times
    assert times is not None
    rows = np.concatenate([prepared.windows["train"].input_rows(), prepared.windows["train"].target_rows()], axis=1)
    assert (np.diff(times[:].to_numpy()[rows], axis=1) == np.timedelta64(1, "h")).all()


def test_a_series_shorter_than_one_window_says_what_is_needed() -> None:
    with pytest.raises(SeriesTooShortError) as caught:
        _forecast(hourly_frame(20))
    said = str(caught.value)
    assert said.startswith("hours.csv: not one train window fits. One window spans 30 rows without a gap")
    assert "the longest train part has 14 rows, and within its reach the longest stretch without a gap 14" in said


def test_a_split_that_leaves_a_part_without_a_window_is_told() -> None:
    with pytest.raises(SeriesTooShortError, match=r"not one val window fits.*needs 6 rows.*val part has 1 rows"):
        _forecast(hourly_frame(ROWS), split={"val": 0.01, "test": 0.2})


def test_gaps_that_leave_no_stretch_long_enough_are_told() -> None:
    frame = hourly_frame(600)
    with pytest.raises(SeriesTooShortError, match=r"not one train window fits.*without a gap 19"):
        _forecast(frame[frame.index % 20 > 0])


def test_a_target_among_the_missing_columns_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks the column load\. It also has lod"):
        _forecast(hourly_frame(ROWS).rename(columns={"load": "lod"}))


def test_new_rows_are_scaled_as_the_training_rows_were() -> None:
    trained = _forecast(hourly_frame(ROWS))
    new = prepare_new(trained.data, hourly_frame(ROWS, seed=5), trained.scaler)
    again = prepare_new(trained.data, hourly_frame(ROWS), trained.scaler)
    assert new.scaler is trained.scaler
    np.testing.assert_array_equal(again.matrix, trained.matrix)
    assert new.windows["test"].count == ROWS - 30 + 1
    assert new.windows["train"].count == 0


def test_new_rows_of_another_series_order_get_their_own_statistics() -> None:
    frame = hourly_frame(ROWS, series=("east", "west"))
    trained = _forecast(frame, series="site", scale_per_series=True)
    swapped = prepare_new(trained.data, pd.concat([frame[ROWS:], frame[:ROWS]]), trained.scaler)
    assert swapped.table.series == ["west", "east"]
    np.testing.assert_array_equal(swapped.matrix[:ROWS], trained.matrix[ROWS:])


def test_new_rows_of_an_unknown_series_are_refused_where_each_is_scaled_by_itself() -> None:
    trained = _forecast(hourly_frame(ROWS, series=("east", "west")), series="site", scale_per_series=True)
    with pytest.raises(DataError, match=r"series north were not in the training data.*east, west"):
        prepare_new(trained.data, hourly_frame(ROWS, series=("north",)).assign(site="north"), trained.scaler)


def test_one_scaling_for_one_column_leaves_the_others_on_standard() -> None:
    prepared = _forecast(hourly_frame(ROWS), scaling={"load": "none"})
    assert (prepared.scaler.center[0, 0], prepared.scaler.scale[0, 0]) == (0, 1)
    assert prepared.scaler.scale[0, 1] != 1


def test_a_value_beyond_float32_is_refused_with_its_cell() -> None:
    frame = hourly_frame(300)
    frame.loc[7, "heat"] = 1e300
    data = parse_recipe(forecast_recipe(scaling="none")).data
    with pytest.raises(
        DataError, match=r"row 8 \(2024-01-01 07:00:00\), column heat: 1e\+300 is beyond the range of float32"
    ):
        prepare(data, frame)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(5, 150), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_no_input_is_interpolated_towards_the_steps_to_predict(empty: set[int], seed: int) -> None:
    data = parse_recipe(forecast_recipe(input_steps=6, output_steps=3, missing="interpolate", calendar=[])).data
    frame = hourly_frame(160, seed=seed)
    frame.loc[sorted(empty), "load"] = np.nan
    scaler = prepare(data, frame).scaler
    seen = prepare_new(data, frame, scaler)
    windows = seen.windows["test"]
    for number in windows.evenly(6):
        newest = int(windows.input_rows(np.array([number]))[0, -1])
        later = frame.copy()
        later.loc[newest + 1 :, ["load", "heat"]] += 1000.0
        changed = prepare_new(data, later, scaler)
        np.testing.assert_array_equal(
            seen.arrays("test", np.array([number])), changed.arrays("test", np.array([number]))
        )


@pytest.mark.parametrize("missing", ["interpolate", "ffill", "mask"])
def test_inputs_over_a_border_are_those_of_a_prediction_at_that_moment(missing: str) -> None:
    data = parse_recipe(forecast_recipe(input_steps=6, output_steps=3, missing=missing, calendar=[])).data
    frame = hourly_frame(160)
    run = prepare(data, frame)
    val, test = (int(run.split.rows(part)[0, 0]) for part in ("val", "test"))
    frame.loc[[val - 2, val - 1, val, test - 3, test - 2, test - 1, test, test + 1], "load"] = np.nan
    frame.loc[[val + 1, test - 4, test + 2], "heat"] = np.nan
    run = prepare(data, frame)
    compared = dict.fromkeys(run.windows, 0)
    for part, windows in run.windows.items():
        for rows in windows.input_rows():
            if len({val, test} & set(rows[1:] - 1)) == 0:
                continue
            ahead = prepare_ahead(data, frame[: rows[-1] + 1], run.scaler)
            np.testing.assert_array_equal(
                run.matrix[rows, : run.layout.inputs], ahead.matrix[rows, : run.layout.inputs]
            )
            compared[part] += 1
    assert compared["val"] >= 3
    assert compared["test"] >= 3
    assert missing != "interpolate" or "2 rows at the end of train were interpolated" in "".join(run.notes)


def test_windows_that_end_in_a_hole_are_left_out_and_said_to_be() -> None:
    data = parse_recipe(forecast_recipe(input_steps=6, output_steps=3, missing="interpolate")).data
    frame = hourly_frame(160)
    frame.loc[[50, 51], "load"] = np.nan
    prepared = prepare(data, frame)
    newest = prepared.windows["train"].starts() + 5
    assert not {50, 51} & set(newest.tolist())
    assert {49, 52} <= set(newest.tolist())
    assert "2 rows were interpolated towards later ones; no forecast begins right after one of them" in prepared.notes


def test_a_carried_on_value_bars_no_window() -> None:
    data = parse_recipe(forecast_recipe(input_steps=6, output_steps=3, missing="ffill")).data
    frame = hourly_frame(160)
    frame.loc[[50, 51], "load"] = np.nan
    newest = prepare(data, frame).windows["train"].starts() + 5
    assert {49, 50, 51, 52} <= set(newest.tolist())


FOLDED = 600  # rows; val and test are 90 of them
# Around the ends of train (300, 390) and val (420, 510) of two folds.
BORDERS = [row for border in (300, 390, 420, 510) for row in range(border - 4, border + 3)]


def _rows_of(prepared: Prepared, part: str) -> set[int]:
    """Every row that a window of a part reads or predicts."""
    windows = prepared.windows[part]
    return set(windows.input_rows().ravel().tolist()) | set(windows.target_rows().ravel().tolist())


@pytest.mark.parametrize("task", [_forecast, _autoencode])
def test_a_stride_of_training_leaves_the_other_parts_as_they_are(task: Any) -> None:
    plain, thinned = task(hourly_frame(600), window_stride=2), task(hourly_frame(600), window_stride=2, train_stride=7)
    starts = {part: [each.windows[part].starts() for each in (plain, thinned)] for part in ("train", "val", "test")}
    np.testing.assert_array_equal(*starts["val"])
    np.testing.assert_array_equal(*starts["test"])
    first, last = starts["train"][0][[0, -1]]
    np.testing.assert_array_equal(starts["train"][1], np.arange(first, last + 1, 7))
    (fold, *_) = thinned.folds(2)
    assert set(np.diff(fold.windows["train"].starts())) == {7}
    assert set(np.diff(fold.windows["val"].starts())) == {2}
    assert set(np.diff(thinned.joined().windows["train"].starts())) == {7}


@pytest.mark.parametrize(
    ("task", "data"),
    [
        (_forecast, {}),
        (_forecast, {"gap_steps": 9}),
        (_forecast, {"missing": "interpolate", "series": "site"}),
        (_forecast, {"missing": "mask", "window_stride": 5}),
        (_autoencode, {}),
    ],
    ids=["forecast", "gap_steps", "interpolate", "mask", "autoencode"],
)
def test_no_training_window_of_a_fold_shares_a_row_with_a_validation_window(task: Any, data: dict[str, Any]) -> None:
    frame = hourly_frame(FOLDED, series=("a", "b") if "series" in data else ("",))
    if "missing" in data:
        frame.loc[::19, "load"] = np.nan
    prepared = task(frame, **data)
    folds = prepared.folds(3)
    for fold in folds:
        train, val = _rows_of(fold, "train"), _rows_of(fold, "val")
        assert len(train) > 100
        assert len(val) > 50
        assert not train & val
        assert fold.count("test") == 0
    assert _rows_of(folds[-1], "val") == _rows_of(prepared, "val")


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["refuse", "interpolate", "ffill", "mask"])
@settings(max_examples=10, deadline=None)
@given(
    scaling=st.sampled_from(SCALINGS),
    per_series=st.booleans(),
    number=st.sampled_from([0, 1]),
    holes=st.sets(st.sampled_from(BORDERS)),
    level=st.floats(-1e4, 1e4),
)
def test_rows_behind_a_part_of_a_fold_do_not_reach_it(
    missing: str, scaling: str, per_series: bool, number: int, holes: set[int], level: float
) -> None:
    frame = hourly_frame(FOLDED, series=("a", "b"))
    if missing != "refuse":
        frame.loc[sorted(holes), "load"] = np.nan
    data = {"series": "site", "missing": missing, "scaling": scaling, "scale_per_series": per_series}
    fold = _forecast(frame, **data).folds(2)[number]
    train_end, val_end = fold.split.rows("train")[0, 1], fold.split.rows("val")[0, 1]
    assert {train_end, val_end} <= set(BORDERS)
    for part, border in (("train", train_end), ("val", val_end)):
        changed = frame.copy()
        later = np.arange(len(frame)) % FOLDED >= border
        changed.loc[later, ["load", "heat"]] = changed.loc[later, ["load", "heat"]] * -3 + level
        other = _forecast(changed, **data).folds(2)[number]
        np.testing.assert_array_equal(other.scaler.center, fold.scaler.center)
        np.testing.assert_array_equal(other.scaler.scale, fold.scaler.scale)
        _same(_all(other, part), _all(fold, part))


def test_the_scaler_of_a_fold_knows_its_training_rows_only() -> None:
    fold = _forecast(hourly_frame(FOLDED)).folds(2)[0]
    rows = fold.table.values[: fold.split.rows("train")[0, 1]]
    assert len(rows) == 420 - 90 - 30
    np.testing.assert_allclose(fold.scaler.center[0], rows.mean(axis=0))
    np.testing.assert_allclose(fold.scaler.scale[0], rows.std(axis=0))


def test_a_fold_without_a_training_window_is_refused() -> None:
    # The first of four blocks of 90 rows begins in row 150; 132 rows before it are the gap.
    prepared = _forecast(hourly_frame(FOLDED), input_steps=126)
    with pytest.raises(
        SeriesTooShortError,
        match=r"hours\.csv, fold 1 of 4: not one train window fits\. One window spans 132 rows .* the longest train part has "
        r"18 rows.* Use fewer folds, more rows",
    ):
        prepared.folds(4)
    with pytest.raises(DataError, match=r"hours\.csv: fold 1 of 5 has no row to train on"):
        prepared.folds(5)


def test_joined_the_scaler_knows_the_val_rows_and_the_windows_end_before_test() -> None:
    prepared = _forecast(hourly_frame(FOLDED))
    joined = prepared.joined()
    np.testing.assert_allclose(joined.scaler.center[0], prepared.table.values[:510].mean(axis=0))
    targets = joined.windows["train"].target_rows()
    assert (targets.min(), targets.max()) == (24, 509)
    for part in ("val", "test"):
        np.testing.assert_array_equal(joined.windows[part].starts(), prepared.windows[part].starts())


def test_folds_and_joined_rows_hold_the_answers_too_where_the_model_reads_them() -> None:
    prepared = replace(_forecast(hourly_frame(FOLDED)), answers=True)
    assert all(other.answers for other in [*prepared.folds(2), prepared.joined()])


@pytest.mark.parametrize("order", ["newest first", "a part", "shuffled"])
def test_arrow_columns_keep_their_rows(order: str) -> None:
    frame = hourly_frame(300)
    rows = {"newest first": frame[::-1], "a part": frame.iloc[5:], "shuffled": frame.sample(frac=1, random_state=0)}[
        order
    ]
    data = parse_recipe(forecast_recipe()).data
    arrow = rows.astype({"load": "double[pyarrow]", "heat": "double[pyarrow]"})
    np.testing.assert_array_equal(prepare(data, arrow).table.values, prepare(data, rows).table.values)


def test_rows_ahead_are_no_observations_where_a_known_column_is_read_too() -> None:
    frame = hourly_frame(300).assign(promo=np.arange(300) % 7)
    recipe = parse_recipe(forecast_recipe(inputs=["load", "promo"], known_future=["promo"], missing="interpolate"))
    scaler = prepare(recipe.data, frame).scaler
    ahead = frame.assign(time=frame["time"] + pd.Timedelta(hours=300), load=np.nan)[["time", "load", "promo"]].head(6)
    with pytest.raises(DataError, match="newest 4 rows") as caught:
        prepare_ahead(recipe.data, pd.concat([frame, ahead[:4]]), scaler, future=ahead)
    assert caught.value.code == "missing_inputs"
