"""Bundles watch new rows: what moves is told by its column, what cannot be compared says why."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import load, write_drift_page
from seq2seq_kit.cli import main
from seq2seq_kit.drift.result import Drift
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.results import TrainResult
from tests.conftest import ROOT, hourly_frame
from tests.exports.test_opened import BLOCKED, HEAVY
from tests.test_compatibility import FIXTURES, unpack

pytestmark = pytest.mark.slow
NEWEST = slice(860, 900)


def alarms(found: Drift) -> set[tuple[str, str]]:
    """Columns and statistics."""
    table = found.table().query("alarm")
    return set(zip(table["column"], table["statistic"], strict=True))


def codes(found: Drift) -> set[str]:
    return {each.code for each in found.findings}


@pytest.fixture(scope="module")
def bundle(levels_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The forecast with intervals, from its folder."""
    return load(levels_run.bundle.save(tmp_path_factory.mktemp("watched") / "bundle"))


@pytest.fixture(scope="module")
def usual(bundle: Any) -> Drift:
    """Rows that the model was judged on."""
    found: Drift = bundle.watch(hourly_frame(900)[NEWEST])
    return found


def test_a_stored_bundle_keeps_the_sums_of_its_rows_and_not_the_rows(bundle: Any, levels_run: TrainResult) -> None:
    kept = levels_run.bundle.reference  # type: ignore[attr-defined]
    assert bundle.reference.dump()[0] == kept.dump()[0]
    assert np.array_equal(bundle.reference.inputs.sums, kept.inputs.sums)
    assert bundle.reference.inputs.columns == ["load", "heat"]
    assert bundle.reference.answers.columns == ["load", "load, 80 %", "load, 95 %"]
    assert bundle.reference.rows >= 2


def test_usual_rows_give_a_table_of_every_statistic_and_no_alarm(usual: Drift) -> None:
    table = usual.table()
    assert not usual.drifted
    assert alarms(usual) == set()
    assert "No need to train again" in usual.advice
    named = set(zip(table["column"], table["statistic"], strict=True))
    assert {("load", "mean"), ("heat", "share of missing cells"), ("load", "mean error")} <= named
    assert ("load, 80 %", "coverage") in named
    of_load = table[(table["column"] == "load") & (table["statistic"] == "mean")]
    assert of_load["usual"].item() == pytest.approx(95, abs=6)  # in original units
    assert 1 < table[table["statistic"] == "spread of errors"]["usual"].item() < 30


@pytest.mark.parametrize(
    ("change", "column", "statistic", "code"),
    [
        (lambda f: f.assign(load=f["load"] + 100), "load", "mean", "inputs_drifted"),
        (lambda f: f.assign(load=f["load"] + 100), "load", "mean error", "errors_drifted"),
        (lambda f: f.assign(load=f["load"] + 100), "load, 95 %", "coverage", "coverage_drifted"),
        (lambda f: f.assign(heat=10 + 4 * (f["heat"] - 10)), "heat", "spread", "inputs_drifted"),
        (
            lambda f: f.assign(heat=f["heat"].where(np.arange(len(f)) % 3 > 0)),
            "heat",
            "share of missing cells",
            "inputs_drifted",
        ),
    ],
)
def test_what_moves_is_told_by_its_column(bundle: Any, change: Any, column: str, statistic: str, code: str) -> None:
    found = bundle.watch(change(hourly_frame(900)[NEWEST]))
    assert found.drifted
    assert (column, statistic) in alarms(found)
    assert code in codes(found)
    if code != "coverage_drifted":
        assert found.advice in next(each.advice for each in found.findings if each.code == code)


def test_without_ground_truth_the_inputs_are_compared_alone(bundle: Any) -> None:
    few = bundle.watch(hourly_frame(900)[-12:])  # no window fits
    assert codes(few) >= {"no_truth"}
    assert {each.what for each in few.groups} == {"inputs"}


def test_more_rows_than_the_reference_can_be_compared_with_are_told(bundle: Any) -> None:
    found = bundle.watch(hourly_frame(900)[400:])
    assert "rows_not_compared" in codes(found)
    assert all(each.rows < each.given for each in found.groups)


def test_what_cannot_be_watched_says_why(bundle: Any, tag_values_run: TrainResult) -> None:
    frame = hourly_frame(900)
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(ArgumentError) as rate:
            bundle.watch(frame, false_alarms=wrong)
        assert rate.value.code == "invalid_argument"
    with pytest.raises(DataError) as short:
        bundle.watch(frame[:1])
    assert short.value.code == "too_few_rows_to_watch"
    with pytest.raises(DataError) as rare:
        bundle.watch(frame, false_alarms=0.001)
    assert rare.value.code == "too_few_rows_to_watch"
    with pytest.raises(ArgumentError) as other:
        tag_values_run.bundle.watch(frame)
    assert other.value.code == "not_supported"


