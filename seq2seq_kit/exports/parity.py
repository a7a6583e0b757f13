"""Whether a written graph answers as the bundle does: run by ONNX Runtime and compared, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnxruntime

from seq2seq_kit.errors import BundleError
from seq2seq_kit.exports.program import LIMIT, MOST, Parity, Program, differences

Answer = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
Rounding = Callable[[Program], float]


def compare(program: Program, written: bytes, rounding: Rounding) -> Parity:
    """The largest differences on the program's golden and sample inputs.

    Args:
        program: What was written.
        written: The graph.
        rounding: How far the bundle's own answers move by rounding, over the scale; asked where the differences are large, as
            those of dot-product attention are where two of its scores are large and almost the same.

    Raises:
        BundleError: They are beyond `LIMIT`, and beyond rounding, or the runtime does not run the graph.
    """
    if not all(np.isfinite(each).all() for each in program.golden.outputs):
        said = f"the bundle's own answers to the golden inputs of {program.name!r} are not finite"
        raise BundleError(
            f"{said}. Nothing was written. Report the recipe, and run the bundle itself", code="export_differs"
        )
    cases = [case for case in (program.golden, program.sample) if len(case.inputs[0])]
    try:
        answer = runner(written)
        pairs = [(case, answer(case.inputs)) for case in cases]
    except Exception as error:  # whatever ONNX Runtime says to a graph
        raise BundleError(
            f"ONNX Runtime {onnxruntime.__version__} does not run the graph {program.name!r}: {error}. Nothing was "
            "written. Export with another version of onnxruntime, or report the recipe",
            code="export_differs",
        ) from error
    found = [differences(case, outputs) for case, outputs in pairs]
    absolute, relative = (max(each[place] for each in found) for place in range(2))
    compared = sum(len(case.inputs[0]) for case in cases)
    parity = Parity(absolute, relative, compared, program.sample.of_data)
    if LIMIT < relative <= MOST:
        parity = replace(parity, rounding=rounding(program))
    if not parity.close:
        moved = f", and the bundle's own answers move by {parity.rounding:.2g} by rounding" if parity.rounding else ""
        raise BundleError(
            f"the graph {program.name!r} does not answer as the bundle: largest difference {absolute:.3g}, {relative:.2g} of the "
            f"scale; expected at most {LIMIT:g}{moved}. Nothing was written. Report the recipe, and run the bundle itself",
            code="export_differs",
        )
    return parity


def runner(written: bytes) -> Answer:
    """A graph as a function of its inputs in order, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(written, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def answer(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return list(session.run(None, dict(zip(names, inputs, strict=True))))

    return answer
