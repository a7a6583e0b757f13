"""A bundle on disk is written whole or not at all, and what is damaged, foreign or hostile is refused by name."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.bundles import files as bundle_files
from seq2seq_kit.bundles.files import write_bundle
from seq2seq_kit.errors import BundleError
from tests.conftest import hourly_frame
from tests.untyped import TrainResult, read_bundle

FILES = ["recipe.yaml", "state.json", "arrays.npz", "model.keras"]


@pytest.fixture(scope="module")
def saved(forecast_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle; tests damage copies of it."""
    return forecast_run.bundle.save(tmp_path_factory.mktemp("saved") / "bundle")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "bundle"))


def vouch_for(folder: Path) -> None:
    """Writes the digests of the present files into the head, as an attacker would."""
    head = json.loads((folder / "bundle.json").read_text())
    head["sha256"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    (folder / "bundle.json").write_text(json.dumps(head))


def change_head(folder: Path, **keys: Any) -> None:
    """Replaces keys of `bundle.json`."""
    head = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(head | keys))


def change_state(folder: Path, **keys: Any) -> None:
    """Replaces keys of `state.json`, with its digest."""
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | keys))
    vouch_for(folder)


def change_config(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edits the configuration inside the `.keras` file, with its digest."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    vouch_for(folder)


def leftovers(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


def test_what_loads_is_what_was_saved(forecast_run: TrainResult, saved: Path) -> None:
    loaded = read_bundle(saved)
    assert loaded.recipe == forecast_run.recipe
    assert loaded.info == forecast_run.bundle.info
    assert [peer.name for peer in loaded.baselines] == [peer.name for peer in forecast_run.bundle.baselines]
    frame = hourly_frame()
    np.testing.assert_array_equal(loaded.predict(frame)["load"], forecast_run.bundle.predict(frame)["load"])
    own, again = forecast_run.bundle.evaluate(frame).table(), loaded.evaluate(frame).table()
    np.testing.assert_allclose(again["rmse"], own["rmse"], rtol=1e-6)
    np.testing.assert_allclose(again["mase"], own["mase"], rtol=1e-6)


def test_a_bundle_is_five_files_and_no_pickle(saved: Path) -> None:
    assert leftovers(saved) == sorted(["bundle.json", *FILES])
    with np.load(saved / "arrays.npz", allow_pickle=False) as arrays:
        assert "golden_output" in arrays.files
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_an_optimizer_does_not_travel(saved: Path) -> None:
    with zipfile.ZipFile(saved / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert not config.get("compile_config")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found_in_each_file(folder: Path, name: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is damaged: .*Copy the bundle again") as caught:
        read_bundle(folder)
    assert caught.value.code == "bundle_damaged"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_lacking_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"lacks {name}; copy the whole folder again"):
        read_bundle(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "kind": "something else"}', '{"format": null}'])
def test_a_head_that_is_damaged_or_foreign_is_named(folder: Path, text: str) -> None:
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"bundle\.json is damaged or foreign"):
        read_bundle(folder)


def test_a_head_of_bytes_that_are_no_text_is_named(folder: Path) -> None:
    (folder / "bundle.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match=r"bundle\.json is damaged or foreign"):
        read_bundle(folder)


@pytest.mark.parametrize("lost", ["versions", "info", "sha256"])
def test_a_head_without_a_key_is_damaged(folder: Path, lost: str) -> None:
    head = json.loads((folder / "bundle.json").read_text())
    del head[lost]
    (folder / "bundle.json").write_text(json.dumps(head))
    # Versions are only looked at when the golden output is off; make it so.
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["golden_output"] = arrays["golden_output"] + 1
    np.savez(folder / "arrays.npz", **arrays)
    if lost != "sha256":
        vouch_for(folder)
    with pytest.raises(BundleError, match=r"damaged or foreign|differently than when it was saved"):
        read_bundle(folder)


def test_a_foreign_folder_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(BundleError, match=r"photos is not a bundle: it has no bundle\.json") as caught:
        read_bundle(tmp_path / "photos")
    assert caught.value.code == "bundle_missing"


def test_a_newer_format_asks_for_a_newer_kit(folder: Path) -> None:
    change_head(folder, format=99)
    with pytest.raises(BundleError, match=r"format 99; this kit reads up to 1\. Install a newer seq2seq-kit") as caught:
        read_bundle(folder)
    assert caught.value.code == "bundle_too_new"


def add_a_setting(config: dict[str, Any]) -> None:
    next(layer for layer in config["config"]["layers"] if layer["class_name"] == "LSTM")["config"]["of_later"] = None


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("99.0.1", "bundle_too_new"),
        ("3.9.2", "bundle_damaged"),
        ("99.0; rm -rf /", "bundle_damaged"),
        ([], "bundle_damaged"),
    ],
)
def test_settings_of_a_newer_keras_ask_for_that_keras(folder: Path, release: object, code: str) -> None:
    change_config(folder, add_a_setting)
    change_head(folder, versions=json.loads((folder / "bundle.json").read_text())["versions"] | {"keras": release})
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert caught.value.code == code
    assert ("pip install 'keras==99.0.1'" in str(caught.value)) == (code == "bundle_too_new")
    assert "rm -rf" not in str(caught.value)


@pytest.mark.parametrize("key", ["scaler", "baselines", "naive", "golden_inputs"])
def test_a_state_of_another_shape_is_refused(folder: Path, key: str) -> None:
    change_state(folder, **{key: {"surprise": ["!"]}})
    with pytest.raises(BundleError, match=r"bundle"):
        read_bundle(folder)


def test_a_recipe_with_an_unknown_key_is_refused(folder: Path) -> None:
    with (folder / "recipe.yaml").open("a") as file:
        file.write("surprise: 1\n")
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"surprise +unknown key"):
        read_bundle(folder)


