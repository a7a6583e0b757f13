"""Rows of a database: PostgreSQL, SQLite or DuckDB, read only, in pieces, in the order of series and time.

An address names server, user and database and holds no password: libpq takes it from PGPASSWORD or ~/.pgpass. A query is a
single SELECT, inside a transaction (or a file) that is open for reading only, so it cannot change anything. Times with
a zone come in UTC, whatever the server's or the user's zone is.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pandas as pd

from seq2seq_kit.data.sources.files import READ, is_file
from seq2seq_kit.data.sources.packages import require_package
from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.memory import free_memory
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.source_rules import scheme_of
from seq2seq_kit.recipe.sourced import Sourced

PIECE_ROWS = 2**16
_SECONDS = 15  # to wait for a server
# How PostgreSQL and DuckDB say that a relation is missing, and SQLite.
_NO_TABLE = re.compile(r"(?i)relation .* does not exist|no such table|Table with name .* does not exist|no such view")
_LOGIN = re.compile(r"(?i)password|no pg_hba\.conf entry|role .* does not exist|authentication|not permitted to log in")


def read_database(address: str, section: Sourced | None) -> pd.DataFrame:
    """All rows of a table or a query.

    Args:
        address: Of a database, without a password.
        section: The recipe's `data`: its `table` or `query`, and the columns by which rows are ordered.

    Returns:
        The frame; `attrs["read"]` tells what was read.

    Raises:
        DataError: The server or file cannot be reached, does not let us in, has no such table; the query is wrong; the rows do
            not fit into the free memory.
    """
    pieces: list[pd.DataFrame] = []
    held = 0
    with closing(pieces_of_database(address, section)) as found:
        for piece in found:
            pieces.append(piece)
            held += int(piece.memory_usage(deep=True).sum())
            if held > free_memory():  # joining them takes as much again
                raise DataError(
                    f"{address}: {sum(map(len, pieces)):,} rows take {held / 1e9:.1f} GB, and there are more than the free "
                    "memory holds. Set data.read: row_groups, choose fewer columns in data.query, or free memory",
                    code="not_enough_memory",
                )
    frame = pd.concat(pieces, ignore_index=True).infer_objects() if len(pieces) > 1 else pieces[0]
    frame.attrs[READ] = {"files": [described(address, section)], "rows": [len(frame)]}
    return frame


def described(address: str, section: Sourced | None) -> str:
    """A database and what is read of it, on one line."""
    what = (section.table or " ".join((section.query or "").split())) if section else ""
    return f"{address} {what}".strip()


def pieces_of_database(address: str, section: Sourced | None) -> Generator[pd.DataFrame, None, None]:
    """The rows, `PIECE_ROWS` at a time; at least one piece, which may have no rows. Errors as of `read_database`."""
    table, query = (section.table, section.query) if section else (None, None)
    if (table is None) == (query is None):
        said = f"{address}: a database needs `table` or `query` in the recipe's data, and one of them only"
        raise DataError(said, code="missing_query")
    inner = f"SELECT * FROM {_quoted(table)}" if table else str(query).strip().rstrip(";")
    order = ", ".join(_quoted(name, whole=True) for name in _order(section))
    # The line's end before the parenthesis ends a comment, too. Without times a query has an order of its own, which stays.
    statement = f"SELECT * FROM (\n{inner}\n) AS kit_rows ORDER BY {order}" if order else inner
    read = {"postgresql": _postgresql, "sqlite": _sqlite, "duckdb": _duckdb}[scheme_of(address) or ""]
    yield from read(address, statement)


def _order(section: Sourced | None) -> list[str]:
    """Columns of series, then of time; none without times."""
    values = [getattr(section, key, None) or [] for key in ("series", "time")]
    series, time = ([value] if isinstance(value, str) else list(value) for value in values)
    return [*series, *time] if time else []


def _quoted(name: str | None, *, whole: bool = False) -> str:
    """A name for SQL; `schema.table` are two unless it is a column's."""
    parts = [str(name)] if whole else str(name).split(".")
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _postgresql(address: str, statement: str) -> Iterator[pd.DataFrame]:
    require_package("psycopg", "postgres", f"{address} is a PostgreSQL database")
    import psycopg

    with _told(address, psycopg.Error, connecting=True):
        timeout = {} if "connect_timeout" in address else {"connect_timeout": _SECONDS}
        connection = psycopg.connect(address, **timeout)
    with closing(connection), _told(address, psycopg.Error):
        # A cursor of the server's takes a single SELECT, and a transaction for reading cannot be made one for writing.
        connection.read_only = True
        connection.execute("SET TIME ZONE 'UTC'")
        with connection.cursor(name="seq2seq_kit") as cursor:
            cursor.execute(statement)  # type: ignore[arg-type,unused-ignore]  # a text that is no literal
            yield from _pieces(cursor, address)


