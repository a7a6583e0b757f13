"""Every finding appears on data that asks for it, and not on data that looks alike: a pair for each code of docs/messages.md."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import registering
from seq2seq_kit.anomalies.comparison import Rows as PartRows
from seq2seq_kit.anomalies.comparison import compare
from seq2seq_kit.anomalies.detection import detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.silence import examine_silence
from seq2seq_kit.bundles.detecting import fitted_detector
from seq2seq_kit.data.tables.table import read_table
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.data.windows.ranges import WindowShape, make_windows
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import evaluate_part, fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation.baselines import LastValue, Predictor
from seq2seq_kit.evaluation.diagnostics import no_test_part
from seq2seq_kit.explanation import recurrences_of, slow_layers
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.board import IntervalScores
from seq2seq_kit.intervals.diagnostics import examine_intervals
from seq2seq_kit.intervals.prediction import DECILES, Prediction
from seq2seq_kit.intervals.scores import QuantileSums
from seq2seq_kit.recipe.detect_fields import Detect
from seq2seq_kit.sweeps import conclusion
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from seq2seq_kit.tasks.autoencode.bundle import AutoencodeBundle
from seq2seq_kit.tasks.autoencode.task import AutoencodeJob
from seq2seq_kit.tasks.classify.evaluation import LabelEvaluation
from seq2seq_kit.tasks.classify.task import ClassifyJob
from seq2seq_kit.tasks.echo.evaluation import check_echo, evaluate_echo, examine_echo
from seq2seq_kit.tasks.ensembles import incomplete
from seq2seq_kit.tasks.forecast.linear_start import line_alone
from seq2seq_kit.tasks.forecast.task import ForecastJob
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.last_fit import last_fit_findings
from seq2seq_kit.tasks.next_step.task import NextStepJob
from seq2seq_kit.tracking import tested as figures_of_runs
from seq2seq_kit.tracking.registry import Version
from seq2seq_kit.training.fit import Ended, Epoch, Fit
from tests.anomalies.rows import HOUR, errors_of, noise
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, waves_frame, whole_recipe
from tests.tasks.classify.conftest import counted_frame, series_recipe, texts_recipe, words_frame
from tests.test_messages import listed
from tests.untyped import parse_recipe

Rows = pd.DataFrame
ECHO = [0.0, 0.2, 0.4, 0.6, 0.8]


class Pair(NamedTuple):
    """What must say the code, and what looks alike and must not."""

    fires: Callable[[], Sequence[Finding]]
    silent: Callable[[], Sequence[Finding]]


def forecast_data(frame: Rows, **data: Any) -> list[Finding]:
    return ForecastJob.open(parse_recipe(forecast_recipe(**data)), frame).check()


def opened(**data: Any) -> Job[Any, Any, Any]:
    return open_job(parse_recipe(forecast_recipe(**data)), hourly_frame())


def checked(recipe: dict[str, Any], frame: Rows) -> list[Finding]:
    return open_job(parse_recipe(recipe), frame).check()


def noisy(rows: int = 600, *, noise: float = 1.0, level: float = 0.0) -> Rows:
    """A slow wave under noise: the best forecast lies nearer to anything smooth than to the truth."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    load = level + 2 * np.sin(2 * np.pi * np.arange(rows) / 24) + rng.normal(scale=noise, size=rows)
    return pd.DataFrame({"time": times, "load": load, "heat": rng.normal(size=rows)})


def judged(frame: Rows, model: Predictor, *, losses: Sequence[float] = (1.0,), **data: Any) -> list[Finding]:
    """What is said of a forecast of some rows by a model that does one obvious thing."""
    small = {"inputs": ["load"], "calendar": [], "input_steps": 24, "output_steps": 4}
    prepared = prepare(parse_recipe(forecast_recipe(**small | data)).data, frame)
    peers, naive = fit_forecast_baselines(prepared), naive_error(prepared)
    val, test = (evaluate_part(prepared, part, model, peers, naive=naive) for part in ("val", "test"))
    return ForecastJob.diagnose(val, test, losses, all_epochs=True)


