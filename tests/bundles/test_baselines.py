"""Baselines that predict in the model's place."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli import verbs
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.tasks import open_job
from tests.conftest import forecast_recipe, hourly_frame, slow_but
from tests.untyped import parse_recipe


def with_peers(frame: pd.DataFrame | None = None, **data: Any) -> Any:
    job: Any = open_job(parse_recipe(forecast_recipe(**data)), hourly_frame(400) if frame is None else frame)
    return job.bundle(job.build(), {}), job


def next_step() -> Any:
    recipe = forecast_recipe(framing="next_step", inputs=["load", "heat"], input_steps=24)
    del recipe["data"]["targets"]
    recipe["model"] = {"units": [6]}
    job: Any = open_job(parse_recipe(recipe), hourly_frame(400))
    return job.bundle(job.build(), {}), job


@pytest.mark.parametrize(
    "name", slow_but(["ridge", "last value", "seasonal naive (week)", "seasonal naive"], "ridge", "seasonal naive")
)
@pytest.mark.parametrize("made", [with_peers, next_step], ids=["horizon", "next step"])
def test_a_baseline_forecasts_what_it_was_evaluated_with(made: Any, name: str) -> None:
    bundle, job = made()
    prepared, frame = job.prepared, hourly_frame(400)
    windows = np.arange(prepared.count("test"))
    peer = next(peer for peer in bundle.baselines if peer.name.startswith(name))
    expected = peer(prepared, "test", windows)
    found = bundle.predict(frame, all_windows=True, baseline=name)
    first = prepared.table.times[prepared.windows["test"].target_rows(windows[:1])[0, 0]]
    at = found.index[(found["time"] == first) & (found["step"] == 1)][0]
    values = found[prepared.columns.targets].to_numpy()[at : at + expected.size // expected.shape[2]]
    np.testing.assert_allclose(values, expected.reshape(-1, expected.shape[2]), rtol=1e-4)


@pytest.mark.parametrize("name", ["ridge", "last value", "seasonal naive"])
def test_the_newest_forecast_of_a_baseline_has_the_columns_of_the_models(name: str) -> None:
    bundle, _ = with_peers()
    frame = hourly_frame(400)
    own, other = bundle.predict(frame), bundle.predict(frame, baseline=name)
    assert other.columns.tolist() == own.columns.tolist()
    assert other["time"].tolist() == own["time"].tolist()
    assert not np.allclose(other["load"], own["load"])


@pytest.mark.filterwarnings("ignore:this model was trained for")
def test_ridge_goes_on_from_its_own_output() -> None:
    bundle, _ = with_peers(inputs=["load", "heat"], targets=["load", "heat"])
    frame = hourly_frame(300)
    rolled = bundle.predict(frame, steps=9, baseline="ridge")
    block = bundle.predict(frame, baseline="ridge")
    more = bundle.predict(pd.concat([frame, block[["time", "load", "heat"]]], ignore_index=True), baseline="ridge")
    by_hand = pd.concat([block, more[:3]], ignore_index=True)
    np.testing.assert_allclose(rolled[["load", "heat"]], by_hand[["load", "heat"]], rtol=1e-4)


def test_a_next_step_models_ridge_has_any_number_of_steps() -> None:
    bundle, _ = next_step()
    short, whole = (bundle.predict(hourly_frame(300), steps=steps, baseline="ridge") for steps in (2, 8))
    assert (len(short), len(whole)) == (2, 8)
    np.testing.assert_allclose(short["load"], whole["load"][:2], rtol=1e-6)


def test_an_unknown_baseline_is_refused_with_those_at_hand() -> None:
    bundle, _ = with_peers()
    with pytest.raises(
        ArgumentError, match=r"last value, seasonal naive \(week\), ridge\. .*did you mean ridge"
    ) as caught:
        bundle.predict(hourly_frame(300), baseline="rigde")
    assert caught.value.code == "unknown_baseline"
    with pytest.raises(ArgumentError, match="saved without baselines"):
        replace(bundle, baselines=[]).predict(hourly_frame(300), baseline="ridge")


def test_the_command_line_forecasts_by_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, _ = with_peers()
    folder, rows, out = tmp_path / "bundle", tmp_path / "new.csv", tmp_path / "out.csv"
    bundle.save(folder)
    hourly_frame(400).to_csv(rows, index=False)
    words = ["predict", str(folder), "--data", str(rows)]
    assert main([*words, "--out", str(out), "--baseline", "ridge"]) == 0
    expected = bundle.predict(hourly_frame(400), baseline="ridge")
    np.testing.assert_allclose(pd.read_csv(out)["load"], expected["load"], rtol=1e-6)
    assert main([*words, "--baseline", "rigde"]) == 2
    assert "error[unknown_baseline]" in capsys.readouterr().err


def test_a_run_that_loses_says_how_to_use_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, job = with_peers()  # untrained: it loses
    board = job.report(bundle, "test")
    result: Any = type("Result", (), {"board": board, "test": board, "bundle": bundle})()
    better = verbs._better_baseline(result)
    assert better == result.test.best_baseline
    assert better is not None
    assert shlex.split(shlex.quote(better)) == [better]
    monkeypatch.setattr(type(result.test), "skill", 0.1)
    assert verbs._better_baseline(result) is None
