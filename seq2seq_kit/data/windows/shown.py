"""Prepared rows in other parts: those of a last fit, and those that a run without test rows shows what its verbs do with."""

from dataclasses import replace

from seq2seq_kit.data.windows.prepared import Prepared, fill_and_scale


def on_all_rows(prepared: Prepared) -> Prepared:
    """The same with the rows of all parts in train, scaled as they are."""
    whole = fill_and_scale(prepared.data, prepared.table, prepared.split.whole(), prepared.scaler)
    return replace(whole, answers=prepared.answers)


def as_test(prepared: Prepared, part: str) -> Prepared:
    """The same with the rows of a part as its test part, where bundles look for rows that are new to them."""
    return prepared if part == "test" else replace(prepared, rows={**prepared.rows, "test": prepared.rows[part]})
