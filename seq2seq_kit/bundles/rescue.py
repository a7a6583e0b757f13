"""A trained model is kept, whatever fails after its fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import BundleError, KitError
from seq2seq_kit.processes import shared_folder


@contextmanager
def rescue(bundle: Bundle, say: Callable[[str], None]) -> Iterator[None]:
    """If anything fails inside, the trained model is saved to the first folder that can be written."""
    try:
        yield
    except BaseException as error:
        where = _put_aside(bundle)
        if isinstance(error, KitError | OSError):
            raise BundleError(f"{error}\n{where}", code="run_not_logged") from error
        say(where)
        raise


def _put_aside(bundle: Bundle) -> str:
    for parent in (Path.cwd(), shared_folder()):
        try:
            saved = bundle.save(parent / f"bundle-{bundle.info['run_id'][:8]}")
        except BundleError:
            continue
        return f"The trained model is not lost: it was saved to {saved}; use `seq2seq-kit {bundle.verbs[0]} {saved}`"
    return "The trained model could not be saved anywhere else either"