def test_a_bundle_of_before_takes_a_reference_of_usual_rows(tmp_path: Path) -> None:
    unpack(FIXTURES / "bundles" / "forecast_repeat.tar.xz", tmp_path)
    old: Any = load(tmp_path / "forecast_repeat")
    rows = pd.read_csv(FIXTURES / "answers" / "forecast_repeat" / "rows.csv")
    with pytest.raises(ArgumentError, match=r"watch --reference FILE") as refused:
        old.watch(rows)
    assert refused.value.code == "no_reference"
    referring = old.with_reference_rows(rows)
    referring.save(tmp_path / "new")
    assert referring.watch(rows, false_alarms=0.5).groups
    assert load(tmp_path / "new").reference.dump()[0] == referring.reference.dump()[0]  # type: ignore[attr-defined]


def test_autoencoders_of_windows_watch_their_reconstructions(autoencode_run: TrainResult) -> None:
    frame = hourly_frame()[-60:]
    found = autoencode_run.bundle.watch(frame.assign(heat=frame["heat"] * 4), false_alarms=0.1)
    assert {("heat", "mean"), ("heat", "mean error")} & alarms(found)
    assert {each.what for each in found.groups} == {"inputs", "errors and coverage"}


def test_next_step_models_watch_each_series_beside_its_own_past(next_step_run: TrainResult) -> None:
    bundle: Any = next_step_run.bundle
    assert bundle.reference.series == ["a", "b"]
    frame = hourly_frame(400, series=("a", "b"))
    one = frame[frame["site"] == "a"][-50:]
    found = bundle.watch(one.assign(load=one["load"] * 3), false_alarms=0.1)
    assert "series_missing" in codes(found)
    assert ("load", "mean") in alarms(found)


def test_the_page_needs_nothing_else_and_escapes_names(bundle: Any, tmp_path: Path) -> None:
    frame = hourly_frame(900)[NEWEST]
    found = bundle.watch(frame.assign(load=frame["load"] + 100))
    group = dataclasses.replace(found.groups[0].group, columns=["<b>load</b>", "heat"])
    odd = dataclasses.replace(found, groups=[dataclasses.replace(found.groups[0], group=group)])
    text = write_drift_page(odd, tmp_path / "page.html", title="Rows of <May>").read_text()
    assert "<b>load" not in text
    assert "&lt;b&gt;load" in text
    assert "Rows of &lt;May&gt;" in text
    assert "inputs_drifted" in text
    assert 'class="no"' in text
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("<img") == 3


def test_the_verb_writes_table_and_page_and_its_status_tells_an_alarm(
    bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle.save("bundle")
    frame = hourly_frame(900)[NEWEST]
    frame.to_csv("usual.csv", index=False)
    frame.assign(load=frame["load"] + 100).to_parquet("moved.parquet", index=False)
    assert main(["watch", "bundle", "--data", "usual.csv"]) == 0
    assert "No need to train again" in capsys.readouterr().out
    assert main(["watch", "bundle", "--data", "moved.parquet", "--out", "t.csv", "--report", "p.html"]) == 3
    said = capsys.readouterr().out
    assert "inputs_drifted" in said
    assert "in at most 0.05 of all cases" in said
    assert pd.read_csv("t.csv")["alarm"].any()
    assert Path("p.html").is_file()
    hourly_frame(900).to_csv("reference.csv", index=False)
    asked = ["watch", "bundle", "--data", "usual.csv", "--reference", "reference.csv", "--save", "other"]
    assert main(asked) == 0
    assert load("other").reference.rows == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options", [["--out", "a.html"], ["--report", "a.csv"], ["--save", "folder"]], ids=["out", "report", "save"]
)
def test_a_wrong_call_is_told_before_anything_is_loaded(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "nowhere", "--data", "a.csv", *options]) == 2
    assert "error[invalid_option]" in capsys.readouterr().err


def test_an_exported_folder_watches_without_tensorflow(bundle: Any, tmp_path: Path) -> None:
    frame = hourly_frame(900)
    bundle.export(tmp_path / "exported", frame=frame)
    bundle.save(tmp_path / "bundle")
    rows = frame[NEWEST].assign(load=lambda each: each["load"] + 40)
    rows.to_csv(tmp_path / "new.csv", index=False)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"{BLOCKED.format(blocked=HEAVY)}\nfrom seq2seq_kit.cli.main import main\nsys.exit(main({list(words)!r}))"
        )
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)

    done = run("watch", "exported", "--data", "new.csv", "--out", "drift.csv")
    expected = bundle.watch(rows)
    assert expected.drifted
    assert done.returncode == 3, done.stderr
    close: Any = {"rtol": 1e-4, "atol": 1e-4}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "drift.csv"), expected.table(), check_dtype=False, **close)
    for words, package in ((("exported", "--report", "drift.html"), "matplotlib"), (("bundle",), "keras")):
        done = run("watch", *words, "--data", "new.csv")
        assert done.returncode == 2
        assert f"error[missing_package]: this needs the package {package}" in done.stderr
