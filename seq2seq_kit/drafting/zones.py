"""Which zone's clock a column of times follows: told by its offsets, or by the hours that clocks skip and repeat."""

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.local_times import of_one_series, stretches
from seq2seq_kit.data.tables.time_parsing import all_with_offset
from seq2seq_kit.data.tables.time_texts import with_offsets
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.errors import DataError

# Zones whose clocks change on days of their own, the most usual name of each; a zone with the same changes gives the same steps.
_ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Helsinki",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Jerusalem",
    "Asia/Beirut",
    "Asia/Tehran",
    "Australia/Lord_Howe",
)
_PARTS_OF_OFFSET = r"(?P<written>.*?)\s*(?:Z|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?)\s*$"
_MOSTLY = 0.9
_HOUR = pd.Timedelta(hours=1)


def zone_of_offsets(column: pd.Series) -> str | None:
    """The zone of texts with several offsets from UTC; None where no usual zone has these."""
    parts = column.dropna().astype("str").str.extract(_PARTS_OF_OFFSET)
    hours = pd.to_numeric(parts["sign"].fillna("+") + parts["hours"].fillna("0"))
    minutes = pd.to_numeric(parts["sign"].fillna("+") + parts["minutes"].fillna("0"))
    try:
        written, _ = read_times(parts["written"].reset_index(drop=True), "", "")
    except DataError:
        return None
    offsets = pd.TimedeltaIndex(pd.to_timedelta(hours * 60 + minutes, unit="min"))
    instants = (written - offsets).tz_localize("UTC")
    return next((zone for zone in _ZONES if (instants.tz_convert(zone).tz_localize(None) == written).all()), None)


def zone_of_word(column: pd.Series) -> str | None:
    """The zone of texts that all have one word of its clock behind them, such as EDT; None where no usual zone has it."""
    told = with_offsets(column, alone=True)
    return None if told is column or not all_with_offset(told) else zone_of_offsets(told)


def _repeated(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Times of an hour that is there for the second time."""
    if times.is_monotonic_increasing:
        return times[times.duplicated()]
    return times[np.flatnonzero(np.diff(times.asi8) < 0) + 1]


def zone_of_changes(times: pd.DatetimeIndex) -> tuple[str, str] | None:
    """The zone of times without one, and what tells it: an hour that is there twice in autumn, or absent where clocks skip it.

    None where neither is, or no usual zone has these changes.
    """
    if len(times) > 1 and times[0] > times[-1] and (np.diff(times.asi8) <= 0).mean() > _MOSTLY:
        times = times[::-1]
    times = of_one_series(times) if len(times) else times
    parts = [times[first:end] for first, end in stretches(times)]
    found = [_repeated(part) for part in parts]
    twice = pd.DatetimeIndex(found[0].append(found[1:]))
    if not len(twice):
        zone = _zone_of_skipped(parts)
        said = (
            "an hour is absent where that clock, as others with the same changes, skips it in spring. If the rows are of UTC, "
            "which skips none, take this out and set gaps: fill"
        )
        return None if zone is None else (zone, said)
    if len(twice) > len(times) / 100 or len(set(twice.normalize())) * 8 < len(twice):
        return None
    for zone in _ZONES:
        try:
            local = [part.tz_localize(zone, ambiguous="infer") for part in parts]
        except ValueError:
            continue
        steps = [part[1:] - part[:-1] for part in local]
        apart = steps[0].append(steps[1:])
        if (apart > pd.Timedelta(0)).all() and (apart <= _HOUR).mean() > 0.9:
            return zone, "an hour is absent in spring and there twice in autumn"
    return None


def _zone_of_skipped(parts: list[pd.DatetimeIndex]) -> str | None:
    """The zone whose clock skips the single hours that are absent in sorted times of series; None where none are, or others."""
    apart = [part[1:] - part[:-1] for part in parts]
    whole = apart[0].append(apart[1:])
    if not len(whole) or (step := whole.sort_values()[len(whole) // 2]) > _HOUR:
        return None
    over = [np.flatnonzero(each == step + _HOUR) for each in apart]
    firsts = [part[at] for part, at in zip(parts, over, strict=True)]
    before = pd.DatetimeIndex(firsts[0].append(firsts[1:]))
    if not len(before):
        return None
    return next((zone for zone in _ZONES if _skips(zone, before, step) and _has_all(zone, parts)), None)


def _skips(zone: str, before: pd.DatetimeIndex, step: pd.Timedelta) -> bool:
    """Whether the clock skips an hour behind each of these times."""
    ends = [each.tz_localize(zone, ambiguous="NaT", nonexistent="NaT") for each in (before, before + step + _HOUR)]
    return bool((ends[1] - ends[0] == step).all())


def _has_all(zone: str, parts: list[pd.DatetimeIndex]) -> bool:
    """Whether the clock has each of these times, once."""
    return all(part.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").notna().all() for part in parts)
