"""Files at addresses (`https://`, `s3://`, ...), fetched by fsspec to this machine for as long as they are read.

Only the schemes below are opened, and only what a source names: no chains (`zip://...::...`), no options, no keys. Whoever has to
say who he is does it as the library of the place expects, by its environment variables or files.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from seq2seq_kit.data.sources.files import Place, is_file, partitions_of, places_of
from seq2seq_kit.data.sources.packages import require_package
from seq2seq_kit.errors import DataError, without_secrets
from seq2seq_kit.recipe.source_rules import is_database, scheme_of

SCHEMES = ("https", "http", "s3", "gs", "gcs", "az", "abfs", "abfss", "adl", "sftp", "ftp", "memory", "file")
_WEB = ("https", "http")


@contextmanager
def local_files(sources: Sequence[str], endings: Sequence[str]) -> Iterator[list[Place]]:
    """The files that paths and addresses stand for, each at a path of this machine while the context lasts.

    Messages of errors inside name the address instead of where its file was put.

    Args:
        sources: Paths, globs, folders, addresses, in the order of their rows.
        endings: Of the files that are taken from a folder.

    Raises:
        DataError: A file is not found or cannot be fetched; a scheme that is not opened.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        places: list[Place] = []
        for source in sources:
            # A file may be called so.
            remote = scheme_of(source) is not None and not is_file(Path(source))
            places += _fetched(source, Path(folder), endings, len(places)) if remote else places_of(source, endings)
        try:
            yield places
        except DataError as error:
            said = str(error)
            for place in places:
                said = said.replace(place.path, place.shown)
            raise DataError(said, code=error.code) from None


def _fetched(address: str, folder: Path, endings: Sequence[str], number: int) -> list[Place]:
    scheme = scheme_of(address) or ""
    if is_database(address):
        said = f"a database is read alone, not in a list of files. Received: {address}"
        raise DataError(said, code="unknown_scheme")
    if scheme not in SCHEMES or "::" in address:
        raise DataError(
            f"an address must begin with one of {', '.join(f'{name}://' for name in SCHEMES)}, or be that of a database. "
            f"Received: {address}. Fetch the file yourself and name its path",
            code="unknown_scheme",
        )
    require_package("fsspec", "fsspec", f"{address} is an address")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
        if scheme in _WEB:
            found = [path]
        elif "*" in path or "?" in path:
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(name for name in system.find(path) if _is_data(name, path, endings))
        else:
            found = [path]
        if not found:
            raise FileNotFoundError(address)
        places: list[Place] = []
        for name in found:
            # A folder each, so that two files may have the same name, which says how they are read.
            local = folder / str(number + len(places)) / _name_of(name, web=scheme in _WEB)
            local.parent.mkdir()
            system.get_file(name, str(local))
            shown = address if len(found) == 1 else f"{scheme}://{name.lstrip('/')}"
            places.append(Place(str(local), partitions_of(name), shown))
        return places
    except ImportError as error:
        said = f"{scheme}:// needs a package that is not installed: {error}. Install it, or fetch the file and name its path"
        raise DataError(said, code="missing_package") from None
    except FileNotFoundError:
        raise DataError(f"there is nothing to read at {address}; correct the address", code="file_not_found") from None
    except Exception as error:  # each place has errors of its own: aiohttp's, botocore's, paramiko's
        said = without_secrets(f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0])
        raise DataError(
            f"{address} cannot be fetched: {said}. Look whether the address is right, the network is there and the environment "
            "says who you are, or fetch the file yourself and name its path",
            code="address_not_read",
        ) from None


def _is_data(name: str, root: str, endings: Sequence[str]) -> bool:
    inner = PurePosixPath(name.removeprefix(root)).parts
    return name.lower().endswith(tuple(endings)) and not any(part.startswith((".", "_")) for part in inner)


def _name_of(path: str, *, web: bool) -> str:
    """The last part of a path, which tells how the file is read; of an address without what stands behind `?`."""
    return PurePosixPath(urlsplit(path).path if web else path).name or "rows"
