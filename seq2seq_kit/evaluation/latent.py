"""Latent vectors of windows: a map in two dimensions, and which lie nearest to one of them."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.evaluation.ridge import spectrum

MapMethod = Literal["pca", "umap"]


def map_latent(latent: np.ndarray, method: MapMethod = "pca", *, seed: int = 0) -> tuple[np.ndarray, float | None]:
    """Places of latent vectors on a map.

    Args:
        latent: Shape `(windows, latent)`.
        method: `pca`: the two directions in which they vary most; `umap`: who is near whom (McInnes et al. 2018).
        seed: Of UMAP; the same seed gives the same map.

    Returns:
        Shape `(windows, 2)`, and the share of the variance that it shows; None of UMAP, whose distances mean nothing.

    Raises:
        ArgumentError: No such method.
        DataError: UMAP is not installed, or there are too few windows for it.
    """
    if method not in get_args(MapMethod):
        raise ArgumentError(f"method must be 'pca' or 'umap'. Received: {method!r}", code="invalid_argument")
    latent = np.asarray(latent, dtype=np.float64)
    if method == "umap":
        return _umap(latent, seed), None
    centred = latent - latent.mean(axis=0)
    spread, basis = spectrum(centred)
    first = basis[:, ::-1][:, :2]
    # An eigenvector has no sign of its own; its largest part is positive, so that two runs show the same map.
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    places = np.zeros((len(latent), 2))
    places[:, : first.shape[1]] = centred @ first
    total = float(spread.sum())
    return places, float(spread[::-1][:2].sum() / total) if total > 0 else 1.0


def nearest(
    latent: np.ndarray, number: int, count: int, *, rows: np.ndarray | None = None, series: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The windows nearest to one of them: all are compared, by the Euclidean distance of their latent vectors.

    Args:
        latent: Shape `(windows, latent)`.
        number: The given window.
        count: How many are wanted; fewer are found where there are no more.
        rows: First row and end of each window, shape `(windows, 2)`: no window that is found shares a row of its series with
            the given one or with a nearer one that was found. None: any window but the given one counts.
        series: Of each window, shape `(windows,)`; needed with `rows`.

    Returns:
        Numbers of the windows, the nearest first (of equally near ones the earlier), and their distances.

    Example:
        >>> latent = np.array([[0.0], [0.1], [5.0], [0.3]])
        >>> nearest(latent, 0, 2)[0].tolist()
        [1, 3]
        >>> spans = np.array([[0, 4], [2, 6], [4, 8], [6, 10]])
        >>> nearest(latent, 0, 2, rows=spans, series=np.zeros(4))[0].tolist()
        [3]
    """
    distance = np.sqrt(((latent.astype(np.float64) - latent[number].astype(np.float64)) ** 2).sum(axis=1))
    order = np.argsort(distance, kind="stable")
    order = order[order != number]
    if rows is None or series is None:
        found = order[:count]
        return found, distance[found]
    free = np.ones(len(latent), dtype=bool)
    picked: list[int] = []
    _block(free, number, rows, series)
    for other in order:
        if len(picked) == count:
            break
        if free[other]:
            picked.append(int(other))
            _block(free, int(other), rows, series)
    found = np.array(picked, dtype=np.int64)
    return found, distance[found]


def _block(free: np.ndarray, number: int, rows: np.ndarray, series: np.ndarray) -> None:
    first, end = rows[number]
    free[(series == series[number]) & (rows[:, 0] < end) & (rows[:, 1] > first)] = False


def _umap(latent: np.ndarray, seed: int) -> np.ndarray:
    if find_spec("umap") is None:
        raise DataError(
            "a map by UMAP needs the package umap-learn, which is not installed. Install it: pip install 'seq2seq-kit[umap]', "
            "or take method='pca' (--map-by pca)",
            code="missing_package",
        )
    if len(latent) < _LEAST_FOR_UMAP:
        raise DataError(
            f"a map by UMAP needs at least {_LEAST_FOR_UMAP} windows. Received: {len(latent)}. Give more rows, or take "
            "method='pca' (--map-by pca)",
            code="too_few_windows",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and UMAP's own, on versions and on threads with a seed
        from umap import UMAP

        neighbours = min(_UMAP_NEIGHBOURS, len(latent) - 1)
        found = UMAP(n_components=2, n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(latent)
    return np.asarray(found, dtype=np.float64)


_LEAST_FOR_UMAP = 5
_UMAP_NEIGHBOURS = 15  # its own default
