"""A backtest as a whole: its frame, its runs, Ctrl-C and what resumes it, and what is refused before anything is fitted."""

import os
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import coverage, mae, rmse

from seq2seq_kit import BacktestResult, backtest
from seq2seq_kit.backtests import run
from seq2seq_kit.backtests.past import fit_past, open_past, past_recipe
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.running import Fits
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.status import BacktestStatus, Silent
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, DataError, KitError, RecipeError
from seq2seq_kit.tasks import parse_recipe
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.tracking.resuming import BACKTEST
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe, translate_recipe
from tests.untyped import open_job, resume

ROWS = hourly_frame(420)


class Notes(Silent):
    """Writes down what a backtest said, and presses Ctrl-C after an origin if asked to."""

    def __init__(self, press_after: int | None = None) -> None:
        self.press_after = press_after
        self.said: list[str] = []
        self.origins: list[int] = []
        self.shares: list[float] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_status(self, status: BacktestStatus) -> None:
        self.shares.append(status.share)

    def on_origin(self, origin: int, said: str) -> None:
        self.origins.append(origin)
        if origin == self.press_after:
            os.kill(os.getpid(), signal.SIGINT)


def quick(**data: Any) -> dict[str, Any]:
    recipe = forecast_recipe(**data)
    recipe["training"] |= {"epochs": 1}
    return recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backtests") / "mlruns"


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def found(place: Path, notes: Notes) -> BacktestResult:
    """Five origins, a fit at every second one, with intervals."""
    recipe = quick() | {"levels": [60, 80], "name": "tested"}
    return backtest(recipe, windows=5, stride=4, refit=2, data=ROWS, workers=2, tracking_uri=str(place), reporter=notes)


@pytest.fixture
def tracking(place: Path) -> Tracking:
    return open_tracking(str(place), create=False)


def test_the_frame_has_the_columns_of_utilsforecast_and_its_rows_are_the_actual_values(found: BacktestResult) -> None:
    frame = found.frame
    models = ["model", "model_frozen", "last_value", "seasonal_naive", "ridge"]
    ends = [f"{name}-{end}-{level}" for name in models for level in (60, 80) for end in ("lo", "hi")]
    assert list(frame.columns[:4]) == ["unique_id", "ds", "cutoff", "y"]
    assert set(frame.columns[4:]) == {*models, *ends}
    assert frame.notna().all(axis=None)
    actual = ROWS.set_index("time")["load"]
    assert len(frame) == 5 * 6
    np.testing.assert_array_equal(frame["y"], actual[frame["ds"]])
    assert frame.groupby("cutoff")["ds"].min().sub(frame["cutoff"].unique()).eq(pd.Timedelta("1h")).all()
    assert frame["ds"].max() == ROWS["time"].max()
    assert frame["cutoff"].nunique() == 5
    assert found.rows.groupby("origin")["age"].first().tolist() == [0, 1, 0, 1, 0]


def test_utilsforecast_computes_the_same_errors(found: BacktestResult) -> None:
    table = evaluate(found.frame, metrics=[mae, rmse, coverage], level=[60, 80]).set_index("metric")
    for metric in ("rmse", "mae"):
        own = found.by_origin(metric)
        for name in ("model", "model_frozen", "ridge", "seasonal_naive"):
            np.testing.assert_allclose(table.loc[metric].sort_values("cutoff")[name], own[name])
    held = table.loc["coverage_level80"].sort_values("cutoff")["model"].mean()
    assert found.overall().loc["model", "coverage_80"] == pytest.approx(held)


def test_the_first_fit_forecasts_at_every_origin_beside_the_refits(found: BacktestResult) -> None:
    same = found.rows["model"] == found.rows["model_frozen"]
    assert same[found.rows["origin"] <= 2].all()
    assert not same[found.rows["origin"] > 2].any()
    assert found.fits["origin"].tolist() == [1, 3, 5]


