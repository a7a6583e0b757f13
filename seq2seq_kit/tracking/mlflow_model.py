"""What MLflow loads and serves, run by MLflow from a copy inside the logged model: a bundle, for frames or for tensors."""

import atexit
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

_CODE = Path(__file__).parent / "code" / "seq2seq_kit.zip"  # as `record.RunRecord.models` has it packed


class BundleModel(PythonModel):
    """Takes frames (the artifact is named `frames`) or the bare network's scaled arrays (`tensors`)."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the bundle beside this file, by the package that is loaded, otherwise by the one that the model carries."""
        if "seq2seq_kit" not in sys.modules and _CODE.exists():
            _unpack(_CODE)
        from seq2seq_kit.tasks.registry import read_logged_bundle

        ((serve, folder),) = context.artifacts.items()
        self.bundle, self.tensors = read_logged_bundle(folder), serve == "tensors"
        if (pending := getattr(self.bundle, "forecasts", None)) is not None:
            pending.most = 0  # MLflow knows no `update`, so nobody will ask for them

    # MLflow reads the hint of `model_input`: a DataFrame leaves the checking to the signature, for arrays too.
    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame | np.ndarray:
        """Frames: as `Bundle.answer`. Tensors: the network's output for an array, or for a dict of arrays by input name.

        A model with a detector takes the parameter `verb`, one of its verbs; `detect` answers with the events. A forecast with
        intervals takes `samples`, as many sample paths in place of the forecast, and their `seed`.
        """
        if not self.tensors and params:
            from seq2seq_kit.bundles.detecting import DetectingBundle

            assert isinstance(self.bundle, DetectingBundle)  # others are served without parameters
            return self.bundle.answer_to(model_input, **params)
        if not self.tensors:
            return self.bundle.answer(model_input)
        from seq2seq_kit.models.inference import forward_inputs

        names = [tensor.name for tensor in forward_inputs(self.bundle.model)]
        arrays = [model_input[name] for name in names] if len(names) > 1 else [model_input]
        return self.bundle.forward([np.asarray(array) for array in arrays])


def _unpack(packed: Path) -> None:
    """Puts an archive's files into a folder that is first on Python's path, until the process ends."""
    folder = tempfile.mkdtemp(prefix="seq2seq_kit_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    sys.path.insert(0, folder)


mlflow.models.set_model(BundleModel())
