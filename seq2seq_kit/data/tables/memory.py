"""How much memory is free, and whether a table fits into it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.data.sources.files import places_of
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.source_rules import PARQUET, scheme_of
from seq2seq_kit.recipe.sourced import in_words

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_CELL_BYTES = 8
_SHARE = 1.5  # of the table: the rows as they are, and scaled in float32
_GROUPS = 4  # row groups in float64: two open and two coming, scaled in float32, and what they are made of


def free_memory() -> int:
    """Bytes that processes may still take: of the machine, and of the container if there is one."""
    import psutil  # whoever runs an exported model needs none

    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))  # "max" without a limit
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        free = min(free, limit - used + cached)
    return free


def require_room(source: str | Sequence[str]) -> None:
    """Refuses Parquet files whose table would not fit into the free memory; other sources are no larger than they look.

    Raises:
        DataError: It would not; the message says what to set.
    """
    places = [place for each in ([source] if isinstance(source, str) else source) for place in _places(each)]
    about = [each for each in map(_metadata, places) if each is not None]
    rows, columns = sum(each.num_rows for each in about), max((each.num_columns for each in about), default=0)
    needed, free = rows * columns * _CELL_BYTES * _SHARE, free_memory()
    if needed > free:
        raise DataError(
            f"{in_words(source)} has {rows:,} rows x {columns} columns, which take about {needed / 1e9:.1f} GB to "
            f"train on; {free / 1e9:.1f} GB are free. Set data.read: row_groups to read them as they are needed, or free memory",
            code="not_enough_memory",
        )


def require_room_for_groups(source: str) -> None:
    """Refuses a Parquet file whose row groups are so large that those which are open together would not fit.

    Raises:
        DataError: They would not; the message says what to do.
    """
    about = _metadata(source)
    if about is None:
        return
    rows = max((about.row_group(group).num_rows for group in range(about.num_row_groups)), default=0)
    needed, free = rows * about.num_columns * _CELL_BYTES * _GROUPS, free_memory()
    if needed > free:
        raise DataError(
            f"{source} has a row group of {rows:,} rows x {about.num_columns} columns; those that are read together take about "
            f"{needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. Write the file with smaller row groups, such as a million "
            "rows each (row_group_size in pandas and pyarrow), or free memory",
            code="not_enough_memory",
        )


def _places(source: str) -> list[str]:
    """The Parquet files of a path, a glob or a folder; none of an address, and of what is not there: its reader says so."""
    try:
        return [place.path for place in places_of(source, PARQUET)] if scheme_of(source) is None else []
    except DataError:
        return []


def _metadata(source: str) -> "pq.FileMetaData | None":
    """The metadata of a Parquet file; None of other sources and of files that cannot be read: their reader says what is wrong."""
    path = Path(source)
    if path.suffix.lower() not in (".parquet", ".pq"):
        return None
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path)
    except Exception:  # pyarrow's errors share no base below Exception
        return None
