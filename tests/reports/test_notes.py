"""The run in words: a headline, a table that Markdown can draw, findings, and the command that uses the model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.notes import describe_run, figure, header, markdown_table, result_rows, signed
from tests.untyped import TrainResult


def evaluation(*, baseline: float = 4.0, targets: tuple[str, ...] = ("load",)) -> Evaluation:
    """A model that is off by 1 beside a baseline that is off by so much; the truth is -10 and 10."""
    truth = np.tile([-10.0, 10.0], 50 * len(targets)).reshape(100, 1, len(targets))
    shape = (1, 1, len(targets))
    sums = {
        name: ErrorSums(shape, np.zeros((1, len(targets)))).add(truth, truth + off, np.zeros(100, dtype=int))
        for name, off in (("model", 1.0), ("last value", baseline))
    }
    ones = np.ones((1, len(targets)))
    return Evaluation("test", 1234, 1, list(targets), [""], sums, ones, 2 * ones, 3.0, {"last value": "repeats"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (-0.123456, "-0.1235"),
        (356.27, "356.3"),
        (9999.4, "9999"),
        (9999.6, "10,000"),
        (1234567.8, "1,234,568"),
        (-20000.0, "-20,000"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_a_figure_has_four_digits_and_a_dash_where_there_is_none(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(1e-3, 1e12))
def test_an_everyday_figure_has_no_exponent_and_is_right_to_four_digits(value: float) -> None:
    assert "e" not in figure(value)
    assert float(figure(value).replace(",", "")) == pytest.approx(value, rel=5.1e-4)
    assert figure(-value) == f"-{figure(value)}"


def test_a_skill_beside_an_almost_perfect_baseline_is_no_huge_number() -> None:
    assert signed(-45_637_530_078_015.0) == "below -99"


def test_a_skill_has_its_sign() -> None:
    said = ["+0.300", "-0.042", "0.000", "baseline is exact"]
    assert [signed(value) for value in (0.3, -0.0421, -0.0004, float("nan"))] == said


def test_the_table_has_a_row_for_the_model_and_each_baseline() -> None:
    # RMSE 1 and 4; MASE's denominator is 2; the truth's variance is 100
    assert result_rows(evaluation()) == [
        ["model", "1", "1", "0.5", "0.99", ""],
        ["last value", "4", "4", "2", "0.84", "+0.750"],
    ]


def test_a_baseline_that_is_better_shows_a_negative_skill() -> None:
    assert result_rows(evaluation(baseline=0.5))[1][-1] == "-1.000"


def test_a_baseline_without_error_shows_no_skill() -> None:
    assert result_rows(evaluation(baseline=0.0))[1][-1] == "baseline is exact"


def test_markdown_rows_have_the_same_number_of_cells() -> None:
    lines = [line.replace("&nbsp;", "") for line in markdown_table(evaluation())]
    assert [line.count("|") for line in lines] == [len(header(evaluation())) + 1] * 4
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[3] == "| last value | 4 | 4 | 2 | 0.84 | +0.750 |"


def test_units_are_told() -> None:
    assert evaluation().units == "Errors are in the units of load."
    assert "units of each one's training scale" in evaluation(targets=("load", "heat")).units


def test_a_forecast_is_described_by_its_figures(forecast_run: TrainResult) -> None:
    lines, test = describe_run(forecast_run).replace("&nbsp;", "").splitlines(), forecast_run.test
    own = test.overall()
    assert lines[0] == f"## first_forecast: RMSE {own.rmse:.4g}, skill {test.skill:+.3f} against {test.best_baseline}"
    assert [name.partition(" (")[0] for name in test.sums] == ["model", "last value", "seasonal naive", "ridge"]
    for name in test.sums:
        scores = test.overall(name)
        row = next(line for line in lines if line.startswith(f"| {name}"))
        assert f"| {scores.mae:.4g} | {scores.rmse:.4g} | {scores.mase:.4g} | {scores.r2:.4g} |" in row
    text = "\n".join(lines)
    assert f"{test.windows} test windows, 6 steps. Errors are in the units of load." in text
    assert f"Fit: 3 epochs (all epochs), kept epoch {forecast_run.fit.best_epoch}," in text
    assert "seed 0." in text
    assert lines[-1] == f"Use it: `seq2seq-kit predict {forecast_run.run_id} --data new.csv --out predict.csv`"


@pytest.mark.slow
def test_an_autoencoder_is_described_by_what_it_rebuilds(autoencode_run: TrainResult) -> None:
    text = describe_run(autoencode_run)
    assert "test windows, 24 steps. Errors over several targets are in units of each one's training scale" in text
    assert "| PCA (4) |" in text
    assert f"seq2seq-kit score {autoencode_run.run_id} --data new.csv --out score.csv`" in text


def test_warnings_stand_out_among_the_findings(forecast_run: TrainResult) -> None:
    found = [Finding("a", "warning", "the seen", "Do this"), Finding("b", "note", "the noted", "")]
    lines = describe_run(replace(forecast_run, findings=found)).splitlines()
    at = lines.index("### Findings")
    assert lines[at + 2 : at + 4] == ["- **the seen. Do this**", "- the noted"]


def test_without_findings_there_is_no_heading_for_them(forecast_run: TrainResult) -> None:
    assert "Findings" not in describe_run(replace(forecast_run, findings=[]))


@pytest.mark.parametrize(
    ("ended", "words"), [("early", "stopped early"), ("interrupted", "interrupted; best weights so far")]
)
def test_how_the_fit_ended_is_told(forecast_run: TrainResult, ended: str, words: str) -> None:
    fit = replace(forecast_run.fit, ended=ended)
    assert f"Fit: 3 epochs ({words})" in describe_run(replace(forecast_run, fit=fit))


def test_a_recipe_without_a_name_goes_by_its_task(forecast_run: TrainResult) -> None:
    recipe = forecast_run.recipe.model_copy(update={"name": None})
    assert describe_run(replace(forecast_run, recipe=recipe)).startswith("## forecast: RMSE")
