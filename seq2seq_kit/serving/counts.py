"""Counters of a server and its workers, in the text format of Prometheus.

Each worker counts in a small file of its own, which the others read, so that `/metrics` tells of all whoever answers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq_kit.processes import began, is_alive

STATUSES = (200, 400, 401, 404, 405, 406, 408, 413, 415, 500, 501, 503, 504, 0)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counts:
    """Counters of one worker.

    Args:
        folder: Of the server, for the files of all workers.
        paths: The paths that are counted apart.
    """

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self._folder, self.paths = folder, [*paths, "other"]
        self._sizes = (len(self.paths), len(STATUSES) + len(BUCKETS) + 3)
        name = f"{os.getpid()}-{began():.0f}.counts"
        self._own = np.memmap(folder / name, np.float64, "w+", shape=(self._sizes[0] + 1, self._sizes[1]))
        self._numbers = {path: number for number, path in enumerate(self.paths)}

    def count(self, path: str, status: int, seconds: float) -> None:
        """One answer."""
        row = self._own[self._numbers.get(path, len(self.paths) - 1)]
        row[STATUSES.index(status if status in STATUSES else 0)] += 1
        row[len(STATUSES) + int(np.searchsorted(BUCKETS, seconds))] += 1
        row[-2] += seconds

    def rows(self, path: str, rows: int) -> None:
        """Rows that were read."""
        self._own[self._numbers[path], -1] += rows

    def waiting(self, count: int) -> None:
        """Requests whose body is there and that wait or are computed now."""
        self._own[-1, 0] = count

    def text(self) -> str:
        """The counters of all workers."""
        files = sorted(self._folder.glob("*.counts"))
        read = [(path, np.fromfile(path, np.float64)) for path in files]
        every = [(path, found.reshape(self._own.shape)) for path, found in read if found.size == self._own.size]
        total = np.sum([found[:-1] for _, found in every], axis=0)
        alive = [found for path, found in every if is_alive(*_process(path))]
        requests, seconds, rows = "seq2seq_kit_requests_total", "seq2seq_kit_request_seconds", "seq2seq_kit_rows_total"
        lines = [f"# HELP {requests} Answers by path and status (0: any other).", f"# TYPE {requests} counter"]
        for path, found in zip(self.paths, total, strict=True):
            known = zip(STATUSES, found[: len(STATUSES)], strict=True)
            lines += [f'{requests}{{path="{path}",status="{status}"}} {value:.0f}' for status, value in known if value]
        lines += [f"# HELP {seconds} From a request's head to its answer.", f"# TYPE {seconds} histogram"]
        for path, found in zip(self.paths, total, strict=True):
            below = np.cumsum(found[len(STATUSES) : len(STATUSES) + len(BUCKETS) + 1])
            if below[-1]:
                edges = zip((*BUCKETS, "+Inf"), below, strict=True)
                lines += [f'{seconds}_bucket{{path="{path}",le="{edge}"}} {value:.0f}' for edge, value in edges]
                lines += [
                    f'{seconds}_sum{{path="{path}"}} {found[-2]:.6f}',
                    f'{seconds}_count{{path="{path}"}} {below[-1]:.0f}',
                ]
        lines += [f"# HELP {rows} Rows that were read.", f"# TYPE {rows} counter"]
        lines += [
            f'{rows}{{path="{path}"}} {found[-1]:.0f}'
            for path, found in zip(self.paths, total, strict=True)
            if found[-1]
        ]
        for name, about, value in (
            (
                "seq2seq_kit_waiting",
                "Requests in the line: their bodies are there, they wait or are computed. Bodies on their way are not counted.",
                sum(found[-1, 0] for found in alive),
            ),
            ("seq2seq_kit_workers", "Processes that answer.", len(alive)),
        ):
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge", f"{name} {value:.0f}"]
        return "\n".join(lines) + "\n"


def _process(path: Path) -> tuple[int, float]:
    pid, _, start = path.stem.partition("-")
    return int(pid), float(start)
