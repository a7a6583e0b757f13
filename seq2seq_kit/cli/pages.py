"""The verbs that write pages to look at."""

import argparse


def report_arguments(verb: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    verb.add_argument("run", metavar="RUN", help="id of a run")
    verb.add_argument("--out", metavar="FILE", default="report.html", help="default: report.html")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def report(options: argparse.Namespace) -> None:
    """A run as one page."""
    from seq2seq_kit import reporting

    print(f"wrote {reporting.report(options.run, out=options.out, tracking_uri=options.tracking_uri)}")


def look_arguments(verb: argparse.ArgumentParser) -> None:
    """What `look` takes."""
    verb.add_argument("given", metavar="FILE|RECIPE|NAMED", help="a table, a recipe or a named data set")
    verb.add_argument("--out", metavar="FILE", default="look.html", help="default: look.html, its figures beside it")


def look(options: argparse.Namespace) -> None:
    """A table as one page."""
    from seq2seq_kit import looking

    print(f"wrote {looking.look(options.given).save(options.out)}")
