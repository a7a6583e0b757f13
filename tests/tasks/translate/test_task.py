"""A run of a translator leaves in MLflow what a reviewer needs."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.runs import evaluate
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.validation import validate
from tests.conftest import reversed_words, translate_recipe
from tests.untyped import TrainResult, load


@pytest.fixture(scope="module")
def artifacts(attention_run: TrainResult, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    client = open_tracking(str(store)).client
    return Path(client.download_artifacts(attention_run.run_id, "", str(tmp_path_factory.mktemp("artifacts"))))


@pytest.fixture(scope="module")
def logged(attention_run: TrainResult, store: Path) -> Any:
    return open_tracking(str(store)).client.get_run(attention_run.run_id)


def test_parameters_are_the_flattened_recipe(logged: Any) -> None:
    assert logged.info.status == "FINISHED"
    assert logged.info.run_name == "lstm6-5 e2 s0"
    assert logged.data.params["data.source_column"] == "word"
    assert logged.data.params["model.bridge"] == "attention"
    assert logged.data.params["training.teacher_forcing"] == "[1.0, 0.5]"


def test_each_epoch_has_loss_and_accuracy(attention_run: TrainResult, store: Path) -> None:
    client = open_tracking(str(store)).client
    for key in ("loss", "val_loss", "accuracy", "val_accuracy"):
        curve = client.get_metric_history(attention_run.run_id, f"epoch/{key}")
        assert [point.step for point in curve] == [1, 2]
        assert all(np.isfinite(point.value) for point in curve)
    last = attention_run.fit.history[-1]
    assert curve[-1].value == pytest.approx(last.metrics["val_accuracy"])


def test_final_figures_are_those_of_the_evaluation(logged: Any, attention_run: TrainResult) -> None:
    for key in ("exact_match", "token_error_rate", "accuracy", "loss"):
        assert logged.data.metrics[f"test/{key}"] == pytest.approx(attention_run.test.metrics()[key])
        assert logged.data.metrics[f"val/{key}"] == pytest.approx(attention_run.val.metrics()[key])
    peer = attention_run.test.metrics("token by token")["token_error_rate"]
    assert logged.data.metrics["test_baselines/token_by_token_token_error_rate"] == pytest.approx(peer)
    assert logged.data.metrics["test/skill"] == pytest.approx(attention_run.test.skill)


def test_the_validation_figures_are_those_that_the_fit_watched(attention_run: TrainResult) -> None:
    best = attention_run.fit.history[attention_run.fit.best_epoch - 1]
    assert attention_run.val.metrics()["accuracy"] == pytest.approx(best.metrics["val_accuracy"], abs=1e-6)
    assert attention_run.val.metrics()["loss"] == pytest.approx(best.val_loss, rel=1e-4)


def test_the_note_holds_the_result_table(logged: Any, attention_run: TrainResult) -> None:
    note = logged.data.tags["mlflow.note.content"]
    assert note.startswith("## small_attention: exact match ")
    for name in ("model", "most frequent", "token by token"):
        assert f"| {name} | &nbsp;" in note
    assert f"seq2seq-kit predict {attention_run.run_id}" in note


def test_the_figures_and_tables_are_there(artifacts: Path) -> None:
    figures = {path.name for path in (artifacts / "figures").iterdir()}
    assert figures >= {
        "loss_curves.png",
        "accuracy.png",
        "exact_match_by_length.png",
        "attention.png",
        "model.png",
        "examples.csv",
    }
    assert (artifacts / "recipe.yaml").is_file()
    scores = pd.read_csv(artifacts / "test_scores.csv")
    assert list(scores["forecaster"]) == ["model", "most frequent", "token by token"]


def test_the_examples_are_what_the_model_writes(artifacts: Path, attention_run: TrainResult) -> None:
    examples = pd.read_csv(artifacts / "figures" / "examples.csv", keep_default_na=False)
    assert list(examples) == ["source", "written", "right", "edits", "score"]
    assert len(examples) == attention_run.test.scores["model"].outputs
    again = attention_run.bundle.predict(examples["source"].tolist())
    assert again["reverse"].tolist() == examples["written"].tolist()
    np.testing.assert_allclose(again["score"], examples["score"], rtol=1e-4)
    assert (examples["edits"] == 0).sum() == attention_run.test.scores["model"].exact
    assert examples["edits"].sum() == attention_run.test.scores["model"].edits
    assert {right.split(" | ")[0][::-1] for right in examples["right"]} == set(examples["source"])


def test_the_model_may_not_be_the_best_but_is_compared(attention_run: TrainResult) -> None:
    codes = {finding.code for finding in attention_run.findings}
    assert {"vocabulary", "data_prepared", "estimated_time"} <= codes
    assert ("loses_to_baseline" in codes) == (attention_run.test.skill <= 0.01)


def test_evaluate_repeats_the_figures(attention_run: TrainResult, store: Path) -> None:
    again = evaluate(attention_run.run_id, tracking_uri=str(store))
    assert again.metrics() == pytest.approx(attention_run.test.metrics(), rel=1e-4)
    pd.testing.assert_frame_equal(again.table(), attention_run.test.table(), rtol=1e-4)


def test_evaluate_takes_other_pairs(attention_run: TrainResult, store: Path, tmp_path: Path) -> None:
    frame = reversed_words()
    place = tmp_path / "more.csv"
    frame.to_csv(place, index=False)
    board = evaluate(attention_run.run_id, data=place, tracking_uri=str(store))
    assert board.title == f"{frame['word'].nunique()} test sources"
    from_frame = attention_run.bundle.evaluate(frame)
    assert board.metrics() == pytest.approx(from_frame.metrics(), rel=1e-4)


def test_the_bundle_of_the_run_predicts_the_same(attention_run: TrainResult, store: Path) -> None:
    words = ["abc", "dd", "abcda"]
    loaded = load(attention_run.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(loaded.predict(words), attention_run.bundle.predict(words), rtol=1e-5)
    assert loaded.source_vocabulary == attention_run.bundle.source_vocabulary
    assert loaded.baselines == attention_run.bundle.baselines
    assert loaded.output_steps == attention_run.bundle.output_steps


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "attention"])
def test_the_logged_models_answer(bridge: str, request: pytest.FixtureRequest, store: Path) -> None:
    result: TrainResult = request.getfixturevalue(f"{bridge}_run")
    client = open_tracking(str(store)).client
    outputs = client.get_run(result.run_id).outputs.model_outputs
    places = {
        model.name: model.artifact_location for model in map(client.get_logged_model, [o.model_id for o in outputs])
    }
    assert set(places) == {"model", "network"}
    model, network = (mlflow.pyfunc.load_model(str(places[name])) for name in ("model", "network"))
    example = model.input_example
    answer = model.predict(example)
    assert list(answer) == ["word", "reverse", "score"]
    pd.testing.assert_frame_equal(answer, result.bundle.predict(example), check_dtype=False, rtol=1e-4)
    logits = network.predict(network.input_example)
    assert logits.shape[0] == 3
    assert logits.shape[2] == result.bundle.target_vocabulary.size


def test_validate_tells_pairs(token_files: Path) -> None:
    checked = validate(translate_recipe(str(token_files / "words.csv")))
    assert checked.unit == "pairs"
    assert sum(checked.windows.values()) == checked.rows == 160
    assert any("the longest source has 5, an output at most 6" in finding.text for finding in checked.findings)
