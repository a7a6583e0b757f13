"""Categories, static columns and the series as a category, from cells to what the model and ridge are given."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.categories import MISSING, UNKNOWN, read_category
from seq2seq_kit.data.tables.names import joined_name, parts_of_name
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.written import PLAIN
from seq2seq_kit.data.windows.newest import NewestReader
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_ahead, prepare_new
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.evaluation.indicators import Indicated
from seq2seq_kit.recipe.format import Format
from tests.conftest import autoencode_recipe, forecast_recipe
from tests.untyped import parse_recipe

KINDS = ["sun", "rain", "snow"]


def frame_of(rows: int = 240, series: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    """Hours of some series: a load, a kind of weather, a promotion, a region and a size that stay the same."""
    frames = []
    for number, name in enumerate(series):
        rng = np.random.default_rng(number)
        frames.append(
            pd.DataFrame(
                {
                    "time": pd.date_range("2024-01-01", periods=rows, freq="h"),
                    "name": name,
                    "load": rng.normal(size=rows),
                    "kind": rng.choice(KINDS, rows, p=[0.5, 0.3, 0.2]),
                    "promo": rng.random(rows) < 0.3,
                    "region": "north" if number % 2 else "south",
                    "size": 10.0 + number,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def recipe_of(make: Any = forecast_recipe, **data: Any) -> Any:
    given = {
        "series": "name",
        "inputs": ["load", "kind"],
        "categories": ["kind"],
        "missing": "refuse",
        **({} if make is autoencode_recipe else {"targets": ["load"], "calendar": []}),
        **data,
    }
    return parse_recipe(make(**given))


FULL: dict[str, Any] = {
    "known_future": ["promo"],
    "categories": ["kind", "promo", "region"],
    "static": ["region", "size"],
    "series_category": True,
}


def read(cells: list[object], form: Format = PLAIN) -> tuple[list[float], list[str]]:
    codes, words = read_category(pd.Series(cells), "kind", "the data", form)
    return codes.tolist(), words


@pytest.mark.parametrize(
    ("cells", "codes", "words"),
    [
        (["b", "a", "b", None], [2, 3, 2, MISSING], ["b", "a"]),
        ([True, False, True], [2, 3, 2], ["True", "False"]),
        (["TRUE", "false", "", True], [2, 3, MISSING, 2], ["True", "False"]),
        ([1, 2, 1], [2, 3, 2], ["1", "2"]),
        ([1.0, np.nan, 2.0], [2, MISSING, 3], ["1", "2"]),
        (["007", " 8", "8 ", "NA"], [2, 3, 3, MISSING], ["007", "8"]),
    ],
)
def test_a_value_is_its_text_however_it_is_held(cells: list[object], codes: list[int], words: list[str]) -> None:
    assert read(cells) == (codes, words)


def test_words_for_missing_are_those_of_the_format() -> None:
    assert read(["-", "x"], Format(missing_words=["-"]))[0] == [MISSING, 2]
    assert read(["-", "x"])[0] == [2, 3]


def test_numbers_with_fractions_are_no_categories() -> None:
    with pytest.raises(DataError, match=r"row 2, column kind: 1\.5") as caught:
        read([1.0, 1.5])
    assert caught.value.code == "invalid_category"


def test_names_of_rows_are_no_categories() -> None:
    with pytest.raises(DataError, match="10001 different values") as caught:
        read([f"x{number}" for number in range(10_001)])
    assert caught.value.code == "too_many_categories"


def test_the_vocabulary_is_that_of_the_training_rows() -> None:
    frame = frame_of()
    frame.loc[239, "kind"] = "hail"  # of the test part
    prepared = prepare(recipe_of().data, frame)
    assert prepared.scaler.vocabularies == {"kind": ["sun", "rain", "snow"]}
    position = prepared.layout.columns.index("kind")
    expected = [2.0 + KINDS.index(kind) if kind in KINDS else UNKNOWN for kind in frame["kind"]]
    np.testing.assert_array_equal(prepared.matrix[:, position], expected)
    assert [note for note in prepared.notes if "hail" in note and "1 value" in note]
    assert position == prepared.layout.inputs - 1


def test_a_missing_cell_is_a_value_and_no_hole() -> None:
    frame = frame_of()
    frame.loc[[3, 100], "kind"] = None
    prepared = prepare(recipe_of().data, frame)
    assert prepared.matrix[3, prepared.layout.columns.index("kind")] == MISSING
    assert prepared.count("train") == prepare(recipe_of().data, frame_of()).count("train")


def test_the_stored_scaler_has_the_values_and_refuses_others() -> None:
    scaler = prepare(recipe_of().data, frame_of()).scaler
    stored = scaler.to_json()
    assert Scaler.from_json(stored).vocabularies == scaler.vocabularies
    wrong: Any
    for wrong in ([1], ["a", "a"], "ab", ["a" * 2_000], [str(number) for number in range(10_001)]):
        with pytest.raises(ValueError, match="kind"):
            Scaler.from_json({**stored, "vocabularies": {"kind": wrong}})


def test_the_decoder_is_given_what_is_known_and_what_stays_the_same() -> None:
    prepared = prepare(recipe_of(**FULL).data, frame_of())
    layout = prepared.layout
    assert layout.columns[: layout.inputs] == ["load", "size", "region", "name_category", "promo", "kind"]
    assert [layout.columns[at] for at in layout.future] == ["size", "region", "name_category", "promo"]
    past, future = prepared.arrays("test", np.array([0, prepared.count("test") - 1]))
    for column in ("region", "name_category", "size"):
        at = layout.columns.index(column)
        assert np.unique(past[0, :, at]) == np.unique(future[0, :, layout.future.index(at)])
        assert past[0, 0, at] != past[1, 0, at]


def ahead_of(frame: pd.DataFrame, scaler: Scaler, **data: Any) -> Prepared:
    recipe = recipe_of(**data)
    steps = recipe.data.output_steps + recipe.data.gap_steps
    times = pd.date_range(frame["time"].max() + pd.Timedelta("1h"), periods=steps, freq="h")
    future = pd.concat([pd.DataFrame({"time": times, "name": name, "promo": True}) for name in frame["name"].unique()])
    return prepare_ahead(recipe.data, frame, scaler, future=future)


def test_a_forecast_knows_static_columns_of_the_steps_ahead() -> None:
    scaler = prepare(recipe_of(**FULL).data, frame_of()).scaler
    prepared = ahead_of(frame_of(), scaler, **FULL)
    columns = prepared.layout.columns
    row = prepared.table.bounds[1] - 1  # the last step ahead of the first series
    named = dict(zip(columns, prepared.matrix[row], strict=True))
    assert named["region"] == 2 + scaler.vocabularies["region"].index("south")
    assert named["name_category"] == 2 + scaler.vocabularies["name_category"].index("a")
    assert named["promo"] == 2 + scaler.vocabularies["promo"].index("True")
    assert named["size"] == pytest.approx(-1.0)


def test_new_series_and_regions_are_unknown_and_told() -> None:
    scaler = prepare(recipe_of(**FULL).data, frame_of()).scaler
    frame = frame_of(series=("c",)).assign(region="west")
    prepared = ahead_of(frame, scaler, **FULL)
    for column in ("region", "name_category"):
        assert set(prepared.matrix[:, prepared.layout.columns.index(column)]) == {UNKNOWN}
    notes = " ".join(prepared.notes)
    assert "category region" in notes
    assert "west" in notes
    assert "category name_category" in notes


def test_a_static_column_that_changes_is_refused_with_its_row() -> None:
    frame = frame_of()
    frame.loc[250, "region"] = "south"
    with pytest.raises(
        DataError, match=r"row 251 .*series b.*column region: south where row 241 .* has north"
    ) as caught:
        prepare(recipe_of(**FULL).data, frame)
    assert caught.value.code == "not_static"
    frame = frame_of()
    frame.loc[7, "size"] = 11.0
    with pytest.raises(DataError, match=r"row 8 .*column size: 11 where row 1 .* has 10"):
        prepare(recipe_of(**FULL).data, frame)


def test_a_static_cell_that_is_missing_is_known_from_the_other_rows() -> None:
    frame = frame_of()
    whole = prepare(recipe_of(**FULL).data, frame).matrix
    frame.loc[[5, 250], ["region", "size"]] = None
    np.testing.assert_array_equal(prepare(recipe_of(**FULL).data, frame).matrix[:], whole[:])


def test_joined_rows_take_the_last_category() -> None:
    frame = frame_of(series=("a",))
    frame["time"] = frame["time"].dt.floor("2h")
    prepared = prepare(recipe_of(time="time", every="2h", duplicates="mean", **FULL).data, frame)
    words = prepared.scaler.vocabularies["kind"]
    found = prepared.matrix[:, prepared.layout.columns.index("kind")]
    np.testing.assert_array_equal(found, [2 + words.index(kind) for kind in frame["kind"][1::2]])
    assert prepared.table.values[0, 0] == pytest.approx(frame["load"][:2].mean())


def test_rows_that_fill_a_gap_have_a_missing_category_and_their_static_one() -> None:
    frame = frame_of(series=("a",)).drop(index=[20]).reset_index(drop=True)
    prepared = prepare(recipe_of(gaps="fill", **(FULL | {"missing": "interpolate"})).data, frame)
    columns = prepared.layout.columns
    assert prepared.matrix[20, columns.index("kind")] == MISSING
    assert prepared.matrix[20, columns.index("region")] == 2


def test_padded_rows_have_a_missing_category() -> None:
    frame = pd.concat([frame_of(), frame_of(12, ("c",))], ignore_index=True)
    data = recipe_of(short_series="pad", split={"train": 180, "val": 30, "test": 30}, **FULL).data
    prepared = prepare(data, frame)
    first = int(prepared.table.bounds[2])
    assert prepared.table.pads is not None
    assert prepared.table.pads[2]
    assert prepared.matrix[first, prepared.layout.columns.index("kind")] == MISSING
    observed = prepared.layout.columns.index("load_observed")
    assert prepared.matrix[first, observed] == 0
    assert prepared.matrix[int(prepared.table.bounds[3]) - 1, observed] == 1


def test_an_autoencoder_rebuilds_no_categories() -> None:
    prepared = prepare(
        recipe_of(
            autoencode_recipe,
            **{k: v for k, v in FULL.items() if k != "known_future"},
            inputs=["load", "kind", "promo"],
        ).data,
        frame_of(),
    )
    assert prepared.columns.targets == ["load"]
    assert prepared.layout.future == []
    assert prepared.layout.columns == ["load", "size", "region", "name_category", "kind", "promo"]


def test_ridge_sees_a_column_for_each_value() -> None:
    prepared = prepare(recipe_of(**FULL).data, frame_of())
    shape, windows = prepared.windows["train"].shape, np.arange(5)
    seen = Indicated.of(prepared)
    past, future, once = seen.arrays(prepared.arrays("train", windows))
    # load, size, kind of 5 codes, promo of 4; size and promo; region and series of 4 codes, once.
    assert past.shape == (5, shape.input_steps, 2 + 4 + 5)
    assert future.shape == (5, shape.output_steps, 1 + 4)
    assert once.shape == (5, 8)
    assert seen.width(shape.input_steps, shape.output_steps) == sum(part[0].size for part in (past, future, once))
    np.testing.assert_array_equal(past[..., 2:].sum(axis=-1), 2.0)
    np.testing.assert_array_equal(once.sum(axis=-1), 2.0)


def test_rare_values_share_a_column_of_ridge() -> None:
    frame = frame_of(400, ("a",))
    frame["kind"] = [f"k{number}" for number in np.random.default_rng(0).integers(0, 60, len(frame))]
    prepared = prepare(recipe_of().data, frame)
    assert len(prepared.scaler.vocabularies["kind"]) > 40
    past = Indicated.of(prepared).arrays(prepared.arrays("train", np.arange(9)))[0]
    assert past.shape[-1] == 1 + 34


def test_the_short_way_to_one_window_is_left_to_plain_columns() -> None:
    prepared = prepare(recipe_of(series=None).data, frame_of(series=("a",)))
    assert NewestReader.of(prepared.data, prepared.scaler) is None  # type: ignore[arg-type]


def test_new_rows_are_read_by_the_vocabulary_of_training() -> None:
    scaler = prepare(recipe_of().data, frame_of()).scaler
    later = frame_of(60, ("b",)).assign(kind=["snow"] * 30 + ["fog"] * 30)
    matrix = prepare_new(recipe_of().data, later, scaler).matrix
    np.testing.assert_array_equal(matrix[:, -1], [4.0] * 30 + [1.0] * 30)


@pytest.mark.parametrize(
    ("data", "key", "code"),
    [
        ({"categories": ["other"]}, "data.categories", "unused_column"),
        ({"categories": ["kind", "kind"]}, "data.categories", "duplicate_column"),
        ({"categories": ["load"]}, "data.categories", "conflicting_keys"),
        ({"limits": {"kind": [0, 1]}}, "data.limits.kind", "conflicting_keys"),
        ({"scaling": {"kind": "minmax"}}, "data.scaling.kind", "conflicting_keys"),
        ({"transform": {"kind": "diff"}}, "data.transform.kind", "conflicting_keys"),
        ({"weight": "kind"}, "data.weight", "conflicting_keys"),
        ({"inputs": ["kind"], "window_scaling": "none"}, "data.inputs", "missing_input"),
        ({"static": ["size"], "series": None}, "data.static", "missing_key"),
        ({"static": ["load"]}, "data.static", "conflicting_keys"),
        ({"static": ["size"], "known_future": ["size"]}, "data.static", "conflicting_keys"),
        ({"series": ["name", "name"]}, "data.series", "duplicate_column"),
        ({"series_category": True, "series": None}, "data.series_category", "missing_key"),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(data: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_of(**data)
    assert (key, code) in [(problem.key, problem.code) for problem in caught.value.problems]


def test_a_width_without_categories_is_told() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe() | {"model": {"embedding_units": 4}})
    assert [problem.code for problem in caught.value.problems] == ["unused_key"]


def test_names_of_several_columns_come_apart_again() -> None:
    for parts in (["north", "S1"], ["a/b", "c"], ["a", "b/c"], ["a\\", "/b"], ["\\/", "\\\\", "x"], ["", "a"]):
        assert parts_of_name(joined_name(parts), len(parts)) == parts
    assert joined_name(["a/b", "c"]) != joined_name(["a", "b/c"])


def test_several_columns_tell_the_series_apart() -> None:
    frame = pd.concat([frame_of(60).assign(product=product) for product in ("x", "y/z")], ignore_index=True)
    table = prepare(recipe_of(series=["name", "product"]).data, frame.sample(frac=1, random_state=1)).table
    assert sorted(table.series) == ["a/x", "a/y\\/z", "b/x", "b/y\\/z"]
    assert np.diff(table.bounds).tolist() == [60] * 4


def test_a_column_of_the_series_may_be_static_and_a_category() -> None:
    frame = pd.concat([frame_of(60).assign(product=product) for product in ("x", "y")], ignore_index=True)
    data = {"series": ["name", "product"], "static": ["name"], "categories": ["kind", "name"]}
    prepared = prepare(recipe_of(**data).data, frame)
    assert prepared.scaler.vocabularies["name"] == ["a", "b"]


def test_a_column_of_words_is_refused_with_the_key_that_reads_it() -> None:
    with pytest.raises(DataError, match=r"column kind.*data\.categories"):
        prepare(recipe_of(categories=[]).data, frame_of())


def test_truth_and_numbers_are_different_values() -> None:
    for first in (True, 1):
        cells = pd.Series([first, 1, True, "b", 0, False] * 3, dtype=object)
        codes, words = read_category(cells, "c", "t.csv", Format())
        assert sorted(words) == ["0", "1", "False", "True", "b"]
        assert [words[int(code) - 2] for code in codes[:6]] == [str(first), "1", "True", "b", "0", "False"]


def test_nested_cells_are_no_category() -> None:
    with pytest.raises(DataError, match="row 2, column c") as caught:
        read_category(pd.Series(["a", ["b"]], dtype=object), "c", "t.csv", Format())
    assert caught.value.code == "invalid_category"


def test_large_whole_numbers_beside_missing_ones_stay_apart() -> None:
    cells = pd.Series(pd.array([2**53 + 1, 2**53, None], dtype="Int64")).convert_dtypes(dtype_backend="pyarrow")
    assert read_category(cells, "c", "t.csv", Format())[1] == [str(2**53 + 1), str(2**53)]
