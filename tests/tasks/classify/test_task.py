"""A run of each kind leaves in MLflow what a reviewer needs, predicts, evaluates again, and is searched."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.runs import evaluate
from seq2seq_kit.tasks.classify.bundle import ClassifyBundle
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.validation import validate
from tests.tasks.classify.conftest import RUNS, levels_frame, rows_of, series_recipe, texts_recipe, words_frame
from tests.untyped import TrainResult, load, read_bundle, train

FIGURES = {"loss_curves.png", "model.png"}
OF_LABELS = {"accuracy.png", "confusion.png", "calibration.png"}


@pytest.mark.slow
def test_a_run_has_parameters_curves_and_final_figures(result: TrainResult, store: Path) -> None:
    run = open_tracking(str(store)).client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name
    assert run.data.tags["differs"]
    assert run.data.params["task"] == "classify"
    assert run.data.tags["best_baseline"] == result.test.best_baseline
    for key, value in result.test.metrics().items():
        assert run.data.metrics[f"test/{key}"] == pytest.approx(value)
    assert run.data.tags["mlflow.note.content"].startswith(
        f"## small_classify: {result.test.titles[result.test.headline]} "
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_figures_are_there(name: str, request: pytest.FixtureRequest, store: Path, tmp_path: Path) -> None:
    result: TrainResult = request.getfixturevalue(name)
    artifacts = Path(open_tracking(str(store)).client.download_artifacts(result.run_id, "", str(tmp_path)))
    names = {path.name for path in (artifacts / "figures").iterdir()}
    assert names == FIGURES | ({"predicted.png"} if name == "series_run" else OF_LABELS)
    assert list(pd.read_csv(artifacts / "test_scores.csv")["forecaster"].unique()) == result.test.names


def test_the_validation_figures_are_those_that_the_fit_watched(texts_run: TrainResult, series_run: TrainResult) -> None:
    best = texts_run.fit.history[texts_run.fit.best_epoch - 1]
    assert texts_run.val.metrics()["accuracy"] == pytest.approx(best.metrics["val_accuracy"], abs=1e-6)
    assert texts_run.val.metrics()["log_loss"] == pytest.approx(best.val_loss, rel=1e-4)
    best = series_run.fit.history[series_run.fit.best_epoch - 1]
    scaled = series_run.val.metrics()["rmse"] / series_run.bundle.preprocessing.scale
    assert scaled**2 == pytest.approx(best.val_loss, rel=1e-4)


def test_balanced_weights_count_each_label_alike(windows_run: TrainResult) -> None:
    val = windows_run.val
    right = np.take_along_axis(val.predictions["model"], val.truth[:, None].astype(int), axis=1)[:, 0]
    counts = np.bincount(windows_run.val.truth, minlength=2)
    assert counts[0] != counts[1]
    frame = levels_frame()
    train_counts = frame["level"][5:280].value_counts()  # the label of each training window's last row
    weights = (275 / (2 * train_counts[windows_run.bundle.preprocessing.labels])).to_numpy()
    best = windows_run.fit.history[windows_run.fit.best_epoch - 1]
    assert np.mean(-np.log(right) * weights[val.truth]) == pytest.approx(best.val_loss, rel=1e-3)


def test_labels_come_with_the_probability_of_each(texts_run: TrainResult) -> None:
    answer = texts_run.bundle.predict(["abc", "fad", "i"])
    assert list(answer) == ["word", "label", "probability", "probability_other", "probability_vowel"]
    chances = answer[["probability_other", "probability_vowel"]].to_numpy()
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert answer["probability"].tolist() == chances.max(axis=1).tolist()
    assert answer["label"].tolist() == [["other", "vowel"][place] for place in chances.argmax(axis=1)]
    assert texts_run.bundle.predict("abxyz").attrs["notes"] == [
        "3 tokens that the training rows did not have were read as unknown: x, y, z"
    ]


def test_sequences_are_answered_in_their_order_alone_or_together(series_run: TrainResult) -> None:
    rows = rows_of(series_run)
    answer = series_run.bundle.predict(rows.drop(columns="rows"))
    assert list(answer) == ["name", "steps", "rows"]
    one = series_run.bundle.predict(rows[rows["name"] == "w4"])
    together = answer.loc[answer["name"] == "w4", "rows"]
    np.testing.assert_allclose(one["rows"], together, rtol=1e-4)  # padding does not matter


def test_each_row_that_ends_a_window_is_answered(windows_run: TrainResult) -> None:
    rows = levels_frame(30).drop(columns="level")
    answer = windows_run.bundle.predict(rows)
    assert answer["time"].tolist() == rows["time"][5:].tolist()
    newest = windows_run.bundle.predict(rows.tail(6))
    np.testing.assert_allclose(newest["probability"], answer["probability"].tail(1), rtol=1e-4)
    with pytest.raises(ArgumentError) as caught:
        windows_run.bundle.predict("a text")
    assert caught.value.code == "frame_required"


def test_a_saved_bundle_answers_and_is_measured_alike(result: TrainResult, tmp_path: Path) -> None:
    loaded, rows = read_bundle(result.bundle.save(tmp_path / "bundle")), rows_of(result)
    pd.testing.assert_frame_equal(loaded.predict(rows), result.bundle.predict(rows), rtol=1e-4)
    pd.testing.assert_frame_equal(loaded.evaluate(rows).table(), result.bundle.evaluate(rows).table(), rtol=1e-4)
    assert result.bundle.ignored_columns(rows.assign(colour="red")) == ["colour"]


def test_labels_of_a_stranger_that_do_not_fit_the_model_are_refused(texts_run: TrainResult) -> None:
    bundle = texts_run.bundle
    state, arrays = bundle.state()
    with pytest.raises(ValueError, match="it has 1 labels, its model predicts 2"):
        ClassifyBundle.restore(bundle.recipe, bundle.model, state | {"labels": ["vowel"]}, arrays, {})


def test_evaluate_repeats_the_figures(texts_run: TrainResult, store: Path) -> None:
    again = evaluate(texts_run.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(again.table(), texts_run.test.table(), rtol=1e-4)


def test_evaluate_of_a_changed_source_uses_what_the_run_learned(texts_run: TrainResult) -> None:
    source = Path(texts_run.recipe.data.source)
    written = source.read_text()
    try:
        more = pd.concat([words_frame(), words_frame(150, seed=2).assign(kind="vowel")])
        more.to_csv(source, index=False)
        with pytest.warns(UserWarning, match="has changed since the training"):
            board: Any = evaluate(texts_run.bundle)
    finally:
        source.write_text(written)
    assert board.labels == texts_run.bundle.preprocessing.labels == ["other", "vowel"]
    assert len(board.truth) > len(texts_run.test.truth)


@pytest.mark.parametrize("name", RUNS)
def test_the_logged_models_answer(name: str, request: pytest.FixtureRequest, store: Path) -> None:
    result: TrainResult = request.getfixturevalue(name)
    client = open_tracking(str(store)).client
    models = [client.get_logged_model(o.model_id) for o in client.get_run(result.run_id).outputs.model_outputs]
    places = {model.name: str(model.artifact_location) for model in models}
    model, network = (mlflow.pyfunc.load_model(places[each]) for each in ("model", "network"))
    answer = model.predict(model.input_example)
    pd.testing.assert_frame_equal(answer, result.bundle.predict(model.input_example), check_dtype=False, rtol=1e-4)
    assert len(answer) == {"texts_run": 3, "series_run": 1, "windows_run": 1}[name]
    assert network.predict(network.input_example).shape == (len(answer), result.bundle.preprocessing.outputs)


def test_the_command_line_predicts_and_evaluates(
    texts_run: TrainResult, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words_frame(8, seed=3).to_csv(tmp_path / "new.csv", index=False)
    where = ["--tracking-uri", str(store)]
    assert main(["predict", texts_run.run_id, "--text", "abc", "--text", "fad", *where]) == 0
    assert capsys.readouterr().out.startswith("word,label,probability,probability_other,probability_vowel\nabc,")
    assert main(["evaluate", texts_run.run_id, "--data", str(tmp_path / "new.csv"), *where]) == 0
    assert "8 test sequences, 2 labels" in capsys.readouterr().out


def test_validate_tells_what_stands_out() -> None:
    frame = words_frame()
    frame.loc[:3, "kind"] = "odd"
    found = {
        finding.code: finding.text
        for finding in validate(texts_recipe(split={"val": 0.1, "test": 0.3}), data=frame).findings
    }
    assert found["rare_labels"] == "labels with fewer than 20 training sequences: odd"
    assert "3 labels, the most frequent is " in found["sequences"]
    assert found["few_sequences"].startswith("only ")


@pytest.mark.slow
def test_a_label_that_is_never_predicted_is_told(store: Path) -> None:
    frame = words_frame(400)
    frame["kind"] = np.where(np.arange(400) % 12 == 0, "rare", "usual")  # nothing in the word tells
    recipe = texts_recipe()
    recipe["training"] |= {"epochs": 1, "learning_rate": 1e-4}
    found = {finding.code: finding for finding in train(recipe, data=frame, tracking_uri=str(store)).findings}
    assert found["labels_never_given"].text == "labels of the test part that the model never predicts: rare"
    assert {"ties_with_baseline", "loses_to_baseline"} & set(found)


def test_classification_has_no_folds() -> None:
    from seq2seq_kit.errors import RecipeError
    from tests.untyped import parse_recipe

    space = {"space": {"training.learning_rate": {"choice": [0.01, 0.1]}}, "folds": 2}
    with pytest.raises(RecipeError, match="classifies sequences"):
        parse_recipe(series_recipe() | {"sweep": space})


@pytest.mark.slow
def test_a_sweep_finds_its_best_trial(store: Path) -> None:
    from seq2seq_kit import sweep

    space: dict[str, Any] = {"training.learning_rate": {"choice": [0.0001, 0.02]}}
    recipe = texts_recipe() | {"sweep": {"tuner": "grid", "objective": "val_accuracy", "space": space, "refit": True}}
    found = sweep(recipe, data=words_frame(), tracking_uri=str(store), workers=1)
    assert found.ended == "exhausted"  # the grid has two cells
    assert found.winner is not None


def test_load_gives_the_class_of_the_task(series_run: TrainResult, store: Path) -> None:
    assert isinstance(load(series_run.run_id, tracking_uri=str(store)), ClassifyBundle)
    with pytest.raises(DataError) as caught:
        series_run.bundle.evaluate(rows_of(series_run).assign(rows=np.nan))
    assert caught.value.code == "no_answers"