def test_an_origin_is_what_its_own_fit_and_predict_say(found: BacktestResult) -> None:
    """By hand: the rows before the fit are fitted, those before the origin are handed to `predict`."""
    past, _ = past_recipe(found.recipe, found.schedule)
    bundle, _ = fit_past(past, ROWS.iloc[: 420 - 6 - 2 * 4])  # origin 3, whose fit origin 4 uses
    for name, column in ((None, "model"), ("ridge", "ridge")):
        answer: Any = bundle.predict(ROWS.iloc[: 420 - 6 - 1 * 4], baseline=name)  # type: ignore[call-arg]
        rows = found.rows[found.rows["origin"] == 4]
        np.testing.assert_allclose(rows[column], answer["load"], rtol=1e-4)
        np.testing.assert_allclose(rows[f"{column}-hi-80"], answer["load_hi_80"], rtol=1e-4)
        assert rows["ds"].tolist() == answer["time"].tolist()


def test_the_cost_is_told_before_anything_is_fitted(found: BacktestResult, notes: Notes) -> None:
    cost = next(text for text in notes.said if "fits" in text)
    assert (
        "5 origins, 4 rows apart, refit every 2 origins, expanding: 3 fits, 2 at a time; training takes about " in cost
    )
    assert sorted(notes.origins) == [1, 2, 3, 4, 5]
    assert notes.shares[-1] == 1.0


def test_there_is_a_run_with_a_child_for_each_origin(found: BacktestResult, tracking: Tracking, tmp_path: Path) -> None:
    record, tags = tracking.reopen(found.run_id)
    assert record.status() == "FINISHED"
    assert tags["backtest.kind"] == "backtest"
    assert "resume" not in tags
    run = tracking.client.get_run(found.run_id)
    assert run.data.metrics["backtest/rmse"] == pytest.approx(found.overall().loc["model", "rmse"])
    assert run.data.params["backtest.refit"] == "2"
    children = {tags["backtest.origin"]: (child, tags) for child, tags in tracking.children(record)}
    assert sorted(children) == ["1", "2", "3", "4", "5"]
    table = found.by_origin()
    for number, (child, own) in children.items():
        origin = int(number)
        assert own["cutoff"] == str(table.loc[origin, "cutoff"])
        metrics = tracking.client.get_run(child.run_id).data.metrics
        assert metrics["backtest/rmse"] == pytest.approx(table.loc[origin, "model"])
        assert metrics["backtest/rmse_ridge"] == pytest.approx(table.loc[origin, "ridge"])
        assert child.status() == "FINISHED"
    for name in ("forecasts.csv", "by_origin.csv", "by_step.csv", "by_series.csv", "by_age.csv", "recipe.yaml"):
        assert tracking.fetch(found.run_id, name, tmp_path).stat().st_size
    pictures = tracking.fetch(found.run_id, "figures", tmp_path)
    assert {path.name for path in pictures.iterdir()} == {"by_origin.png", "by_step.png", "forecasts.png"}
    written = pd.read_csv(tmp_path / "forecasts.csv", parse_dates=["ds", "cutoff"])
    pd.testing.assert_frame_equal(written, found.frame, check_dtype=False)


def test_a_training_after_a_backtest_is_not_named_by_it(found: BacktestResult, tracking: Tracking) -> None:
    assert tracking.previous("tested") is None


