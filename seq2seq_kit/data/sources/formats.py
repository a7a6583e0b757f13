"""Files with types of their own beside Parquet: Feather (Arrow IPC) and Excel."""

import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.packages import require_package
from seq2seq_kit.data.sources.parquet import with_named_index
from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.dialect_words import is_unit
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

FEATHER = (".feather", ".arrow", ".ipc")
_MOSTLY = 0.5
_STREAM = b"\xff\xff\xff\xff"  # an Arrow stream begins so, a file by ARROW1


def read_feather(path: Path) -> pd.DataFrame:
    """The rows of a Feather file, or of an Arrow file or stream.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow as pa  # at the top it would slow down every command
    from pyarrow import feather

    try:
        with path.open("rb") as file:
            stream = file.read(len(_STREAM)) == _STREAM
        if stream:
            with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
                table = reader.read_all()
        else:
            table = feather.read_table(path)
        refuse_duplicates(table.column_names, str(path))
        return with_named_index(table.to_pandas(date_as_object=False))
    except DataError:
        raise
    except Exception as error:  # pyarrow's errors share no base below Exception
        raise DataError(f"{path} is not a readable Feather or Arrow file: {error}", code="unreadable_file") from None


def read_excel(path: Path, *, sheet: str | None, texts: Sequence[str], form: Format | None = None) -> pd.DataFrame:
    """The rows of a sheet; its first line names the columns, or the one that `form` says.

    Args:
        path: An Excel file.
        sheet: Name of the sheet; None: the only one that is not empty.
        texts: Columns whose cells are taken as texts.
        form: The recipe's `data.format`, of which `header_row`, `first_row` and `footer_rows` count.

    Raises:
        DataError: The file cannot be read, there is no such sheet, or several that may be meant; a column is named twice.
    """
    require_package("openpyxl", "excel", f"{path} is an Excel file")
    import openpyxl

    above = max(0, (form.header_row if form else 1) - 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which hold no rows
            with path.open("rb") as file:  # closed although sheets are left half read
                book = openpyxl.load_workbook(file, read_only=True, data_only=True)
                filled = [each.title for each in book.worksheets if any(True for _ in each.iter_rows(max_row=2))]
                chosen = _sheet(path, sheet, [each.title for each in book.worksheets], filled)
                rows = book[chosen].iter_rows(values_only=True)
                header = next((row for row in islice(rows, above, None)), ())
            if form is not None and not form.header_row:
                header = tuple(range(len(header)))
            refuse_duplicates((str(name) for name in header if name is not None), f"{path}, sheet {chosen}")
            written: dict[int | str, Callable[[object], object]] = {
                name: _as_written for name in texts if name in header
            }
            frame = pd.read_excel(
                path,
                sheet_name=chosen,
                engine="openpyxl",
                converters=written,
                header=above if form is None or form.header_row else None,
                skiprows=range(form.header_row, form.first_row - 1) if form and form.first_row else None,
                skipfooter=form.footer_rows if form else 0,
            )
    except DataError:
        raise
    except Exception as error:  # a damaged archive, XML of other programs: each has errors of its own
        raise DataError(
            f"{path} is not a readable Excel file: {error or type(error).__name__}. Save it anew as .xlsx, or as CSV",
            code="unreadable_file",
        ) from None
    if not len(header):
        raise DataError(f"{path}, sheet {chosen} is empty; expected a line of names and rows", code="empty_table")
    return frame


def excel_format(path: Path, sheet: str | None) -> dict[str, int]:
    """`header_row`, `first_row` and `footer_rows` of a sheet with notes around its table or units below the names, else nothing.

    Raises:
        DataError: As `read_excel`.
    """
    frame = read_excel(path, sheet=sheet, texts=(), form=Format(header_row=0))
    filled = frame.notna().sum(axis=1).to_numpy()
    width = int(filled.max()) if len(filled) else 0
    whole = [row for row, count in enumerate(filled) if count == width and width > 1]
    if not whole:
        return {}
    dated = frame.map(lambda cell: isinstance(cell, datetime)).to_numpy()
    of_times = dated[:, dated.sum(axis=0).argmax()]
    # The last row has a time where most have one, else as many cells as half a row.
    rows = np.flatnonzero(of_times if of_times.mean() > _MOSTLY else filled > max(1, width // 2))
    first, last = whole[0], int(rows[-1])
    named = all(isinstance(cell, str) for cell in frame.iloc[first].dropna())
    found = {"header_row": first + 1} if named and first else {}
    below = list(frame.iloc[first + 1].dropna()) if named and first + 1 < last else []
    if below and all(isinstance(cell, str) and is_unit(cell) for cell in below):
        found["first_row"] = first + 3
    return found | ({"footer_rows": len(frame) - 1 - last} if last < len(frame) - 1 else {})


def _as_written(cell: object) -> object:
    return str(cell) if cell is not None and cell != "" else None


def _sheet(path: Path, asked: str | None, names: Sequence[str], filled: Sequence[str]) -> str:
    if asked is not None:
        if asked in names:
            return asked
        said = f"{path} has no sheet {asked}. It has {', '.join(names)}; correct data.sheet"
        raise DataError(said, code="missing_sheet")
    if len(filled) > 1:
        said = f"{path} has several sheets with rows: {', '.join(filled)}. Name one in data.sheet"
        raise DataError(said, code="missing_sheet")
    return (filled or names)[0]
