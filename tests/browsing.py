"""A real headless Chromium, and what a test does with it: wait for words, click on words.

Needs Debian's `chromium` and `chromium-driver`; a test that asks for a browser is skipped where they are missing.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

SHOTS = ROOT / "test-output"
WAIT = 30


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A headless Chromium of 1600 x 1200 with a profile of its own."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("chromium or chromedriver is missing: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--window-size=1600,1200"]
    for flag in [*flags, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    SHOTS.mkdir(exist_ok=True)
    try:
        yield opened
    finally:
        opened.quit()


def text_of(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def wait_for(browser: Any, *words: str) -> str:
    """The page's text once it has all the words."""
    until(browser, lambda: all(word in text_of(browser) for word in words), f"the words {words}")
    return text_of(browser)


def until(browser: Any, done: Callable[[], Any], what: str) -> Any:
    """What `done` gives once it gives something; a screenshot and the page's text if it never does."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.2)
    browser.save_screenshot(str(SHOTS / "ui-failure.png"))
    raise AssertionError(f"{what} did not appear on {browser.current_url}:\n{text_of(browser)[:2000]}")


def click(browser: Any, text: str) -> None:
    """Clicks the first visible element with exactly this text."""
    from selenium.webdriver.common.by import By

    def visible() -> Any:
        return next((e for e in browser.find_elements(By.XPATH, f"//*[text()='{text}']") if e.is_displayed()), None)

    browser.execute_script("arguments[0].click()", until(browser, visible, f"something to click named {text}"))
