"""Exports that are opened again: the bundle's frames and messages, by ONNX Runtime alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from seq2seq_kit import load
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, BundleError, DataError
from seq2seq_kit.exports.graph_bytes import refuse_foreign_graph
from seq2seq_kit.exports.session import Network
from seq2seq_kit.tasks import open_job, parse_recipe
from seq2seq_kit.tasks.windows import WindowJob
from tests.conftest import (
    ROOT,
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    levelled_frame,
    next_step_recipe,
    reversed_words,
    slow_but,
    tag_values_recipe,
    translate_recipe,
    waves_frame,
    whole_recipe,
)
from tests.exports.bundled import answers, untrained
from tests.exports.running import randomise
from tests.tasks.classify.conftest import counted_frame, series_recipe, texts_recipe, words_frame

CLOSE: Any = {"rtol": 1e-4, "atol": 1e-4}


def attention() -> dict[str, Any]:
    recipe = forecast_recipe(inputs=["load"], targets=["load"])
    recipe["model"] = {"bridge": "attention", "encoder_units": [6], "decoder_units": [6]}
    return recipe


CASES: dict[str, tuple[Callable[[], dict[str, Any]], pd.DataFrame, tuple[str, ...]]] = {
    "forecast": (forecast_recipe, hourly_frame(300), ("predict",)),
    "attention": (attention, hourly_frame(300), ("predict",)),
    "autoencode": (autoencode_recipe, hourly_frame(200), ("encode", "reconstruct", "score")),
    "next_step": (next_step_recipe, hourly_frame(200), ("predict",)),
    "whole": (whole_recipe, waves_frame(30), ("encode", "reconstruct", "score")),
    "tag_values": (tag_values_recipe, levelled_frame(), ("predict",)),
    "translate": (translate_recipe, reversed_words(), ("predict",)),
    "classify_texts": (texts_recipe, words_frame(40), ("predict",)),
    "classify_series": (series_recipe, counted_frame(40), ("predict",)),
}


@pytest.mark.parametrize("name", slow_but(CASES, "forecast", "tag_values"))
def test_an_export_answers_as_the_bundle_does(name: str, tmp_path: Path) -> None:
    recipe, frame, verbs = CASES[name]
    bundle = untrained(recipe(), frame)
    bundle.export(tmp_path / "out", frame=frame)
    opened = load(tmp_path / "out")
    assert type(opened) is type(bundle)
    assert isinstance(opened.model, Network)
    for verb in verbs:
        pd.testing.assert_frame_equal(getattr(opened, verb)(frame), getattr(bundle, verb)(frame), **CLOSE)
    assert "exported" in repr(opened)
    read = recipe()["data"]
    wrong = frame.rename(columns={read["inputs"][0] if "inputs" in read else frame.columns[0]: "another"})
    with pytest.raises(DataError) as by_bundle:
        getattr(bundle, verbs[0])(wrong)
    with pytest.raises(DataError) as by_export:
        getattr(opened, verbs[0])(wrong)
    assert str(by_export.value) == str(by_bundle.value)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported forecast, and beside it the rows it was compared on."""
    folder, frame = tmp_path_factory.mktemp("exported"), hourly_frame(400)
    recipe = forecast_recipe() | {"levels": [80]}
    bundle = untrained(recipe, frame)
    job = open_job(parse_recipe(recipe), frame).seen_by(bundle)
    assert isinstance(job, WindowJob)
    bundle = bundle.fit_intervals(job.prepared, [80])
    bundle.export(folder / "out", frame=frame)
    bundle.predict(frame).to_csv(folder / "expected.csv", index=False)
    frame.to_csv(folder / "rows.csv", index=False)
    return folder


