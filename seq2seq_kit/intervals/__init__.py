"""How sure a forecast is: intervals, what they are calibrated on, and how they are judged. Knows no task and no model."""
