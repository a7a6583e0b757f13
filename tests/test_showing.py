"""What a program or a notebook shows of results, bundles, jobs and validations is short, a table and a picture."""

import re
from pathlib import Path

import numpy as np
import pytest

from seq2seq_kit.drafting import draft_recipe
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.results import InNotebook, Silent, TrainResult, reporter_at_hand
from seq2seq_kit.runs import load
from seq2seq_kit.tasks import open_job
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def test_what_is_at_hand_before_a_training_is_short() -> None:
    recipe, frame = parse_recipe(forecast_recipe()), hourly_frame(300)
    checked = validate(recipe, data=frame)
    for shown in (checked, open_job(recipe, frame), draft_recipe(frame)):
        assert len(repr(shown)) < 200
        assert "\n" not in repr(shown)
    assert repr(checked).startswith("<Validation: forecast, 300 rows; windows: 181 train, 40 val, 40 test; ")
    assert "181 train" in checked._repr_html_()


@pytest.mark.slow
def test_a_result_is_a_line_and_in_a_notebook_a_table_with_a_picture(forecast_run: TrainResult) -> None:
    for shown in (forecast_run, forecast_run.fit, forecast_run.val, forecast_run.test, forecast_run.bundle):
        assert 10 < len(repr(shown)) < 300
        assert "\n" not in repr(shown)
        assert "array(" not in repr(shown)
    html = forecast_run._repr_html_()
    assert "data:image/png;base64," in html
    for name in forecast_run.test.names:
        assert f"<th>{name}</th>" in html
    assert forecast_run.test.best_baseline in repr(forecast_run)
    assert "a forecast" in forecast_run.bundle._repr_html_()


@pytest.mark.slow
def test_a_result_draws_its_forecasts_and_any_other_figure(forecast_run: TrainResult) -> None:
    assert forecast_run.plot() is forecast_run.figures["forecasts"]
    assert forecast_run.plot("loss_curves").axes[0].get_title() == "Loss by epoch"
    assert set(forecast_run.figures) == {"forecasts", "error_by_step", "loss_curves", "model"}
    with pytest.raises(ArgumentError) as caught:
        forecast_run.plot("foercasts")
    assert caught.value.code == "invalid_argument"


@pytest.mark.slow
def test_a_bundle_draws_what_it_forecasts(forecast_run: TrainResult, store: Path) -> None:
    frame, bundle = hourly_frame(100), load(forecast_run.run_id, tracking_uri=str(store))
    figure = bundle.plot(frame)
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    assert set(lines) == {"inputs", "model"}
    expected = bundle.predict(frame)["load"].to_numpy()
    np.testing.assert_allclose(np.asarray(lines["model"].get_ydata(), dtype=float), expected, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(lines["inputs"].get_ydata(), dtype=float), frame["load"].to_numpy()[-24:])


def test_a_notebook_has_a_line_that_is_written_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys
    from types import SimpleNamespace

    assert isinstance(reporter_at_hand(), Silent)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    reporter = reporter_at_hand()
    assert isinstance(reporter, InNotebook)
    reporter.say("fitting \x1b[31m")
    reporter.say("next")
    said = capsys.readouterr().out
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(set(map(len, re.split("\r", said)[1:]))) == 1  # the longer line is written over
