"""What MLflow loads and serves: a bundle behind `predict(DataFrame)`. Run by MLflow from a copy inside the logged model."""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class BundleModel(PythonModel):
    """A forecast predicts the steps after the newest rows; an autoencoder scores each window."""

    def load_context(self, context: Any) -> None:
        """Reads the bundle beside this file."""
        from seq2seq_kit.bundle_files import read_bundle

        self.bundle = read_bundle(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Rows in the recipe's columns -> forecasts or scores, as `Bundle.predict` and `Bundle.score`."""
        if self.bundle.recipe.task == "forecast":
            return self.bundle.predict(model_input)
        return self.bundle.score(model_input)


mlflow.models.set_model(BundleModel())
