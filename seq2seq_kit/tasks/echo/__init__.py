"""A lesson in shapes: a sequence -> itself."""
