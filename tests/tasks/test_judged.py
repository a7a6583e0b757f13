"""Labels of a run: read before the training, figures after it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies.comparison import DETECTOR, TITLES
from seq2seq_kit.errors import ArgumentError, DataError, RecipeError
from seq2seq_kit.judging import judge
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.judged import labels_of
from seq2seq_kit.tasks.registry import parse_recipe
from seq2seq_kit.tasks.whole.data import Sequences
from seq2seq_kit.tasks.windows import WindowJob
from tests.conftest import hourly_frame, next_step_recipe, waves_frame, whole_recipe

ROWS = 800
FAULTS = ((700, 711), (760, 767))


def frame_of() -> pd.DataFrame:
    rng, rows = np.random.default_rng(0), np.arange(ROWS)
    load = np.sin(2 * np.pi * rows / 24) + rng.normal(0, 0.05, ROWS)
    fault = np.zeros(ROWS, dtype=int)
    for first, last in FAULTS:
        load[first : last + 1], fault[first : last + 1] = 3.0, 1
    return pd.DataFrame({"when": pd.date_range("2024-01-01", periods=ROWS, freq="h"), "load": load, "fault": fault})


def recipe_of(*, task: str = "autoencode", detect: bool = True, **data: object) -> Any:
    section = {"time": "when", "every": "1h", "inputs": ["load"], "input_steps": 12, "labels": "fault"}
    if task == "forecast":
        section |= {"targets": ["load"], "output_steps": 4}
    return parse_recipe(
        {
            "task": task,
            "data": section | data,
            "model": {"encoder_units": [8], "decoder_units": [8]} | ({"latent_dim": 3} if task == "autoencode" else {}),
            "training": {"epochs": 1, "patience": None},
        }
        | ({"detect": {"smooth": 3}} if detect else {})
    )


def job_of(frame: pd.DataFrame | None = None, **given: Any) -> WindowJob:
    job = open_job(recipe_of(**given), frame_of() if frame is None else frame)
    assert isinstance(job, WindowJob)
    return job


@pytest.mark.parametrize("task", ["autoencode", "forecast"])
def test_a_detector_is_judged_beside_baselines_on_the_same_rows(task: str) -> None:
    job = job_of(task=task)
    model = job.build()
    bundle, _ = job.detecting(job.bundle(model, {}))
    found = job.judged(bundle)
    assert found is not None
    assert list(found.judged) == [DETECTOR, "sub-PCA", "matrix profile", "moving z-score", "random"]
    assert list(found.about) == list(found.judged)[1:]
    assert (found.rows, found.events) == (120, 2)
    assert found.title.startswith("2 labelled events in 120 test rows")
    assert list(found.table().columns) == ["score", *TITLES]
    assert found.figures()["auc_pr"] > found.figures("random")["auc_pr"]
    assert found.figures()["event_recall"] == 1.0


def test_who_is_better_by_more_than_chance_is_told() -> None:
    job = job_of()
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    found = job.judged(bundle)
    assert found is not None
    own = found.judged[DETECTOR].vus_pr
    better = {name for name in found.about if found.judged[name].vus_pr > 1.02 * own}
    told = {finding.code for finding in found.findings()}
    assert told == {
        f"loses_to_{name.removesuffix('-score').replace('-', '_').replace(' ', '_').lower()}" for name in better
    }


def test_labels_of_a_file_and_of_a_column_are_the_same(tmp_path: Path) -> None:
    frame = frame_of()
    spans = pd.DataFrame(
        {"start": [frame.when[first] for first, _ in FAULTS], "end": [frame.when[last] for _, last in FAULTS]}
    )
    spans.to_csv(tmp_path / "faults.csv", index=False)
    column, file = job_of(), job_of(labels=str(tmp_path / "faults.csv"))
    bundle, _ = column.detecting(column.bundle(column.build(), {}))
    one, other = column.judged(bundle), file.judged(bundle)
    assert one is not None
    assert other is not None
    assert one.table().equals(other.table())


@pytest.mark.parametrize(("end", "rows"), [("2024-01-30", 24), ("2024-01-30 00:00", 1), ("2024-01-31", 48)])
def test_an_end_without_a_time_of_day_is_the_whole_day(end: str, rows: int, tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text(f"start,end\n2024-01-30,{end}\n", encoding="utf-8")
    job = job_of(labels=str(tmp_path / "faults.csv"))
    labelled = labels_of(job.recipe, job.source, job.prepared)
    assert labelled is not None
    first = 29 * 24
    assert np.flatnonzero(labelled).tolist() == list(range(first, first + rows))


def test_labels_change_nothing_but_figures() -> None:
    frame = frame_of()
    with_labels, without = job_of(frame), job_of(frame.drop(columns="fault"), labels=None)
    assert with_labels.columns == without.columns
    assert (with_labels.prepared.matrix[:] == without.prepared.matrix[:]).all()
    bundle, _ = without.detecting(without.bundle(without.build(), {}))
    assert without.judged(bundle) is None


def test_wrong_labels_are_told_before_the_training() -> None:
    with pytest.raises(DataError) as told:
        job_of(frame_of().assign(fault=7)).check()
    assert told.value.code == "invalid_label"


def test_labels_that_judge_nothing_are_told_before_the_training() -> None:
    def codes(job: WindowJob) -> list[str]:
        return [finding.code for finding in job.check()]

    assert "labels_judge_nothing" not in codes(job_of())
    assert "labels_judge_nothing" in codes(job_of(frame_of().assign(fault=0)))
    assert "labels_judge_nothing" in codes(job_of(frame_of().assign(fault=1)))
    assert "labels_judge_nothing" in codes(job_of(task="forecast", detect=False))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"inputs": ["load", "fault"]}, "target_leak"),
        ({"weight": "fault"}, "target_leak"),
        ({"read": "row_groups"}, "conflicting_keys"),
    ],
)
def test_a_model_does_not_read_its_labels(data: dict[str, Any], code: str) -> None:
    with pytest.raises(RecipeError) as told:
        recipe_of(**data)
    assert (code, "data.labels") in {(problem.code, problem.key) for problem in told.value.problems}


def test_new_rows_are_judged_by_their_own_labels(tmp_path: Path) -> None:
    job = job_of()
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    frame = frame_of()
    found = bundle.detect(frame)
    assert found.labelled is not None
    assert found.scores.when[found.labelled].tolist() == frame.when[frame.fault == 1].tolist()
    judged = found.judged
    assert judged is not None
    assert list(judged.judged) == [DETECTOR]
    assert (judged.events, judged.rows) == (2, ROWS)
    assert judged.figures()["event_recall"] == 1.0
    counts = judged.judged[DETECTOR].counts
    assert counts.found + counts.false >= 2
    assert bundle.detect(frame.drop(columns="fault")).labelled is None  # nobody has labelled these
    other = bundle.detect(frame.drop(columns="fault").assign(bad=frame.fault), labels="bad")
    assert other.judged is not None
    assert other.judged.table().equals(judged.table())
    with pytest.raises(DataError) as told:
        bundle.detect(frame, labels="worse")
    assert told.value.code == "missing_column"


def test_a_file_of_intervals_is_of_the_rows_that_it_is_given_for(tmp_path: Path) -> None:
    frame, file = frame_of(), tmp_path / "faults.csv"
    spans = [(frame.when[first], frame.when[last]) for first, last in FAULTS]
    pd.DataFrame(spans, columns=["start", "end"]).to_csv(file, index=False)
    job = job_of(labels=str(file))
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    late = frame[740:].reset_index(drop=True)
    found = bundle.detect(late)  # the recipe's file is of more rows than these
    assert found.judged is not None
    assert found.judged.events == 1
    assert bundle.detect(frame[:690]).labelled is None
    asked = bundle.detect(late, labels=str(file))
    assert asked.judged is not None
    assert asked.judged.events == 1
    assert any("lie outside of the rows are passed over" in note for note in asked.notes)
    with pytest.raises(DataError) as told:  # none of them is of these rows
        bundle.detect(frame[:690], labels=str(file))
    assert told.value.code == "labels_outside_rows"


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["whole", "next_step"])
def test_other_framings_are_judged_too(framing: str, tmp_path: Path) -> None:
    if framing == "whole":
        frame = waves_frame(60).assign(fault=0)
        sequences = open_job(parse_recipe(whole_recipe()), frame).examples
        assert isinstance(sequences, Sequences)
        bad = frame["name"].isin([sequences.names[number] for number in sequences.parts["test"][::3]])
        rows = frame.index[bad & (frame.groupby("name").cumcount() == 2)]
        frame.loc[rows, ["x", "fault"]] = [90.0, 1]
        recipe = whole_recipe(labels="fault")
    else:
        frame = hourly_frame(600).assign(fault=0)
        frame.loc[560:563, ["heat", "fault"]] = [80.0, 1]
        recipe = next_step_recipe(labels="fault") | {"detect": {}}
    frame.to_csv(tmp_path / "rows.csv", index=False)
    recipe["data"]["source"] = str(tmp_path / "rows.csv")
    job = open_job(parse_recipe(recipe), None)
    assert "labels_judge_nothing" not in {finding.code for finding in job.check()}
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    found = job.judged(bundle)
    assert found is not None
    assert next(iter(found.judged)) == DETECTOR
    assert "random" in found.about
    assert found.figures()["event_recall"] > 0.9
    assert found.figures()["auc_pr"] > found.figures("random")["auc_pr"]
    again = judge(bundle)
    assert again is not None
    assert again.table().equals(found.table())
    assert judge(bundle, data=frame) is not None
    assert job.judged(replace(bundle, detector=None)) is None
    none = open_job(parse_recipe(recipe), frame.assign(fault=0))
    assert "labels_judge_nothing" in {finding.code for finding in none.check()}
    with pytest.raises(RecipeError) as told:
        parse_recipe(recipe | {"data": recipe["data"] | {"labels": recipe["data"]["inputs"][0]}})
    assert "target_leak" in {problem.code for problem in told.value.problems}


def test_who_has_no_detector_is_judged_by_nobody(tmp_path: Path) -> None:
    frame_of().to_csv(tmp_path / "rows.csv", index=False)
    job = open_job(recipe_of(task="forecast", detect=False, source=str(tmp_path / "rows.csv")), None)
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    assert judge(bundle) is None
    with pytest.raises(ArgumentError) as told:
        judge(bundle, labels="fault")
    assert told.value.code == "no_detector"


@pytest.mark.slow
def test_a_run_shows_what_its_labels_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlflow import MlflowClient

    from seq2seq_kit.cli import main

    frame_of().to_csv(tmp_path / "rows.csv", index=False)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"task: autoencode\ndata: {{source: {tmp_path / 'rows.csv'}, time: when, every: 1h, inputs: [load], input_steps: 12, "
        "labels: fault}\nmodel: {encoder_units: [8], decoder_units: [8]}\ntraining: {epochs: 1, patience: null}\n"
    )
    assert main(["train", str(recipe), "--tracking-uri", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert "oracle_f1" in printed
    assert "sub-PCA" in printed
    run_id = re.findall(r"run (\w+) ", printed)[0]
    words = [run_id, "--tracking-uri", str(tmp_path / "runs")]
    assert main(["evaluate", *words]) == 0
    again = capsys.readouterr().out
    assert [line for line in printed.splitlines() if "detector" in line or "sub-PCA" in line] == [
        line for line in again.splitlines() if "detector" in line or "sub-PCA" in line
    ]
    assert main(["evaluate", *words, "--data", str(tmp_path / "rows.csv")]) == 0
    assert "2 labelled events in 800 rows" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main(["detect", *words, "--data", str(tmp_path / "rows.csv"), "--page", str(page)]) == 0
    assert "oracle_f1" in capsys.readouterr().out
    assert "Of 2 labelled stretches" in page.read_text(encoding="utf-8")
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    run = client.search_runs([each.experiment_id for each in client.search_experiments()])[0]
    assert 0 < run.data.metrics["test/vus_pr"] <= 1
    assert "test_baselines/sub_PCA_vus_pr" in run.data.metrics
    assert "### Anomalies" in run.data.tags["mlflow.note.content"]
    assert any(file.path.endswith("anomaly_scores.csv") for file in client.list_artifacts(run.info.run_id))


@pytest.mark.parametrize("task", ["autoencode", "forecast"])
def test_findings_go_by_the_windows_without_a_labelled_row(task: str) -> None:
    job = job_of(task=task)
    bundle = job.bundle(job.build(), {})
    val, board = job.report(bundle, "val"), job.report(bundle, "test")
    normal = job.unlabelled(bundle, board)
    assert normal.unlabelled
    span = 12 if task == "autoencode" else 16
    rows = 120 + (0 if task == "autoencode" else 12)  # a forecast reads rows before the part
    assert board.windows == rows - span + 1
    fault = frame_of().fault.to_numpy(dtype=bool)[ROWS - rows :]
    assert normal.windows == sum(not fault[first : first + span].any() for first in range(rows - span + 1))
    assert normal.error_of() < board.error_of()
    assert job.unlabelled(bundle, val) is val, "no row of it is labelled"

    assert "val_and_test_differ" in {finding.code for finding in job.diagnose(val, board, [], all_epochs=False)}
    told = job.diagnose(val, normal, [], all_epochs=False)
    assert "val_and_test_differ" not in {finding.code for finding in told}
    assert all(
        "windows without labelled rows" in finding.text for finding in told if finding.code == "loses_to_baseline"
    )


@pytest.mark.parametrize("labelled", [0, 1])
def test_findings_go_by_all_windows_where_labels_leave_none_or_all(labelled: int) -> None:
    job = job_of(frame_of().assign(fault=labelled))
    bundle = job.bundle(job.build(), {})
    board = job.report(bundle, "test")
    assert job.unlabelled(bundle, board) is board
