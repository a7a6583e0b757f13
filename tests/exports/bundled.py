"""Bundles with random weights: what an export has to match, without a training."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from seq2seq_kit.tasks import open_job, parse_recipe
from tests.exports.running import randomise


def untrained(recipe: dict[str, Any], frame: pd.DataFrame) -> Any:
    """The bundle of a recipe whose model has random weights."""
    job = open_job(parse_recipe(recipe), frame)
    return job.bundle(randomise(job.build()), {"run_id": "none"}, peers=False)


def answers(file: Path, *inputs: np.ndarray) -> list[np.ndarray]:
    """What a graph gives for inputs in its order."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return list(session.run(None, dict(zip(names, inputs, strict=True))))
