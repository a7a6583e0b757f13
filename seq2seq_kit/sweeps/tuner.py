"""The only module that speaks to KerasTuner: its oracles, asked for values and told scores by the sweep's own process.

KerasTuner's tuners would build and fit the models themselves, in one process; its oracles only choose values. Its chief and
workers hang when either dies, which is why they are not used. Its private members are touched in tuner_compat.py.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seq2seq_kit.errors import SweepError
from seq2seq_kit.recipe.sweep import Knob, Sweep, count_of_steps, stepped
from seq2seq_kit.sweeps import tuner_compat

if TYPE_CHECKING:
    import keras_tuner

_FAILURES = 10**9  # KerasTuner stops a search after some failed trials in a row; the sweep decides that itself


@dataclass(frozen=True)
class Suggestion:
    """Values that the tuner suggests for one trial.

    Attributes:
        identity: The oracle's name of the trial.
        raw: The values in the oracle's own form, JSON; what `replay` compares.
        values: By dotted recipe key, in the recipe's form; only those whose condition holds.
    """

    identity: str
    raw: str
    values: dict[str, object]


Answer = Suggestion | Literal["wait", "done"]


class Tuner:
    """One of KerasTuner's oracles over the recipe's space.

    Args:
        sweep: The recipe's section.
        knobs: Its space.
        seed: Of the oracle.
        epochs: Epochs of the recipe, Hyperband's budget for a trial unless `sweep.max_epochs` says more.
        known: Values that are tried without the oracle; random and bayesian do not draw them again.

    Attributes:
        notes: What does not work with the KerasTuner that is installed, for the user; see tuner_compat.py.

    Raises:
        SweepError: The KerasTuner that is installed is not supported.
    """

    def __init__(
        self,
        sweep: Sweep,
        knobs: Sequence[Knob],
        *,
        seed: int,
        epochs: int,
        known: Mapping[str, object] | None = None,
    ) -> None:
        self._knobs = {knob.key: knob for knob in knobs}
        _expect_warnings()
        self.notes: list[str] = []
        try:
            self._oracle = _make_oracle(sweep, _space(knobs), self.notes, seed=seed, epochs=epochs)
        except (AttributeError, TypeError, ImportError) as error:
            raise tuner_compat.unsupported(error) from error
        self._oracle.verbose = 0
        # The oracle writes its state there; the record of the sweep is kept in MLflow.
        self._folder = tempfile.TemporaryDirectory(prefix="seq2seq-kit-oracle-")
        try:
            tuner_compat.set_folder(self._oracle, self._folder.name)
        except SweepError:
            self.close()
            raise
        if known is not None and sweep.tuner in ("random", "bayesian"):
            raw = {key: _encoded(self._knobs[key], value) for key, value in known.items()}
            _add_note(self.notes, tuner_compat.mark_tried(self._oracle, raw))
        self._asked = 0

    def ask(self) -> Answer:
        """Values of the next trial; `wait`: a running trial must end first; `done`: there are no more."""
        # Each trial is a tuner of its own to the oracle, so that any number of them may run.
        trial = self._oracle.create_trial(f"tuner_{self._asked}")
        if trial.status == "IDLE":
            return "wait"
        if trial.status == "STOPPED":
            return "done"
        self._asked += 1
        return self._as_suggestion(trial)

    def tell(self, identity: str, score: float | None, *, epoch: int = 1) -> None:
        """The score of a trial at its best epoch, or None if it failed."""
        trial = self._oracle.trials[identity]
        if score is not None:
            self._oracle.update_trial(identity, {self._oracle.objective.name: score}, step=epoch)
        trial.status = "COMPLETED" if score is not None else "FAILED"
        self._oracle.end_trial(trial)

    def replay(self, raw: str) -> Suggestion:
        """Asks again for a trial of a sweep that is resumed. Its values are those of then, whatever the oracle says now."""
        suggestion = self.ask()
        if not isinstance(suggestion, Suggestion):
            raise SweepError(
                f"the tuner cannot be brought to where the sweep was: it has no trial where there was one ({raw}). Was the sweep "
                f"begun with another version of KerasTuner than {tuner_compat.installed_version()}? Begin a new sweep",
                code="tuner_replay",
            )
        if suggestion.raw != raw:  # another version of KerasTuner
            trial = self._oracle.trials[suggestion.identity]
            trial.hyperparameters.values = json.loads(raw)
            _add_note(self.notes, tuner_compat.record_values(self._oracle, trial))
            return self._as_suggestion(trial)
        return suggestion

    def close(self) -> None:
        """Removes the oracle's files."""
        self._folder.cleanup()

    def _as_suggestion(self, trial: keras_tuner.engine.trial.Trial) -> Suggestion:
        raw = trial.hyperparameters.values
        values = {key: _decoded(self._knobs[key], value) for key, value in raw.items() if key in self._knobs}
        if "tuner/epochs" in raw:
            values["training.epochs"] = int(raw["tuner/epochs"])
        return Suggestion(trial.trial_id, json.dumps(raw, sort_keys=True), values)


