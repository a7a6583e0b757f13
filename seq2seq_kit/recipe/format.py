"""How a file of text is written, `data.format`; by default as programs do: commas, decimal points, UTF-8, names in line 1."""

import codecs
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from seq2seq_kit.recipe.section import Section

BLANKS = " \u00a0\u202f\u2009"  # as thousands separators they are one: blank, no-break, narrow no-break and thin space
APOSTROPHES = "'\u2019"
_DELIMITERS = {"tab": "\t", "whitespace": r"\s+"}  # what is hard to see has a word
_LARGEST = 2**31 - 1


def _is_a_delimiter(text: str) -> str:
    if len(text) != 1 and text not in _DELIMITERS:
        raise ValueError(f"must be one character, tab or whitespace. Received: {text!r}")
    return text


def _is_an_encoding(name: str) -> str:
    try:
        "".encode(name)
        if codecs.lookup(name).name in ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"):
            raise LookupError
    except (LookupError, ValueError, UnicodeError):
        said = f"is no encoding that Python knows, such as utf-8, utf-16, cp1252. Received: {name!r}"
        raise ValueError(said) from None
    return name


def _separates_thousands(text: str) -> str:
    if text not in (*",._", *BLANKS, *APOSTROPHES):
        raise ValueError(f"must be one of , . ' _ or a blank. Received: {text!r}")
    return text


Word = Annotated[str, Field(max_length=100)]
Symbol = Annotated[str, Field(min_length=1, max_length=20, pattern=r"[^\d\s]")]


class Format(Section):
    """How the cells of a CSV file are separated and written; Parquet files and frames need only what is said of cells."""

    delimiter: Annotated[str, AfterValidator(_is_a_delimiter)] | None = Field(
        None,
        description="Character between cells, or tab, or whitespace (any run of it); default: tab for .tsv, else a comma.",
    )
    decimal: Literal[".", ","] = Field(".", description="Sign between the whole of a number and its fraction.")
    thousands: Annotated[str, AfterValidator(_separates_thousands)] | None = Field(
        None, description="Sign between groups of digits: , . ' _ or a blank, of any kind; default: none."
    )
    quote: Annotated[str, Field(max_length=1)] | None = Field(
        None,
        description="Sign around a cell that holds the delimiter; '' for none; default: \", and none between tabs.",
    )
    skip_initial_space: bool = Field(
        False,
        description='A blank after the delimiter belongs to no cell, as in 1, "a", 2; csv calls it skipinitialspace.',
    )
    encoding: Annotated[str, Field(max_length=50), AfterValidator(_is_an_encoding)] = Field(
        "utf-8", description="utf-8 (with and without a byte order mark), utf-16, cp1252, or another that Python knows."
    )
    header_row: Annotated[int, Field(ge=0, le=_LARGEST)] = Field(
        1, description="Line of the names, counted from 1; 0: there is none, and columns are column_1, column_2, ..."
    )
    first_row: Annotated[int, Field(ge=1, le=_LARGEST)] | None = Field(
        None,
        description="Line of the first row, where one of units or the like is before it; default: after the names.",
    )
    footer_rows: Annotated[int, Field(ge=0, le=_LARGEST)] = Field(
        0, description="Rows after the data, such as totals; blank lines do not count."
    )
    comment: Annotated[str, Field(min_length=1, max_length=10)] | None = Field(
        None, description="What a line that is not read begins with, such as #."
    )
    missing_words: Annotated[list[Word | int | float], Field(max_length=1_000)] = Field(
        default_factory=list, description="What stands for a missing value beside an empty cell, NA, N/A, NaN and null."
    )
    zero_words: Annotated[list[Word], Field(max_length=1_000)] = Field(
        default_factory=list,
        description="What stands for 0 in a column of numbers, such as the $ - of Excel's accounting.",
    )
    strip: Annotated[list[Symbol], Field(max_length=100)] = Field(
        default_factory=list,
        description="Signs before or after a number that are taken off it, such as €, % and kWh; 12 % is 12.",
    )
    negatives: Literal["minus", "parentheses", "trailing_minus"] = Field(
        "minus", description="How a number below 0 may be written beside -5: parentheses (5), trailing_minus 5-."
    )
    booleans: bool = Field(False, description="true, yes, on and the like are read as 1, false, no, off as 0.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(f"`decimal` and `thousands` are the same sign. Received: {self.decimal!r}")
        if self.first_row is not None and self.first_row <= self.header_row:
            raise ValueError(f"`first_row` is a line after `header_row`, {self.header_row}. Received: {self.first_row}")
        if self.quote and self.quote == self.separator(""):
            raise ValueError(f"`quote` and `delimiter` are the same sign. Received: {self.quote!r}")
        if both := {str(word).strip() for word in self.missing_words} & {word.strip() for word in self.zero_words}:
            raise ValueError(f"`missing_words` and `zero_words` share a word. Received: {min(both)!r} in both")
        return self

    @model_serializer(mode="wrap")
    def _what_is_given(self, written_out: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields, values = type(self).model_fields, written_out(self)
        return {
            key: value
            for key, value in values.items()
            if getattr(self, key) != fields[key].get_default(call_default_factory=True)
        }

    def separator(self, path: str) -> str:
        """What is between the cells of a file, as pandas takes it."""
        if self.delimiter is None:
            return "\t" if {".tsv", ".tab"} & {f".{part}" for part in path.lower().split(".")[-2:]} else ","
        return _DELIMITERS.get(self.delimiter, self.delimiter)

    @property
    def given(self) -> dict[str, object]:
        """What differs from the defaults, by key."""
        return self.model_dump()

    @property
    def plain_numbers(self) -> bool:
        """Whether nothing is said of how numbers are written."""
        return (
            not {"decimal", "thousands", "missing_words", "zero_words", "strip", "negatives", "booleans"}
            & self.given.keys()
        )
