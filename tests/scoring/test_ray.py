"""What docs/score.md says of Ray Data is so: the block runs, and compares what Ray gives with what the model says here."""

import os
import re
import secrets
from pathlib import Path

import pytest

from seq2seq_kit.executing.ray_cluster import keep_environment
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its own options and sockets
def test_the_block_on_ray_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    (block,) = re.findall(
        r"^```python ray\n(.*?)^```", (ROOT / "docs" / "score.md").read_text(encoding="utf-8"), re.M | re.S
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # otherwise Ray writes one into the home folder
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    keep_environment()  # these tests may have been begun by `uv run`
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    exec(compile(block, "docs/score.md", "exec"), {})
