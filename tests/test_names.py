"""Names from data are text on every surface: terminal, figures, notes, pages, MLflow's keys, tables that are written."""

import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console
from ruamel.yaml import YAML

from seq2seq_kit.cli.main import main
from seq2seq_kit.cli.progress import print_finding, print_table
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.interactive import write_interactive
from seq2seq_kit.reports.plots import Examples, plot_examples
from seq2seq_kit.reports.sequences import plot_attention, plot_confusion
from seq2seq_kit.text import code_in_markdown, for_figure, for_markdown, for_page, metric_keys, param_keys, printable
from seq2seq_kit.tracking.client import RunRecord, open_tracking
from seq2seq_kit.tracking.ui import open_ui
from tests.browsing import chromium, wait_for
from tests.conftest import forecast_recipe, slow_but

RAN = "window.ran = (window.ran || 0) + 1"
# fmt: off
NAMES = [
    "temp [c]", "wind [m/s]", "x[/red]", "[bold]b", "flow [/min]", "[link=https://a.b]l", "[@click=x]y", ":warning:", "a\\[b",
    "$x_$", "a$\\frac$b", "cost_$^per_$", "\\$a$", "$$", "$", "a_{b}^c", "\\alpha", "%d %s", "{name}", "{0}", "%{y}", "b\\",
    f"<script>{RAN}</script>", f"<img src=x onerror='{RAN}'>", f"<svg/onload='{RAN}'>", "<b>bold</b>", "a<br>b", "&lt;i&gt;",
    f"[a](javascript:{RAN})", f"<a href='javascript:{RAN}'>a</a>", "![i](x)", "*b*", "**b**", "_i_", "`c`", "a|b", "# h",
    "- l", "1. l", "> q", "</script>", "<!--", "~~s~~", "@someone", "https://a.b/c", "www.a.b", "a\nb", "a\r\nb", "a\tb",
    "\x1b[31mred", "\x1b]0;title\x07", "a\x08\x08b", "\x9b31m", "\u202eabc", "a\u2028b", "=cmd()", "+1", "@SUM(A1)", "a,b",
    'a"b', "a/b", "../up", "C:\\x", "a b", "a_b", "a-b", " lead", "ütf ≥ 8", "名前", "🙂", "self", "class", "None", "n" * 300,
]
# fmt: on
SCRIPT, IMAGE = NAMES.index(f"<script>{RAN}</script>"), NAMES.index(f"<img src=x onerror='{RAN}'>")
MARKS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]")  # a line break is the terminal's own


def test_the_list_is_long_and_names_nothing_twice() -> None:
    assert len(NAMES) == len(set(NAMES)) > 56


def plain_console() -> Console:
    return Console(file=StringIO(), width=400)


