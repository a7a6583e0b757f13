"""The forecast of `recipes/forecast_traffic.yaml` behind HTTP by hand: FastAPI and Keras.

    uvicorn --app-dir benchmarks/handwritten serve:app

Written as somebody writes it who knows both: a request's rows are checked by Pydantic, pandas computes the calendar, Keras
forecasts. The environment has `MODEL`, a file of NumPy with the weights in Keras' order, `CALL`, which is `predict`
(`model.predict`) or `function` (the model as a compiled function), and `MEAN` and `SCALE` of the training rows.
"""

import os
from datetime import datetime

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import tensorflow as tf
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from traffic import INPUT_STEPS, OUTPUT_STEPS, build, calendar

MEAN, SCALE = float(os.environ["MEAN"]), float(os.environ["SCALE"])


class Row(BaseModel):
    """One hour."""

    datetime: datetime
    traffic_volume: float


class Answer(BaseModel):
    """One hour ahead."""

    datetime: datetime
    step: int
    traffic_volume: float


app = FastAPI()
model = build(6)
stored = np.load(os.environ["MODEL"])
model.set_weights([stored[name] for name in stored])
function = tf.function(model)


@app.post("/predict")
def predict(rows: list[Row]) -> list[Answer]:
    """The next hours."""
    if len(rows) < INPUT_STEPS:
        raise HTTPException(400, f"expected {INPUT_STEPS} rows")
    rows = rows[-INPUT_STEPS:]
    times = pd.DatetimeIndex([row.datetime for row in rows])
    ahead = pd.date_range(times[-1], periods=OUTPUT_STEPS + 1, freq="h")[1:]
    values = (np.array([row.traffic_volume for row in rows]) - MEAN) / SCALE
    inputs = np.column_stack([values, calendar(times)]).astype(np.float32)[None]
    future = calendar(ahead).astype(np.float32)[None]
    by_keras = os.environ["CALL"] == "predict"
    scaled = model.predict([inputs, future], verbose=0) if by_keras else function([inputs, future]).numpy()
    found = scaled[0, :, 0] * SCALE + MEAN
    return [
        Answer(datetime=time, step=step, traffic_volume=value)
        for step, (time, value) in enumerate(zip(ahead, found, strict=True), start=1)
    ]
