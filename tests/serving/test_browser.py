"""A page that forecasts in a real browser what the bundle forecasts, from a file and without a network."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.calendar import calendar_columns, calendar_names
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.reports import page
from seq2seq_kit.serving import browser
from seq2seq_kit.tasks import open_job, parse_recipe
from tests.browsing import chromium, text_of, until, wait_for
from tests.conftest import ROOT, forecast_recipe, hourly_frame
from tests.exports.bundled import answers, untrained

STATIC = ROOT / "seq2seq_kit" / "reports" / "static"
PACKAGE = "onnxruntime-web@1.30.0"
CALENDAR = ["minute", "hour", "day_of_week", "hour_of_week", "day_of_month", "day_of_year", "week_of_year", "month"]


def head_of(**data: Any) -> dict[str, Any]:
    """The head of an export of a forecast of `load`, 4 -> 2 hours."""
    given: dict[str, Any] = {
        "time": "at",
        "every": "1h",
        "input_steps": 4,
        "output_steps": 2,
        "framing": "horizon",
        "calendar": [],
    } | data
    inputs = ["load", *calendar_names(given["calendar"])]
    graph: dict[str, Any] = {
        "file": "model.onnx",
        "inputs": [{"name": "inputs", "shape": ["batch", given["input_steps"], len(inputs)], "columns": inputs}],
        "outputs": [{"name": "outputs", "shape": ["batch", 2, 1], "columns": ["load"]}],
    }
    if given["calendar"]:
        graph["inputs"].append({"name": "future", "columns": inputs[1:]})
    return {
        "name": "a <b>",
        "recipe": {"task": "forecast", "data": given},
        "programs": {"model": graph},
        "columns": {"inputs": ["load"]},
        "series": [],
        "units": {},
        "levels": [],
    }


def described(**data: Any) -> dict[str, Any]:
    return browser._described(head_of(**data))


def in_node(script: str, **values: Any) -> Any:
    """What a script gives that has the page's reading of CSV, and the values as `given`."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is missing, which runs the program of the page: install Node.js (Debian: nodejs)")
    code = (STATIC / "forecast_csv.js").read_text(encoding="utf-8").replace('"use strict";', "")
    code += f"\nconst given = {json.dumps(values)};\nprocess.stdout.write(JSON.stringify((() => {{ {script} }})()));"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def refusal(text: str, **data: Any) -> str:
    """What the page says of a file that it cannot read."""
    script = "try { windowsOf(given.text, given.about); return ''; } catch (error) { return error.message; }"
    return str(in_node(script, text=text, about=described(**data)))


def rows(count: int = 4, *, every: str = "h", separator: str = ",") -> str:
    times = pd.date_range("2024-02-28 22:00", periods=count, freq=every)
    return "\n".join([f"at{separator}load", *(f"{at}{separator}{number}" for number, at in enumerate(times, start=1))])


