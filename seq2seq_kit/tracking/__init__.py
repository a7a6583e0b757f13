"""MLflow: client, local store, served models, UI."""
