"""Tables as people have them, for the tests of drafts."""

import numpy as np
import pandas as pd


def hours(rows: int = 1_500, *, start: str = "2023-01-01", season: int = 24, seed: int = 0) -> pd.DataFrame:
    """`at` and `load`: a day's curve with noise."""
    rng = np.random.default_rng(seed)
    load = 500 + 120 * np.sin(2 * np.pi * np.arange(rows) / season) + rng.normal(0, 20, rows)
    return pd.DataFrame({"at": pd.date_range(start, periods=rows, freq="h"), "load": load.round(2)})


def days(rows: int = 400, *, start: str = "2023-01-01", seed: int = 0, size: float = 1.0) -> pd.DataFrame:
    """`date` and `sold`: a week's curve with noise."""
    rng = np.random.default_rng(seed)
    sold = size * (500 + 120 * np.sin(2 * np.pi * np.arange(rows) / 7) + rng.normal(0, 20, rows))
    return pd.DataFrame({"date": pd.date_range(start, periods=rows), "sold": sold.round(1)})
