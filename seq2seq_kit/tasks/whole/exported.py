"""An autoencoder of whole sequences for other runtimes: the whole of it, and the encoder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.bundles.exported_sequences import ExportedSequences, plain
from seq2seq_kit.exports.program import Port, Program
from seq2seq_kit.exports.session import ENCODER
from seq2seq_kit.tasks.whole.data import Sequences

if TYPE_CHECKING:
    from seq2seq_kit.tasks.whole.bundle import WholeBundle


def whole_programs(bundle: WholeBundle, sequences: Sequences | None) -> list[Program]:
    """What is exported; `sequences` to compare on, or None."""
    from seq2seq_kit.models.ensemble import combining
    from seq2seq_kit.models.whole import encoder_of

    made, says = ExportedSequences(bundle, sequences, scaler=bundle.scaler), "sequences in original units to their"
    whole = f"{says} reconstruction, in original units"
    programs = [
        made.program("model", whole, bundle.model, bundle.forward, made.values()),
        made.network(bundle.model, bundle.forward),
    ]
    if combining(bundle.model) is not None:  # its members have no latent space in common
        return programs
    encoder = encoder_of(bundle.model)
    latent = Port("latent", "float32", ("batch", int(encoder.output_shape[-1])), "latent vector of each sequence")
    return [
        *programs,
        made.program("encoder", f"{says} latent vectors", encoder, bundle.encoder, plain(latent)),
        made.network(encoder, bundle.encoder, name=ENCODER),
    ]
