"""The latent space: maps, and neighbours by an exact search in which overlapping windows do not count."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.bundles.encoding import EncodingBundle
from seq2seq_kit.cli.main import main
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.evaluation import latent as latent_module
from seq2seq_kit.evaluation.latent import map_latent, nearest
from seq2seq_kit.reports.latent_page import Points
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeData
from seq2seq_kit.tasks.latent import LatentMap, nearest_windows
from tests.browsing import chromium, until
from tests.conftest import hourly_frame, waves_frame
from tests.test_names import IMAGE, NAMES, SCRIPT, nothing_ran


def encoding(run: TrainResult) -> EncodingBundle:
    assert isinstance(run.bundle, EncodingBundle)
    return run.bundle


def test_the_map_by_pca_shows_where_vectors_vary_most() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2)) * [5.0, 2.0]
    mixed = hidden @ np.linalg.qr(rng.normal(size=(6, 6)))[0][:2] + 7.0
    places, explained = map_latent(mixed + rng.normal(size=mixed.shape) * 0.01)
    assert explained == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.corrcoef(places[:, 0], hidden[:, 0])[0, 1]) > 0.99
    between = np.linalg.norm(places[1:] - places[:-1], axis=1)
    assert between == pytest.approx(np.linalg.norm(hidden[1:] - hidden[:-1], axis=1), abs=0.1)
    again, _ = map_latent(-1.0 * (mixed + 0.0))
    assert np.ptp(again, axis=0) == pytest.approx(np.ptp(map_latent(mixed)[0], axis=0))


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (3, 2)])
def test_few_vectors_and_narrow_ones_have_a_map(shape: tuple[int, int]) -> None:
    places, explained = map_latent(np.arange(float(np.prod(shape))).reshape(shape))
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()
    assert explained == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 5))
def test_the_search_is_exact_and_its_windows_share_no_row(seed: int, count: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    latent = rng.integers(0, 5, size=(30, 2)).astype(np.float32)
    series = np.repeat([0, 1], 15)
    starts = np.tile(np.arange(15), 2)
    spans = np.column_stack([starts, starts + steps])
    number = int(rng.integers(30))
    distance = np.linalg.norm(latent - latent[number], axis=1)
    everything, found_distance = nearest(latent, number, 29)
    assert sorted([*everything, number]) == list(range(30))
    assert found_distance == pytest.approx(np.sort(np.delete(distance, number)))
    found, _ = nearest(latent, number, count, rows=spans, series=series)
    taken = [number]
    for each in everything:  # the nearest that is still free, again and again
        if all(series[each] != series[other] or abs(starts[each] - starts[other]) >= steps for other in taken):
            taken.append(int(each))
    assert found.tolist() == taken[1 : count + 1]


def test_a_map_by_umap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_module, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"umap-learn, which is not installed.*seq2seq-kit\[umap\]") as missing:
        map_latent(np.zeros((20, 3)), "umap")
    assert missing.value.code == "missing_package"
    with pytest.raises(ArgumentError, match="'pca' or 'umap'") as unknown:
        map_latent(np.zeros((20, 3)), "tsne")  # type: ignore[arg-type]
    assert unknown.value.code == "invalid_argument"


@pytest.mark.slow
def test_a_map_by_umap_is_the_same_twice() -> None:
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(20, 4)), rng.normal(size=(20, 4)) + 20])
    places, explained = map_latent(vectors, "umap", seed=3)
    assert explained is None
    assert np.array_equal(places, map_latent(vectors, "umap", seed=3)[0])
    near = np.linalg.norm(places[:20] - places[:20].mean(axis=0), axis=1).max()
    assert np.linalg.norm(places[:20].mean(axis=0) - places[20:].mean(axis=0)) > near
    with pytest.raises(DataError) as few:
        map_latent(vectors[:4], "umap")
    assert few.value.code == "too_few_windows"


def test_the_neighbours_of_a_time_are_windows_like_the_one_around_it(autoencode_run: TrainResult) -> None:
    bundle, frame = encoding(autoencode_run), hourly_frame(24 * 30, seed=5)
    found = bundle.neighbours(frame, at="2024-01-10 12:30", k=4)
    assert list(found.columns) == ["neighbour", "first_time", "last_time", "distance"]
    assert found["neighbour"].tolist() == [1, 2, 3, 4]
    assert found["distance"].is_monotonic_increasing
    # Among windows that begin at any hour, days like this one begin near the same hour.
    assert (
        "the window that holds 2024-01-10 12:30 is 2024-01-10 00:00:00 to 2024-01-10 23:00:00" in found.attrs["notes"]
    )
    codes = bundle.encode(frame)
    latent = codes.filter(like="latent_").to_numpy()
    given = int(np.flatnonzero(codes["first_time"] == pd.Timestamp("2024-01-10"))[0])
    distance = np.linalg.norm(latent - latent[given], axis=1)
    free = (codes["first_time"] - codes["first_time"][given]).abs() >= pd.Timedelta("24h")
    assert found["distance"][0] == pytest.approx(distance[free].min(), rel=1e-4)
    both = pd.concat([found[["first_time"]], codes.loc[[given], ["first_time"]]])["first_time"].sort_values()
    assert both.diff().min() >= pd.Timedelta("24h")
    every = bundle.neighbours(frame, at=pd.Timestamp("2024-01-10 12:30"), k=100, overlapping=True)
    assert every["distance"].to_numpy() == pytest.approx(np.sort(distance)[1:101], rel=1e-3)
    assert (every["first_time"] - codes["first_time"][given]).abs().min() == pd.Timedelta("1h")
    fewer = bundle.neighbours(frame[: 24 * 3], at="2024-01-02 12:00", k=9)
    assert f"only {len(fewer)} of 9 neighbours are there" in fewer.attrs["notes"]


def test_a_wrong_time_series_or_number_is_told(autoencode_run: TrainResult) -> None:
    bundle, frame = encoding(autoencode_run), hourly_frame(24 * 10)
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({}, "no_such_time", "--at TIME"),
        ({"at": "2030-01-01"}, "no_such_time", "from 2024-01-01 00:00:00 to 2024-01-10 23:00:00"),
        ({"at": "2024-01-05", "k": 0}, "invalid_argument", "k=0"),
        ({"at": "2024-01-05", "series": "b"}, "no_such_series", "series=b"),
    ]
    for given_, code, words in cases:
        with pytest.raises(ArgumentError, match=re.escape(words)) as caught:
            bundle.neighbours(frame, **given_)
        assert caught.value.code == code
    with pytest.raises(ArgumentError, match="lies in a gap of the rows") as gap:
        bundle.neighbours(frame.drop(range(100, 110)), at="2024-01-05 07:00")
    assert gap.value.code == "no_such_time"
    with pytest.raises(ArgumentError, match="too close to a gap") as edge:
        bundle.neighbours(frame.drop(range(220, 225)), at="2024-01-10 20:00")
    assert edge.value.code == "no_such_window"


def test_sequences_have_neighbours_by_name(whole_run: TrainResult) -> None:
    bundle, frame = encoding(whole_run), waves_frame(30, seed=3)
    found = bundle.neighbours(frame, series="w7", k=3)
    assert list(found.columns) == ["neighbour", "name", "steps", "distance"]
    codes = bundle.encode(frame).set_index("name")
    latent = codes.filter(like="latent_")
    distance = ((latent - latent.loc["w7"]) ** 2).sum(axis=1).pow(0.5).drop("w7").sort_values()
    assert found["name"].tolist() == distance.index[:3].tolist()
    wrong: list[tuple[dict[str, Any], str]] = [({}, "series_not_named"), ({"series": "x"}, "no_such_series")]
    for given_, code in [*wrong, ({"at": 3, "series": "w7"}, "not_supported")]:
        with pytest.raises(ArgumentError) as caught:
            bundle.neighbours(frame, **given_)
        assert caught.value.code == code
    mapped = bundle.latent_map(frame)
    assert list(mapped.frame.columns) == ["name", "steps", "x", "y", "reconstruction_error"]
    assert mapped.frame["reconstruction_error"].to_numpy() == pytest.approx(
        bundle.score(frame)["reconstruction_error"].to_numpy(), rel=1e-4
    )


@pytest.mark.slow
def test_the_command_line_has_both(
    autoencode_run: TrainResult, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hourly_frame(24 * 10).to_csv("new.csv", index=False)
    run = [autoencode_run.run_id, "--data", "new.csv", "--tracking-uri", str(store)]
    assert main(["neighbours", *run, "--at", "2024-01-05 12:00", "-k", "2", "--out", "near.csv"]) == 0
    assert pd.read_csv("near.csv")["neighbour"].tolist() == [1, 2]
    assert main(["encode", *run, "--map", "map.html", "--stride", "6"]) == 0
    assert "Latent space" in Path("map.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_shows_the_window_that_is_pointed_at(autoencode_run: TrainResult, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    frame = hourly_frame(24 * 8)
    mapped = encoding(autoencode_run).latent_map(frame)
    assert isinstance(mapped, LatentMap)
    assert mapped.frame["reconstruction_error"].to_numpy() == pytest.approx(
        autoencode_run.bundle.score(frame)["reconstruction_error"].to_numpy()
    )
    points = vars(mapped.points) | {"columns": [NAMES[SCRIPT], NAMES[IMAGE]], "series": [NAMES[IMAGE], "b"]}
    points["of"] = np.arange(len(mapped.frame)) % 2
    page = replace(mapped, points=Points(**points)).save(tmp_path / "map.html", title=NAMES[SCRIPT])
    with chromium(tmp_path / "chromium") as browser:
        browser.get(page.as_uri())
        until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#window .main-svg"), "the window")
        map_ = browser.find_element(By.ID, "map")
        assert "2024-01-01 00:00 to 2024-01-01 23:00" in browser.find_element(By.ID, "said").text
        map_.send_keys(Keys.ARROW_RIGHT)
        assert "2024-01-01 02:00 to 2024-01-02 01:00" in browser.find_element(By.ID, "said").text
        shown = np.array(browser.execute_script("return byId('window').data.map(t => t.y)")).T
        assert shown == pytest.approx(frame[["load", "heat"]].to_numpy()[2:26], rel=1e-5)
        for chosen in ("score", "series", "time"):
            browser.execute_script(
                "byId('by').value = arguments[0]; byId('by').dispatchEvent(new Event('change'))", chosen
            )
            traces = browser.execute_script("return byId('map').data.length")
            assert traces == (3 if chosen == "series" else 2)
        # The pointer itself, over the third point of the map.
        place = browser.execute_script(
            "const l = byId('map')._fullLayout, b = byId('map').getBoundingClientRect();"
            "return [b.x + l._size.l + l.xaxis.c2p(x[9]), b.y + l._size.t + l.yaxis.c2p(y[9])]"
        )
        browser.execute_script("state.held = false")
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": place[0], "y": place[1]})
        until(browser, lambda: browser.execute_script("return state.chosen") != 2, "another window")
        assert nothing_ran(browser)


def windows_of(frame: pd.DataFrame, **data: Any) -> Prepared:
    """All rows in the test part, in windows of 6 rows."""
    section = AutoencodeData.model_validate({"inputs": ["x"], "input_steps": 6} | data)
    every = prepare(section, frame)
    return prepare_new(section, frame, every.scaler)


def rows_of(sites: list[str], *, zone: str | None = None, rows: int = 60) -> pd.DataFrame:
    times = pd.date_range("2024-03-01", periods=rows, freq="h", tz=zone)
    x = np.arange(rows * len(sites)) % 17.0
    return pd.DataFrame({"time": np.tile(times, len(sites)) if zone is None else [*times] * len(sites), "x": x}).assign(
        site=np.repeat(sites, rows)
    )


def told(prepared: Prepared, **asked: Any) -> tuple[pd.DataFrame, str]:
    latent = np.arange(prepared.windows["test"].count, dtype=np.float64)[:, None]
    found = nearest_windows(prepared, latent, **{"series": None, "k": 2, "overlapping": False} | asked)
    return found, found.attrs["notes"][-1]


def test_a_time_is_read_as_those_of_the_rows() -> None:
    clock = {"time": "time", "every": "1h"}
    zoned = windows_of(rows_of(["a"], zone="Europe/Berlin"), **clock)
    for at in ("2024-03-02 10:20", "2024-03-02 09:20+00:00", pd.Timestamp("2024-03-02 10:20", tz="Europe/Berlin")):
        _, note = told(zoned, at=at)
        assert note.endswith("2024-03-02 07:00:00+01:00 to 2024-03-02 12:00:00+01:00"), note
    texts = rows_of(["a"]).assign(time=lambda frame: frame["time"].dt.strftime("%d.%m.%Y %H:%M"))
    written = windows_of(texts, **clock, time_format="%d.%m.%Y %H:%M")
    for at in ("02.03.2024 10:00", "2024-03-02 10:00"):
        assert told(written, at=at)[1].endswith("2024-03-02 07:00:00 to 2024-03-02 12:00:00")
    with pytest.raises(DataError, match="at"):
        told(written, at="soon")


def test_a_series_is_named_where_there_are_several_and_neighbours_may_be_of_any() -> None:
    prepared = windows_of(rows_of(["a", "b"]), time="time", every="1h", series="site")
    with pytest.raises(ArgumentError, match="2 series: a, b") as unnamed:
        told(prepared, at="2024-03-01 03:00")
    assert unnamed.value.code == "series_not_named"
    found, _ = told(prepared, at="2024-03-01 03:00", series="b")
    assert list(found.columns) == ["neighbour", "site", "first_time", "last_time", "distance"]
    assert sorted(found["site"]) == ["a", "b"]  # the end of a has the numbers before the beginning of b
    several = windows_of(rows_of(["a", "b"]).assign(line="1/2"), time="time", every="1h", series=["line", "site"])
    assert told(several, at="2024-03-01 03:00", series=["1/2", "b"])[0]["line"].tolist() == ["1/2", "1/2"]


def test_rows_without_time_are_named_by_their_number() -> None:
    prepared = windows_of(rows_of(["a"]).drop(columns=["time", "site"]))
    found, note = told(prepared, at=10)
    assert note == "the window that holds 10 is 7 to 12"
    assert found[["first_row", "last_row"]].to_numpy().tolist() == [[1, 6], [13, 18]]
    for at in (0, 61, "2024-03-01"):
        with pytest.raises(ArgumentError, match="1 to 60") as caught:
            told(prepared, at=at)
        assert caught.value.code == "no_such_time"
