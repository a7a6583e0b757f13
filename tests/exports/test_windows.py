"""Exports of models of windows: raw rows in, and the numbers of `predict` out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, BundleError
from tests.conftest import forecast_recipe, hourly_frame, slow_but
from tests.exports.bundled import answers, untrained

HOURS = 24
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "robust": {"scaling": "robust", "gap_steps": 2},
    "transforms": {"transform": {"load": "box_cox", "heat": "log1p"}},
    "log": {"transform": {"load": ["log"]}},
    "own_scale": {"window_scaling": "mean_abs"},
    "own_standard": {"window_scaling": "standard", "inputs": ["heat", "load"]},
    "read_apart": {"inputs": ["heat"]},
}


def recipe_of(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    recipe = forecast_recipe(calendar=[], **data)
    return recipe | {"model": recipe["model"] | more.pop("model", {})} | more


def exported(bundle: Any, folder: Path, **given: Any) -> dict[str, Any]:
    bundle.export(folder, **given)
    found: dict[str, Any] = json.loads((folder / "export.json").read_text())
    return found


def columns_of(head: dict[str, Any], name: str = "inputs", program: str = "model") -> list[str]:
    return next(port["columns"] for port in head["programs"][program]["inputs"] if port["name"] == name)


def run_alone(code: str, folder: Path) -> None:
    """Runs code in a process that has no path to this package's source."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=120)


@pytest.mark.parametrize("name", slow_but(OPTIONS, "transforms", "own_standard"))
def test_rows_in_their_own_units_become_what_predict_gives(name: str, tmp_path: Path) -> None:
    frame = hourly_frame(300)
    bundle = untrained(recipe_of(OPTIONS[name]), frame)
    head = exported(bundle, tmp_path / "out", frame=frame)
    window = frame[columns_of(head)].to_numpy()[None, -HOURS:]
    found = answers(tmp_path / "out" / "model.onnx", window)[0]
    expected = bundle.predict(frame)["load"].to_numpy()
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-5)
    assert head["programs"]["model"]["parity"]["of_data"]
    assert np.ptp(expected) > 0


def test_a_calendar_and_what_is_known_ahead_are_inputs(tmp_path: Path) -> None:
    from seq2seq_kit.data.tables.calendar import calendar_columns

    frame = hourly_frame(300)
    bundle = untrained(forecast_recipe(known_future=["heat"]), frame)
    head = exported(bundle, tmp_path / "out")
    times = pd.date_range(frame["time"].iloc[-HOURS], periods=HOURS + 6, freq="h")
    calendar = calendar_columns(times, ["hour", "weekend"], None)
    ahead = np.linspace(5, 15, 6)
    window = np.concatenate([frame[["load", "heat"]].to_numpy()[-HOURS:], calendar[:HOURS]], axis=1)
    future = np.concatenate([ahead[:, None], calendar[HOURS:]], axis=1)
    assert columns_of(head)[:2] == ["load", "heat"]
    assert columns_of(head, "future")[0] == "heat"
    found = answers(tmp_path / "out" / "model.onnx", window[None], future[None].astype(np.float64))[0]
    expected = bundle.predict(frame, future=pd.DataFrame({"time": times[HOURS:], "heat": ahead}))["load"]
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("bridge", slow_but(["state", "attention"], "attention"))
def test_a_forecast_that_reads_its_own_steps_is_a_loop(bridge: str, tmp_path: Path) -> None:
    frame = hourly_frame(300)
    model = {"bridge": bridge, "encoder_units": [5, 4], "decoder_units": [10, 8], "bidirectional": True, "cell": "gru"}
    recipe = recipe_of({"known_future": ["heat"]})
    recipe["model"] = model | {"pyramid": 2}
    bundle = untrained(recipe, frame)
    exported(bundle, tmp_path / "out", frame=frame)
    times = pd.date_range(frame["time"].iloc[-1], periods=7, freq="h")[1:]
    ahead = np.linspace(5, 15, 6)
    window = frame[["load", "heat"]].to_numpy()[None, -HOURS:]
    found = answers(tmp_path / "out" / "model.onnx", window, ahead[None, :, None])[0]
    expected = bundle.predict(frame, future=pd.DataFrame({"time": times, "heat": ahead}))["load"]
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-5)
    assert np.ptp(expected) > 0.01


def test_each_series_may_have_a_scale_of_its_own(tmp_path: Path) -> None:
    frame = hourly_frame(200, series=("a", "b", "c"))
    frame.loc[frame["site"] == "b", "load"] *= 1_000
    bundle = untrained(recipe_of({"series": "site", "scale_per_series": True}), frame)
    head = exported(bundle, tmp_path / "out", frame=frame)
    assert head["series"] == ["a", "b", "c"]
    windows = np.stack([rows[["load", "heat"]].to_numpy()[-HOURS:] for _, rows in frame.groupby("site")])
    found = answers(tmp_path / "out" / "model.onnx", windows, np.arange(3))[0]
    np.testing.assert_allclose(found[..., 0].ravel(), bundle.predict(frame)["load"], rtol=1e-5)


