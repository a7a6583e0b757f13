"""The task `echo` from recipe to prediction: every shape, through the job, the bundle, MLflow and a process of its own."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.models.echo import SHAPES
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.runs import Silent, TrainResult, evaluate, train
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.echo.bundle import EchoBundle
from seq2seq_kit.tasks.echo.evaluation import check_echo, evaluate_echo, examine_echo
from seq2seq_kit.training.fit import Epoch, Fit
from tests import forked
from tests.untyped import load_recipe, parse_recipe, read_bundle

SEQUENCE = [0.0, 0.2, 0.4, 0.6, 0.8]
FRAME = pd.DataFrame({"value": SEQUENCE})
every_shape = pytest.mark.parametrize("shape", SHAPES)


def echo_recipe(shape: str = "many_to_many", **training: Any) -> dict[str, Any]:
    section = {"epochs": 300} | training
    return {"task": "echo", "data": {"sequence": SEQUENCE}, "model": {"shape": shape}, "training": section}


@cache
def trained(shape: str) -> tuple[EchoBundle, Fit]:
    job = open_job(parse_recipe(echo_recipe(shape)))
    model = job.build()
    fitted = job.fit(model, [])
    bundle = job.bundle(model, {"run_id": "none"})
    assert isinstance(bundle, EchoBundle)
    return bundle, fitted


@pytest.mark.slow
@every_shape
def test_a_shape_is_fitted_saved_read_and_predicts_its_sequence(shape: str, tmp_path: Path) -> None:
    bundle, fitted = trained(shape)
    assert len(fitted.history) == 300
    loaded = read_bundle(bundle.save(tmp_path / "bundle"))
    answer = loaded.predict(FRAME)
    assert list(answer.columns) == ["step", "value"]
    assert answer["step"].tolist() == [1, 2, 3, 4, 5]
    assert np.abs(answer["value"] - SEQUENCE).max() < 0.05
    pd.testing.assert_frame_equal(answer, bundle.predict(FRAME))
    # What the fit watched is the error of what `predict` gives.
    best = min(epoch.val_loss for epoch in fitted.history)
    assert np.mean((answer["value"] - SEQUENCE) ** 2) == pytest.approx(best, rel=1e-3, abs=1e-9)
    assert fitted.history[-1].val_loss < fitted.history[0].val_loss / 10


@every_shape
def test_the_counts_are_those_of_the_shape(shape: str) -> None:
    job = open_job(parse_recipe(echo_recipe(shape)))
    wanted = 5 if shape == "one_to_one" else 1
    assert [job.examples.count(part) for part in ("train", "val", "test")] == [wanted] * 3
    assert job.examples.arrays("train", np.arange(wanted))[0].shape[0] == wanted
    batches = [len(inputs) for inputs, _ in job.examples.batches("train", 2)]
    assert batches == ([2, 2, 1] if wanted == 5 else [1])


def test_shuffled_batches_have_no_end_and_lose_nothing() -> None:
    job = open_job(parse_recipe(echo_recipe("one_to_one")))
    batches = job.examples.batches("train", 5, shuffle_seed=1).take(7)
    for inputs, targets in batches.as_numpy_iterator():
        np.testing.assert_array_equal(inputs.ravel(), targets.ravel())
        np.testing.assert_allclose(np.sort(inputs.ravel()), SEQUENCE, atol=1e-7)
    assert sum(1 for _ in batches) == 7


@pytest.mark.slow
def test_one_value_is_enough_where_one_is_read_and_the_rest_is_told() -> None:
    for shape in ("one_to_many", "feedback"):
        whole, first = trained(shape)[0].predict(FRAME), trained(shape)[0].predict(FRAME.head(1))
        np.testing.assert_array_equal(whole["value"], first["value"])
        assert whole.attrs["notes"] == [f"{shape} reads one value: the first of the 5 rows"]
        assert "notes" not in first.attrs
    assert len(trained("one_to_one")[0].predict(FRAME.head(3))) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (FRAME.head(4), "the data: many_to_one expects 5 rows, the steps of the trained sequence. Received: 4 rows"),
        (FRAME.head(0), "Received: 0 rows"),
        (
            FRAME.rename(columns={"value": "worth"}),
            r"lacks the column value\. It also has .*worth; rename the column in the file$",
        ),
        (
            FRAME.assign(value=[0, 1, "many", 3, 4]),
            "row 3 of the column value must be a finite number. Received: 'many'",
        ),
        (FRAME.assign(value=[0, 1, 2, np.inf, 4]), "row 4 of the column value must be a finite number"),
    ],
)
def test_rows_that_do_not_fit_are_told(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        trained("many_to_one")[0].predict(frame)


@pytest.mark.slow
def test_another_sequence_is_evaluated_beside_the_trained_one_s_mean() -> None:
    board = trained("many_to_many")[0].evaluate(FRAME * 0.5)
    assert board.metrics("sequence mean")["rmse"] == pytest.approx(
        np.sqrt(np.mean((np.array(SEQUENCE) / 2 - 0.4) ** 2))
    )
    with pytest.raises(DataError, match=r"expected 5 rows.*Received: 3"):
        trained("one_to_one")[0].evaluate(FRAME.head(3))


def test_the_figures_are_root_mean_square_and_largest_error() -> None:
    board = evaluate_echo("test", np.array([0.0, 1.0]), np.array([0.3, 0.6]), mean=0.5)
    assert board.metrics() == pytest.approx({"rmse": np.sqrt((0.09 + 0.16) / 2), "largest": 0.4})
    assert board.metrics("sequence mean") == pytest.approx({"rmse": 0.5, "largest": 0.5})
    assert board.skill == board.skill_against(board.best_baseline) == pytest.approx(1 - np.sqrt(0.125) / 0.5)
    np.testing.assert_allclose(board.curves()["model"], [0.3, 0.4])
    table = board.table()
    assert table.query("forecaster == 'model' and step == 2").iloc[0][
        ["value", "echo", "error"]
    ].tolist() == pytest.approx([1.0, 0.6, -0.4])
    assert table.query("step == 0")["largest"].tolist() == pytest.approx([0.4, 0.5])
    assert "not a measure of skill" in board.units
    assert np.isnan(evaluate_echo("val", np.ones(3), np.zeros(3), mean=1.0).skill)


@pytest.mark.parametrize(
    ("off", "all_epochs", "code", "advice"),
    [
        (0.049, True, "echo_learnt", ""),
        (0.051, True, "echo_not_learnt", "Try more training.epochs or a larger training.learning_rate"),
        (0.3, False, "echo_not_learnt", "Try a larger training.patience"),
    ],
)
def test_a_run_says_whether_the_echo_is_right(off: float, all_epochs: bool, code: str, advice: str) -> None:
    truth = np.array(SEQUENCE)
    (found,) = examine_echo(evaluate_echo("test", truth, truth + off, mean=0.4), all_epochs=all_epochs)
    assert (found.code, found.advice) == (code, advice)


def test_what_stands_out_in_a_sequence_is_told() -> None:
    assert [found.code for found in check_echo(SEQUENCE)] == ["one_sequence"]
    assert [found.code for found in check_echo([2.0, 2.0])] == [
        "one_sequence",
        "unscaled_sequence",
        "constant_sequence",
    ]
    assert "Divide data.sequence by 8" in str(check_echo([-8.0, 1.0])[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"data.sequence": [1.0]},
            r"data.sequence  must hold at least 2 values, .*Received: \[1.0\]",
        ),
        ({"data.sequence": None}, "data.sequence"),
        ({"data.source": "rows.csv"}, "data.source  unknown key; known here: sequence"),
        ({"model.shape": "many_to_few"}, "model.shape  must be 'one_to_one'.*did you mean many_to_one?"),
        ({"model.units": 0}, "model.units  must be at least 1. Received: 0"),
        ({"model.encoder_units": [5]}, "model.encoder_units  unknown key"),
    ],
)
def test_a_wrong_key_is_told_with_its_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        parse_recipe(echo_recipe(), change)


def test_a_dumped_recipe_reads_back(tmp_path: Path) -> None:
    recipe = parse_recipe(echo_recipe("feedback", patience=7))
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "recipe.yaml").model_copy(update={"name": None}) == recipe


class Counting(Silent):
    """Remembers the epochs that it is told of."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def on_epoch(self, epoch: Epoch) -> None:
        self.numbers.append(epoch.number)


