"""The forecasts of all fits beside the actual values, by the column names that utilsforecast has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.scores import FROZEN, LABELS
from seq2seq_kit.backtests.worker import KEYS
from seq2seq_kit.data.tables.names import joined_name
from seq2seq_kit.evaluation import MODEL

_FORECAST = ["unique_id", "ds", "cutoff", "y"]


def assemble(rows: Rows, schedule: Schedule, fits: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One frame of the fits that have ended.

    Args:
        rows: All of them.
        schedule: Its origins.
        fits: By the origin of a fit its forecasts, see `worker.forecast_from`; those of the first one from later origins too.

    Returns:
        A row for each origin, series, target and step whose actual value is known, in this order: `LABELS` and a column for each
        forecaster. `model_frozen`, where some origins have a later fit, is the model of the first fit at all of them.
    """
    of_fit = {origin: set(origins) for origins in schedule.fits for origin in (origins[0],)}
    used = [each[each["origin"].isin(of_fit[origin])] for origin, each in fits.items() if len(each)]
    if not used:
        return pd.DataFrame(columns=list(LABELS))
    found = pd.concat(used, ignore_index=True)
    if 1 in fits and len(schedule.fits) > 1:
        own = {
            name: f"{FROZEN}{name.removeprefix(MODEL)}"
            for name in map(str, fits[1].columns)
            if name == MODEL or name.startswith(f"{MODEL}-")
        }
        frozen = fits[1][[*KEYS, *own]].rename(columns=own)
        found = found.merge(frozen, on=KEYS, how="left")
    # A merge of times in other units or of objects would find nothing.
    truth = rows.truth()
    found["key"] = found["key"].astype(truth["key"].dtype)
    found = found.merge(truth, on=["series", "target", "key"], how="inner")
    cutoffs = [(origin, name, at) for origin in of_origins(schedule) for name, at in rows.cutoffs(origin).items()]
    origin, series, at = zip(*cutoffs, strict=True)
    cutoff = pd.Series(list(at), dtype=found["ds"].dtype)
    found = found.merge(
        pd.DataFrame({"origin": origin, "series": series, "cutoff": cutoff}), on=["origin", "series"], how="left"
    )
    found["age"] = [schedule.age_of(each) for each in found["origin"]]
    found["unique_id"] = ids_of(found["series"], found["target"], several=len(rows.targets) > 1)
    places = pd.Categorical(found["series"], rows.series).codes, pd.Categorical(found["target"], rows.targets).codes
    order = np.lexsort((found["step"], found["origin"], places[1], places[0]))
    forecasters = [name for name in map(str, found.columns) if name not in (*LABELS, "key")]
    old = [name for name in forecasters if name.startswith(FROZEN)]
    first = [name for name in forecasters if name.startswith(MODEL) and name not in old]
    rest = [name for name in forecasters if name not in (*first, *old)]
    return found.iloc[order][[*LABELS, *first, *old, *rest]].reset_index(drop=True)


def of_origins(schedule: Schedule) -> range:
    """The numbers of its origins."""
    return range(1, schedule.windows + 1)


def ids_of(series: Sequence[str] | pd.Series, targets: Sequence[str] | pd.Series, *, several: bool) -> list[str]:
    """What utilsforecast tells series by: the series' name; the target's where there is one series; both of several targets."""
    return [unique_id(one, target, several=several) for one, target in zip(series, targets, strict=True)]


def unique_id(series: str, target: str, *, several: bool) -> str:
    """See `ids_of`; of several targets `series/target`."""
    if not series:
        return target
    return f"{series}/{joined_name([target])}" if several else series


def forecast_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame for utilsforecast: its own columns and the forecasters', nothing else, because others would count as models."""
    return rows[[*_FORECAST, *(name for name in rows.columns if name not in LABELS)]]