def _make_oracle(
    sweep: Sweep, space: keras_tuner.HyperParameters, notes: list[str], *, seed: int, epochs: int
) -> keras_tuner.Oracle:
    import keras_tuner

    shared = {
        "objective": keras_tuner.Objective(sweep.metric, sweep.direction),
        "hyperparameters": space,
        "allow_new_entries": False,
        "tune_new_entries": True,
        "max_consecutive_failed_trials": _FAILURES,
        "seed": seed % (2**32 - 1) + 1,  # KerasTuner takes 0 for none and draws one
    }
    if sweep.tuner == "hyperband":
        limits = {"factor": sweep.factor, "hyperband_iterations": sweep.iterations}
        return keras_tuner.oracles.HyperbandOracle(max_epochs=sweep.max_epochs or epochs, **limits, **shared)
    if sweep.tuner == "bayesian":

        class Bayesian(keras_tuner.oracles.BayesianOptimizationOracle):
            """Repeats no recipe: over a few discrete values KerasTuner's settles on the best one and asks for nothing else."""

            def populate_space(self, trial_id: str) -> Mapping[str, object]:
                chosen, note = tuner_compat.replace_duplicate(self, super().populate_space(trial_id))
                _add_note(notes, note)
                return chosen

        return Bayesian(max_trials=None, **shared)
    oracles = keras_tuner.oracles
    kind = oracles.RandomSearchOracle if sweep.tuner == "random" else oracles.GridSearchOracle
    return kind(max_trials=None, **shared)  # the sweep counts its trials itself


def _add_note(notes: list[str], note: str | None) -> None:
    if note is not None and note not in notes:
        notes.append(note)


def _space(knobs: Sequence[Knob]) -> keras_tuner.HyperParameters:
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


def _drawn(knob: Knob, value: object) -> object:
    """A value of a condition as KerasTuner draws it: 0.3 of a range by steps of 0.1 is 0.30000000000000004 there."""
    if knob.step is None or not isinstance(value, int | float):
        return value
    steps = (stepped(knob, position) for position in range(count_of_steps(knob)))
    return next((own for own in steps if math.isclose(own, value)), value)


def _add(space: keras_tuner.HyperParameters, knob: Knob) -> None:
    if knob.kind == "boolean":
        space.Boolean(knob.key)
    elif knob.kind == "choice":
        values = [_encoded(knob, value) for value in knob.values]
        space.Choice(knob.key, values, ordered=knob.ordered and not isinstance(values[0], str))
    else:
        add = space.Int if knob.kind == "int" else space.Float
        add(knob.key, knob.low, knob.high, step=knob.step, sampling=knob.sampling)


def _encoded(knob: Knob, value: object) -> object:
    """A value as KerasTuner takes it: it refuses lists and mixed types, and turns booleans of a choice into 1 and 0."""
    if knob.kind == "choice" and not _numeric(knob.values):
        return json.dumps(value)
    return value


def _decoded(knob: Knob, value: object) -> object:
    if knob.kind == "choice" and not _numeric(knob.values):
        return json.loads(str(value))
    # A float range with a step gives 0.30000000000000004.
    return float(f"{value:.12g}") if knob.kind == "float" else value


def _numeric(values: Sequence[object]) -> bool:
    return all(type(value) is int for value in values) or all(type(value) is float for value in values)


def _expect_warnings() -> None:
    """KerasTuner 1.4.8 calls threading.currentThread(), scikit-learn warns of kernels at the edge of their bounds.

    Filters instead of `catch_warnings`, which is not for threads; they hold for the tuner's own process.
    """
    for module in (r"keras_tuner\.", r"sklearn\.gaussian_process", r"scipy\.optimize"):
        warnings.filterwarnings("ignore", module=module)
