"""What is known of rows that are not those of a training: counts, types and the level of each column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tracking.facts import RunFacts

_SHOWN = 4
_SAME = 1e-9


def changes_of(original: RunFacts, job: Job) -> list[str]:
    """In words, how the rows of a job differ from those that a run was trained on."""
    said = []
    if original.rows is not None and original.rows != len(job.source):
        said.append(f"{original.rows:,} rows then, {len(job.source):,} now")
    columns = [str(name) for name in job.source.columns]
    if original.types:
        lost, new = [
            [name for name in names if name not in others]
            for names, others in ((list(original.types), columns), (columns, original.types))
        ]
        said += [f"without {', '.join(lost[:_SHOWN])}"] if lost else []
        said += [f"with {', '.join(new[:_SHOWN])}"] if new else []
    return said + _levels(original.state, job)


def _levels(state: Mapping[str, object], job: Job) -> list[str]:
    """Columns whose centre or scale in the training rows is another."""
    scaler = getattr(getattr(job, "prepared", None), "scaler", None)
    stored = state.get("scaler")
    if scaler is None or not isinstance(stored, dict):
        return []
    then, now = stored, scaler.to_json()
    if then.get("columns") != now["columns"]:
        return []
    moved = []
    for key in ("center", "scale"):
        old, new = (np.atleast_2d(np.array(each[key], dtype=np.float64)) for each in (then, now))
        if old.shape != new.shape:
            return [f"{len(old)} series then, {len(new)} now"]
        off = ~np.isclose(old, new, rtol=_SAME, atol=0, equal_nan=True)
        at = off.argmax(axis=0)  # the first series of each column that moved
        moved += [
            f"training {key} of {name} {old[at[place], place]:.6g} then, {new[at[place], place]:.6g} now"
            for place, name in enumerate(now["columns"])
            if off[:, place].any()
        ]
    return moved[:_SHOWN] or ["the training rows have the same levels: others, or single cells, differ"]