def test_a_missing_cell_is_a_nan(tmp_path: Path) -> None:
    frame = hourly_frame(300)
    frame.loc[[280, 290], "load"] = np.nan
    bundle = untrained(recipe_of({"missing": "mask"}), frame)
    head = exported(bundle, tmp_path / "out", frame=frame)
    window = frame[columns_of(head)].to_numpy()[None, -HOURS:]
    assert np.isnan(window).any()
    found = answers(tmp_path / "out" / "model.onnx", window)[0]
    np.testing.assert_allclose(found[0, :, 0], bundle.predict(frame)["load"], rtol=1e-5)


def test_words_are_codes_and_quantiles_stand_behind_the_targets(tmp_path: Path) -> None:
    frame = hourly_frame(300)
    frame["kind"] = np.where(frame["heat"] > 10, "warm", "cold")
    recipe = recipe_of({"inputs": ["load", "kind"], "categories": ["kind"]}, levels=[80], intervals="quantile")
    recipe["data"]["split"] = {"calibration": 0.15}
    bundle = untrained(recipe, frame)
    head = exported(bundle, tmp_path / "out", frame=frame)
    words = head["vocabularies"]["kind"]
    codes = np.array([words.index(word) + 2 for word in frame["kind"][-HOURS:]])
    window = np.column_stack([frame["load"][-HOURS:], codes])
    found = answers(tmp_path / "out" / "model.onnx", window[None])[0]
    assert found.shape[:3] == (1, 6, 1)
    np.testing.assert_allclose(
        found[0, :, 0, found.shape[-1] // 2], bundle.predict(frame, levels=())["load"], rtol=1e-5
    )
    assert head["levels"] == [80]


def test_a_level_far_from_zero_loses_no_digits(tmp_path: Path) -> None:
    """Numbers stay float64 until they are scaled, as in the kit: a float32 of 1e8 knows steps of 8."""
    frame = hourly_frame(300)
    frame["load"] += 1e8
    bundle = untrained(recipe_of({}), frame)
    assert bundle.export(tmp_path / "out", frame=frame).parity["model"].relative < 1e-5


def test_the_folder_tells_all_that_a_reader_needs(tmp_path: Path) -> None:
    frame = hourly_frame(300)
    bundle = untrained(recipe_of({"units": {"load": "MW"}}), frame)
    done = bundle.export(tmp_path / "out")
    assert done.parity["model"].compared == 1_003
    assert not done.parity["model"].of_data
    assert "drawn at random" in done.notes[0]
    head = json.loads((tmp_path / "out" / "export.json").read_text())
    assert set(head["sha256"]) == {each.name for each in (tmp_path / "out").iterdir()} - {"export.json"}
    golden = np.load(tmp_path / "out" / "golden.npz")
    for name in head["programs"]:
        found = answers(tmp_path / "out" / f"{name}.onnx", golden[f"{name}_input_0"])[0]
        np.testing.assert_allclose(found, golden[f"{name}_output_0"], rtol=1e-4, atol=1e-4)
    model = onnx.load(tmp_path / "out" / "model.onnx")
    props = {each.key: each.value for each in model.metadata_props}
    assert json.loads(props["recipe"])["data"]["input_steps"] == HOURS
    assert json.loads(props["units"]) == {"load": "MW"}
    assert json.loads(props["versions"])["keras"]
    assert props["bundle_sha256"] == head["bundle_sha256"]
    assert json.loads(props["parity"])["relative"] <= 1e-5
    assert [each.version for each in model.opset_import] == [17]
    assert not [each.name for each in model.graph.initializer if each.data_location == onnx.TensorProto.EXTERNAL]
    assert {node.op_type for node in model.graph.node} >= {"LSTM"}
    assert "Loop" not in {node.op_type for node in model.graph.node}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_one_file_is_the_model_alone_and_needs_nothing_of_the_kit(tmp_path: Path) -> None:
    frame = hourly_frame(300)
    bundle = untrained(recipe_of({}), frame)
    bundle.export(tmp_path / "model.onnx", frame=frame)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    code = (
        "import sys, numpy, onnxruntime\n"
        "run = onnxruntime.InferenceSession('model.onnx').run(None, {'inputs': numpy.ones((5, 24, 2))})\n"
        "assert run[0].shape == (5, 6, 1)\n"
        "assert not {'tensorflow', 'keras', 'seq2seq_kit', 'pandas'} & set(sys.modules)\n"
    )
    run_alone(code, tmp_path)


def test_a_graph_that_answers_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from seq2seq_kit.exports import walking

    frame = hourly_frame(300)
    bundle = untrained(recipe_of({}), frame)
    dense = walking.WRITERS[keras.layers.TimeDistributed]

    def wrong(graph: Any, layer: Any, inputs: Any) -> Any:
        return graph.plain("Add", dense(graph, layer, inputs), np.array(1e-3, np.float32))

    monkeypatch.setitem(walking.WRITERS, keras.layers.TimeDistributed, wrong)
    for out in (tmp_path / "out", tmp_path / "model.onnx"):
        with pytest.raises(BundleError, match=r"'model' does not answer.*0\.001 of the scale") as caught:
            bundle.export(out)
        assert caught.value.code == "export_differs"
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    bundle = untrained(recipe_of({}), hourly_frame(300))
    (tmp_path / "taken").mkdir()
    with pytest.raises(BundleError, match="taken exists already") as caught:
        bundle.export(tmp_path / "taken")
    assert caught.value.code == "export_exists"


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = untrained(recipe_of({}), hourly_frame(300))

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BundleError, match="No space left") as caught:
        bundle.export(tmp_path / "out")
    assert caught.value.code == "export_not_written"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_told_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2seq_kit.bundles import exporting

    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(
        ArgumentError, match=r"onnxruntime is not installed.*pip install 'seq2seq-kit\[export\]'"
    ) as caught:
        untrained(recipe_of({}), hourly_frame(300)).export(tmp_path / "out")
    assert caught.value.code == "missing_package"


