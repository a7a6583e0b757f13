"""The page of a detection, in a real headless Chromium: it cuts the events that Python cuts, and a person can work with it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies.detection import Detection, detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import RowErrors
from seq2seq_kit.recipe.detect_fields import Detect
from seq2seq_kit.reports.anomaly_page import anomaly_page, detection_page, shown_of
from tests.browsing import chromium, text_of, until, wait_for
from tests.test_names import IMAGE, NAMES, RAN, SCRIPT, nothing_ran

COLUMNS = ["temp", NAMES[SCRIPT], NAMES[IMAGE]]
SITES = ["north", f"<img src=x onerror='{RAN}'>"]


def errors_of(rows: int, *, seed: int = 0, faults: int = 0, clock: bool = True, sites: bool = True) -> RowErrors:
    """Errors of two sites with a gap each; some cells are missing; faults in single columns of different sizes."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(rows, 3)) * [0.1, 1.0, 4.0]
    for number in range(faults):
        first, length = int(rng.integers(0, rows - 20)), int(rng.integers(1, 18))
        column = number % 3
        errors[first : first + length, column] += [0.1, 1.0, 4.0][column] * rng.uniform(3, 14)
    errors[rows // 3 : rows // 3 + 5] = np.nan
    errors[rows // 5, 0] = np.nan
    half = rows // 2
    of = np.arange(rows) // half
    place = np.arange(rows) % half
    late = place >= half // 2
    when = {"time": pd.Timestamp("2026-01-01", tz="Europe/Berlin") + pd.to_timedelta(place + 30 * late, unit="h")}
    labels = pd.DataFrame(when if clock else {"row": place + 1})
    if sites:
        labels.insert(0, "site", np.array(SITES, dtype=object)[of])
    wave = 50 + 10 * np.sin(np.arange(rows) / 4)[:, None] + np.arange(3)
    return RowErrors(labels, of, of * 2 + late, COLUMNS, wave + errors, np.broadcast_to(wave, errors.shape), errors, 7)


def detected(rows: int = 6000, *, clock: bool = True, **settings: object) -> Detection:
    section = Detect.model_validate({"merge_gap": 3, "min_steps": 2} | settings)
    every = 3600.0 if clock else None
    detector = Detector.fit(errors_of(8000, seed=1, clock=clock), section, window_steps=24, every_seconds=every)
    return detect_events(errors_of(rows, faults=24, clock=clock), detector)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def opened(browser: Any, detection: Detection, folder: Path) -> None:
    path = folder / "page.html"
    path.write_text(detection_page(detection, title="a page", units={"temp": "°C"}), encoding="utf-8")
    browser.get(path.as_uri())
    until(browser, lambda: browser.find_elements("css selector", "#figure .main-svg"), "the figure")


def settled(browser: Any) -> None:
    """Waits for the drawing, which comes with the next frame of the browser."""
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50))")


CUT = "return state.events.map(e => [e.number, e.first, e.last, e.peak, e.severity, e.rate])"


def in_page(browser: Any) -> tuple[float, np.ndarray]:
    settled(browser)
    threshold = float(browser.execute_script("return state.threshold"))
    return threshold, np.array(browser.execute_script(CUT), dtype=np.float64).reshape(-1, 6)


def in_python(detection: Detection, threshold: float) -> np.ndarray:
    detector = detection.detector.at_threshold(threshold)
    scores = detection.scores["score"].to_numpy()
    cut = detector.cut.events(scores, detection.segment, threshold)
    peaks = np.array([first + np.nanargmax(scores[first : last + 1]) for first, last in cut], dtype=np.int64)
    order = np.argsort(-scores[peaks], kind="stable")
    cut, peaks = cut[order], peaks[order]
    number, rates = np.arange(1, len(cut) + 1), detector.alarms_at(scores[peaks])
    return np.column_stack([number, cut, peaks, scores[peaks] / threshold, rates])