def estimated(recipe: dict[str, Any] | None = None) -> list[Finding]:
    """What is said before the fit of a model on some rows."""
    job = open_job(parse_recipe(recipe or forecast_recipe()), hourly_frame())
    return [job.estimate(job.build())]


class Off:
    """The truth and an error of a size; on the test part of another, `factor` times as large."""

    def __init__(self, size: float, factor: float = 1.0) -> None:
        self.size, self.factor = size, factor

    def __call__(self, prepared: Any, part: str, windows: np.ndarray) -> np.ndarray:
        truth = prepared.truth(part, windows)
        rng, size = np.random.default_rng(0), self.size * (self.factor if part == "test" else 1)
        clean = np.where(np.abs(truth) > 1e4, 0.0, truth)  # nobody foresees a row that is wild
        result: np.ndarray = clean + rng.normal(scale=size, size=truth.shape)
        return result


def smooth(prepared: Any, part: str, windows: np.ndarray) -> np.ndarray:
    """Half way from the newest value to the mean: 20 % better than the newest value where the noise is large."""
    return 0.3 * LastValue()(prepared, part, windows)


def autoencoded(error: Callable[[np.ndarray], np.ndarray]) -> list[Finding]:
    prepared = prepare(parse_recipe(autoencode_recipe(input_steps=12)).data, hourly_frame(600))
    peers = fit_autoencode_baselines(prepared, latent_dim=2)

    def model(prepared: Any, part: str, windows: np.ndarray) -> np.ndarray:
        return error(prepared.truth(part, windows))

    val, test = (evaluate_part(prepared, part, model, peers) for part in ("val", "test"))
    return AutoencodeJob.diagnose(val, test, [1.0], all_epochs=True)


def next_step(model: Predictor) -> list[Finding]:
    prepared = prepare(parse_recipe(forecast_recipe(inputs=["load"], calendar=[], output_steps=3)).data, noisy())
    peers = fit_forecast_baselines(prepared)
    val, test = (evaluate_part(prepared, part, model, peers) for part in ("val", "test"))
    return NextStepJob.diagnose(val, test, [1.0], all_epochs=True)


def labelled(given: Sequence[int]) -> list[Finding]:
    truth = np.array([0, 0, 1, 1, 2, 2])
    board = LabelEvaluation(
        "test",
        truth,
        {"model": np.eye(3)[list(given)], "constant": np.eye(3)[[0] * 6]},
        {"constant": ""},
        ["a", "b", "c"],
    )
    return ClassifyJob.diagnose(board, board, [1.0], all_epochs=False)


def changed(frame: Rows, rows: Any, value: float, column: str = "load") -> Rows:
    frame = frame.copy()
    frame.loc[frame.index[rows], column] = value
    return frame


def loops(**model: Any) -> list[Finding]:
    job = open_job(
        parse_recipe(forecast_recipe() | {"model": {"encoder_units": [4], "decoder_units": [4]} | model}),
        hourly_frame(),
    )
    return slow_layers(recurrences_of(job.build()))


def ended(best_epoch: int) -> list[Finding]:
    job = open_job(parse_recipe({"task": "echo", "data": {"sequence": ECHO}}), None)
    board = evaluate_echo("test", np.array(ECHO), np.array(ECHO), mean=0.4)
    return job.examine(Fit([], best_epoch, "interrupted", 1.0), board, board)


