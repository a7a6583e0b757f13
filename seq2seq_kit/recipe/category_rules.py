"""What categories, static columns and the series as a category have to do with the other keys of a recipe."""

from collections.abc import Iterator, Mapping

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Rule, Written
from seq2seq_kit.recipe.messages import did_you_mean
from seq2seq_kit.recipe.rules import names_of


def categories_are_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    read = [name for role in ("inputs", "known_future", "static") for name in names_of(data, role)]
    targets = names_of(data, "targets")
    for name in dict.fromkeys(names_of(data, "categories")):
        if name in targets:
            said = f"{name} is a target, and what is forecast are numbers. Leave it out of `categories` or of `targets`"
            yield Problem("data.categories", said, "conflicting_keys")
        elif read and name not in read:
            said = f"{name} is in none of `inputs`, `known_future` and `static`, so nothing reads it"
            yield Problem("data.categories", f"{said}{did_you_mean(name, read, otherwise='; add it')}", "unused_column")


def categories_are_no_numbers(recipe: Written) -> Iterator[Problem]:
    data, words = recipe.data, names_of(recipe.data, "categories")
    for section in ("limits", "scaling", "transform"):
        given = data.get(section)
        for name in given if isinstance(given, Mapping) else ():
            if name in words:
                said = (
                    f"{name} is a category, whose values are no quantities. Leave it out here or of `data.categories`"
                )
                yield Problem(f"data.{section}.{name}", said, "conflicting_keys")
    if data.get("weight") in words:
        said = f"{data['weight']} is a category, and a weight is a number; choose another column"
        yield Problem("data.weight", said, "conflicting_keys")


def numbers_are_read(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    inputs, other = names_of(data, "inputs"), (*names_of(data, "categories"), *names_of(data, "static"))
    if inputs and all(name in other for name in inputs):
        said = "a model needs a column of numbers that changes beside categories and static columns; add one, such as the target"
        yield Problem("data.inputs", said, "missing_input")


def static_columns_are_of_series(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    static = names_of(data, "static")
    if static and not data.get("series"):
        said = "tells series apart, and the recipe has one; name their column in `series`, or leave this out"
        yield Problem("data.static", said, "missing_key")
    for role in ("targets", "known_future"):
        for name in static:
            if name in names_of(data, role):
                said = f"{name} is static, so it is known ahead" if role == "known_future" else f"{name} is a target"
                yield Problem("data.static", f"{said}; leave it out here or of `{role}`", "conflicting_keys")
    if static and data.get("weight") in static:
        yield Problem("data.static", f"{data['weight']} is the weight; leave it out here", "conflicting_keys")


def series_are_told_apart_by_other_columns(recipe: Written) -> Iterator[Problem]:
    names = names_of(recipe.data, "series")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        said = f"`series` names {', '.join(twice)} twice; name each column once"
        yield Problem("data.series", said, "duplicate_column")


def a_series_that_is_a_category_is_named(recipe: Written) -> Iterator[Problem]:
    if recipe.data.get("series_category") is True and not recipe.data.get("series"):
        said = "needs `series`, the column that tells series apart. Name it, or leave this out"
        yield Problem("data.series_category", said, "missing_key")


def a_width_is_of_categories(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    has = names_of(data, "categories") or data.get("series_category") is True
    if recipe.model.get("embedding_units") is not None and not has:
        said = "is the width of the vectors of `data.categories`, and there are none. Name some, or leave it out"
        yield Problem("model.embedding_units", said, "unused_key")


# Rules of recipes on windows.
CATEGORY_RULES: tuple[Rule, ...] = (
    categories_are_read,
    categories_are_no_numbers,
    numbers_are_read,
    static_columns_are_of_series,
    series_are_told_apart_by_other_columns,
    a_series_that_is_a_category_is_named,
    a_width_is_of_categories,
)
