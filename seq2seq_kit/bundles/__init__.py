"""Bundle models in memory and on disk."""
