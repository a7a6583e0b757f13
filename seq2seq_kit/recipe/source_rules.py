"""What a recipe may name as the source of its rows: rules of every kind of recipe that has one.

What an address is, is told here; `data/sources/` opens it.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlsplit

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.fields import Rule, Written

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
DATABASES = ("postgresql", "sqlite", "duckdb")
# Other names of databases, and those that are not read.
_SPELLED = {"postgres": "postgresql", "sqlite3": "sqlite", "postgresql+psycopg": "postgresql"}
_OTHER_DATABASES = ("mysql", "mariadb", "mssql", "oracle", "snowflake", "bigquery", "redshift", "mongodb", "clickhouse")
_SECRETS = re.compile(
    r"(?i)^(.*password|passwd|pwd|.*secret.*|.*token|sig|.*signature|.*credential|api_?key|access_?key.*|key)$"
)
_IN_URL = "would be stored in the run and its bundle"
EXCEL = (".xlsx", ".xlsm")
PARQUET = (".parquet", ".pq")


def scheme_of(source: str) -> str | None:
    """The scheme of an address, such as `https` or `postgresql`; None of a path."""
    found = _SCHEME.match(source)
    return found[1].lower() if found else None


def is_database(source: object) -> bool:
    """Whether it is the address of a database that the kit reads."""
    return isinstance(source, str) and scheme_of(source) in DATABASES


def secret_in(source: str) -> str | None:
    """What an address holds that must not be stored: a password or a key in its query; None of all others."""
    scheme = scheme_of(source)
    if scheme is None:  # libpq's other way to write an address
        return "a password" if re.search(r"(?i)\bpassword\s*=\s*\S", source) else None
    # A password may hold what else ends the host's part, so of a database everything up to the @ counts.
    before = (
        r"[^@]*:[^@]*@" if scheme.split("+")[0] in (*DATABASES, *_SPELLED, *_OTHER_DATABASES) else r"[^/@]*:[^/@]*@"
    )
    if re.match(before, source[len(scheme) + 3 :]):
        return "a password"
    try:
        names = [name for name, _ in parse_qsl(urlsplit(source).query, keep_blank_values=True)]
    except ValueError:  # no address at all, which its reader says
        return None
    return next((f"the key `{name}`" for name in names if _SECRETS.match(name)), None)


def why_secret(source: str, found: str) -> str:
    """What is said of an address with a secret, without it."""
    where = "Set PGPASSWORD or write a line into ~/.pgpass, and leave it out of the address"
    other = "Leave it out; the library of the place reads its own environment variables, or fetch the file yourself"
    cure = where if (scheme_of(source) or "").startswith("postgres") else other
    return f"the address holds {found}, which {_IN_URL}. {cure}"


def _sources(recipe: Written) -> Sequence[tuple[str, str]]:
    """Every place that the recipe names, with its key."""
    found = []
    for key in ("source", "val_source", "test_source"):
        value = recipe.data.get(key)
        if isinstance(value, list):
            found += [(f"data.{key}.{number}", each) for number, each in enumerate(value) if isinstance(each, str)]
        elif isinstance(value, str):
            found.append((f"data.{key}", value))
    return found


def a_source_holds_no_secret(recipe: Written) -> Iterator[Problem]:
    for key, source in _sources(recipe):
        if found := secret_in(source):
            yield Problem(key, why_secret(source, found), "password_in_source")


def a_database_is_one_that_is_read(recipe: Written) -> Iterator[Problem]:
    for key, source in _sources(recipe):
        scheme = scheme_of(source) or ""
        first = scheme.split("+")[0]
        if scheme in DATABASES or (scheme not in _SPELLED and first not in (*_OTHER_DATABASES, *DATABASES, *_SPELLED)):
            continue
        instead = _SPELLED.get(scheme) or _SPELLED.get(first) or (first if first in DATABASES else None)
        cure = f"Write {instead}://" if instead else "Read it by pandas.read_sql and hand over the frame"
        said = f"a database is one of {', '.join(f'{name}://' for name in DATABASES)}. Received: {scheme}://. {cure}"
        yield Problem(key, said, "unknown_database")


def a_database_has_a_table_or_a_query(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    source, query, table = data.get("source"), data.get("query"), data.get("table")
    if is_database(source):
        if query is None and table is None:
            said = "a database needs the rows that are read. Add `table: <name>` or `query: SELECT ...`"
            yield Problem("data.source", said, "missing_key")
        if query is not None and table is not None:
            said = "`table` and `query` both say what is read. Leave one of them out"
            yield Problem("data.query", said, "conflicting_keys")
        ordered = isinstance(query, str) and re.search(r"(?i)\border\s+by\b", query)
        if (query or table) and not data.get("time") and not ordered:
            said = (
                "rows of a database have no order by themselves. Name `time`, or give a query with ORDER BY, so that the same "
                "rows are read in the same order again"
            )
            yield Problem("data.query" if query else "data.table", said, "missing_key")
        return
    for key in ("query", "table"):
        if data.get(key) is not None:
            shown = "no source" if source is None else "a source that is none"
            said = f"`{key}` is about a database: postgresql://, sqlite:/// or duckdb:///. Received: {shown}"
            yield Problem(f"data.{key}", said, "conflicting_keys")
    if isinstance(source, list) and any(is_database(each) for each in source):
        said = "a list names files. Give a database alone; a query may join its tables"
        yield Problem("data.source", said, "conflicting_keys")


def a_sheet_is_of_an_excel_file(recipe: Written) -> Iterator[Problem]:
    named = [source for key, source in _sources(recipe) if key.startswith("data.source")]
    if recipe.data.get("sheet") is not None and not any(_ends(source, EXCEL) for source in named):
        said = f"`sheet` is one of an Excel file ({', '.join(EXCEL)}). Leave it out"
        yield Problem("data.sheet", said, "conflicting_keys")


SOURCE_RULES: tuple[Rule, ...] = (
    a_source_holds_no_secret,
    a_database_is_one_that_is_read,
    a_database_has_a_table_or_a_query,
    a_sheet_is_of_an_excel_file,
)


def has_row_groups(source: object) -> bool:
    """Whether rows can be read from it piece by piece: Parquet files, and databases."""
    if isinstance(source, list):
        return all(isinstance(each, str) and _ends(each, PARQUET) for each in source)
    return not isinstance(source, str) or is_database(source) or _ends(source, PARQUET)


def _ends(source: str, endings: Sequence[str]) -> bool:
    path = source.partition("?")[0] if scheme_of(source) in ("http", "https") else source
    return path.lower().endswith(tuple(endings))