DIFFERENCES: dict[str, dict[str, Any]] = {
    "diff": {"transform": {"load": "diff"}},
    "season": {"transform": {"load": ["log", "seasonal_diff"], "heat": "diff"}},
    "short_season": {"transform": {"load": ["seasonal_diff", "diff"]}, "season_steps": 4, "scaling": "robust"},
    "gap": {"transform": {"load": "seasonal_diff"}, "gap_steps": 3},
    "own_scale": {"transform": {"load": ["diff", "seasonal_diff"]}, "window_scaling": "standard", "calendar": ["hour"]},
    "unread_target": {"inputs": ["heat"], "transform": {"heat": "diff", "load": "log"}},
    "own_scale_beside_a_logarithm": {"transform": {"load": "log", "heat": "diff"}, "window_scaling": "standard"},
    "unscaled_beside_a_logarithm": {"transform": {"load": "log", "heat": "diff"}, "scaling": "none"},
    "series": {"transform": {"load": ["box_cox", "diff"]}, "series": "site", "scale_per_series": True},
}


@pytest.mark.parametrize("name", slow_but(DIFFERENCES, "short_season"))
def test_differences_are_taken_from_rows_before_the_window_and_undone(name: str, tmp_path: Path) -> None:
    from seq2seq_kit.data.tables.calendar import calendar_columns

    data = DIFFERENCES[name]
    frame = hourly_frame(300, series=("a", "b")) if "series" in data else hourly_frame(300)
    bundle = untrained(recipe_of({}) | {"data": recipe_of({})["data"] | data}, frame)
    head = exported(bundle, tmp_path / "out", frame=frame)
    (steps,) = (port["shape"][1] for port in head["programs"]["model"]["inputs"] if port["name"] == "inputs")
    assert steps == HOURS + bundle.scaler.transforms.lost
    assert head["programs"]["model"]["parity"]["of_data"]
    given = []
    for _, rows in frame.groupby("site") if "series" in data else [("", frame)]:
        times = pd.date_range(rows["time"].iloc[-steps], periods=steps + 6, freq="h")
        calendar = calendar_columns(times, data.get("calendar", []), None)
        names = data.get("inputs", ["load", "heat"])
        given.append((np.concatenate([rows[names].to_numpy()[-steps:], calendar[:steps]], axis=1), calendar))
    inputs = [np.stack([window for window, _ in given])]
    inputs += [np.stack([calendar[steps:] for _, calendar in given]).astype(np.float64)] if "calendar" in data else []
    inputs += [np.arange(2)] if "series" in data else []
    found = answers(tmp_path / "out" / "model.onnx", *inputs)[0]
    expected = bundle.predict(frame)["load"].to_numpy()
    np.testing.assert_allclose(found[..., 0].ravel(), expected, rtol=1e-5)
    assert np.ptp(expected) > 0
    drawn = bundle.export(tmp_path / "drawn")  # without rows to compare on
    assert not drawn.parity["model"].of_data


