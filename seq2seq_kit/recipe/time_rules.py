"""What the keys of time have to do with each other; see `rules`."""

import re
from collections.abc import Iterator
from zoneinfo import available_timezones

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Rule, Written
from seq2seq_kit.recipe.messages import did_you_mean
from seq2seq_kit.recipe.time_fields import QUARTER, ROWS, WEEKS, WORDS

_OF_HOLIDAYS = ("holidays", "days_to_holiday")

_DIRECTIVES = frozenset("aAwdbBmyYHIpMSfzZjUWcxXGuV%")  # those that Python reads


def time_and_every_go_together(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    time, every = data.get("time"), data.get("every")
    if time and every is None:
        said = f"`time: {time}` needs the step between rows. Add for example `every: 1h`"
        yield Problem("data.time", said, "missing_key")
    if every and time is None:
        said = f"`every: {every}` needs the column of timestamps. Add `time: <column>`"
        yield Problem("data.every", said, "missing_key")
    if data.get("calendar") and time is None:
        said = "`calendar` needs timestamps. Add `time: <column>` and `every: <step>`"
        yield Problem("data.calendar", said, "missing_key")
    if isinstance(time, list) and len(set(map(str, time))) < len(time):
        yield Problem("data.time", f"`time` names a column twice; name each once. Received: {time}", "duplicate_column")


def wrong_format(form: str) -> str:
    """What is wrong with a `time_format`; empty where nothing is."""
    directives = re.findall(r"%.?", form)
    if form in WORDS:
        return ""
    if unknown := [each for each in directives if each[1:] not in _DIRECTIVES]:
        return f"must be written as in strftime, which has no {unknown[0]}; a quarter is `quarter`. Received: {form!r}"
    if not {"%Y", "%y", "%G", "%x", "%c"} & {*directives}:
        return (
            f"must be {', '.join(WORDS)}, or be written as in strftime and have a year, such as '%d/%m/%Y %H:%M'"
            f"{did_you_mean(form, WORDS)}. Received: {form!r}"
        )
    return ""


def times_are_of_a_calendar(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    for key, none in (
        ("time_format", None),
        ("time_zone", None),
        ("duplicates", "refuse"),
        ("resample", None),
        ("gaps", "cut"),
        ("holidays", None),
    ):
        if data.get(key, none) != none and data.get("time") is None:
            yield Problem(
                f"data.{key}", f"`{key}` is about the column of timestamps. Add `time: <column>`", "missing_key"
            )
    zone, form = data.get("time_zone"), data.get("time_format")
    if isinstance(zone, str) and zone not in available_timezones():
        said = (
            "there is no time zone of this "
            f"name{did_you_mean(zone, sorted(available_timezones()), otherwise='')}. Received: {zone}"
        )
        yield Problem("data.time_zone", said, "unknown_time_zone")
    if isinstance(form, str) and (said := wrong_format(form)):
        yield Problem("data.time_format", said, "invalid_time_format")
    time = data.get("time")
    if isinstance(time, list) and form in WORDS and len(time) > (2 if form in (*WEEKS, QUARTER) else 1):
        most = "a single column" if form not in (*WEEKS, QUARTER) else "one column, or of a year and another one"
        said = f"`time_format: {form}` is of {most}. Name that in `time`. Received: {time}"
        yield Problem("data.time", said, "conflicting_keys")


def rows_fit_the_step(recipe: Written) -> Iterator[Problem]:
    """What becomes of rows beside the grid needs a grid, and somebody who treats the cells that are missing then."""
    data = recipe.data
    if data.get("every") == ROWS:
        for key, given in (
            ("resample", data.get("resample")),
            ("gaps", data.get("gaps") == "fill"),
            ("calendar", data.get("calendar")),
            ("holidays", data.get("holidays")),
        ):
            if given:
                said = (
                    f"`{key}` needs a step in time, and with `every: rows` the time of the next row is not known. "
                    f"Leave `{key}` out, or set `every` to a step such as 1h"
                )
                yield Problem(f"data.{key}", said, "conflicting_keys")
    elif data.get("gaps") == "fill" and data.get("missing") == "refuse":
        said = "makes absent rows missing cells, which `missing: refuse` refuses. Set `missing` to interpolate, ffill or mask"
        yield Problem("data.gaps", said, "conflicting_keys")


def holidays_are_named_and_used(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    calendar, holidays, every = data.get("calendar"), data.get("holidays"), data.get("every")
    wanted = [name for name in calendar if name in _OF_HOLIDAYS] if isinstance(calendar, list) else []
    if wanted and holidays is None:
        said = f"`calendar: [{', '.join(wanted)}]` needs to know whose holidays. Add for example `holidays: DE` or `holidays: US`"
        yield Problem("data.calendar", said, "missing_key")
    if holidays is not None and not wanted and isinstance(every, str) and not every.endswith("bd") and every != ROWS:
        said = (
            "is about business days (`every: 1bd`) and about `calendar: [holidays, days_to_holiday]`, and the recipe "
            "has neither. Leave it out, or add one of them"
        )
        yield Problem("data.holidays", said, "unused_key")


def row_groups_keep_their_times(recipe: Written) -> Iterator[Problem]:
    """Rows that are never in memory together are neither joined with others nor put between them."""
    data, form = recipe.data, recipe.data.get("time_format")
    if data.get("read") != "row_groups":
        return
    for key, wrong, said in (
        ("time", isinstance(data.get("time"), list), "takes one column of Parquet's timestamps. Name one"),
        ("time_format", form in WORDS, "takes a column of Parquet's timestamps. Leave `time_format` out"),
        ("time_zone", data.get("time_zone"), "reads times as they stand. Leave `time_zone` out"),
        ("duplicates", data.get("duplicates") != "refuse", "joins no rows. Leave `duplicates` at refuse"),
        ("resample", data.get("resample"), "joins no rows. Leave `resample` out"),
        ("gaps", data.get("gaps") == "fill", "adds no rows. Leave `gaps` at cut"),
    ):
        if wrong:
            text = f"`read: row_groups` {said}, or set `data.read: memory`"
            yield Problem(f"data.{key}", text, "conflicting_keys")


TIME_RULES: tuple[Rule, ...] = (
    time_and_every_go_together,
    times_are_of_a_calendar,
    rows_fit_the_step,
    holidays_are_named_and_used,
    row_groups_keep_their_times,
)