def written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_the_terminal_shows_a_name_as_it_stands(name: str) -> None:
    for title, finding in ((name, False), ("", True)):
        console = plain_console()
        if finding:
            print_finding(console, Finding("code", "warning", f"the column {name} is constant", "Leave it out"))
        else:
            print_table(console, [name, "b"], [[name, name]], title=title)
        text = written(console)
        assert not MARKS.search(text)
        assert printable(name).strip() in text or len(name) > 200


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_control_characters_is_printed_letter_by_letter(name: str) -> None:
    assert printable(name) == name or MARKS.search(name) or "\n" in name
    assert not MARKS.search(printable(name))
    assert "\n" not in printable(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_with_a_name_reaches_the_terminal_as_text(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": [1.0]}).to_parquet("rows.parquet")
    recipe = forecast_recipe(source="rows.parquet", inputs=[name], targets=[name], time=None, every=None, calendar=[])
    with Path("recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({**recipe, "data": {key: value for key, value in recipe["data"].items() if value}}, file)
    assert main(["validate", "recipe.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error[missing_column]")
    assert not MARKS.search(said)


def cut(name: str, most: int) -> str:
    shown = printable(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def drawn(figure: Figure) -> list[str]:
    """What a figure's axes say, after matplotlib has drawn them."""
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in (axes.title, axes.yaxis.label, *axes.get_yticklabels())]
    found = []
    for text in texts:
        shown, is_math = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
        assert not is_math
        found.append(shown)
    return found


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("first", slow_but(range(0, len(NAMES), 12), 24))
def test_figures_take_names_as_text(first: int) -> None:
    names = NAMES[first : first + 12]
    figures = [plot_confusion(np.eye(len(names), dtype=int), names)]
    figures.append(plot_attention([np.eye(len(names))], [names], [names]))
    for figure in figures:
        assert {cut(name, 24) for name in names} <= set(drawn(figure))
    for name in names:
        values = np.arange(3.0)
        x, y = values[None], values[None, :, None]
        examples = Examples([name], x, y, x + 3, y, {"model": y}, [name])
        assert {cut(name, 80), cut(f"from {name}", 80)} <= set(drawn(plot_examples(examples, title=name)))


def test_a_note_has_no_markup_of_a_name() -> None:
    for name in NAMES:
        text = for_markdown(name)
        assert not re.search(r"[<>\n]", text)
        assert not re.search(r"(?<!\\)(\\\\)*[|`*\[\]]", text), text
        assert "://" not in text
        code = code_in_markdown(name)
        assert code == f"`{name}`" or not re.search(r"[<>\n]|(?<!\\)`", code)


def test_everyday_names_stand_in_a_note_as_they_are() -> None:
    for name in (
        "load",
        "outdoor_temp",
        "T (degC)",
        "seasonal naive (day)",
        "known_future: 3.5 %",
        "+0.123",
        "-0.4",
        "12:30",
    ):
        assert for_markdown(name) == name


def test_pages_have_no_element_of_a_name() -> None:
    assert not [name for name in NAMES if re.search("[<>]", for_page(name))]


def test_names_are_no_formulas() -> None:
    from matplotlib.cbook import is_math_text

    assert not [name for name in NAMES if is_math_text(for_figure(name))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A run of the command line whose columns have these names, some of their cells missing; what it printed, and its folder."""
    folder = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(70, len(NAMES))).cumsum(axis=0), columns=NAMES)
    rows.iloc[20] = np.nan
    rows.to_parquet(folder / "rows.parquet")
    data = {"source": "rows.parquet", "inputs": list(NAMES), "targets": list(NAMES), "missing": "interpolate"}
    recipe = {
        "task": "forecast",
        "name": "hostile",
        "data": data
        | {
            "input_steps": 4,
            "output_steps": 2,
            "limits": {name: [-1e6, 1e6] for name in NAMES},
            "units": {name: name[:40] for name in NAMES},
        },
        "model": {"encoder_units": [4], "decoder_units": [4]},
        "training": {"epochs": 1},
    }
    with (folder / "recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(recipe, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        yield {"folder": folder, "rows": rows}


def test_a_run_whose_columns_have_these_names_is_trained_told_and_used(
    run: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "recipe.yaml"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert not MARKS.search(said.out + said.err)
    assert "temp [c] 1, wind [m/s] 1, x[/red] 1" in said.out
    tracking = open_tracking("mlruns")
    newest = tracking.newest_run()
    assert newest is not None
    found = tracking.client.get_run(newest[1])
    assert found.info.status == "FINISHED"
    note = found.data.tags["mlflow.note.content"]
    assert "temp \\[c\\] 1, wind \\[m/s\\] 1" in note
    assert not re.search("<(?!/?b>)", note.replace("&nbsp;", ""))
    assert main(["predict", newest[1], "--data", "rows.parquet", "--out", "out.csv"]) == 0
    table = pd.read_csv("out.csv", nrows=0)
    assert set(NAMES) <= set(table.columns)  # as they are: a table is data
    assert main(["evaluate", newest[1], "--out", "scores.csv"]) == 0
    assert set(NAMES) <= set(pd.read_csv("scores.csv", keep_default_na=False)["target"])
    assert main(["list", "runs"]) == 0
    assert not MARKS.search(capsys.readouterr().out)


def test_mlflow_takes_every_name_as_a_key(run: dict[str, Any]) -> None:
    tracking = open_tracking("mlruns")
    record: RunRecord = tracking.start("keys", name="k" * 400, tags={})
    record.params({f"data.scaling.{name}": 1 for name in NAMES})
    record.metrics({f"test_baselines/{key}_rmse": 1.0 for key in metric_keys(NAMES).values()})
    record.end("FINISHED")
    found = tracking.client.get_run(record.run_id)
    assert len(found.data.params) == len(found.data.metrics) == len(NAMES)


def test_keys_of_different_names_differ() -> None:
    for keys in (metric_keys(NAMES), param_keys(NAMES)):
        assert len(set(keys.values())) == len(NAMES)
        assert max(map(len, keys.values())) < 240


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def nothing_ran(browser: Any) -> bool:
    return not browser.execute_script("return window.ran")


def test_chromium_runs_none_of_it_in_the_note_and_the_pages(run: dict[str, Any], browser: Any) -> None:
    from selenium.webdriver.common.by import By

    values = np.arange(3.0)
    shape = (2, 3, len(NAMES))
    truth = np.broadcast_to(values[None, :, None], shape)
    past, ahead = np.tile(values, (2, 1)), np.tile(values + 3, (2, 1))
    labels = [NAMES[SCRIPT], NAMES[IMAGE]]
    examples = Examples(labels, past, truth, ahead, truth, {"model": truth}, NAMES)
    for number, shown in enumerate((examples, replace(examples, targets=NAMES[IMAGE : IMAGE + 1]))):
        page = run["folder"] / f"page{number}.html"
        write_interactive(shown, page, title="".join(NAMES[SCRIPT : SCRIPT + 3]))
        browser.get(page.as_uri())
        wait_for(browser, "window from <script>", "<svg/onload=")
        assert nothing_ran(browser)
        drawn_names = browser.execute_script(
            "return [...document.querySelectorAll('.legendtext')].map(e => e.textContent)"
        )
        assert number or {f"inputs {name}" for name in ("temp [c]", "$x_$", "<b>bold</b>", "*b*")} <= set(drawn_names)
    tracking = open_tracking("mlruns")
    record = tracking.start("note", name="note", tags={})
    record.note("\n".join(["## note", "", "| name |", "| --- |", *(f"| {for_markdown(name)} |" for name in NAMES), ""]))
    record.note("\n".join(["## the note", "", *(f"- **{for_markdown(name)}**" for name in NAMES)]))
    record.end("FINISHED")
    with open_ui(tracking_uri="mlruns") as ui:
        browser.get(f"{ui.address.split('#')[0]}#/experiments/{record.experiment_id}/runs/{record.run_id}")
        text = wait_for(browser, "the note", "temp [c]")
        assert nothing_ran(browser)
        for name in (
            "x[/red]",
            "<b>bold</b>",
            "*b*",
            "_i_",
            "a|b",
            "@someone",
            "https://a.b/c",
            "$x_$",
            "![i](x)",
            ":warning:",
        ):
            assert name in text, name
        assert not browser.find_elements(By.XPATH, "//a[contains(@href, 'javascript') or contains(@href, 'a.b')]")
