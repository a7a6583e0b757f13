"""Plots of one prediction for each sequence: how far probabilities can be trusted, and predicted beside actual numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.reports.colours import TRUTH_COLOUR, colours_of
from seq2seq_kit.reports.plots import new_figure
from seq2seq_kit.tasks.classify.evaluation import LabelEvaluation, NumberEvaluation
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_calibration(test: LabelEvaluation) -> Figure:
    """Accuracy against the probability of the predicted label, in tenths: on the diagonal a probability is what it says."""
    figure, axes = new_figure(5.5, 5)
    axes.plot([0, 1], [0, 1], color=TRUTH_COLOUR, lw=0.8, ls=":", label="calibrated")
    colours = colours_of(test.names)
    for name in (test.best_baseline, MODEL):
        bins, error = test.calibration(name), test.metrics(name)["calibration_error"]
        said = f"{name}, calibration error {error:.3f}"
        axes.plot(bins["probability"], bins["accuracy"], color=colours[name], marker="o", ms=4, label=said)
    for probability, accuracy, count in test.calibration().itertuples(index=False):
        axes.annotate(f"{int(count):,}", (probability, accuracy), (6, -10), textcoords="offset points", fontsize=7)
    axes.set(title=f"Calibration, test sequences (number of them at the {MODEL})", xlim=(0, 1), ylim=(0, 1.02))
    axes.set(xlabel="probability of the predicted label", ylabel="accuracy")
    axes.legend(frameon=False, loc="upper left")
    return figure


def plot_predicted(test: NumberEvaluation) -> Figure:
    """Predicted against actual numbers, the best baseline's behind the model's."""
    figure, axes = new_figure(5.5, 5)
    colours = colours_of(test.names)
    for name in (test.best_baseline, MODEL):
        axes.scatter(test.truth, test.predictions[name], s=6, alpha=0.5, color=colours[name], label=name)
    ends = [float(test.truth.min()), float(test.truth.max())]
    axes.plot(ends, ends, color=TRUTH_COLOUR, lw=0.8, ls=":", label="predicted = actual")
    unit = f" ({test.measured_in})" if test.measured_in else ""
    axes.set(title="Predicted against actual, test sequences", xlabel=for_figure(f"actual {test.target}{unit}"))
    axes.set_ylabel(for_figure(f"predicted{unit}"))
    axes.legend(frameon=False)
    return figure