def test_tables_and_words(found: BacktestResult) -> None:
    assert found.by_step().index.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.by_series().index.tolist() == ["load"]
    assert found.by_age()["cells"].tolist() == [18, 12]
    assert "Over 5 origins the model " in found.advice[0]
    assert "At the 3 origins after the first refit the RMSE is " in found.advice[1]
    assert "So few origins do not tell" in found.advice[1]
    assert found.plot("by_step") is found.figures["by_step"]
    with pytest.raises(ArgumentError, match="by_origin, by_step, forecasts"):
        found.plot("by_hour")
    assert "5 of 5 origins" in repr(found)
    assert "ridge" in found._repr_html_()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_resume_runs_the_rest(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two series with ends of their own and two targets; resumed on the command line."""
    frame = pd.concat([hourly_frame(420, series=("a",)), hourly_frame(400, series=("b",))], ignore_index=True)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    recipe = quick(series="site", targets=["load", "heat"], source=str(tmp_path / "rows.csv")) | {"name": "cut_short"}
    pressed = Notes(press_after=1)
    given: dict[str, Any] = {"windows": 3, "stride": 6, "refit": "always", "workers": 1, "tracking_uri": str(place)}
    cut = backtest(recipe, **given, reporter=pressed)
    assert cut.ended == "interrupted"
    assert cut.rows["origin"].unique().tolist() == [1]
    tracking = open_tracking(str(place), create=False)
    record, tags = tracking.reopen(cut.run_id)
    assert record.status() == "KILLED"
    assert tags["resume"] == f"seq2seq-kit backtest --resume {cut.run_id}"
    fitted: list[int] = []
    before = Fits._start

    def start(fits: Fits, origins: range, *, attempt: int) -> None:
        fitted.append(origins[0])
        before(fits, origins, attempt=attempt)

    monkeypatch.setattr(Fits, "_start", start)
    out = tmp_path / "forecasts.csv"
    assert main(["backtest", "--resume", cut.run_id, "--tracking-uri", str(place), "--out", str(out)]) == 0
    assert fitted == [2, 3]
    assert record.status() == "FINISHED"
    shown = capsys.readouterr().out
    assert "scaled RMSE by series" in shown
    assert "3 origins, 6 rows apart, refit at each origin, expanding: 2 fits" in shown
    written = pd.read_csv(out, parse_dates=["ds", "cutoff"])
    assert written["unique_id"].unique().tolist() == ["a/load", "a/heat", "b/load", "b/heat"]
    assert written.groupby("unique_id")["cutoff"].nunique().eq(3).all()
    for name, count in (("a", 420), ("b", 400)):
        own = written[written["unique_id"] == f"{name}/load"]
        rows = frame[frame["site"] == name].set_index("time")["load"]
        assert own["cutoff"].max() == rows.index[count - 7]
        np.testing.assert_allclose(own["y"], rows[own["ds"]])
    kept = written[written["cutoff"].isin(cut.frame["cutoff"].unique())]
    np.testing.assert_allclose(kept["model"], cut.frame["model"])
    evaluate(written, metrics=[mae])
    with pytest.raises(ArgumentError) as caught:
        backtest(resume=cut.run_id, tracking_uri=str(place))
    assert caught.value.code == "backtest_complete"


@pytest.mark.slow
def test_a_run_is_backtested_by_its_own_recipe(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A next-step model, over a gap, fitted once; its run names the recipe and the data."""
    from seq2seq_kit.runs import train

    hourly_frame(420).to_csv(tmp_path / "rows.csv", index=False)
    recipe = next_step_recipe(source=str(tmp_path / "rows.csv")) | {"levels": [80]}
    recipe["training"] |= {"epochs": 1}
    run = train(recipe, tracking_uri=str(place)).run_id
    words = ["backtest", run, "--windows", "2", "--stride", "3", "--refit", "never", "--rolling", "300", "--gap", "2"]
    assert main([*words, "--workers", "1", "--tracking-uri", str(place), "--out", str(tmp_path / "out.parquet")]) == 0
    written = pd.read_parquet(tmp_path / "out.parquet")
    assert written["unique_id"].unique().tolist() == ["load", "heat"]
    assert (written.groupby("cutoff")["ds"].min() - written["cutoff"].unique() == pd.Timedelta("3h")).all()
    assert len(written) == 2 * 2 * 6
    assert "model_frozen" not in written
    assert written["model-lo-80"].notna().all()
    shown = capsys.readouterr().out
    assert "2 origins, 3 rows apart, fitted once, rolling over 300 rows, a gap of 2 rows: 1 fit" in shown
    assert "Whether refitting pays is not known: there was one fit." in " ".join(shown.split())


@pytest.mark.slow
def test_a_backtest_and_its_origins_have_one_scale_where_one_series_is_never_forecast(place: Path) -> None:
    frame = pd.concat([hourly_frame(420, series=("a",)), hourly_frame(16, series=("b",))], ignore_index=True)
    recipe = quick(series="site", short_series="leave_out") | {"model": "none", "name": "short_one"}
    found = backtest(recipe, windows=2, stride=6, refit="never", data=frame, tracking_uri=str(place))
    assert found.rows["series"].unique().tolist() == ["a"]
    tracking = open_tracking(str(place), create=False)
    parent = tracking.client.get_run(found.run_id).data.metrics
    own = [
        tracking.client.get_run(child.run_id).data.metrics
        for child, _ in tracking.children(tracking.reopen(found.run_id)[0])
    ]
    for key in ("backtest/mae", "backtest/mae_ridge"):
        if key in parent:
            assert parent[key] == pytest.approx(np.mean([each[key] for each in own]))
    assert any(key.startswith("backtest/mae") for key in parent)
    assert found.scores.name() == "scaled RMSE"


def test_the_time_left_of_a_resumed_backtest_is_told_by_what_it_has_done_itself() -> None:
    """Eight fits of ten were there; the ninth took a minute, so the tenth takes another."""
    assert BacktestStatus(9, 10, {}, 60.0, before=8).left == pytest.approx(60.0)
    assert BacktestStatus(8, 10, {9: 0.5}, 30.0, before=8).left == pytest.approx(90.0)
    assert BacktestStatus(8, 10, {}, 2.0, before=8).left is None
    assert BacktestStatus(5, 10, {}, 60.0).left == pytest.approx(60.0)
    assert BacktestStatus(0, 10, {1: 0.1}, 60.0).left is None


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({"windows": 100, "stride": 4}, 95),
        ({"windows": 10_000, "stride": 10_000}, 1),
        ({"windows": 5, "rolling": 20}, 0),
        ({"windows": 30, "stride": 14, "gap": 10}, 26),
    ],
)
def test_more_origins_than_rows_are_refused_with_the_number_that_fits(
    more: dict[str, Any], fits: int, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError) as caught:
        backtest(quick(), data=ROWS, tracking_uri=str(tmp_path), **more)
    assert caught.value.code == "too_many_origins"
    assert f"; {fits} origin{'s fit' if fits != 1 else ' fits'}. Before it: " in str(caught.value)
    assert not list(tmp_path.iterdir())
    if fits:  # that many do, and one more does not
        job: Any = open_job(parse_recipe(quick()), ROWS)
        for windows in (fits, fits + 1):
            schedule = Schedule.of(windows, more["stride"], "never", None, more.get("gap", 0))
            rows = Rows.of(job.prepared, schedule).before(1)
            with pytest.raises(DataError) if windows > fits and len(rows) else nullcontext():
                assert len(rows) == 0 or open_past(past_recipe(job.recipe, schedule)[0], rows)


