"""The pictures of docs/shapes.md are those that the kit draws, every shape has one, and they show what they should."""

import re
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.echo import SHAPES
from seq2seq_kit.tasks.echo.bundle import echo_inputs, echo_targets
from seq2seq_kit.tasks.echo.plots import draw_family, draw_shape, plot_copying, plot_echo, write_pictures
from seq2seq_kit.tasks.echo.recipe import EchoModel
from tests.conftest import ROOT

IMAGES = ROOT / "docs" / "images"


def texts(figure: object) -> list[str]:
    return [text.get_text().strip() for axes in figure.axes for text in axes.texts]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_pictures_of_the_page_are_the_ones_that_the_kit_draws(tmp_path: Path) -> None:
    drawn = write_pictures(tmp_path)
    page = (ROOT / "docs" / "shapes.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(images/(shapes_\w+\.png)\)", page))
    assert len(shown) == 5
    assert {path.name for path in drawn} == shown == {path.name for path in IMAGES.glob("shapes_*.png")}
    for path in drawn:
        fresh, stored = matplotlib.image.imread(path), matplotlib.image.imread(IMAGES / path.name)
        # To the pixel on the machine that drew it; another font rasteriser may differ at the edges of letters.
        assert fresh.shape == stored.shape, f"{path.name} has changed; draw it again with write_pictures('docs/images')"
        assert np.abs(fresh - stored).mean() < 0.02, f"{path.name} has changed; draw it again"
        assert fresh[..., :3].std() > 0.05
        assert (IMAGES / path.name).stat().st_size < 150_000


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_a_picture_with_a_cell_for_each_of_its_steps(shape: str) -> None:
    words = texts(draw_shape(shape))
    assert words.count("LSTM") == (1 if shape == "one_step" else 5)
    assert words.count("Dense(5)") == (1 if shape in ("many_to_one", "one_step") else 0)
    assert words.count("Dense(1)") == (0 if shape in ("many_to_one", "one_step") else 5)
    # The value of a step stands in its input and in its output, where it has them.
    assert words.count("0.4") == {
        "one_to_one": 2,
        "many_to_many": 2,
        "one_to_many": 1,
        "feedback": 1,
        "many_to_one": 1,
    }.get(shape, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_title_gives_the_arrays_of_the_shape(shape: str) -> None:
    values = np.zeros(5)
    given, written = echo_inputs(shape, values).shape, echo_targets(shape, values).shape
    # Fed back, the model itself sees one step at a time, of as many as are asked for.
    words = "(1, 1, 1) -> (1, n, 1)" if shape == "feedback" else f"{given} -> {written}"
    assert draw_shape(shape).axes[0].get_title().endswith(words)
    page = (ROOT / "docs" / "shapes.md").read_text(encoding="utf-8")
    assert f"| `{shape}` | {words} |" in page


def test_states_are_passed_on_where_there_is_a_sequence() -> None:
    def level(shape: str) -> int:
        notes: list[Any] = [note for note in draw_shape(shape).axes[0].texts if hasattr(note, "xy")]
        return len([note for note in notes if note.xy[1] == note.xyann[1]])

    assert {shape: level(shape) for shape in SHAPES} == {
        "one_to_one": 0,
        "many_to_one": 4,
        "many_to_many": 4,
        "one_to_many": 4,
        "feedback": 4,
        "one_step": 0,
    }


def test_the_family_is_whole_and_the_recipe_knows_the_same_shapes() -> None:
    assert len(draw_family().axes) == len(SHAPES)
    schema = EchoModel.model_json_schema()["properties"]["shape"]
    assert schema["enum"] == list(SHAPES)
    assert all(f"{shape}:" in schema["description"] for shape in SHAPES)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"shape must be one of one_to_one, .*Received: shape='few_to_many'"):
        draw_shape("few_to_many")


def test_an_echo_is_drawn_beside_its_sequence() -> None:
    truth = np.array([0.0, 0.5, 1.0])
    axes = plot_echo(truth, {"model": truth + 0.1, "sequence mean": np.full(3, 0.5)}, title="here").axes[0]
    assert [line.get_label() for line in axes.lines] == ["the sequence", "model", "sequence mean"]
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_ydata(), float), truth + 0.1)
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3])


def test_the_forecast_of_a_walk_lies_nearer_to_the_step_before_than_to_the_step() -> None:
    walk, forecast = (np.asarray(line.get_ydata(), float) for line in plot_copying().axes[0].lines)
    behind, wrong = np.abs(forecast[1:] - walk[:-1]).mean(), np.abs(forecast[1:] - walk[1:]).mean()
    assert behind < wrong / 3
