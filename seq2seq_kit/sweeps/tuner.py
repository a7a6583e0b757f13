"""The only module that speaks to KerasTuner: its oracles, asked for values and told scores by the sweep's own process.

KerasTuner's tuners would build and fit the models themselves, in one process; its oracles only choose values. Its chief and
workers hang when either dies, which is why they are not used.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

from seq2seq_kit.errors import SweepError
from seq2seq_kit.recipe.sweep import Knob, Sweep, count_of_steps, stepped

_FAILURES = 10**9  # KerasTuner stops a search after some failed trials in a row; the sweep decides that itself


@dataclass(frozen=True)
class Asked:
    """Values for one trial.

    Attributes:
        identity: The oracle's name of the trial.
        raw: The values in the oracle's own form, JSON; what `replay` compares.
        values: By dotted recipe key, in the recipe's form; only those whose condition holds.
    """

    identity: str
    raw: str
    values: dict[str, Any]


class Tuner:
    """One of KerasTuner's oracles over the recipe's space.

    Args:
        sweep: The recipe's section.
        knobs: Its space.
        seed: Of the oracle.
        epochs: Epochs of the recipe, Hyperband's budget for a trial unless `sweep.max_epochs` says more.
        known: Values that are tried without the oracle; random and bayesian do not come back to them.
    """

    def __init__(
        self,
        sweep: Sweep,
        knobs: Sequence[Knob],
        *,
        seed: int,
        epochs: int,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        self._knobs = {knob.key: knob for knob in knobs}
        _expect_warnings()
        self._folder = tempfile.TemporaryDirectory(prefix="seq2seq-kit-oracle-")
        self._oracle = _make_oracle(sweep, _space(knobs), seed=seed, epochs=epochs)
        self._oracle.verbose = 0
        # It writes its state there on every call; the record of the sweep is kept in MLflow.
        self._oracle._set_project_dir(self._folder.name, "oracle")
        if known is not None and sweep.tuner in ("random", "bayesian"):
            raw = {key: _encoded(self._knobs[key], value) for key, value in known.items()}
            self._oracle._tried_so_far.add(self._oracle._compute_values_hash(raw))
        self._asked = 0

    def ask(self) -> Asked | Literal["wait", "done"]:
        """Values of the next trial; `wait`: a running one has to end first; `done`: there are no more."""
        # Each trial is a tuner of its own to the oracle, so that any number of them may be under way.
        trial = self._oracle.create_trial(f"tuner_{self._asked}")
        if trial.status == "IDLE":
            return "wait"
        if trial.status == "STOPPED":
            return "done"
        self._asked += 1
        return self._as_asked(trial)

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        """How a trial came out: its score at its best epoch, or None if it failed."""
        trial = self._oracle.trials[identity]
        if score is not None:
            self._oracle.update_trial(identity, {self._oracle.objective.name: score}, step=epoch)
        trial.status = "COMPLETED" if score is not None else "FAILED"
        self._oracle.end_trial(trial)

    def replay(self, raw: str) -> Asked:
        """Asks again for a trial of a sweep that is resumed. Its values are those of then, whatever the oracle says now."""
        asked = self.ask()
        if not isinstance(asked, Asked):
            raise SweepError(
                f"the tuner cannot be brought to where the sweep was: it has no trial where there was one ({raw}). Was the sweep "
                "begun with another version of KerasTuner? Begin a new one"
            )
        if asked.raw != raw:  # another version of KerasTuner
            trial = self._oracle.trials[asked.identity]
            trial.hyperparameters.values = json.loads(raw)
            self._oracle._record_values(trial)
            return self._as_asked(trial)
        return asked

    def close(self) -> None:
        """Removes the oracle's files."""
        self._folder.cleanup()

    def _as_asked(self, trial: Any) -> Asked:
        raw = trial.hyperparameters.values
        values = {key: _decoded(self._knobs[key], value) for key, value in raw.items() if key in self._knobs}
        if "tuner/epochs" in raw:
            values["training.epochs"] = int(raw["tuner/epochs"])
        return Asked(trial.trial_id, json.dumps(raw, sort_keys=True), values)


