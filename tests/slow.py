"""Which tests are slow or long because they were measured so: the lists `tests/slow.txt` and `tests/long.txt`.

`pytest -m "not slow" --add-slow SECONDS` adds to the first one. Seconds of a processor are counted, which say less of the
machine's other work than those of a clock. A test that is slow for what it does (it trains, starts processes, servers or a
browser) says so itself.

A long test is a slow one whose subject quicker tests have, wholly or in parts: a second case of its kind, or one more way to
the same end. `pytest` leaves those out and `pytest -m ""` takes them; what is asked for by name runs, long or not.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LISTED, LONG = Path(__file__).with_name("slow.txt"), Path(__file__).with_name("long.txt")
_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that measures."""
    parser.addoption(
        "--add-slow", type=float, metavar="SECONDS", help="add tests that take more of a processor to tests/slow.txt"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what is listed; a name that no test has any more is refused, so that the lists cannot rot."""
    by_name = any("::" in each for each in config.args)  # some tests of a file
    for file in (LISTED, LONG):
        listed = set(file.read_text(encoding="utf-8").splitlines())
        for item in items:
            if item.nodeid in listed:
                item.add_marker(pytest.mark.slow)
                if file == LONG and not by_name:
                    item.add_marker(pytest.mark.long)
        if not by_name:
            _require(listed, file, config.args, items)


def _require(listed: set[str], file: Path, args: list[str], items: list[pytest.Item]) -> None:
    """Of the files that are collected all that is listed is there."""
    collected, files = {item.nodeid for item in items}, {item.nodeid.split("::")[0] for item in items}
    whole = {Path(each).resolve() for each in args} & {file.parent, file.parent.parent}
    gone = sorted(each for each in listed - collected if whole or each.split("::")[0] in files)
    if gone:
        raise pytest.UsageError(
            f"{file} lists {len(gone)} tests that are not there, such as {gone[0]}: remove the lines"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes when a test began."""
    item.stash[_BEGAN] = time.process_time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Says with the report of its end what a test took, which is how it gets to the process that writes the list."""
    if call.when == "teardown" and _BEGAN in item.stash:
        item.user_properties.append(("processor", time.process_time() - item.stash[_BEGAN]))
    return (yield)


class Adding:
    """Adds what takes longer to the list when all tests have run."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of each test, in the process that hears of all."""
        taken = [each for name, each in report.user_properties if name == "processor" and isinstance(each, float)]
        if report.when == "teardown" and sum(taken) > self._seconds:
            self._found.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Writes the list, sorted."""
        listed = set(LISTED.read_text(encoding="utf-8").splitlines())
        LISTED.write_text("".join(f"{each}\n" for each in sorted(listed | self._found)), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Measures in the process that hears of all tests, not in those that run them."""
    seconds = config.getoption("--add-slow")
    if seconds is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Adding(seconds))
