"""New rows beside those of a training as one page: verdict, findings, every statistic, and the reference's stretches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.drift.result import Compared, Drift
from seq2seq_kit.reports import page
from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.reports.plots import as_png, new_figure
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN = 3  # statistics of a group


def write_drift_page(found: Drift, out: str | Path, *, title: str = "Drift") -> Path:
    """Writes the page of `bundle.watch`; it needs no network.

    Args:
        found: What `watch` gave.
        out: File to write, `.html`.
        title: Its title and first heading.

    Raises:
        ArgumentError: The file cannot be written.
    """
    said = "An alarm: the rows are not such as those of the training" if found.drifted else "No alarm"
    blocks = [page.badge(said, good=not found.drifted), page.paragraph(found.advice)]
    if findings := found.findings:
        told = [(f"{each.code}: {each}", "warning" if each.level == "warning" else "") for each in findings]
        blocks += [page.heading("Findings"), page.points(told)]
    for group in found.groups:
        blocks += _group(group, found.rate)
    if found.notes:
        blocks += [page.heading("What was done to the rows"), page.points([(note, "") for note in found.notes])]
    return page.write_page(page.whole_page(title, blocks), out)


def _group(group: Compared, rate: float) -> list[str]:
    alarms, table = group.alarms, group.table()
    about = (
        f"The newest {group.rows:,} rows of each series, compared with {alarms.stretches} stretches of the same length that the "
        f"model was made or judged with. A statistic is an alarm above {alarms.threshold:.3g} robust deviations of these "
        f"stretches; if nothing has changed, one or more of this group are in at most {rate:.3g} of all cases."
    )
    order = np.argsort(-table["distance"].to_numpy(), kind="stable")
    cells = [
        [
            str(row["column"]),
            str(row["statistic"]),
            *(figure(float(row[key])) for key in ("usual", "now", "distance")),
            f"{row['p']:.3g}",
            "alarm" if row["alarm"] else "",
        ]
        for row in table.iloc[order].to_dict("records")
    ]
    titles = ["column", "statistic", "usual", "now", "distance", "p", ""]
    blocks = [page.heading(group.what.capitalize()), page.paragraph(about), page.table(titles, cells)]
    for row in order[:_DRAWN]:
        of = table.iloc[row]
        drawn = plot_statistic(group.past(int(row)), float(of["now"]), title=f"{of['column']}: {of['statistic']}")
        blocks.append(page.picture(as_png(drawn), f"{of['statistic']} of {of['column']}"))
    return blocks


def plot_statistic(past: np.ndarray, now: float, *, title: str) -> Figure:
    """A statistic of the reference's stretches, the oldest first, and of the new rows."""
    drawn, axes = new_figure(9, 2.2)
    axes.plot(np.arange(len(past)), past, "o", color=PAST_COLOUR, ms=4, label="stretches of the reference")
    axes.plot([len(past)], [now], "D", color=MODEL_COLOUR, ms=8, label="these rows")
    axes.axhline(float(np.nanmedian(past)), color=PAST_COLOUR, lw=0.8)
    axes.set_title(for_figure(title), fontsize=10)
    axes.set_xlabel("stretch", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return drawn
