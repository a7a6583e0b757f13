"""MLflow's server as a program that never outlives the one that started it: `python -m seq2seq_kit.tracking.serve server ...`.

Its standard input is a pipe that nobody writes to; it ends with the process at the other end, however that one ended.
"""

import os
import sys
import threading

import psutil


def main() -> None:
    """MLflow's command line with the arguments of the process."""
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    from mlflow.cli import cli

    cli(sys.argv[1:], prog_name="mlflow")


def _end_with_the_pipe() -> None:
    os.read(0, 1)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


if __name__ == "__main__":
    main()
