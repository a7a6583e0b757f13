"""Figures of labels and numbers beside scikit-learn's, and baselines that know what they say they know."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, log_loss, r2_score

from seq2seq_kit.tasks.classify.baselines import LinearBaseline, features_of, fit_baselines
from seq2seq_kit.tasks.classify.data import prepare_examples
from seq2seq_kit.tasks.classify.evaluation import BalancedEvaluation, LabelEvaluation, NumberEvaluation
from seq2seq_kit.tasks.classify.task import ClassifyJob
from tests.tasks.classify.conftest import (
    counted_frame,
    levels_frame,
    series_recipe,
    texts_recipe,
    windows_recipe,
    words_frame,
)
from tests.untyped import parse_recipe


def board() -> LabelEvaluation:
    rng = np.random.default_rng(0)
    chances = {name: rng.dirichlet([1, 1, 1, 1], size=200) for name in ("model", "constant")}
    truth = rng.choice(3, size=200).astype(np.int32)  # the fourth label is never true
    return LabelEvaluation("test", truth, chances, {"constant": "guesses"}, ["a", "b", "c", "d"])


def test_figures_of_labels_are_scikit_learns() -> None:
    own = board()
    given = own.predictions["model"].argmax(axis=1)
    figures = own.metrics()
    assert figures["accuracy"] == pytest.approx(accuracy_score(own.truth, given))
    assert figures["macro_f1"] == pytest.approx(f1_score(own.truth, given, average="macro", zero_division=0))
    assert figures["log_loss"] == pytest.approx(log_loss(own.truth, own.predictions["model"], labels=range(4)))
    np.testing.assert_array_equal(own.confusion_of(), confusion_matrix(own.truth, given, labels=range(4)))
    table = own.table()
    assert table.loc[table["label"] == "d", "sequences"].tolist() == [0, 0]


def test_skill_compares_error_rates() -> None:
    own = board()
    wrong = [1 - own.metrics(name)["accuracy"] for name in own.names]
    assert own.skill == own.skill_against("constant") == pytest.approx(1 - wrong[0] / wrong[1])


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_balanced_skill_compares_mean_recall() -> None:
    own = board()
    balanced = BalancedEvaluation(own.part, own.truth, own.predictions, own.about, own.labels)
    recalls = [balanced_accuracy_score(own.truth, own.predictions[name].argmax(axis=1)) for name in own.names]
    assert balanced.metrics()["balanced_accuracy"] == pytest.approx(recalls[0])
    assert balanced.skill == pytest.approx(1 - (1 - recalls[0]) / (1 - recalls[1]))
    assert list(balanced.metrics()) == list(balanced.titles)


def test_a_calibration_curve_shows_how_often_a_probability_is_right() -> None:
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, size=20_000)
    truth = (rng.uniform(size=len(top)) > top).astype(np.int32)  # label 0 is true as often as its probability says
    chances = np.stack([top, 1 - top], axis=1)
    honest = LabelEvaluation("test", truth, {"model": chances}, {}, ["a", "b"])
    curve = honest.calibration()
    assert curve["sequences"].sum() == len(top)
    np.testing.assert_allclose(curve["probability"], curve["accuracy"], atol=0.03)
    assert honest.metrics()["calibration_error"] < 0.02
    bold = LabelEvaluation("test", truth, {"model": np.tile([0.99, 0.01], (len(top), 1))}, {}, ["a", "b"])
    assert bold.metrics()["calibration_error"] == pytest.approx(0.99 - (truth == 0).mean())


def test_figures_of_numbers_are_scikit_learns() -> None:
    truth, given = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    own = NumberEvaluation("test", truth, {"model": given, "mean": np.full(3, 2.0)}, {}, "x")
    assert own.metrics() == pytest.approx({"mae": 0.5, "rmse": np.sqrt(1.25 / 3), "r2": r2_score(truth, given)})
    assert own.skill == pytest.approx(1 - np.sqrt(1.25 / 3) / np.sqrt(5 / 3))


def test_counts_of_tokens_are_the_features_of_a_text() -> None:
    frame = pd.DataFrame({"word": ["aab", "abc", "cc", "b"] * 30, "kind": ["x", "y"] * 60})
    frame["word"] += [chr(97 + number % 26) for number in range(120)]
    examples = prepare_examples(parse_recipe(texts_recipe()).data, frame)
    number = 0
    counts = features_of(examples, np.array([number])).toarray()[0]  # type: ignore[union-attr]
    letters = {letter: int(counts[examples.preprocessing.encoding.number[letter]]) for letter in "abc"}  # type: ignore[union-attr]
    assert letters == {letter: frame["word"][number].count(letter) for letter in "abc"}


def test_summaries_pass_over_padding() -> None:
    frame = counted_frame()
    examples = prepare_examples(parse_recipe(series_recipe(scaling="none")).data, frame)
    found = features_of(examples, np.arange(4))
    for number, name in enumerate(examples.about["name"][:4]):
        own = frame.loc[frame["name"] == name, ["x", "y"]].to_numpy()
        expected = [len(own), *own.mean(0), *own.std(0), *own.min(0), *own.max(0), *own[0], *own[-1]]
        np.testing.assert_allclose(found[number], expected, rtol=1e-4, atol=1e-5)


def chosen(line: LinearBaseline) -> float:
    found = re.search(r"penalty (\S+) chosen on validation", line.about)
    assert found is not None
    return float(found[1])


@pytest.mark.slow
def test_the_penalty_is_the_best_on_validation_where_the_fixed_one_is_not() -> None:
    # A label of one column of many, which few noisy sequences teach a line without a penalty by heart.
    rng = np.random.default_rng(0)
    columns = [f"x{number}" for number in range(30)]
    frame = pd.DataFrame({"id": np.repeat(np.arange(200), 2).astype(str)})
    values = rng.normal(size=(200, 30))
    frame[columns] = np.repeat(values, 2, axis=0) + rng.normal(scale=0.01, size=(400, 30))
    frame["kind"] = np.repeat(np.where(values[:, 0] + rng.normal(scale=1.5, size=200) > 0, "up", "down"), 2)
    data = {"series": "id", "inputs": columns, "label": "kind"}
    examples = prepare_examples(parse_recipe({"task": "classify", "data": data}).data, frame)
    line = fit_baselines(examples, "none")[1]
    assert chosen(line) > 1
    train, val = examples.parts["train"], examples.parts["val"]
    features, held = features_of(examples, train), features_of(examples, val)
    center, scale = features.mean(0), np.where(features.std(0) > 0, features.std(0), 1)
    errors = {
        penalty: 1
        - LogisticRegression(C=1 / penalty, max_iter=1000)
        .fit((features - center) / scale, examples.truth_of("train"))
        .score((held - center) / scale, examples.truth_of("val"))
        for penalty in (1.0, chosen(line))
    }
    assert errors[chosen(line)] < errors[1.0]
    joined = prepare_examples(parse_recipe({"task": "classify", "data": data}).data, frame, joined=True)
    assert chosen(fit_baselines(joined, "none")[1]) > 1


def test_baselines_are_scikit_learns_as_plain_arrays() -> None:
    for recipe, frame in ((windows_recipe(), levels_frame()), (texts_recipe(), words_frame())):
        examples = prepare_examples(parse_recipe(recipe).data, frame)
        train, test = examples.parts["train"], examples.parts["test"]
        frequent, line = fit_baselines(examples, "none")
        shares = np.bincount(examples.truth_of("train")) / len(train)
        np.testing.assert_allclose(frequent.predict(examples, test), np.tile(shares, (len(test), 1)))
        features = features_of(examples, train)
        if isinstance(features, np.ndarray):
            scale = np.where(features.std(0) > 0, features.std(0), 1)
            center, dense = features.mean(0), features_of(examples, test)
            peer = LogisticRegression(C=1 / chosen(line), max_iter=1000).fit(
                (features - center) / scale, examples.truth_of("train")
            )
            expected = peer.predict_proba((dense - center) / scale)
        else:
            peer = LogisticRegression(C=1 / chosen(line), max_iter=1000).fit(features, examples.truth_of("train"))
            expected = peer.predict_proba(features_of(examples, test))
        np.testing.assert_allclose(line.predict(examples, test), expected, atol=1e-6)


def test_ridge_and_mean_are_the_baselines_of_numbers() -> None:
    frame = counted_frame()
    examples = prepare_examples(parse_recipe(series_recipe()).data, frame)
    train, test = examples.parts["train"], examples.parts["test"]
    mean, ridge = fit_baselines(examples, "none")
    assert [mean.name, ridge.name] == ["mean", "ridge"]
    np.testing.assert_allclose(mean.predict(examples, test), examples.truth_of("train").mean())
    features = features_of(examples, train)
    scaled = (features - features.mean(0)) / features.std(0)
    peer = Ridge(alpha=chosen(ridge)).fit(scaled, examples.truth_of("train"))
    dense = (features_of(examples, test) - features.mean(0)) / features.std(0)
    np.testing.assert_allclose(ridge.predict(examples, test), peer.predict(dense), rtol=1e-6)


@pytest.mark.slow
def test_the_logistic_regression_has_the_recipes_class_weights() -> None:
    frame = words_frame(600)
    frame.loc[frame["kind"].eq("vowel") & (frame.index % 5 > 0), "kind"] = "other"
    examples = prepare_examples(parse_recipe(texts_recipe()).data, frame)
    given = [
        fit_baselines(examples, weights)[1].predict(examples, examples.parts["test"])
        for weights in ("none", "balanced")
    ]
    rare = examples.preprocessing.labels.index("vowel")
    assert given[1][:, rare].mean() > 2 * given[0][:, rare].mean()


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_penalty_at_the_edge_is_a_finding_and_one_inside_is_none(noise: float) -> None:
    frame = counted_frame()
    series, names = pd.factorize(frame["name"])
    strange = np.random.default_rng(0).normal(size=len(names))
    frame["rows"] = 10 * frame.groupby("name")["x"].transform("mean") + noise * strange[series]
    ridge = fit_baselines(prepare_examples(parse_recipe(series_recipe()).data, frame), "none")[1]
    assert bool(ridge.edge) == (noise == 0)
    truth = np.arange(3.0)
    edges = {"ridge": ridge.edge} if ridge.edge else {}
    forecasts = {"model": truth, "ridge": truth + 1}
    boards = [NumberEvaluation(part, truth, forecasts, {"ridge": ""}, "rows", edges=edges) for part in ("val", "test")]
    found = ClassifyJob.diagnose(boards[0], boards[1], [1.0, 0.5], all_epochs=False)
    assert ("penalty_at_edge" in [each.code for each in found]) == (noise == 0)
    assert not ridge.edge or ridge.edge == "penalty 0.0001, the smallest of those tried"
