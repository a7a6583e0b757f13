"""Figures of tokens and labels show the bars, cells and names that they should."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seq2seq_kit.reports.sequences import plot_accuracy, plot_attention, plot_by_length, plot_confusion
from seq2seq_kit.training.fit import Epoch, Fit


def drawn(figure: Figure) -> Figure:
    """The figure, drawn in full."""
    figure.savefig(io.BytesIO(), dpi=30)
    return figure


def fit(best: int) -> Fit:
    history = [
        Epoch(number, 3, 1.0, 1.0, 0.001, 1.0, 10.0, {"accuracy": number / 10, "val_accuracy": number / 20})
        for number in (1, 2, 3)
    ]
    return Fit(history, best, "epochs", 3.0)


def test_accuracy_has_both_curves_and_marks_the_kept_epoch() -> None:
    (axes,) = drawn(plot_accuracy(fit(2))).axes
    train, validation, kept = axes.lines
    np.testing.assert_allclose(np.asarray(train.get_ydata(), dtype=float), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(np.asarray(validation.get_ydata(), dtype=float), [0.05, 0.1, 0.15])
    assert list(np.asarray(kept.get_xdata())) == [2, 2]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["train", "validation", "kept: epoch 2"]
    assert len(plot_accuracy(fit(0)).axes[0].lines) == 2


def test_each_length_has_a_bar_with_its_share_and_its_number() -> None:
    figure = drawn(plot_by_length([3, 5, 3, 3, 9], [True, False, False, True, True], what="Exact match"))
    (axes,) = figure.axes
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [round(bar.get_x() + bar.get_width() / 2) for bar in bars] == [3, 5, 9]
    np.testing.assert_allclose([bar.get_height() for bar in bars], [2 / 3, 0, 1])
    assert [text.get_text() for text in axes.texts] == ["3", "1", "1"]
    assert axes.get_title().startswith("Exact match by source length")


@pytest.mark.parametrize(("count", "places"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_each_example_has_a_map_with_its_own_words(count: int, places: int) -> None:
    weights = [np.full((2, 3 + number), 1 / (3 + number)) for number in range(count)]
    read = [[f"r{place}" for place in range(3 + number)] for number in range(count)]
    figure = drawn(plot_attention(weights, read, [["a", "end"]] * count))
    assert len(figure.axes) == places
    for number, axes in enumerate(figure.axes):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), weights[number])
        assert [label.get_text() for label in axes.get_xticklabels()] == read[number]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "end"]


def test_tokens_are_no_formulas() -> None:
    drawn(plot_attention([np.ones((1, 2)) / 2], [["$x_$", "\\"]], [["$\\frac$"]]))
    drawn(plot_confusion(np.eye(2, dtype=int), ["$a_$", "$^$"]))


def test_a_confusion_matrix_has_shares_of_each_true_label() -> None:
    (axes,) = drawn(plot_confusion(np.array([[6, 2, 0], [0, 4, 0], [0, 0, 0]]), ["a", "b", "c"])).axes
    (image,) = axes.images
    np.testing.assert_allclose(np.asarray(image.get_array()), np.array([[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "75"),
        ((1, 0), "25"),
        ((1, 1), "100"),
    }


def test_of_many_labels_the_most_frequent_are_shown_with_their_own_shares() -> None:
    counts = np.diag(np.arange(50))
    counts[49, 0] = 49  # half of the most frequent label goes to one that is not shown
    (axes,) = plot_confusion(counts, [f"label {number}" for number in range(50)]).axes
    (image,) = axes.images
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown == [f"label {number}" for number in range(10, 50)]
    assert "the 40 most frequent of 50 labels" in axes.get_title()
    assert "most frequent" not in plot_confusion(counts[:40, :40], shown).axes[0].get_title()
    assert np.asarray(image.get_array()).shape == (40, 40)
    assert np.asarray(image.get_array())[-1, -1] == 0.5