def test_the_slider_cuts_the_events_that_python_cuts(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    detection = detected()
    opened(browser, detection, tmp_path)
    threshold, found = in_page(browser)
    assert threshold == detection.detector.threshold
    assert len(found) == len(detection.events) > 5
    assert found[:, 4] == pytest.approx(detection.events["severity"].to_numpy())
    slider = browser.find_element("id", "slider")
    seen = set()
    pressed = [(Keys.ARROW_RIGHT, 1), (Keys.ARROW_LEFT, 9), (Keys.PAGE_UP, 2), (Keys.PAGE_DOWN, 5)]
    for key, times in [*pressed, (Keys.HOME, 1), (Keys.END, 1)]:
        slider.send_keys(key * times)
        threshold, found = in_page(browser)
        expected = in_python(detection, threshold)
        assert found.shape == expected.shape
        assert found == pytest.approx(expected, rel=1e-9)
        alarms = detection.detector.at_threshold(threshold).alarms_per_week
        said = browser.find_element("id", "said").text
        shown = re.findall(r"; expected false alarms per week and series: ([\d.e+-]+)\. To use", said)
        assert float(shown[0]) == pytest.approx(alarms, rel=1e-3)
        assert f"{len(expected):,} event" in said
        assert slider.get_attribute("aria-valuetext").startswith("threshold ")
        seen.add(len(expected))
    assert len(seen) > 3
    assert 0 in seen


@pytest.mark.parametrize(
    "settings",
    [
        {"exit": 1.0, "merge_gap": 0, "min_steps": 1},
        {"exit": 0.3, "merge_gap": 24, "min_steps": 5, "columns": "mahalanobis"},
    ],
)
def test_a_number_that_is_typed_cuts_likewise(browser: Any, tmp_path: Path, settings: dict[str, object]) -> None:
    detection = detected(2000, clock=False, **settings)
    opened(browser, detection, tmp_path)
    assert "false alarms per 10,000 rows" in browser.find_element("id", "said").text
    box = browser.find_element("id", "threshold")
    for typed in (1.5, 2.75, 4.0):
        box.clear()
        box.send_keys(str(typed))
        threshold, found = in_page(browser)
        assert threshold == typed
        assert len(found)
        assert found == pytest.approx(in_python(detection, typed), rel=1e-9)
    # A score that is the threshold itself is not above it.
    exactly = float(detection.scores["score"].max())
    browser.execute_script("choose(arguments[0])", exactly)
    assert not len(in_page(browser)[1])
    browser.find_element("id", "reset").click()
    assert in_page(browser)[0] == detection.detector.threshold


def test_the_keyboard_finds_sorts_and_zooms(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    detection = detected()
    opened(browser, detection, tmp_path)
    settled(browser)
    focused = "return document.activeElement.dataset.event ?? document.activeElement.id ?? ''"
    buttons = browser.find_elements(By.CSS_SELECTOR, "#events tbody button")
    assert [button.text for button in buttons] == [str(number) for number in detection.events["event"]]
    browser.execute_script("arguments[0].focus()", buttons[0])
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ENTER)
    settled(browser)
    assert browser.execute_script(focused) == "2"  # the table was drawn anew under the focus
    event = detection.events.iloc[1]
    shown = browser.execute_script("return byId('figure').layout.xaxis.range.map(number)")
    start, end = (stamp.tz_localize(None).timestamp() * 1000 for stamp in (event["start"], event["end"]))
    assert shown[0] < start <= end < shown[1] < start + 600 * 3_600_000
    assert browser.execute_script("return series[state.series]") == event["site"]
    row = browser.find_element(By.CSS_SELECTOR, "#events tr[aria-selected=true]")
    assert str(event["start"])[:16] in row.text
    first = browser.find_element(By.CSS_SELECTOR, "#columns tbody tr")
    assert event["column_1"] in first.text
    assert f"{round(100 * event['share_1'])} %" in first.text
    assert f"{event['actual_1']:.4g}" in first.text
    browser.find_element(By.CSS_SELECTOR, "#events [data-field=start]").send_keys(Keys.ENTER)
    settled(browser)
    assert browser.execute_script("return document.activeElement.dataset.field") == "start"
    starts = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#events tbody tr")]
    numbers = [int(text.split()[0]) for text in starts]
    assert detection.events.set_index("event")["start"].loc[numbers].is_monotonic_increasing
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort=ascending]").text.startswith("start")
    browser.find_element("id", "all").send_keys(Keys.ENTER)
    settled(browser)
    assert browser.execute_script("return state.range") is None


