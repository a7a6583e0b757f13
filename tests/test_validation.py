"""Checking a recipe and its data without training: the same answers from file, mapping and frame."""

import subprocess
import sys
from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.tasks import open_job
from seq2seq_kit.validation import resolve, validate
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with `hours.csv` and a recipe that reads it."""
    hourly_frame(300, series=("east", "west")).to_csv(tmp_path / "hours.csv", index=False)
    recipe = parse_recipe(forecast_recipe(source=str(tmp_path / "hours.csv"), series="site"))
    (tmp_path / "hours.yaml").write_text(dump_recipe(recipe))
    return tmp_path


def test_a_good_recipe_is_counted(project: Path) -> None:
    found = validate(project / "hours.yaml")
    assert (found.rows, found.series) == (600, ["east", "west"])
    assert found.windows == {"train": 2 * (210 - 29), "val": 2 * (45 - 5), "test": 2 * (45 - 5)}
    assert found.recipe.name == "small_forecast"


def test_file_mapping_recipe_and_frame_agree(project: Path) -> None:
    frame = hourly_frame(300, series=("east", "west"))
    values = forecast_recipe(series="site")
    wanted = validate(project / "hours.yaml").windows
    assert validate(str(project / "hours.yaml")).windows == wanted
    assert validate(values, data=frame).windows == wanted
    assert validate(parse_recipe(values), data=frame).windows == wanted


def test_overrides_reach_every_form_of_a_recipe(project: Path) -> None:
    for recipe in (project / "hours.yaml", forecast_recipe(), parse_recipe(forecast_recipe())):
        assert resolve(recipe, ["training.epochs=7"]).training.epochs == 7


def test_an_override_of_a_resolved_recipe_keeps_the_rest() -> None:
    recipe = parse_recipe(autoencode_recipe(scaling={"load": "robust"}))
    changed = resolve(recipe, {"seed": 4})
    assert changed.data == recipe.data
    assert (recipe.seed, changed.seed) == (0, 4)


def test_a_sweep_with_a_corner_that_is_no_valid_recipe_is_refused_in_the_name_of_the_file(project: Path) -> None:
    path = project / "swept.yaml"
    space = "\nsweep: {space: {model.segment_steps: {choice: [1, 6, 7]}}}\n"
    path.write_text((project / "hours.yaml").read_text() + space)
    with pytest.raises(
        RecipeError, match=r"swept\.yaml: the space of its sweep .*\n  with model\.segment_steps=7 \(1 of 3 "
    ):
        validate(path)
    assert validate(path, overrides=["sweep.space.model.segment_steps={choice: [1, 6]}"]).recipe.sweep is not None


def test_findings_come_with_the_counts() -> None:
    codes = [finding.code for finding in validate(forecast_recipe(), data=hourly_frame(200).assign(heat=1.0)).findings]
    assert "constant_column" in codes
    assert "few_windows" in codes


def test_a_recipe_without_rows_says_so() -> None:
    with pytest.raises(RecipeError, match=r"names no data\.source\. Add one, or hand over a DataFrame"):
        validate(forecast_recipe())


def test_a_frame_takes_the_place_of_the_source() -> None:
    recipe = parse_recipe(forecast_recipe(source="nowhere.csv"))
    assert len(open_job(recipe, hourly_frame(300)).source) == 300
    with pytest.raises(DataError, match=r"no file nowhere\.csv"):
        validate(recipe)


def test_messages_name_the_file(project: Path) -> None:
    text = (project / "hours.csv").read_text().splitlines()
    text[5] = text[5].rsplit(",", 2)[0] + ",lots,9.5"
    (project / "hours.csv").write_text("\n".join(text))
    with pytest.raises(DataError, match=r"hours\.csv, row 5, column load: expected a number\. Received: 'lots'"):
        validate(project / "hours.yaml")


@pytest.mark.slow
def test_validation_never_imports_tensorflow(project: Path) -> None:
    program = (
        "import sys; from seq2seq_kit.validation import validate; "
        f"found = validate({str(project / 'hours.yaml')!r}); "
        "print(found.rows, sorted({'tensorflow', 'keras', 'mlflow', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "600 []"


def test_validate_is_a_public_name() -> None:
    assert seq2seq_kit.validate is validate
