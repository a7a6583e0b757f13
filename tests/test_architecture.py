"""Rooms import in one direction, MLflow is spoken in one place, and what needs no TensorFlow does not load it."""

import ast
import doctest
import inspect
import os
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import seq2seq_kit
from tests.conftest import ROOT, forecast_recipe, hourly_frame

PACKAGE = ROOT / "seq2seq_kit"
HEAVY = {"tensorflow", "keras", "mlflow", "keras_tuner", "matplotlib", "plotly"}

ALL = {"errors", "findings", "recipe", "data", "models", "training", "evaluation", "anomalies", "bundles", "results"}
ALL |= {"intervals"}
# A room and the rooms that it may import, wherever in a file the import stands.
MAY_IMPORT = {
    "errors": set(),
    "arguments": {"errors"},
    "packing": set(),
    "findings": set(),
    "quiet": {"processes"},
    "processes": set(),
    "text": set(),
    "kernels": set(),
    "recipe": {"errors", "findings"},
    "models": {"errors", "kernels"},
    "data": {"errors", "findings", "recipe"},
    "intervals": {"errors", "findings", "recipe", "data"},
    "evaluation": {"errors", "findings", "recipe", "data", "intervals"},
    "anomalies": {"errors", "findings", "recipe", "data"},
    "drift": {"findings"},
    "training": {"errors", "recipe", "data", "models"},
    "executing": {"errors", "quiet", "processes", "kernels", "data", "training"},
    "exports": {"errors", "quiet", "data", "models"},
    "bundles": {"errors", "findings", "processes", "recipe", "data", "models", "evaluation", "anomalies"}
    | {"intervals", "exports", "drift"},
    "results": {"text", "errors", "findings", "recipe", "training", "evaluation", "bundles", "anomalies"},
    "reports": {"text", "errors", "findings", "data", "evaluation", "training", "results", "anomalies", "intervals"}
    | {"drift"},
    "tasks": {"text", "errors", "findings", "recipe", "data", "models", "training", "evaluation", "bundles", "reports"}
    | {"anomalies", "intervals", "exports", "executing"},
    "tracking": {
        "text",
        "errors",
        "packing",
        "processes",
        "findings",
        "recipe",
        "data",
        "models",
        "training",
        "bundles",
        "tasks",
    },
    "validation": {"errors", "findings", "recipe", "tasks"},
    "drafting": {"text", "errors", "recipe", "data", "tasks", "validation"},
    "opening": {"errors", "findings", "quiet", "recipe", "data", "models", "training", "bundles", "tasks", "tracking"},
    "calibrating": {"errors", "data", "bundles", "tasks", "opening"},
    "judging": {"anomalies", "data", "bundles", "tasks", "opening"},
    "joining": {"errors", "recipe", "data", "training", "results", "tasks", "opening"},
    "explanation": {"errors", "findings", "recipe", "models", "training", "tasks", "validation"},
    "runs": ALL | {"processes", "reports", "tasks", "tracking", "validation", "explanation", "opening"},
    "reporting": {"reports", "tracking"},
    "registering": {"errors", "findings", "quiet", "recipe", "evaluation", "bundles", "tasks", "tracking", "opening"},
    "looking": {"errors", "recipe", "data", "tasks", "validation", "drafting", "reports"},
    "resuming": {"errors", "data", "models", "training", "bundles", "results", "opening", "runs", "tasks", "tracking"},
    "replaying": {"text", "errors", "recipe", "data", "training", "bundles", "results", "reports", "tasks", "tracking"}
    | {"opening", "runs"},
    "preload": {"kernels", "models", "processes", "quiet", "tasks", "training"},
    "backtests": ALL | {"text", "quiet", "reports", "tasks", "tracking", "validation", "runs", "executing"},
    "sweeps": ALL
    | {"text", "kernels", "processes", "quiet", "reports", "tasks", "tracking", "validation", "explanation", "runs"}
    | {"executing", "backtests"},
    "serving": {
        "errors",
        "intervals",
        "packing",
        "text",
        "processes",
        "quiet",
        "recipe",
        "data",
        "anomalies",
        "bundles",
        "exports",
        "reports",
        "opening",
    },
    "scoring": {"errors", "recipe", "data", "training", "anomalies", "bundles", "opening", "executing"},
    "cli": ALL
    | {"text", "processes", "quiet", "reports", "tasks", "tracking", "validation", "explanation", "runs"}
    | {"backtests", "looking", "reporting", "resuming", "sweeps", "drafting", "calibrating", "judging", "opening"}
    | {"replaying", "serving", "registering", "scoring", "joining"},
    "bundle_files": {"tasks"},
}
for _room in MAY_IMPORT.keys() - {"arguments"}:  # whatever refuses something may refuse an argument
    MAY_IMPORT[_room] |= {"arguments"} if "errors" in MAY_IMPORT[_room] else set()
