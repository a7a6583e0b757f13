"""Generated pumps with six sensors, and faults whose cause is known: one sensor at a time goes wrong."""

import numpy as np
import pandas as pd

SENSORS = ("speed", "flow", "pressure", "current", "temperature", "vibration")
_NOISE = {"speed": 6.0, "flow": 0.8, "pressure": 0.06, "current": 0.8, "temperature": 0.3, "vibration": 0.12}
_DAY = 144  # rows of ten minutes
_LENGTHS = (18, 49)  # rows of a fault
_EVERY = 140  # rows from one fault to the next, about


def machine() -> pd.DataFrame:
    """One pump for 100 days, every ten minutes; 24 faults in the newest quarter of its rows."""
    return _pumps(1, 100 * _DAY, seed=0, since=75 * _DAY).drop(columns="pump")


def fleet() -> pd.DataFrame:
    """1,000 pumps for three days; some faults on the third."""
    return _pumps(1_000, 3 * _DAY, seed=1, since=2 * _DAY)


def _pumps(count: int, rows: int, *, seed: int, since: int) -> pd.DataFrame:
    """Readings of pumps, `cause` with the sensor that is wrong ("" where none is), and `fault`, 1 where one is."""
    rng = np.random.default_rng(seed)
    clean = _readings(rng, count, rows)
    spread = clean.std(axis=1, keepdims=True)
    values = clean + rng.normal(size=clean.shape) * list(_NOISE.values())
    cause = np.full((count, rows), "", dtype=object)
    for pump in range(count):
        first = since + int(rng.integers(_EVERY // 4, _EVERY)) if count > 1 else since + _EVERY // 4
        while first + _LENGTHS[1] < rows:
            length, sensor = int(rng.integers(*_LENGTHS)), int(rng.integers(len(SENSORS)))
            own = slice(first, first + length)
            values[pump, own, sensor] = _faulty(rng, values[pump, own, sensor], float(spread[pump, 0, sensor]))
            cause[pump, own] = SENSORS[sensor]
            first += length + int(rng.integers(_EVERY // 2, _EVERY))
    times = pd.date_range("2026-01-05", periods=rows, freq="10min")
    frame = pd.DataFrame({"pump": np.repeat([f"p{number:04d}" for number in range(count)], rows)})
    frame["time"] = np.tile(times.to_numpy(), count)
    for place, name in enumerate(SENSORS):
        frame[name] = values[:, :, place].ravel().round(3)
    return frame.assign(fault=(cause.ravel() != "").astype(int), cause=cause.ravel())


def _readings(rng: np.random.Generator, count: int, rows: int) -> np.ndarray:
    """What six sensors would read without noise: a speed by the hour and the demand, a valve, and what follows from them.

    Shape `(count, rows, 6)`.
    """
    hour = np.arange(rows) / _DAY * 2 * np.pi
    demand, valve = _wandering(rng, count, rows, 60), _wandering(rng, count, rows, 40)
    speed = 1500 + 180 * np.sin(hour - 2) + 130 * demand
    flow = 0.06 * speed * (1 - 0.12 * valve)
    pressure = 2.2e-6 * speed**2 * (1 + 0.16 * valve)
    current = 8 + 0.045 * flow * pressure
    heating = 24 + 4 * np.sin(hour - 2.6) + 1.3 * (current - current.mean())
    temperature = _lagged(heating + 20, 12)
    vibration = 1.5 + 0.002 * (speed - 1500) + 0.3 * np.tanh(valve)
    return np.stack([speed, flow, pressure, current, temperature, vibration], axis=-1)


def _wandering(rng: np.random.Generator, count: int, rows: int, steps: int) -> np.ndarray:
    """Smooth paths around 0 with a spread of 1 that forget where they were after about so many steps."""
    path = _lagged(_lagged(rng.normal(size=(count, rows + 5 * steps)), steps), steps / 4)[:, 5 * steps :]
    return np.asarray(path / path.std())


def _lagged(values: np.ndarray, steps: float) -> np.ndarray:
    """An exponential mean along the second axis."""
    share, lagged = 1 / steps, np.empty_like(values)
    lagged[:, 0] = values[:, 0]
    for row in range(1, values.shape[1]):
        lagged[:, row] = (1 - share) * lagged[:, row - 1] + share * values[:, row]
    return lagged


def _faulty(rng: np.random.Generator, values: np.ndarray, spread: float) -> np.ndarray:
    """The readings of a sensor that is off, drifts away, is loose, or is stuck."""
    kind, sign = rng.integers(4), rng.choice([-1, 1])
    if kind == 0:
        return np.asarray(values + sign * 1.5 * spread)
    if kind == 1:
        return np.asarray(values + sign * np.linspace(0, 2.5, len(values)) * spread)
    if kind == 2:
        return np.asarray(values + rng.normal(scale=spread, size=len(values)))
    return np.full(len(values), values[0] + sign * spread)
