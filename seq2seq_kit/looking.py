"""A table as one page, before anything is trained: columns with parts, gaps, missing and far cells; seasons; correlation."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.windows.prepared import Prepared
from seq2seq_kit.drafting.draft import draft_recipe
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.drafting.seasons import Season, find_seasons
from seq2seq_kit.drafting.signal import far_off
from seq2seq_kit.drafting.source import open_source
from seq2seq_kit.drafting.table import inspect
from seq2seq_kit.errors import ArgumentError, KitError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.reports import page
from seq2seq_kit.reports.look import Stretch, filled, lagged, plot_lagged, plot_seasons, plot_stretch
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.reports.plots import as_png, with_unit
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.registry import open_job, parse_recipe
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MOST_SERIES, _MOST_COLUMNS, _MOST_TARGETS = 3, 12, 4
_MOST_ROWS = 1_000_000  # the newest ones of a series that are drawn
_LEAST_LAGS, _MOST_LAGS, _MOST_CORRELATED = 24, 400, 20_000


@dataclass(frozen=True)
class Look:
    """What a table looks like.

    Attributes:
        title: Where the table comes from.
        html: The page.
        pictures: Its figures as PNG, by name.
        seasons: Seasons of each target that was looked at, by its name.
    """

    title: str
    html: str
    pictures: dict[str, bytes]
    seasons: dict[str, list[Season]]

    def save(self, out: str | Path) -> Path:
        """Writes the page, and its figures into a folder of its name beside it.

        Raises:
            ArgumentError: A file cannot be written.
        """
        path = page.write_page(self.html, out)
        folder = path.parent / f"{path.stem}_figures"
        try:
            folder.mkdir(exist_ok=True)
            for name, png in self.pictures.items():
                (folder / f"{name}.png").write_bytes(png)
        except OSError as error:
            said = f"could not write into {folder}: {error.strerror}. Choose another --out"
            raise ArgumentError(said, code="unwritable_file") from None
        return path

    def __repr__(self) -> str:
        return f"<Look at {self.title}: {len(self.pictures)} figures; save('look.html') writes the page>"

    def _repr_html_(self) -> str:
        return self.html.partition("<body>")[2].partition("</body>")[0]


def look(given: str | Path | Tree | Recipe | pd.DataFrame) -> Look:
    """Looks at the data of a recipe, or at a table by the recipe that `draft_recipe` writes for it.

    Args:
        given: A frame, the path of a file, a named data set, or a recipe in any form that `train` takes.

    Raises:
        DataError: The table cannot be read or drafted for; the message names the key that settles it.
        RecipeError: The recipe has problems.

    Example:
        >>> import numpy as np, pandas as pd
        >>> at = pd.date_range("2024-01-01", periods=600, freq="h")
        >>> seen = look(pd.DataFrame({"time": at, "load": np.sin(np.arange(600) * np.pi / 12)}))
        >>> [season.steps for season in seen.seasons["load"]]
        [24]
    """
    recipe, job, decisions, title = _opened(given)
    prepared: Prepared | None = getattr(job, "prepared", None)
    blocks = [page.paragraph(f"{len(job.source):,} rows; {_counts(job)}.")]
    if decisions:
        blocks += [page.heading("What a recipe for it would say"), page.points((said, "") for said in decisions)]
    findings = [(str(each), each.level) for each in job.check()]
    blocks += [page.heading("Findings"), page.points(findings)] if findings else []
    pictures: dict[str, bytes] = {}
    seasons: dict[str, list[Season]] = {}
    if prepared is not None:
        blocks += [page.heading("Columns"), page.table(*_columns(prepared))]
        drawn, seasons = _figures(prepared)
        pictures = {name: as_png(each) for name, (_, each) in drawn.items()}
        for name, (about, _) in drawn.items():
            blocks += [page.heading(about), page.picture(pictures[name], about)]
        blocks.append(page.paragraph(_left_out(prepared)))
    blocks += [page.heading("Recipe"), page.code(dump_recipe(recipe))]
    return Look(title, page.whole_page(f"Look at {title}", blocks), pictures, seasons)


def _opened(given: str | Path | Tree | Recipe | pd.DataFrame) -> tuple[Recipe, Job, list[str], str]:
    written = isinstance(given, str | Path) and str(given).lower().endswith((".yaml", ".yml"))
    if isinstance(given, Mapping | Recipe) or (written and isinstance(given, str | Path)):
        recipe = resolve(given)
        return recipe, open_job(recipe), [], recipe.name or recipe.task
    draft = draft_recipe(given)
    recipe = parse_recipe(draft.recipe)
    rows = None if isinstance(given, str | Path) else given
    job = open_job(recipe, rows)
    if hasattr(job, "prepared"):
        with suppress(KitError):  # columns that the recipe leaves out are shown where they can be read
            job = open_job(_with_all_numbers(recipe, given), rows)
    return recipe, job, draft.decisions, str(given) if rows is None else "the frame"


def _with_all_numbers(recipe: Recipe, given: str | Path | pd.DataFrame) -> Recipe:
    """The recipe with every column of numbers among its inputs."""
    values = recipe.model_dump(mode="json", exclude_unset=True)
    data = values["data"]
    series = data.get("series") or []
    found = inspect(open_source(given, Notes()), [series] if isinstance(series, str) else series, Notes()).roles
    data["inputs"] = list(dict.fromkeys([*data["inputs"], *found.numbers]))
    return parse_recipe(values | {"data": data | {"missing": "interpolate"}})


def _counts(job: Job) -> str:
    return f"{job.unit}: " + ", ".join(f"{job.examples.count(part):,} {part}" for part in ("train", "val", "test"))


def _columns(prepared: Prepared) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the table of columns, over the newest rows."""
    table, roles = prepared.table, prepared.columns
    values = table.values[max(0, len(table.values) - _MOST_ROWS) :]
    rows = []
    for place, name in enumerate(table.columns):
        cells = values[:, place]
        known = cells[np.isfinite(cells)]
        role = [word for word, names in (("target", roles.targets), ("input", roles.inputs)) if name in names]
        role += ["known ahead"] * (name in roles.known_future)
        told = (
            [figure(float(each)) for each in (known.min(), np.median(known), known.max())] if known.size else ["-"] * 3
        )
        odd = [f"{len(cells) - known.size:,}", f"{int(far_off(cells).sum()):,}", f"{len(np.unique(known)):,}"]
        rows.append([with_unit(name, prepared.data.units), ", ".join(role), f"{known.size:,}", *odd, *told])
    return ["", "role", "known", "missing", "far off", "different", "smallest", "median", "largest"], rows


