"""A sweep in MLflow's UI, in a real headless Chromium: a person finds the note, the trials by name, and every figure drawn.

Needs Debian's `chromium` and `chromium-driver`; skips where they are missing. Screenshots are kept in pytest's folder.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.sweeps import SweepResult, sweep
from seq2seq_kit.tracking.ui import Ui, open_ui
from tests.browsing import chromium, click, text_of, until, wait_for
from tests.conftest import forecast_recipe, hourly_frame

pytestmark = pytest.mark.slow

SWEEP = {
    "tuner": "random",
    "max_trials": 8,  # as many as it takes to tell what mattered
    "space": {
        "model.encoder_units": {"choice": [[4], [6], [4, 4]]},
        "training.learning_rate": {"float": {"min_value": 1e-3, "max_value": 3e-2, "sampling": "log"}},
        "model.position_embedding": {"boolean": {}},
    },
}
PAGES = {
    "parallel_coordinates.html": (
        "encoder_units",
        "learning_rate",
        "position_embedding",
        "val_loss",
        "8 finished trials",
    ),
    "pairs.html": ("Pairs of 3 keys", "star: trial"),
    "best_so_far.html": ("Best so far: val_loss", "the recipe as it stands"),
    "importance.html": ("What mattered", "training.learning_rate"),
}
# Plotly's drawing surfaces, of which a page that failed has none of any size.
DRAWN = "return [...document.querySelectorAll('svg.main-svg, canvas')].filter(e => e.clientWidth > 300).length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("swept") / "mlruns")


@pytest.fixture(scope="module")
def swept(browser: Any, store: str) -> SweepResult:
    """A sweep in a store of its own; where there is no browser, none is made."""
    recipe = forecast_recipe(window_stride=2) | {"name": "small_sweep", "sweep": SWEEP}
    recipe["training"] = {"learning_rate": 0.003, "batch_size": 64, "epochs": 1}
    return sweep(recipe, data=hourly_frame(400), tracking_uri=store, workers=2)


@pytest.fixture(scope="module")
def ui(swept: SweepResult, store: str) -> Iterator[Ui]:
    with open_ui(tracking_uri=store) as running:
        yield running


def page_of(ui: Ui, swept: SweepResult, tab: str = "") -> str:
    assert ui.newest_run is not None
    page, _, view = ui.newest_run.partition("?")
    assert page.endswith(swept.run_id)
    return f"{page}{tab}?{view}"


def shoot(browser: Any, path: Path) -> None:
    time.sleep(0.5)  # charts draw after their titles
    assert browser.save_screenshot(str(path))


def test_the_sweep_is_one_row_that_unfolds_into_its_trials(
    ui: Ui, browser: Any, swept: SweepResult, shots: Path
) -> None:
    from selenium.webdriver.common.by import By

    browser.get(ui.address)
    assert "1: default" not in wait_for(browser, "sweep random 8", "9 matching runs")
    browser.find_element(By.CSS_SELECTOR, "[role=gridcell] button[data-component-id*=runnamecell]").click()
    text = wait_for(browser, "1: default")
    for trial in swept.trials:
        assert f"{trial.number}: " in text
    shoot(browser, shots / "runs.png")


def test_the_note_tells_the_winner_and_links_to_it(ui: Ui, browser: Any, swept: SweepResult, shots: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(page_of(ui, swept))
    text = wait_for(browser, "What mattered", "What it took", "Next steps", "1: default")
    assert f"small_sweep: val_loss {swept.best.score:.4g}, trial {swept.best.number}" in text
    shoot(browser, shots / "note.png")
    links = browser.find_elements(By.XPATH, f"//table//a[text()='{swept.best.number}']")
    browser.get(links[0].get_attribute("href"))
    wait_for(browser, f"{swept.best.number}: ", swept.best.run_id, "sweep/objective")
    shoot(browser, shots / "winner.png")


def test_the_notes_list_has_the_best_trial_first(ui: Ui, browser: Any, swept: SweepResult, shots: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(page_of(ui, swept))
    wait_for(browser, "the best first")
    link = browser.find_element(By.XPATH, "//a[text()='the best first']").get_attribute("href")
    curves = browser.find_element(By.XPATH, "//a[text()='their curves']").get_attribute("href")
    browser.get(link)
    text = wait_for(browser, "8 matching runs", "1: default")
    order = sorted(swept.trials, key=lambda trial: trial.score or 0.0)
    places = [text.index(f"\n{trial.number}: ") for trial in order]
    assert places == sorted(places)
    shoot(browser, shots / "list.png")
    browser.get(curves)
    wait_for(browser, "epoch/val_loss", "8 matching runs")
    shoot(browser, shots / "curves.png")


def test_every_figure_is_drawn_inside_mlflow(ui: Ui, browser: Any, swept: SweepResult, shots: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(page_of(ui, swept, "/artifacts"))
    wait_for(browser, "sweep.yaml", "recipe.yaml")
    click(browser, "sweep")
    wait_for(browser, "overview.png", "trials.csv", *PAGES)
    click(browser, "overview.png")

    def width() -> int:
        images = browser.find_elements(By.TAG_NAME, "img")
        return max((int(image.get_property("naturalWidth")) for image in images), default=0)

    until(browser, lambda: width() > 600, "the picture overview.png")
    shoot(browser, shots / "overview.png")
    for name, words in PAGES.items():
        click(browser, name)
        enter(browser, words)
        until(browser, partial(browser.execute_script, DRAWN), f"a figure in {name}")
        assert "WebGL is not supported" not in text_of(browser)
        browser.switch_to.default_content()
        shoot(browser, shots / f"{name}.png")
    click(browser, "trials.csv")
    wait_for(browser, "best_epoch", "finished")


def enter(browser: Any, words: tuple[str, ...]) -> None:
    """Goes into the page that MLflow shows, which is replaced while the next one is loaded."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By

    def inside() -> bool:
        browser.switch_to.default_content()
        try:
            browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
            text = text_of(browser)
        except WebDriverException:
            return False
        return all(word in text for word in words)

    until(browser, inside, f"a page with {words}")
