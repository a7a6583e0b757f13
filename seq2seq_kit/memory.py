"""How much memory is free, and whether a table fits into it."""

from contextlib import suppress
from pathlib import Path

import psutil

from seq2seq_kit.errors import DataError

_CELL_BYTES = 8
_SHARE = 1.5  # of the table: the rows as they are, and scaled in float32


def free_memory() -> int:
    """Bytes that processes may still take: of the machine, and of the container if there is one."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))  # "max" where there is none
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        free = min(free, limit - used + cached)
    return free


def require_room(source: str) -> None:
    """Refuses a Parquet file whose table would not fit into the free memory; other sources are no larger than they look.

    Raises:
        DataError: It would not; the message says what to set.
    """
    path = Path(source)
    if path.suffix.lower() not in (".parquet", ".pq") or not path.is_file():
        return
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(path)
    except Exception:  # whoever reads the file says what is wrong with it
        return
    needed, free = about.num_rows * about.num_columns * _CELL_BYTES * _SHARE, free_memory()
    if needed > free:
        raise DataError(
            f"{source} has {about.num_rows:,} rows x {about.num_columns} columns, which take about {needed / 1e9:.1f} GB to "
            f"train on; {free / 1e9:.1f} GB are free. Set data.read: row_groups to read them as they are needed, or free memory"
        )
