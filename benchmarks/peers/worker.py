"""One peer at one shape in a process of its own: waits for a word, does that piece of work, answers with its time as JSON.

`layers.py` starts it and speaks to it. The words: `first` (a `fit` of a single batch by a fresh model), `train` (the next epoch
of one long `fit`; an epoch ends where the next one begins, so whatever holds up its end belongs to it), `infer`, `end`.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peers.shapes import INFERENCE_EPOCHS, Shape, cut, make_rows

PEERS = ("kit", "keras", "keras_data", "torch", "jax")


class Finished(Exception):  # noqa: N818  (no error: the way out of an endless fit)
    """Leaves an endless fit."""


class Line:
    """The way to whoever started this process. Libraries that print write to standard error instead."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def answer(self, **values: Any) -> None:
        """Sends one answer."""
        self.out.write(json.dumps(values) + "\n")
        self.out.flush()

    def hear(self) -> str:
        """The next word."""
        return sys.stdin.readline().strip() or "end"


class Inference:
    """Predicting some sequences, in batches of the size that suits the peer best."""

    def __init__(self, peer: Any, shape: Shape, rows: np.ndarray) -> None:
        self.peer, self.shape = peer, shape
        self.x = np.tile(cut(shape, rows)[0], (INFERENCE_EPOCHS, 1, 1))
        self.batch = peer.batches[0]
        tried = {}
        for self.batch in peer.batches:
            self.run()  # traces and compiles
            tried[self.batch] = self.run()
        self.batch = min(tried, key=lambda batch: tried[batch])

    def run(self) -> float:
        """Seconds for all of them."""
        began = time.perf_counter()
        outputs = self.peer.infer(self.x, self.batch)
        seconds = time.perf_counter() - began
        assert outputs.shape == (len(self.x), self.shape.output_steps, self.shape.output_features)
        return seconds


def main() -> None:
    """Serves until the word `end`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--shape", required=True, help="a Shape as JSON")
    options = parser.parse_args()
    shape, line = Shape(**json.loads(options.shape)), Line()
    make = open_peer(options.peer)
    rows = make_rows(shape, shape.sequences)
    peer = make(shape)
    line.answer(versions=peer.versions() | {"Python": sys.version.split()[0]})
    word, inference = line.hear(), None
    while word != "end":
        if word == "first":
            line.answer(seconds=first_step(peer, rows[: shape.batch * shape.rows]))
            word = line.hear()
        elif word == "train":
            word = train(peer, rows, line)
        else:
            inference = inference or Inference(peer, shape, rows)
            line.answer(seconds=inference.run(), batch=inference.batch)
            word = line.hear()
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    line.answer(peak=peak)


def open_peer(name: str) -> Callable[[Shape], Any]:
    """Imports a peer's packages; gives what makes its model."""
    if name == "jax":
        os.environ["KERAS_BACKEND"] = "jax"
    if name == "kit":
        from peers.kit import Peer as Kit

        return Kit
    if name == "torch":
        from peers.torch_fit import Peer as Torch

        return Torch
    from peers.keras_fit import Peer

    return lambda shape: Peer(shape, dataset=name == "keras_data")


def first_step(peer: Any, rows: Any) -> float:
    """Seconds from the call of `fit` to the end of an epoch of one step."""
    epochs = 0

    def begin() -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 2:
            raise Finished

    began = time.perf_counter()
    try:
        peer.fit(rows, begin)
    except Finished:
        return time.perf_counter() - began
    raise AssertionError("a fit ended by itself")


def train(peer: Any, rows: Any, line: Line) -> str:
    """One epoch for each word `train`, all in one `fit`; gives back the first word that is another one."""
    began, word = 0.0, "train"

    def begin() -> None:
        nonlocal began, word
        if began:
            line.answer(seconds=time.perf_counter() - began)
            word = line.hear()
            if word != "train":
                raise Finished
        began = time.perf_counter()

    try:
        peer.fit(rows, begin)
    except Finished:
        return word
    raise AssertionError("a fit ended by itself")


if __name__ == "__main__":
    main()