# As an environment where none of them is installed.
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocked())
"""
HEAVY = (
    *("tensorflow", "keras", "keras_tuner", "mlflow", "matplotlib", "plotly", "scipy", "sklearn", "onnx"),
    *("h5py", "tensorboard"),
)


@pytest.mark.slow
def test_no_tensorflow_is_needed_to_answer(exported: Path) -> None:
    words = ["predict", str(exported / "out"), "--data", str(exported / "rows.csv"), "--out", str(exported / "got.csv")]
    paths = [*words[:-1], str(exported / "paths.csv"), "--samples", "20"]
    code = f"{BLOCKED.format(blocked=HEAVY)}\nfrom seq2seq_kit.cli.main import main\nsys.exit(main({words!r}) or main({paths!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(exported / "paths.csv")["sample"].max() == 20
    pd.testing.assert_frame_equal(pd.read_csv(exported / "got.csv"), pd.read_csv(exported / "expected.csv"), **CLOSE)


@pytest.mark.slow
def test_an_absent_runtime_is_told(exported: Path) -> None:
    words = ["predict", str(exported / "out"), "--data", str(exported / "rows.csv")]
    code = (
        f"{BLOCKED.format(blocked=('onnxruntime',))}\nfrom seq2seq_kit.cli.main import main\nsys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error[missing_package]" in done.stderr
    assert "pip install onnxruntime" in done.stderr


def test_the_folder_says_what_it_needs(exported: Path) -> None:
    lines = (exported / "out" / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in lines} >= {"numpy", "pandas", "onnxruntime"}
    assert f"numpy=={np.__version__}" in lines


def copied(exported: Path, folder: Path) -> Path:
    return Path(shutil.copytree(exported / "out", folder / "copy"))


def sealed(folder: Path) -> None:
    """Gives changed files the digests that they have: what a stranger would do."""
    head = json.loads((folder / "export.json").read_text())
    head["sha256"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in head["sha256"]}
    (folder / "export.json").write_text(json.dumps(head))


@pytest.mark.parametrize("name", ["network.onnx", "state.json", "arrays.npz", "golden.npz", "recipe.yaml"])
def test_a_damaged_or_absent_file_is_told(name: str, exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-7])
    with pytest.raises(BundleError, match=f"{name} is damaged") as caught:
        load(folder)
    assert caught.value.code == "bundle_damaged"
    sealed(folder)
    with pytest.raises(BundleError):
        load(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"lacks {name}"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"kind": "seq2seq_kit export", "format": true}'])
def test_a_head_that_is_none_is_told(content: bytes, exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path)
    (folder / "export.json").write_bytes(content)
    with pytest.raises(BundleError, match="damaged or foreign"):
        load(folder)


def changed_head(folder: Path, **changes: Any) -> None:
    head = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps(head | changes))


def test_what_only_other_runtimes_run_is_told(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path)
    changed_head(folder, format=99)
    with pytest.raises(BundleError) as newer:
        load(folder)
    assert newer.value.code == "bundle_too_new"
    head = json.loads((exported / "out" / "export.json").read_text())
    changed_head(folder, format=1, programs={"model": head["programs"]["model"]})
    with pytest.raises(BundleError, match="no graph `network`") as alone:
        load(folder)
    assert alone.value.code == "export_not_runnable"
    outside = {"network": head["programs"]["network"] | {"file": "../out/network.onnx"}}
    changed_head(folder, programs=outside)
    with pytest.raises(BundleError, match="no name of a file"):
        load(folder)


def graph_with(**changes: Any) -> Any:
    """A small graph: y = x + w."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=changes.get("domain", ""))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([node], "small", ports[:1], ports[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_operations_and_data_from_elsewhere_are_refused() -> None:
    refuse_foreign_graph(graph_with().SerializeToString())
    with pytest.raises(ValueError, match=r"com\.microsoft"):
        refuse_foreign_graph(graph_with(domain="com.microsoft").SerializeToString())
    outside = graph_with()
    outside.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "w"))
    onnx.external_data_helper.set_external_data(outside.graph.initializer[0], location="/etc/passwd")
    with pytest.raises(ValueError, match="another file"):
        refuse_foreign_graph(outside.SerializeToString())
    hidden = graph_with()  # inside an attribute of a node
    constant = helper.make_node("Constant", [], ["c"], value=outside.graph.initializer[0])
    hidden.graph.node.append(constant)
    with pytest.raises(ValueError, match="another file"):
        refuse_foreign_graph(hidden.SerializeToString())
    named = graph_with()
    named.functions.append(helper.make_function("own", "f", [], [], [], []))
    with pytest.raises(ValueError, match="functions of its own"):
        refuse_foreign_graph(named.SerializeToString())


