"""Rows that are read in one pass, such as those of a database or of many files, as one Parquet file that can be read anywhere.

The copy lies among the temporary files until the process ends; in memory is a piece of it at a time.
"""

import atexit
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.data.sources.addresses import local_files
from seq2seq_kit.data.sources.databases import pieces_of_database
from seq2seq_kit.data.sources.files import is_file, refuse_other_columns
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.source_rules import PARQUET, is_database
from seq2seq_kit.recipe.sourced import Sourced

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 2**20


def one_file(source: str | Sequence[str], section: Sourced) -> Path:
    """A Parquet file with the rows of a source: the source itself, or a copy.

    Args:
        source: A Parquet file, several of them (a list, a glob, addresses), or a database.
        section: The recipe's `data`, which says what is read of a database.

    Raises:
        DataError: The source cannot be read, its files have different columns, or the disk is full.
    """
    named = [source] if isinstance(source, str) else list(source)
    if len(named) == 1 and is_file(Path(named[0])):
        return Path(named[0])
    if is_database(named[0]):
        with closing(pieces_of_database(named[0], section)) as frames:
            return _written(_tables(frames), named[0])
    with local_files(named, PARQUET) as places:
        if any(place.partitions for place in places):
            raise DataError(
                "columns that are named by folders are not read by row groups: `read: row_groups` takes a single series in time "
                "order. Name the files in a list, or set data.read: memory",
                code="unsupported_partitions",
            )
        if len(places) == 1 and places[0].path in named:
            return Path(places[0].path)
        return _written(_groups([place.path for place in places]), named[0])


def _tables(frames: Iterator[pd.DataFrame]) -> Iterator["pa.Table"]:
    import pyarrow as pa

    for frame in frames:
        # Whole numbers of one piece may be missing in the next.
        whole = {str(name): "float64" for name, kind in frame.dtypes.items() if kind.kind in "iub"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyarrow asks pandas 3.1 for times in a way that goes away
            table = pa.Table.from_pandas(frame.astype(whole), preserve_index=False)
        yield table


def _groups(paths: Sequence[str]) -> Iterator["pa.Table"]:
    import pyarrow.parquet as pq

    names: list[str] | None = None
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                own = list(file.schema_arrow.names)
                names = names or own
                refuse_other_columns(names, own, paths[0], path)
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, use_threads=False).select(names)
        except DataError:
            raise
        except Exception as error:  # pyarrow's errors share no base below Exception
            raise DataError(f"{path} is not a readable Parquet file: {error}", code="unreadable_file") from None


def _written(tables: Iterator["pa.Table"], origin: str) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(tempfile.mkdtemp(prefix="rows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path, writer, held = folder / "rows.parquet", None, 0
    waiting: list[pa.Table] = []
    try:
        for table in tables:
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            waiting.append(_like(table, writer.schema, origin))
            held += len(table)
            if held >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting, held = [], 0
        if writer is not None and waiting:
            writer.write_table(pa.concat_tables(waiting))
    except OSError as error:
        said = f"{origin} could not be copied to {folder}: {error.strerror or error}. Free space there, or set TMPDIR"
        raise DataError(said, code="copy_not_written") from None
    finally:
        if writer is not None:
            writer.close()
    return path


def _like(table: "pa.Table", schema: "pa.Schema", origin: str) -> "pa.Table":
    """The columns with the types of the first piece; of one that had no value there, nothing is known."""
    import pyarrow as pa

    try:
        return table.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        said = f"{origin}: a column changes its type among its rows: {error}. Cast it in data.query, or write the files anew"
        raise DataError(said, code="columns_differ") from None
