"""From the errors of a model to events: scores, thresholds without labels, alarms. Knows no task."""
