"""Which files a source names: one, a list of them, a glob, a folder, a partitioned data set; and the rows of all of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pandas as pd

from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.errors import DataError

_PARTITION = re.compile(r"([^/\\=]+)=([^/\\]*)")
_ABSENT = "__HIVE_DEFAULT_PARTITION__"
READ = "read"  # of a frame's `attrs`: from which files its rows are
PACKED = (".gz", ".zip", ".xz", ".zst", ".bz2")
_SHOWN = 5
_ROW = re.compile(r"\brow (\d+)\b")


@dataclass(frozen=True)
class Place:
    """A file to read.

    Attributes:
        path: Its path on this machine.
        name: What it is called in messages and records, where it was fetched from elsewhere.
        partitions: Columns that its folders are named for, such as `year=2024/`, in their order.
    """

    path: str
    partitions: tuple[tuple[str, str | None], ...] = ()
    name: str = ""

    @property
    def shown(self) -> str:
        """`name`, or the path."""
        return self.name or self.path


def is_file(path: Path) -> bool:
    """Whether there is a file of this name; a name that no file can have, such as one of 300 letters, is none."""
    return _is(path.is_file)


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name."""
    return _is(path.is_dir)


def _is(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except (OSError, ValueError):
        return False


def is_glob(path: str) -> bool:
    """Whether a path stands for those that match it; a file that is called so is itself."""
    return has_magic(path) and not is_file(Path(path))


def places_of(path: str, endings: Sequence[str]) -> list[Place]:
    """The files that a path stands for, in the order of their names.

    Args:
        path: Of a file, a folder, or a glob: `sales/*.csv`, `sales/**/*.parquet`.
        endings: Of the files that are taken from a folder.

    Raises:
        DataError: Nothing matches, or the folder holds no such file, or those of several kinds.
    """
    if is_glob(path):
        found = sorted(name for name in glob(path, recursive=True) if is_file(Path(name)))  # noqa: PTH207 (it leaves out hidden files)
        if not found:
            raise DataError(
                f"no file matches {path}. A path is taken from the current folder, {Path.cwd().name}/",
                code="file_not_found",
            )
        return [Place(name, partitions_of(name)) for name in found]
    if is_folder(Path(path)):
        return [Place(name, partitions_of(str(Path(name).relative_to(path)))) for name in _inside(Path(path), endings)]
    return [Place(path)]


def _inside(folder: Path, endings: Sequence[str]) -> list[str]:
    """Files in a folder and in those of its partitions; hidden ones and those that begin with _ are records of other programs."""
    found: dict[str, list[str]] = {}
    subfolders = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            subfolders.append(path)
        elif kind := _kind(path, endings):
            found.setdefault(kind, []).append(str(path))
    partitions = [path for path in subfolders if _PARTITION.fullmatch(path.name)]
    if len(found) > 1 or (found and partitions):
        kinds = ", ".join([*sorted(found), *(["folders of partitions"] if partitions else [])])
        raise DataError(
            f"{folder} holds files of several kinds: {kinds}. Name those that are to be read: {folder}/*{min(found)}",
            code="ambiguous_files",
        )
    inner = [name for path in partitions for name in _inside(path, endings)]
    if not found and not inner:
        beside = f"; it has the folders {', '.join(path.name for path in subfolders[:_SHOWN])}" if subfolders else ""
        raise DataError(
            f"the folder {folder} has no file that can be read{beside}. Expected files that end in {', '.join(endings)}, or "
            f"folders of partitions such as year=2024/. Name the files by a glob: {folder}/**/*.csv",
            code="file_not_found",
        )
    return [*(name for names in found.values() for name in names), *inner]


def _kind(path: Path, endings: Sequence[str]) -> str | None:
    """The ending that says how a file is read; a packed one counts as what is in it."""
    suffixes = [ending.lower() for ending in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in endings else None


def partitions_of(path: str) -> tuple[tuple[str, str | None], ...]:
    found = (_PARTITION.fullmatch(part) for part in PurePosixPath(Path(path).as_posix()).parts[:-1])
    return tuple((unquote(part[1]), None if part[2] == _ABSENT else unquote(part[2])) for part in found if part)


def joined(
    places: Sequence[Place], read: Callable[[str], pd.DataFrame], *, texts: Sequence[str], may_lack: bool = False
) -> pd.DataFrame:
    """The rows of several files, in the order of the files.

    Args:
        places: At least one.
        read: Reads one of them.
        texts: Columns whose cells stay as they are written, those of partitions too.
        may_lack: A file may lack columns that others have: its cells are empty there.

    Returns:
        The frame; `attrs["read"]` tells each file and its number of rows.

    Raises:
        DataError: A file has other columns than the first one, and none may lack some.
    """
    frames = [_with_partitions(read(place.path), place) for place in places]
    if may_lack:
        names = dict.fromkeys(str(name) for frame in frames for name in frame.columns)
        frames = [frame.reindex(columns=list(names)) for frame in frames]
    for place, frame in zip(places[1:], frames[1:], strict=True):
        refuse_other_columns(
            list(map(str, frames[0].columns)), list(map(str, frame.columns)), places[0].path, place.path
        )
    for name in dict.fromkeys(name for place in places for name, _ in place.partitions):
        if name not in texts:
            _as_numbers(frames, name)
    for name in texts:
        if len({frame[name].dtype for frame in frames if name in frame}) > 1:  # together 1 would be 1.0, or the reverse
            frames = [frame.assign(**{name: frame[name].map(str, na_action="ignore")}) for frame in frames]
    indexed = [frame.index for frame in frames if not isinstance(frame.index, pd.RangeIndex)]
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=len(indexed) < len(frames))
    whole.attrs[READ] = {"files": [place.shown for place in places], "rows": [len(frame) for frame in frames]}
    return whole


def refuse_other_columns(first: Sequence[str], other: Sequence[str], first_path: str, path: str) -> None:
    """Raises `DataError` where a file has other columns than the first one; their order may differ."""
    lacks, more = [n for n in first if n not in other], [n for n in other if n not in first]
    if not lacks and not more:
        return
    said = [f"lacks {', '.join(lacks[:_SHOWN])}"] if lacks else []
    said += [f"has {', '.join(more[:_SHOWN])} besides"] if more else []
    raise DataError(
        f"{path} has other columns than {first_path}: it {' and '.join(said)}. Expected the same columns in all files of a "
        "source; rename them, or name only the files that belong together",
        code="columns_differ",
    )


def _with_partitions(frame: pd.DataFrame, place: Place) -> pd.DataFrame:
    if not place.partitions:
        return frame
    refuse_duplicates(
        [*map(str, frame.columns), *(name for name, _ in place.partitions)], f"{place.path} with its folders"
    )
    values = {name: pd.Series([value] * len(frame), index=frame.index, dtype="str") for name, value in place.partitions}
    return frame.assign(**values)


def _as_numbers(frames: Sequence[pd.DataFrame], name: str) -> None:
    """Makes numbers of a partition's texts where all of them are some."""
    values = [frame[name].iloc[0] for frame in frames if len(frame)]
    numbers = pd.to_numeric(pd.Series(values, dtype="str"), errors="coerce")
    if values and not (numbers.isna() & pd.Series(values, dtype="str").notna()).any():
        for frame in frames:
            frame[name] = pd.to_numeric(frame[name])


def in_their_files(message: str, counts: Iterator[tuple[str, int]]) -> str:
    """A message on rows of several files, and in which file each row is.

    Args:
        message: Numbers rows from 1 over all files: `row 1234`.
        counts: Each file with its number of rows, in order.
    """
    asked = sorted({int(number) for number in _ROW.findall(message)})[:_SHOWN]
    told, before = [], 0
    for path, rows in counts if asked else ():
        told += [
            f"row {number} is row {number - before} of {path}" for number in asked if before < number <= before + rows
        ]
        before += rows
        if before >= asked[-1]:
            break
    return f"{message.rstrip('.')}. Counted over all files: {'; '.join(told)}" if told else message
