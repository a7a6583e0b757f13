"""Verbs that only some bundles have and that have no place in the base: of another one they are refused as all verbs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

_VERBS = ("latent_map", "neighbours")  # of `EncodingBundle`


class SaysWhatItCannot:
    """A bundle that says of these verbs that it does not have them."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            absent = AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise self._cannot(name) if name in _VERBS else absent
