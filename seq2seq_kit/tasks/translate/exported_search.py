"""A translator that was exported, searching: what `models.decoding.compile_beam_search` gives, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seq2seq_kit.errors import BundleError
from seq2seq_kit.exports.session import Network


def search_of(
    graph: Network, beams: int, steps: int, size: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A search with a beam of this width.

    Args:
        graph: That searches.
        beams: Beam width.
        steps: After which an output is cut off.
        size: Numbers of tokens of the target vocabulary.

    Returns:
        From padded sources `(batch, steps)` to tokens `(batch, beams, steps)` and the logarithm of their probability
        `(batch, beams)`, the most probable first; it raises `BundleError` where the graph, a stranger's, gives anything else.
    """

    def search(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens, scores = graph.run([padded, np.array([beams])])
        shape = (len(padded), beams, steps)
        known = tokens.shape == shape and 0 <= tokens.min(initial=0) <= tokens.max(initial=0) < size
        if not known or scores.shape != shape[:2]:
            said = f"the search of the export writes something else than {shape} numbers of tokens below {size}"
            raise BundleError(f"{said} with a score for each output. Export the model again", code="bundle_damaged")
        return tokens, scores

    return search


def refuse_other_search(graph: Network, steps: int) -> None:
    """Raises `ValueError` for a graph that reads or gives anything but a search of so many steps does."""
    found = [(each.shape, each.dtype) for each in (*graph.inputs, *graph.outputs)]
    outputs = [((None, None, steps), "int32"), ((None, None), "float32")]
    expected = [((None, None), "int32"), ((1,), "int64"), *outputs]
    if found != expected:
        raise ValueError(f"its search must have the shapes and types {expected}. Received: {found}")
