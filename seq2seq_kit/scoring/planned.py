"""Which file of answers each file of rows becomes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.data.sources.files import Place
from seq2seq_kit.data.tables.text_files import TEXT_ENDINGS
from seq2seq_kit.errors import ArgumentError

_PACKED = (".gz", ".zip", ".xz", ".zst", ".bz2")


@dataclass(frozen=True)
class Planned:
    """A file to score.

    Attributes:
        place: Its rows.
        out: Its answers, relative to the folder of all answers.
        size: Bytes of the rows' file; 0 where it is gone already.
    """

    place: Place
    out: str
    size: int


def plan_files(places: Sequence[Place], out: Path) -> list[Planned]:
    """A file of answers for each file of rows, of the same stem, below their common folder as those are.

    Text becomes CSV, everything else Parquet.

    Raises:
        ArgumentError: Two files would become one, or a file of rows lies where answers are written.
    """
    names = [place.name.partition("://")[2] or place.path for place in places]
    folders = [os.path.abspath(os.path.dirname(name)) for name in names]  # noqa: PTH100, PTH120 (links stay as they are)
    root = os.path.commonpath(folders) if folders else ""
    planned: dict[str, Planned] = {}
    within = out.resolve()
    for place, name, folder in zip(places, names, folders, strict=True):
        if not place.name and within in Path(place.path).resolve().parents:
            said = f"{place.shown} lies in {out}, where the answers are written. Choose another --out"
            raise ArgumentError(said, code="invalid_option")
        # Where they were fetched from elsewhere names may be anything; a file is never written outside the folder.
        inner = [part for part in Path(os.path.relpath(folder, root)).parts if part not in (".", "..")]
        target = Path(*inner, _answers_of(Path(name).name)).as_posix()
        if target in planned:
            said = f"{planned[target].place.shown} and {place.shown} would both become {out / target}"
            raise ArgumentError(f"{said}. Score them into two folders, or rename one", code="same_output")
        try:
            size = os.path.getsize(place.path)  # noqa: PTH202 (a Path raises where no file can have the name)
        except OSError:
            size = 0
        planned[target] = Planned(place, target, size)
    return list(planned.values())


def partial_of(target: Path) -> Path:
    """Where answers are written before they get their name: beside it, hidden, with its ending, and never too long a name."""
    key = hashlib.blake2b(target.name.encode(), digest_size=8).hexdigest()
    return target.with_name(f".{key}.partial{target.suffix}")


def _answers_of(name: str) -> str:
    """The name of the answers to a file.

    Example:
        >>> [_answers_of(name) for name in ("a.csv.gz", "2024.01.parquet", "a.xlsx")]
        ['a.csv', '2024.01.parquet', 'a.parquet']
    """
    path = Path(name)
    while path.suffix.lower() in _PACKED:
        path = path.with_suffix("")
    ending = ".csv" if path.suffix.lower() in TEXT_ENDINGS else ".parquet"
    return f"{path.stem}{ending}"
