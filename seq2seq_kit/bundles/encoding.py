"""Bundles whose model has a latent vector: a map of the latent space, and who is near whom."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.evaluation.latent import MapMethod
from seq2seq_kit.exports.session import ENCODER
from seq2seq_kit.recipe.fields import Recipe


class Drawn(Protocol):
    """What `latent_map` gives: `frame` with `x`, `y` and `reconstruction_error`, and a page of it."""

    @property
    def frame(self) -> pd.DataFrame: ...

    def save(self, out: str | Path, *, title: str = ...) -> Path: ...


class EncodingBundle(Bundle):
    """A bundle that encodes windows or sequences."""

    @classmethod
    def exported_parts(cls, recipe: Recipe) -> tuple[str, ...]:
        return (ENCODER,)

    @abstractmethod
    def latent_map(
        self,
        frame: pd.DataFrame,
        *,
        method: MapMethod = "pca",
        stride: int | None = None,
        origin: str = "the data",
    ) -> Drawn:
        """The windows or sequences of new rows on a map of the latent space."""

    @abstractmethod
    def neighbours(
        self,
        frame: pd.DataFrame,
        *,
        at: str | int | pd.Timestamp | None = None,
        series: str | Sequence[str] | None = None,
        k: int = 5,
        overlapping: bool = False,
        stride: int | None = None,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """The windows or sequences whose latent vectors are most like that of a given one, the nearest first."""
