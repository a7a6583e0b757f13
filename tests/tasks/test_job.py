"""Folds and joined parts of each task: what a trial and a last training on all that is left do with a job."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.evaluation import fit_forecast_baselines
from seq2seq_kit.evaluation.baselines import Ridge
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.fit import seed_everything
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    levelled_frame,
    next_step_recipe,
    reversed_words,
    tag_recipe,
    tag_values_recipe,
    translate_recipe,
    waves_frame,
    whole_recipe,
)
from tests.untyped import parse_recipe


def feedback_recipe() -> dict[str, Any]:
    """A forecast whose decoder reads its own output, so that validation is a walk of its own."""
    return forecast_recipe(missing="mask") | {"model": {"bridge": "state", "encoder_units": [4], "decoder_units": [4]}}


def letters(rows: int = 300) -> pd.DataFrame:
    """Sequences of three letters, each a vowel or none."""
    rng = np.random.default_rng(0)
    found = rng.choice(list("abcdefghij"), size=3 * rows)
    kinds = np.where(np.isin(found, list("aei")), "vowel", "other")
    return pd.DataFrame({"word": np.repeat(np.arange(rows), 3), "letter": found, "kind": kinds})


IN_TIME: dict[str, Any] = {
    "forecast": lambda: open_job(parse_recipe(forecast_recipe()), hourly_frame(500)),
    "feedback": lambda: open_job(parse_recipe(feedback_recipe()), hourly_frame(500)),
    "autoencode": lambda: open_job(parse_recipe(autoencode_recipe()), hourly_frame(500)),
    "next_step": lambda: open_job(parse_recipe(next_step_recipe()), hourly_frame(500)),
}
OTHERS: dict[str, Any] = {
    "whole": lambda: open_job(parse_recipe(whole_recipe()), waves_frame()),
    "translate": lambda: open_job(parse_recipe(translate_recipe()), reversed_words()),
    "tag_tokens": lambda: open_job(parse_recipe(tag_recipe(lines=None, series="word")), letters()),
    "tag_values": lambda: open_job(parse_recipe(tag_values_recipe()), levelled_frame()),
}
ECHO = {"task": "echo", "data": {"sequence": [0.1, 0.2, 0.3]}}


def trained(job: Job, *, stop_after: int = 1) -> Any:
    seed_everything(0, deterministic=False)
    model = job.build()
    fitted = job.fit(model, [], stop_after=stop_after)
    assert fitted.best_epoch == stop_after == len(fitted.history)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", list(IN_TIME))
def test_a_trial_can_do_its_work_on_a_fold(name: str) -> None:
    job = IN_TIME[name]()
    digest = digest_of(job.source, job.columns)
    first, last = job.folds(2)
    assert 0 < first.examples.count("train") < last.examples.count("train") < job.examples.count("train")
    assert last.examples.count("val") == job.examples.count("val")
    for fold in (first, last):
        assert fold.examples.count("test") == 0
        assert digest_of(fold.source, fold.columns) == digest
    fitted = first.fit(first.build(), [])
    assert np.isfinite([epoch.val_loss for epoch in fitted.history]).all()
    model = trained(first)
    bare = first.report(first.bundle(model, {}, peers=False), "val")
    whole = first.report(first.bundle(model, {}), "val")
    assert bare.names == ["model"]
    assert len(whole.names) > 2
    assert np.isfinite(whole.overall().rmse)
    assert all(np.isfinite(whole.overall(peer).rmse) for peer in whole.baselines)
    assert whole.overall().rmse == pytest.approx(bare.overall().rmse)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("whole", "task autoencode, whose sequences are divided by their names"),
        ("translate", "task translate, whose pairs are divided by their sources"),
        ("tag_tokens", "task tag, whose sequences are divided by their tokens"),
        ("tag_values", "task tag, whose labels a block of time need not all have"),
    ],
)
def test_a_task_without_folds_says_why_and_what_to_do(name: str, why: str) -> None:
    with pytest.raises(RecipeError, match=rf"sweep\.folds: .* Received: {why}.*Leave out sweep\.folds") as refused:
        OTHERS[name]().folds(2)
    assert refused.value.code == "folds_not_supported"


def test_an_echo_has_neither_folds_nor_anything_to_join() -> None:
    job = open_job(parse_recipe(ECHO))
    with pytest.raises(RecipeError, match="task echo, whose one sequence is train, val and test"):
        job.folds(2)
    with pytest.raises(RecipeError, match=r"Received: task echo. Leave out sweep\.refit") as refused:
        job.joined()
    assert refused.value.code == "refit_not_supported"


def test_folds_that_the_rows_are_too_few_for_are_refused() -> None:
    with pytest.raises(DataError, match="the DataFrame: fold 1 of 9 has no row to train on"):
        IN_TIME["forecast"]().folds(9)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*IN_TIME, *OTHERS])
def test_joined_the_val_rows_are_trained_on_and_test_stays(name: str) -> None:
    job = (IN_TIME | OTHERS)[name]()
    joined = job.joined()
    counts = {part: (job.examples.count(part), joined.examples.count(part)) for part in ("train", "val", "test")}
    # A chunk may reach over the old border, and windows begin before it.
    assert counts["train"][1] >= counts["train"][0] + counts["val"][0] - (name == "next_step") > counts["train"][0]
    for part in ("val", "test"):
        assert counts[part][0] == counts[part][1]
    assert digest_of(joined.source, joined.columns) == digest_of(job.source, job.columns)
    bundle = joined.bundle(trained(joined), {})
    for part in ("val", "test"):
        board = joined.report(bundle, part)
        assert len(board.names) > 1
        assert all(np.isfinite(next(iter(board.metrics(peer).values()))) for peer in board.names)


def test_the_vocabularies_of_joined_texts_know_the_val_texts() -> None:
    words = reversed_words()
    job: Any = open_job(parse_recipe(translate_recipe()), words)
    row = job.examples.parts["val"][0]
    source = words.loc[row, "word"]
    words.loc[words["word"] == source, "reverse"] = "zzzzzzzz"  # longer than the others, too
    job = open_job(parse_recipe(translate_recipe()), words)
    joined = job.joined().examples
    assert "z" not in job.examples.target_vocabulary.tokens
    assert "z" in joined.target_vocabulary.tokens
    assert (job.examples.output_steps, joined.output_steps) == (6, 9)
    assert len(set(joined.answers[row].tolist())) == 2  # eight times z, then the end


def test_the_vocabularies_of_joined_tokens_know_the_val_tokens_and_no_test_token() -> None:
    frame = letters()
    twice = frame.groupby("word").cumcount() > 0
    frame.loc[twice, "letter"] = "q" + frame["word"].astype(str)  # a token of its own, twice, in each sequence
    job: Any = open_job(parse_recipe(tag_recipe(lines=None, series="word")), frame)
    joined = job.joined()
    own = {part: {f"q{number}" for number in numbers} for part, numbers in job.examples.parts.items()}
    first = set("abcdefghij")
    assert set(job.vocabularies.tokens.tokens) - first == own["train"]
    assert set(joined.vocabularies.tokens.tokens) - first == own["train"] | own["val"]
    known = joined.vocabularies.tokens
    for number in joined.examples.parts["val"]:
        assert joined.examples.inputs[0].sequences[number].tolist()[1:] == [known.number[f"q{number}"]] * 2


@pytest.mark.parametrize("name", ["whole", "tag_values"])
def test_the_scaler_of_joined_sequences_knows_the_val_rows(name: str) -> None:
    job = OTHERS[name]()
    joined = job.joined()
    prepared: Prepared = joined.prepared if name == "tag_values" else joined.examples.prepared
    sequences = joined.examples.inputs[0].sequences
    rows = [sequences[number] for number in joined.examples.parts["train"]]
    before = [job.examples.inputs[0].sequences[number] for number in joined.examples.parts["train"]]
    np.testing.assert_allclose(np.concatenate(rows).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.concatenate(rows).std(axis=0), 1, atol=1e-5)
    assert np.abs(np.concatenate(before).mean(axis=0)).max() > 1e-4
    assert prepared.scaler.columns == list(prepared.table.columns)


def test_baselines_of_joined_rows_choose_on_the_val_rows_that_train_had_not() -> None:
    rng = np.random.default_rng(0)
    frame = hourly_frame(400).assign(load=rng.normal(size=400))  # nothing to learn: the largest penalty is the best
    job: Any = open_job(parse_recipe(forecast_recipe()), frame)
    joined = job.joined()
    bundle = joined.bundle(joined.build(), {})
    chosen = next(peer for peer in fit_forecast_baselines(job.examples) if isinstance(peer, Ridge))
    refitted = next(peer for peer in bundle.baselines if isinstance(peer, Ridge))
    greedy = next(peer for peer in fit_forecast_baselines(joined.examples) if isinstance(peer, Ridge))
    assert refitted.about == chosen.about != greedy.about
    assert not np.allclose(refitted.weights, chosen.weights)
    assert [peer.name for peer in bundle.baselines] == [peer.name for peer in fit_forecast_baselines(job.examples)]
