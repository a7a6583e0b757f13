"""The halves of an autoencoder of windows for other runtimes: encoder alone, decoder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.compared_windows import Rows
from seq2seq_kit.bundles.exported_windows import ExportedWindows
from seq2seq_kit.exports.program import Case, Port, Program
from seq2seq_kit.exports.session import ENCODER

if TYPE_CHECKING:
    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.tasks.autoencode.bundle import AutoencodeBundle


def halves_of(bundle: AutoencodeBundle, frame: pd.DataFrame | None) -> list[Program]:
    """Windows in original units to latent vectors, and latent vectors to windows in original units.

    A decoder alone knows neither the scale of a window nor the rows before it, so there is none where each window has a scale of
    its own or differences are taken. The members
    of an ensemble have no latent space in common, so it has no halves.
    """
    from seq2seq_kit.exports.walking import write_model
    from seq2seq_kit.models.ensemble import combining
    from seq2seq_kit.models.inference import compile_forward

    if combining(bundle.model) is not None:
        return []

    made, (encoder, decoder) = ExportedWindows(bundle, frame), bundle.halves
    units, by_series, decode = made.units, made.units.by_series, compile_forward(decoder)
    latent = Port("latent", "float32", ("batch", int(encoder.output_shape[-1])), "latent vector of each window")
    series = made.inputs()[-1:] if by_series else []

    def encoded(graph: Graph, given: list[Value]) -> list[Value]:
        read, _ = units.write_inputs(graph, given[0], given[-1] if by_series else None)
        return write_model(graph, encoder, [read])[:1]

    def decoded(graph: Graph, given: list[Value]) -> list[Value]:
        outputs = write_model(graph, decoder, given[:1])[0]
        return [units.write_outputs(graph, outputs, given[-1] if by_series else None)]

    def scaled(graph: Graph, given: list[Value]) -> list[Value]:
        return write_model(graph, encoder, given)[:1]

    def of_encoder(rows: Rows, *, original: bool = True) -> Case:
        inputs = made.original(rows) if original else made.scaled(rows)
        return made.case(rows, inputs, [bundle.encoder(made.scaled(rows))], original=False)

    def of_decoder(rows: Rows) -> Case:
        vectors = bundle.encoder(made.scaled(rows))
        codes = [rows.codes.astype(np.int64)] if by_series else []
        return made.case(rows, [vectors, *codes], [made.restored(rows, decode([vectors]))])

    ports, network = tuple(made.inputs()), tuple(made.inputs(original=False))
    says = "windows in original units to latent vectors"
    golden, sample = made.golden, made.sample
    programs = [
        Program("encoder", says, ports, (latent,), encoded, of_encoder(golden), of_encoder(sample)),
        Program(
            ENCODER,
            "scaled windows to latent vectors, as this kit calls it",
            network,
            (latent,),
            scaled,
            of_encoder(golden, original=False),
            of_encoder(sample, original=False),
        ),
    ]
    if made.layout.own is None and not made.differenced:
        says = "latent vectors to windows in original units"
        taken = (latent, *series)
        programs.append(
            Program("decoder", says, taken, (made.output(),), decoded, of_decoder(golden), of_decoder(sample))
        )
    return programs