OUTSIDE = {
    "recipe": HEAVY | {"numpy", "pandas"},
    "data": HEAVY - {"tensorflow"},
    "kernels": HEAVY - {"tensorflow"},
    "models": HEAVY - {"tensorflow", "keras"},
    "evaluation": HEAVY,
    "intervals": HEAVY,
    "anomalies": HEAVY,
    "drift": HEAVY,
    "bundles": HEAVY - {"tensorflow", "keras", "matplotlib"},  # a figure is a type there; tasks draw it
    "drafting": HEAVY,
    "explanation": HEAVY - {"tensorflow", "keras"},
    "exports": HEAVY - {"tensorflow", "keras"},
    "reports": HEAVY - {"matplotlib", "plotly", "keras"},
    "serving": HEAVY,
    "scoring": HEAVY,
}


def files() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 20
    return found


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports_of(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports anywhere; `from a.b import c` counts as a.b.c."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            names.add(ast.unparse(node.args[0]).strip("'\""))
    return names


def rooms_imported(path: Path) -> set[str]:
    found = {name.split(".")[1] for name in imports_of(path) if name.startswith("seq2seq_kit.")}
    return found - {"__version__"}


def top_levels(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def test_every_room_has_its_rule() -> None:
    rooms = {room_of(path) for path in files()} - {"__init__", "__main__"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", list(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    own = [path for path in files() if room_of(path) == room]
    assert own
    for path in own:
        wrong = rooms_imported(path) - MAY_IMPORT[room] - {room}
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_the_rules_see_the_imports_there_are() -> None:
    """A room that imports nothing of what it may would mean that the test looks past the imports."""
    for room in ("data", "evaluation", "training", "bundles", "tasks", "runs", "sweeps", "cli"):
        seen = set().union(*(rooms_imported(path) for path in files() if room_of(path) == room))
        assert len(seen & MAY_IMPORT[room]) >= 2, room


def test_the_rooms_have_no_circle() -> None:
    """The rules themselves go one way: whoever may be imported may not import back."""
    for room, allowed in MAY_IMPORT.items():
        for below in allowed:
            assert room not in MAY_IMPORT[below], f"{room} and {below} may import each other"


def task_folders() -> list[str]:
    found = sorted(folder.name for folder in (PACKAGE / "tasks").iterdir() if (folder / "recipe.py").is_file())
    assert len(found) >= 7
    return found


def test_no_module_but_the_registry_imports_a_task() -> None:
    """What all tasks share knows none of them; only the package's public names have a home in one."""
    for path in files():
        place = path.relative_to(PACKAGE)
        if place.as_posix() in ("tasks/registry.py", "__init__.py"):
            continue
        named = {name.split(".")[2] for name in imports_of(path) if name.startswith("seq2seq_kit.tasks.")}
        own = {place.parts[1]} if place.parts[0] == "tasks" and len(place.parts) > 2 else set()
        assert named & set(task_folders()) <= own, f"{place} imports {sorted(named & set(task_folders()) - own)}"


def test_no_shared_module_asks_which_task_it_has() -> None:
    """Neither by class nor by word: no `isinstance(recipe, ...)` and no task's word as a value outside its own folder."""
    from seq2seq_kit.tasks import TASKS

    for path in files():
        place = path.relative_to(PACKAGE)
        if place.parts[0] == "tasks" and (len(place.parts) > 2 or place.name == "registry.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = ast.unparse(node.args[1])
                assert not re.search(r"\w+Recipe\b", asked), f"{place}, line {node.lineno}: isinstance(..., {asked})"
            if isinstance(node, ast.Compare):
                compared = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
                assert not compared & set(TASKS), f"{place}, line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("room", list(OUTSIDE))
def test_a_room_stays_free_of_packages_that_are_not_its_own(room: str) -> None:
    own = [path for path in files() if room_of(path) == room]
    assert own
    for path in own:
        wrong = top_levels(path) & OUTSIDE[room]
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_only_tracking_speaks_to_mlflow() -> None:
    speakers = {path.relative_to(PACKAGE).as_posix() for path in files() if "mlflow" in top_levels(path)}
    assert speakers
    assert {speaker.split("/")[0] for speaker in speakers} == {"tracking"}


def test_only_the_oracle_speaks_to_keras_tuner() -> None:
    speakers = {path.relative_to(PACKAGE).as_posix() for path in files() if "keras_tuner" in top_levels(path)}
    assert speakers == {"sweeps/tuner.py"}


def test_nothing_is_unpickled() -> None:
    assert not [path.name for path in files() if top_levels(path) & {"pickle", "joblib", "dill", "shelve", "marshal"}]


def test_every_public_name_resolves_to_its_home() -> None:
    assert len(seq2seq_kit.__all__) > 10
    for name in seq2seq_kit.__all__:
        home = import_module(f"seq2seq_kit.{seq2seq_kit._HOMES[name]}")
        assert getattr(seq2seq_kit, name) is getattr(home, name)
    assert set(seq2seq_kit.__all__) == set(seq2seq_kit._HOMES) <= set(dir(seq2seq_kit))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        seq2seq_kit.trian  # noqa: B018


@pytest.mark.slow
def test_examples_in_docstrings_run() -> None:
    with_examples = [path for path in files() if ">>>" in path.read_text(encoding="utf-8")]
    assert len(with_examples) >= 2
    for path in with_examples:
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        result = doctest.testmod(module)
        assert result.attempted > 0, path.name
        assert result.failed == 0, path.name


def imported_by(*arguments: str, cwd: Path) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The modules that a fresh Python loads for a command, as Python itself reports them."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}, done


def heavy(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules} & HEAVY


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import seq2seq_kit",
        "import seq2seq_kit.cli",
        "from seq2seq_kit import load_recipe, parse_recipe, json_schema, validate",
    ],
)
def test_an_import_is_light(code: str, tmp_path: Path) -> None:
    modules, done = imported_by("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seq2seq_kit" in modules
    assert heavy(modules) == set()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["schema"], ["list"]])
def test_what_only_informs_is_light(arguments: list[str], tmp_path: Path) -> None:
    modules, done = imported_by("-m", "seq2seq_kit", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "seq2seq_kit.cli.main" in modules
    assert heavy(modules) == set()


def recipe_beside_its_data(folder: Path, **data: object) -> Path:
    hourly_frame(300).to_csv(folder / "load.csv", index=False)
    with (folder / "recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(forecast_recipe(source="load.csv", **data), file)
    return folder / "recipe.yaml"


@pytest.mark.slow
def test_validate_reads_the_data_without_tensorflow(tmp_path: Path) -> None:
    recipe_beside_its_data(tmp_path)
    modules, done = imported_by("-m", "seq2seq_kit", "validate", "recipe.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "recipe.yaml is valid: forecast, 300 rows; windows: 181 train, 40 val, 40 test" in done.stdout
    assert "pandas" in modules
    assert heavy(modules) == set()


@pytest.mark.slow
def test_a_wrong_recipe_is_told_without_tensorflow(tmp_path: Path) -> None:
    recipe_beside_its_data(tmp_path, output_steps=0)
    modules, done = imported_by("-m", "seq2seq_kit", "train", "recipe.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "data.output_steps" in done.stderr
    assert "seq2seq_kit.cli.main" in modules
    assert heavy(modules) == set()


def test_the_light_check_sees_heavy_imports(tmp_path: Path) -> None:
    modules, _ = imported_by("-c", "import matplotlib", cwd=tmp_path)
    assert heavy(modules) == {"matplotlib"}


def test_no_public_signature_has_a_type_that_says_nothing() -> None:
    """`Any` in what a program calls would switch its own type checker off."""
    found = []
    for name in seq2seq_kit.__all__:
        public = getattr(seq2seq_kit, name)
        members = {name: public}
        if isinstance(public, type):
            members = {f"{name}.{key}": value for key, value in vars(public).items() if not key.startswith("_")}
            found += [
                f"{name}.{key}" for key, word in vars(public).get("__annotations__", {}).items() if "Any" in str(word)
            ]
        for place, member in members.items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            words = getattr(function, "__annotations__", {}) if inspect.isfunction(function) else {}
            found += [f"{place}({key})" for key, word in words.items() if "Any" in str(word)]
    assert not found


def test_a_module_can_be_held_in_the_head() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files()
    }
    assert not {place: length for place, length in lengths.items() if length > 300}
