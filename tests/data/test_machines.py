"""The generated pumps, and that their faults are found and put down to the right sensor, even by the linear baseline alone."""

from importlib import import_module

import numpy as np
import pytest

from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data import read_source
from seq2seq_kit.data.tables.machines import SENSORS
from seq2seq_kit.tasks import open_job
from tests.conftest import ROOT
from tests.untyped import load_recipe


def test_a_pump_has_faults_of_one_sensor_in_its_newest_quarter_only() -> None:
    frame = read_source("generated.machine")
    assert list(frame) == ["time", *SENSORS, "fault", "cause"]
    assert frame.time.diff().dropna().unique().tolist() == [np.timedelta64(10, "m")]
    assert frame.fault[: round(len(frame) * 0.75)].sum() == 0
    assert set(frame.cause) == {"", *SENSORS}
    assert ((frame.cause != "") == (frame.fault == 1)).all()
    assert 20 < (frame.fault.diff() == 1).sum() < 40
    assert frame.equals(read_source("generated.machine"))


@pytest.mark.slow
def test_a_fleet_is_the_same_many_times() -> None:
    frame = read_source("generated.fleet")
    assert frame.pump.nunique() == 1_000
    assert len(frame) == 1_000 * 3 * 144
    assert frame.groupby("pump").fault.max().mean() > 0.5


@pytest.mark.slow
def test_causes_are_named_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    judged = import_module("causes").judged
    job = open_job(load_recipe(ROOT / "recipes" / "detect_machine.yaml", {"detect.by": "baseline"}))
    bundle, _ = job.detecting(job.bundle(job.build(), {}))
    assert isinstance(bundle, WindowBundle)
    frame = read_source("generated.machine")
    faults, found, right, events, false = judged(bundle.detect(frame[-3600:]).events, frame[-3600:])
    assert faults > 20
    assert found >= 0.9 * faults
    assert right >= 0.9 * faults
    assert false <= 0.2 * events
