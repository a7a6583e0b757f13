"""A fault campaign: processes are killed at random moments, disks are filled, stores are locked, and what is lost is counted.

    python benchmarks/faults.py                       # 50 moments of each kind, hours on 2 cores
    python benchmarks/faults.py --moments 3 --only train predict
    python benchmarks/faults.py --minutes 40 --only train sweep   # the kinds in turn, as many moments as there is time for
    python benchmarks/faults.py --forked          # commands are forked from a process that has imported TensorFlow

With `--forked` no moment is spent on imports, half of a short command: a moment costs less, and falls on what the command does.

Every moment has a folder of its own with a store that holds a finished run; `making`, `disk`, `crowd` and half of
`largest file` begin without one, and then the next command is a training, which must end well.
The moments follow the seed and are uniform over the time that an undisturbed process takes. After each one counts:

- hit: there was a process to kill (else it had not begun, or had ended), or the disturbance took place
- lost: the finished run or its bundle is gone, a run is still RUNNING, or a trained model is neither logged nor rescued
- unreadable: the next `list runs` fails, or anything printed a traceback
- orphans: processes of the family that still run five seconds after its parent has ended
- leftovers: files in the temporary folder after the next command, or strange ones beside the store
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.forked import Forked  # noqa: E402

RECIPE = """
task: forecast
name: faults
data: {source: rows.csv, time: time, every: 1h, inputs: [load], targets: [load], input_steps: 24, output_steps: 6}
model: {encoder_units: [4], decoder_units: [4]}
training: {batch_size: 64, epochs: 4, patience: null}
"""
SPACE = "sweep: {tuner: random, max_trials: 4, space: {'model.encoder_units': {choice: [[4], [5], [6], [7]]}}}\n"
ORPHAN_SECONDS, PATIENCE = 5.0, 300.0
KNOWN = {"mlflow.db", "artifacts", ".mlflow.lock"}
KILLS = {  # verb, which process of its family is killed
    "making": ("train r.yaml", "parent"),
    "train": ("train r.yaml", "parent"),
    "predict": ("predict RUN --data rows.csv --out out.csv", "parent"),
    "ui": ("ui", "parent"),
    "ui's server": ("ui", "serve"),
    "sweep": ("sweep s.yaml --workers 2", "parent"),
    "sweep's server": ("sweep s.yaml --workers 2", "server"),
    "sweep's tuner": ("sweep s.yaml --workers 2", "tuner"),
    "sweep's trial": ("sweep s.yaml --workers 2", "trial"),
}
WITHOUT_STORE = ("making", "disk", "crowd")
COUNTED = ("hit", "lost", "unreadable", "orphans", "leftovers")


@dataclass
class Case:
    """A folder with recipes, rows and a store, and the processes that were started in it."""

    folder: Path
    run_id: str = ""
    printed: str = ""
    forked: bool = False

    def start(self, words: str, *, largest_file: int | None = None) -> "subprocess.Popen[bytes] | Forked":
        """A command of the kit in this folder; its whole family carries the folder's name in its environment.

        `largest_file`: bytes beyond which no file can be written, as on a disk that is full.
        """
        (self.folder / "t").mkdir(exist_ok=True)
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder / "t"), "FAULTS": str(self.folder)}
        command = [sys.executable, "-m", "seq2seq_kit", *words.replace("RUN", self.run_id).split()]
        limited = largest_file is not None
        if limited:
            command = [sys.executable, "-c", _LIMITED, str(largest_file), *command]
        with (self.folder / f"{uuid.uuid4().hex}.log").open("wb") as log:
            if self.forked and not limited:
                out = log.fileno()
                return Forked(command, cwd=self.folder, env=os.environ | own, out=out, err=out)
            return subprocess.Popen(command, cwd=self.folder, env=os.environ | own, stdout=log, stderr=log)

    def call(self, words: str) -> int:
        """The same, to its end."""
        return self.start(words).wait(PATIENCE)

    def family(self) -> list[psutil.Process]:
        """All processes of this folder that run."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                # A forked process has the environment of the one that it was forked from.
                ours = process.cwd() == str(self.folder) or process.environ().get("FAULTS") == str(self.folder)
                if alive and ours:
                    found.append(process)
        return found

    def count(self) -> dict[str, int]:
        """What one moment has done, see above."""
        until = time.monotonic() + ORPHAN_SECONDS
        while (left := self.family()) and time.monotonic() < until:
            time.sleep(0.2)
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        failed = int(self.run_id == "" and self.call("train r.yaml") != 0)
        listed = self.call("list runs")
        self.printed = self.read_logs()
        strange = {path.name for path in (self.folder / "mlruns").glob("*")} - KNOWN
        forgotten = sorted(str(path.relative_to(self.folder)) for path in (self.folder / "t").rglob("*"))
        if strange or forgotten:
            self.printed += f"left over: {', '.join([*sorted(strange), *forgotten])}\n"
        return {
            "lost": failed + int(self.run_id != "" and not self.kept()) + self.running(),
            "unreadable": int(listed != 0 or "Traceback" in self.printed),
            "orphans": len(left),
            "leftovers": len(list((self.folder / "t").iterdir())) + len(strange),
        }

    def read_logs(self) -> str:
        """What the commands of this folder have printed so far."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def kept(self) -> bool:
        """Whether the finished run is as it was."""
        with closing(sqlite3.connect(self.folder / "mlruns" / "mlflow.db")) as connection:
            said = "SELECT status FROM runs WHERE run_uuid = ?"
            status = connection.execute(said, (self.run_id,)).fetchone()
        bundle = self.folder / "mlruns" / "artifacts" / self.run_id / "artifacts" / "bundle"
        return status == ("FINISHED",) and any(bundle.iterdir())

    def running(self) -> int:
        """Runs that MLflow takes for running although nothing runs any more."""
        database = self.folder / "mlruns" / "mlflow.db"
        if not database.exists():
            return 0
        with closing(sqlite3.connect(database)) as connection:
            return int(connection.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0])


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = [*KILLS, "locked", "disk", "largest file", "crowd"]
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--minutes", type=float, help="ends after so long, whatever moments are left")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forked", action="store_true", help="commands need not import TensorFlow first")
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    found: dict[str, list[Counter[str]]] = {kind: [] for kind in options.only}
    with tempfile.TemporaryDirectory(prefix="f") as scratch:
        base = prepared(Path(scratch), forked=options.forked)
        others = {"locked": locked, "disk": full, "largest file": full_files, "crowd": crowd}
        disturb = {kind: others.get(kind) or killing(kind, base) for kind in options.only}
        rngs = {kind: np.random.default_rng([options.seed, kinds.index(kind)]) for kind in options.only}
        for moment in range(options.moments):
            for kind in options.only:
                if time.monotonic() > until or (kind == "crowd" and moment):
                    continue
                case = fresh(base, kind in WITHOUT_STORE)
                found[kind].append(Counter(disturb[kind](case, rngs[kind])))
                faults = {name: count for name, count in found[kind][-1].items() if name != "hit" and count}
                if faults:
                    print(f"{kind}, moment {moment}: {faults}\n{case.printed}", file=sys.stderr, flush=True)
                shutil.rmtree(case.folder)
    print(f"| what | moments | {' | '.join(COUNTED)} |\n|{' --- |' * (2 + len(COUNTED))}")
    for kind, each in found.items():
        print(f"| {kind} | {len(each)} | {' | '.join(str(sum(one[name] for one in each)) for name in COUNTED)} |")


def prepared(scratch: Path, *, forked: bool) -> Case:
    """A folder with a finished run."""
    case = Case(scratch / "base", forked=forked)
    case.folder.mkdir()
    hours = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[h]")
    load = 100 + 30 * np.sin(np.arange(len(hours)) / 24 * 2 * np.pi) + np.random.default_rng(0).normal(size=len(hours))
    lines = [f"{hour},{value:.3f}" for hour, value in zip(hours, load, strict=True)]
    (case.folder / "rows.csv").write_text("\n".join(["time,load", *lines]))
    (case.folder / "r.yaml").write_text(RECIPE)
    (case.folder / "s.yaml").write_text(RECIPE + SPACE)
    if case.call("train r.yaml"):
        raise SystemExit("the undisturbed training failed")
    (run,) = [path for path in (case.folder / "mlruns" / "artifacts").iterdir() if len(path.name) == 32]
    case.run_id = run.name
    return case


def fresh(base: Case, without_store: bool) -> Case:
    """A copy of it, whose store thinks that it has moved."""
    folder = base.folder.with_name(uuid.uuid4().hex[:8])
    shutil.copytree(base.folder, folder, ignore=shutil.ignore_patterns("*.log", *(["mlruns"] if without_store else [])))
    return Case(folder, "" if without_store else base.run_id, forked=base.forked)


def killing(kind: str, base: Case) -> Callable[[Case, np.random.Generator], dict[str, int]]:
    """Kills one process of a command's family at a random moment."""
    words, target = KILLS[kind]
    began, rehearsal = time.monotonic(), fresh(base, kind == "making")
    process = rehearsal.start(words)
    if words == "ui":
        while "Ctrl-C ends it" not in rehearsal.read_logs():
            time.sleep(0.2)
        process.terminate()
    elif kind == "making":
        while not (rehearsal.folder / "mlruns" / "mlflow.db").exists():
            time.sleep(0.02)
        process.terminate()
    process.wait(PATIENCE)
    whole = time.monotonic() - began

    def disturb(case: Case, rng: np.random.Generator) -> dict[str, int]:
        process = case.start(words)
        if kind == "making":  # the moments count from where its folder appears
            while not (case.folder / "mlruns").exists() and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 3.0))
        else:
            time.sleep(rng.uniform(0, whole))
        family = [each for each in case.family() if each.pid != process.pid]
        victims = {"parent": [psutil.Process(process.pid)] if process.poll() is None else []}
        with suppress(psutil.Error, OSError):
            victims["serve"] = [each for each in family if "mlflow" in " ".join(each.cmdline())]
            servers = [
                each for each in family if each.ppid() == process.pid and "forkserver" in " ".join(each.cmdline())
            ]
            victims["server"] = servers
            children = [each for each in family if each.ppid() in {server.pid for server in servers}]
            children.sort(key=psutil.Process.create_time)  # the tuner is forked before the first trial
            victims |= {"tuner": children[:1], "trial": children[1:]}
        found = victims.get(target, [])
        with suppress(psutil.Error):
            if found:
                found[int(rng.integers(len(found)))].kill()
        if words == "ui" and target != "parent":
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)  # it ends with its server
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        return case.count() | {"hit": int(bool(found))}

    return disturb


