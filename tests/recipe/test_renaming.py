"""Former names of recipe keys: they are read as the current ones, with a warning that names the line and the new key."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import KitWarning, RecipeError
from seq2seq_kit.recipe import trial_recipe
from seq2seq_kit.recipe.fields import FitSettings, Recipe
from seq2seq_kit.recipe.loading import load_recipe, parse_recipe
from seq2seq_kit.recipe.section import Section
from seq2seq_kit.tasks.forecast.recipe import ForecastData
from seq2seq_kit.validation import resolve, validate
from tests.conftest import hourly_frame


class Part(Section):
    renamed: ClassVar[Mapping[str, str]] = {"share": "val"}

    val: float = 0.1


class RowData(Section):
    renamed: ClassVar[Mapping[str, str]] = {"lookback": "input_steps", "history": "input_steps", "parts": "split"}

    source: str | None = None
    input_steps: int = Field(ge=1)
    split: Part = Field(default_factory=Part)


class RowModel(Section):
    renamed: ClassVar[Mapping[str, str]] = {"width": "units"}

    units: int = 4
    cell: str = "lstm"


class RowRecipe(Recipe):
    renamed: ClassVar[Mapping[str, str]] = {"title": "name"}
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps",)

    task: Literal["rows"]
    data: RowData
    model: RowModel = Field(default_factory=RowModel)
    training: FitSettings = Field(default_factory=FitSettings)


def parsed(values: dict[str, Any], overrides: Any = (), warn: bool = True) -> Any:
    return parse_recipe(values, overrides, choose=lambda _: RowRecipe, warn=warn)


def warned(values: dict[str, Any], overrides: Any = ()) -> tuple[Any, list[str]]:
    """The recipe and what was warned of, all with the code of a renamed key."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recipe = parsed(values, overrides)
    messages = [each.message for each in caught]
    assert all(isinstance(each, KitWarning) and each.code == "renamed_key" for each in messages)
    return recipe, [str(each) for each in messages]


def test_a_former_name_is_read_as_the_current_one_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("task: rows\ntitle: mine\ndata:\n  source: a.csv\n  lookback: 7\n  parts:\n    share: 0.3\n")
    with pytest.warns(KitWarning) as caught:
        recipe: Any = load_recipe(path, choose=lambda _: RowRecipe)
    assert (recipe.name, recipe.data.input_steps, recipe.data.split.val) == ("mine", 7, 0.3)
    said = [str(each.message) for each in caught]
    wanted = {2: ("title", "name"), 5: ("data.lookback", "data.input_steps"), 6: ("data.parts", "data.split")}
    wanted[7] = ("data.parts.share", "data.split.val")
    assert len(said) == len(wanted)
    for line, (old, new) in wanted.items():
        assert any(f"{path}, line {line}: {old} " in each and f" {new} " in each for each in said), (line, said)


def test_a_recipe_with_current_names_gives_no_warning() -> None:
    assert warned({"task": "rows", "data": {"input_steps": 7}})[1] == []


@pytest.mark.parametrize("other", ["input_steps", "history"])
@pytest.mark.parametrize("reverse", [False, True])
def test_two_names_of_one_key_are_refused(other: str, reverse: bool) -> None:
    data = dict([("lookback", 7), (other, 7)][:: -1 if reverse else 1])
    with pytest.warns(KitWarning), pytest.raises(RecipeError) as caught:
        parsed({"task": "rows", "data": data})
    (problem,) = caught.value.problems
    assert problem.code == "duplicate_key"
    assert problem.key in ("data.lookback", "data.history")
    assert "data.input_steps" in problem.text or "input_steps" in problem.text


def test_a_wrong_value_is_told_at_the_line_of_the_former_name(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("task: rows\ndata:\n  source: a.csv\n  lookback: 0\n  parts:\n    share: x\n")
    with pytest.warns(KitWarning), pytest.raises(RecipeError) as caught:
        load_recipe(path, choose=lambda _: RowRecipe)
    assert {problem.key for problem in caught.value.problems} == {"data.input_steps", "data.split.val"}
    assert "line 4   data.input_steps  must be at least 1. Received: 0" in str(caught.value)
    assert "line 6   data.split.val " in str(caught.value)


@pytest.mark.parametrize("written", ["lookback", "input_steps"])
@pytest.mark.parametrize("override", ["lookback", "input_steps"])
def test_an_override_replaces_the_file_s_value_under_either_name(written: str, override: str) -> None:
    recipe, said = warned({"task": "rows", "data": {written: 7}}, [f"data.{override}=9"])
    assert recipe.data.input_steps == 9
    assert any(each.startswith("override: data.lookback") for each in said) == (override == "lookback")
    assert any(each.startswith("the recipe: data.lookback") for each in said) == (written == "lookback")


def test_an_override_with_a_whole_section_may_use_former_names() -> None:
    recipe, said = warned({"task": "rows", "data": {"input_steps": 7}}, {"data": {"history": 3}})
    assert recipe.data.input_steps == 3
    assert len(said) == 1


def test_a_sweep_and_its_conditions_may_use_former_names() -> None:
    space = {
        "data.lookback": {"int": {"min_value": 2, "max_value": 9}, "when": {"model.width": 4}},
        "model.width": {"choice": [4, 8]},
    }
    recipe, said = warned({"task": "rows", "data": {"input_steps": 7}, "sweep": {"space": space}})
    assert list(recipe.sweep.space) == ["data.input_steps", "model.units"]
    assert recipe.sweep.space["data.input_steps"].when == {"model.units": 4}
    assert len(said) == 3
    one = {"choice": [2, 3]}
    replaced, _ = warned(
        {"task": "rows", "data": {"input_steps": 7}, "sweep": {"space": space}},
        {"sweep.space.data.history": one},
    )
    assert replaced.sweep.space["data.input_steps"].choice == [2, 3]
    both = {"data.lookback": one, "data.input_steps": one}
    with pytest.warns(KitWarning), pytest.raises(RecipeError) as caught:
        parsed({"task": "rows", "data": {"input_steps": 7}, "sweep": {"space": both}})
    assert [problem.code for problem in caught.value.problems] == ["duplicate_key"]


def test_values_of_a_trial_may_use_former_names() -> None:
    recipe = parsed({"task": "rows", "data": {"input_steps": 7}})
    trial: Any = trial_recipe(recipe, {"data.lookback": 3, "model.width": 2})
    assert (trial.data.input_steps, trial.model.units) == (3, 2)


def test_the_recipe_of_a_bundle_is_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parsed({"task": "rows", "data": {"lookback": 7}}, warn=False).data.input_steps == 7


def test_the_command_line_and_python_show_the_line_and_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ForecastData, "renamed", {"lookback": "input_steps"})
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # the command line sets its own
    hourly_frame(300).to_csv("rows.csv", index=False)
    lines = [
        "task: forecast",
        "data:",
        "  source: rows.csv",
        "  inputs: [load]",
        "  targets: [load]",
        "  output_steps: 6",
    ]
    Path("old.yaml").write_text("\n".join([*lines, "  lookback: 24", ""]))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["validate", "old.yaml"]) == 0
    err = capsys.readouterr().err
    assert "warning[renamed_key]: old.yaml, line 7: data.lookback " in err
    assert "data.input_steps" in err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ForecastData, "renamed", {"lookback": "input_steps"})
    for read in (validate, resolve):  # `train`, `explain` and `sweep` begin with `resolve`
        with pytest.warns(KitWarning, match=r"old\.yaml, line 7: data\.lookback .*data\.input_steps"):
            read("old.yaml")
