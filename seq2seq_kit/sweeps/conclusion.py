"""The end of a sweep: the best trial's model is evaluated on the test rows; figures, note and result are made."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.errors import RecipeError, SweepError
from seq2seq_kit.findings import Finding
from seq2seq_kit.quiet import load_tensorflow
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import in_words, section_of, trial_recipe
from seq2seq_kit.reports.notes import count_of, result_lines
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import conclude
from seq2seq_kit.sweeps.preparation import Setup
from seq2seq_kit.sweeps.report.figures import write_figures
from seq2seq_kit.sweeps.report.importance import Importances, importances
from seq2seq_kit.sweeps.report.summary import Ended, describe_sweep
from seq2seq_kit.sweeps.trial_process import require_same_rows
from seq2seq_kit.sweeps.trial_store import TrialStore
from seq2seq_kit.sweeps.trials import Direction, Trial, best_of, table_of
from seq2seq_kit.tasks import open_job, read_bundle
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.ensembles import fit_members, kept
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, Observer, seed_everything

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.bundles.base import Bundle


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes:
        recipe: With its sweep section.
        trials: By number; trial 1 is the recipe as it stands.
        best: The best of them.
        best_recipe: Its recipe, ready to train.
        ended: `done`, `exhausted` (nothing left to try), `max_minutes` or `interrupted`.
        importances: Which hyperparameter mattered.
        winner: The best trial's model, evaluated; None for a sweep that was interrupted, which does not use the test rows.
        run_id: Id of the sweep's run.
        tracking_uri: Where that run is.
        seconds: Wall time of everything.
    """

    recipe: Recipe
    trials: list[Trial]
    best: Trial
    best_recipe: Recipe
    ended: Ended
    importances: Importances
    winner: TrainResult | None
    run_id: str
    tracking_uri: str
    seconds: float

    def __repr__(self) -> str:
        won = f"; {self.winner.test!r}" if self.winner else ""
        return f"<SweepResult: run {self.run_id[:8]}, {self.ended}, {len(self.trials)} trials, best {self.best.number}{won}>"

    @property
    def metric(self) -> str:
        """The objective."""
        return section_of(self.recipe).metric

    @property
    def direction(self) -> Direction:
        """Whether the objective is minimized or maximized."""
        return section_of(self.recipe).direction

    def table(self) -> pd.DataFrame:
        """One row for each trial, see `table_of`."""
        return table_of(self.trials, knobs(section_of(self.recipe)))


def conclude_sweep(store: TrialStore, setup: Setup, ended: Ended) -> SweepResult:
    """The best trial's model, evaluated on the test rows, and what the trials show."""
    recipe, section, record = store.recipe, section_of(store.recipe), store.record
    trials, space = store.trials, knobs(section)
    best = best_of(trials, section.direction)
    found = importances(trials, space, section.direction, seed=recipe.seed)

    def note(winner: TrainResult | None) -> str:
        return describe_sweep(
            name=str(recipe.name),
            trials=trials,
            knobs=space,
            metric=section.metric,
            direction=section.direction,
            importances=found,
            ended=ended,
            seconds=store.seconds + time.perf_counter() - setup.began,
            run_id=record.run_id,
            tuner=section.tuner,
            part=section.part,
            fits=len(section.fits),
            verb=winner.bundle.verbs[0] if winner else "predict",
            board=result_lines(winner) if winner else [],
            judged=winner.board.part if winner else "test",
            experiment=record.experiment_id,
            accepts=lambda key, value: best is not None and _accepts(recipe, {**best.values, key: value}),
        )

    if best is None:
        record.note(note(None))
        if ended == "interrupted":
            setup.reporter.say(
                f"interrupted before a trial had finished; resume: seq2seq-kit sweep --resume {record.run_id}"
            )
            raise KeyboardInterrupt
        raise SweepError(
            f"none of the {count_of(len(trials), 'trial')} has finished{reasons(trials)}", code="no_finished_trial"
        )
    own = trial_recipe(recipe, best.values)
    load_tensorflow()  # quietly; the trials' processes have imported it on their own
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trained = None
        if not section.backtest:
            trained = store.tracking.fetch(store.entries[best.number].record.run_id, "bundle", folder)
        winner = None
        if ended == "interrupted":
            if trained:
                record.files(trained, "bundle")
            record.note(note(None))
        else:
            winner = _evaluate(store, setup, own, read_bundle(trained) if trained else None, best, note)
        shown = folder / "shown"
        write_figures(
            trials,
            space,
            metric=section.metric,
            direction=section.direction,
            folder=shown / "sweep",
            importances=found,
        )
        table_of(trials, space).to_csv(shown / "sweep" / "trials.csv", index=False)
        (shown / "recipe.yaml").write_text(dump_recipe(own), encoding="utf-8")
        record.files(shown)
    _log_totals(store, best, winner)
    store.end(ended, seconds=time.perf_counter() - setup.began)
    return SweepResult(
        recipe=recipe,
        trials=trials,
        best=best,
        best_recipe=own,
        ended=ended,
        importances=found,
        winner=winner,
        run_id=record.run_id,
        tracking_uri=store.tracking.uri,
        seconds=time.perf_counter() - setup.began,
    )


