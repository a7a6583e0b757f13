"""Tables: sources, time, splits, scaling."""
