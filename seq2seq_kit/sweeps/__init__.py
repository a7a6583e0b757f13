"""Searching a recipe's hyperparameters, and showing what the search found."""