def test_a_click_zooms_and_a_box_shows_a_column(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    opened(browser, detected(), tmp_path)
    settled(browser)
    browser.find_elements(By.CSS_SELECTOR, "#events tbody tr td:nth-child(3)")[2].click()
    settled(browser)
    assert browser.execute_script("return state.chosen.number") == 3
    traces = "return byId('figure').data.filter(t => t.name === 'actual').length"
    assert browser.execute_script(traces) == 3
    browser.find_elements(By.CSS_SELECTOR, "#columns input")[2].click()
    settled(browser)
    assert browser.execute_script(traces) == 2


def test_labelled_stretches_stand_on_a_strip(browser: Any, tmp_path: Path) -> None:
    found = detected()
    labelled = np.zeros(len(found.scores), dtype=bool)
    events = found.scores.event
    labelled[(events == 1).fillna(False).to_numpy(dtype=bool)] = True
    quiet = int(np.flatnonzero(events.isna().to_numpy())[500])
    labelled[quiet : quiet + 2] = True
    opened(browser, replace(found, labelled=labelled), tmp_path)
    settled(browser)
    assert "Of 2 labelled stretches events at this threshold find 1" in text_of(browser)
    assert ", 1 of 2 labelled stretches found; expected" in browser.find_element("id", "said").text
    head = browser.find_element("css selector", "#events thead").text
    assert head.split()[-1] == "labelled"
    rows = [row.text.split()[-1] for row in browser.find_elements("css selector", "#events tbody tr")]
    assert rows[0] == "yes"
    assert set(rows[1:]) == {"no"}
    strip = "return byId('figure').data.filter(t => t.name === 'labelled').map(t => t.x.length)"
    (points,) = browser.execute_script(strip)
    assert points % 6 == 0
    assert points > 0
    browser.execute_script("choose(1e9)")
    settled(browser)
    assert "0 of 2 labelled stretches found" in browser.find_element("id", "said").text
    assert "labelled" in browser.find_element("css selector", "#figure .legend").text
    assert "labelled stretches on a strip" in browser.execute_script("return byId('figure').getAttribute('aria-label')")
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    opened(browser, found, tmp_path)
    settled(browser)
    assert "labelled" not in text_of(browser)


def test_names_run_nothing_and_stand_there_as_they_are(browser: Any, tmp_path: Path) -> None:
    opened(browser, detected(), tmp_path)
    text = wait_for(browser, "a page", NAMES[SCRIPT], NAMES[IMAGE], "7 rows that no window reaches", "temp (°C)")
    assert f"<img src=x onerror='{RAN}'>" in text
    assert "<script>" in browser.execute_script("return byId('figure').textContent")
    assert nothing_ran(browser)
    assert not browser.execute_script("return document.querySelectorAll('img, a[href]').length")
    assert browser.execute_script("return byId('figure').getAttribute('aria-label')").startswith("series ")
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_a_hundred_thousand_rows_are_drawn_thin_and_cut_whole(browser: Any, tmp_path: Path) -> None:
    detection = detected(100_000)
    opened(browser, detection, tmp_path)
    threshold, found = in_page(browser)
    assert found == pytest.approx(in_python(detection, threshold), rel=1e-9)
    longest = "return Math.max(...byId('figure').data.map(t => t.x.length))"
    assert browser.execute_script(longest) < 10_000
    # The largest score is on the page however thin the line.
    assert browser.execute_script(
        "return [0, 1].some(s => { state.series = s; draw(); return byId('figure').data.find(t => t.name === 'score').y"
        ".some(y => y === arguments[0]) })",
        float(detection.scores["score"].max()),
    )


def test_a_page_needs_no_network_and_of_many_columns_says_which_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_of(detected(400))
    page = anomaly_page(shown, title="<b>t</b>")
    assert "default-src 'none'" in page
    assert "<h1>&lt;b&gt;t&lt;/b&gt;</h1>" in page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", page)
    assert "columns the" not in page
    monkeypatch.setattr("seq2seq_kit.reports.anomaly_page._MOST_CELLS", 800)
    assert "Of 3 columns the 2 are here whose share in high scores is largest." in anomaly_page(shown, title="t")


def test_rows_without_a_known_score_have_a_page(browser: Any, tmp_path: Path) -> None:
    errors = errors_of(200)
    errors.errors[:] = np.nan
    opened(browser, detect_events(errors, detected(400).detector), tmp_path)
    assert "0 events" in text_of(browser)
    assert "No event at this threshold." in text_of(browser)
