"""What earlier code wrote still opens: bundles of every kind, and the runs, sweeps and served models of an MLflow store.

The fixtures are files that commit 38cb5c2 left (`fixtures/make_bundles.py` says how) and are not made anew when the code
changes: a test that fails here means that people's models no longer open, or answer otherwise.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import mlflow
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from seq2seq_kit import best_recipe, evaluate, load, parse_recipe
from seq2seq_kit.tasks import SPECS

FIXTURES = Path(__file__).parent / "fixtures"
DATA, ANSWERS = FIXTURES / "data", FIXTURES / "answers"
KINDS = sorted(path.name.removesuffix(".tar.xz") for path in (FIXTURES / "bundles").glob("*.tar.xz"))
STORED: dict[str, Any] = json.loads((ANSWERS / "store.json").read_text(encoding="utf-8"))
RUNS: dict[str, str] = STORED["runs"]
# The layers that the kit had registered with Keras then, by the modules that the saved models name.
LAYERS = {
    "seq2seq_kit.models.channels": {"ChannelEmbedding", "MergeChannels", "RepeatChannels", "SplitChannels"},
    "seq2seq_kit.models.characters": {"FoldSteps", "UnfoldSteps"},
    "seq2seq_kit.models.feedback": {"StepBefore"},
    "seq2seq_kit.models.layers": {
        *("Denormalise", "JoinSteps", "Normalise", "PositionEmbedding", "Repeat", "SplitSteps"),
    },
    "seq2seq_kit.models.masks": {"DropMask", "OneHot", "WithMask"},
}
# Another processor rounds otherwise; this is far below what a changed computation does.
TOLERANCE = 1e-5
each_kind = pytest.mark.parametrize("kind", KINDS)
each_run = pytest.mark.parametrize("kind", RUNS)
# MLflow's word on the signature of `predict` in the file that was logged then.
of_type_hints = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle of each kind."""
    return unpack_kinds(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def opened(bundles: Path) -> Callable[[str], Any]:
    """Loads the bundle of a kind, once."""
    return cache(lambda kind: load(bundles / kind))


@pytest.fixture(scope="module")
def old_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MLflow store, in another place than the one where it was written."""
    folder = tmp_path_factory.mktemp("store")
    unpack(FIXTURES / "store.tar.xz", folder)
    return folder / "mlruns"


@pytest.fixture
def among_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is the one that the recipes' paths start from."""
    monkeypatch.chdir(DATA)


@pytest.fixture
def own_path() -> Iterator[None]:
    """MLflow puts a model's code first on the path and leaves it there."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")


def unpack_kinds(folder: Path) -> Path:
    """Puts the bundle of each kind into a folder of its own below `folder`, which is given back."""
    for kind in KINDS:
        unpack(FIXTURES / "bundles" / f"{kind}.tar.xz", folder)
    return folder


def asked_of(kind: str) -> dict[str, Any]:
    """The questions that a kind was asked, and its figures."""
    asked: dict[str, Any] = json.loads((ANSWERS / kind / "asked.json").read_text(encoding="utf-8"))
    return asked


def require_same_answers(bundle: Any, kind: str) -> None:
    """Asks a bundle what it was asked when it was made."""
    asked, folder = asked_of(kind), ANSWERS / kind
    rows = bundle.read(str(folder / asked["rows"]))
    assert asked["questions"]
    for question in asked["questions"]:
        given = {"future": pd.read_csv(folder / question["future"])} if "future" in question else {}
        answer = getattr(bundle, question["verb"])(rows, **question["arguments"], **given)
        require_same(answer, pd.read_csv(folder / question["answer"]))


def require_same(answer: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Words are equal, numbers are as near as the largest of their column allows; columns may have been added."""
    # Through a file's words and back, as the expected ones went: types of columns are not what is compared.
    found = pd.read_csv(io.StringIO(answer.to_csv(index=False)))
    for name, column in expected.items():
        scale = float(np.nanmax(np.abs(column))) if column.dtype.kind in "if" else 1.0
        pd.testing.assert_series_equal(found[name], column, rtol=0, atol=TOLERANCE * scale)


NEWER = {
    "ClassifyTextsRecipe",
    "ClassifySeriesRecipe",
    "ClassifyWindowsRecipe",
    "NoModelRecipe",
}  # came after the fixtures were written


def require_same_figures(evaluation: Any, expected: dict[str, dict[str, float]]) -> None:
    """The model and each of its baselines; figures may have been added."""
    assert expected
    for name, figures in expected.items():
        found = evaluation.metrics(name)
        close = pytest.approx(figures, rel=TOLERANCE, abs=TOLERANCE / 10, nan_ok=True)
        assert {key: found[key] for key in figures} == close, name


@pytest.mark.slow
def test_every_kind_of_recipe_has_a_bundle(opened: Callable[[str], Any]) -> None:
    kinds = {spec.recipe.__name__ for spec in SPECS}
    assert kinds > NEWER
    kinds -= NEWER
    assert {type(opened(kind).recipe).__name__ for kind in KINDS} == kinds
    assert {opened(kind).recipe.task for kind in KINDS} == {
        spec.task for spec in SPECS if spec.recipe.__name__ in kinds
    }


def test_every_own_layer_of_then_stands_in_a_bundle_under_its_module_of_then(bundles: Path) -> None:
    found: dict[str, set[str]] = {}

    def collect(node: dict[str, Any]) -> dict[str, Any]:
        if str(node.get("module")).startswith("seq2seq_kit"):
            found.setdefault(node["module"], set()).add(node["class_name"])
        return node

    for kind in KINDS:
        with ZipFile(bundles / kind / "model.keras") as archive:
            json.loads(archive.read("config.json"), object_hook=collect)
    assert found == LAYERS


@pytest.mark.slow
@each_kind
def test_a_bundle_answers_what_it_answered(kind: str, opened: Callable[[str], Any]) -> None:
    require_same_answers(opened(kind), kind)


@pytest.mark.slow
@each_kind
@pytest.mark.usefixtures("among_the_data")
def test_a_bundle_is_evaluated_on_the_test_rows_of_its_source(kind: str, opened: Callable[[str], Any]) -> None:
    # That the source has changed would be a warning, and an error here.
    require_same_figures(evaluate(opened(kind)), asked_of(kind)["figures"]["of the test rows"])


@each_kind
def test_a_bundle_is_evaluated_on_other_rows(kind: str, opened: Callable[[str], Any]) -> None:
    asked = asked_of(kind)
    require_same_figures(evaluate(opened(kind), data=ANSWERS / kind / asked["rows"]), asked["figures"]["of the rows"])


@pytest.mark.slow
def test_runs_of_then_are_listed(old_store: Path) -> None:
    command = [sys.executable, "-m", "seq2seq_kit", "list", "runs", "--tracking-uri", str(old_store)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "FINISHED" in line]
    runs = {**RUNS, "sweep": STORED["sweep"]["run"]}
    assert len(lines) == len(runs) == 3
    for experiment, run in runs.items():
        assert any(run[:8] in line and experiment in line for line in lines), done.stdout


@pytest.mark.slow
@each_run
def test_a_run_of_then_loads_and_answers(kind: str, old_store: Path) -> None:
    require_same_answers(load(RUNS[kind], tracking_uri=str(old_store)), kind)


@pytest.mark.slow
@each_run
@pytest.mark.usefixtures("among_the_data")
def test_a_run_of_then_is_evaluated(kind: str, old_store: Path) -> None:
    found = evaluate(RUNS[kind], tracking_uri=str(old_store))
    require_same_figures(found, asked_of(kind)["figures"]["of the test rows"])


def test_a_sweep_of_then_tells_its_best_recipe(old_store: Path) -> None:
    told = STORED["sweep"]
    best = best_recipe(told["run"], tracking_uri=str(old_store))
    # The recipe as it is read today: keys that came later stand in both.
    assert best.recipe == parse_recipe(YAML(typ="safe").load(told["best"]))
    assert best.text.splitlines()[0] == told["best"].splitlines()[0]


@pytest.mark.usefixtures("among_the_data")
def test_the_winner_of_a_sweep_of_then_is_evaluated(old_store: Path) -> None:
    found = evaluate(STORED["sweep"]["run"], tracking_uri=str(old_store))
    require_same_figures(found, STORED["sweep"]["figures"])


@pytest.mark.slow
@each_run
@of_type_hints
@pytest.mark.usefixtures("own_path")
def test_a_served_model_of_then_runs_where_the_kit_of_now_is_loaded(kind: str, old_store: Path) -> None:
    """Its file asks the kit for modules by the names of then, and gets those of the kit that is loaded."""
    load(RUNS[kind], tracking_uri=str(old_store))  # leaves MLflow on that store, which has followed its move
    model = mlflow.pyfunc.load_model(f"runs:/{RUNS[kind]}/model")
    require_same(model.predict(model.input_example), pd.DataFrame(**served(kind)))


@pytest.mark.slow
@each_run
@of_type_hints
@pytest.mark.usefixtures("own_path")
def test_the_bare_network_of_then_runs_where_the_kit_of_now_is_loaded(kind: str, old_store: Path) -> None:
    load(RUNS[kind], tracking_uri=str(old_store))
    model = mlflow.pyfunc.load_model(f"runs:/{RUNS[kind]}/network")
    answer = np.asarray(model.predict(model.input_example))
    np.testing.assert_allclose(answer, np.array(STORED["networks"][kind]), rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_a_served_model_of_then_runs_by_itself_on_its_own_code(old_store: Path, tmp_path: Path) -> None:
    kind = "forecast_repeat"
    load(RUNS[kind], tracking_uri=str(old_store))  # the store follows its move
    script = (
        "import sys, mlflow\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model(f'runs:/{sys.argv[2]}/model')\n"
        "model.predict(model.input_example).to_json(sys.argv[3], orient='split', double_precision=15)\n"
        "import seq2seq_kit\n"
        "sys.stdout.write(seq2seq_kit.__file__)\n"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{old_store / 'mlflow.db'}", RUNS[kind], "answer.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout).parts[-4:] == ("model", "code", "seq2seq_kit", "__init__.py")
    answer = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    require_same(pd.DataFrame(**answer), pd.DataFrame(**served(kind)))


def served(kind: str) -> dict[str, Any]:
    """What the logged model answered to its own example: columns, index, data."""
    answer: dict[str, Any] = STORED["served"][kind]
    return answer


def own_layers(node: Any) -> set[str]:
    """Every layer of the kit that a model's configuration names."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    found = set().union(*map(own_layers, inner)) if inner else set()
    own = isinstance(node, dict) and node.get("module") in LAYERS
    return found | {node["class_name"]} if own else found


@each_kind
def test_the_layers_of_the_kit_that_a_bundle_holds_are_in_the_docs(bundles: Path, kind: str) -> None:
    with ZipFile(bundles / kind / "model.keras") as archive:
        held = own_layers(json.loads(archive.read("config.json")))
    page = (Path(__file__).parents[1] / "docs" / "bundles.md").read_text(encoding="utf-8")
    rows = {
        "forecast_repeat": "or without one",
        "autoencode_window": "or without one",
        "autoencode_whole": "`framing: whole`",
    }
    rows |= {
        "echo": "echo",
        "echo_feedback": "echo",
        "forecast_next_step": "framing: next_step",
        "forecast_shapes": "model.segment",
    }
    task = kind.partition("_")[0]
    words = rows.get(kind) or {"forecast": "`bridge: state`", "tag": "tag", "translate": "translate"}[task]
    (row,) = (line for line in page.splitlines() if line.startswith("|") and words in line.split("|")[1])
    assert all(f"`{name}`" in row for name in held)
    assert bool(held) == ("| none |" not in row)
