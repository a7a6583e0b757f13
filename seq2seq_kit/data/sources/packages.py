"""Packages that only some sources need: said by name where one is missing."""

from importlib.util import find_spec

from seq2seq_kit.errors import DataError


def require_package(package: str, extra: str, because: str) -> None:
    """Refuses a source whose reader is not installed.

    Raises:
        DataError: The message names the extra that brings it.
    """
    if find_spec(package) is None:
        raise DataError(
            f"{because}, which the package {package} reads; it is not installed. Install it: pip install 'seq2seq-kit[{extra}]' "
            f"(or pip install {package})",
            code="missing_package",
        )
