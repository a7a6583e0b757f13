"""Labels of a run: read before the training, figures after it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies.comparison import DETECTOR, TITLES
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.registry import parse_recipe
from seq2seq_kit.tasks.windows import WindowJob

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
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    run = client.search_runs([each.experiment_id for each in client.search_experiments()])[0]
    assert 0 < run.data.metrics["test/vus_pr"] <= 1
    assert "test_baselines/sub_PCA_vus_pr" in run.data.metrics
    assert "### Anomalies" in run.data.tags["mlflow.note.content"]
    assert any(file.path.endswith("anomaly_scores.csv") for file in client.list_artifacts(run.info.run_id))
