"""MLflow: client, local store, served models, UI. Only this room speaks to MLflow."""

import os

# Read by MLflow when it is imported. Telemetry is off unless the user turns it on.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow's logger reports migrations and environments; the kit reports what a user needs.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # drawn where tqdm is installed