def test_a_pickle_among_the_arrays_is_refused(folder: Path) -> None:
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["golden_output"] = np.array([{"code": "!"}], dtype=object)
    np.savez(folder / "arrays.npz", **arrays)
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"golden_output\.npy announces .* of object"):
        read_bundle(folder)


def test_arrays_that_are_a_bare_pickle_are_refused(folder: Path) -> None:
    np.array([{"code": "!"}], dtype=object).dump(folder / "arrays.npz")
    vouch_for(folder)
    with pytest.raises(BundleError, match="not a zip file"):
        read_bundle(folder)


def test_arrays_that_are_no_archive_are_refused(folder: Path) -> None:
    (folder / "arrays.npz").write_bytes(b"PK\x03\x04 and nothing more")
    vouch_for(folder)
    with pytest.raises(BundleError, match="is not a bundle of this kit"):
        read_bundle(folder)


def test_a_lambda_layer_is_refused(folder: Path, tmp_path: Path) -> None:
    inputs = keras.Input((24, 6))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x[:, :6, :1])(inputs))
    model.save(folder / "model.keras")
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"names the classes .*Lambda.*Not loaded") as caught:
        read_bundle(folder)
    assert caught.value.code == "bundle_foreign"


def test_a_class_of_another_module_is_refused(folder: Path) -> None:
    def foreign(config: dict[str, Any]) -> None:
        config["config"]["layers"][1] |= {"module": "os", "class_name": "LSTM", "registered_name": None}

    change_config(folder, foreign)
    with pytest.raises(BundleError, match=r"names the classes os\.LSTM, .*Not loaded"):
        read_bundle(folder)


def test_a_registered_name_is_no_way_in(folder: Path) -> None:
    change_config(folder, lambda config: config["config"]["layers"][1].update(registered_name="evil>LSTM"))
    with pytest.raises(BundleError, match=r"names the classes evil>LSTM"):
        read_bundle(folder)


def test_a_layer_of_keras_that_the_kit_never_uses_is_refused(folder: Path) -> None:
    change_config(folder, lambda config: config["config"]["layers"][1].update(class_name="TorchModuleWrapper"))
    with pytest.raises(BundleError, match="names the classes TorchModuleWrapper"):
        read_bundle(folder)


def test_another_member_in_the_model_file_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.keras", "a") as archive:
        archive.writestr("assets/run_me.py", "print('!')")
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"model\.keras holds assets/run_me\.py; expected only config\.json"):
        read_bundle(folder)


