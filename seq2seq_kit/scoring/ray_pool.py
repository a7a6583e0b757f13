"""Files on the nodes of a Ray cluster: the pool of the process that keeps the journal.

Every attempt writes a file of its own name, which becomes that of the task when it is whole: a node that was given up may still
write for a while, and the next attempt must not share a file with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from seq2seq_kit.executing.process import Failure
from seq2seq_kit.executing.ray_actors import Actors
from seq2seq_kit.executing.ray_cluster import Cluster, open_cluster
from seq2seq_kit.executing.ray_places import RayTrial
from seq2seq_kit.scoring.answering import FileTask
from seq2seq_kit.scoring.disk import writing
from seq2seq_kit.scoring.messages import Answered, Message, Read, Refused
from seq2seq_kit.scoring.ray_worker import FileWorker, Shared, not_seen
from seq2seq_kit.scoring.scorer import Scorer, model_files

_LISTEN_SECONDS = 1.0
_MARK = "._scored-"
_LOSSES = 3  # nodes that a file may take with it: then it is not bad luck
_KEPT = "Finished files are kept: call again when it runs again, or with --executor local"


@dataclass
class _Attempt:
    """A file, `task`, as it was asked for; `tried`, as a worker has it; how many nodes it lost before."""

    number: int
    task: FileTask
    tried: FileTask
    losses: int = 0


@dataclass
class RayPool:
    """See `Pool`; the files of a node that is lost begin again on another one."""

    actors: Actors
    _under_way: dict[RayTrial, _Attempt] = field(default_factory=dict)
    _lost: list[_Attempt] = field(default_factory=list)  # that begin again
    _key: str = field(default_factory=lambda: secrets.token_hex(4))
    _count: int = 0

    @property
    def workers(self) -> int:
        return self.actors.workers

    @property
    def free(self) -> int:
        return max(self.actors.free - len(self._lost), 0)

    def start(self, number: int, task: FileTask) -> None:
        self._begin(_Attempt(number, task, task))

    def wait(self) -> Iterator[tuple[int, Message]]:
        while self._lost and self.actors.free:
            self._begin(self._lost.pop())
        for running, message in self.actors.wait(_LISTEN_SECONDS):
            attempt = self._under_way[running]
            if isinstance(message, Read):
                yield attempt.number, message
                continue
            del self._under_way[running]
            found = self._ended(attempt, message)
            if found is not None:
                yield attempt.number, found

    def close(self) -> None:
        """Ends all workers, and removes what they have not finished."""
        try:
            self.actors.close()
        finally:
            for attempt in self._under_way.values():
                attempt.tried.clear()

    def _begin(self, attempt: _Attempt) -> None:
        self._count += 1
        partial = attempt.task.partial
        own = partial.with_name(f"{partial.stem}.{self._key}{self._count}{partial.suffix}")
        attempt.tried = replace(attempt.task, partial=own)
        running = self.actors.start(attempt.tried)
        self._under_way[running] = attempt

    def _ended(self, attempt: _Attempt, message: Answered | Refused | Failure) -> Answered | Refused | None:
        """What became of a file; None: it begins again."""
        task, shown = attempt.task, attempt.task.place.shown
        if isinstance(message, Failure):
            attempt.tried.clear()
            attempt.losses += 1
            if message.kind == "lost" and attempt.losses < _LOSSES:
                self._lost.append(attempt)
                self.actors.say(f"{shown}: {message.reason}; it begins again on another")
                return None
            cure = "Score it again, with fewer --workers"
            return Refused("process_ended", f"{shown}: {message.reason}. Perhaps memory ran out. {cure}")
        if isinstance(message, Refused):
            if message.code == "file_not_found" and Path(task.place.path).is_file():
                return Refused("data_not_on_node", f"a node of the cluster {not_seen(shown)}")
            return message
        if not message.kept:
            with writing(f"write {task.partial.parent}"):
                attempt.tried.partial.replace(task.partial)
        return message


@contextmanager
def open_ray_pool(
    scorer: Scorer,
    *,
    address: str | None,
    workers: int | None,
    default: int,
    files: int,
    out: Path,
    rows: str | None,
    say: Callable[[str], None],
) -> Iterator[RayPool]:
    """Workers on a cluster, which are ended with the context.

    Args:
        scorer: Of the model's folder on this machine.
        address: Of the cluster's head; None: a cluster of this machine for as long.
        workers: How many files at a time; None: as many as the cluster has CPUs.
        default: CPUs of a cluster of this machine, where `workers` does not say it.
        files: How many there are: there are no more workers.
        out: The folder of answers.
        rows: One of the files of rows that are there, if there is one.
        say: Is told what a user should know.

    Raises:
        ArgumentError: Ray is not installed; the address is none; the cluster has fewer CPUs than `workers`.
        ClusterError: It cannot be reached.
        KitError: From `wait`: a node does not see the folder of answers, or the rows.
    """
    for left in out.glob(f"{_MARK}*"):  # of a run that was killed
        left.unlink(missing_ok=True)
    mark = out.absolute() / f"{_MARK}{secrets.token_hex(8)}"
    shared = Shared(mark, secrets.token_hex(16), rows)
    with writing(f"write the answers into {out}"):
        mark.write_text(shared.content, "utf-8")
    try:
        cluster = open_cluster(address, workers or default)
        if workers is None or workers <= cluster.cpus:
            workers = max(1, min(workers or int(cluster.cpus), files))
        pool = RayPool(_actors(cluster, workers, scorer, shared, say))
        try:
            yield pool
        finally:
            pool.close()
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def _actors(cluster: Cluster, workers: int, scorer: Scorer, shared: Shared, say: Callable[[str], None]) -> Actors:
    import ray

    try:
        model = ray.put(model_files(Path(scorer.run)))
    except BaseException:
        cluster.close()
        raise
    given = {"scorer": scorer, "model": model, "shared": shared, "folder": str(Path.cwd())}
    return Actors(cluster, workers, kind=FileWorker, given=given, under_way=(Read,), kept=_KEPT, say=say)
