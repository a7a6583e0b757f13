"""A text into another text."""
