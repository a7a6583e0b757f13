"""An autoencoder of whole sequences for other runtimes: the whole of it, and the encoder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.bundles.exported_sequences import ExportedSequences, plain
from seq2seq_kit.exports.program import Port, Program
from seq2seq_kit.tasks.whole.data import Sequences

if TYPE_CHECKING:
    from seq2seq_kit.tasks.whole.bundle import WholeBundle


def whole_programs(bundle: WholeBundle, sequences: Sequences | None) -> list[Program]:
    """What is exported; `sequences` to compare on, or None."""
    from seq2seq_kit.models.whole import encoder_of

    made, encoder = ExportedSequences(bundle, sequences, scaler=bundle.scaler), encoder_of(bundle.model)
    latent = Port("latent", "float32", ("batch", int(encoder.output_shape[-1])), "latent vector of each sequence")
    says = "sequences in original units to their"
    return [
        made.program("model", f"{says} reconstruction, in original units", bundle.model, bundle.forward, made.values()),
        made.program("encoder", f"{says} latent vectors", encoder, bundle.encoder, plain(latent)),
        made.network(bundle.model, bundle.forward),
        made.network(encoder, bundle.encoder, name="encoder_network"),
    ]
