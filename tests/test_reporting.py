"""A run as one page: it says what MLflow holds, needs no network, and takes every text of the data as text."""

import re
from pathlib import Path

import pytest

from seq2seq_kit.bundles.detecting import DetectingBundle
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.evaluation.diagnostics import verdict
from seq2seq_kit.reporting import report
from seq2seq_kit.reports import page
from seq2seq_kit.reports.run_page import result_table, run_page
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from tests.browsing import chromium, text_of, until, wait_for
from tests.conftest import hourly_frame
from tests.test_names import NAMES, RAN, nothing_ran

LONG = "#" * 600_000


@pytest.mark.parametrize(
    ("skill", "said"), [(0.3, "beats"), (0.001, "ties with"), (-0.02, "ties with"), (-0.3, "does not beat")]
)
def test_a_page_and_the_finding_call_the_same_a_tie(skill: float, said: str, tmp_path: Path) -> None:
    tags = {"best_baseline": "ridge", "beats_baselines": "yes" if skill > 0 else "no"}
    text = run_page("abc", "x", tags=tags, metrics={"test/skill": skill}, status="FINISHED", files=tmp_path)
    assert f"The model {said} the best baseline, ridge" in text


@pytest.mark.slow
def test_a_run_is_one_page(
    forecast_run: TrainResult, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.html"
    assert main(["report", forecast_run.run_id[:8], "--out", str(out), "--tracking-uri", str(store)]) == 0
    assert str(out) in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert len(text) < 8_000_000
    for word in (*forecast_run.test.names, forecast_run.test.units, "encoder_units", "keras ", forecast_run.run_id):
        assert word in text
    assert f"The model {verdict(forecast_run.test.skill)} the best baseline, {forecast_run.test.best_baseline}" in text
    for finding in forecast_run.findings:
        assert finding.text[:40] in text
    assert text.count("<img ") == 4
    assert not re.search(r"""(?:src|href)=["']?https?:""", text.partition("<iframe")[0])
    with chromium(tmp_path / "chromium") as browser:
        browser.get(out.as_uri())
        wait_for(browser, "first_forecast: lstm8 e3 s0", "Result on the test part")
        browser.switch_to.frame(browser.find_element("tag name", "iframe"))
        until(browser, lambda: browser.find_elements("css selector", ".legendtext"), "the interactive examples")
        assert "window from" in text_of(browser)


@pytest.mark.slow
def test_an_autoencoders_page_has_its_anomalies_and_its_latent_space(
    autoencode_run: TrainResult, store: Path, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    bundle = autoencode_run.bundle
    assert isinstance(bundle, DetectingBundle)
    out = report(autoencode_run.run_id, out=tmp_path / "run.html", tracking_uri=str(store))
    text = out.read_text(encoding="utf-8")
    assert text.count("<iframe") == 3
    assert text.count("<iframe class=tall") == 2
    with chromium(tmp_path / "chromium") as browser:
        browser.get(out.as_uri())
        for name, words in (("anomalies", "To use it: --threshold"), ("latent_space", "reconstruction error")):
            browser.switch_to.default_content()
            frame = browser.find_element(By.CSS_SELECTOR, f"iframe[title={name}]")
            browser.execute_script("arguments[0].scrollIntoView()", frame)
            browser.switch_to.frame(frame)
            wait_for(browser, words)
            until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".main-svg"), "a figure")
            if name == "anomalies":
                threshold = bundle.require_detector().threshold
                assert browser.execute_script("return state.threshold") == threshold
                browser.find_element(By.ID, "slider").send_keys(Keys.ARROW_LEFT)
                assert browser.execute_script("return state.threshold") < threshold
                assert browser.execute_script("return scores.length") == 90  # the test part


@pytest.mark.slow
def test_of_a_long_test_part_the_page_has_the_newest_rows(
    autoencode_run: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = open_job(autoencode_run.recipe, hourly_frame())
    monkeypatch.setattr("seq2seq_kit.tasks.windows._ROWS_OF_A_PAGE", 50)
    job.draw(autoencode_run.bundle, autoencode_run.fit, autoencode_run.test, tmp_path)
    text = (tmp_path / "anomalies.html").read_text(encoding="utf-8")
    assert "The newest 50 of the 90 rows of the test part are here" in text
    assert "rows that no window reaches" not in text


@pytest.mark.slow
def test_a_run_that_is_not_there_is_told(store: Path, forecast_run: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as unknown:
        report("0123456789", tracking_uri=str(store))
    assert unknown.value.code == "unknown_run"
    with pytest.raises(ArgumentError) as unwritable:
        report(forecast_run.run_id, out=tmp_path / "absent" / "run.html", tracking_uri=str(store))
    assert unwritable.value.code == "unwritable_file"


def test_the_result_table_has_the_names_of_the_baselines() -> None:
    metrics = {"test/rmse": 2.0, "test/mae": 1.0, "test/scaled_rmse": 0.5, "test/skill": 0.1}
    metrics |= {"test_baselines/seasonal_naive_day_rmse": 3.0, "test_baselines/seasonal_naive_day_scaled_rmse": 0.7}
    titles, rows = result_table({"baselines": '["seasonal naive (day)"]'}, metrics)
    assert titles == ["", "scaled rmse", "MAE", "RMSE"]
    assert rows == [["model", "0.5", "1", "2"], ["seasonal naive (day)", "0.7", "-", "3"]]
    assert result_table({}, metrics)[1][1][0] == "seasonal naive day"  # a run of before
    assert result_table({}, {"epoch/loss": 1.0})[1] == []


def test_a_run_that_failed_has_a_page_of_what_there_is(tmp_path: Path) -> None:
    text = run_page("abc", "e: r", tags={"error": "DataError: no rows"}, metrics={}, status="FAILED", files=tmp_path)
    assert "DataError: no rows" in text
    assert "<img" not in text
    assert "script-src 'none'" in text


@pytest.mark.slow
def test_names_and_pages_of_others_run_nothing_in_it(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        assert not re.search("[<>]", re.sub(r"</?(p|li|ul|pre|td|th|tr|table|thead|tbody)( class=\w+)?>", "", "".join(
            [page.paragraph(name), page.points([(name, "")]), page.code(name), page.table([name], [[name]])]
        ))), number  # fmt: skip
    hostile = tmp_path / "figures" / "other.html"
    hostile.parent.mkdir()
    escapes = (
        f"<script>{LONG and '//' + LONG}</script><script>try {{ parent.ran = 1 }} catch (e) {{}}</script></script>"
    )
    hostile.write_text(f"<p>inside</p>{escapes}", encoding="utf-8")
    tags = {f"finding.{number}": name for number, name in enumerate(NAMES)}
    tags |= {
        "result": f"<script>{RAN}</script>",
        "best_baseline": f"<img src=x onerror='{RAN}'>",
        "beats_baselines": "no",
    }
    text = run_page("abc", f"<script>{RAN}</script>", tags=tags, metrics={}, status="FINISHED", files=tmp_path)
    assert text.count(LONG) == 1
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with chromium(tmp_path / "chromium") as browser:
        browser.get((tmp_path / "page.html").as_uri())
        wait_for(browser, "Findings", "<b>bold</b>", "x[/red]")
        assert nothing_ran(browser)
        browser.switch_to.frame(browser.find_element("tag name", "iframe"))
        wait_for(browser, "inside")
