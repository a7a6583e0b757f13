"""The trial store of a sweep read back from MLflow, and what must hold before the sweep is resumed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from seq2seq_kit.errors import ArgumentError, SweepError
from seq2seq_kit.processes import is_alive
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import flattened
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values, section_of
from seq2seq_kit.sweeps.report.summary import describe_beginning
from seq2seq_kit.sweeps.trial_store import ENDED, KIND, RECIPE, SECONDS, TESTED, StoredTrial, TrialStore, process_tags
from seq2seq_kit.sweeps.trials import State, Trial
from seq2seq_kit.sweeps.tuner import Suggestion
from seq2seq_kit.tasks.registry import load_recipe
from seq2seq_kit.tracking.client import RunRecord, Tracking

# What may be changed when a sweep is resumed: how far it goes and where, not what it does.
_BUDGET = ("sweep.max_trials", "sweep.max_minutes", "sweep.executor")
_KINDS = {"trial": "one of its trials", "fold": "a fold of a trial"}


def open_trial_store(tracking: Tracking, run: str) -> TrialStore:
    """The sweep of a run, with its trials as they are now.

    Raises:
        TrackingError: No such run.
        ArgumentError: The run is not a sweep.
    """
    record, tags = tracking.reopen(run)
    if tags.get(KIND) != "sweep":
        parent = tags.get("mlflow.parentRunId")
        hint = f"; the sweep that it belongs to is {parent}" if tags.get(KIND) == "trial" else ""
        kind = _KINDS.get(tags.get(KIND, ""), "a training")
        raise ArgumentError(
            f"the run {record.run_id} is not a sweep, but {kind}{hint}. `seq2seq-kit list runs` lists the runs",
            code="not_a_sweep",
        )
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(tracking.fetch(record.run_id, RECIPE, Path(folder)))
    store = TrialStore(tracking, record, recipe, default_values(recipe, knobs(section_of(recipe))))
    found = [(child, own) for child, own in tracking.children(record) if own.get(KIND) == "trial"]
    for child, own in sorted(found, key=lambda pair: int(pair[1]["sweep.trial"])):
        entry = _entry(child, own)
        # A store that lost its answer may hold a trial's run twice; the one that has ended counts.
        number = entry.trial.number
        if number not in store.entries or store.entries[number].trial.state == "cut":
            store.entries[number] = entry
    store.digest, store.ended = tags["sweep.data_sha256"], tags.get(ENDED, "")
    store.tested, store.seconds = int(tags.get(TESTED) or 0), float(tags.get(SECONDS) or 0)
    store.events = max((max(entry.asked_at, entry.told_at) for entry in store.entries.values()), default=0)
    return store


def _entry(record: RunRecord, tags: Mapping[str, str]) -> StoredTrial:
    values, state = json.loads(tags["sweep.values"]), tags["sweep.state"]
    trial = Trial(int(tags["sweep.trial"]), values, "cut", run_id=record.run_id)
    if state in ("finished", "pruned", "failed"):
        outcome = json.loads(tags["sweep.outcome"])
        outcome["folds"] = tuple(outcome["folds"])
        trial = replace(trial, state=cast(State, state), **outcome)
    raw = tags.get("sweep.oracle")
    suggestion = Suggestion("", raw, values) if raw else None
    places = int(tags["sweep.asked_at"]), int(tags.get("sweep.told_at", "0"))
    return StoredTrial(trial, record, suggestion, *places, cut=trial.state == "cut")


def claim(store: TrialStore) -> None:
    """Makes this process the one that runs the sweep.

    Raises:
        SweepError: Another process of this machine runs it.
    """
    with store.tracking.lock():  # of two that ask at the same time one finds the other's tags
        _claim(store)


def _claim(store: TrialStore) -> None:
    _, tags = store.tracking.reopen(store.record.run_id)
    mine = process_tags()
    other = {name: tags.get(name) for name in mine}
    own = other["sweep.process"] == mine["sweep.process"]
    if not own and other["sweep.host"] == mine["sweep.host"] and _is_alive(other):
        raise SweepError(
            f"the sweep {store.record.run_id} is still run by process {other['sweep.process']} on this machine. Wait for it, or "
            "end it with Ctrl-C",
            code="sweep_running",
        )
    store.record.tags(mine | {ENDED: ""})
    store.record.untag([name for name in tags if name == "error" or name.startswith("finding.")])
    store.record.note(describe_beginning(str(store.recipe.name), store.record.run_id))
    store.record.open()


def _is_alive(tags: Mapping[str, str | None]) -> bool:
    try:
        return is_alive(int(tags["sweep.process"] or 0), float(tags["sweep.process_began"] or 0))
    except ValueError:
        return False


def require_same_recipe(store: TrialStore, wanted: Recipe) -> None:
    """Refuses another recipe than the sweep's own, budget aside.

    Raises:
        ArgumentError: Other keys differ.
    """
    before, now = (dict(flattened(recipe.model_dump(mode="json"))) for recipe in (store.recipe, wanted))
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key) and key not in _BUDGET]
    if differing:
        shown = ", ".join(f"{key} is {before.get(key)!r} there and {now.get(key)!r} here" for key in differing[:3])
        raise ArgumentError(
            f"the sweep {store.record.run_id} has another recipe: {shown}{', ...' if len(differing) > 3 else ''}. Resume it with "
            f"its own (leave RECIPE out), or begin a new sweep. Only {', '.join(_BUDGET[:-1])} and {_BUDGET[-1]} may be changed",
            code="sweep_recipe_differs",
        )


def require_more_trials(store: TrialStore, wanted: Recipe) -> None:
    """Refuses a sweep that is complete: resuming it would evaluate the test rows again, for nothing.

    Raises:
        ArgumentError: The sweep is complete, or has more trials than are wanted.
    """
    total, count, run = section_of(wanted).trials, len(store.entries), store.record.run_id
    if store.ended == "exhausted":
        raise ArgumentError(
            f"the tuner of the sweep {run} has nothing left to try. Widen the space in a new sweep",
            code="sweep_complete",
        )
    if total is not None and count > total:
        raise ArgumentError(
            f"the sweep {run} has {count} trials already, more than sweep.max_trials: {total}. Ask for at least as many",
            code="sweep_too_few_trials",
        )
    if store.ended == "done" and count == total:
        raise ArgumentError(
            f"the sweep {run} has all of its {total} trials. For more: --set sweep.max_trials={count + 20}",
            code="sweep_complete",
        )
