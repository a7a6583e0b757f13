"""The stages between the split and the matrix: padding of short series, the fit of a scaler, the filling of missing cells."""

from dataclasses import replace

import numpy as np

from seq2seq_kit.data.tables.categories import vocabularies_of
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.pieces import pieces_of
from seq2seq_kit.data.tables.scaling import Scaler, fit_scaler
from seq2seq_kit.data.tables.seasons import seasons_within
from seq2seq_kit.data.tables.series import pad_left, without_padding
from seq2seq_kit.data.tables.splits import Split, fill_missing
from seq2seq_kit.data.tables.table import Table, refuse_missing
from seq2seq_kit.data.tables.transforms import staged, transforms_of
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Data, HorizonData, WindowData


def fit_on(data: Data, table: Table, rows: np.ndarray) -> Scaler:
    """The stage `fit`: a scaler of some rows, `(first, end)` for each series, shape `(series, 2)`."""
    columns = Columns.of(data).table
    scaling = data.scaling
    methods: list[str] = [scaling if isinstance(scaling, str) else scaling.get(name, "standard") for name in columns]
    if isinstance(data, WindowData) and data.window_scaling != "none":
        # A centre of all rows would be a level that no window's own size tells of, and cost small series their digits.
        targets = Columns.of(data).targets
        methods = ["size" if name in targets else method for name, method in zip(columns, methods, strict=True)]
    roles = Columns.of(data)
    own = roles.weight if roles.weight not in roles.past else None  # a weight that is read is scaled as an input
    plain = (own, *roles.categories)
    methods = ["none" if name in plain else method for name, method in zip(columns, methods, strict=True)]
    per_series = table.series if data.scale_per_series else None

    def fitted(table: Table) -> Scaler:
        found = fit_scaler(table.values, rows, columns=columns, methods=methods, series=per_series, times=table.style)
        return replace(found, vocabularies=vocabularies_of(table, rows)) if table.words else found

    found = fitted(table)
    if not isinstance(data, WindowData) or not data.transform:
        return found
    season = season_of(data, table, rows) if any("seasonal_diff" in chain for chain in data.transforms.values()) else 1
    transforms = transforms_of(data.transforms, table, rows, columns=columns, season=season)
    center = found.center
    if (
        transforms.then
    ):  # 0, the centre of what is not scaled, has no logarithm where no value is known before a difference
        usual = fit_scaler(table.values, rows, columns=columns, methods=["standard"] * len(columns), series=per_series)
        center = np.where(center > 0, center, usual.center)
    level = replace(transforms, center=center, scale=found.scale)
    return replace(fitted(transforms.apply(table)), transforms=level)


def season_of(data: WindowData, table: Table, rows: np.ndarray) -> int:
    """Rows of a season: the recipe's `season_steps`, else the shortest of `seasons_within` the training rows.

    Raises:
        DataError: There is none; or a gap hides rows that a target's seasonal difference would need.
    """
    longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
    season = data.season_steps or min(seasons_within(data, table, rows).values(), default=0)
    if not season:
        raise DataError(
            f"{table.origin}: data.transform: seasonal_diff needs a season, and {longest} training rows "
            f"{f'with every: {table.every.text}' if table.every else 'without time'} hold no natural one. Set "
            "data.season_steps (in a forecast data.season does, too) to the rows of a season, or choose diff",
            code="no_season",
        )
    if isinstance(data, HorizonData) and data.gap_steps and data.gap_steps + data.output_steps > season:
        differenced = [name for name in data.targets if "seasonal_diff" in data.transforms.get(name, [])]
        if differenced:
            raise DataError(
                f"data.transform: seasonal_diff of {', '.join(differenced)} is undone by the values one season of {season} rows "
                f"before, and with gap_steps: {data.gap_steps} some of them lie in the gap. Use gap_steps + output_steps of at "
                f"most {season} (now {data.gap_steps + data.output_steps}), or gap_steps: 0",
                code="season_too_short",
            )
    return season


def refuse_bad_weights(data: Data, table: Table) -> Table:
    """The table; raises `DataError` where a weight of `data.weight` is missing or negative."""
    name = Columns.of(data).weight
    if name is None:
        return table
    position, count, row = table.columns.index(name), 0, 0
    for rows in pieces_of(0, len(table.values)):
        wrong = np.flatnonzero(~(table.values[rows, position] >= 0))
        row = rows.start + int(wrong[0]) if wrong.size and not count else row
        count += wrong.size
    if count:
        more = f" (and {count - 1} more such cells)" if count > 1 else ""
        raise DataError(
            f"{table.origin}, {table.where(row)}, column {name}: a weight (data.weight) must be 0 or more. Received: "
            f"{table.values[row, position]:g}{more}. Correct the cell; 0 is for rows that do not count",
            code="invalid_weight",
        )
    return table


def rows_lost(data: Data, scaler: Scaler | None = None) -> int:
    """Rows at the start of a stretch that have no difference; without a scaler those of `diff`, whose lag needs no fit."""
    if scaler is not None:
        return scaler.transforms.lost if scaler.transforms else 0
    chains = list(staged(data.transforms).values()) if isinstance(data, WindowData) else []
    return sum(
        "diff" in (chain[at] for chain in chains if len(chain) > at) for at in range(max(map(len, chains), default=0))
    )


def fill(data: Data, table: Table, split: Split) -> Table:
    """The stage `fill`: missing cells are refused, filled within their part or left for the mask, as `data.missing` says.

    Rows that a short series was padded with stay as they are.
    """
    if table.pads is not None:
        return pad_left(fill(data, without_padding(table), split.shifted(-np.cumsum(table.pads))), table.pads)
    columns = Columns.of(data)
    if data.missing == "refuse":
        advice = "Fill them in the file, or choose data.missing in the recipe: interpolate, ffill or mask"
        refuse_missing(table, columns.table, advice=advice)
    elif data.missing == "mask":
        refuse_missing(table, columns.known_future, advice="A column known ahead must be complete; fill it in the file")
    else:
        return fill_missing(table, split, method=data.missing)
    return table


def pad_short(data: Data, table: Table, split: Split, part: str, *, least: int) -> tuple[Table, Split]:
    """Pads series with fewer than `least` rows in a part by `input_steps - 1` rows, where `data.short_series` says so.

    The oldest window of such a series ends its inputs with the series' first row, or first difference. The padding belongs to
    no part.
    """
    least += rows_lost(data)
    if not isinstance(data, HorizonData) or data.short_series != "pad":
        return table, split
    rows = split.rows(part)
    short = (rows[:, 1] - rows[:, 0] < least) & (np.diff(table.bounds) > 0)
    counts = np.where(short, data.input_steps - 1, 0)
    padded = pad_left(table, counts)
    if not short.any():
        return padded, split
    said = f"{short.sum()} of {len(short)} series have fewer than {least} rows there and were padded on the left"
    return replace(padded, notes=[*padded.notes, said]), split.shifted(np.cumsum(counts))
