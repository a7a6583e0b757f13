"""What several workers cannot do together is refused at its key."""

from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from tests.conftest import autoencode_recipe, forecast_recipe
from tests.untyped import parse_recipe


def refused(recipe: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(RecipeError) as found:
        parse_recipe(recipe)
    return [(problem.key, problem.code) for problem in found.value.problems]


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("ensemble", {"ensemble": 3}),
        (
            "sweep",
            {
                "sweep": {
                    "max_trials": 2,
                    "space": {"training.learning_rate": {"float": {"min_value": 1e-4, "max_value": 1e-2}}},
                }
            },
        ),
        ("data.read", {"data": {"read": "row_groups", "source": "rows.parquet"}}),
        ("training.final", {"training": {"final": "all"}}),
        ("training.leave_out", {"task": "autoencode", "training": {"leave_out": 0.1}}),
    ],
)
def test_options_that_workers_cannot_have_are_named(key: str, more: dict[str, Any]) -> None:
    whole = autoencode_recipe() if more.get("task") else forecast_recipe()
    for name, value in more.items():
        whole[name] = whole[name] | value if isinstance(whole.get(name), dict) else value
    parse_recipe(whole)
    whole["training"]["workers"] = 2
    assert refused(whole) == [(key, "conflicting_keys")]


def test_a_batch_has_a_sequence_for_each_worker() -> None:
    whole = forecast_recipe()
    whole["training"] |= {"batch_size": 4, "workers": 4}
    assert parse_recipe(whole).training.workers == 4
    whole["training"]["workers"] = 5
    assert refused(whole) == [("training.workers", "conflicting_keys")]
    for wrong in (0, -1, 1.5, "two", True):
        whole["training"]["workers"] = wrong
        assert [key for key, _ in refused(whole)] == ["training.workers"], wrong


def test_workers_are_not_searched() -> None:
    whole = forecast_recipe() | {"sweep": {"max_trials": 2, "space": {"training.workers": {"choice": [1, 2]}}}}
    assert ("sweep.space", "conflicting_keys") in refused(whole)


def test_what_is_not_trained_has_no_workers() -> None:
    whole = forecast_recipe() | {"model": "none", "training": {"workers": 2}}
    assert ("training.workers", "conflicting_keys") in refused(whole)
