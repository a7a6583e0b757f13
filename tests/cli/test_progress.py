"""Tables of the command line: numbers stay whole, however narrow the terminal is."""

import io
import re

import pytest
from rich.console import Console

from seq2seq_kit.cli.progress import print_table

HEADER = ["", "MAE", "RMSE", "MASE", "R2", "scaled RMSE", "in 80 %", "in 95 %", "WQL", "CRPS", "skill against it"]
ROWS = [
    ["model", "84.83", "167.2", "0.6144", "0.959", "0.7955", "0.8305", "0.9666", "0.1042", "61.66", ""],
    [
        "seasonal naive (week)",
        "159.1",
        "336.3",
        "1.104",
        "0.8207",
        "1.579",
        "0.7885",
        "0.9453",
        "0.2168",
        "121.1",
        "+0.408",
    ],
]


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(console, HEADER, ROWS, title="12 test windows")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_number_is_folded(width: int) -> None:
    text = printed(width)
    words = re.split(r"[\s\u2500-\u257f]+", text)
    assert {cell for row in ROWS for cell in row[1:] if cell} <= set(words)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("12 test windows") == 1


def test_a_wide_terminal_has_one_table() -> None:
    assert printed(200).count("\u250f") == 1
    assert printed(60).count("\u250f") > 1
