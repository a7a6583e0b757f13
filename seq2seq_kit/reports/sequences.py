"""Figures of runs on tokens and labels: accuracy by epoch and by length, attention, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR
from seq2seq_kit.reports.plots import draw_members, new_figure
from seq2seq_kit.text import for_figure
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LABELS = 40  # a confusion matrix with more could not be read
_LONGEST_TICK = 24


def plot_accuracy(fit: Fit) -> Figure:
    """Accuracy of training and validation by epoch, the best epoch marked; of an ensemble each member's of validation."""
    figure, axes = new_figure(7, 4)
    if fit.members:
        draw_members(axes, fit, lambda epoch: epoch.metrics["val_accuracy"])
        axes.set(title="Accuracy of validation by epoch", xlabel="epoch", ylabel="token accuracy", ylim=(None, 1.0))
        return figure
    epochs = [epoch.number for epoch in fit.history]
    for key, label, colour in (("accuracy", "train", PAST_COLOUR), ("val_accuracy", "validation", MODEL_COLOUR)):
        axes.plot(epochs, [epoch.metrics[key] for epoch in fit.history], color=colour, marker="o", ms=3, label=label)
    if fit.best_epoch:
        axes.axvline(fit.best_epoch, color=TRUTH_COLOUR, lw=0.8, ls=":", label=f"kept: epoch {fit.best_epoch}")
    axes.set(title="Accuracy by epoch", xlabel="epoch", ylabel="token accuracy", ylim=(None, 1.0))
    axes.legend(frameon=False)
    return figure


def plot_by_length(lengths: Sequence[int], right: Sequence[bool], *, what: str) -> Figure:
    """Share of correct outputs by length, with the number of sources."""
    figure, axes = new_figure(7, 4)
    sizes, hits = np.asarray(lengths), np.asarray(right, dtype=float)
    present = np.unique(sizes)
    shares = [hits[sizes == size].mean() for size in present]
    axes.bar(present, shares, color=PAST_COLOUR)
    for size, share in zip(present, shares, strict=True):
        axes.annotate(str((sizes == size).sum()), (size, share), ha="center", va="bottom", fontsize=7)
    axes.set(title=f"{what} by source length (number of sources above)", xlabel="tokens of the source", ylabel="share")
    axes.set_ylim(0, 1.08)
    return figure


def plot_attention(
    weights: Sequence[np.ndarray], read: Sequence[Sequence[str]], written: Sequence[Sequence[str]]
) -> Figure:
    """Attention of each output token: one map for each example, source from left to right, output downwards.

    Args:
        weights: For each example `(output tokens, source steps)`.
        read: Tokens of the source, in the order in which the encoder reads them.
        written: Tokens of the output.
    """
    from matplotlib.figure import Figure

    columns = min(len(weights), 2)
    figure = Figure(figsize=(5.2 * columns, 4.2 * -(-len(weights) // columns)), layout="constrained")
    grid = np.atleast_1d(figure.subplots(-(-len(weights) // columns), columns)).ravel()
    for axes, own, source, output in zip(grid, weights, read, written, strict=False):
        axes.imshow(own, cmap="magma", vmin=0, vmax=float(own.max()), aspect="auto")
        axes.set_xticks(range(len(source)), [for_figure(token, most=_LONGEST_TICK) for token in source], fontsize=8)
        axes.set_yticks(range(len(output)), [for_figure(token, most=_LONGEST_TICK) for token in output], fontsize=8)
        axes.set(xlabel="source", ylabel="output")
    for axes in grid[len(weights) :]:
        axes.remove()
    figure.suptitle("Attention of each output step over the source (bright: high)")
    return figure


def plot_confusion(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """Confusion matrix, as shares of each true label.

    Args:
        counts: `(true labels, predicted labels)`.
        labels: Their names; of more than 40 the most frequent are shown, and the title says so.
    """
    shown = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:_MOST_LABELS])
    picked = counts[np.ix_(shown, shown)]
    shares = picked / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    names = [for_figure(labels[place], most=_LONGEST_TICK) for place in shown]
    size = 2.5 + 0.36 * len(names)
    figure, axes = new_figure(size + 1, size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for i, j in np.argwhere(shares >= 0.005):
        dark = "white" if shares[i, j] > 0.6 else "black"
        axes.annotate(f"{100 * shares[i, j]:.0f}", (j, i), ha="center", va="center", fontsize=7, color=dark)
    title = "Percent of each true label (rows)"
    if len(names) < len(labels):
        title += f"\nthe {len(names)} most frequent of {len(labels)} labels, so a row may not add up to 100"
    axes.set(title=title, xlabel="predicted", ylabel="true")
    return figure
