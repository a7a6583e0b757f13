"""Drift: whether new rows are such as those of the training were, by statistics that autocorrelation does not fool."""