def _sqlite(address: str, statement: str) -> Iterator[pd.DataFrame]:
    import sqlite3

    path = _file_of(address)
    with _told(address, sqlite3.Error, connecting=True):
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    with closing(connection), _told(address, sqlite3.Error):
        connection.set_authorizer(_only_reading)
        yield from _pieces(connection.execute(statement), address)


def _only_reading(action: int, *_: object) -> int:
    """SQLite asks before each kind of action: other files must not be attached."""
    import sqlite3

    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def _duckdb(address: str, statement: str) -> Iterator[pd.DataFrame]:
    path = _file_of(address)
    require_package("duckdb", "duckdb", f"{address} is a DuckDB database")
    import duckdb

    # A query may otherwise read any file and address.
    settings = {"enable_external_access": "false", "autoinstall_known_extensions": "false"}
    with _told(address, duckdb.Error, connecting=True):
        connection = duckdb.connect(str(path), read_only=True, config=settings)
    with closing(connection), _told(address, duckdb.Error):
        if [each.type for each in connection.extract_statements(statement)] != [duckdb.StatementType.SELECT]:
            raise duckdb.Error("it is no single SELECT")
        reader = connection.sql(statement).to_arrow_reader(PIECE_ROWS)
        refuse_duplicates(reader.schema.names, address)
        empty = True
        for batch in reader:
            empty = False
            yield _in_utc(batch.to_pandas(date_as_object=False))
        if empty:
            yield _in_utc(reader.schema.empty_table().to_pandas(date_as_object=False))


def _in_utc(frame: pd.DataFrame) -> pd.DataFrame:
    """DuckDB hands out times with a zone in this machine's."""
    zoned = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.DatetimeTZDtype)]
    return frame.assign(**{str(name): frame[name].dt.tz_convert("UTC") for name in zoned})


def _file_of(address: str) -> Path:
    path = Path(unquote(address.partition("://")[2].partition("?")[0]).removeprefix("/"))
    if not is_file(path):
        raise DataError(
            f"there is no file {path}, which {address} names. A path is taken from the current folder, {Path.cwd().name}/; one "
            f"from the root has four slashes: {scheme_of(address)}:////data/file.db",
            code="file_not_found",
        )
    return path


def _pieces(cursor: "object", address: str) -> Iterator[pd.DataFrame]:
    """The rows of a cursor of PEP 249."""
    names = [column[0] for column in cursor.description]  # type: ignore[attr-defined]
    refuse_duplicates(names, address)
    empty = True
    while rows := cursor.fetchmany(PIECE_ROWS):  # type: ignore[attr-defined]
        empty = False
        yield _frame(rows, names)
    if empty:
        yield _frame([], names)


def _frame(rows: list[tuple[object, ...]], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame.from_records(rows, columns=names, coerce_float=True)


@contextmanager
def _told(address: str, errors: type[Exception], *, connecting: bool = False) -> Iterator[None]:
    """Says a driver's errors in the kit's words."""
    try:
        yield
    except DataError:
        raise
    except errors as error:
        lines = [line.strip().rstrip(".") for line in str(error).splitlines()[:2] if not line.startswith("LINE")]
        said = ". ".join(filter(None, lines))
        if scheme_of(address) != "postgresql" and (connecting or "not a database" in said):
            raise DataError(
                f"{address} is no readable database: {said}. Look at the file", code="unreadable_file"
            ) from None
        if connecting and _LOGIN.search(said):
            raise DataError(
                f"{address} does not let us in: {said}. Set PGPASSWORD or write a line into ~/.pgpass, and look at the user's "
                "name in the address",
                code="database_login",
            ) from None
        if connecting:
            advice = "Look whether it runs there, and whether host, port and name are right"
            raise DataError(f"{address} cannot be opened: {said}. {advice}", code="database_unreachable") from None
        if _NO_TABLE.search(said):
            raise DataError(
                f"{address}: {said}. Capital letters count in data.table; a table of another schema is schema.table",
                code="missing_table",
            ) from None
        raise DataError(
            f"{address}: the database refuses the query: {said}. Expected a single SELECT that only reads, whose columns have "
            "the recipe's names",
            code="query_failed",
        ) from None
