"""The verbs that write pages to look at."""

import argparse


def report(options: argparse.Namespace) -> None:
    """A run as one page."""
    from seq2seq_kit import reporting

    print(f"wrote {reporting.report(options.run, out=options.out, tracking_uri=options.tracking_uri)}")


def look(options: argparse.Namespace) -> None:
    """A table as one page."""
    from seq2seq_kit import looking

    print(f"wrote {looking.look(options.given).save(options.out)}")
