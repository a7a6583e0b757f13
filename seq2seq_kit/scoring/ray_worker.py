"""What happens on a node of a Ray cluster: a worker that scores one file at a time in a process of that node.

The process is the one of local scoring, with the model and one computing thread, so answers are the same bytes. Rows are read and
answers written where they lie: only the model travels, once to each node.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.executing.ray_worker import About, Reply, about_node, clear_node, settle_on_node
from seq2seq_kit.scoring.answering import FileTask
from seq2seq_kit.scoring.messages import Message
from seq2seq_kit.scoring.pool import Processes
from seq2seq_kit.scoring.scorer import Scorer

_LISTEN_SECONDS = 1.0  # the longest that a call hears of nothing
_MODEL = "model"


@dataclass(frozen=True)
class Shared:
    """What every node has to see.

    Attributes:
        mark: A file in the folder of answers, which it is told by.
        content: Of that file: a folder of the same name on another disk has none, or another one.
        rows: One of the files of rows; None: none is there.
    """

    mark: Path
    content: str
    rows: str | None

    def require(self, node: str) -> None:
        """Refuses a node, of that name, that would write elsewhere, or reads nothing.

        Raises:
            ArgumentError: It does not see the folder of answers, or may not write there.
            DataError: It does not see the rows.
        """
        folder = self.mark.parent
        try:
            found = self.mark.read_text("utf-8")
        except OSError:
            found = ""
        if found != self.content:
            said = f"the node {node} does not see the folder of answers, {folder}. Choose an --out that every node"
            raise ArgumentError(f"{said} has under the same path (a shared disk)", code="output_not_on_node")
        try:
            tried = self.mark.with_name(f"{self.mark.name}{secrets.token_hex(4)}")
            tried.touch()
            tried.unlink()
        except OSError as error:
            said = f"the node {node} cannot write the answers into {folder}: {error.strerror or error}"
            raise ArgumentError(f"{said}. Choose another --out", code="unwritable_file") from None
        if self.rows is not None and not Path(self.rows).is_file():
            raise DataError(f"the node {node} {not_seen(self.rows)}", code="data_not_on_node")


def not_seen(path: str) -> str:
    """What is said of a node without a file that is there for who called."""
    return (
        f"does not see {path}. Put the rows where every node reads them under the same path (a shared disk); those of an address "
        "are fetched into the folder for temporary files, TMPDIR"
    )


class FileWorker:
    """One place for files on a node; its methods are called one after the other, from another machine.

    Args:
        scorer: Verb and options; its model lies elsewhere.
        model: The files of the model, see `model_files`.
        shared: What the node has to see.
        folder: Current folder of whoever scores.
        workers: Of all nodes; not used.
    """

    def __init__(
        self, scorer: Scorer, model: Mapping[str, bytes], shared: Shared, folder: str, *, workers: int
    ) -> None:
        self.folder, self.shared = settle_on_node(folder), shared
        for name, content in model.items():
            path = self.folder / _MODEL / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        own = replace(scorer, run=str(self.folder / _MODEL), tracking_uri=None)
        self.own, self.pool = own, Processes(own, 1, self.folder)

    def about(self) -> About:
        """The node; after the call a file can begin at once.

        Raises:
            ArgumentError: See `Shared.require`.
            DataError: Likewise.
        """
        about = about_node()
        self.shared.require(about.name)
        return about

    def call(self, task: FileTask | None, shared: object, *, stop: bool = False) -> Reply:
        """Starts a file if one is given, and listens for a while; arguments as in `executing.ray_worker.Worker`."""
        if stop:
            self.pool.close()
            self.pool = Processes(self.own, 1, self.folder)
        if task is not None:
            self.pool.start(0, task)
        messages, until = list[Message](), time.monotonic() + _LISTEN_SECONDS
        while not self.pool.free and not messages and (left := until - time.monotonic()) > 0:
            messages = [message for _, message in self.pool.wait(left)]
        return Reply(0, messages)

    def end(self) -> None:
        """Ends the file that is scored and removes all files but answers."""
        with suppress(OSError):
            self.pool.close()
        clear_node(self.folder)
