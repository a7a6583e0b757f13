"""Stores are what these tests are about: each is made by MLflow."""

from collections.abc import Iterator

import pytest

from seq2seq_kit.tracking import making, store


@pytest.fixture(scope="module", autouse=True)
def made_stores() -> Iterator[None]:
    """No copies, see `copied_stores`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "make_store", making.make_store)
        yield