def test_the_calendar_of_the_page_is_the_kits() -> None:
    names = [*CALENDAR, "weekend", "month_end"]
    times = pd.date_range("2023-12-30 23:45:30", periods=600, freq="31h17min")
    expected = pd.DataFrame(calendar_columns(times, names), columns=calendar_names(names))
    script = "return given.times.map(time => calendarOf(time));"
    found = pd.DataFrame(in_node(script, times=[round(at.timestamp() * 1000) for at in times]))
    np.testing.assert_allclose(found[expected.columns], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("when,load\n2024-01-01,1", "the file has no column at. Its columns: when, load"),
        (rows(3), "no series is long enough: the table has 3 rows of 4"),
        (rows().replace(",3", ",x"), "row 3, column load: expected a number. Received: x"),
        (
            rows().replace("2024-02-29 00:00:00", "29.02.2024"),
            "row 3, column at: expected a time like 2024-01-31 13:00",
        ),
        (rows().replace("2024-02-29 00:00:00", "2024-02-30 00:00"), "row 3, column at: expected a time"),
        (rows(every="2h"), "row 2: expected a row 3600 s after the one before. Received: 7200 s"),
        (rows().replace(",3", ","), "row 3, column load: expected a value in each of the newest 4 rows"),
        (rows().replace(",3", ",3,4"), "row 3: expected 2 cells. Received: 3"),
        (rows().replace(",3", ",1,5").replace(",4", ',"1,5"'), "row 3: expected 2 cells"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, told: str) -> None:
    assert told in refusal(text)


def test_a_file_is_read_as_it_is_written() -> None:
    script = "return windowsOf(given.text, given.about).windows.map(each => each.rows.map(row => row.values[0]));"
    for text in (rows(9), rows(9, separator=";"), "\ufeff" + rows(9, separator="\t").replace("\n", "\r\n") + "\r\n"):
        assert in_node(script, text=text, about=described()) == [[6, 7, 8, 9]]
    backwards = "\n".join([rows(9).split("\n")[0], *reversed(rows(9).split("\n")[1:])])
    assert in_node(script, text=backwards, about=described()) == [[6, 7, 8, 9]], "rows stand in order of time"
    decimal = rows(4, separator=";").replace(";3", ";3,25")
    assert in_node(script, text=decimal, about=described())[0][2] == 3.25
    quoted = rows(4).replace(",3", ',"3.5"').replace("at,load", 'at,"load"')
    assert in_node(script, text=quoted, about=described())[0][2] == 3.5
    masked = in_node(script, text=rows(4).replace(",3", ","), about=described(missing="mask"))
    assert masked == [[1, 2, None, 4]], "NaN is null in JSON"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"framing": "next_step"}, "the task is forecast, not over a horizon"),
        ({"known_future": ["plan"]}, "known ahead"),
        ({"categories": ["day"]}, "categories"),
        ({"calendar": ["hour"], "time_zone": "Europe/Berlin"}, "time zone"),
        ({"calendar": ["hour"], "every": "1mo"}, "have no fixed length"),
        ({"holidays": "DE"}, "holidays"),
    ],
)
def test_a_forecast_that_needs_more_is_refused(data: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told) as found:
        described(**data)
    assert found.value.code == "page_not_supported"


@pytest.mark.parametrize("levels", [[80], [80, 50], [95, 80]])
def test_quantiles_are_those_that_predict_gives(levels: list[float], tmp_path: Path) -> None:
    """Of more that the network writes: deciles, too."""
    frame = hourly_frame(400)
    more: dict[str, Any] = {"levels": levels, "intervals": "quantile"}
    recipe = forecast_recipe(calendar=[], split={"calibration": 0.2}) | more
    bundle = untrained(recipe, frame)
    job: Any = open_job(parse_recipe(recipe), frame).seen_by(bundle)
    bundle = bundle.fit_intervals(job.prepared, levels)
    bundle.export(tmp_path / "out", frame=frame)
    head = json.loads((tmp_path / "out" / "export.json").read_text())
    about = browser._described(head)
    written = answers(tmp_path / "out" / "model.onnx", frame[["load", "heat"]].to_numpy()[None, -24:])[0]
    assert written.shape[-1] == about["written"] > len(about["names"])
    expected = bundle.predict(frame)
    assert sorted(about["names"]) == sorted(str(name) for name in expected if str(name).startswith("load"))
    np.testing.assert_allclose(written[0, :, 0][:, about["places"]], expected[about["names"]], rtol=1e-5)
    head["recipe"]["intervals"] = "cqr"  # whose margins are not in the graph
    assert browser._described(head)["names"] == ["load"]


def test_a_value_without_a_logarithm_is_told() -> None:
    about = described(transform={"load": ["log", "diff"]})
    assert about["lowest"] == {"load": 0.0}
    script = "try { windowsOf(given.text, given.about); return ''; } catch (error) { return error.message; }"
    said = in_node(script, text=rows(4).replace(",3", ",0"), about=about)
    assert "column load: expected a value above 0, because the model takes its logarithm. Received: 0" in said


