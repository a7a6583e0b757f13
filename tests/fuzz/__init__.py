"""Generators of hostile input, each case known by its number; see docs/reliability.md."""
