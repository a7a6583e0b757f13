"""The diagram of a model: every layer once, in its place, with its shape and size."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from seq2seq_kit.models import (
    build_autoencoder,
    build_encoder_decoder,
    build_feedback_forecaster,
    build_tagger,
    build_translator,
)
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.model_diagram import plot_model
from tests.reports.test_plots import assert_drawn


@pytest.mark.parametrize(("future", "beside"), [(0, []), (2, ["future"])])
def test_the_diagram_names_every_layer_with_its_shape_and_size(future: int, beside: list[str], tmp_path: Path) -> None:
    model = build_encoder_decoder(
        input_steps=5, output_steps=3, input_features=2, future_features=future, encoder_units=[4], decoder_units=[4]
    )
    figure = plot_model(model)
    words = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    assert sorted(word.split()[0] for word in words) == sorted(layer.name for layer in model.layers)
    assert f"encoder_0   LSTM\n(batch, 4)   {model.get_layer('encoder_0').count_params()} parameters" in words
    assert "bridge   RepeatVector\n(batch, 3, 4)" in words
    assert [word.split()[0] for word in words if word.startswith("future")] == beside
    assert figure.axes[0].get_title() == f"encoder_decoder: {model.count_params():,} parameters"
    plots.save({"model": figure}, tmp_path)
    assert_drawn(tmp_path / "model.png")


def test_the_diagram_of_an_autoencoder_shows_its_latent_layer() -> None:
    model = build_autoencoder(input_steps=5, input_features=2, latent_dim=3, encoder_units=[4], bidirectional=True)
    words = [text.get_text() for text in plot_model(model).axes[0].texts]
    assert "latent   Dense\n(batch, 3)   27 parameters" in words
    assert any(word.startswith("encoder_0   Bidirectional\n(batch, 8)") for word in words)


def test_the_diagram_draws_what_goes_past_the_column_as_lines() -> None:
    shapes: dict[str, Any] = {
        "output_features": 2,
        "future_features": 3,
        "encoder_units": [4, 4],
        "decoder_units": [8, 8],
    }
    model = build_encoder_decoder(
        input_steps=8,
        output_steps=4,
        input_features=2,
        bidirectional=True,
        segment_steps=2,
        channels="independent",
        normalise="last",
        decoder_state="encoder",
        **shapes,
    )
    axes = plot_model(model).axes[0]
    places = {text.get_text().split()[0]: text.get_position() for text in axes.texts if text.get_text()}
    assert [name for name, (x, _) in places.items() if x > 0] == ["future", "future_channels", "future_join"]
    assert places["future_join"][1] == places["bridge_future"][1] + 1
    lines = [tuple(np.asarray(line.get_ydata())[[0, -1]]) for line in axes.lines]
    ways = [("encoder_0", "decoder_0"), ("encoder_1", "decoder_1"), ("normalise", "denormalise")]
    assert sorted(lines) == sorted((places[start][1], places[end][1]) for start, end in ways)


@pytest.mark.parametrize("bridge", ["state", "attention"])
def test_every_layer_of_a_model_with_branches_is_drawn_once(bridge: Literal["state", "attention"]) -> None:
    model = build_feedback_forecaster(
        input_steps=8,
        output_steps=3,
        input_features=2,
        future_features=2,
        bridge=bridge,
        encoder_units=[4, 3],
        decoder_units=[4, 3],
    )
    axes = plot_model(model).axes[0]
    places = {text.get_text().split()[0]: text.get_position() for text in axes.texts if text.get_text()}
    assert sorted(places) == sorted(layer.name for layer in model.layers)
    assert len(set(places.values())) == len(places)
    assert places["encoder_0"][1] > places["encoder_1"][1] > places["decoder_1"][1] > places["output"][1] == 0


def test_a_long_model_s_layers_do_not_overlap() -> None:
    model = build_encoder_decoder(
        input_steps=5, output_steps=3, input_features=2, encoder_units=[4] * 5, decoder_units=[4] * 5
    )
    figure = plot_model(model)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    heights = sorted((box.y0, box.y1) for box in boxes)
    assert len(heights) == 13
    assert all(lower[1] < upper[0] for lower, upper in pairwise(heights))


def test_a_model_with_masks_is_drawn_with_its_layers_and_nothing_else() -> None:
    layers: dict[str, Any] = {"encoder_units": [4, 4], "decoder_units": [4, 4], "pyramid": 2, "bridge": "attention"}
    models = [
        build_tagger(labels=2, input_features=2, units=[4]),
        build_tagger(labels=2, tokens=5, characters=5, character_units=2, units=[4], bidirectional=True),
        build_translator(source_tokens=5, target_tokens=5, output_steps=2, **layers),
    ]
    for model in models:
        (axes,) = plot_model(model).axes
        drawn = {text.get_text().split("   ")[0] for text in axes.texts} - {""}
        assert drawn == {layer.name for layer in model.layers}