def test_a_configuration_that_would_fill_memory_is_refused(folder: Path) -> None:
    change_config(folder, lambda config: config.update(padding=" " * 5_000_000))
    with pytest.raises(BundleError, match="configuration is larger than 4000000 bytes"):
        read_bundle(folder)


def test_a_model_whose_output_stands_in_a_list_is_refused(folder: Path) -> None:
    change_config(folder, lambda config: config["config"].update(output_layers=[config["config"]["output_layers"]]))
    with pytest.raises(BundleError, match=r"must give one array, not list of arrays") as caught:
        read_bundle(folder)
    assert caught.value.code == "bundle_damaged"


def test_a_model_that_is_no_archive_is_refused(folder: Path) -> None:
    (folder / "model.keras").write_bytes(b"weights")
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"model\.keras is not a model of this kit: File is not a zip file"):
        read_bundle(folder)


def test_a_model_without_a_configuration_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"model\.keras is not a model of this kit"):
        read_bundle(folder)


def test_a_golden_output_that_does_not_match_is_told_with_the_versions(folder: Path) -> None:
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["golden_output"] = arrays["golden_output"] + 0.5
    np.savez(folder / "arrays.npz", **arrays)
    vouch_for(folder)
    with pytest.raises(BundleError, match=r"off by 0\.5, expected at most 0\.001\)\. No version changed"):
        read_bundle(folder)
    change_head(folder, versions=bundle_files.versions() | {"keras": "3.0.0"})
    with pytest.raises(BundleError, match=r"Versions changed: keras 3\.0\.0 -> "):
        read_bundle(folder)


def test_a_golden_input_of_another_shape_is_refused(folder: Path) -> None:
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["golden_input_0"] = arrays["golden_input_0"][:, :3]
    np.savez(folder / "arrays.npz", **arrays)
    vouch_for(folder)
    with pytest.raises(BundleError, match="does not take its own golden input"):
        read_bundle(folder)


def test_a_folder_that_exists_is_not_written_to(forecast_run: TrainResult, tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "letter.txt").write_text("mine")
    with pytest.raises(BundleError, match="taken exists already"):
        forecast_run.bundle.save(target)
    assert leftovers(target) == ["letter.txt"]
    assert leftovers(tmp_path) == ["taken"]


def test_a_failed_write_leaves_no_folder(
    forecast_run: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", refuse)
    with pytest.raises(BundleError, match=r"could not write the bundle to .*No space left on device.*MB free there"):
        forecast_run.bundle.save(tmp_path / "bundle")
    assert leftovers(tmp_path) == []


def test_any_error_while_writing_leaves_no_folder(
    forecast_run: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        forecast_run.bundle.save(tmp_path / "bundle")
    assert leftovers(tmp_path) == []


def test_a_file_in_the_way_of_the_folder_is_told(forecast_run: TrainResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"could not write the bundle to .*file/bundle"):
        write_bundle(forecast_run.bundle, tmp_path / "file" / "bundle")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 48 kB, less than a bundle; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine does not let root mount: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("filled", [0, 20_000, 40_000, 48_000])
def test_a_full_disk_leaves_nothing_behind(forecast_run: TrainResult, small_disk: Path, filled: int) -> None:
    (small_disk / "other").write_bytes(b"0" * filled)
    with pytest.raises(BundleError, match=r"could not write the bundle to .*Nothing was left there"):
        forecast_run.bundle.save(small_disk / "bundle")
    assert leftovers(small_disk) == ["other"]


def test_a_disk_that_is_read_only_is_told(forecast_run: TrainResult, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BundleError, match="Read-only file system"):
        forecast_run.bundle.save(small_disk / "bundle")
    assert leftovers(small_disk) == []


def test_compressed_arrays_are_refused_because_they_could_unfold_into_any_size(
    forecast_run: TrainResult, tmp_path: Path
) -> None:
    folder = forecast_run.bundle.save(tmp_path / "bundle")
    np.savez_compressed(folder / "arrays.npz", zeros=np.zeros(1_000_000))
    head = json.loads((folder / "bundle.json").read_text())
    head["sha256"]["arrays.npz"] = sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(head))
    with pytest.raises(BundleError, match=r"arrays\.npz is compressed"):
        read_bundle(folder)