def test_without_the_runtime_the_message_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="npm install onnxruntime-web") as found:
        browser.write_browser_page("run", tmp_path / "page.html", runtime=tmp_path)
    assert found.value.code == "runtime_missing"
    assert not list(tmp_path.iterdir())


def test_a_page_may_run_its_own_program_and_ask_nobody() -> None:
    assert "connect-src" not in browser._POLICY
    assert "default-src 'none'" in browser._POLICY
    assert "http" not in browser._POLICY
    text = page.program_page("a <b>", "forecast", {"name": "</script><script>alert(1)"}, policy=browser._POLICY)
    assert "</script><script>alert(1)" not in text


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `dist` of onnxruntime-web, from the registry of npm packages."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if not npm:
        pytest.skip("npm is missing, which brings the runtime for browsers: install Node.js (Debian: npm)")
    got = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, timeout=300)
    if re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH", got.stderr):
        pytest.skip(f"the registry of npm packages cannot be reached for {PACKAGE}: {got.stderr[-300:]}")
    assert got.returncode == 0, got.stderr  # such as a version that there is not
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder, filter="data")
    return folder / "package" / "dist"


@pytest.mark.slow
def test_a_browser_forecasts_what_the_bundle_forecasts(
    exported: Path, bundle: Any, frame: pd.DataFrame, runtime: Path, tmp_path: Path
) -> None:
    written = browser.write_browser_page(str(exported), tmp_path / "page.html", runtime=runtime)
    with pytest.raises(BundleError, match="exists already"):
        browser.write_browser_page(str(exported), written, runtime=runtime)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    expected = bundle.predict(frame)
    with chromium(tmp_path / "profile") as opened:
        opened.get(written.as_uri())
        assert "it asks no server" in text_of(opened)
        file = opened.find_element("id", "file")
        file.send_keys(str(tmp_path / "odd.csv"))
        wait_for(opened, "Cannot forecast: the file has no column")
        file.send_keys(str(tmp_path / "rows.csv"))
        until(opened, lambda: "steps" in opened.find_element("id", "said").text, "a forecast")
        found = pd.read_csv(io.StringIO(opened.execute_script("return csv()")))
        assert opened.get_log("browser") == []
        opened.save_screenshot(str(tmp_path / "page.png"))
    assert len(found) == len(expected)
    for name in [name for name in found.columns if name in expected and expected[name].dtype == float]:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    targets = [name for name in found.columns if name in expected]
    assert len(targets) >= 2


@pytest.mark.slow
def test_a_browser_shows_the_quantiles_that_predict_gives_and_undoes_differences(runtime: Path, tmp_path: Path) -> None:
    frame, levels = hourly_frame(400), [80.0, 50.0]
    data: dict[str, Any] = {"split": {"calibration": 0.2}, "transform": {"load": ["log", "seasonal_diff"]}}
    more: dict[str, Any] = {"levels": levels, "intervals": "quantile"}
    recipe = forecast_recipe(calendar=["hour"], **data) | more
    bundle = untrained(recipe, frame)
    job: Any = open_job(parse_recipe(recipe), frame).seen_by(bundle)
    bundle = bundle.fit_intervals(job.prepared, levels)
    bundle.export(tmp_path / "out", frame=frame)
    written = browser.write_browser_page(str(tmp_path / "out"), tmp_path / "page.html", runtime=runtime)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with chromium(tmp_path / "profile") as opened:
        opened.get(written.as_uri())
        opened.find_element("id", "file").send_keys(str(tmp_path / "rows.csv"))
        until(opened, lambda: "steps" in opened.find_element("id", "said").text, "a forecast")
        found = pd.read_csv(io.StringIO(opened.execute_script("return csv()")))
        assert opened.get_log("browser") == []
    expected = bundle.predict(frame)
    names = ["load_lo_80", "load_lo_50", "load", "load_hi_50", "load_hi_80"]
    assert [str(name) for name in found if str(name).startswith("load")] == names
    np.testing.assert_allclose(found[names], expected[names], rtol=1e-5)
