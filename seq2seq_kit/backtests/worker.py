"""What happens in the process of one fit: the fit at its origin, and the forecasts from there on. It speaks to no store.

A process gets no row behind the last origin that it forecasts from, but for the columns that are known ahead.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.backtests.past import fit_past
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.executing.process import Outcome, PipeObserver, largest_resident_set
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FORECASTS, FACTS = "forecasts.parquet", "fit.json"
KEYS = ["origin", "series", "target", "key", "step"]  # before the forecasters' columns
# Nothing to forecast from at that moment, or what is known ahead is absent.
_NAMED = 5  # series of a note
_NO_FORECAST = ("series_too_short", "missing_inputs", "missing_future_rows", "missing_cells")


@dataclass(frozen=True)
class FitTask:
    """All that a process needs for one fit.

    Attributes:
        recipe: Of `past_recipe`.
        rows: Up to the last of `origins`.
        origin: Where the fit is made.
        origins: Where it forecasts from.
        skipped: First output steps that are no forecast, see `past_recipe`.
        folder: Where `FORECASTS` and `FACTS` are written.
    """

    recipe: Recipe
    rows: Rows
    origin: int
    origins: tuple[int, ...]
    skipped: int
    folder: Path


def run_fit(task: FitTask, pipe: Connection) -> Outcome:
    """Fits, forecasts, and leaves both in the task's folder."""
    began = time.perf_counter()
    bundle, fitted = fit_past(task.recipe, task.rows.before(task.origin), [PipeObserver(pipe, 1, 1)])
    notes: list[str] = []
    found = [forecast_from(bundle, task.rows, origin, task.skipped, notes) for origin in task.origins]
    pd.concat(found, ignore_index=True).to_parquet(task.folder / FORECASTS, index=False)
    facts = {"notes": notes, "baselines": {column_of(peer.name): peer.about for peer in bundle.baselines}}
    (task.folder / FACTS).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    chosen = [each.history[each.best_epoch - 1].val_loss for each in fitted.members or [fitted] if each.best_epoch]
    return Outcome(
        score=sum(chosen) / len(chosen) if chosen else float("nan"),
        best_epoch=fitted.best_epoch,
        fits=[fitted],
        seconds=time.perf_counter() - began,
        memory=largest_resident_set(),
    )


def forecast_from(bundle: WindowBundle, rows: Rows, origin: int, skipped: int, notes: list[str]) -> pd.DataFrame:
    """What a trained model and its baselines forecast from the rows that are known at an origin, as `predict` would have said it.

    Args:
        bundle: Of `fit_past`.
        rows: They are cut at the origin here.
        origin: From 1.
        skipped: First steps that are left out.
        notes: Gets a line where there is nothing to forecast from, or not of every series.

    Returns:
        A row for each series, target and step: `KEYS`, then a column for each forecaster, with `-lo-80` and `-hi-80` behind it.
    """
    past, future = _planned(rows, origin, getattr(bundle.recipe.data, "categories", []), notes)
    levels = () if bundle.intervals is None else tuple(getattr(bundle.recipe, "levels", None) or ())
    found: pd.DataFrame | None = None
    for name in (MODEL, *(peer.name for peer in bundle.baselines)):
        baseline = None if name == MODEL else name
        try:
            answer = bundle.predict(past, future=future, baseline=baseline, levels=levels if levels else None)  # type: ignore[call-arg]
        except DataError as error:
            if error.code not in _NO_FORECAST:
                raise
            notes.append(f"origin {origin}: no forecast, because {'; '.join(str(error).splitlines())}")
            return pd.DataFrame(columns=KEYS)
        lead = getattr(bundle.recipe.data, "gap_steps", 0)
        columns = pd.concat(_by_target(answer, rows, origin, column_of(name), levels, lead), ignore_index=True)
        found = columns if found is None else found.merge(columns, on=KEYS, how="outer")
        if name == MODEL and (left := answer.attrs.get("left_out")):
            notes.append(
                f"origin {origin}: no forecast of {', '.join(f'{each} ({why})' for each, why in left.items())}"
            )
    assert found is not None
    found = found[found["step"] > skipped]
    return found.assign(step=found["step"] - skipped)


def _planned(
    rows: Rows, origin: int, words: Sequence[str], notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """What is known at an origin, and ahead of it, of the series whose columns known ahead are there for every step.

    All series where none is like that: the forecast says why then. A missing word is a category of its own.
    """
    past, future = rows.before(origin), rows.future(origin)
    numbers = [name for name in rows.known if name not in words]
    if future is None or not rows.named or not numbers:
        return past, future
    series, of_past = (pd.Series(rows.names_in(frame[rows.named]), dtype=object) for frame in (future, past))
    told = future[numbers].notna().all(axis=1).groupby(series.to_numpy()).sum()
    left = [name for name in dict.fromkeys(of_past) if told.get(name, 0) < rows.ahead]
    if not left or len(left) == of_past.nunique():
        return past, future
    shown = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more series" if len(left) > _NAMED else "")
    notes.append(
        f"origin {origin}: no forecast of {shown}, whose {', '.join(numbers)} is not there for every step ahead"
    )
    return past[~of_past.isin(left).to_numpy()], future[~series.isin(left).to_numpy()]


def column_of(name: str) -> str:
    """The column of a forecaster: `seasonal naive (day)` is `seasonal_naive`, whatever season a fit has chosen."""
    return re.sub(r" \(.*\)$", "", name).replace(" ", "_")


def _by_target(
    answer: pd.DataFrame, rows: Rows, origin: int, column: str, levels: tuple[float, ...], lead: int
) -> Iterator[pd.DataFrame]:
    """An answer of `predict`, long by target; its columns are told by their places, whatever they are called."""
    own = 1 + 2 * len(levels)
    series, at = rows.names_in(answer), answer.iloc[:, len(rows.named)]
    values = answer.iloc[:, -own * len(rows.targets) :]
    steps = answer.iloc[:, -own * len(rows.targets) - 1]
    if rows.counted:
        ends = dict(zip(rows.series, rows.edges[origin - 1][:, 1].tolist(), strict=True))
        at = steps + lead + np.array([ends[name] for name in series])
    for place, target in enumerate(rows.targets):
        frame = pd.DataFrame({"origin": origin, "series": series, "target": target, "key": at, "step": steps})
        for position, ending in enumerate(endings(levels)):
            frame[f"{column}{ending}"] = values.iloc[:, place * own + position].astype("float64")
        yield frame


def endings(levels: tuple[float, ...]) -> list[str]:
    """What follows a forecaster's name: nothing for the forecast, then the ends of each interval."""
    return ["", *(f"-{end}-{level:g}" for level in levels for end in ("lo", "hi"))]
