"""A bundle of whole sequences encodes, rebuilds and scores frames of any lengths, and is the same in a fresh process."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks.whole.bundle import WholeBundle
from tests import forked
from tests.conftest import waves_frame
from tests.untyped import load, read_bundle


@pytest.fixture(scope="module")
def bundle(whole_run: TrainResult) -> WholeBundle:
    assert isinstance(whole_run.bundle, WholeBundle)
    return whole_run.bundle


@pytest.mark.slow
def test_a_run_is_trained_logged_and_evaluated_beside_the_baselines(whole_run: TrainResult) -> None:
    assert whole_run.test.names == ["model", "training mean", "own mean", "cosines (4)"]
    assert whole_run.fit.history[-1].val_loss < whole_run.fit.history[0].val_loss
    assert 0 < whole_run.test.metrics()["rmse"] < 2
    notes = [finding.text for finding in whole_run.findings if finding.code == "lengths"]
    assert notes == ["sequences of 5 to 15 steps, the median is 9"]


def test_codes_have_a_row_for_each_sequence(bundle: WholeBundle) -> None:
    frame = waves_frame(6, seed=3)
    codes = bundle.encode(frame)
    assert list(codes) == ["name", "steps", "latent_0", "latent_1", "latent_2", "latent_3"]
    assert codes["name"].tolist() == [f"w{number}" for number in range(6)]
    assert codes["steps"].tolist() == frame.groupby("name", sort=False).size().tolist()


def test_a_sequence_alone_is_encoded_and_rebuilt_as_among_others(bundle: WholeBundle) -> None:
    frame = waves_frame(9, seed=3)
    codes, rebuilt, scores = bundle.encode(frame), bundle.reconstruct(frame), bundle.score(frame)
    assert frame.groupby("name").size().nunique() > 2
    for name, own in frame.groupby("name", sort=False):
        for among, alone in (
            (codes, bundle.encode(own)),
            (rebuilt, bundle.reconstruct(own)),
            (scores, bundle.score(own)),
        ):
            expected = among[among["name"] == name].reset_index(drop=True)
            pd.testing.assert_frame_equal(alone, expected, rtol=1e-4, atol=1e-5)


def test_a_reconstruction_has_every_row_in_original_units(bundle: WholeBundle) -> None:
    frame = waves_frame(9, seed=3)
    rebuilt = bundle.reconstruct(frame)
    assert list(rebuilt) == ["name", "step", "x", "y"]
    assert rebuilt["name"].tolist() == frame["name"].tolist()
    assert rebuilt["step"].tolist() == (frame.groupby("name").cumcount() + 1).tolist()
    assert np.abs(rebuilt["x"] - 10).mean() < 5  # x lies between 7 and 13


def test_a_score_is_the_root_mean_square_over_the_steps(bundle: WholeBundle) -> None:
    frame = waves_frame(9, seed=3)
    scores, steps = bundle.score(frame), bundle.score(frame, by="step")
    error = bundle.reconstruct(frame)[["x", "y"]] - frame[["x", "y"]]
    scale = bundle.scaler.scale[0]
    np.testing.assert_allclose(steps["x_error"], error["x"].abs(), rtol=1e-6)
    np.testing.assert_allclose(steps["y_error_scaled"], error["y"].abs() / scale[1], rtol=1e-6)
    own = (frame["name"] == "w4").to_numpy()
    row = scores[scores["name"] == "w4"].iloc[0]
    assert row["x_error"] == pytest.approx(float(np.sqrt((error["x"][own] ** 2).mean())))
    assert row["reconstruction_error"] == pytest.approx(float(np.sqrt(((error[own] / scale) ** 2).to_numpy().mean())))
    pd.testing.assert_frame_equal(bundle.score(frame, by="window"), scores)


def test_an_unusual_sequence_scores_worst(bundle: WholeBundle) -> None:
    frame = waves_frame(9, seed=3)
    frame.loc[frame["name"] == "w5", "x"] += 30
    assert bundle.score(frame).sort_values("reconstruction_error")["name"].iloc[-1] == "w5"


def test_the_evaluation_of_the_run_is_repeated_on_its_rows(bundle: WholeBundle, whole_run: TrainResult) -> None:
    from seq2seq_kit.tasks import open_job

    job = open_job(whole_run.recipe, waves_frame())
    names = [job.examples.names[number] for number in job.examples.parts["test"]]  # type: ignore[attr-defined]
    frame = waves_frame()
    board = bundle.evaluate(frame[frame["name"].isin(names)])
    for name in whole_run.test.names:
        assert board.metrics(name)["rmse"] == pytest.approx(whole_run.test.metrics(name)["rmse"], rel=1e-5)


@pytest.mark.slow
def test_a_fresh_process_scores_the_same(bundle: WholeBundle, tmp_path: Path) -> None:
    frame = waves_frame(6, seed=3)
    frame.to_csv(tmp_path / "new.csv", index=False)
    folder = bundle.save(tmp_path / "bundle")
    command = [sys.executable, "-m", "seq2seq_kit", "score", str(folder), "--data", "new.csv", "--out", "out.csv"]
    done = forked.run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    received, expected = pd.read_csv(tmp_path / "out.csv"), bundle.score(frame)
    np.testing.assert_allclose(received.iloc[:, 1:], expected.iloc[:, 1:], rtol=1e-4)


def test_the_run_loads_from_mlflow_and_its_page_is_whole(whole_run: TrainResult, store: Path) -> None:
    from seq2seq_kit.tracking.client import open_tracking

    again = load(whole_run.run_id, tracking_uri=str(store))
    frame = waves_frame(6, seed=3)
    pd.testing.assert_frame_equal(again.encode(frame), whole_run.bundle.encode(frame), rtol=1e-5)
    figures = open_tracking(str(store)).fetch(whole_run.run_id, "figures", store.parent / "whole_figures")
    names = {path.name for path in Path(figures).iterdir()}
    pictures = {"loss_curves.png", "reconstructions.png", "error_by_length.png", "model.png"}
    assert names == pictures | {"anomalies.html", "latent_space.html"}


def test_a_saved_bundle_keeps_its_peers_and_answers(bundle: WholeBundle, tmp_path: Path) -> None:
    again = read_bundle(bundle.save(tmp_path / "bundle"))
    assert again.baselines == bundle.baselines
    frame = waves_frame(6, seed=3)
    pd.testing.assert_frame_equal(again.answer(frame), bundle.score(frame), rtol=1e-5)
    assert again.ignored_columns(frame.assign(z=1.0)) == ["z"]


def test_what_does_not_fit_is_told(bundle: WholeBundle) -> None:
    frame = waves_frame(6, seed=3)
    with pytest.raises(ArgumentError, match=r"whole sequences, which have no stride\. Received: stride=2"):
        bundle.encode(frame, stride=2)
    with pytest.raises(ArgumentError, match=r"by must be 'sequence' or 'step'\. Received: by='day'"):
        bundle.score(frame, by="day")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="lacks the column name"):
        bundle.encode(frame.drop(columns="name"))
