"""What MLflow loads and serves, run by MLflow from a copy inside the logged model: a bundle, for frames or for tensors."""

from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel


class BundleModel(PythonModel):
    """Takes frames (`serve: frames`) or the bare network's scaled arrays (`serve: tensors`)."""

    def load_context(self, context: Any) -> None:
        """Reads the bundle beside this file."""
        from seq2seq_kit.bundle_files import read_bundle

        self.bundle = read_bundle(context.artifacts["bundle"])
        self.tensors = context.model_config["serve"] == "tensors"

    # Without type hints: MLflow would take them for a schema of their own, beside the signature.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Frames: as `Bundle.answer`. Tensors: the network's output."""
        if not self.tensors:
            return self.bundle.answer(model_input)
        names = [tensor.name for tensor in self.bundle.model.inputs]
        return self.bundle.forward([model_input[name] for name in names] if len(names) > 1 else [model_input])


mlflow.models.set_model(BundleModel())
