"""Runs in MLflow's registry: who gets an alias, what the registry tells, and that a name of it stands wherever a run does."""

from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import load, register, report, train
from seq2seq_kit.cli import main
from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.registry import _described

Runs = tuple[Path, Path, dict[str, TrainResult]]
FITS: dict[str, dict[str, float]] = {
    "weak": {"epochs": 1, "learning_rate": 1e-6},
    "good": {"epochs": 12},
    "best": {"epochs": 40},
}


def logistic_frame(rows: int = 500) -> pd.DataFrame:
    """A parabola of the row before it, which no linear baseline sees, and a column of noise."""
    rng, values = np.random.default_rng(0), [0.3]
    for _ in range(rows - 1):
        values.append(3.9 * values[-1] * (1 - values[-1]))
    return pd.DataFrame({"x": values, "noise": rng.normal(size=rows)})


def recipe_of(source: Path, fit: dict[str, float], **data: Any) -> dict[str, Any]:
    section = {"source": str(source), "inputs": ["x"], "targets": ["x"], "input_steps": 2, "output_steps": 1}
    return {
        "task": "forecast",
        "name": "parabola",
        "data": section | data,
        "model": {"encoder_units": [16], "decoder_units": [16], "normalise": "none", "linear_skip": False},
        "training": {"learning_rate": 0.02, "batch_size": 32} | fit,
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A store of its own, the file with the rows, and runs of growing skill, the last with another input."""
    folder = tmp_path_factory.mktemp("registry")
    source = folder / "rows.csv"
    logistic_frame().to_csv(source, index=False)
    store = folder / "mlruns"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "draw", lambda *_: {})
        made = {name: train(recipe_of(source, fit), tracking_uri=str(store)) for name, fit in FITS.items()}
        other = recipe_of(source, FITS["good"], inputs=["x", "noise"], input_steps=3)
        made["other"] = train(other, tracking_uri=str(store))
    return store, source, made


def told(store: Path, number: str, name: str = "parabola") -> Any:
    return open_tracking(str(store)).client.get_model_version(name, number)


def test_only_a_run_that_beats_baselines_and_incumbent_gets_the_alias(runs: Runs) -> None:
    store, _, made = runs
    weak, good, best = (made[name] for name in FITS)
    assert weak.board.skill < 0 < good.board.skill < best.board.skill

    refused = register(weak.run_id, alias="champion", tracking_uri=str(store))
    assert not refused.registered
    assert [each.code for each in refused.findings] == ["loses_to_baselines"]
    assert open_tracking(str(store)).client.search_registered_models() == []

    first = register(good.run_id, alias="champion", tracking_uri=str(store))
    assert (first.name, first.version, first.registered, first.findings) == ("parabola", "1", True, [])
    version = told(store, "1")
    assert (version.run_id, version.aliases) == (good.run_id, ["champion"])
    assert version.tags["seq2seq_kit.champion.forced"] == "no"
    assert float(version.tags["seq2seq_kit.skill"]) == pytest.approx(good.board.skill, rel=1e-4)
    again = register(good.run_id, alias="champion", tracking_uri=str(store))
    assert (again.registered, again.version) == (True, "1")

    better = register(best.run_id, alias="champion", tracking_uri=str(store))
    assert (better.registered, better.version) == (True, "2")
    assert better.incumbent
    assert better.incumbent[1] == good.board.error_of()  # the stored one: nothing is computed again
    assert better.table()["error"].tolist() == pytest.approx(
        [best.board.error_of(), good.board.error_of(), best.board.error_of(best.board.best_baseline)]
    )
    version = told(store, "2")
    assert version.aliases == ["champion"]
    assert told(store, "1").aliases == []
    assert version.tags["seq2seq_kit.champion.incumbent_run"] == good.run_id
    assert f"{good.board.error_of():.6g}" in version.description
    assert f"{best.board.error_of():.6g}" in version.description

    worse = register(good.run_id, alias="champion", tracking_uri=str(store))
    assert (worse.registered, worse.version) == (False, "2")
    assert [each.code for each in worse.findings] == ["loses_to_incumbent"]
    assert told(store, "2").aliases == ["champion"]


def test_a_run_is_registered_by_force_with_a_note(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    store, _, made = runs
    call = ["register", made["weak"].run_id, "--alias", "champion", "--name", "forced", "--tracking-uri", str(store)]
    assert main(call) == 3
    assert "not registered; no version has the alias champion of forced" in capsys.readouterr().out
    assert main([*call, "--force"]) == 0
    assert "models:/forced@champion" in capsys.readouterr().out
    version = told(store, "1", "forced")
    assert version.tags["seq2seq_kit.champion.forced"] == "yes"
    assert "by force" in version.description


def test_what_one_alias_says_of_a_version_stays_when_it_gets_another(runs: Runs) -> None:
    store, _, made = runs
    into = partial(register, name="aliases", tracking_uri=str(store))
    assert into(made["best"].run_id, alias="champion").version == "1"
    assert into(made["good"].run_id, alias="champion", force=True).version == "2"
    assert into(made["good"].run_id, alias="third").version == "2"
    version = told(store, "2", "aliases")
    tags = version.tags
    assert (tags["seq2seq_kit.champion.forced"], tags["seq2seq_kit.third.forced"]) == ("yes", "no")
    assert tags["seq2seq_kit.champion.incumbent_run"] == made["best"].run_id
    assert "seq2seq_kit.third.incumbent_run" not in tags
    assert "Registered as champion by force: " in version.description
    assert version.description.count(f"Run {made['good'].run_id}") == 1
    # Once more to the same alias, which nobody has now: the incumbent of the first time was none of this time.
    open_tracking(str(store)).client.delete_registered_model_alias("aliases", "champion")
    assert into(made["good"].run_id, alias="champion").version == "2"
    tags = told(store, "2", "aliases").tags
    assert tags["seq2seq_kit.champion.forced"] == "no"
    assert "seq2seq_kit.champion.incumbent_run" not in tags


def test_a_description_stays_as_long_as_a_store_takes_it() -> None:
    before = ""
    for number in range(100):
        before = _described(before, ["Run 1", f"{number}: {'x' * 100}"])
    assert before.startswith("Run 1\n\n")
    assert "\n\n99: " in before
    assert len(before) <= 5_000


def test_runs_with_other_inputs_are_evaluated_on_the_same_rows(runs: Runs) -> None:
    store, source, made = runs
    into = partial(register, alias="champion", name="inputs", tracking_uri=str(store))
    assert into(made["other"].run_id).registered
    found = into(made["best"].run_id)
    assert found.registered
    assert found.incumbent
    assert found.incumbent[1] == pytest.approx(made["other"].board.error_of(), rel=1e-6)
    # Other test rows of the same file: each is judged on those of the challenger.
    worse = into(made["good"].run_id)
    assert [each.code for each in worse.findings] == ["loses_to_incumbent"]

    rows = source.read_text()
    source.write_text(rows.replace("0.3,", "0.31,", 1))
    try:
        with pytest.raises(ArgumentError, match="has changed since") as caught:
            into(made["other"].run_id)
        assert caught.value.code == "not_comparable"
        forced = into(made["other"].run_id, force=True)
        assert forced.registered
        assert "incumbent_not_compared" in [each.code for each in forced.findings]
    finally:
        source.write_text(rows)


def test_a_name_of_the_registry_stands_wherever_a_run_does(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, source, made = runs
    uri = str(store)
    register(made["good"].run_id, alias="served", name="names", tracking_uri=uri)
    frame = logistic_frame()
    expected = made["good"].bundle.predict(frame)
    model = told(store, "1", "names").source.removeprefix("models:/")
    assert register(made["good"].run_id, alias="second", name="names", tracking_uri=uri).version == "1"
    for name in ("models:/names@served", "models:/names/1", "models:/names/latest", f"models:/{model}"):
        pd.testing.assert_frame_equal(load(name, tracking_uri=uri).predict(frame), expected)
    out = tmp_path / "ahead.csv"
    call = ["predict", "models:/names@served", "--data", str(source), "--out", str(out), "--tracking-uri", uri]
    assert main(call) == 0
    np.testing.assert_allclose(pd.read_csv(out)["x"], expected["x"])
    assert report("models:/names@served", out=tmp_path / "run.html", tracking_uri=uri).exists()
    assert main(["evaluate", "models:/names/1", "--tracking-uri", uri]) == 0
    # What was registered by MLflow alone is the kit's, too.
    mlflow.set_tracking_uri(f"sqlite:///{store}/mlflow.db")
    by_hand = mlflow.register_model(f"models:/{model}", "by_hand")
    assert load(f"models:/by_hand/{by_hand.version}", tracking_uri=uri).info["run_id"] == made["good"].run_id


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("models:/nams@served", "unknown_model", "did you mean names"),
        ("models:/names@serve", "unknown_alias", "served; did you mean served"),
        ("models:/names/7", "unknown_version", "it has 1"),
        ("models:/names/Production", "bad_model_uri", "models:/NAME@ALIAS"),
        ("models:/", "bad_model_uri", "models:/NAME@ALIAS"),
        ("models:/foreign/1", "foreign_model", "no model of this kit"),
        ("models:/m-" + "0" * 32, "foreign_model", "no model of this kit"),
    ],
)
def test_what_the_registry_has_not_is_told(runs: Runs, name: str, code: str, said: str) -> None:
    store, _, made = runs
    register(made["good"].run_id, alias="served", name="names", tracking_uri=str(store))
    client = open_tracking(str(store)).client
    if not any(each.name == "foreign" for each in client.search_registered_models()):
        client.create_registered_model("foreign")
        client.create_model_version("foreign", str(store))
    with pytest.raises(TrackingError, match=said) as caught:
        load(name, tracking_uri=str(store))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("alias", "name", "code"),
    [("v3", "x", "bad_alias"), ("a b", "x", "bad_alias"), ("latest", "x", "bad_alias"), ("a", "a/b", "bad_model_name")],
)
def test_names_that_mlflow_would_not_take_are_refused(runs: Runs, alias: str, name: str, code: str) -> None:
    store, _, made = runs
    with pytest.raises(ArgumentError) as caught:
        register(made["good"].run_id, alias=alias, name=name, tracking_uri=str(store))
    assert caught.value.code == code


def test_a_run_that_has_not_ended_has_no_figures(runs: Runs) -> None:
    store = runs[0]
    run = open_tracking(str(store)).client.create_run("0")
    with pytest.raises(ArgumentError) as caught:
        register(run.info.run_id, alias="champion", tracking_uri=str(store))
    assert caught.value.code == "run_unfinished"
