"""Baselines of an autoencoder of windows: the training mean and PCA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.baselines import Baseline
from seq2seq_kit.evaluation.ridge import fit_windows, spectrum
from seq2seq_kit.evaluation.stored import require_shapes

_PASSES = 30  # of a projection, until cells that are missing agree with those that are there


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
    """The best linear autoencoder of whole windows, and the best linear map from its codes to the steps around them.

    Attributes:
        mean: Of a window, shape `(cells,)`.
        basis: Shape `(cells, codes)`.
        around: From codes and a 1 to the steps around a window, shape `(codes + 1, cells)`; without cells where there are none.
    """

    name: str
    about: str
    mean: np.ndarray
    basis: np.ndarray
    around: np.ndarray = field(default_factory=lambda: np.zeros((1, 0)))  # bundles of before have none

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        shape, targets = prepared.windows[part].shape, len(prepared.layout.targets)
        width, count = shape.input_steps * targets, self.basis.shape[-1]
        require_shapes(self.name, mean=(self.mean, (width,)), basis=(self.basis, (width, count)))
        codes = self._codes(prepared, part, windows)
        found = np.empty((len(windows), shape.output_steps, targets))
        found[:, shape.inside] = (codes @ self.basis.T + self.mean).reshape(len(windows), -1, targets)
        if shape.beyond:
            require_shapes(self.name, around=(self.around, (count + 1, len(shape.beyond) * targets)))
            found[:, shape.beyond] = (_with_one(codes) @ self.around).reshape(len(windows), -1, targets)
        return prepared.restore(found, part, windows)

    def _codes(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """Coordinates of windows; a cell that the matrix lacks is what the others say of it."""
        cells = _flat(prepared, part, windows)
        codes = (cells - self.mean) @ self.basis
        past = prepared.arrays(part, windows)[0]
        if prepared.columns.masked or not np.isnan(past).any():  # masked cells stand at their centre, as in the fit
            return np.asarray(codes)
        absent = np.isnan(past[..., prepared.layout.targets]).reshape(cells.shape)
        for _ in range(_PASSES):
            cells = np.where(absent, codes @ self.basis.T + self.mean, cells)
            codes = (cells - self.mean) @ self.basis
        return np.asarray(codes)


# By the name that a bundle stores.
BASELINES: dict[str, Callable[..., Baseline]] = {"TrainingMean": TrainingMean, "WindowPca": WindowPca}


def fit_autoencode_baselines(prepared: Prepared, *, latent_dim: int | None) -> list[Baseline]:
    """The training mean, and PCA of whole windows with the autoencoder's own latent width, where it is known."""
    if latent_dim is None:
        return [TrainingMean()]
    shape = prepared.windows["train"].shape
    windows = fit_windows(prepared, shape.output_steps * len(prepared.layout.targets))
    rows = _flat(prepared, "train", windows)
    mean = rows.mean(axis=0)
    _, basis = spectrum(rows - mean)
    kept = basis[:, -min(latent_dim, basis.shape[1]) :]
    about = f"linear autoencoder of whole windows with a latent vector of {kept.shape[1]}"
    peer = WindowPca(f"PCA ({kept.shape[1]})", about, mean, kept)
    if shape.beyond:
        beyond = np.nan_to_num(prepared.scaled_targets("train", windows)[:, shape.beyond])
        codes = _with_one((rows - mean) @ kept)
        around = np.linalg.lstsq(codes, beyond.reshape(len(rows), -1).astype(np.float64), rcond=None)[0]
        peer = replace(peer, about=f"{about}, from which a linear map tells the steps around it", around=around)
    return [TrainingMean(), peer]


def _with_one(codes: np.ndarray) -> np.ndarray:
    return np.column_stack([codes, np.ones(len(codes))])


def _flat(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
    """The target columns of whole windows, missing cells at their centre, shape `(windows, steps * targets)`."""
    own = prepared.scaled_targets(part, windows)[:, prepared.windows[part].shape.inside]
    return np.nan_to_num(own).reshape(len(windows), -1).astype(np.float64)