def covered(width: float, *, off: float = 0.0) -> list[Finding]:
    """Intervals of 80 % around draws from a standard normal distribution; those of `ridge` are as wide as they should be."""
    truth, windows = np.random.default_rng(0).normal(size=(2_000, 1, 1)), np.zeros(2_000, dtype=np.int64)
    sums = {}
    for name, half, place in (("model", width, off), ("ridge", 1.2816, 0.0)):
        sums[name] = QuantileSums((1, 1, 1), DECILES)
        ends = half * np.array([0.2533, 0.5244, 0.8416, 1.2816]) / 1.2816  # of a normal distribution, at 20 to 80 %
        quantiles = np.broadcast_to(place + np.array([*-ends[::-1], 0.0, *ends]), (2_000, 1, 1, 9))
        sums[name].add(truth, Prediction(np.full(truth.shape, place), DECILES, quantiles), windows)
    shape = WindowShape.forecast(input_steps=1, output_steps=1)
    part = make_windows(np.array([[0, 2_001, 0]]), np.array([[0, 2_001]]), shape)
    return examine_intervals(IntervalScores("test", (80.0,), sums, np.ones((1, 1)), ["load"], [""], 2_000, part))


def worst_left_out(share: float) -> list[Finding]:
    job = AutoencodeJob.open(parse_recipe(autoencode_recipe(input_steps=12)), hourly_frame(300))
    val, test = (job.report(job.bundle(job.build(), {}), part) for part in ("val", "test"))
    epoch = Epoch(1, 1, 1.0, 1.0, 1e-3, 1.0, 1.0)
    numbers = list(range(int(share * job.examples.count("train"))))
    return job.examine(Fit([epoch], 1, "epochs", 1.0, left_out=numbers), val, test)


def tagged(labels: Sequence[str]) -> list[Finding]:
    frame = hourly_frame(400).assign(level=np.resize(np.array(labels), 400))
    recipe = {
        "task": "tag",
        "data": {"time": "time", "every": "1h", "inputs": ["load"], "labels": "level", "input_steps": 24},
    }
    return checked(recipe, frame)


def translated(other: str = "b") -> list[Finding]:
    rows = [f"{'ab'[n % 2]}{'xyz'[n % 3]}{n}" for n in range(300)]
    level = "char" if other == "b" else "token"
    data = {"source_column": "word", "target_column": "back", "level": level, "split": {"val": 0.2, "test": 0.2}}
    return checked({"task": "translate", "data": data}, pd.DataFrame({"word": rows, "back": [w[::-1] for w in rows]}))


def big_units(scaling: str) -> list[Finding]:
    """Noise in small units: no penalty of the grid shrinks it far enough where nothing scales it."""
    frame = noisy(300)
    frame["load"] = np.random.default_rng(1).normal(scale=2e3, size=300)
    return judged(frame, Off(2e3), scaling=scaling)


def members(*ended: Ended) -> list[Finding]:
    """An ensemble of three, whose members ended so."""
    fits = [Fit([], 1, each, 1.0) for each in ended]
    recipe = parse_recipe(forecast_recipe() | {"ensemble": 3})
    return incomplete(recipe, Fit([], 1, ended[-1], 1.0, members=fits))


@cache
def watching() -> Any:
    """A bundle of baselines, with intervals, of two sites."""
    recipe = forecast_recipe(series="site", split={"val": 0.2, "test": 0.2, "calibration": 0.1})
    job = open_job(parse_recipe(recipe | {"model": "none", "levels": [80], "training": {}}), sites())
    return job.remembered(job.detecting(job.bundle(None, {}))[0])


@cache
def sites() -> Rows:
    return hourly_frame(900, series=("a", "b"))


def watched(
    change: Callable[[Rows], Rows] = lambda frame: frame, newest: int = 40, rate: float = 0.05
) -> list[Finding]:
    """What is said of the newest rows of both sites."""
    found: list[Finding] = (
        watching()
        .watch(change(sites().groupby("site").tail(newest).reset_index(drop=True)), false_alarms=rate)
        .findings
    )
    return found


def restless(frame: Rows) -> Rows:
    return frame.assign(load=frame["load"] + 40 * np.random.default_rng(0).standard_normal(len(frame)))


