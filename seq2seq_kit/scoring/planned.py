"""Which file of answers each file of rows becomes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from urllib.parse import urlsplit

from seq2seq_kit.data.sources.files import Place, is_file
from seq2seq_kit.data.tables.text_files import TEXT_ENDINGS
from seq2seq_kit.errors import ArgumentError, DataError, without_secrets
from seq2seq_kit.recipe.source_rules import scheme_of
from seq2seq_kit.scoring.journal import NAME

_PACKED = (".gz", ".zip", ".xz", ".zst", ".bz2")


@dataclass(frozen=True)
class Planned:
    """A file to score.

    Attributes:
        place: Its rows.
        out: Its answers, relative to the folder of all answers.
        file: What it is known by in the journal: its path relative to that folder, or its address.
        size: Bytes of the rows' file; 0 where it is gone already.
    """

    place: Place
    out: str
    file: str
    size: int


def plan_files(
    sources: Sequence[str], places: Sequence[Place], out: Path, made: Collection[str] = frozenset()
) -> list[Planned]:
    """A file of answers for each file of rows, of the same stem, below the common folder of the sources as those are.

    Text becomes CSV, everything else Parquet. What a source names by a glob decides nothing about names: files that come to match
    it later do not move the others.

    Args:
        sources: As they were asked for.
        places: The files that they stand for.
        out: The folder of answers.
        made: The answers in it that are known; a glob that matches them does not mean them.

    Raises:
        ArgumentError: Two files would become one, or a file of rows lies where answers are written.
        DataError: There is none of the files.
    """
    roots = [root for source in sources if (root := _root_of(source, places))]
    root = os.path.commonpath(roots) if roots else ""
    planned: dict[str, Planned] = {}
    within, own = out.resolve(), ""
    for place in places:
        path = _path_of(place.shown) if _is_here(place) else ""
        if path and within in Path(path).resolve().parents:
            own = f"{place.shown} lies in {out}, where the answers are written. Choose another --out"
            if Path(path).resolve().relative_to(within).as_posix() in {*made, NAME}:
                continue
            raise ArgumentError(own, code="invalid_option")
        folder = os.path.dirname(_path_of(place.shown))  # noqa: PTH120 (links stay as they are)
        # Where they were fetched from elsewhere names may be anything; a file is never written outside the folder.
        inner = [part for part in Path(os.path.relpath(folder, root)).parts if part not in (".", "..")]
        target = Path(*inner, _answers_of(Path(place.path).name)).as_posix()
        if target in planned:
            said = f"{planned[target].place.shown} and {place.shown} would both become {out / target}"
            raise ArgumentError(f"{said}. Score them into two folders, or rename one", code="same_output")
        try:
            size = os.path.getsize(place.path)  # noqa: PTH202 (a Path raises where no file can have the name)
        except OSError:
            size = 0
        known = Path(os.path.relpath(path, within)).as_posix() if path else without_secrets(place.shown)
        planned[target] = Planned(place, target, known, size)
    if own and not planned:
        raise ArgumentError(own, code="invalid_option")
    if places and not any(is_file(Path(place.path)) for place in places):
        said = f"there is no file {places[0].shown}. Correct the path, or name the folder that holds the files"
        raise DataError(said, code="file_not_found")
    return list(planned.values())


def _is_here(place: Place) -> bool:
    return not place.name or scheme_of(place.name) == "file"


def _path_of(name: str) -> str:
    """The path of a file, or of an address behind its scheme and without what stands behind `?`, from the root on."""
    scheme, _, rest = name.partition("://")
    if scheme_of(name) is None or not rest:
        return os.path.abspath(name)  # noqa: PTH100 (links stay as they are)
    return os.path.abspath("/" + (urlsplit(name).path if scheme in ("http", "https") else rest).lstrip("/"))  # noqa: PTH100


def _root_of(source: str, places: Sequence[Place]) -> str:
    """The folder below which the files of a source keep their folders: of a glob what stands before its first magic part."""
    path = _path_of(source)
    if any(place.shown == source for place in places):
        return os.path.dirname(path)  # noqa: PTH120
    parts = Path(path).parts
    magic = next((number for number, part in enumerate(parts) if has_magic(part)), None)
    root = path if magic is None else str(Path(*parts[:magic]))
    if (scheme := scheme_of(source)) is None:
        return root
    # Some services name their files without the host or the account of the address.
    folders = [os.path.dirname(_path_of(place.name)) for place in places if scheme_of(place.name) == scheme]  # noqa: PTH120
    return (
        root
        if all(Path(root) in (Path(each), *Path(each).parents) for each in folders)
        else os.path.commonpath(folders)
    )


def partial_of(target: Path) -> Path:
    """Where answers are written before they get their name: beside it, hidden, with its ending, and never too long a name."""
    key = hashlib.blake2b(target.name.encode(), digest_size=8).hexdigest()
    return target.with_name(f".{key}.partial{target.suffix}")


def remove_partials(partial: Path) -> None:
    """Removes what attempts at a file have left that were killed, those on a cluster under names of their own."""
    for left in partial.parent.glob(f"{partial.stem}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):  # then it is told by who writes there
                left.unlink(missing_ok=True)


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
