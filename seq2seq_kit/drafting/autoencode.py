"""The recipe of an autoencoder of windows, from what its table is."""

import re
from collections.abc import Sequence

from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.rows import (
    choose_window,
    clock_keys,
    missing_keys,
    series_keys,
    training_windows,
    usable_rows,
)
from seq2seq_kit.drafting.sizes import choose_effort
from seq2seq_kit.drafting.table import Inspected
from seq2seq_kit.drafting.targets import choose_targets
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Recipe

_SHARE = 0.15
_NUMBERS_OF_A_LATENT = 12  # of a window, for each of the latent vector's
_CALLED_A_LABEL = re.compile(r"label|anomal|outlier|fault|fehler|st\u00f6rung|alarm|attack|incident|is_?event", re.I)


def draft_autoencode(
    table: Inspected,
    kind: type[Recipe],
    target: list[str],
    ahead: str | int | None,
    notes: Notes,
    known: Sequence[str] = (),
) -> dict[str, object]:
    """The values of the recipe; `target` names the columns to reconstruct, by default all numbers.

    Raises:
        DataError: The table holds no numbers, or too few rows.
        ArgumentError: `ahead` or `known` is given, which an autoencoder has not.
    """
    if known:
        raise ArgumentError(
            "known is for a forecast; an autoencoder looks at no steps ahead. Leave it out", code="not_supported"
        )
    if ahead is not None:
        raise ArgumentError(
            "ahead is for a forecast; an autoencoder gives its window back. Leave it out", code="invalid_ahead"
        )
    label = None if target else _label(table)
    columns = target or [name for name in table.roles.numbers if name != label]
    choose_targets(
        table.source.frame, table.roles.numbers, columns, Notes(), table.source.origin, left_out=table.roles.left_out
    )
    notes.said.append(("inputs", f"{'as asked for' if target else 'every column of numbers'}: {listed(columns)}"))
    keys = clock_keys(table, kind, notes)
    rows = usable_rows(table, columns, keys)
    steps = choose_window(table, columns[0], keys, rows, share=_SHARE, notes=notes)
    effort = choose_effort(training_windows(rows, steps, share=_SHARE), 1, 2 * steps, len(columns), notes)
    latent = max(2, min(32, steps * len(columns) // _NUMBERS_OF_A_LATENT))
    notes.say("latent_dim", f"{steps * len(columns)} numbers of a window are told in {latent}; fewer compress more")
    data = dict(table.source.keys) | keys | series_keys(table, columns[0], kind, notes)
    if label is not None:
        notes.say("labels", f"{label} is 0 or 1 and called like one: it judges the detector and is not learned from")
    data |= {"labels": label} if label is not None else {}
    data |= {"inputs": list(columns), "input_steps": steps} | missing_keys(table, columns, keys, notes)
    layers = {"encoder_units": [effort.units], "decoder_units": [effort.units], "latent_dim": latent}
    training = {"learning_rate": 5e-3, "schedule": "cosine", "batch_size": effort.batch_size, "epochs": effort.epochs}
    return {
        "data": data | {"split": {"val": _SHARE, "test": _SHARE}},
        "model": layers,
        "training": training | {"patience": None},
    }


def _label(table: Inspected) -> str | None:
    """A column of nothing but 0 and 1 that is called like a label, where there is just one and something else to learn from."""
    frame, numbers = table.source.frame, table.roles.numbers
    found = [name for name in numbers if _CALLED_A_LABEL.search(name) and set(frame[name].dropna().unique()) == {0, 1}]
    return found[0] if len(found) == 1 < len(numbers) and not frame[found[0]].isna().any() else None
