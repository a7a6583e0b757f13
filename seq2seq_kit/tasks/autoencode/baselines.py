"""Baselines of an autoencoder of windows: the training mean and PCA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.baselines import Baseline
from seq2seq_kit.evaluation.ridge import fit_windows, spectrum
from seq2seq_kit.evaluation.stored import require_shapes


@dataclass(frozen=True)
class TrainingMean:
    """Returns the centre of each column in the training rows."""

    name: str = "training mean"
    about: str = "returns the centre of each column in the training rows"

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        center = prepared.target_center[prepared.series_of(part, windows)]
        return np.repeat(center[:, None, :], prepared.windows[part].shape.output_steps, axis=1)


@dataclass(frozen=True)
class WindowPca:
    """The best linear autoencoder of whole windows."""

    name: str
    about: str
    mean: np.ndarray
    basis: np.ndarray

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        shape = (len(windows), prepared.windows[part].shape.output_steps, len(prepared.layout.targets))
        width = shape[1] * shape[2]
        require_shapes(self.name, mean=(self.mean, (width,)), basis=(self.basis, (width, *self.basis.shape[1:])))
        flat = _flat(prepared, part, windows) - self.mean
        return prepared.restore((flat @ self.basis @ self.basis.T + self.mean).reshape(shape), part, windows)


# By the name that a bundle stores.
BASELINES: dict[str, Callable[..., Baseline]] = {"TrainingMean": TrainingMean, "WindowPca": WindowPca}


def fit_autoencode_baselines(prepared: Prepared, *, latent_dim: int | None) -> list[Baseline]:
    """The training mean, and PCA of whole windows with the autoencoder's own latent width, where it is known."""
    if latent_dim is None:
        return [TrainingMean()]
    width = prepared.windows["train"].shape.output_steps * len(prepared.layout.targets)
    rows = _flat(prepared, "train", fit_windows(prepared, width))
    mean = rows.mean(axis=0)
    _, basis = spectrum(rows - mean)
    kept = basis[:, -min(latent_dim, basis.shape[1]) :]
    about = f"linear autoencoder of whole windows with a latent vector of {kept.shape[1]}"
    return [TrainingMean(), WindowPca(f"PCA ({kept.shape[1]})", about, mean, kept)]


def _flat(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """The target columns of whole windows, missing cells at their centre, shape `(windows, steps * targets)`."""
    return np.nan_to_num(prepared.scaled_targets(part, windows)).reshape(len(windows), -1).astype(np.float64)
