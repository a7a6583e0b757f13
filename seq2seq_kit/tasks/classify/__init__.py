"""A label or a number for each sequence."""
