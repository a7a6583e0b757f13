"""Series that do not move in training have no unit of their own: they neither narrow the intervals of others nor get theirs."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.intervals.calibration import without_idle
from tests.untyped import train

STORES = list("abcdef")


def panel(idle: str, rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    days = pd.date_range("2023-01-01", periods=rows, freq="D")
    frames = []
    for place, store in enumerate(STORES):
        sold = 20.0 * (place + 1) + 10 * np.sin(2 * np.pi * np.arange(rows) / 7) + rng.normal(0, 2 + 1.5 * place, rows)
        frames.append(pd.DataFrame({"day": days, "store": store, "sold": 0.0 if store in idle else sold}))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("scale_per_series", [False, True])
@pytest.mark.parametrize("idle", ["", "def", "cdef"])
def test_idle_series_leave_the_intervals_of_others_alone(idle: str, scale_per_series: bool, tmp_path: object) -> None:
    data: dict[str, object] = {"time": "day", "every": "1d", "series": "store", "inputs": ["sold"], "targets": ["sold"]}
    data |= {"input_steps": 14, "output_steps": 7, "scale_per_series": scale_per_series}
    recipe = {"task": "forecast", "name": "idle", "levels": [80], "model": "none", "data": data}
    frame = panel(idle)
    result = train(recipe, data=frame, tracking_uri=str(tmp_path))
    answer = result.bundle.predict(frame, all_windows=True)
    answer = answer[answer.day > frame.day.max() - pd.Timedelta(days=30)].merge(
        frame.rename(columns={"sold": "actual"}), on=["day", "store"]
    )
    inside = (answer.actual >= answer.sold_lo_80) & (answer.actual <= answer.sold_hi_80)
    moving = ~answer.store.isin(list(idle))
    assert 0.62 < inside[moving].mean() < 0.95  # 0.69 where none is idle; it was 0.4 to 0.53 where some are
    width = (answer.sold_hi_80 - answer.sold_lo_80).groupby(answer.store).mean()
    error = (answer.sold - answer.actual).abs().groupby(answer.store).mean()
    assert (width / error)[list(idle)].between(1, 8).all(), "an idle series has intervals of the size of its own errors"


def test_idle_scores_stay_where_too_few_others_are_there() -> None:
    scores = np.arange(12.0).reshape(6, 1, 2)
    idle = np.array([[True, False]] * 4 + [[False, False]] * 2)
    found = without_idle(scores, idle, 2)
    assert np.isnan(found[:4, :, 0]).all()
    assert (found[4:] == scores[4:]).all()
    assert (found[:, :, 1] == scores[:, :, 1]).all()
    assert (without_idle(scores, idle, 3) == scores).all()
