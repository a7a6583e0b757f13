"""MLflow's UI on the kit's store, in a real headless Chromium: a person finds the experiment, the run, its note and figures.

Needs Debian's `chromium` and `chromium-driver`; the browser's tests skip where they are missing. Screenshots are left in
`test-output/ui-*.png`.
"""

import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.ui import HOST, Ui, _claim, open_ui
from tests.browsing import SHOTS, chromium, click, until, wait_for
from tests.untyped import TrainResult


@pytest.fixture(scope="module")
def ui(forecast_run: TrainResult, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The UI on a copy of the store, whose newest run is the forecast."""
    copy = Path(shutil.copytree(store, tmp_path_factory.mktemp("ui") / "mlruns"))
    tracking = open_tracking(str(copy))
    for run_id in tracking.runs(most=100)["run"]:
        if run_id != forecast_run.run_id:
            tracking.client.delete_run(run_id)
    with open_ui(tracking_uri=str(copy)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium of 1600 x 1200 with a profile of its own."""
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def shoot(browser: Any, name: str) -> None:
    time.sleep(1)  # charts draw after their titles
    path = SHOTS / f"ui-{name}.png"
    assert browser.save_screenshot(str(path))
    assert path.stat().st_size > 20_000


def run_page(ui: Ui, run: TrainResult, tab: str = "") -> str:
    base, _, _ = ui.address.partition("/runs?")
    return f"{base}/runs/{run.run_id}{tab}?workflowType=machine_learning"


@pytest.mark.slow
def test_the_address_opens_the_runs_of_the_experiment(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    browser.get(ui.address)
    text = wait_for(browser, "first_forecast", "lstm8 e3 s0", "Runs", "Models")
    for column in ("result", "beats_baselines", "_baseline_error", "_skill"):
        assert column in text
    assert f"RMSE {forecast_run.test.overall().rmse:.4g}" in text
    assert "Evaluation runs" not in text
    assert "Judges" not in text
    shoot(browser, "runs")


@pytest.mark.slow
def test_the_newest_run_opens_in_the_view_for_training(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    assert ui.newest_run is not None
    browser.get(ui.newest_run)
    text = wait_for(browser, "Model metrics", forecast_run.run_id)
    assert "Judges" not in text
    shoot(browser, "newest-run")


@pytest.mark.slow
def test_a_click_on_the_run_opens_its_page(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    browser.get(ui.address)
    wait_for(browser, "lstm8 e3 s0")
    click(browser, "lstm8 e3 s0")
    text = wait_for(browser, "Model metrics", forecast_run.run_id)
    assert f"first_forecast: RMSE {forecast_run.test.overall().rmse:.4g}" in text
    for name in forecast_run.test.baselines:
        assert name in text
    assert f"{forecast_run.test.overall('last value').rmse:.4g}" in text
    shoot(browser, "run")


def test_the_note_is_drawn_as_a_table(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    from selenium.webdriver.common.by import By

    browser.get(run_page(ui, forecast_run))
    wait_for(browser, "first_forecast: RMSE")
    cells = [cell.text.strip() for cell in browser.find_elements(By.XPATH, "//table//td")]
    assert "last value" in cells
    assert f"{forecast_run.test.overall().rmse:.4g}" in cells


@pytest.mark.slow
def test_the_metrics_are_drawn_as_charts(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    browser.get(run_page(ui, forecast_run, "/model-metrics"))
    wait_for(browser, "epoch", "learning_rate", "loss", "val_loss")
    shoot(browser, "metrics")


@pytest.mark.slow
def test_the_figures_are_named_and_open(ui: Ui, browser: Any, forecast_run: TrainResult) -> None:
    from selenium.webdriver.common.by import By

    browser.get(run_page(ui, forecast_run, "/artifacts"))
    wait_for(browser, "bundle", "figures", "recipe.yaml", "test_scores.csv")
    click(browser, "figures")
    wait_for(browser, "error_by_step.png", "forecasts.html", "forecasts.png", "loss_curves.png", "model.png")
    click(browser, "forecasts.png")

    def drawn() -> Any:
        images = browser.find_elements(By.TAG_NAME, "img")
        widths = [browser.execute_script("return arguments[0].naturalWidth", image) for image in images]
        return max(widths, default=0) > 600

    until(browser, drawn, "the picture forecasts.png")
    shoot(browser, "forecasts")
    click(browser, "forecasts.html")
    browser.switch_to.frame(until(browser, lambda: browser.find_elements(By.TAG_NAME, "iframe"), "the page")[0])
    wait_for(browser, "actual", "ridge", "window from")
    browser.switch_to.default_content()
    shoot(browser, "forecasts-interactive")
    click(browser, "recipe.yaml")
    wait_for(browser, "encoder_units")


def test_it_listens_on_loopback_only(ui: Ui) -> None:
    family = [ui.process.pid, *(child.pid for child in psutil.Process(ui.process.pid).children(recursive=True))]
    listening = {
        connection.laddr.ip
        for pid in family
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {HOST} == {"127.0.0.1"}


def test_it_is_light(ui: Ui) -> None:
    assert len(psutil.Process(ui.process.pid).children(recursive=True)) <= 2


@pytest.mark.slow
def test_stopping_it_leaves_no_process_and_a_free_port(tmp_path: Path) -> None:
    said: list[str] = []
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with open_ui(tracking_uri=str(tmp_path / "mlruns"), port=port, say=said.append) as running:
        assert running.address == f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning"
        family = [psutil.Process(running.process.pid), *psutil.Process(running.process.pid).children(recursive=True)]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=10) as answer:
            assert answer.status == 200
    assert said[-1] == "starting MLflow's UI on mlruns/ (about ten seconds)"
    psutil.wait_procs(family, timeout=5)
    assert [process for process in family if process.is_running()] == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def test_a_server_has_a_ui_of_its_own(ui: Ui) -> None:
    address = ui.address.partition("/#")[0]
    with pytest.raises(TrackingError, match=address) as caught:
        open_ui(tracking_uri=address)
    assert caught.value.code == "store_is_a_server"


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
def test_a_port_that_there_is_not_is_refused(port: int) -> None:
    with pytest.raises(TrackingError, match=rf"between 1 and 65535\. Received: {port}\.") as caught:
        _claim(port)
    assert caught.value.code == "bad_port"


@pytest.mark.slow
def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"port {port} on 127\.0\.0\.1") as caught:
            _claim(port)
        assert caught.value.code == "port_in_use"
