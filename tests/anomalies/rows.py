"""Errors of rows as tests need them: noise of two columns, one of them fifty times as large."""

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.row_errors import RowErrors

HOUR = 3600.0


def errors_of(errors: np.ndarray, *, segment: np.ndarray | None = None, columns: list[str] | None = None) -> RowErrors:
    rows = len(errors)
    return RowErrors(
        labels=pd.DataFrame({"time": pd.date_range("2026-01-01", periods=rows, freq="h")}),
        series=np.zeros(rows, dtype=np.int64),
        segment=np.zeros(rows, dtype=np.int64) if segment is None else segment,
        columns=columns or [f"c{place}" for place in range(errors.shape[1])],
        actual=errors + 10.0,
        expected=np.where(np.isnan(errors), 10.0, 10.0),
        errors=errors,
        unreached=0,
    )


def noise(rows: int, columns: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)) * ([0.1, 5.0, 1.0, 1.0][:columns])
