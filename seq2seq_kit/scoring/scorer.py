"""A trained model as a function of frames that can be sent to other processes, which load it once each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.bundles.detecting import DetectingBundle
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.opening import load

if TYPE_CHECKING:
    import pandas as pd

    from seq2seq_kit.bundles.base import Bundle

VERBS = ("predict", "detect", "encode", "reconstruct", "score")
_HEADS = ("bundle.json", "export.json")
_ONE_TABLE = ("origin", "future", "progress", "labels")  # keywords that are about a single table
_LOADED = 4  # models that a process keeps


class Answer(Protocol):
    """A verb of a bundle."""

    def __call__(self, frame: pd.DataFrame, **options: object) -> pd.DataFrame | Detection: ...


@dataclass(frozen=True)
class Scorer:
    """A verb of a trained model as a function `frame -> frame`, for engines that send functions to their processes.

    It can be pickled: the model is loaded where it is called first, once in each process. What it is given is a table of its
    own, so whole series belong together: Spark's `groupBy(...).applyInPandas`, Ray Data's `map_batches` over blocks of whole
    series or `groupby(...).map_groups`.

    Attributes:
        run: Path of a bundle or an export that every process sees, or id of a run.
        verb: `predict`, `detect` (its events), `encode`, `reconstruct` or `score`.
        options: Keywords of the verb, such as `{"levels": [80]}`.
        tracking_uri: As in `train`.

    Example:
        >>> Scorer("model/", "predict").verb
        'predict'
    """

    run: str
    verb: str = "predict"
    options: Mapping[str, object] = field(default_factory=dict)
    tracking_uri: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", str(self.run))
        if self.verb not in VERBS:
            said = f"verb must be one of {', '.join(VERBS)}. Received: {self.verb!r}"
            raise ArgumentError(said, code="invalid_argument")

    @property
    def __name__(self) -> str:
        """Engines name a step for its function."""
        return self.verb

    @property
    def bundle(self) -> Bundle:
        """The model, loaded once in a process."""
        return _loaded(self.run, self.tracking_uri, self.digest)

    @property
    def digest(self) -> str:
        """Of everything in the folder of the model, another one once other weights are saved there; empty of the id of a run."""
        try:
            return head_digest(Path(self.run))
        except OSError:
            return ""

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The answer to a table; of `detect` the events, the worst first.

        Raises:
            KitError: As the verb of the bundle.
        """
        return self.answer(frame, "the data")[0]

    def answer(self, frame: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, list[str]]:
        """The same, and notes: what was done to the rows, findings; `origin` names the rows in messages."""
        verb: Answer = getattr(self.bundle, self.verb)
        found = verb(frame, origin=origin, **self.options)
        if pending := getattr(self.bundle, "forecasts", None):
            pending.kept.clear()  # nobody can call `update` of this model, and many files would fill the memory
        if isinstance(found, Detection):
            return found.events, [*found.notes, *(f"{each.code}: {each}" for each in found.findings)]
        return found, list(found.attrs.get("notes", []))

    def require(self) -> None:
        """Refuses before the first row what the model cannot do.

        Raises:
            ArgumentError: Verb or option is none of the model's, or not one for many tables.
        """
        bundle = self.bundle
        if self.verb not in bundle.verbs:
            said = f"a {bundle.recipe.task} model can {', '.join(bundle.verbs)}. Received: {self.verb}"
            raise ArgumentError(said, code="not_supported")
        strange = [name for name in self.options if name not in signature(getattr(bundle, self.verb)).parameters]
        if strange:
            said = f"a {bundle.recipe.task} model takes no --{strange[0].replace('_', '-')}. Leave it out, or name another run"
            raise ArgumentError(said, code="invalid_option")
        for name, value in self.options.items():
            if name in _ONE_TABLE or not _is_plain(value):
                said = f"options of many files are numbers, texts and lists of those, none about one table. Received: {name}"
                raise ArgumentError(
                    f"{said}={value!r:.80}. Leave it out, or call the verb of the bundle", code="invalid_option"
                )
        if self.verb == "detect" and isinstance(bundle, DetectingBundle):
            bundle.require_detector()


def head_digest(model: Path) -> str:
    """The digest of the file of a model's folder that has the digests of all others; raises `OSError` where there is none."""
    head = next((model / name for name in _HEADS if (model / name).is_file()), model / _HEADS[0])
    return hashlib.sha256(head.read_bytes()).hexdigest()


def model_files(model: Path) -> dict[str, bytes]:
    """What a model consists of, by name: its head and the files that this has digests of; what else lies there stays behind."""
    head = next(model / name for name in _HEADS if (model / name).is_file())
    names = json.loads(head.read_bytes()).get("sha256", {})
    return {name: (model / name).read_bytes() for name in (head.name, *names) if Path(name).name == name}


def _is_plain(value: object) -> bool:
    """Whether JSON has it as it is, so that the journal can tell it from others."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


@lru_cache(maxsize=_LOADED)
def _loaded(run: str, tracking_uri: str | None, digest: str) -> Bundle:
    return load(run, tracking_uri=tracking_uri)