def registered(error: float = 1.0, incumbent: float | Exception = 2.0, part: str = "test") -> list[Finding]:
    """What is said of a run that is given an alias by force; its best baseline has an error of 2."""
    run = SimpleNamespace(
        info=SimpleNamespace(run_id="abc"),
        data=SimpleNamespace(
            metrics={f"{part}/skill": 0.5}, tags={"evaluated": f"12 {part} windows. Skill compares RMSE."}
        ),
    )
    tested: Any = figures_of_runs.Tested(run, parse_recipe(forecast_recipe()), "d", error, "ridge", 2.0)

    def error_of(*_: object) -> float:
        if isinstance(incumbent, Exception):
            raise incumbent
        return incumbent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registering, "open_tracking", lambda *_, **__: SimpleNamespace(lock=nullcontext))
        patch.setattr(registering, "read_tested", lambda *_: tested)
        patch.setattr(registering, "holder", lambda *_: Version("load", "1", "former", ""))
        patch.setattr(registering, "add_version", lambda *_, **__: Version("load", "2", "abc", ""))
        patch.setattr(registering, "_error_of", error_of)
        found: list[Finding] = registering.register("abc", alias="champion", force=True).findings
        return found


PAIRS: dict[str, Pair] = {
    "loses_to_baselines": Pair(lambda: registered(2.0, 9.0), lambda: registered(1.99, 9.0)),
    "loses_to_incumbent": Pair(lambda: registered(1.0, 1.0), lambda: registered(1.0, 1.01)),
    "not_tested": Pair(lambda: registered(part="val"), registered),
    "incumbent_not_compared": Pair(
        lambda: registered(incumbent=ArgumentError("other rows", code="not_comparable")), lambda: registered(1.5, 1.0)
    ),
    "inputs_drifted": Pair(lambda: watched(lambda frame: frame.assign(heat=frame["heat"] + 20)), watched),
    "errors_drifted": Pair(lambda: watched(restless), watched),
    "coverage_drifted": Pair(lambda: watched(restless), watched),
    "no_truth": Pair(lambda: watched(newest=20), watched),
    "rows_not_compared": Pair(lambda: watched(newest=300), lambda: watched(newest=30)),
    "reference_too_short": Pair(lambda: watched(rate=0.004), watched),
    "series_missing": Pair(lambda: watched(lambda frame: frame[frame["site"] == "a"]), watched),
    "constant_column": Pair(
        lambda: forecast_data(changed(hourly_frame(), slice(0, 500), 5.0, "heat")),
        lambda: forecast_data(changed(hourly_frame(), slice(0, 400), 5.0, "heat")),
    ),
    "constant_sequence": Pair(lambda: check_echo([0.5, 0.5, 0.5]), lambda: check_echo([0.5, 0.5, 0.50001])),
    "ensemble_incomplete": Pair(
        lambda: members("epochs", "interrupted"), lambda: members("epochs", "epochs", "epochs")
    ),
    "column_without_values": Pair(lambda: silent(rows=13), lambda: silent(rows=12)),
    "copies_last_step": Pair(lambda: next_step(LastValue()), lambda: next_step(smooth)),
    "data_note": Pair(lambda: forecast_data(hourly_frame()[::-1]), lambda: forecast_data(hourly_frame())),
    "data_prepared": Pair(
        lambda: checked(
            {
                "task": "tag",
                "data": {"time": "time", "every": "1h", "inputs": ["load"], "labels": "kind", "input_steps": 24},
            },
            hourly_frame(400).assign(kind="a")[::-1].assign(kind=lambda f: np.resize(["a", "b"], len(f))),
        ),
        lambda: tagged(["a", "b"]),
    ),
    "echo_learnt": Pair(
        lambda: examine_echo(evaluate_echo("test", np.array(ECHO), np.array(ECHO) + 0.04, mean=0.4), all_epochs=True),
        lambda: examine_echo(evaluate_echo("test", np.array(ECHO), np.array(ECHO) + 0.06, mean=0.4), all_epochs=True),
    ),
    "echo_not_learnt": Pair(
        lambda: examine_echo(evaluate_echo("test", np.array(ECHO), np.array(ECHO) + 0.06, mean=0.4), all_epochs=True),
        lambda: examine_echo(evaluate_echo("test", np.array(ECHO), np.array(ECHO) + 0.04, mean=0.4), all_epochs=True),
    ),
    "estimated_time": Pair(estimated, lambda: forecast_data(hourly_frame())),
    "few_sequences": Pair(
        lambda: checked(whole_recipe(), waves_frame(40)), lambda: checked(whole_recipe(), waves_frame(300))
    ),
    "few_windows": Pair(lambda: forecast_data(hourly_frame(220)), lambda: forecast_data(hourly_frame(600))),
    "keras_loop": Pair(lambda: loops(recurrent_dropout=0.1), lambda: loops(dropout=0.1)),
    "labels": Pair(lambda: tagged(["a", "b"]), lambda: forecast_data(hourly_frame(400))),
    "labels_never_correct": Pair(lambda: labelled([0, 0, 1, 2, 0, 1]), lambda: labelled([0, 0, 1, 1, 0, 2])),
    "detector_not_fitted": Pair(lambda: calibrated(noise(10)), lambda: calibrated(noise(300))),
    "scores_drift": Pair(
        lambda: scored(noise(500) * np.linspace(1, 4, 500)[:, None]), lambda: scored(noise(500) * 1.2)
    ),
    "threshold_always_crossed": Pair(lambda: scored(noise(500) * 40), lambda: scored(noise(500) * 2)),
    "threshold_never_crossed": Pair(lambda: scored(noise(500) * 0.1), lambda: scored(noise(500))),
    "training_part_contains_anomalies": Pair(
        lambda: calibrated(noise(1000), far_off(places=range(10, 1000, 30))),
        lambda: calibrated(noise(1000), far_off(places=[500, 510])),
    ),
    "validation_part_contains_anomalies": Pair(
        lambda: calibrated(far_off(places=range(500, 512))), lambda: calibrated(noise(1000, seed=3) * 2)
    ),
    "labels_never_given": Pair(lambda: labelled([0, 0, 1, 1, 0, 1]), lambda: labelled([0, 0, 1, 1, 0, 2])),
    "left_out": Pair(lambda: worst_left_out(0.02), lambda: worst_left_out(0.0)),
    "loses_to_conformal_baseline": Pair(lambda: covered(1.28, off=1.0), lambda: covered(1.28)),
    "overcovers": Pair(lambda: covered(2.0), lambda: covered(1.3)),
    "undercovers": Pair(lambda: covered(0.9), lambda: covered(1.26)),
    "lengths": Pair(lambda: checked(whole_recipe(), waves_frame()), lambda: checked(series_recipe(), counted_frame())),
    "loses_to_baseline": Pair(lambda: judged(noisy(), Off(6.0)), lambda: judged(noisy(), Off(0.5))),
    "no_epoch_finished": Pair(lambda: ended(0), lambda: ended(1)),
    "one_sequence": Pair(lambda: check_echo(ECHO), lambda: checked(whole_recipe(), waves_frame())),
    "outlier": Pair(
        lambda: forecast_data(changed(hourly_frame(), 300, 1e5)),
        lambda: forecast_data(changed(hourly_frame(), 300, 200.0)),
    ),
    "penalty_at_edge": Pair(lambda: big_units("none"), lambda: big_units("standard")),
    "rare_labels": Pair(lambda: tagged(["a"] * 30 + ["b"]), lambda: tagged(["a"] * 9 + ["b"])),
    "refit": Pair(lambda: conclusion.refitted(3), lambda: conclusion.tested_before(3)),
    "repeats_last_value": Pair(lambda: judged(noisy(), LastValue()), lambda: judged(noisy(noise=6.0), smooth)),
    "returns_the_mean": Pair(
        lambda: autoencoded(lambda truth: np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)),
        lambda: autoencoded(
            lambda truth: np.broadcast_to(truth.mean(axis=1, keepdims=True) * 0.4 + truth * 0.6, truth.shape)
        ),
    ),
    "sequences": Pair(
        lambda: checked(series_recipe(), counted_frame()), lambda: checked(whole_recipe(), waves_frame())
    ),
    "series_without_windows": Pair(
        lambda: forecast_data(
            pd.concat([hourly_frame(600).assign(site="long"), hourly_frame(40).assign(site="short")]), series="site"
        ),
        lambda: forecast_data(
            pd.concat([hourly_frame(600).assign(site="long"), hourly_frame(240).assign(site="short")]), series="site"
        ),
    ),
    "still_improving": Pair(
        lambda: judged(noisy(), Off(0.5), losses=[2.0, 1.5, 1.4]),
        lambda: judged(noisy(), Off(0.5), losses=[2.0, 1.4, 1.39]),
    ),
    "test_outside_training_range": Pair(
        lambda: forecast_data(changed(hourly_frame(), slice(560, 600), 400.0)),
        lambda: forecast_data(changed(hourly_frame(), 599, 400.0)),
    ),
    "tested_before": Pair(lambda: conclusion.tested_before(4), lambda: conclusion.tested_before(0)),
    "ties_with_baseline": Pair(
        lambda: tied(1.0),
        lambda: tied(0.9),
    ),
    "labels_judge_nothing": Pair(lambda: faulty(5), lambda: faulty(-5)),
    **{
        code: Pair(lambda: beside_baselines(right=False), lambda: beside_baselines(right=True))
        for code in ("loses_to_matrix_profile", "loses_to_moving_z", "loses_to_random", "loses_to_sub_pca")
    },
    "line_alone": Pair(lambda: line_alone(0.0), lambda: line_alone(0.1)),
    "no_test_part": Pair(
        lambda: no_test_part(opened(split={"val_steps": 100, "test_steps": 0}).evaluated),
        lambda: no_test_part(opened(split={"val_steps": 100, "test_steps": 50}).evaluated),
    ),
    "last_fit": Pair(lambda: last_fit_findings(Fit([], 3, "epochs", 1.0)), lambda: last_fit_findings(None)),
    "last_fit_failed": Pair(
        lambda: last_fit_findings(None, "the loss was NaN"), lambda: last_fit_findings(Fit([], 3, "epochs", 1.0))
    ),
    "last_fit_interrupted": Pair(
        lambda: last_fit_findings(Fit([], 1, "interrupted", 1.0)), lambda: last_fit_findings(Fit([], 3, "epochs", 1.0))
    ),
    "no_model": Pair(lambda: estimated(forecast_recipe() | {"model": "none"}), lambda: estimated()),
    "unknown_tokens": Pair(lambda: translated("each word once"), lambda: translated("b")),
    "unscaled_sequence": Pair(lambda: check_echo([0.0, 1.1]), lambda: check_echo([0.0, -1.0])),
    "val_and_test_differ": Pair(
        lambda: judged(noisy(), Off(0.5, 3.0)), lambda: judged(changed(noisy(), 599, 4e5), Off(0.5))
    ),
    "vocabulary": Pair(lambda: translated(), lambda: checked(texts_recipe(), words_frame())),
    "wild_row": Pair(
        lambda: judged(changed(noisy(), 599, 4e5), Off(0.5)), lambda: judged(changed(noisy(), 599, 8.0), Off(0.5))
    ),
}


