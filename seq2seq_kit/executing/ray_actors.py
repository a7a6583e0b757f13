"""Actors of a Ray cluster that do one task at a time each: the side of the process that called for them.

Each worker is a Ray actor with one CPU, so Ray chooses its node and starts it elsewhere when that is lost. There is one call of a
worker at a time, which starts a task and returns with what was heard of it, so a worker that dies is known by its call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from seq2seq_kit.errors import ArgumentError, ClusterError
from seq2seq_kit.executing.executor import RunningTrial
from seq2seq_kit.executing.process import Failure
from seq2seq_kit.executing.ray_cluster import Cluster
from seq2seq_kit.executing.ray_places import Place, RayTrial, error_of, on_node, require_same_versions, stopped, write
from seq2seq_kit.executing.ray_worker import About, Reply
from seq2seq_kit.processes import machine

_SILENT_SECONDS = 300.0  # without any worker, before the caller gives up
_WAITING_SECONDS = 60.0  # before it says that workers wait for CPUs
_LOOK_SECONDS = 2.0  # between two looks whether the cluster's head answers
_LOSSES = 3  # of a worker that has not begun: then it is not bad luck
_CLOSE_SECONDS = 5.0


class Actors:
    """At most `workers` tasks at a time on the nodes of a cluster.

    What is told of a task are its messages, in order; the last one is a `Failure` where its worker or its node is lost.

    Args:
        cluster: It is left, or ended, by `close`, and by an error here.
        workers: How many tasks may run at a time; None: as many as the cluster has CPUs.
        kind: The class of workers, with the methods of `ray_worker.Worker`.
        given: Arguments of each of them, besides `workers`.
        under_way: Classes of messages after which a task goes on.
        kept: What is not lost if the cluster stops, and how to go on, for a message.
        say: Is told what a user should know.
        shared: An attribute of tasks that is the same large object in all of them: it goes to each node once.
        cpus: Of each worker.

    Raises:
        ArgumentError: The cluster has fewer CPUs than there are to be workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        workers: int | None,
        *,
        kind: type,
        given: Mapping[str, object],
        under_way: tuple[type, ...],
        kept: str,
        say: Callable[[str], None],
        shared: str | None = None,
        cpus: float = 1.0,
    ) -> None:
        self.cluster, self.kind, self.given, self.cpus = cluster, kind, given, cpus
        self.under_way, self.kept, self.shared, self.say = under_way, kept, shared, say
        self.workers = workers or max(1, int(self.cluster.cpus))
        self._places: list[Place] = []
        self._puts: list[tuple[object, Any]] = []
        self._said: set[str] = set()
        self._looked = self._heard = time.monotonic()
        self._missed, self._closed = 0, False
        try:
            if self.workers * self.cpus > self.cluster.cpus:
                count = len(cluster.nodes)
                those = f"those of its {count} nodes that have GPUs" if cluster.gpus else f"{count} nodes"
                raise ArgumentError(
                    f"the cluster at {self.cluster.address} has {self.cluster.cpus:g} CPUs on {those}, and "
                    f"each worker needs one. Received: --workers {self.workers}. Ask for fewer, or add nodes: "
                    f"ray start --address {self.cluster.address}",
                    code="too_few_cpus",
                )
            for _ in range(self.workers):
                self._places.append(Place(None))
                self._begin(self._places[-1])
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """How many tasks may be started now."""
        return sum(place.idle for place in self._places)

    def start(self, task: Any) -> RayTrial:
        """Starts a task, a dataclass."""
        # One that is tried again may come while the worker that replaces its own still begins: it waits there.
        open_places = [place for place in self._places if place.trial is None and not place.stop]
        place = next((place for place in open_places if place.idle), open_places[0])
        place.trial, place.task = RayTrial(task), task
        return place.trial

    def wait(self, seconds: float) -> Iterator[tuple[RayTrial, Any]]:
        """What has happened, after at most `seconds`.

        Raises:
            ClusterError: It has stopped, or its nodes do not fit.
            KitError: What a worker has raised.
        """
        import ray

        self._move()
        for place in self._places:
            if place.reply is None and (place.trial or place.stop):
                self._call(place)
        asked = {place.reply: place for place in self._places if place.reply is not None}
        if not asked:
            time.sleep(seconds)
        elif ray.wait(list(asked), timeout=seconds)[0]:
            for reply in ray.wait(list(asked), num_returns=len(asked), timeout=0)[0]:
                yield from self._read(asked[reply])
        self._look()

    def kill(self, trial: RunningTrial) -> None:
        """Ends a task."""
        for place in self._places:
            if place.trial is trial:
                place.trial, place.stop = None, place.task is None  # one that was not sent yet never begins
                place.task = None

    def close(self) -> None:
        """Ends all tasks and workers, and leaves the cluster."""
        if self._closed:
            return
        self._closed = True
        import ray

        if self.cluster.answers:
            with suppress(Exception):  # whatever is wrong there, this is the end
                ends = [place.actor.end.remote() for place in self._places if place.about]
                if ends:
                    ray.wait(ends, num_returns=len(ends), timeout=_CLOSE_SECONDS)
                for place in self._places:
                    ray.kill(place.actor)
        self.cluster.close()

    def _move(self) -> None:
        """A task that waits for a worker that has not begun goes to one that is idle."""
        for place in self._places:
            idle = next((each for each in self._places if each.idle), None)
            if idle and place.task is not None and place.about is None:
                idle.trial, idle.task, place.trial, place.task = place.trial, place.task, None, None

    def _begin(self, place: Place) -> None:
        """A worker that Ray starts on a node of its choice, once it has a free CPU."""
        import ray

        gpus = self.cluster.gpus_each(self.workers, self.cpus)
        actor = ray.remote(self.kind).options(num_cpus=self.cpus, num_gpus=gpus, max_restarts=0)
        place.actor = actor.remote(**self.given, workers=self.workers)
        place.about, place.began = None, time.monotonic()
        place.reply = place.actor.about.remote()

    def _call(self, place: Place) -> None:
        task: Any = place.task
        place.task = None
        stop, place.stop = place.stop, False
        large = None
        if task is not None and self.shared:
            large = self._put(getattr(task, self.shared))
            task = replace(task, **{self.shared: None})
        place.reply = place.actor.call.remote(task, large, stop=stop)

    def _put(self, value: object) -> Any:
        """The value in the store of objects, from which each node fetches it once; None stays None."""
        import ray

        if value is None:
            return None
        if not self._puts or self._puts[-1][0] is not value:
            self._puts = [(value, ray.put(value))]
        return self._puts[-1][1]

    def _read(self, place: Place) -> Iterator[tuple[RayTrial, Any]]:
        import ray
        from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

        call, place.reply = place.reply, None
        try:
            reply: About | Reply = ray.get(call)
        except RayTaskError as error:
            raise error_of(error, place) from error
        except ActorUnavailableError:
            # Its node may be dead, as Ray knows some seconds later; what it said last is lost.
            place.doubt = place.about is not None
            actor = place.actor
            place.reply = actor.call.remote(None, None, stop=True) if place.doubt else actor.about.remote()
            return
        except RayError as error:
            yield from self._lose(place, error)
            return
        if isinstance(reply, About):
            self._welcome(place, reply)
            return
        trial, doubt, place.doubt = place.trial, place.doubt, False
        if trial is None:  # it was killed
            return
        if doubt:
            place.trial = place.task = None
            yield trial, Failure("lost", f"the connection to its node {place.about and place.about.name} broke")
            return
        if place.about and place.about.machine == machine():
            trial.pid = reply.pid
        for message in reply.messages:
            if not isinstance(message, self.under_way):
                place.trial = None
                if reply.files:
                    write(reply.files, trial.task.folder)
                message = on_node(message, place.about)
            yield trial, message

    def _welcome(self, place: Place, about: About) -> None:
        place.about, place.losses, self._heard = about, 0, time.monotonic()
        require_same_versions(about)
        if about.kernel:
            said = f"on the node {about.name} recurrent layers take Keras' own loop, which is slower: {about.kernel}"
            self._say_once(about.kernel, said)

    def _lose(self, place: Place, error: Exception) -> Iterator[tuple[RayTrial, Any]]:
        """A worker does not answer any more: another one takes its place, and its trial is told of."""
        import ray

        if not self.cluster.answers:
            raise stopped(self.cluster, self.kept)
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        trial, about = place.trial, place.about
        place.stop = place.doubt = False
        if about is not None:
            place.trial = place.task = None
        else:
            place.losses += 1
            if place.losses >= _LOSSES:
                said = " ".join(str(error).split())[:600]
                raise ClusterError(
                    f"no worker can be started on the cluster: {said}", code="worker_not_started"
                ) from error
        with suppress(Exception):
            ray.kill(place.actor)
        self._begin(place)
        if trial is not None and about is not None:
            if about.node in alive:
                yield trial, Failure("killed", f"its Ray worker on the node {about.name} died")
            else:
                yield trial, Failure("lost", f"its node {about.name} was lost")

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._missed = 0 if self.cluster.answers else self._missed + 1
        self._looked = time.monotonic()
        begun = [place for place in self._places if place.about]
        self._heard = now if begun else self._heard
        if self._missed > 1 or now - self._heard > _SILENT_SECONDS:
            raise stopped(self.cluster, self.kept)
        late = [place for place in self._places if not place.about and now - place.began > _WAITING_SECONDS]
        if late and begun:
            self._say_once(
                "late",
                f"{len(late)} of {self.workers} workers have not begun: they wait for a free CPU, or their nodes are busy",
            )

    def _say_once(self, about: str, text: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self.say(text)
