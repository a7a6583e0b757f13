"""A label for each token or row."""