def faulty(fault: int) -> list[Finding]:
    """What is said of labels before a training; the test rows are the last 90 of 600."""
    frame = noisy().assign(fault=0)
    frame.loc[frame.index[fault], "fault"] = 1
    recipe = forecast_recipe(inputs=["load"], calendar=[], labels="fault")
    return checked(recipe | {"detect": {}}, frame)


def beside_baselines(*, right: bool) -> list[Finding]:
    """What is said of a detector whose scores are those of the labels, or the reverse of them."""
    rng, rows = np.random.default_rng(0), np.arange(1200)
    values = (np.sin(2 * np.pi * rows / 24) + rng.normal(0, 0.05, 1200))[:, None]
    values[1000:1040] = 4.0 + rng.normal(0, 1.0, (40, 1))
    parts = [
        PartRows(values[part], np.zeros(len(values[part]))) for part in (slice(600), slice(600, 800), slice(800, 1200))
    ]
    flags = np.zeros(400, dtype=bool)
    flags[200:240] = True
    scores = rng.random(400) + (2.0 * flags if right else 2.0 * ~flags)
    detector = Detector.fit(errors_of(noise(500)), Detect(), window_steps=12, every_seconds=HOUR)
    train, val, test = parts
    found = compare(flags, scores, detector, train=train, val=val, test=test, steps=12, seed=0)
    assert found is not None
    return found.findings()


