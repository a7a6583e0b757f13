"""A run whose process was killed is closed by the kit's next command, with what was saved of it; all others are left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.dead_runs import is_dead, process_tags
from tests.conftest import ROOT

CODE = """
import sys, time
from seq2seq_kit.tracking.client import open_tracking
record = open_tracking(sys.argv[1]).start("one", name="run", tags={})
for step, loss in enumerate([0.5, 0.25, 0.75], start=1):
    record.metrics({"epoch/val_loss": loss}, step=step)
print(record.run_id, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_killed_run_is_closed_by_list_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "mlruns")
    tracking = open_tracking(store)
    living = tracking.start("one", name="living", tags={})
    other = tracking.client.create_run(living.experiment_id, run_name="of plain MLflow").info.run_id
    command = [sys.executable, "-c", CODE, store]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert main(["list", "runs", "--tracking-uri", store]) == 0
        assert tracking.client.get_run(run_id).info.status == "RUNNING"
        process.kill()
    assert main(["list", "runs", "--tracking-uri", store]) == 0
    assert "KILLED" in capsys.readouterr().out
    run = tracking.client.get_run(run_id)
    assert (run.info.status, run.data.tags["result"]) == ("KILLED", "killed in epoch 4; best val_loss 0.25 at epoch 2")
    assert str(process.pid) in run.data.tags["error"]
    for untouched in (living.run_id, other):
        assert tracking.client.get_run(untouched).info.status == "RUNNING"
    record, tags = tracking.reopen(run_id)
    assert is_dead(tags)
    record.open()
    open_tracking(store)
    assert tracking.client.get_run(run_id).info.status == "RUNNING"  # it is this process's now


def test_only_processes_of_this_machine_and_boot_are_judged() -> None:
    mine = process_tags()
    assert not is_dead(mine)
    assert is_dead(mine | {"process.began": "1.00"})
    assert not is_dead(mine | {"process.began": "1.00", "process.machine": "another"})
    assert not is_dead({})
    assert not is_dead(mine | {"process.id": "x"})


@pytest.mark.slow
def test_a_training_that_is_terminated_says_so_in_its_run(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    from tests.conftest import forecast_recipe, hourly_frame

    hourly_frame(300).to_csv(tmp_path / "rows.csv", index=False)
    recipe = forecast_recipe(source=str(tmp_path / "rows.csv"))["data"]
    with (tmp_path / "r.yaml").open("w") as file:
        YAML().dump(forecast_recipe() | {"data": recipe}, file)
    command = [sys.executable, "-u", "-m", "seq2seq_kit", "train", "r.yaml", "--set", "training.epochs=100000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert any(line.startswith("epoch   3") for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 130
    (status,) = open_tracking(str(tmp_path / "mlruns"), create=False).runs()["status"]
    assert status == "KILLED"
