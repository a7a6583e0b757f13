"""A forecaster has one colour in every figure, which can be read on white and told from the others."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.reports.colours import PAST_COLOUR, colours_of

USUAL = ["last value", "seasonal naive (day)", "seasonal naive (week)", "ridge"]


def contrast_with_white(colour: str) -> float:
    """By WCAG 2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 1.05 / (float(np.dot(linear, [0.2126, 0.7152, 0.0722])) + 0.05)


@pytest.mark.parametrize("names", [USUAL, [f"peer {number}" for number in range(10)], ["PCA (4)", "own mean"]])
def test_the_forecasters_of_a_run_are_told_apart_and_read_on_white(names: list[str]) -> None:
    colours = colours_of([MODEL, *names])
    assert list(colours) == [MODEL, *names]
    assert len(set(colours.values())) == len(colours)
    assert PAST_COLOUR not in colours.values()
    for colour in colours.values():
        assert contrast_with_white(colour) > 3


def test_a_forecaster_keeps_its_colour_whatever_stands_beside_it() -> None:
    whole = colours_of([MODEL, *USUAL])
    for name in [MODEL, *USUAL[:2], "ridge"]:
        assert colours_of([name]) == {name: whole[name]}
    assert colours_of(["own mean"])["own mean"] == colours_of([MODEL, *USUAL[:1], "own mean"])["own mean"]
