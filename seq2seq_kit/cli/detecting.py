"""`detect`: the events of new rows, as a table on the terminal and as files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from seq2seq_kit.cli import many, rows
from seq2seq_kit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from seq2seq_kit.anomalies.comparison import Comparison
    from seq2seq_kit.anomalies.detection import Detection
    from seq2seq_kit.bundles.base import Bundle

_SHOWN = 10


def take_labels(verb: argparse.ArgumentParser) -> None:
    """The option `--labels` of a verb."""
    about = (
        "which rows are anomalous: a column of 0 and 1, or a file of intervals; default: the recipe's, if of these rows"
    )
    verb.add_argument("--labels", metavar="COLUMN|FILE", help=about)


def detect(options: argparse.Namespace) -> int:
    """Finds events in new rows."""
    if many.wanted(options):
        return many.score(
            "detect", options, {name: getattr(options, name) for name in ("alarms_per_week", "threshold")}
        )
    from rich.console import Console

    from seq2seq_kit.cli.progress import print_finding, print_line

    rows.check_ending(options.scores, "--scores")
    rows.check_page(options.page, "--page")
    if options.save and not options.calibrate:
        raise ArgumentError("--save writes what --calibrate made. Add --calibrate FILE", code="invalid_option")
    bundle, frame = rows.loaded(options, "detect")
    if options.calibrate:
        bundle = bundle.calibrate(bundle.read(options.calibrate), origin=options.calibrate)
        if options.save:
            print(f"bundle written to {bundle.save(options.save)}", file=sys.stderr)
    found = _found(bundle, frame, options)
    console, notes = Console(), Console(stderr=True)
    for note in found.notes:
        print_line(notes, f"note: {note}")
    _print_events(console, found, bundle)
    if judged := found.judged:
        print_judged(console, judged)
    elif found.labelled is not None:
        which = "every" if found.labelled.all() else "no"
        print_line(notes, f"note: {which} row is labelled as anomalous, so labels judge nothing")
    for finding in found.findings:
        print_finding(console, finding)
    if options.out:
        rows.write_frame(found.events, options.out)
    if options.scores:
        rows.write_frame(found.scores, options.scores)
    if options.page:
        from seq2seq_kit.reports.anomaly_page import write_anomaly_page

        units, title = getattr(bundle.recipe.data, "units", {}), f"Anomalies in {options.data}"
        print(f"page written to {write_anomaly_page(found, options.page, title=title, units=units)}", file=sys.stderr)
    return 0


def _found(bundle: Bundle, frame: pd.DataFrame | list[str], options: argparse.Namespace) -> Detection:
    """The detection, with a bar of its windows on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("scoring"), BarColumn(bar_width=30), TextColumn("{task.completed:,.0f} windows, time left"))
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        return bundle.detect(
            frame,  # type: ignore[arg-type]  # only models of tables detect
            alarms_per_week=options.alarms_per_week,
            threshold=options.threshold,
            labels=options.labels,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
            origin=options.data,
        )


def _print_events(console: Console, found: Detection, bundle: Bundle) -> None:
    from seq2seq_kit.cli.progress import print_line, print_table
    from seq2seq_kit.reports.notes import count_of, figure

    events, detector = found.events, found.detector
    if len(events):
        series = list(events.columns[1 : list(events.columns).index("start")])
        worst = events.head(_SHOWN)
        several = "column_2" in events  # a single column is always the whole reason
        header = [*series, "when", "severity", *(["columns"] if several else []), "actual", "expected"]
        lines = [
            [
                *(str(event[name]) for name in series),
                when,
                figure(event["severity"]),
                *([_why(event)] if several else []),
                figure(event["actual_1"]),
                figure(event["expected_1"]),
            ]
            for (_, event), when in zip(worst.iterrows(), _spans(worst["start"], worst["end"]), strict=True)
        ]
        more = f", the {_SHOWN} worst" if len(events) > _SHOWN else ""
        print_table(console, header, lines, title=f"{count_of(len(events), 'event')}{more}", whole=["when", "severity"])
    of_each = " of each series" if len(events.columns) and found.scores.columns[0] in bundle.series_names else ""
    said = f"{count_of(len(events), 'event')} in {count_of(len(found.scores), 'row')} at the threshold {detector.threshold:.3g}"
    unit = detector.unit if detector.rows_per_week is None else f"a {detector.unit}"
    print_line(
        console, f"{said}; about {detector.alarms_per_week:.2g} of them in {unit}{of_each} is expected to be false"
    )
    if found.unreached:
        reach = "row that no window reaches has" if found.unreached == 1 else "rows that no window reaches have"
        print_line(console, f"{found.unreached:,} {reach} no score")


def print_judged(console: Console, judged: Comparison) -> None:
    """Prints what labels say of a detector."""
    from seq2seq_kit.cli.progress import print_table
    from seq2seq_kit.reports.notes import judged_rows

    titles, *cells = judged_rows(judged)
    print_table(console, titles, cells, title=judged.title)


def _spans(starts: pd.Series, ends: pd.Series) -> list[str]:
    """From when to when, as short as can be: `2024-05-01 07:30 to 09:00`, or rows."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(starts):
        return [f"{start}" if start == end else f"{start} to {end}" for start, end in zip(starts, ends, strict=True)]
    both = pd.DatetimeIndex(pd.concat([starts, ends]))
    days, minutes = (both.normalize() == both).all(), (both.floor("min") == both).all()
    clock = "" if days else " %H:%M" if minutes else " %H:%M:%S"
    found = []
    for start, end in zip(starts, ends, strict=True):
        same_day, same_year = not days and start.date() == end.date(), start.year == end.year
        to = clock.strip() if same_day else f"{'%m-%d' if same_year else '%Y-%m-%d'}{clock}"
        found.append(f"{start:%Y-%m-%d{clock}}" + ("" if start == end else f" to {end:{to}}"))
    return found


def _why(event: pd.Series) -> str:
    """The strongest columns with their shares."""
    names = [place for place in (1, 2, 3) if f"column_{place}" in event and event[f"share_{place}"] >= 0.005]
    return ", ".join(f"{event[f'column_{place}']} {event[f'share_{place}']:.0%}" for place in names)
