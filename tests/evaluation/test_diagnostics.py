"""Each finding appears where it should, and only there."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.evaluation import Evaluation, evaluate_part, fit_forecast_baselines
from seq2seq_kit.evaluation.baselines import LastValue
from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from seq2seq_kit.tasks.autoencode.task import AutoencodeJob
from seq2seq_kit.tasks.forecast.task import ForecastJob
from seq2seq_kit.tasks.next_step.data import as_forecast
from seq2seq_kit.tasks.next_step.task import NextStepJob
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe

examine_forecast, examine_autoencoder, examine_next_step = (
    job.diagnose for job in (ForecastJob, AutoencodeJob, NextStepJob)
)
LEVELS = np.array([-10.0, 10.0])  # the truth; its variance is 100


def evaluation(rmse: float, baseline: float = 100.0, *, from_last_value: float | None = None) -> Evaluation:
    """An evaluation with these RMSEs."""
    truth = np.tile(LEVELS, 50).reshape(100, 1, 1)

    def sums(error: float) -> ErrorSums:
        return ErrorSums((1, 1, 1), np.zeros((1, 1))).add(truth, truth + error, np.zeros(100, dtype=int))

    return Evaluation(
        part="test",
        windows=100,
        steps=1,
        targets=["load"],
        series=[""],
        sums={"model": sums(rmse), "easy": sums(10 * baseline), "hard": sums(baseline)},
        scale=np.ones((1, 1)),
        naive=np.ones((1, 1)),
        from_last_value=from_last_value,
    )


def forecast_findings(
    *,
    rmse: float = 1.0,
    baseline: float = 2.0,
    val_rmse: float | None = None,
    from_last_value: float = 100.0,
    losses: Sequence[float] = (3.0, 1.0, 1.0),
    all_epochs: bool = True,
) -> list[Finding]:
    val = evaluation(rmse if val_rmse is None else val_rmse)
    test = evaluation(rmse, baseline, from_last_value=from_last_value)
    return examine_forecast(val, test, losses, all_epochs=all_epochs)


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_nothing_is_said_of_a_good_forecast() -> None:
    assert forecast_findings() == []


def test_nothing_is_said_of_a_good_autoencoder() -> None:
    assert examine_autoencoder(evaluation(1.0), evaluation(1.0), [3.0, 1.0, 1.0], all_epochs=True) == []


@pytest.mark.parametrize(("distance", "said"), [(0.5, True), (0.999, True), (1.0, False), (5.0, False)])
def test_a_forecast_nearer_to_the_last_value_than_to_the_truth_repeats_it(distance: float, said: bool) -> None:
    found = forecast_findings(from_last_value=distance)
    assert codes(found) == (["repeats_last_value"] if said else [])
    if said:
        assert found[0].level == "warning"
        assert f"nearer to the newest input (RMSE {distance:.4g})" in found[0].text
        assert found[0].text.endswith("(RMSE 1)")


@pytest.mark.parametrize(
    ("baseline", "code", "text"),
    [
        (2.0, None, ""),
        (1.03, None, ""),
        (
            1.02,
            "ties_with_baseline",
            "ties with the baseline hard on the test windows (RMSE 1 against 1.02, skill +0.020)",
        ),
        (1.0, "ties_with_baseline", "ties with the baseline hard on the test windows (RMSE 1 against 1, skill 0.000)"),
        (0.985, "ties_with_baseline", "RMSE 1 against 0.985, skill -0.015"),
        (
            0.97,
            "loses_to_baseline",
            "loses to the baseline hard on the test windows (RMSE 1 against 0.97, skill -0.031)",
        ),
        (0.1, "loses_to_baseline", "RMSE 1 against 0.1, skill -9.000"),
    ],
)
def test_a_tie_and_a_loss_are_told_apart_and_name_the_hardest_baseline(
    baseline: float, code: str | None, text: str
) -> None:
    autoencoder = examine_autoencoder(evaluation(1.0), evaluation(1.0, baseline), [1.0], all_epochs=True)
    for found in (forecast_findings(baseline=baseline), autoencoder):
        assert codes(found) == ([code] if code else [])
        assert all(text in finding.text and finding.level == "warning" for finding in found)


def test_a_baseline_without_error_is_lost_to() -> None:
    found = forecast_findings(baseline=0.0)
    assert codes(found) == ["loses_to_baseline"]
    assert (
        found[0].text
        == "loses to the baseline easy on the test windows (RMSE 1 against 0, which is exact up to rounding)"
    )
    assert forecast_findings(rmse=0.0, baseline=0.0, from_last_value=1.0) == []


@pytest.mark.parametrize(
    ("losses", "all_epochs", "gain"),
    [
        ((4.0, 2.0, 1.0), True, "50.0%"),
        ((4.0, 2.0, 1.96), True, "2.0%"),
        ((4.0, 2.0, 1.99), True, None),
        ((4.0, 1.0, 1.5), True, None),
        # down from the epoch before, and not from the best
        ((4.0, 1.0, 1.5, 1.1), True, None),
        ((4.0, 2.0, 1.0), False, None),
        ((4.0,), True, None),
        ((), False, None),
    ],
)
def test_a_fit_that_ran_out_of_epochs_while_it_improved_is_told(
    losses: tuple[float, ...], all_epochs: bool, gain: str | None
) -> None:
    autoencoder = examine_autoencoder(evaluation(1.0), evaluation(1.0), losses, all_epochs=all_epochs)
    for found in (forecast_findings(losses=losses, all_epochs=all_epochs), autoencoder):
        assert codes(found) == (["still_improving"] if gain else [])
        for finding in found:
            assert finding.level == "note"
            assert finding.text == f"still improving at the last epoch: the validation loss fell by another {gain}"
            assert finding.advice == f"Raise training.epochs (now {len(losses)})"


@pytest.mark.parametrize(
    ("val", "factor"), [(1.0, None), (0.7, None), (1.4, None), (0.5, "2.0"), (0.6, "1.7"), (1.6, "1.6"), (4.0, "4.0")]
)
def test_validation_and_test_that_differ_are_told_with_the_factor(val: float, factor: str | None) -> None:
    found = forecast_findings(val_rmse=val)
    assert codes(found) == (["val_and_test_differ"] if factor else [])
    for finding in found:
        assert finding.text == f"validation and test differ by a factor of {factor} (RMSE {val:g} and 1)"


def test_a_perfect_validation_raises_no_alarm() -> None:
    assert forecast_findings(val_rmse=0.0) == []


@pytest.mark.parametrize(("rmse", "said"), [(10.0, True), (9.8, True), (9.7, False), (12.0, True)])
def test_an_autoencoder_without_r2_returns_the_mean(rmse: float, said: bool) -> None:
    found = examine_autoencoder(evaluation(rmse), evaluation(rmse), [1.0], all_epochs=True)
    assert codes(found) == (["returns_the_mean"] if said else [])
    if said:
        assert found[0].text == f"the autoencoder returns the mean: R2 {1 - rmse**2 / 100:.3f} on the test windows"


def test_a_forecast_is_not_judged_by_r2() -> None:
    assert forecast_findings(rmse=12.0, baseline=100.0) == []


def test_several_findings_come_together() -> None:
    found = forecast_findings(baseline=0.5, from_last_value=0.1, losses=[2.0, 1.0], val_rmse=3.0)
    assert codes(found) == ["repeats_last_value", "loses_to_baseline", "still_improving", "val_and_test_differ"]


def on_both_parts(prepared: Prepared, model: str, *, forecast: bool) -> list[Finding]:
    """What is said of a model that does one obvious thing."""

    def predict(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        truth, rng = prepared.truth(part, windows), np.random.default_rng(0)
        if model == "repeats":
            newest = prepared.windows[part].input_rows(windows)[:, -1]
            return np.repeat(prepared.table.values[newest][:, None, :1], truth.shape[1], axis=1)
        if model == "means":
            return np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)
        return truth + rng.normal(scale=0.1, size=truth.shape)

    peers = fit_forecast_baselines(prepared) if forecast else fit_autoencode_baselines(prepared, latent_dim=2)
    val, test = (evaluate_part(prepared, part, predict, peers) for part in ("val", "test"))
    return (examine_forecast if forecast else examine_autoencoder)(val, test, [1.0], all_epochs=True)


def test_a_model_that_repeats_the_last_value_is_found_out() -> None:
    recipe = parse_recipe(forecast_recipe(input_steps=12))
    prepared = prepare(recipe.data, hourly_frame(600))
    assert codes(on_both_parts(prepared, "repeats", forecast=True)) == ["repeats_last_value", "loses_to_baseline"]
    assert codes(on_both_parts(prepared, "knows", forecast=True)) == []


def test_an_autoencoder_that_returns_the_mean_is_found_out() -> None:
    prepared = prepare(parse_recipe(autoencode_recipe(input_steps=12)).data, hourly_frame(600))
    assert codes(on_both_parts(prepared, "means", forecast=False)) == ["returns_the_mean", "loses_to_baseline"]
    assert codes(on_both_parts(prepared, "knows", forecast=False)) == []


def test_every_finding_says_what_to_do() -> None:
    found = [
        *forecast_findings(baseline=0.5, from_last_value=0.1, losses=[2.0, 1.0], val_rmse=3.0),
        *forecast_findings(baseline=1.0),
        *examine_autoencoder(evaluation(10.0), evaluation(10.0), [1.0], all_epochs=True),
    ]
    assert len(set(codes(found))) == 6
    for finding in found:
        assert finding.advice
        assert str(finding) == f"{finding.text}. {finding.advice}"


def test_a_validation_loss_of_nought_is_no_gain() -> None:
    still = examine_forecast(evaluation(0.0), evaluation(0.0), [0.0, 0.0], all_epochs=True)
    assert "still_improving" not in [found.code for found in still]


def test_a_loss_of_nought_before_the_last_epoch_and_a_perfect_test_divide_nothing() -> None:
    found = examine_autoencoder(evaluation(1.0), evaluation(0.0), [0.0, 1.0], all_epochs=True)
    assert codes(found) == []


def next_step_evaluation(one_step: float, later: float) -> Evaluation:
    """A model with these RMSEs at steps 1 and 2, beside a newest row that is 2.0 off at both."""
    truth = np.tile(LEVELS, 50).reshape(100, 1, 1) * np.ones((1, 2, 1))

    def sums(errors: Sequence[float]) -> ErrorSums:
        error = np.array(errors).reshape(1, 2, 1)
        return ErrorSums((1, 2, 1), np.zeros((1, 1))).add(truth, truth + error, np.zeros(100, dtype=int))

    return Evaluation(
        part="val",
        windows=100,
        steps=2,
        targets=["load"],
        series=[""],
        sums={"model": sums([one_step, later]), "last value": sums([2.0, 2.0])},
        scale=np.ones((1, 1)),
        naive=np.ones((1, 1)),
        from_last_value=None,
    )


@pytest.mark.parametrize(
    ("one_step", "copies"), [(2.0, True), (1.97, True), (2.03, True), (1.95, False), (2.05, False), (0.5, False)]
)
def test_a_model_that_copies_one_step_ahead_is_told(one_step: float, copies: bool) -> None:
    val = next_step_evaluation(one_step, 0.1)
    findings = examine_next_step(val, next_step_evaluation(0.1, 0.1), [1.0, 0.9], all_epochs=False)
    assert [finding.code for finding in findings if finding.code == "copies_last_step"] == ["copies_last_step"] * copies
    if copies:
        assert "no better than repeating the newest row" in findings[0].text
        assert "framing: horizon" in findings[0].advice
        assert "differences" in findings[0].advice


def test_a_random_walk_is_copied() -> None:
    # The best forecast of a walk's next step is the newest row, and a model that has found that out is told of it.
    walk = np.cumsum(np.random.default_rng(0).normal(size=600))
    recipe = parse_recipe(
        {
            "task": "forecast",
            "data": {"framing": "next_step", "inputs": ["walk"], "input_steps": 30, "output_steps": 3},
        }
    )
    prepared = prepare(as_forecast(recipe.data), pd.DataFrame({"walk": walk}))
    peers = fit_forecast_baselines(prepared)
    boards = [evaluate_part(prepared, part, LastValue(), peers) for part in ("val", "test")]
    codes = [finding.code for finding in examine_next_step(boards[0], boards[1], [1.0], all_epochs=False)]
    assert codes[:2] == ["copies_last_step", "repeats_last_value"]