def _evaluate(
    store: TrialStore, setup: Setup, own: Recipe, bundle: Bundle | None, best: Trial, note: Callable[[TrainResult], str]
) -> TrainResult:
    """Evaluates on the test rows, once: the weights that won, those of a refit, or an ensemble of the recipe that won.

    Models that a backtest has judged (no `bundle`) are of past moments: the recipe that won is trained on its own split.
    """
    section = section_of(store.recipe)
    job = open_job(own, setup.data)
    require_same_rows(job, setup.job.columns, setup.digest)
    val = None
    if bundle is None:
        setup.reporter.say("training the winner's recipe on its own split: its fits so far are of past moments")
        seed_everything(own.seed, deterministic=own.training.deterministic)
        model = job.make()
        fitted = job.fit(model, [])
        if fitted.ended == "interrupted":
            raise KeyboardInterrupt
    else:
        job = job.seen_by(bundle) if section.folds and not own.ensemble else job
        model, fitted = bundle.model, store.fits(store.entries[best.number])[-1]
    findings = list(setup.findings)
    for finding in tested_before(store.tested):
        findings.append(finding)
        setup.reporter.find(finding)
    if section.refit:
        setup.reporter.say(f"training once more on train and validation rows, {count_of(fitted.best_epoch, 'epoch')}")
        val = job.report(job.bundle(model, {}), "val")
        job, epochs = job.joined(), fitted.best_epoch
        seed_everything(own.seed, deterministic=own.training.deterministic)
        model = job.make()
        fitted = job.fit(model, [], stop_after=epochs)
        if fitted.ended == "interrupted":
            raise KeyboardInterrupt
        findings += refitted(epochs)
        setup.reporter.find(findings[-1])
    elif own.ensemble and bundle is not None:
        setup.reporter.say(f"training the {own.ensemble.members} members of the winner's ensemble")
        model = job.make()
        fitted = _fit_others(job, model, fitted, None if section.folds else bundle.model)
        if fitted.ended == "interrupted":
            raise KeyboardInterrupt
    if job.evaluated == "test":
        store.mark_tested()
    return conclude(
        job,
        kept(model, fitted),
        fitted,
        record=store.record,
        digest=digest_of(job.source, job.columns),
        findings=findings,
        reporter=setup.reporter,
        seconds=lambda: time.perf_counter() - setup.began,
        val=val,
        note=note,
    )


def _fit_others(job: Job, model: keras.Model, won: Fit, first: keras.Model | None) -> Fit:
    """Fits the members of an ensemble but the first one, which is the model that won; all where that is no model of theirs."""
    from seq2seq_kit.models.ensemble import members_of

    def fit(
        mine: Job, place: int, member: keras.Model, observers: Sequence[Observer], seed: int, state: Checkpoint | None
    ) -> Fit:
        if first is None or place:
            return mine.fit_one(member, observers, seed=seed, checkpoint=state)
        return won

    if first is not None and job.of_member(0) is not job:
        first = None  # what won reads the whole window, which that member does not
    if first is not None:
        members_of(model)[0].set_weights(first.get_weights())
    return fit_members(job, model, [], fit=fit)


def _log_totals(store: TrialStore, best: Trial, winner: TrainResult | None) -> None:
    trials = store.trials
    own = next((trial for trial in trials if trial.number == 1), None)
    figures = {
        "trials_finished": sum(trial.state == "finished" for trial in trials),
        "trials_pruned": sum(trial.state == "pruned" for trial in trials),
        "trials_failed": sum(trial.state == "failed" for trial in trials),
        "epochs": sum(trial.epochs for trial in trials),
        "trial_seconds": sum(trial.seconds for trial in trials),
        "best_trial": best.number,
        "objective": best.score or 0.0,
        "best_epoch": best.best_epoch or 0,
    }
    if own is not None and own.score is not None:
        figures["as_it_stands"] = own.score
    store.record.metrics({f"sweep/{key}": float(value) for key, value in figures.items()})
    metric = section_of(store.recipe).metric
    store.record.tags(
        {"best_trial": str(best.number), "best_values": in_words(best.values)}
        | ({} if winner else {"result": f"{metric} {best.score:.5g} so far, test rows not evaluated"})
    )


def _accepts(recipe: Recipe, values: Mapping[str, object]) -> bool:
    try:
        trial_recipe(recipe, values)
    except RecipeError:
        return False
    return True


def reasons(trials: Sequence[Trial]) -> str:
    """Why trials failed, the most frequent reason first; empty if none did."""
    counts = Counter(trial.reason for trial in trials if trial.state == "failed")
    return "".join(f"\n  {count}x {reason}" for reason, count in counts.most_common(3))


def tested_before(trials: int) -> list[Finding]:
    """The finding on a sweep that goes on after its test rows were looked at, after so many trials; 0: they were not."""
    if not trials:
        return []
    text = f"the test rows were evaluated before, after {count_of(trials, 'trial')}"
    advice = "Use other rows to report how good the model is: evaluate --data"
    return [Finding("tested_before", "warning", text, advice)]


def refitted(epochs: int) -> list[Finding]:
    """The finding on a winner that was trained once more for so many epochs."""
    text = (
        f"the winner was trained once more on train and validation rows, for {count_of(epochs, 'epoch')}; the figures of val "
        "are those of the trial that won, the figures of test are the new model's"
    )
    return [Finding("refit", "note", text, "")]
