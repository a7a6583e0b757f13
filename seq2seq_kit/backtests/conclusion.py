"""The end of a backtest: one frame, tables, figures, recommendation, and all of it in MLflow."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from seq2seq_kit.backtests.advice import recommend
from seq2seq_kit.backtests.figures import draw
from seq2seq_kit.backtests.frame import assemble
from seq2seq_kit.backtests.preparation import Setup
from seq2seq_kit.backtests.result import BacktestResult
from seq2seq_kit.backtests.scores import Scores
from seq2seq_kit.backtests.store import BacktestStore
from seq2seq_kit.errors import TrainingError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.reports.notes import count_of, figure, markdown_lines
from seq2seq_kit.reports.plots import save
from seq2seq_kit.text import for_markdown


def conclude_backtest(
    store: BacktestStore,
    setup: Setup,
    ended: Literal["done", "interrupted"],
    failed: Mapping[int, str],
    *,
    seconds: Callable[[], float],
) -> BacktestResult:
    """From the fits that have ended to a logged result.

    Raises:
        TrainingError: None has ended, or none could forecast.
        KeyboardInterrupt: Likewise, after Ctrl-C.
    """
    schedule, record = store.schedule, store.record
    rows = assemble(setup.rows, schedule, store.fits)
    notes = [*failed.values(), *(str(note) for origin in sorted(store.facts) for note in _notes(store, origin))]
    if rows.empty:
        if ended == "interrupted":
            command = f"seq2seq-kit backtest --resume {record.run_id}"
            setup.reporter.say(f"interrupted before an origin was finished; resume: {command}")
            raise KeyboardInterrupt
        reasons = "".join(f"\n  {note}" for note in notes[:3])
        raise TrainingError(
            f"no origin has a forecast of rows whose actual values are known{reasons}", code="no_forecast"
        )
    for note in notes:
        if note not in failed.values():
            setup.reporter.say(note)
    scores = Scores(rows, setup.scale)  # of all series, as the figures of each origin are
    mean = float(pd.Series([fact["seconds"] for fact in store.facts.values()], dtype=float).mean())
    advice = recommend(scores, schedule, mean, overlapping=schedule.stride < setup.rows.ahead)
    result = BacktestResult(
        recipe=store.recipe,
        schedule=schedule,
        rows=rows,
        scores=scores,
        fits=_table_of_fits(store),
        advice=advice,
        notes=notes,
        ended=ended,
        run_id=record.run_id,
        tracking_uri=store.tracking.uri,
        seconds=seconds(),
    )
    setup.reporter.say("logging the run: tables, figures")
    result.figures.update(draw(scores, schedule, str(store.recipe.name)))
    _log(store, result)
    return result


def _notes(store: BacktestStore, origin: int) -> list[object]:
    """The notes of a fit on the origins that it is for; the first one's on later origins are of its frozen model."""
    notes = store.facts[origin].get("notes", [])
    own = next(origins for origins in store.schedule.fits if origins[0] == origin)
    heads = tuple(f"origin {number}:" for number in own)
    return [note for note in notes if str(note).startswith(heads)] if isinstance(notes, list) else []


def _table_of_fits(store: BacktestStore) -> pd.DataFrame:
    keys = ("seconds", "best_epoch", "epochs", "val_loss")
    rows = [{"origin": origin, **{key: store.facts[origin].get(key) for key in keys}} for origin in sorted(store.facts)]
    return pd.DataFrame(rows, columns=["origin", *keys])


def _log(store: BacktestStore, result: BacktestResult) -> None:
    record, overall = store.record, result.overall()
    named = {name: "" if name == MODEL else f"_{name}" for name in overall.index}
    metrics = {
        f"backtest/{column}{named[name]}": float(value) for column in overall for name, value in overall[column].items()
    }
    metrics["backtest/origins"] = float(result.rows["origin"].nunique())
    metrics["backtest/fit_seconds"] = float(result.fits["seconds"].sum())
    record.metrics(metrics)
    by_origin, by_step = result.by_origin(), result.by_step()
    for name, ending in named.items():
        for table, of in ((by_origin, "origin"), (by_step, "step")):
            record.curve(f"backtest/rmse_by_{of}{ending}", table[name].dropna().to_list())
    record.tags({"result": _headline(result)})
    record.note(_note(result))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "recipe.yaml").write_text(dump_recipe(store.recipe), encoding="utf-8")
        result.frame.to_csv(folder / "forecasts.csv", index=False)
        tables = {"overall": overall, "by_origin": by_origin, "by_step": by_step, "by_series": result.by_series()}
        for name, table in (tables | {"by_age": result.by_age()}).items():
            table.to_csv(folder / f"{name}.csv")
        result.fits.to_csv(folder / "fits.csv", index=False)
        save(result.figures, folder / "figures")
        record.files(folder)


def _headline(result: BacktestResult) -> str:
    error = result.scores.errors([]).iloc[0][MODEL]
    origins = count_of(result.rows["origin"].nunique(), "origin")
    return f"{result.scores.name()} {figure(error)} over {origins}"


def _note(result: BacktestResult) -> str:
    overall = result.overall()
    titles = ["", *(for_markdown(str(column)) for column in overall)]
    cells = [[for_markdown(str(name)), *(figure(float(value)) for value in own)] for name, own in overall.iterrows()]
    lines = [
        f"## {for_markdown(f'{result.recipe.name}: {_headline(result)}')}",
        "",
        f"{result.schedule.describe()}.",
        "",
    ]
    lines += [*markdown_lines(titles, cells), ""]
    lines += [f"- {for_markdown(each)}" for each in result.advice]
    if result.notes:
        lines += ["", "### Notes", "", *(f"- {for_markdown(each)}" for each in result.notes[:20])]
    if result.ended == "interrupted":
        lines += ["", f"Resume it: `seq2seq-kit backtest --resume {result.run_id}`"]
    return "\n".join(lines)
