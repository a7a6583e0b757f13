"""What a run needs to know of its task: a recipe together with its data, from the checks to the figures.

`runs.py` goes through the same stages for every task; what differs stands in one class for each kind of recipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pandas as pd

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.data import read_source
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.evaluation import Board
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.training.fit import Examples, Fit, Observer

if TYPE_CHECKING:
    import keras


_HASHED_ROWS = 2**20  # a row group as most programs write it


class Job(Protocol):
    """A recipe with its data.

    Attributes:
        unit: What is counted: `windows`, `sequences`.
    """

    unit: ClassVar[str]

    @property
    def recipe(self) -> Recipe: ...

    @property
    def source(self) -> pd.DataFrame | FrameOnDisk:
        """The frame that the examples were made of."""

    @property
    def examples(self) -> Examples:
        """What the model is fitted on."""

    @property
    def columns(self) -> list[str]:
        """Columns of `source` that the recipe uses."""

    @property
    def series(self) -> list[str]:
        """Names of the series; `[""]` for a single one."""

    def check(self) -> list[Finding]:
        """What stands out in the data."""

    def build(self) -> keras.Model:
        """The recipe's model for this data."""

    def folds(self, count: int) -> Sequence[Job]:
        """Jobs on the same source whose train and val are time-ordered folds, test empty; see `data.splits.expanding_folds`.

        Raises:
            RecipeError: The task has no folds.
            DataError: The rows are too few for so many.
        """

    def joined(self) -> Job:
        """The job of a last training when nothing is left to choose: train holds the val rows, too.

        All that is fitted on train (scaler, vocabularies, baselines) is fitted on both; val and test stay to be looked at, but
        figures of val are then those of rows that were trained on.

        Raises:
            RecipeError: The task has but one part.
        """

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        """Fits the model; with `stop_after` exactly so many epochs, see `training.fit`."""

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> Bundle:
        """The model as it goes to disk; `peers`: with its baselines fitted."""

    def report(self, bundle: Any, part: str) -> Board:
        """The figures of a part."""

    def examine(self, fitted: Fit, val: Any, test: Any) -> list[Finding]:
        """What stands out in the result."""

    def draw(self, bundle: Any, fitted: Fit, test: Any, folder: Path) -> None:
        """Writes the figures of the run."""

    def served(self, bundle: Any) -> Mapping[str, tuple[Any, Any]]:
        """Examples with their answers for MLflow, see `RunRecord.models`."""


class FoldedJob(Job, Protocol):
    """A job that has folds."""

    def seen_by(self, bundle: Any) -> Job:
        """The job with its rows scaled as a bundle has them that was trained on others, such as a fold."""


def digest_of(frame: pd.DataFrame | FrameOnDisk, columns: Sequence[str]) -> str:
    """Digest of the cells of some columns; MLflow takes up to 36 characters."""
    digest = hashlib.sha256()
    # Each row has a hash of its own, so the digest is that of all rows at once.
    for first in range(0, len(frame), _HASHED_ROWS):
        piece = frame.iloc[first : first + _HASHED_ROWS][list(columns)]
        digest.update(pd.util.hash_pandas_object(piece, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


def no_folds(recipe: Recipe, why: str) -> RecipeError:
    """For a task without folds."""
    return RecipeError(
        f"sweep.folds: folds are blocks of time that a forecast or an autoencoder of windows is validated on. Received: task "
        f"{recipe.task}, {why}. Leave out sweep.folds; each trial is then judged on the validation part"
    )


def no_epoch(fitted: Fit) -> list[Finding]:
    """The finding on a fit that was cut short before its first epoch had ended."""
    if fitted.best_epoch:
        return []
    text = (
        "interrupted before the first epoch had ended: the weights are hardly trained and no validation has chosen them"
    )
    return [Finding("no_epoch_finished", "warning", text, "Do not use this model; train again")]


def source_of(recipe: Any) -> str:
    """The recipe's own data source.

    Raises:
        RecipeError: It names none.
    """
    if recipe.data.source is None:
        raise RecipeError("the recipe names no data.source. Add one, or hand over a DataFrame as `data`")
    return str(recipe.data.source)


def rows_of(recipe: Any, data: pd.DataFrame | None, *, texts: Sequence[str] = ()) -> tuple[pd.DataFrame, str]:
    """The rows that a recipe is about, and their name for messages: `data` if given, else its source.

    `texts` are columns that are taken as they are written, see `read_source`.
    """
    if data is not None:
        return data, "the DataFrame"
    origin = source_of(recipe)
    return read_source(origin, texts=texts), origin