def silent(*, rows: int) -> list[Finding]:
    """What is said of rows whose column has no value for some of them, where a window has 12."""
    frame = hourly_frame(60)
    frame.loc[20 : 19 + rows, "heat"] = np.nan
    table = read_table(frame, columns=["load", "heat"], time="time", every="1h")
    return examine_silence(table, table.columns, longest=12, instead="its last value")


def scored(errors: np.ndarray) -> list[Finding]:
    """What is said of the scores of a table by a detector of usual errors."""
    detector = Detector.fit(errors_of(noise(3000)), Detect(), window_steps=4, every_seconds=HOUR)
    return detect_events(errors_of(errors), detector).findings


def far_off(*, places: Sequence[int] | range) -> np.ndarray:
    errors = noise(1000, seed=3)
    errors[list(places)] += 40
    return errors


def calibrated(val: np.ndarray, train: np.ndarray | None = None) -> list[Finding]:
    """What is said at the end of a training whose model makes these errors."""
    bundle = AutoencodeBundle(parse_recipe(autoencode_recipe()), None, None, [])  # type: ignore[arg-type]
    parts = {"val": errors_of(val), "train": errors_of(val if train is None else train)}
    return fitted_detector(bundle, parts.__getitem__, HOUR)[1]


def tied(share: float) -> list[Finding]:
    """A model whose errors are a share of those of its hardest baseline."""
    prepared = prepare(parse_recipe(forecast_recipe(inputs=["load"], calendar=[])).data, noisy())
    peers = fit_forecast_baselines(prepared)

    def model(prepared: Any, part: str, windows: np.ndarray) -> np.ndarray:
        truth: np.ndarray = prepared.truth(part, windows)
        return truth + share * (peers[-1](prepared, part, windows) - truth)

    val, test = (evaluate_part(prepared, part, model, peers) for part in ("val", "test"))
    return ForecastJob.diagnose(val, test, [1.0], all_epochs=True)


def test_every_finding_has_a_pair() -> None:
    assert set(PAIRS) == listed("Findings")


@pytest.mark.parametrize("code", sorted(PAIRS))
def test_a_finding_is_made_where_it_must_be(code: str) -> None:
    assert code in [finding.code for finding in PAIRS[code].fires()]


@pytest.mark.parametrize("code", sorted(PAIRS))
def test_a_finding_is_not_made_of_what_only_looks_alike(code: str) -> None:
    assert code not in [finding.code for finding in PAIRS[code].silent()]


def test_a_wild_row_is_named_with_its_cell() -> None:
    frame = changed(noisy(), 599, 4e5)
    (found,) = [finding for finding in judged(frame, Off(0.5)) if finding.code == "wild_row"]
    assert "row 600" in found.text
    assert "column load" in found.text
    assert "holds 400000" in found.text
