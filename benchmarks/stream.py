"""Live streams: what a row costs, one at a time and of 1,000 series at once, and that the events are those of the whole table.

    python benchmarks/stream.py                 # trains recipes/detect_stream.yaml first, about three minutes on 2 cores
    python benchmarks/stream.py --bundle FOLDER --rows 50

`detect` gets the same rows as one table; its time is the peer. Rows are dicts where they come one at a time, a frame of one row
of each series where they come together.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="of recipes/detect_stream.yaml; default: it is trained")
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=144, help="of each series")
    options = parser.parse_args()
    from seq2seq_kit import load, train
    from seq2seq_kit.bundles.windows import WindowBundle
    from seq2seq_kit.data import read_source

    if options.bundle:
        bundle = load(options.bundle)
    else:
        with tempfile.TemporaryDirectory() as store:
            bundle = train(ROOT / "recipes" / "detect_stream.yaml", tracking_uri=store).bundle
    assert isinstance(bundle, WindowBundle)
    frame = read_source("generated.fleet")
    newest = frame.groupby("pump").tail(options.rows)
    frame = newest[newest.pump.isin(newest.pump.unique()[: options.series])]
    rows = frame.sort_values(["time", "pump"], ignore_index=True)
    alone = rows[rows.pump == rows.pump[0]].to_dict("records")
    print("| rows | series | a row, ms, median (fastest tenth) | rows/s |")
    print("| --- | ---: | ---: | ---: |")
    stream, spent = bundle.event_stream(), []
    for row in alone:
        began = time.perf_counter()
        stream.feed(row)
        spent.append(time.perf_counter() - began)
    spent = spent[len(spent) // 4 :]
    far = np.quantile(spent, 0.1) * 1e3
    print(
        f"| one at a time | 1 | {statistics.median(spent) * 1e3:.2f} ({far:.2f}) | {1 / statistics.mean(spent):,.0f} |"
    )
    stream, spent, scores, closed = bundle.event_stream(), [], [], []
    for _, chunk in rows.groupby("time", sort=True):
        began = time.perf_counter()
        update = stream.feed(chunk)
        spent.append((time.perf_counter() - began) / len(chunk))
        scores.append(update.scores)
        closed.append(update.closed)
    spent = spent[len(spent) // 4 :]
    blob = len(json.dumps(stream.to_json())) / options.series / 1e3
    end = stream.finish()
    each, far = statistics.median(spent) * 1e3, np.quantile(spent, 0.1) * 1e3
    print(
        f"| one of each at a time | {options.series:,} | {each:.3f} ({far:.3f}) | {1 / statistics.mean(spent):,.0f} |"
    )
    began = time.perf_counter()
    whole = bundle.detect(frame)
    spent_whole = (time.perf_counter() - began) / len(rows)
    print(f"| `detect` of the whole table | {options.series:,} | {spent_whole * 1e3:.3f} | {1 / spent_whole:,.0f} |")
    found = pd.concat([*scores, end.scores]).sort_values(["pump", "time"], ignore_index=True)
    events = pd.concat([*closed, end.closed])
    off = float(np.abs(found.score - whole.scores.score).max())
    told = f"{len(found):,} scores, off by at most {off:.1g} from `detect`; {len(events):,} events of {len(whole.events):,}"
    print(f"\n{told}; the state takes {blob:.1f} kB of JSON for each series")
    if len(found) != len(whole.scores) or off > 1e-3 * whole.detector.threshold or len(events) != len(whole.events):
        sys.exit("the stream differs from the whole table")


if __name__ == "__main__":
    main()
