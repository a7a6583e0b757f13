"""Exports of every task: the numbers of the bundle's verbs, out of graphs that know neither kit nor TensorFlow."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.echo import SHAPES
from tests.conftest import (
    autoencode_recipe,
    hourly_frame,
    levelled_frame,
    next_step_recipe,
    reversed_words,
    slow_but,
    tag_recipe,
    tag_values_recipe,
    translate_recipe,
    waves_frame,
    whole_recipe,
)
from tests.exports.bundled import answers, untrained

CLOSE: Any = {"rtol": 1e-5, "atol": 1e-5}


def head_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "export.json").read_text())
    return found


def within(parity: Any, *names: str) -> None:
    assert list(parity) == list(names)
    assert all(each.relative <= 1e-5 for each in parity.values())
    assert all(each.compared >= 4 for each in parity.values())


@pytest.mark.parametrize(
    "data",
    slow_but(
        [{}, {"missing": "mask", "scale_per_series": True, "series": "site"}, {"window_scaling": "standard"}],
        {"window_scaling": "standard"},
    ),
)
def test_an_autoencoder_is_a_whole_and_two_halves(data: dict[str, Any], tmp_path: Path) -> None:
    frame = hourly_frame(200, series=("a", "b"))
    recipe = autoencode_recipe(**({"series": "site"} | data), forecast_steps=2)
    recipe["model"] |= {"latent": "variational", "noise": 0.1}
    bundle = untrained(recipe, frame)
    done = bundle.export(tmp_path / "out", frame=frame)
    halves = ["encoder", "encoder_network", *([] if "window_scaling" in data else ["decoder"])]
    within(done.parity, "model", *halves, "network")
    rows = frame[frame["site"] == "b"].tail(26)  # a window, and the two rows behind it that it forecasts
    window, series = rows[["load", "heat"]].to_numpy()[None, :24], np.array([1])
    given = [window, *([series] if "scale_per_series" in data else [])]
    latent = answers(tmp_path / "out" / "encoder.onnx", *given)[0]
    np.testing.assert_allclose(latent, bundle.encode(rows).filter(like="latent_").to_numpy(), **CLOSE)
    if "decoder" in halves:
        again = answers(tmp_path / "out" / "decoder.onnx", latent, *given[1:])[0]
        np.testing.assert_allclose(again, answers(tmp_path / "out" / "model.onnx", *given)[0], **CLOSE)


@pytest.mark.parametrize("data", [{}, {"calendar": [], "scale_per_series": True}])
def test_a_next_step_model_forecasts_any_length_and_streams(data: dict[str, Any], tmp_path: Path) -> None:
    frame = hourly_frame(200, series=("a", "b"))
    recipe = next_step_recipe(**({"series": "site"} | data))
    recipe["model"] = {"units": [6, 5], "cell": "gru" if data else "lstm"}
    bundle = untrained(recipe, frame)
    within(bundle.export(tmp_path / "out", frame=frame).parity, "model", "step", "network")
    if not data:
        return
    windows = np.stack([rows[["load", "heat"]].to_numpy()[-24:] for _, rows in frame.groupby("site")])
    expected = bundle.predict(frame, steps=30)["load"].to_numpy().reshape(2, 30)
    found = answers(tmp_path / "out" / "model.onnx", windows, np.array([30]), np.arange(2))[0]
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-4)
    states = [np.zeros((2, width), np.float32) for width in bundle.stepper.widths]
    for step in range(24):
        row, *states = answers(tmp_path / "out" / "step.onnx", windows[:, step], *states, np.arange(2))
    np.testing.assert_allclose(row[:, 0], expected[:, 0], rtol=1e-5)


def test_an_autoencoder_of_whole_sequences_reads_any_length(tmp_path: Path) -> None:
    frame = waves_frame(30)
    recipe = whole_recipe(missing="mask")
    recipe["model"] |= {"bidirectional": True, "pyramid": 2, "encoder_units": [4, 4]}
    frame.loc[[4, 40], "x"] = np.nan
    bundle = untrained(recipe, frame)
    within(bundle.export(tmp_path / "out", frame=frame).parity, "model", "network", "encoder", "encoder_network")
    rows = frame[frame["name"] == "w3"]
    given = [rows[["x", "y"]].to_numpy()[None], np.ones((1, len(rows)), np.float32)]
    found = answers(tmp_path / "out" / "model.onnx", *given)[0]
    np.testing.assert_allclose(found[0], bundle.reconstruct(rows)[["x", "y"]], **CLOSE)
    latent = answers(tmp_path / "out" / "encoder.onnx", *given)[0]
    np.testing.assert_allclose(latent[0], bundle.encode(rows).filter(like="latent_").to_numpy()[0], **CLOSE)


@pytest.mark.slow
def test_an_autoencoder_of_differences_has_no_decoder_alone(tmp_path: Path) -> None:
    frame = hourly_frame(200)
    bundle = untrained(autoencode_recipe(transform={"load": ["log", "seasonal_diff"], "heat": "diff"}), frame)
    done = bundle.export(tmp_path / "out", frame=frame)
    within(done.parity, "model", "encoder", "encoder_network", "network")
    steps, names = 24 + bundle.recipe.data.input_steps, list(bundle.recipe.data.inputs)
    found = answers(tmp_path / "out" / "model.onnx", frame[names].to_numpy()[None, :steps])[0]
    expected = bundle.reconstruct(frame, stride=1).head(found.shape[1])
    np.testing.assert_allclose(found[0], expected[names], rtol=1e-5)
    context = untrained(autoencode_recipe(transform={"load": "diff"}, backcast_steps=2), frame)
    with pytest.raises(ArgumentError, match="rows before its window"):
        context.export(tmp_path / "more", frame=frame)


def test_a_tagger_gives_probabilities(tmp_path: Path, token_files: Path) -> None:
    from seq2seq_kit.tasks import open_job, parse_recipe
    from tests.exports.running import randomise

    job: Any = open_job(parse_recipe(tag_recipe(str(token_files / "letters.tsv"))), None)
    bundle = job.bundle(randomise(job.build()), {}, peers=False)
    within(bundle.export(tmp_path / "out").parity, "model", "network")
    head = head_of(tmp_path / "out")
    tagged = bundle.tagged(bundle.frame_of([list("abcde")]), "x", labelled=False)
    found = answers(tmp_path / "out" / "model.onnx", *tagged.padded(np.array([0])))[0]
    expected = bundle.predict([list("abcde")])
    assert [head["labels"][each] for each in found[0].argmax(axis=1)] == expected["kind"].tolist()
    np.testing.assert_allclose(found[0].max(axis=1), expected["probability"], **CLOSE)
    assert head["tokens"]


def test_a_tagger_of_values_reads_original_units(tmp_path: Path) -> None:
    frame = levelled_frame(200)
    bundle = untrained(tag_values_recipe(), frame)
    within(bundle.export(tmp_path / "out", frame=frame).parity, "model", "network")
    rows = frame.head(24)
    given = [rows[["load", "heat"]].to_numpy()[None], np.ones((1, 24), np.float32)]
    found = answers(tmp_path / "out" / "model.onnx", *given)[0]
    np.testing.assert_allclose(found[0].max(axis=1), bundle.predict(rows)["probability"], **CLOSE)


def test_a_tagger_may_scale_each_series_by_itself(tmp_path: Path) -> None:
    frame = levelled_frame(120, series=("a", "b"))
    bundle = untrained(tag_values_recipe(series="site", scale_per_series=True, missing="mask"), frame)
    bundle.export(tmp_path / "out", frame=frame)
    assert head_of(tmp_path / "out")["series"] == ["a", "b"]
    rows = frame[frame["site"] == "b"].head(24)
    given = [rows[["load", "heat"]].to_numpy()[None], np.ones((1, 24), np.float32), np.array([1])]
    found = answers(tmp_path / "out" / "model.onnx", *given)[0]
    np.testing.assert_allclose(found[0].max(axis=1), bundle.predict(rows)["probability"], **CLOSE)


@pytest.mark.parametrize("label", [True, False])
def test_a_classifier_gives_probabilities_or_a_number(label: bool, tmp_path: Path) -> None:
    frame = levelled_frame(200)
    asked = {"label": "level"} if label else {"target": "heat", "inputs": ["load"]}
    data = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "input_steps": 12} | asked
    recipe = {
        "task": "classify",
        "name": "small",
        "data": data,
        "model": {"encoder_units": [4]},
        "training": {"epochs": 1},
    }
    bundle = untrained(recipe, frame)
    within(bundle.export(tmp_path / "out", frame=frame).parity, "model", "network")
    given = [frame[data["inputs"]].to_numpy()[None, -12:], np.ones((1, 12), np.float32)]
    found = answers(tmp_path / "out" / "model.onnx", *given)[0]
    expected = bundle.predict(frame.tail(12)).iloc[-1]
    if label:
        np.testing.assert_allclose(found[0].max(), expected["probability"], **CLOSE)
    else:
        np.testing.assert_allclose(found, [expected["heat"]], **CLOSE)


@pytest.mark.parametrize("bridge", slow_but(["repeat", "state", "attention"], "attention"))
def test_a_translator_is_whole_or_an_encoder_and_a_step(bridge: str, tmp_path: Path) -> None:
    recipe = translate_recipe(bridge=bridge, pyramid=2, encoder_units=[6, 5], decoder_units=[6, 5])
    bundle = untrained(recipe, reversed_words(60))
    done = bundle.export(tmp_path / "out")
    if bridge == "repeat":
        within(done.parity, "model", "network")
        return
    within(done.parity, "model", "encoder", "step", "network")
    source = np.array([bundle.source_vocabulary.numbers(list("abc"))], np.int32)
    handed = answers(tmp_path / "out" / "encoder.onnx", source)
    count = len(handed) - (3 if bridge == "attention" else 0)
    token, written, states, memory = np.zeros(1, np.int32), "", handed[:count], handed[count:]
    for _ in range(bundle.output_steps):
        logits, *states = answers(tmp_path / "out" / "step.onnx", token, *states, *memory)
        token = logits.argmax(axis=-1).astype(np.int32)
        if token[0] == 0:
            break
        written += bundle.target_vocabulary.text(token.tolist())
    assert written == bundle.predict("abc").iloc[0, 1]


@pytest.mark.slow
def test_an_ensemble_has_no_halves_and_translates_member_by_member(tmp_path: Path) -> None:
    """Latent vectors of two members have no mean; whoever searches combines what the members give."""
    from seq2seq_kit.models.ensemble import join_members
    from tests.exports.running import randomise

    def doubled(bundle: Any, *, logits: bool = False) -> Any:
        models = [
            randomise(bundle.model.__class__.from_config(bundle.model.get_config()), seed=seed) for seed in (1, 2)
        ]
        return replace(bundle, model=join_members(models, logits=logits))

    windows = doubled(untrained(autoencode_recipe(), hourly_frame(200)))
    within(windows.export(tmp_path / "windows").parity, "model", "network")
    sequences = doubled(untrained(whole_recipe(), waves_frame(30)))
    within(sequences.export(tmp_path / "sequences").parity, "model", "network")
    words = untrained(translate_recipe(bridge="state"), reversed_words(60))
    done = doubled(words, logits=True).export(tmp_path / "words")
    within(done.parity, "model", "encoder_1", "step_1", "encoder_2", "step_2", "network")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_echo_is_its_network(shape: str, tmp_path: Path) -> None:
    recipe = {"task": "echo", "name": "small", "data": {"sequence": [0.1, 0.2, 0.3]}, "model": {"shape": shape}}
    bundle = untrained(recipe, None)  # type: ignore[arg-type]  # its sequence is part of the recipe
    within(bundle.export(tmp_path / "out").parity, "model")