def _figures(prepared: Prepared) -> tuple[dict[str, tuple[str, Figure]], dict[str, list[Season]]]:
    """Each figure with its heading, by the name of its file; seasons by target."""
    table, roles = prepared.table, prepared.columns
    found: dict[str, tuple[str, Figure]] = {}
    for series in range(min(len(table.series), _MOST_SERIES)):
        for place in range(min(len(table.columns), _MOST_COLUMNS)):
            shown = _stretch(prepared, series, place)
            if len(shown.values) > 1:
                found[f"series{series + 1}_column{place + 1}"] = shown.title, plot_stretch(shown)
    seasons: dict[str, list[Season]] = {}
    longest = int(np.argmax(np.diff(prepared.split.rows("train"), axis=1)))
    first, end = map(int, prepared.split.rows("train")[longest])
    # Far cells would be all that seasons and correlations show.
    rows = np.array(table.values[max(first, end - _MOST_CORRELATED) : end])
    for column in rows.T:
        column[far_off(column)] = np.nan
    most = min(_MOST_LAGS, len(rows) // 3)
    for number, target in enumerate(roles.targets[:_MOST_TARGETS], start=1):
        own = rows[:, table.columns.index(target)]
        seasons[target] = find_seasons(own, table.every)
        named = {season.name: season.steps for season in seasons[target]}
        asked = getattr(prepared.data, "season", None)
        named |= {"data.season": asked} if asked and asked not in named.values() else {}
        reach = min(most, max([_LEAST_LAGS, *(3 * steps for steps in named.values())]))
        if reach < 3:
            continue
        about = f"Seasons of {target}" + (f", series {table.series[longest]}" if table.series[longest] else "")
        found[f"seasons{number}"] = about, plot_seasons(own, named, title=about, most=reach)
        others = [name for name in roles.inputs if name in table.columns and name != target][:_MOST_COLUMNS]
        curves = {name: lagged(filled(rows[:, table.columns.index(name)]), filled(own), reach) for name in others}
        if curves:
            about = f"Inputs and {target}"
            said = f"Correlation of {target} with inputs before it, training rows"
            found[f"lagged{number}"] = about, plot_lagged(curves, title=said)
    return found, seasons


def _stretch(prepared: Prepared, series: int, place: int) -> Stretch:
    table = prepared.table
    start, end = map(int, table.bounds[series : series + 2])
    first = max(start, end - _MOST_ROWS)
    values = table.values[first:end][:, place]
    times = table.times
    places = np.arange(first - start, end - start) + 1 if times is None else _clock(times[first:end])
    parts = {}
    for part in ("train", "val", "test"):
        low, high = map(int, prepared.split.rows(part)[series])
        parts[part] = max(low - first, 0), max(high - first, 0)
    own = table.segments[table.segments[:, 2] == series]
    gaps = own[1:, 0] - first
    name, told = table.columns[place], table.series[series]
    title = f"{name}, series {told}" if told else name
    gaps = gaps[gaps > 0]
    return Stretch(
        title, with_unit(name, prepared.data.units), places, values, parts, gaps, np.flatnonzero(far_off(values))
    )


def _clock(times: pd.DatetimeIndex) -> np.ndarray:
    """Timestamps on the clock of the data; NumPy's know no zone."""
    return times.tz_localize(None).to_numpy()


def _left_out(prepared: Prepared) -> str:
    table, said = prepared.table, []
    for most, all_of, what in (
        (_MOST_SERIES, table.series, "series"),
        (_MOST_COLUMNS, table.columns, "columns"),
        (_MOST_TARGETS, prepared.columns.targets, "targets"),
    ):
        if len(all_of) > most:
            said.append(f"{most} of {len(all_of):,} {what}")
    return f"Drawn are {', '.join(said)}." if said else "Everything is drawn."
