"""`recipes/forecast_traffic.yaml` by hand: the same data, windows, model, epochs and figures, in plain Keras.

    python benchmarks/handwritten/traffic.py --epochs 15

Written as somebody writes it who knows NumPy, Keras and MLflow: windows are cut at once, `fit` takes arrays, the run is logged
in a few calls. It leaves out what the kit does beyond that: the ridge baseline, checks of the data, a bundle that predicts from
frames, interactive figures.
"""

import argparse
import os
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import keras
import matplotlib
import mlflow
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt

INPUT_STEPS, OUTPUT_STEPS, UNITS, BATCH, LEARNING_RATE = 100, 10, 64, 32, 5e-3
VAL, TEST = 0.15, 0.15
SEASONS = {"day": 24, "week": 168}  # in hours
LARGE_BATCH = 512  # without gradients


def main() -> None:
    """Trains, evaluates, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    epochs = parser.parse_args().epochs
    keras.utils.set_random_seed(0)
    open_store("forecast_traffic")

    times, observed = read_traffic()
    data = prepare(times, observed)
    columns, parts, filled, train_rows = data.columns, data.starts, data.filled, observed[: data.train]
    x, y = cut(columns, parts["train"])
    x_val, y_val = cut(columns, parts["val"])
    x_test, _ = cut(columns, parts["test"])

    model = build(columns.shape[1])
    steps = -(-len(y) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, decay_steps=steps * epochs)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
    with mlflow.start_run():
        mlflow.log_params(
            {
                "input_steps": INPUT_STEPS,
                "output_steps": OUTPUT_STEPS,
                "units": UNITS,
                "batch_size": BATCH,
                "learning_rate": LEARNING_RATE,
                "schedule": "cosine",
                "epochs": epochs,
                "seed": 0,
            }
        )
        history = model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=epochs,
            validation_data=(x_val, y_val),
            validation_batch_size=LARGE_BATCH,
            callbacks=[
                keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True),
                keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mlflow.log_metrics(logs, step=epoch)),
            ],
            verbose=2,
        ).history
        # Missing cells are no truth.
        truth = {part: observed[target_rows(parts[part])] for part in ("val", "test")}
        naive_error = np.nanmean(np.abs(train_rows[SEASONS["day"] :] - train_rows[: -SEASONS["day"]]))
        forecasts = {"model": model.predict(x_test, batch_size=LARGE_BATCH, verbose=0)[..., 0] * data.scale + data.mean}
        on_val = model.predict(x_val, batch_size=LARGE_BATCH, verbose=0)[..., 0] * data.scale + data.mean
        forecasts["last value"] = np.repeat(filled[newest_rows(parts["test"])][:, None], OUTPUT_STEPS, axis=1)
        errors = {
            name: rmse(truth["val"], season_before(filled, parts["val"], hours)) for name, hours in SEASONS.items()
        }
        season = min(errors, key=lambda name: errors[name])
        forecasts[f"seasonal naive {season}"] = season_before(filled, parts["test"], SEASONS[season])
        results = {f"val/{key}": value for key, value in scores(truth["val"], on_val, naive_error).items()}
        for name, forecast in forecasts.items():
            place = "test" if name == "model" else f"test_baselines/{name.replace(' ', '_')}"
            results |= {f"{place}/{key}": value for key, value in scores(truth["test"], forecast, naive_error).items()}
        mlflow.log_metrics(results)
        mlflow.log_figure(draw(history, truth["test"], forecasts), "figures/forecasts.png")
        example = [array[:1] for array in x_test]
        signature = mlflow.models.infer_signature(
            dict(zip(("inputs", "future"), example, strict=True)), model(example).numpy()
        )
        # With the requirements named MLflow need not load the model again to find them.
        pins = [f"{package.__name__}=={package.__version__}" for package in (keras, np)]
        mlflow.tensorflow.log_model(model, name="model", signature=signature, pip_requirements=pins)
    print(f"RMSE {results['test/rmse']:.1f}, best epoch {int(np.argmin(history['val_loss'])) + 1} of {epochs}")


def open_store(experiment: str) -> None:
    """A SQLite store in the folder `mlruns`, as the kit's."""
    folder = Path("mlruns").resolve()
    folder.mkdir(exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(experiment)


def read_traffic() -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Hours and vehicles, NaN where missing; the file that AutoTS ships, without importing AutoTS."""
    spec = find_spec("autots")
    assert spec is not None, "pip install autots"
    assert spec.submodule_search_locations, "pip install autots"
    frame = pd.read_csv(Path(spec.submodule_search_locations[0], "datasets/data/traffic_hourly.zip"))
    series = frame.set_index(pd.to_datetime(frame["datetime"]))["traffic_volume"].sort_index().asfreq("1h")
    return pd.DatetimeIndex(series.index), series.to_numpy(np.float64)


@dataclass(frozen=True)
class Data:
    """Columns for the model and the way back to vehicles; first rows of the windows of each part; rows of training."""

    columns: np.ndarray
    filled: np.ndarray
    mean: float
    scale: float
    starts: dict[str, np.ndarray]
    train: int


def prepare(times: pd.DatetimeIndex, observed: np.ndarray) -> Data:
    """Fills, scales on the training rows, adds the calendar, finds the windows."""
    edges = np.round(len(observed) * np.array([0, 1 - VAL - TEST, 1 - TEST, 1])).astype(int)
    filled = fill(observed, edges)
    mean, scale = np.nanmean(observed[: edges[1]]), np.nanstd(observed[: edges[1]])
    columns = np.column_stack([(filled - mean) / scale, calendar(times)]).astype(np.float32)
    starts = {
        part: window_starts(observed, first, end)
        for part, (first, end) in zip(("train", "val", "test"), pairwise(edges), strict=True)
    }
    return Data(columns, filled, float(mean), float(scale), starts, int(edges[1]))


def fill(observed: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Interpolates; each part from itself and what came before it, so that nothing leaks from test into training."""
    filled = observed.copy()
    for first, end in pairwise(edges):
        filled[first:end] = pd.Series(filled[:end]).interpolate(limit_direction="both").to_numpy()[first:end]
    return filled


def calendar(times: pd.DatetimeIndex) -> np.ndarray:
    """Hour and hour of the week as sine and cosine, and whether it is a weekend; shape `(rows, 5)`."""
    hour, week = 2 * np.pi * times.hour / 24, 2 * np.pi * (times.day_of_week * 24 + times.hour) / 168
    return np.column_stack([np.sin(hour), np.cos(hour), np.sin(week), np.cos(week), times.day_of_week >= 5])


def window_starts(observed: np.ndarray, first: int, end: int) -> np.ndarray:
    """First rows of the windows whose targets lie in a part; none has an interpolated cell right before its targets."""
    starts = np.arange(max(0, first - INPUT_STEPS), end - INPUT_STEPS - OUTPUT_STEPS + 1)
    return starts[~np.isnan(observed[newest_rows(starts)])]


def newest_rows(starts: np.ndarray) -> np.ndarray:
    """Last input row of each window."""
    return starts + INPUT_STEPS - 1


def target_rows(starts: np.ndarray) -> np.ndarray:
    """Rows to forecast, shape `(windows, output_steps)`."""
    return starts[:, None] + INPUT_STEPS + np.arange(OUTPUT_STEPS)


def cut(columns: np.ndarray, starts: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """`[inputs, future]` and targets of windows: all columns before, the calendar ahead, the traffic ahead."""
    inputs = columns[starts[:, None] + np.arange(INPUT_STEPS)]
    ahead = columns[target_rows(starts)]
    return [inputs, np.ascontiguousarray(ahead[..., 1:])], np.ascontiguousarray(ahead[..., :1])


def build(features: int) -> keras.Model:
    """LSTM, RepeatVector, the calendar ahead beside it, LSTM, Dense at each step."""
    inputs = keras.Input((INPUT_STEPS, features), name="inputs")
    future = keras.Input((OUTPUT_STEPS, features - 1), name="future")
    repeated = keras.layers.RepeatVector(OUTPUT_STEPS)(keras.layers.LSTM(UNITS)(inputs))
    decoded = keras.layers.LSTM(UNITS, return_sequences=True)(keras.layers.Concatenate()([repeated, future]))
    outputs = keras.layers.TimeDistributed(keras.layers.Dense(1))(decoded)
    return keras.Model([inputs, future], outputs)


def season_before(filled: np.ndarray, starts: np.ndarray, season: int) -> np.ndarray:
    """The newest known values a whole number of seasons before the targets; a season is longer than the forecast."""
    return filled[target_rows(starts) - season]


def rmse(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Over the known cells."""
    return float(np.sqrt(np.nanmean((truth - forecast) ** 2)))


def scores(truth: np.ndarray, forecast: np.ndarray, naive_error: float) -> dict[str, float]:
    """MAE, RMSE, MASE and R2 over the known cells."""
    mae, spread = float(np.nanmean(np.abs(truth - forecast))), float(np.nanvar(truth))
    error = rmse(truth, forecast)
    return {"mae": mae, "rmse": error, "mase": mae / naive_error, "r2": 1 - error**2 / spread}


def draw(history: dict[str, list[float]], truth: np.ndarray, forecasts: dict[str, np.ndarray]) -> plt.Figure:
    """Losses by epoch, errors by step, and four forecasts."""
    figure, axes = plt.subplots(2, 3, figsize=(15, 8), layout="constrained")
    for key in ("loss", "val_loss"):
        axes[0, 0].plot(np.arange(1, len(history[key]) + 1), history[key], label=key)
    axes[0, 0].set(xlabel="epoch", title="losses")
    for name, forecast in forecasts.items():
        by_step = np.sqrt(np.nanmean((truth - forecast) ** 2, axis=0))
        axes[0, 1].plot(np.arange(1, OUTPUT_STEPS + 1), by_step, label=name)
    axes[0, 1].set(xlabel="step", title="RMSE")
    for axis, window in zip(axes.flat[2:], np.linspace(0, len(truth) - 1, 4).astype(int), strict=True):
        axis.plot(truth[window], color="black", label="truth")
        for name, forecast in forecasts.items():
            axis.plot(forecast[window], label=name)
        axis.set(xlabel="step", title=f"window {window}")
    for axis in axes.flat:
        axis.legend()
    return figure


if __name__ == "__main__":
    main()
