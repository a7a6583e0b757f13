"""What was drafted wrongly without a word: another target, series in turns as one."""

import random
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.errors import DataError


def shop(**cells: str) -> pd.DataFrame:
    days = pd.date_range("2023-01-01", periods=400, freq="D").strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {"date": days, "sold": [row * 7 % 50 + 0.5 for row in range(400)], "price": [9.5, 10.5] * 200}, dtype=object
    )
    for name, cell in cells.items():
        frame.loc[100, name] = cell
    return frame


@pytest.mark.parametrize("cell", ["closed", "0x1F", "12 345 678 pieces"])
def test_a_broken_cell_of_what_would_be_the_target_is_refused_with_its_row(cell: str, tmp_path: Path) -> None:
    shop(sold=cell).to_csv(tmp_path / "shop.csv", index=False)
    with pytest.raises(DataError, match=r"column sold: 399 of its 400 cells are numbers.* in row 101") as caught:
        draft_recipe(tmp_path / "shop.csv")
    assert caught.value.code == "not_a_number"
    assert "--target price" in str(caught.value)
    given: Any = {"data.format.missing_words": [cell]}
    data: Any = draft_recipe(tmp_path / "shop.csv", given=given).recipe["data"]
    assert data["targets"] == ["sold"]


def test_a_broken_target_among_several_columns_is_refused_and_a_column_of_codes_is_none(tmp_path: Path) -> None:
    frame = shop(sold="closed").assign(heat=[row * 3 % 17 + 0.25 for row in range(400)])
    frame.to_csv(tmp_path / "shop.csv", index=False)
    with pytest.raises(DataError, match="column sold: 399 of its 400 cells are numbers"):
        draft_recipe(tmp_path / "shop.csv")
    plain = shop().assign(demand_area=[("101", "102", "A12")[min(row % 40, 2)] for row in range(400)])
    plain.to_csv(tmp_path / "plain.csv", index=False)
    data: Any = draft_recipe(tmp_path / "plain.csv").recipe["data"]
    assert data["targets"] == ["sold"]


def test_a_broken_cell_beside_the_target_leaves_its_column_out(tmp_path: Path) -> None:
    shop(price="free").to_csv(tmp_path / "shop.csv", index=False)
    draft = draft_recipe(tmp_path / "shop.csv")
    data: Any = draft.recipe["data"]
    assert data["targets"] == ["sold"]
    assert any("price is left out" in said for said in draft.decisions)
    shop(sold="closed").to_csv(tmp_path / "other.csv", index=False)
    data = draft_recipe(tmp_path / "other.csv", target=["price"]).recipe["data"]
    assert data["targets"] == ["price"]


@pytest.mark.parametrize("store", [["CA", "TX"], [1, 2]])
def test_a_counter_of_each_store_tells_series_apart_that_take_turns(store: list[object]) -> None:
    """Read as one sequence, a forecast jumps between the stores and beats every baseline that does not."""
    rows = [
        {"day": day, "store": name, "users": 50.0 * (1 + place) + day % 7}
        for day in range(1, 201)
        for place, name in enumerate(store)
    ]
    data: Any = draft_recipe(pd.DataFrame(rows)).recipe["data"]
    assert data["series"] == "store"
    one = pd.DataFrame(rows)[::2].assign(store=["a", "b", "b", "a"] * 50)
    assert "series" not in cast(dict[str, Any], draft_recipe(one).recipe["data"])


def test_a_first_line_with_a_label_of_the_rows_is_one_of_them(tmp_path: Path) -> None:
    """As SMSSpamCollection: a label, a tab and a text, no line of names."""
    rng = random.Random(0)
    words = [f"{rng.choice(['call', 'free', 'see'])} {rng.choice('abcdef')}{row} now" for row in range(300)]
    lines = [f"{rng.choice(['ham', 'ham', 'spam'])}\t{text}" for text in words]
    (tmp_path / "sms.txt").write_text("\n".join(lines), encoding="utf-8")
    data: Any = draft_recipe(tmp_path / "sms.txt").recipe["data"]
    assert (data["label"], data["text"], data["format"]["header_row"]) == ("column_1", "column_2", 0)

    named = ["v1\tv2", *lines]
    (tmp_path / "named.txt").write_text("\n".join(named), encoding="utf-8")
    data = draft_recipe(tmp_path / "named.txt").recipe["data"]
    assert (data["label"], data["text"]) == ("v1", "v2")
    (tmp_path / "joined.txt").write_text(
        "\n".join([*named, *(["v1\tv2"] * 60)]), encoding="utf-8"
    )  # files one after the other
    data = draft_recipe(tmp_path / "joined.txt", task="classify", target=["v1"]).recipe["data"]
    assert (data["label"], data["text"]) == ("v1", "v2")