@pytest.fixture(scope="module")
def run(store: Path) -> tuple[TrainResult, Counting]:
    """A whole run of the shape that differs most from the others, in MLflow."""
    counting = Counting()
    recipe = parse_recipe(echo_recipe("feedback") | {"name": "first_echo"})
    return train(recipe, tracking_uri=str(store), reporter=counting), counting


@pytest.mark.slow
def test_a_run_is_logged_with_figures_pictures_and_words(run: tuple[TrainResult, Counting], tmp_path: Path) -> None:
    from seq2seq_kit.tracking.client import open_tracking

    result, counting = run
    tracking = open_tracking(result.tracking_uri, create=False)
    logged = tracking.client.get_run(result.run_id)
    assert logged.info.run_name == "feedback lstm5 e300 s0"
    assert logged.data.params["model.shape"] == "feedback"
    assert logged.data.params["data.sequence"] == json.dumps(SEQUENCE)
    assert logged.data.metrics["test/largest"] == pytest.approx(result.test.metrics()["largest"])
    assert logged.data.tags["data"] == "data.sequence"
    assert "not a measure of skill" in logged.data.tags["mlflow.note.content"]
    assert [found.code for found in result.findings] == ["one_sequence", "estimated_time", "echo_learnt"]
    figures = tracking.fetch(result.run_id, "figures", tmp_path)
    assert {path.name for path in figures.iterdir()} == {"loss_curves.png", "echo.png", "shape.png", "model.png"}
    assert all(matplotlib.image.imread(path).std() > 0.01 for path in figures.iterdir())
    assert len(result.fit.history) == 300
    assert counting.numbers == [1, *range(6, 301, 6)]