@pytest.mark.parametrize("field", [5, 7])
def test_a_field_whose_number_the_runtime_would_cut_is_refused(field: int) -> None:
    """A tag of 33 bits: another field to a reader of large numbers, the node's domain to one of 32 bits."""
    tag, content = (field << 3 | 2) + (1 << 32), b"hidden"
    varint = b""
    while tag:
        varint += bytes([tag & 127 | (128 if tag > 127 else 0)])
        tag >>= 7
    with pytest.raises(ValueError, match="damaged"):
        refuse_foreign_graph(graph_with().SerializeToString() + varint + bytes([len(content)]) + content)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_refused_or_read(seed: int) -> None:
    content, rng = bytearray(graph_with().SerializeToString()), np.random.default_rng(seed)
    for place in rng.integers(0, len(content), 3):
        content[place] = rng.integers(0, 256)
    with suppress(ValueError):
        Network(bytes(content[: rng.integers(1, len(content) + 1)]))


def test_what_needs_the_keras_model_is_refused(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = load(exported / "out")
    with pytest.raises(ArgumentError, match="no Keras model") as caught:
        opened.export(tmp_path / "again")
    assert caught.value.code == "needs_tensorflow"
    with pytest.raises(ArgumentError, match=r"takes an array of shape \(None, "):
        opened.forward([np.zeros((2, 3, 1), np.float32)])
    assert main(["encode", str(exported / "out"), "--data", str(exported / "rows.csv")]) == 2
    assert "error[not_supported]" in capsys.readouterr().err


@pytest.mark.slow
def test_an_export_is_calibrated_and_updated_and_is_an_export_again(exported: Path, tmp_path: Path) -> None:
    """Without TensorFlow, as beside a meter: intervals move with the actual values, a detector learns what is usual there."""
    rows = hourly_frame(700).iloc[400:]  # after those of the training
    calm, later = rows.iloc[:280], rows
    for name, each in (("calm", calm), ("later", later)):
        each.to_csv(tmp_path / f"{name}.csv", index=False)
    watched = hourly_frame(400)
    untrained(autoencode_recipe(), watched).export(tmp_path / "watched", frame=watched)
    watched.to_csv(tmp_path / "watched.csv", index=False)
    run, out = str(exported / "out"), lambda name: str(tmp_path / name)
    commands = [
        ["calibrate", run, "--levels", "50", "90", "--data", out("calm.csv"), "--out", out("fitted")],
        ["predict", out("fitted"), "--data", out("calm.csv"), "--out", out("forecasts.csv")],
        [
            "update",
            out("fitted"),
            "--forecasts",
            out("forecasts.csv"),
            "--data",
            out("later.csv"),
            "--out",
            out("moved"),
        ],
        [
            "detect",
            out("watched"),
            "--data",
            out("watched.csv"),
            "--calibrate",
            out("watched.csv"),
            "--save",
            out("kept"),
        ],
        ["detect", out("kept"), "--data", out("watched.csv")],
        ["watch", out("moved"), "--data", out("later.csv"), "--reference", out("calm.csv"), "--save", out("seen")],
        ["predict", out("seen"), "--data", out("later.csv"), "--out", out("moved.csv")],
    ]
    heavy = tuple(name for name in HEAVY if name != "scipy")  # which fits the tail of the errors
    code = f"{BLOCKED.format(blocked=heavy)}\nfrom seq2seq_kit.cli.main import main\nsys.exit(any(map(main, {commands!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fitted, moved = load(out("fitted")), load(out("moved"))
    first, second = fitted.predict(later), moved.predict(later)
    assert [str(name) for name in first if "90" in str(name)] == ["load_lo_90", "load_hi_90"]
    np.testing.assert_allclose(first["load"], second["load"])
    assert not np.allclose(first["load_hi_50"], second["load_hi_50"])
    pd.testing.assert_frame_equal(pd.read_csv(out("moved.csv"))[["load_hi_50"]], second[["load_hi_50"]], **CLOSE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_export_is_saved_whole_or_not_at_all(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path)
    opened = load(folder)
    assert opened.save(tmp_path / "saved") == tmp_path / "saved"
    for path in folder.iterdir():
        if path.suffix == ".onnx":
            assert (tmp_path / "saved" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(BundleError, match="exists already"):
        opened.save(tmp_path / "saved")
    for impossible in (tmp_path / "saved" / "export.json" / "x", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(BundleError) as caught:
            opened.save(impossible)
        assert caught.value.code == "export_not_written"
    (folder / "network.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"network\.onnx is damaged"):
        opened.save(tmp_path / "again")
    frame = hourly_frame(400)
    shutil.rmtree(folder)
    for written_anew in (False, True):
        if written_anew:
            untrained(forecast_recipe(), frame).export(folder, frame=frame)
        with pytest.raises(BundleError, match="not the export any more that was opened"):
            opened.save(tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "saved"]


def test_a_hostile_name_of_a_file_is_refused_before_anything_is_written(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path)
    head = json.loads((folder / "export.json").read_text())
    for name in ("a/b", "../b", "", "a\0b"):
        changed_head(folder, sha256=head["sha256"] | {name: "0"})
        with pytest.raises(BundleError, match="no name of a file") as caught:
            load(folder)
        assert caught.value.code == "bundle_damaged"


def test_an_export_is_saved_from_another_folder_and_through_links(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As caches of models keep files."""
    (tmp_path / "linked").mkdir()
    for path in (exported / "out").iterdir():
        (tmp_path / "linked" / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    opened = load("linked")
    monkeypatch.chdir(exported)
    opened.save(tmp_path / "saved")
    assert not any(path.is_symlink() for path in (tmp_path / "saved").iterdir())
    frame = pd.read_csv(exported / "rows.csv")
    pd.testing.assert_frame_equal(load(tmp_path / "saved").predict(frame), opened.predict(frame))


TRANSLATORS: dict[str, tuple[dict[str, Any], int, str]] = {
    "attention": ({"bridge": "attention", "pyramid": 2, "encoder_units": [6, 5], "decoder_units": [6, 5]}, 1, ""),
    "state": ({"bridge": "state", "cell": "gru", "embedding_dim": 4}, 1, ""),
    "means": ({"bridge": "attention"}, 2, "mean"),
    "medians": ({"bridge": "state"}, 3, "median"),
}


@pytest.mark.parametrize("name", slow_but(TRANSLATORS, "state"))
def test_an_exported_translator_searches_as_the_bundle_does(name: str, tmp_path: Path) -> None:
    from seq2seq_kit.models.ensemble import join_members

    words, (given, members, combine) = reversed_words(), TRANSLATORS[name]
    bundle = untrained(translate_recipe(**given), words)

    def member(seed: int) -> Any:
        model = randomise(bundle.model.__class__.from_config(bundle.model.get_config()), seed=seed)
        bias = model.get_layer("output").bias
        bias.assign(bias - 2.0 * (np.arange(bias.shape[0]) == 0))  # otherwise most outputs end before they begin
        return model

    models = [member(seed) for seed in range(members)]
    bundle = replace(bundle, model=join_members(models, combine, logits=True) if combine else models[0])
    done = bundle.export(tmp_path / "out", frame=words)
    assert {"model", "network"} <= set(done.parity)
    opened: Any = load(tmp_path / "out")
    assert isinstance(opened.model, Network)
    for beams in (1, 2, 5):
        expected = bundle.predict(words, beams=beams)
        assert expected.iloc[:, 1].str.len().max() > 1
        pd.testing.assert_frame_equal(opened.predict(words, beams=beams), expected, **CLOSE)
    own, other = (each.with_beams(3).evaluate(words).table() for each in (bundle, opened))
    pd.testing.assert_frame_equal(other, own, **CLOSE)

    # One file is the whole translator.
    bundle.export(tmp_path / "whole.onnx", frame=words)
    source = np.array([bundle.source_vocabulary.numbers(list("abc"))], np.int32)
    tokens, score = answers(tmp_path / "whole.onnx", source, np.array([2]))
    expected = bundle.predict("abc", beams=2)
    assert bundle.target_vocabulary.text([each for each in tokens[0, 0].tolist() if each]) == expected.iloc[0, 1]
    np.testing.assert_allclose(score[0, 0], expected["score"].iloc[0], **CLOSE)


@pytest.mark.slow
def test_large_scores_of_attention_differ_by_no_more_than_rounding(tmp_path: Path) -> None:
    """As after a training: two large scores that are almost the same share the attention by their last digits."""
    words = reversed_words()
    bundle = untrained(translate_recipe(bridge="attention", encoder_units=[32], decoder_units=[32]), words)
    keys = bundle.model.get_layer("attention_keys").kernel
    keys.assign(keys * 3000)
    done = bundle.export(tmp_path / "out", frame=words)
    step = done.parity["step"]
    assert 1e-5 < step.relative <= 4 * step.rounding
    assert "rounded in their last digit" in str(step)
    assert done.parity["encoder"].rounding == 0
    assert json.loads((tmp_path / "out" / "export.json").read_text())["programs"]["step"]["parity"]["rounding"] > 0


def test_a_translator_that_was_exported_without_its_search_is_run_elsewhere(tmp_path: Path) -> None:
    """As exports were before they had one."""
    words = reversed_words()
    recipe = translate_recipe(bridge="attention", encoder_units=[6], decoder_units=[6])
    untrained(recipe, words).export(tmp_path / "out", frame=words)
    head = json.loads((tmp_path / "out" / "export.json").read_text())
    for name in ("model", "network"):
        del head["programs"][name]
    (tmp_path / "out" / "export.json").write_text(json.dumps(head))
    with pytest.raises(BundleError) as caught:
        load(tmp_path / "out")
    assert caught.value.code == "export_not_runnable"


@pytest.mark.slow
def test_a_search_that_is_not_the_models_own_is_refused(tmp_path: Path) -> None:
    words = reversed_words()
    recipe = translate_recipe(bridge="attention", embedding_dim=4)
    made = untrained(recipe, words)
    made.export(tmp_path / "out", frame=words)
    other = untrained(recipe, words)
    randomise(other.model, seed=1)
    other.export(tmp_path / "other", frame=words)

    def changed(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "out", tmp_path / name))

    swapped = changed("swapped")
    shutil.copyfile(tmp_path / "other" / "model.onnx", swapped / "model.onnx")
    sealed(swapped)
    with pytest.raises(BundleError, match="`model` answers its golden input differently"):
        load(swapped)
    for file in ("network.onnx", "encoder.onnx"):
        folder = changed(f"is_{file}")
        shutil.copyfile(folder / file, folder / "model.onnx")
        sealed(folder)
        with pytest.raises(BundleError) as caught:
            load(folder)
        assert caught.value.code in ("bundle_damaged", "golden_output_differs")
    # Golden answers of the stranger's own make no difference.
    for name, source in (("one_input", "encoder"), ("no_search", "network")):
        folder = changed(name)
        shutil.copyfile(folder / f"{source}.onnx", folder / "model.onnx")
        golden = dict(np.load(folder / "golden.npz"))
        own = {key.replace(source, "model", 1): each for key, each in golden.items() if key.startswith(f"{source}_")}
        golden = {key: each for key, each in golden.items() if not key.startswith("model_")} | own
        np.savez(folder / "golden.npz", **golden)
        sealed(folder)
        with pytest.raises(BundleError, match="its search must have the shapes and types"):
            load(folder)
    longer = changed("longer")
    state = json.loads((longer / "state.json").read_text())
    (longer / "state.json").write_text(json.dumps(state | {"output_steps": state["output_steps"] + 1}))
    sealed(longer)
    with pytest.raises(BundleError, match="its search must have the shapes"):
        load(longer)
    # A vocabulary of the sources with more tokens than the graph has: it is not asked before a text has one of them.
    more = changed("more")
    level, tokens = state["source_vocabulary"]
    (more / "state.json").write_text(json.dumps(state | {"source_vocabulary": [level, [*tokens, "\u00e6"]]}))
    sealed(more)
    with pytest.raises(BundleError, match="cannot run a graph of the export"):
        load(more).predict(pd.DataFrame({"word": ["\u00e6"]}))
