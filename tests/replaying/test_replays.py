"""Runs are trained again: what is linked, what is refused, and that the original stays as it is."""

import dataclasses
import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seq2seq_kit import parse_recipe, replay
from seq2seq_kit.cli import main
from seq2seq_kit.errors import ArgumentError, BundleError, DataError, RecipeError, TrackingError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.replaying import ReplayResult
from seq2seq_kit.replaying import run as module
from seq2seq_kit.replaying.rows import changes_of
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import BESIDE, digest_of
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.facts import RunFacts, read_facts
from tests.conftest import forecast_recipe, hourly_frame


def state_of(store: Path, run_id: str) -> tuple[Any, ...]:
    """All that MLflow holds of a run, and the digests of its files."""
    found = open_tracking(str(store)).client.get_run(run_id)
    files = sorted(path for path in (store / "artifacts").rglob("*") if path.is_file() and run_id in path.parts)
    assert files
    digests = [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return found.info.status, found.info.end_time, found.data.to_dictionary(), digests


@pytest.fixture(scope="module")
def replayed(store: Path, forecast_run: TrainResult) -> tuple[ReplayResult, tuple[Any, ...], tuple[Any, ...]]:
    """The shared forecast trained again, and what the original was before and after."""
    before = state_of(store, forecast_run.run_id)
    result = replay(forecast_run.run_id, data=hourly_frame(), tracking_uri=str(store))
    return result, before, state_of(store, forecast_run.run_id)


@pytest.mark.slow
def test_a_run_of_this_machine_is_replayed_bit_by_bit(replayed: tuple[ReplayResult, Any, Any]) -> None:
    result = replayed[0]
    assert result.verdict == "identical"
    assert [each.what for each in result.differences] == ["data", "versions", "curves", "figures", "predictions"]
    assert result.table()["largest"].tolist() == [0.0] * 5
    assert result.at_least("identical")


@pytest.mark.slow
def test_the_replay_is_a_run_linked_to_the_original_which_stays_as_it_was(
    replayed: tuple[ReplayResult, Any, Any], store: Path, forecast_run: TrainResult
) -> None:
    result, before, after = replayed
    assert before == after
    tracking = open_tracking(str(store))
    run, original = (tracking.client.get_run(each) for each in (result.run_id, forecast_run.run_id))
    assert run.info.experiment_id == original.info.experiment_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["replay.of"] == forecast_run.run_id
    assert run.data.tags["replay.verdict"] == "identical"
    assert run.data.metrics["replay/figures"] == 0.0
    assert result.original in run.data.tags["mlflow.note.content"].splitlines()[0]
    # The next training is named by what differs from the training before it, which no replay is.
    assert tracking.previous("first_forecast") == original.data.params


@pytest.mark.slow
def test_rows_must_be_handed_over_again_and_other_rows_are_told(store: Path, forecast_run: TrainResult) -> None:
    with pytest.raises(RecipeError) as missing:
        replay(forecast_run.run_id, tracking_uri=str(store))
    assert missing.value.code == "missing_source"
    with pytest.raises(ArgumentError) as bundle:
        replay(str(store), tracking_uri=str(store))
    assert bundle.value.code == "not_a_training"
    for wrong in ({"seeds": 1}, {"seeds": True}, {"seeds": 101}, {"tolerance": 0.0}, {"tolerance": float("nan")}):
        with pytest.raises(ArgumentError) as refused:
            replay(forecast_run.run_id, tracking_uri=str(store), **wrong)
        assert refused.value.code == "invalid_argument"
    with pytest.raises(TrackingError):
        replay("0" * 32, tracking_uri=str(store))


@pytest.mark.slow
def test_changed_rows_are_refused(store: Path, tag_run: TrainResult, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, tag_run.run_id, digest="of other rows")
    with pytest.raises(DataError, match=r"letters\.tsv holds other rows.*--data FILE") as refused:
        replay(tag_run.run_id, tracking_uri=str(store))
    assert refused.value.code == "data_changed"


def facts_of(folder: Path, **given: Any) -> RunFacts:
    """Of a run of which nothing else is known."""
    nothing: dict[str, Any] = {name: {} for name in ("tags", "types", "versions", "curves", "figures", "state")}
    known: dict[str, Any] = {
        "run_id": "r",
        "experiment": "e",
        "digest": "d",
        "rows": None,
        "golden": [],
        "output": np.zeros(1),
    }
    return RunFacts(**(nothing | known | {"bundle": folder} | given))


def test_what_changed_is_told_by_count_columns_and_levels(tmp_path: Path) -> None:
    jobs: list[Any] = [
        open_job(parse_recipe(forecast_recipe()), frame) for frame in (hourly_frame(300), hourly_frame(320))
    ]
    scaler = {"scaler": jobs[0].prepared.scaler.to_json()}
    types = {"time": "datetime", "load": "double", "wind": "double"}
    said = changes_of(facts_of(tmp_path, rows=300, types=types, state=scaler), jobs[1])
    assert said[:3] == ["300 rows then, 320 now", "without wind", "with heat"]
    assert said[3].startswith("training center of load")
    same = changes_of(facts_of(tmp_path, state=scaler), jobs[0])
    assert same == ["the training rows have the same levels: others, or single cells, differ"]


def test_a_digest_of_before_that_left_files_beside_the_rows_out_is_that_of_the_same_rows(tmp_path: Path) -> None:
    job: Any = open_job(parse_recipe(forecast_recipe()), hourly_frame(300))
    plain = digest_of(job.source, job.columns)
    job.source.attrs[BESIDE] = "of another file"
    now = digest_of(job.source, job.columns)
    assert now != plain
    assert module._digest_then(facts_of(tmp_path, digest=plain), job, now) == now
    assert module._digest_then(facts_of(tmp_path, digest="of other rows"), job, now) == "of other rows"


def changed(monkeypatch: pytest.MonkeyPatch, run: str, **values: Any) -> None:
    """Lets a run have been another one."""

    def read(tracking: Any, wanted: str, folder: Path) -> RunFacts:
        found = read_facts(tracking, wanted, folder)
        return dataclasses.replace(found, **values) if found.run_id == run else found

    monkeypatch.setattr(module, "read_facts", read)


def instead_of_training(monkeypatch: pytest.MonkeyPatch, results: list[TrainResult]) -> list[dict[str, Any]]:
    """Answers with results that there are already; what was asked of each is in the list that is returned."""
    asked: list[dict[str, Any]] = []

    def answer(job: Any, *rest: Any, **given: Any) -> TrainResult:
        asked.append(given | {"seed": job.recipe.seed})
        return results[len(asked) - 1]

    monkeypatch.setattr(module, "_train", answer)
    return asked


def with_error(result: TrainResult, rmse: float) -> TrainResult:
    """A training whose model has another error on each part."""
    boards = [SimpleNamespace(part=part, headline="rmse", metrics=lambda: {"rmse": rmse}) for part in ("val", "test")]
    return dataclasses.replace(result, val=boards[0], board=boards[1])  # type: ignore[arg-type]


@pytest.mark.slow
def test_seeds_are_trained_below_the_replay_where_numbers_differ(
    store: Path,
    forecast_run: TrainResult,
    replayed: tuple[ReplayResult, Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = replayed[0].trained
    error = trained.board.metrics()["rmse"]
    changed(monkeypatch, forecast_run.run_id, figures={"val/rmse": error, "test/rmse": error * 1.01})
    others = [with_error(trained, error * factor) for factor in (0.97, 1.02, 1.01)]
    asked = instead_of_training(monkeypatch, [trained, *others])
    result = replay(forecast_run.run_id, data=hourly_frame(), seeds=3, tracking_uri=str(store))
    assert result.verdict == "spread"
    assert [each["kind"] for each in asked] == ["replay", "seed", "seed", "seed"]
    assert [each["seed"] for each in asked] == [0, 1, 2, 3]
    assert {each.get("parent") for each in asked[1:]} == {trained.run_id}
    assert result.spread is not None
    assert result.spread.figures["val/rmse"][1:] == result.spread.figures["test/rmse"][1:]
    assert result.spread.figures["test/rmse"] == pytest.approx([error, *(error * f for f in (0.97, 1.02, 1.01))])


@pytest.mark.slow
@pytest.mark.parametrize("finished", [0, 1])  # trainings before the one that is cut short: none, or the replay itself
def test_a_replay_that_was_interrupted_has_no_verdict(
    finished: int,
    store: Path,
    forecast_run: TrainResult,
    replayed: tuple[ReplayResult, Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = replayed[0].trained
    cut = dataclasses.replace(trained, fit=dataclasses.replace(trained.fit, ended="interrupted"))
    changed(monkeypatch, forecast_run.run_id, figures={"val/rmse": 1.0, "test/rmse": 1.0})
    asked = instead_of_training(monkeypatch, [*[trained] * finished, cut])
    result = replay(forecast_run.run_id, data=hourly_frame(), seeds=3, tracking_uri=str(store))
    assert result.verdict == "interrupted"
    assert len(asked) == finished + 1
    assert not result.at_least("different")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verdict", "require", "status"),
    [
        ("identical", "identical", 0),
        ("rounding", "identical", 3),
        ("rounding", "rounding", 0),
        ("spread", "tolerance", 0),
        ("tolerance", "rounding", 3),
        ("different", "tolerance", 3),
        ("interrupted", "tolerance", 130),
    ],
)
def test_the_exit_status_tells_the_verdict(
    verdict: Any,
    require: str,
    status: int,
    replayed: tuple[ReplayResult, Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import seq2seq_kit.replaying

    judged = dataclasses.replace(replayed[0].judged, verdict=verdict)
    result = dataclasses.replace(replayed[0], judged=judged)
    monkeypatch.setattr(seq2seq_kit.replaying, "replay", lambda *given, **named: result)
    assert main(["replay", result.original, "--require", require]) == status
    assert result.said in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_a_run_that_was_cut_short_and_runs_that_are_no_training_are_refused(
    store: Path, forecast_run: TrainResult
) -> None:
    tracking = open_tracking(str(store))
    for tags, status, code in (
        ({"resume": "seq2seq-kit train --resume X"}, "KILLED", "run_unfinished"),
        ({}, "FAILED", "run_unfinished"),
        ({"sweep.kind": "trial", "mlflow.parentRunId": "sweep0"}, "FINISHED", "not_a_training"),
        ({"backtest.kind": "origin"}, "FINISHED", "not_a_training"),
        ({"backtest.kind": "backtest"}, "FINISHED", "not_a_training"),
    ):
        record = tracking.start("unfinished", name="x", tags=tags)
        record.end(status)
        with pytest.raises(ArgumentError) as refused:
            replay(record.run_id, tracking_uri=str(store))
        assert refused.value.code == code
    for given in ({"refit": True, "folds": None}, {"folds": 3}, {"backtest": {"windows": 4}}):
        sweep = tracking.start("unfinished", name="x", tags={"sweep.kind": "sweep"})
        sweep.params({"sweep": given})
        sweep.end("FINISHED")
        with pytest.raises(ArgumentError, match=rf"with sweep\.{next(iter(given))}, so") as refused:
            replay(sweep.run_id, tracking_uri=str(store))
        assert refused.value.code == "replay_not_supported"
    empty = tracking.start("unfinished", name="x", tags={})
    empty.end("FINISHED")
    with pytest.raises(TrackingError) as lacking:
        replay(empty.run_id, tracking_uri=str(store))
    assert lacking.value.code == "missing_artifact"


def test_a_loss_that_a_program_handed_over_is_refused(tmp_path: Path) -> None:
    recipe = parse_recipe(forecast_recipe(), {"training.loss": "own"})
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    with pytest.raises(ArgumentError, match="trained with a loss that a program handed over") as refused:
        module._recipe_of(facts_of(tmp_path), None)
    assert refused.value.code == "own_missing"


@pytest.mark.slow
def test_a_damaged_bundle_is_told_as_such(store: Path, forecast_run: TrainResult, tmp_path: Path) -> None:
    from seq2seq_kit.bundles.files import read_golden

    copy = open_tracking(str(store)).fetch(forecast_run.run_id, "bundle", tmp_path)
    (copy / "state.json").write_text("{}")
    with pytest.raises(BundleError) as refused:
        read_golden(copy)
    assert refused.value.code == "bundle_damaged"


def test_the_verb_answers_without_tensorflow_where_it_is_called_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "abcdef", "--out", "page.html"]) == 2
    assert "error[invalid_option]" in capsys.readouterr().err
    assert sys.modules["seq2seq_kit.cli.replaying"].DIFFERENT == 3
