"""The seasons of a table in steps: the one that a recipe names, else those of its clock."""

import numpy as np

from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Data

OWN = "season"  # what a recipe's is called that the clock has no name for


def seasons_within(data: Data, table: Table, rows: np.ndarray) -> dict[str, int]:
    """The seasons by name, shortest first, that some series holds at least once in its rows.

    Args:
        data: The recipe's section; its `season`, if it has one, is the only one, and 1 is none.
        table: Its rows.
        rows: `(first, end)` for each series, shape `(series, 2)`.
    """
    longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
    natural = table.every.seasons() if table.every else {}
    asked: int | None = getattr(data, "season", None)
    if asked is not None:
        names = [name for name, length in natural.items() if length == asked]
        natural = {names[0] if names else OWN: asked} if asked > 1 else {}
    return {name: length for name, length in natural.items() if length < longest}


def season_notes(data: Data, table: Table, rows: np.ndarray) -> list[str]:
    """What is said of a recipe's season where the clock has others.

    Raises:
        DataError: No series has as many training rows.
    """
    asked: int | None = getattr(data, "season", None)
    if asked is None:
        return []
    longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
    if asked >= longest:
        raise DataError(
            f"{table.origin}: data.season: {asked} needs more than {asked} training rows in a series. The longest has {longest}. "
            "Name a shorter season, or leave it out",
            code="season_too_long",
        )
    natural = {name: steps for name, steps in (table.every.seasons() if table.every else {}).items() if steps < longest}
    if not natural or min(natural.values()) == asked:
        return []
    others = ", ".join(f"{name} {length}" for name, length in natural.items())
    kept = f"{asked} rows are the season" if asked > 1 else "there is no season"
    return [f"as data.season says, {kept} of the seasonal naive forecast and of MASE; the clock has {others}"]
