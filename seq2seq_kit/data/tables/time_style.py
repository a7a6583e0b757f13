"""How the timestamps of the training rows are written, and the clock that those of other rows are brought to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo

import pandas as pd

from seq2seq_kit.errors import DataError


@dataclass(frozen=True)
class TimeStyle:
    """How a column of timestamps is written.

    Attributes:
        zone: Name of its time zone; empty where the times have none, or where there is no column of times.
        day_first: Whether texts such as 03/04/2024 are the 3rd of April; None where no text left that open.
        format: The recipe's `time_format`, in the words of `strftime`; None: ISO or whatever pandas recognises.
        reads_as: The recipe's `time_zone`: times without a zone are read in it, others are brought to it.
    """

    zone: str = ""
    day_first: bool | None = None
    format: str | None = None
    reads_as: str | None = None

    def to_json(self) -> dict[str, str | bool | None]:
        """Plain values; what the recipe says stands in the recipe."""
        return {"zone": self.zone, "day_first": self.day_first}

    @classmethod
    def from_json(cls, stored: Mapping[str, str | bool | None]) -> "TimeStyle":
        """The inverse of `to_json`.

        Raises:
            ValueError: It is none.
        """
        zone, day_first = stored["zone"], stored["day_first"]
        if not isinstance(zone, str) or not (day_first is None or isinstance(day_first, bool)):
            raise ValueError(f"a time style has a zone and an order of day and month. Received: {dict(stored)!r}")
        if zone:
            pd.Timestamp(0, tz=zone)
        return cls(zone, day_first)

    def bring(self, times: pd.DatetimeIndex, name: str, origin: str) -> pd.DatetimeIndex:
        """Times on the clock of this style.

        Raises:
            DataError: Only one of the two has a zone, so that nobody can tell which instants are meant.
        """
        if bool(self.zone) != (times.tz is not None):
            trained = f"times in {self.zone}" if self.zone else "times without a zone"
            given = "without a zone" if self.zone else f"in {zone_of(times.tz, name, origin)}"
            zone = self.zone or "UTC"
            cure = f"tz_localize({zone!r})" if self.zone else f"tz_convert({zone!r}).dt.tz_localize(None)"
            clock = "" if self.zone else ", with the clock of the training rows for UTC"
            raise DataError(
                f"{origin}, column {name}: the model was trained on {trained}. Received: {times[0]}, {given}. Write the times "
                f"as the training rows have them: frame[{name!r}].dt.{cure}{clock}",
                code="time_zone_differs",
            )
        return times if not self.zone or zone_of(times.tz, name, origin) == self.zone else times.tz_convert(self.zone)


def zone_of(zone: tzinfo | None, name: str, origin: str) -> str:
    """A name of a time zone that pandas finds again on another machine; empty for none.

    Raises:
        DataError: It is the zone of this machine, which has no name elsewhere.
    """
    if zone is None:
        return ""
    offset = zone.utcoffset(None)
    file = str(getattr(zone, "_filename", "")).rpartition("zoneinfo/")[2]  # dateutil's
    found = getattr(zone, "key", None) or getattr(zone, "zone", None) or file
    if offset is not None and not found:
        return "UTC" if not offset else str(timezone(timedelta(seconds=offset.total_seconds())))
    try:
        pd.Timestamp(0, tz=found or "none")
    except (ValueError, KeyError, OSError):
        raise DataError(
            f"{origin}, column {name}: the time zone {zone!r} has no name that another machine knows. Convert the "
            "times to a named "
            f"one: frame[{name!r}].dt.tz_convert('Europe/Berlin')",
            code="unknown_time_zone",
        ) from None
    return str(found)
