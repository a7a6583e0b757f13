"""Small real things that many tests need: a frame with a pattern, recipes that train in a second, trained runs."""

import gc
import os
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # processes that share the cores: one thread each beats two that wait for each other
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from seq2seq_kit.results import TrainResult
from seq2seq_kit.resuming import resume
from seq2seq_kit.runs import train

pytest_plugins = ["tests.slow"]
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job is born deaf to Ctrl-C, and so would be all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
gc.disable()  # until all tests are collected, see `pytest_collection_finish`
ROOT = Path(__file__).parent.parent
# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def hourly_frame(rows: int = 600, *, series: tuple[str, ...] = ("",), seed: int = 0) -> pd.DataFrame:
    """Hours with a daily wave, a weekend dip and noise: `load` to forecast, `heat` beside it; long format by `site`."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    frames = []
    for offset, name in enumerate(series):
        wave = 100 + 20 * offset + 30 * np.sin(2 * np.pi * (times.hour - 6) / 24) - 15 * (times.day_of_week >= 5)
        load = np.asarray(wave) + rng.normal(scale=3, size=rows)
        heat = 10 + 5 * np.cos(2 * np.pi * np.asarray(times.hour) / 24) + rng.normal(scale=0.5, size=rows)
        frames.append(pd.DataFrame({"time": times, "site": name, "load": load, "heat": heat}))
    frame = pd.concat(frames, ignore_index=True)
    return frame if series != ("",) else frame.drop(columns="site")


def forecast_recipe(**data: Any) -> dict[str, Any]:
    """A forecast of `load` 24 -> 6 that trains in about a second; keywords replace keys of the data section."""
    section = {
        "time": "time",
        "every": "1h",
        "inputs": ["load", "heat"],
        "targets": ["load"],
        "calendar": ["hour", "weekend"],
        "input_steps": 24,
        "output_steps": 6,
    }
    return {
        "task": "forecast",
        "name": "small_forecast",
        "data": section | data,
        "model": {"encoder_units": [8], "decoder_units": [8], "normalise": "none", "linear_skip": False},
        "training": {"learning_rate": 0.01, "batch_size": 64, "epochs": 3},
    }


def autoencode_recipe(**data: Any) -> dict[str, Any]:
    """An autoencoder of days of `load` and `heat` through a latent vector of 4."""
    section = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "input_steps": 24}
    return {
        "task": "autoencode",
        "name": "small_autoencode",
        "data": section | data,
        "model": {"encoder_units": [8], "decoder_units": [8], "latent_dim": 4},
        "training": {"learning_rate": 0.01, "batch_size": 64, "epochs": 3},
    }


def next_step_recipe(**data: Any) -> dict[str, Any]:
    """A next-step forecast of `load` and `heat` that trains in a few seconds."""
    section = {
        "framing": "next_step",
        "time": "time",
        "every": "1h",
        "inputs": ["load", "heat"],
        "calendar": ["hour"],
        "input_steps": 24,
        "output_steps": 6,
    }
    return {
        "task": "forecast",
        "name": "small_next_step",
        "data": section | data,
        "model": {"units": [8]},
        "training": {"learning_rate": 0.02, "batch_size": 4, "epochs": 4},
    }


def whole_recipe(**data: Any) -> dict[str, Any]:
    """An autoencoder of whole sequences of `x` and `y` by `name` through a latent vector of 4."""
    section = {"framing": "whole", "series": "name", "inputs": ["x", "y"], "split": {"val": 0.2, "test": 0.2}}
    return {
        "task": "autoencode",
        "name": "small_whole",
        "data": section | data,
        "model": {"encoder_units": [8], "decoder_units": [8], "latent_dim": 4},
        "training": {"learning_rate": 0.02, "batch_size": 16, "epochs": 4},
    }


def waves_frame(sequences: int = 80, *, seed: int = 0) -> pd.DataFrame:
    """Sequences of 5 to 15 rows: `x` a piece of a wave, `y` a slope."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(sequences):
        steps = int(rng.integers(5, 16))
        place, slope = rng.uniform(0, 6) + np.arange(steps) / 4, rng.normal()
        noise = rng.normal(scale=0.05, size=(2, steps))
        x, y = 10 + 3 * np.sin(place) + noise[0], slope * np.arange(steps) + noise[1]
        frames.append(pd.DataFrame({"name": f"w{number}", "x": x, "y": y}))
    return pd.concat(frames, ignore_index=True)


