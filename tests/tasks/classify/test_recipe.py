"""Which of the three kinds a recipe is, and which keys go together."""

from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from tests.tasks.classify.conftest import series_recipe, texts_recipe, windows_recipe
from tests.untyped import parse_recipe


def test_the_keys_of_the_data_tell_which_kind_it_is() -> None:
    kinds = [type(parse_recipe(recipe)).__name__ for recipe in (texts_recipe(), series_recipe(), windows_recipe())]
    assert kinds == ["ClassifyTextsRecipe", "ClassifySeriesRecipe", "ClassifyWindowsRecipe"]
    assert type(parse_recipe(windows_recipe(series="site"))).__name__ == "ClassifyWindowsRecipe"


def changed(recipe: dict[str, Any], section: str, **keys: Any) -> dict[str, Any]:
    return recipe | {section: recipe.get(section, {}) | keys}


SPACE = {"space": {"training.learning_rate": {"choice": [0.01, 0.1]}}, "objective": "val_accuracy"}
WRONG = {
    "no answer": (texts_recipe(label=None), "data "),
    "two answers": (windows_recipe(target="heat_index"), "data.target"),
    "label is read": (windows_recipe(label="load"), "data.label"),
    "label is the text": (texts_recipe(label="word"), "data.label"),
    "loss of labels": (changed(texts_recipe(), "training", loss="mae"), "training.loss"),
    "weights of numbers": (changed(series_recipe(), "training", class_weights="balanced"), "training.class_weights"),
    "joined numbers": (series_recipe(join_labels={"a": "b"}), "data.join_labels"),
    "accuracy of numbers": (series_recipe() | {"sweep": SPACE}, "sweep.objective"),
    "window of a text": (texts_recipe(window_stride=2), "data.window_stride"),
    "no steps": (windows_recipe(input_steps=None), "data.input_steps"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_recipe_that_does_not_fit_is_told_by_its_key(name: str) -> None:
    recipe, key = WRONG[name]
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe)
    assert key in str(caught.value)
    assert "has 1 problem:" in str(caught.value)


def test_a_sweep_of_labels_is_judged_by_accuracy() -> None:
    assert parse_recipe(texts_recipe() | {"sweep": SPACE}).sweep.objective == "val_accuracy"
