"""Of several processes that resume a sweep at the same moment, one gets it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values, section_of
from seq2seq_kit.sweeps.trial_store import TrialStore
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.validation import resolve
from tests.conftest import ROOT, forecast_recipe

CLAIM = """
import sys, time
from seq2seq_kit.errors import SweepError
from seq2seq_kit.sweeps.reopen import claim, open_trial_store
from seq2seq_kit.tracking.client import open_tracking
store = open_trial_store(open_tracking(sys.argv[1], create=False), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    claim(store)
    print("mine", flush=True)
except SweepError as error:
    print(error.code, flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
def test_one_of_four_claims_succeeds(tmp_path: Path) -> None:
    space = {"model.encoder_units": {"choice": [[4], [6]]}}
    recipe = resolve(forecast_recipe() | {"sweep": {"tuner": "random", "max_trials": 3, "space": space}})
    uri = str(tmp_path / "mlruns")
    store = TrialStore.begin(
        open_tracking(uri), recipe, default_values(recipe, knobs(section_of(recipe))), digest="", tags={}
    )
    # This process has begun it and lives, so it must let go first.
    store.record.tags({"sweep.process": "1", "sweep.process_began": "1.00"})
    command = [sys.executable, "-c", CLAIM, uri, store.record.run_id]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    four = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    try:
        for process in four:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        for process in four:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.stdout.readline().strip() for process in four if process.stdout]
    finally:
        for process in four:
            process.communicate("\n")
    assert sorted(said) == ["mine", "sweep_running", "sweep_running", "sweep_running"]
