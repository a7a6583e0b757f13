"""A tagger for other runtimes: tokens, or values in original units, to the probabilities of each step's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.bundles.exported_sequences import ExportedSequences, probabilities
from seq2seq_kit.exports.program import Program
from seq2seq_kit.tasks.tag.data import Tagged

if TYPE_CHECKING:
    from seq2seq_kit.bundles.base import Json
    from seq2seq_kit.tasks.tag.bundle import TagBundle


def tag_programs(bundle: TagBundle, tagged: Tagged | None) -> list[Program]:
    """What is exported; `tagged` to compare on, or None."""
    vocabularies = getattr(bundle, "vocabularies", None)
    sizes = [] if vocabularies is None else [vocabularies.tokens.size]
    sizes += [vocabularies.characters.size] if vocabularies is not None and vocabularies.characters else []
    made = ExportedSequences(bundle, tagged, sizes, getattr(bundle, "scaler", None))
    answered = probabilities(bundle.labels, steps=True)
    says = "steps to the probabilities of their labels"
    return [
        made.program("model", says, bundle.model, bundle.forward, answered),
        made.network(bundle.model, bundle.forward),
    ]


def tag_facts(bundle: TagBundle) -> Json:
    """What a reader of an export needs: labels, and from tokens to numbers."""
    vocabularies, scaler = getattr(bundle, "vocabularies", None), getattr(bundle, "scaler", None)
    found: Json = {"labels": bundle.labels, "series": [] if scaler is None else scaler.series or []}
    if vocabularies is not None:
        letters = vocabularies.characters
        found |= {"tokens": vocabularies.tokens.tokens, "characters": letters.tokens if letters else []}
    return found