def stand_ins(name: str, folder: Path) -> dict[str, Any]:
    """Files of the same form for the recipes whose own ones are public, but not ours to ship; none for the others."""
    rng = np.random.default_rng(0)
    if name == "forecast_etth1":
        frame = pd.DataFrame(
            rng.normal(size=(14_400, 7)), columns=["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
        )
        frame.insert(0, "date", pd.date_range("2016-07-01", periods=len(frame), freq="h"))
        frame.to_csv(folder / "stand_in.csv", index=False)
        return {"data.source": str(folder / "stand_in.csv")}
    if name == "forecast_m4_hourly":
        frame = pd.DataFrame({"series": np.repeat([f"H{number}" for number in range(6)], 800)})
        frame["value"] = 10.0 ** np.repeat(np.arange(6), 800) * rng.uniform(1, 2, size=len(frame))
        frame.to_csv(folder / "stand_in.csv", index=False)
        return {"data.source": str(folder / "stand_in.csv")}
    if name == "detect_taxi":
        times = pd.date_range("2014-07-01", periods=4_000, freq="30min")
        frame = pd.DataFrame({"timestamp": times, "value": rng.normal(15_000, 5_000, size=len(times))})
        frame.to_csv(folder / "stand_in.csv", index=False)
        return {"data.source": str(folder / "stand_in.csv")}
    if name == "tag_speech":
        words = [f"{word}\t{label}" for word, label in zip("abcdefgh" * 60, ["X", "Y", "Z", "Y"] * 120, strict=True)]
        text = "\n\n".join("\n".join(words[first : first + 4 + first % 3]) for first in range(0, 470, 5))
        (folder / "stand_in.tsv").write_text(text)
        return {"data.source": str(folder / "stand_in.tsv"), "data.test_source": str(folder / "stand_in.tsv")}
    return {}


@pytest.hookimpl(wrapper=True)
def _fail_alone() -> Iterator[Any]:
    """A Ctrl-C that reached the process of the tests fails the test that sent it, and does not end those that follow."""
    try:
        return (yield)
    except KeyboardInterrupt:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            raise
        pytest.fail("KeyboardInterrupt in the process of the tests")


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = _fail_alone


def pytest_collection_finish() -> None:
    """Garbage is looked for in what is new only: TensorFlow, MLflow and the tests are some million objects that stay."""
    import hypothesis  # noqa: F401  # asks the garbage collector who refers to what, when it is imported

    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # a trace makes a hundred thousand objects and throws most of them away
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def no_old_garbage() -> Iterator[None]:
    """What a file of tests leaves behind, runs of the session above all, is not looked through by those after it."""
    yield
    gc.collect()
    gc.freeze()


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Values for `parametrize`, of which all but `quick` are slow: many of a kind, the first of which tells the most."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


# A test of one of these waits for a training, a sweep, a server or a browser.
SLOW_FIXTURES = {
    *("result", "run", "runs", "found", "swept", "folded", "killed", "survivor", "replayed", "sweeps", "tracked"),
    *("server", "browser", "page", "saved", "trained", "in_memory", "by_groups"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what waits for one of `SLOW_FIXTURES`, or for what ends in `_run`, as slow; other slow tests say so themselves."""
    for item in items:
        given = getattr(getattr(item, "callspec", None), "params", {}).values()  # names of runs to ask `request` for
        names = [*getattr(item, "fixturenames", ()), *(value for value in given if isinstance(value, str))]
        if any(name in SLOW_FIXTURES or name.endswith("_run") for name in names):
            item.add_marker(pytest.mark.slow)
    # A process that began a file of slow tests last would keep all of us waiting.
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def no_second_answers() -> Iterator[None]:
    """MLflow loads every model that it logs and asks it again, to warn at most: in `tests/tracking` other processes ask them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_validate_serving_input", "validate_serving_input"):  # of MLflow since 3.13, and before
            patch.setattr(f"mlflow.models.utils.{name}", lambda *_, **__: None, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def copied_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow's fifty migrations run once: new stores after that are copies; in `tests/tracking` each is made."""
    from seq2seq_kit.tracking import making, store

    first = tmp_path_factory.mktemp("first") / "mlflow.db"

    def make(database: Path, artifacts: Path) -> None:
        if database.exists() or not first.exists():
            making.make_store(database, artifacts)
            if not first.exists():
                shutil.copy(database, first)
            return
        shutil.copy(first, database)
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE experiments SET artifact_location = ?", (f"{artifacts}/0",))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "make_store", make)
        yield


@pytest.fixture(autouse=True)
def own_place() -> Iterator[None]:
    """Where MLflow logs to is of each test by itself: `mlflow.set_tracking_uri` sets it for the process and its children."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    if os.environ.get("MLFLOW_TRACKING_URI") != before:
        import mlflow

        mlflow.set_tracking_uri(before or "")
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)


@contextmanager
def unseen() -> Iterator[None]:
    """Runs without figures and served models, which take longer than a small fit, for tests that look at neither."""
    from seq2seq_kit.tasks.job import Job
    from seq2seq_kit.tracking.record import RunRecord

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "draw", lambda *_: {})
        patch.setattr(RunRecord, "models", lambda *_: None)
        yield


def train_unseen(*given: Any, **more: Any) -> Any:
    """`train`, see `unseen`."""
    with unseen():
        return train(*given, **more)


def resume_unseen(*given: Any, **more: Any) -> Any:
    """`resume`, see `unseen`."""
    with unseen():
        return resume(*given, **more)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real MLflow store (SQLite and artifacts) that the session's runs share."""
    return tmp_path_factory.mktemp("store") / "mlruns"


@pytest.fixture(scope="session")
def forecast_run(store: Path) -> TrainResult:
    """A trained forecast, logged in `store` as the first run of an experiment that no other test logs to."""
    return train(forecast_recipe() | {"name": "first_forecast"}, data=hourly_frame(), tracking_uri=str(store))


@pytest.fixture(scope="session")
def autoencode_run(store: Path) -> TrainResult:
    """A trained autoencoder, logged in `store`."""
    return train(autoencode_recipe(), data=hourly_frame(), tracking_uri=str(store))


@pytest.fixture(scope="session")
def levels_run(store: Path) -> TrainResult:
    """A trained forecast with intervals of 80 and 95 %, logged in `store`."""
    recipe = forecast_recipe(limits={"load": [0, 1000]}) | {"name": "small_levels", "levels": [80, 95]}
    return train(recipe, data=hourly_frame(900), tracking_uri=str(store))


@pytest.fixture(scope="session")
def next_step_run(store: Path) -> TrainResult:
    """A trained next-step forecast of two sites, logged in `store`."""
    frame = hourly_frame(400, series=("a", "b"))
    return train(next_step_recipe(series="site"), data=frame, tracking_uri=str(store))


@pytest.fixture(scope="session")
def whole_run(store: Path) -> TrainResult:
    """A trained autoencoder of whole sequences, logged in `store`."""
    return train(whole_recipe(), data=waves_frame(), tracking_uri=str(store))


def reversed_words(rows: int = 160) -> pd.DataFrame:
    """Short words of four letters and their reverse; a few stand twice, with a second answer."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcd"), size=int(rng.integers(2, 6)))) for _ in range(rows)]
    return pd.DataFrame({"word": words, "reverse": [word[::-1] for word in words]})


def spelled_lines(rows: int = 60, *, seed: int = 0) -> str:
    """A CoNLL-style file: letters, each a vowel or none."""
    rng = np.random.default_rng(seed)
    sequences = [rng.choice(list("abcdefghij"), size=int(rng.integers(2, 8))) for _ in range(rows)]
    kinds = {True: "vowel", False: "other"}
    return "\n".join("".join(f"{letter}\t{kinds[letter in 'aei']}\n" for letter in each) for each in sequences)


def translate_recipe(source: str | None = None, **model: Any) -> dict[str, Any]:
    """Reverses short words; keywords replace keys of the model section."""
    layers = {"encoder_units": [6], "decoder_units": [6]}
    return {
        "task": "translate",
        "name": "small_translate",
        "data": {"source": source, "source_column": "word", "target_column": "reverse", "input_steps": 8},
        "model": layers | model,
        "training": {"learning_rate": 0.02, "batch_size": 32, "epochs": 2},
    }


def tag_recipe(source: str | None = None, **data: Any) -> dict[str, Any]:
    """Tells vowels, with characters; keywords replace keys of the data section."""
    section = {"source": source, "lines": ["letter", "kind"], "tokens": "letter", "labels": "kind"}
    return {
        "task": "tag",
        "name": "small_tag",
        "data": section | data,
        "model": {"embedding_dim": 4, "units": [6], "bidirectional": True, "character_units": 3, "character_dim": 2},
        "training": {"learning_rate": 0.02, "batch_size": 16, "epochs": 2},
    }


def tag_values_recipe(**data: Any) -> dict[str, Any]:
    """Tells hours of a high load; keywords replace keys of the data section."""
    section = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "labels": "level", "input_steps": 24}
    return {
        "task": "tag",
        "name": "small_tag_values",
        "data": section | data,
        "model": {"units": [6]},
        "training": {"learning_rate": 0.02, "batch_size": 8, "epochs": 2},
    }


def levelled_frame(rows: int = 400, **more: Any) -> pd.DataFrame:
    """Hours with the label `high` where the load is, else `low`."""
    frame = hourly_frame(rows, **more)
    return frame.assign(level=np.where(frame["load"] > 100, "high", "low"))


@pytest.fixture(scope="session")
def token_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the words as `words.csv` and the letters as `letters.tsv`."""
    folder = tmp_path_factory.mktemp("tokens")
    reversed_words().to_csv(folder / "words.csv", index=False)
    (folder / "letters.tsv").write_text(spelled_lines(), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def repeat_run(store: Path) -> TrainResult:
    """A trained translator that writes all steps at once."""
    return train(translate_recipe(), data=reversed_words(), tracking_uri=str(store))


@pytest.fixture(scope="session")
def attention_run(store: Path, token_files: Path) -> TrainResult:
    """A trained translator that looks back at a source read from its end in pairs, taught by some of its own outputs."""
    layers: dict[str, Any] = {"bridge": "attention", "pyramid": 2, "encoder_units": [6, 5], "decoder_units": [6, 5]}
    recipe = translate_recipe(str(token_files / "words.csv"), **layers)
    recipe["name"] = "small_attention"  # its name is that of a first run, whichever fixture comes first
    recipe["data"]["reverse_source"] = True
    recipe["training"]["teacher_forcing"] = [1.0, 0.5]
    return train(recipe, tracking_uri=str(store))


@pytest.fixture(scope="session")
def tag_run(store: Path, token_files: Path) -> TrainResult:
    """A trained tagger of tokens."""
    return train(tag_recipe(str(token_files / "letters.tsv")), tracking_uri=str(store))


@pytest.fixture(scope="session")
def tag_values_run(store: Path) -> TrainResult:
    """A trained tagger of rows."""
    return train(tag_values_recipe(), data=levelled_frame(), tracking_uri=str(store))


def build_model(recipe: Any, prepared: Any) -> Any:
    """The model of a recipe on windows, for rows that were prepared before."""
    from seq2seq_kit.tasks.autoencode.task import AutoencodeJob
    from seq2seq_kit.tasks.forecast.task import ForecastJob

    job = {"forecast": ForecastJob, "autoencode": AutoencodeJob}[recipe.task]
    return job(recipe, pd.DataFrame(), prepared).build()
