"""The verb that drafts a recipe for a table: it prints each decision with its reason and writes the file."""

import argparse
import shlex
from pathlib import Path

from seq2seq_kit.cli import verbs
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.text import printable


def init(options: argparse.Namespace) -> int:
    """Looks at a table and writes a recipe; a file that is there is left as it is. Trains it if asked to."""
    from seq2seq_kit.drafting import draft_recipe

    table = Path(options.table)
    # A file's name up to its first dot; that of a named data set has dots of its own.
    out = Path(options.out or f"{(table.name.split('.')[0] if table.is_file() else table.name) or 'recipe'}.yaml")
    if out.exists() and out != table:
        said = f"{out} is there already and is left as it is. Name another file with --out, or remove it"
        raise ArgumentError(said, code="file_exists")
    draft = draft_recipe(
        options.table,
        task=options.task,
        target=options.target,
        ahead=options.ahead,
        series=options.series,
        known=options.known,
        given=options.overrides,
    )
    for said in draft.decisions:
        print(printable(said))
    try:
        out.write_text(draft.yaml, encoding="utf-8")
    except OSError as error:
        raise ArgumentError(
            f"cannot write {out}: {error.strerror}. Name another file with --out", code="invalid_option"
        ) from None
    print(
        f"wrote {out}",
        *([] if options.train else [f"train it: seq2seq-kit train {shlex.quote(str(out))}"]),
        sep="\n",
        flush=True,
    )
    if not options.train:
        return 0
    options.recipe, options.overrides = str(out), []
    options.resume = options.start_from = options.report = None
    options.workers = 1
    return verbs.train(options)