def test_the_result_table_is_repeated_from_the_recipe(run: tuple[TrainResult, Counting]) -> None:
    result, _ = run
    assert evaluate(result.run_id, tracking_uri=result.tracking_uri).metrics() == pytest.approx(result.test.metrics())


def test_the_served_models_answer_like_the_bundle(run: tuple[TrainResult, Counting]) -> None:
    import mlflow

    result, _ = run
    mlflow.set_tracking_uri(result.tracking_uri)
    frames = mlflow.pyfunc.load_model(f"runs:/{result.run_id}/model").predict(FRAME)
    np.testing.assert_allclose(frames["value"], result.bundle.predict(FRAME)["value"], atol=1e-6)


@pytest.mark.slow
def test_a_fresh_process_predicts_from_a_file(run: tuple[TrainResult, Counting], tmp_path: Path) -> None:
    result, _ = run
    FRAME.to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, "-m", "seq2seq_kit", "predict", result.run_id, "--data", "new.csv", "--out", "echo.csv"]
    done = forked.run([*command, "--tracking-uri", result.tracking_uri], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: feedback reads one value: the first of the 5 rows" in done.stderr
    np.testing.assert_allclose(pd.read_csv(tmp_path / "echo.csv")["value"], SEQUENCE, atol=0.05)


def test_validate_counts_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "echo.yaml").write_text(dump_recipe(parse_recipe(echo_recipe("one_to_one"))))
    assert main(["validate", str(tmp_path / "echo.yaml")]) == 0
    out = capsys.readouterr().out
    assert "echo.yaml is valid: echo, 5 rows; sequences: 5 train, 5 val, 5 test" in out
    assert "the same single sequence" in out