def locked(case: Case, rng: np.random.Generator) -> dict[str, int]:
    """Somebody else's lock on the database, for up to eight seconds, while a training runs; it must end well."""
    process = case.start("train r.yaml")
    time.sleep(rng.uniform(0, 10))
    with closing(sqlite3.connect(case.folder / "mlruns" / "mlflow.db", isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(rng.uniform(0, 8))
        other.execute("ROLLBACK")
    done = process.wait(PATIENCE)
    counts = case.count()
    lost = done != 0 and "The trained model is not lost" not in case.printed
    return counts | {"hit": 1, "lost": counts["lost"] + int(lost)}


def full(case: Case, rng: np.random.Generator) -> dict[str, int]:
    """A disk that is full at some stage of a training: a small file system, which only root can mount."""
    store, size = case.folder / "mlruns", int(rng.uniform(100, 4_000))
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", store], check=True)
    try:
        done = case.call("train r.yaml")
        subprocess.run(["mount", "-o", "remount,size=100m", store], check=True)
        return saved(case, done)
    finally:
        subprocess.run(["umount", store], check=True)


def full_files(case: Case, rng: np.random.Generator) -> dict[str, int]:
    """The same without root: no file can be larger than at some stage of a training, half of them without a store."""
    store = case.folder / "mlruns"
    largest = max(path.stat().st_size for path in store.rglob("*") if path.is_file())
    if rng.random() < 0.5:
        shutil.rmtree(store)
        case.run_id = ""
    done = case.start("train r.yaml", largest_file=int(np.exp(rng.uniform(7, np.log(1.1 * largest))))).wait(PATIENCE)
    return saved(case, done)


def saved(case: Case, done: int) -> dict[str, int]:
    """What a full disk has done: the next training must end well, and a trained model must be somewhere."""
    printed = case.read_logs()  # before the next command prints the same
    trained, safe = "epoch   4/4" in printed, done == 0 or "The trained model is not lost" in printed
    counts = case.count()
    return counts | {"hit": int(done != 0), "lost": counts["lost"] + int(trained and not safe)}


_LIMITED = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


def crowd(case: Case, rng: np.random.Generator) -> dict[str, int]:
    """Four trainings and two sweeps begin at once on a store that does not exist yet; all must end well."""
    processes = [case.start(words) for words in ["train r.yaml"] * 4 + ["sweep s.yaml --workers 1"] * 2]
    failed = sum(process.wait(3 * PATIENCE) != 0 for process in processes)
    counts = case.count()
    return counts | {"hit": 1, "lost": counts["lost"] + failed}


if __name__ == "__main__":
    main()