@pytest.mark.parametrize("season", slow_but([None, 3], None))
@pytest.mark.parametrize("kind", slow_but(["attention", "quantiles"], "quantiles"))
def test_a_loop_and_quantiles_go_on_from_the_rows_before(kind: str, season: int | None, tmp_path: Path) -> None:
    frame, steps = hourly_frame(300), 24 + (season or 24)
    data = {"transform": {"load": ["log", "seasonal_diff"]}, "season_steps": season}
    recipe = recipe_of(data) | ({"levels": [80], "intervals": "quantile"} if kind == "quantiles" else {})
    if kind == "attention":
        recipe["model"] = {"bridge": "attention", "encoder_units": [6], "decoder_units": [6]}
    elif season is not None:
        recipe["data"]["output_steps"] = season
    bundle = untrained(recipe, frame)
    exported(bundle, tmp_path / "out", frame=frame)
    found = answers(tmp_path / "out" / "model.onnx", frame[["load", "heat"]].to_numpy()[None, -steps:])[0][0, :, 0]
    found = found[..., found.shape[-1] // 2] if kind == "quantiles" else found
    np.testing.assert_allclose(found, bundle.predict(frame)["load"], rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"known_future": ["heat"], "transform": {"heat": "diff"}}, "heat is known ahead"),
        ({"missing": "mask", "transform": {"load": "diff"}}, "missing: mask the cells .* may be missing"),
        (
            {"series": "site", "short_series": "pad", "transform": {"load": "diff"}},
            "short_series: pad the cells .* may be missing",
        ),
    ],
)
def test_differences_that_a_graph_cannot_undo_are_refused(data: dict[str, Any], said: str, tmp_path: Path) -> None:
    bundle = untrained(recipe_of(data), hourly_frame(300, series=("a",)) if "series" in data else hourly_frame(300))
    with pytest.raises(ArgumentError, match=f"differences of .*{said}") as caught:
        bundle.export(tmp_path / "out")
    assert caught.value.code == "export_unsupported"


def test_keras_is_the_network_alone(tmp_path: Path) -> None:
    import keras

    bundle = untrained(recipe_of({}), hourly_frame(300))
    done = bundle.export(tmp_path / "network", format="keras")
    model = keras.saving.load_model(done.path)
    golden = bundle.golden()
    np.testing.assert_allclose(np.asarray(model(golden)), bundle.forward(golden), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("bridge", ["repeat", "attention"])
def test_a_saved_model_runs_in_tensorflow_alone(bridge: str, tmp_path: Path) -> None:
    recipe = recipe_of({"known_future": ["heat"]})
    recipe["model"] = {"bridge": bridge, "encoder_units": [5], "decoder_units": [5]}
    bundle = untrained(recipe, hourly_frame(300))
    done = bundle.export(tmp_path / "saved", format="saved_model")
    assert done.parity["serving_default"].relative <= 1e-5
    inputs, future = bundle.golden()[:2]
    np.savez(tmp_path / "given.npz", inputs=inputs, future=future, outputs=bundle.forward([inputs, future]))
    code = (
        "import sys, numpy, tensorflow as tf\n"
        "given = numpy.load('given.npz')\n"
        "serve = tf.saved_model.load('saved').signatures['serving_default']\n"
        "found = serve(inputs=tf.constant(given['inputs']), future=tf.constant(given['future']))['outputs']\n"
        "numpy.testing.assert_allclose(found, given['outputs'], atol=1e-5)\n"
        "assert 'seq2seq_kit' not in sys.modules\n"
    )
    run_alone(code, tmp_path)


def test_keras_needs_no_further_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [each for each in sys.modules if each.startswith("seq2seq_kit.exports.")]:
        monkeypatch.delitem(sys.modules, name)
    bundle = untrained(recipe_of({}), hourly_frame(300))
    assert bundle.export(tmp_path / "network", format="keras").path.name == "network.keras"


def test_a_format_is_one_that_there_is(tmp_path: Path) -> None:
    bundle: Any = untrained(recipe_of({}), hourly_frame(300))
    with pytest.raises(ArgumentError, match="format='pickle'"):
        bundle.export(tmp_path / "out", format="pickle")


def test_the_command_exports_a_run(forecast_run: Any, store: Path, tmp_path: Path, capsys: Any) -> None:
    from seq2seq_kit.cli import main

    arguments = ["export", forecast_run.run_id, "--out", str(tmp_path / "out"), "--tracking-uri", str(store)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "model:" in said
    assert "of the scale" in said
    assert f"wrote {tmp_path / 'out'}" in said
    assert (tmp_path / "out" / "model.onnx").stat().st_size < 30_000
    hourly_frame().to_csv(tmp_path / "rows.csv", index=False)
    assert (
        main([*arguments[:2], "--out", str(tmp_path / "m.onnx"), "--data", str(tmp_path / "rows.csv"), *arguments[-2:]])
        == 0
    )
    assert "of the run's data" in capsys.readouterr().out
