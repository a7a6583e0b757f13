"""Where the rows of a recipe come from and how they are written there; rules in source_rules.py."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from seq2seq_kit.recipe.format import Format
from seq2seq_kit.recipe.section import Name, Section


class Sourced(Section):
    """A place that rows are read from."""

    source: Name | Annotated[list[Name], Field(min_length=1, max_length=100_000)] | None = Field(
        None,
        description="A named data set (see `seq2seq-kit list`), a file (CSV, Parquet, Feather, Excel), a list of files, a glob "
        "such as 'sales/*.csv', a folder, an address such as https://host/rows.csv, or a database: postgresql://user@host/name, "
        "sqlite:///file.db, duckdb:///file.db.",
    )
    query: Annotated[str, Field(min_length=1, max_length=100_000)] | None = Field(
        None, description="SELECT whose rows are read from the database that `source` names; or give `table`."
    )
    table: Name | None = Field(None, description="Table of the database that `source` names; or give `query`.")
    sheet: Name | None = Field(None, description="Sheet of an Excel file that has several.")
    format: Format = Field(default_factory=Format, description="How a CSV file is written, where not as programs do.")


def in_words(source: str | Sequence[str] | None) -> str | None:
    """A source for messages and records: its first file where it has many."""
    if source is None or isinstance(source, str):
        return source
    more = len(source) - 1
    return f"{source[0]} and {more} more file{'s' if more > 1 else ''}" if more else source[0]
