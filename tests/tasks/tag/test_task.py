"""A run of a tagger leaves in MLflow what a reviewer needs; of tokens and of rows."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import DataError
from seq2seq_kit.runs import evaluate
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of, has_digest
from seq2seq_kit.tasks.tag.bundle import TagTokensBundle
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.validation import validate
from tests.conftest import levelled_frame, spelled_lines, tag_recipe, tag_values_recipe
from tests.untyped import TrainResult, load, parse_recipe

RUNS = ["tag_run", "tag_values_run"]


@pytest.fixture(params=RUNS)
def result(request: pytest.FixtureRequest) -> TrainResult:
    run: TrainResult = request.getfixturevalue(request.param)
    return run


def logged(result: TrainResult, store: Path) -> Any:
    return open_tracking(str(store)).client.get_run(result.run_id)


def test_a_run_has_parameters_curves_and_final_figures(result: TrainResult, store: Path) -> None:
    run = logged(result, store)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "lstm6 e2 s0"
    assert run.data.params["task"] == "tag"
    assert run.data.params["model.units"] == "[6]"
    curve = open_tracking(str(store)).client.get_metric_history(result.run_id, "epoch/val_accuracy")
    assert [point.value for point in curve] == pytest.approx(
        [epoch.metrics["val_accuracy"] for epoch in result.fit.history]
    )
    for key in ("accuracy", "macro_f1", "loss"):
        assert run.data.metrics[f"test/{key}"] == pytest.approx(result.test.metrics()[key])
    assert run.data.metrics["test_baselines/most_frequent_label_accuracy"] == pytest.approx(
        result.test.metrics("most frequent label")["accuracy"]
    )
    assert run.data.tags["mlflow.note.content"].startswith(f"## {result.recipe.name}: accuracy ")


def test_the_validation_figures_are_those_that_the_fit_watched(result: TrainResult) -> None:
    best = result.fit.history[result.fit.best_epoch - 1]
    assert result.val.metrics()["accuracy"] == pytest.approx(best.metrics["val_accuracy"], abs=1e-6)
    assert result.val.metrics()["loss"] == pytest.approx(best.val_loss, rel=1e-4)


def test_the_figures_are_there(result: TrainResult, store: Path, tmp_path: Path) -> None:
    artifacts = Path(open_tracking(str(store)).client.download_artifacts(result.run_id, "", str(tmp_path)))
    names = {path.name for path in (artifacts / "figures").iterdir()}
    assert names >= {"loss_curves.png", "accuracy.png", "confusion.png", "model.png"}
    scores = pd.read_csv(artifacts / "test_scores.csv", keep_default_na=False)
    assert list(scores.loc[scores["label"] == "", "forecaster"]) == result.test.names
    assert set(scores["label"]) == {"", *result.bundle.labels}


def test_the_bundle_of_the_run_is_the_same(result: TrainResult, store: Path) -> None:
    loaded = load(result.run_id, tracking_uri=str(store))
    assert loaded.labels == result.bundle.labels
    assert loaded.state() == result.bundle.state()
    assert loaded.verbs == ("predict", "evaluate")


def test_evaluate_repeats_the_figures(tag_run: TrainResult, store: Path) -> None:
    again = evaluate(tag_run.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(again.table(), tag_run.test.table(), rtol=1e-4)


def test_evaluate_takes_other_lines(tag_run: TrainResult, store: Path, tmp_path: Path) -> None:
    place = tmp_path / "more.conll"
    place.write_text(spelled_lines(20, seed=1))
    board = evaluate(tag_run.run_id, data=place, tracking_uri=str(store))
    count = sum(1 for line in place.read_text().splitlines() if line)
    assert board.title == f"{count} labelled test steps, 2 labels"
    assert board.metrics("label of the token")["accuracy"] == 1


def test_evaluate_takes_other_rows(tag_values_run: TrainResult) -> None:
    frame = levelled_frame(60)
    frame.loc[::2, "level"] = None
    board = evaluate(tag_values_run.bundle, data=frame)
    assert board.title == "30 labelled test steps, 2 labels"


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_logged_models_answer(name: str, request: pytest.FixtureRequest, store: Path) -> None:
    result: TrainResult = request.getfixturevalue(name)
    client = open_tracking(str(store)).client
    models = [client.get_logged_model(o.model_id) for o in client.get_run(result.run_id).outputs.model_outputs]
    places = {model.name: str(model.artifact_location) for model in models}
    assert set(places) == {"model", "network"}
    model, network = (mlflow.pyfunc.load_model(places[each]) for each in ("model", "network"))
    example = model.input_example
    answer = model.predict(example)
    pd.testing.assert_frame_equal(answer, result.bundle.predict(example), check_dtype=False, rtol=1e-4)
    assert len(answer) == len(example)
    assert network.predict(network.input_example).shape[2] == 2


def test_validate_tells_sequences_and_labels(token_files: Path) -> None:
    checked = validate(tag_recipe(str(token_files / "letters.tsv")))
    assert checked.unit == "sequences"
    assert sum(checked.windows.values()) == 60
    assert any(finding.text.startswith("2 labels, the most frequent is other (") for finding in checked.findings)


def test_rare_labels_are_told() -> None:
    frame = levelled_frame()
    frame.loc[[3, 5], "level"] = "odd"
    findings = {finding.code: finding.text for finding in validate(tag_values_recipe(), data=frame).findings}
    assert findings["rare_labels"] == "labels with fewer than 20 training steps: odd"


def test_a_test_file_is_the_test_part(token_files: Path, tmp_path: Path) -> None:
    place = tmp_path / "dev.tsv"
    place.write_text(spelled_lines(7, seed=1))
    checked = validate(tag_recipe(str(token_files / "letters.tsv"), test_source=str(place)))
    assert checked.windows["test"] == 7
    assert sum(checked.windows.values()) == 67


def test_a_validation_file_is_the_validation_part(token_files: Path, tmp_path: Path) -> None:
    place = tmp_path / "dev.tsv"
    place.write_text(spelled_lines(7, seed=1))
    checked = validate(tag_recipe(str(token_files / "letters.tsv"), val_source=str(place)))
    assert checked.windows["val"] == 7
    assert sum(checked.windows.values()) == 67


def test_examples_for_mlflow_are_rows_of_the_source_where_validation_has_a_file(
    token_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "dev.tsv").write_text(spelled_lines(70, seed=1))  # longer than the source
    job: Any = open_job(
        parse_recipe(tag_recipe(str(token_files / "letters.tsv"), val_source=str(tmp_path / "dev.tsv")))
    )
    example, _ = job.served(job.bundle(job.build(), {}))["frames"]
    assert list(example["letter"]) == list(
        job.source["letter"].iloc[job.examples.rows.rows_of(job.examples.parts["train"][:3])]
    )


def test_a_validation_file_that_is_not_there_is_named(token_files: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tsv") as caught:
        validate(tag_recipe(str(token_files / "letters.tsv"), val_source="nowhere.tsv"))
    assert caught.value.code == "unreadable_file"


def test_probabilities_are_shares(result: TrainResult) -> None:
    rows = ["a b c", "e"] if isinstance(result.bundle, TagTokensBundle) else levelled_frame(50)
    answer = result.bundle.predict(rows)
    assert ((answer["probability"] >= 0.5) & (answer["probability"] <= 1)).all()  # of two labels
    assert set(answer[result.bundle.recipe.data.labels]) <= set(result.bundle.labels)
    assert np.isfinite(answer["probability"]).all()


def test_files_of_validation_and_test_rows_are_part_of_the_digest(token_files: Path, tmp_path: Path) -> None:
    """Earlier versions knew the digest of the training file alone, which still counts."""
    place, source = tmp_path / "dev.tsv", str(token_files / "letters.tsv")

    def opened(**data: str) -> Any:
        return open_job(parse_recipe(tag_recipe(source, **data)), None)

    alone = opened()
    before = digest_of(alone.source, alone.columns)
    found = []
    for seed in (1, 1, 2):
        place.write_text(spelled_lines(7, seed=seed))
        for key in ("val_source", "test_source"):
            job = opened(**{key: str(place)})
            found.append(digest_of(job.source, job.columns))
            assert has_digest(job.source, job.columns, found[-1])
            assert has_digest(job.source, job.columns, before)
            assert not has_digest(job.source, job.columns, "0" * 32)
    assert found[0] == found[2] != found[4]
    assert found[1] == found[3] != found[5]
    assert before not in found
