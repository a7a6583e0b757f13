"""A training of several machines, on those that do not have the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.opening import open_training
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.cluster import VARIABLE, Cluster, cluster_for
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.workers import keep_gpus_free, take_part
from seq2seq_kit.training.own import Own

if TYPE_CHECKING:
    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.results import Announcer


def join(recipe: Recipe, *, reporter: Announcer, data: Given | None = None, tracking_uri: str | None = None) -> Cluster:
    """Trains as the worker that `TF_CONFIG` names, one that is not worker 0, and writes nothing.

    Args:
        recipe: Resolved; the same as worker 0's.
        reporter: Is told how it goes.
        data: Rows instead of the recipe's `data.source`.
        tracking_uri: Where the run that `training.start_from` names is.

    Returns:
        The cluster, once worker 0's fit has ended.

    Raises:
        ArgumentError: `TF_CONFIG` names other workers than the recipe, or this process's port is in use.
        KitError: As of `tasks.workers.take_part`.
    """
    cluster = cluster_for(recipe.training.workers)
    if cluster is None:
        raise ArgumentError(f"{VARIABLE} names no other worker. Set it on every machine", code="tf_config")
    cluster.require_free()
    keep_gpus_free()
    job = open_training(recipe.model_copy(update={"sweep": None}), data, Own(), tracking_uri=tracking_uri)
    reporter.say(f"worker {cluster.rank} of {len(cluster.addresses)}: the run is worker 0's, at {cluster.addresses[0]}")
    take_part(job, data=data, digest=digest_of(job.source, job.columns), cluster=cluster)
    return cluster


__all__ = ["join"]