def test_an_epoch_that_no_mase_can_choose_is_refused_at_the_first_origin(tmp_path: Path) -> None:
    """Every day of the rows before it is the same; later ones differ."""
    frame = ROWS.assign(load=np.where(np.arange(420) < 200, np.arange(420) % 24, ROWS["load"]))
    recipe = quick()
    recipe["training"] |= {"monitor": "val_mase"}
    with pytest.raises(DataError) as caught:
        backtest(recipe, data=frame, windows=12, stride=20, tracking_uri=str(tmp_path))
    assert caught.value.code == "no_mase"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        (autoencode_recipe(), "not_backtested"),
        (translate_recipe(), "not_backtested"),
        (quick() | {"training": {"start_from": "0123456789abcdef"}}, "not_refittable"),
        (quick() | {"training": {"freeze": ["encoder_*"]}}, "not_refittable"),
        (quick() | {"training": {"loss": "own"}}, "not_refittable"),
        (quick() | {"model": {"own": True}}, "not_refittable"),
        (quick(source="rows.parquet", read="row_groups"), "conflicting_keys"),
    ],
)
def test_recipes_that_no_origin_can_fit_are_refused(recipe: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises((ArgumentError, RecipeError)) as caught:
        backtest(recipe, data=ROWS, tracking_uri=str(tmp_path))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "invalid_option"),
        (["--resume", "abcdef", "--windows", "3"], "invalid_option"),
        (["--resume", "abcdef", "--expanding"], "invalid_option"),
        (["recipe.yaml", "--out", "forecasts.txt"], "invalid_option"),
        (["nowhere.yaml"], "missing_recipe"),
        (["0123456789"], "store_not_found"),
        (["recipe.yaml", "--stride", "0"], "invalid_argument"),
        (["recipe.yaml", "--gap", "-1"], "invalid_argument"),
        (["recipe.yaml", "--workers", "0"], "invalid_argument"),
    ],
)
def test_the_command_line_refuses_what_makes_no_sense(
    words: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ruamel.yaml import YAML

    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("rows.csv", index=False)
    with Path("recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(quick(source="rows.csv"), file)
    assert main(["backtest", *words]) in (1, 2)
    assert f"error[{code}]" in capsys.readouterr().err


@pytest.mark.slow
def test_a_backtest_that_ends_before_its_conclusion_is_concluded_by_resume(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: Any, **named: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(run, "conclude_backtest", fails)
        with pytest.raises(OSError, match="no space"):
            backtest(quick(), windows=2, stride=4, refit="never", data=ROWS, tracking_uri=str(place))
    tracking = open_tracking(str(place))
    cut = next(each for each, tags in newest(tracking) if tags.get(BACKTEST) == "backtest" and "resume" in tags)
    notes = Notes()
    again = backtest(resume=cut, data=ROWS, tracking_uri=str(place), reporter=notes)
    assert notes.origins == []
    assert len(again.rows) == 2 * 6


def newest(tracking: Tracking) -> list[tuple[str, dict[str, str]]]:
    """Ids and tags of all runs, the newest first."""
    found = tracking.client.search_runs([each.experiment_id for each in tracking.client.search_experiments()])
    return [(each.info.run_id, each.data.tags) for each in found]


def test_what_is_no_backtest_is_not_resumed(found: BacktestResult, tracking: Tracking, place: Path) -> None:
    child = tracking.children(tracking.reopen(found.run_id)[0])[0][0]
    with pytest.raises(ArgumentError, match=found.run_id) as caught:
        backtest(resume=child.run_id, tracking_uri=str(place))
    assert caught.value.code == "not_a_backtest"
    with pytest.raises(ArgumentError) as caught:
        resume(found.run_id, tracking_uri=str(place))
    assert caught.value.code == "not_a_training"


@pytest.mark.slow
def test_a_fit_that_fails_leaves_the_other_origins(place: Path) -> None:
    """A learning rate at which the loss is no number."""
    recipe = quick() | {"name": "failing"}
    recipe["training"] |= {"learning_rate": 1e30}
    with pytest.raises(KitError) as caught:
        backtest(recipe, data=ROWS, windows=1, workers=1, tracking_uri=str(place))
    assert caught.value.code == "no_forecast"
    assert "origin 1" in str(caught.value)
    run = open_tracking(str(place), create=False)
    newest = run.newest_run()
    assert newest is not None
    assert run.reopen(newest[1])[0].status() == "FAILED"


def test_a_series_whose_plan_lacks_a_row_is_left_out_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = hourly_frame(400, series=("a", "b", "c")).assign(promo=lambda rows: rows["time"].dt.hour % 5)
    absent = (frame["site"] == "b") & (frame["time"] == frame["time"].iloc[0] + pd.Timedelta(hours=396))
    recipe = forecast_recipe(series="site", known_future=["promo"], gaps="fill", missing="interpolate")
    result = backtest(recipe, windows=2, stride=6, refit="never", data=frame[~absent], workers=1)
    assert set(result.rows["origin"]) == {1, 2}
    newest = result.rows[result.rows["origin"] == 2]
    assert set(newest["unique_id"]) == {"a", "c"}
    assert any(
        "origin 2: no forecast of b, whose promo is not there for every step ahead" in note for note in result.notes
    )
