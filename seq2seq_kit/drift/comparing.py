"""A group of columns of new rows beside the reference of a bundle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_kit.drift.reference import Cells, Group, Reference
from seq2seq_kit.drift.result import Compared
from seq2seq_kit.drift.stretches import blocks_of_a_stretch, compare, needed
from seq2seq_kit.findings import Finding


def compare_group(
    group: Group,
    cells: Sequence[Cells],
    reference: Reference,
    names: Sequence[str],
    rate: float,
    center: np.ndarray,
    scale: np.ndarray,
) -> Compared | Finding:
    """The comparison, or why there is none.

    Args:
        group: The columns, with the reference's sums.
        cells: Of each series of the new rows.
        reference: Of which the group is.
        names: Of these series.
        rate: Of false alarms, at most.
        center, scale: As of `Compared`.
    """
    kept = list(range(len(names)))
    sums = group.sums
    if reference.series is not None:
        kept = [place for place, name in enumerate(names) if name in reference.series]
        sums = group.sums[[reference.series.index(names[place]) for place in kept]]
    said = f"{group.what} are not compared: "
    if not kept:
        return _short(f"{said}none of these series is one of the training")
    new = group.sums_of([cells[place] for place in kept], rows=reference.rows)
    length = blocks_of_a_stretch(sums.shape[1], new.shape[1], rate)
    if not new.shape[1]:
        return _short(f"{said}fewer than {reference.rows} rows are left, a block of the reference")
    if not length:
        return _short(
            f"{said}the reference has {sums.shape[1]} blocks, and a rate of {rate:g} takes {needed(rate)} stretches"
        )
    try:
        alarms = compare(sums, new, rate=rate, looked_at=group.looked_at, words=group.words)
    except ValueError as error:
        return _short(f"{said}{error}")
    return Compared(group, alarms, length * reference.rows, new.shape[1] * reference.rows, center, scale)


def _short(said: str) -> Finding:
    return Finding(
        "reference_too_short", "note", said, "Watch longer stretches, raise false_alarms, or give a longer --reference"
    )
