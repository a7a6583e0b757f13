"""What a person sees of a sweep: a live table in a terminal, plain lines in a file."""

import io
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from seq2seq_kit.cli.sweep_progress import SweepConsole, render, summary
from seq2seq_kit.findings import Finding
from seq2seq_kit.sweeps.in_notebook import SweepInNotebook, reporter_at_hand
from seq2seq_kit.sweeps.status import Progress, Silent, Standing, Status, report_status
from seq2seq_kit.sweeps.trials import Trial


def values(units: list[int], rate: float) -> dict[str, Any]:
    return {"model.encoder_units": units, "training.learning_rate": rate}


TRIALS = [
    Trial(1, values([8], 0.001), "finished", 0.5, 9, 10, 61.0),
    Trial(2, values([16, 8], 0.01), "finished", 0.25, 4, 10, 100.0, folds=(0.2, 0.3)),
    Trial(3, values([4], 1e30), "failed", reason="the loss [of all] became nan", seconds=2.0),
    Trial(4, values([32], 0.003), "running"),
]
STATUS = Status(
    trials=TRIALS,
    running=[Progress(TRIALS[3], epoch=3, epochs=10, done=0.25, last=0.3125, seconds=12.0)],
    total=20,
    seconds=126.0,
    left=180.0,
    metric="val_loss",
    direction="min",
)


def shown(what: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def row(lines: list[str], number: int) -> list[str]:
    """The cells of a trial's row."""
    (line,) = [line for line in lines if line.startswith("│") and line.split("│")[1].strip() == str(number)]
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_the_live_view_has_a_bar_for_each_running_trial_and_the_best_below() -> None:
    lines = shown(render(STATUS))
    assert row(lines, 4) == ["4", "━━━╌╌╌╌╌╌╌╌╌", "0.3125", "3/10", "[32]", "0.003", "12 s"]
    assert row(lines, 2) == ["2", "best so far", "0.25", "4", "[16, 8]", "0.01", "1.7 min"]
    assert row(lines, 1) == ["1", "", "0.5", "9", "[8]", "0.001", "61 s"]
    places = [next(at for at, line in enumerate(lines) if line.startswith(f"│     {number} ")) for number in (4, 2, 1)]
    assert places == sorted(places)
    heads = [cell.strip() for cell in next(line for line in lines if "val_loss" in line).split("┃")[1:-1]]
    assert heads == ["trial", "", "val_loss", "epoch", "encoder_units", "learning_rate", "time"]


def test_the_line_below_counts_and_tells_the_time_left() -> None:
    said = "2 of 20 trials finished, 1 failed; best val_loss 0.25 (trial 2); 2.1 min so far, about 3.0 min left"
    assert summary(STATUS) == said
    assert shown(render(STATUS))[-1] == said


def test_before_the_first_trial_has_finished_there_is_no_best() -> None:
    status = Status(TRIALS[2:], STATUS.running, None, 5.0, None, "val_accuracy", "max")
    assert summary(status) == "0 trials finished, 1 failed; 5 s so far"
    lines = shown(render(status))
    assert not [line for line in lines if "best" in line]
    assert row(lines, 4)[0] == "4"


def test_the_largest_accuracy_is_the_best() -> None:
    status = Status(TRIALS, [], 4, 5.0, None, "val_accuracy", "max")
    assert row(shown(render(status)), 1)[1] == "best so far"


def play(console: Console) -> None:
    with SweepConsole(console) as reporter:
        reporter.say("creating the MLflow store in [here]/")
        reporter.find(Finding("gap", "warning", "3 rows [sic] are missing", "look at them"))
        reporter.on_status(STATUS)
        for trial in TRIALS[:3]:
            reporter.on_trial(trial, trial.number == 2)


def test_written_to_a_file_each_ended_trial_is_a_line_without_control_characters() -> None:
    written = io.StringIO()
    play(Console(file=written, width=80))
    text = written.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "━" not in text
    first, _, *trials = text.splitlines()
    assert first == "· creating the MLflow store in [here]/"
    assert "3 rows [sic] are missing" in text
    assert trials[-3:] == [
        "trial   1/20  0.5  epoch 9  encoder_units [8], learning_rate 0.001  61 s",
        "trial   2/20  0.25 ± 0.0707  epoch 4  encoder_units [16, 8], learning_rate 0.01  1.7 min *",
        "trial   3/20  failed: the loss [of all] became nan  encoder_units [4], learning_rate 1e+30  2 s",
    ]


def test_a_terminal_is_drawn_live_and_left_with_the_lines() -> None:
    written = io.StringIO()
    play(Console(file=written, width=120, force_terminal=True))
    text = written.getvalue()
    assert "━━━╌╌╌╌╌╌╌╌╌" in text
    assert "\x1b[?25l" in text  # the cursor is hidden while the table is drawn,
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # and back in the end


def test_a_reporter_of_earlier_versions_has_on_standing() -> None:
    seen: list[Status] = []

    class Alone:
        def on_standing(self, standing: Standing) -> None:
            seen.append(standing)

    class Below(Silent):
        on_standing = Alone.on_standing

    for reporter in (Alone(), Below(), Silent()):
        given: Any = reporter
        report_status(given, STATUS)
    assert seen == [STATUS, STATUS]


def test_a_notebook_has_one_line_that_is_written_over_and_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(reporter_at_hand(), Silent)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    reporter = reporter_at_hand()
    assert isinstance(reporter, SweepInNotebook)
    clock = iter([*np.linspace(0, 0.9, 600).tolist(), 1.1, 1.2])
    monkeypatch.setattr("seq2seq_kit.sweeps.in_notebook.time", SimpleNamespace(monotonic=lambda: next(clock)))
    begun = replace(STATUS, trials=[TRIALS[3]], seconds=5.0, left=None)
    for _ in range(600):  # several times a second: all but the first are left out
        reporter.on_status(begun)
    reporter.on_status(begun)
    reporter.on_trial(TRIALS[0], best=True)
    reporter.on_trial(TRIALS[2], best=False)
    reporter.on_status(STATUS)
    lines = capsys.readouterr().out.split("\r")[1:]
    assert [line.rstrip() for line in lines] == [
        *["0 of 20 trials finished; 5 s so far; running: 4 (25%)"] * 2,
        "trial 3 failed: the loss [of all] became nan",
        summary(STATUS),
    ]
    assert [line.endswith("\n") for line in lines] == [False, False, True, False]
    assert {len(line.rstrip("\n")) for line in lines} == {100}