def _make_oracle(sweep: Sweep, space: Any, *, seed: int, epochs: int) -> Any:
    import keras_tuner

    shared = {
        "objective": keras_tuner.Objective(sweep.metric, sweep.direction),
        "hyperparameters": space,
        "allow_new_entries": False,
        "tune_new_entries": True,
        "max_consecutive_failed_trials": _FAILURES,
        "seed": seed % (2**32 - 1) + 1,  # KerasTuner takes 0 for none and draws one
    }
    oracles: Any = keras_tuner.oracles

    class Bayesian(oracles.BayesianOptimizationOracle):
        """Comes back to no recipe: over a few discrete values KerasTuner's settles on the best one and asks for nothing else."""

        def populate_space(self, trial_id: str) -> Any:
            chosen = super().populate_space(trial_id)
            values = chosen.get("values")
            return self._random_populate_space() if values and self._duplicate(values) else chosen

    if sweep.tuner == "hyperband":
        return oracles.HyperbandOracle(
            max_epochs=sweep.max_epochs or epochs,
            factor=sweep.factor,
            hyperband_iterations=sweep.iterations,
            **shared,
        )
    kinds = {
        "random": oracles.RandomSearchOracle,
        "bayesian": Bayesian,
        "grid": oracles.GridSearchOracle,
    }
    return kinds[sweep.tuner](max_trials=None, **shared)  # the sweep counts its trials itself


def _space(knobs: Sequence[Knob]) -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    by_key = {knob.key: knob for knob in knobs}
    for knob in knobs:
        with ExitStack() as scopes:
            for parent, values in knob.when.items():
                encoded = [_encoded(by_key[parent], _drawn(by_key[parent], value)) for value in values]
                scopes.enter_context(space.conditional_scope(parent, encoded))
            _add(space, knob)
    return space


def _drawn(knob: Knob, value: Any) -> Any:
    """A value of a condition as KerasTuner draws it: 0.3 of a range by steps of 0.1 is 0.30000000000000004 there."""
    if knob.step is None:
        return value
    steps = (stepped(knob, position) for position in range(count_of_steps(knob)))
    return next((own for own in steps if math.isclose(own, value)), value)


def _add(space: Any, knob: Knob) -> None:
    if knob.kind == "boolean":
        space.Boolean(knob.key)
    elif knob.kind == "choice":
        values = [_encoded(knob, value) for value in knob.values]
        space.Choice(knob.key, values, ordered=knob.ordered and not isinstance(values[0], str))
    else:
        add = space.Int if knob.kind == "int" else space.Float
        add(knob.key, knob.low, knob.high, step=knob.step, sampling=knob.sampling)


def _encoded(knob: Knob, value: Any) -> Any:
    """A value as KerasTuner takes it: it refuses lists and mixed types, and turns booleans of a choice into 1 and 0."""
    if knob.kind == "choice" and not _numeric(knob.values):
        return json.dumps(value)
    return value


def _decoded(knob: Knob, value: Any) -> Any:
    if knob.kind == "choice" and not _numeric(knob.values):
        return json.loads(value)
    # A float range with a step gives 0.30000000000000004.
    return float(f"{value:.12g}") if knob.kind == "float" else value


def _numeric(values: Sequence[Any]) -> bool:
    return all(type(value) is int for value in values) or all(type(value) is float for value in values)


def _expect_warnings() -> None:
    """KerasTuner 1.4.8 calls threading.currentThread(), scikit-learn tells of kernels at the border of their bounds.

    Filters and no `catch_warnings`, which is not for threads.
    """
    for module in (r"keras_tuner\.", r"sklearn\.gaussian_process", r"scipy\.optimize"):
        warnings.filterwarnings("ignore", module=module)
