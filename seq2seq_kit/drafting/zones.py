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
        zone = next((zone for zone in _ZONES if all(_skips_with(part, zone) for part in parts)), None)
        return None if zone is None else (zone, "an hour is absent where that clock skips it in spring")
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


def _skips_with(times: pd.DatetimeIndex, zone: str) -> bool:
    """Whether sorted times lack a single hour where the clock of a zone skips it, and nowhere else."""
    apart = times[1:] - times[:-1]
    if not len(apart) or (step := apart.sort_values()[len(apart) // 2]) > _HOUR:
        return False
    try:
        local = times.tz_localize(zone)
    except ValueError:  # a time that is skipped, or one that should be there twice
        return False
    over = apart == step + _HOUR
    return bool(over.any() and ((local[1:] - local[:-1])[over] == step).all())
