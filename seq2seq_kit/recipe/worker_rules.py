"""Rules of `training.workers`: what several workers that train one model cannot do yet."""

from collections.abc import Iterator, Mapping

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Rule, Written


def workers_share_one_fit(recipe: Written) -> Iterator[Problem]:
    training, space = recipe.training, recipe.sweep.get("space") if isinstance(recipe.sweep, Mapping) else None
    if isinstance(space, Mapping) and "training.workers" in space:
        yield Problem(
            "sweep.space", "`training.workers` changes no figure of a trial. Leave it out", "conflicting_keys"
        )
    workers, batch = training.get("workers"), training.get("batch_size")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 2:
        return
    if isinstance(batch, int) and workers > batch:
        said = f"{workers} workers cannot share a batch of {batch}. Set at most {batch}, or a larger `batch_size`"
        yield Problem("training.workers", said, "conflicting_keys")
    one = f"`training.workers: {workers}` trains one model in one fit. Leave"
    for key, there, instead in (
        ("ensemble", recipe.whole.get("ensemble") is not None, "`train --workers` trains members at a time"),
        ("data.read", recipe.data.get("read") == "row_groups", "each worker reads the table into memory"),
        ("training.leave_out", bool(training.get("leave_out")), "it fits twice"),
        ("sweep", recipe.sweep is not None, "each trial is a process of its own"),
        ("training.final", training.get("final") is not None, "it fits twice"),
    ):
        if there:
            said = f"{one} `{key}` out ({instead}), or set `training.workers: 1`"
            yield Problem(key, said, "conflicting_keys")


WORKER_RULES: tuple[Rule, ...] = (workers_share_one_fit,)
