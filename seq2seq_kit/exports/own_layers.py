"""How the kit's own layers are written. What a layer does is said where it is defined, in `models/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.exports.layers import nonzero, weight_of, write_same
from seq2seq_kit.exports.members import write_combine_members, write_newest_steps
from seq2seq_kit.models import categories, channels, characters, drawing, ensemble, feedback, layers, masks, quantiles

_FIRST = np.array(-2.0, np.float32)  # as in models/quantiles.py
_EPSILON = np.array(1e-5, np.float32)  # as in models/layers.py


def write_split_categories(graph: Graph, layer: categories.SplitCategories, inputs: Value, **_: object) -> list[Value]:
    """Numbers and codes apart; what is no code of a value is the unknown one."""
    first, count = inputs.width - len(layer.sizes), len(layer.sizes)
    numbers, codes = graph.slice(inputs, -1, 0, first), graph.slice(inputs, -1, first, None)
    missing = graph.add("IsNaN", codes, shape=codes.shape, dtype="bool")
    codes = graph.where(missing, np.zeros((), np.float32), codes, codes)
    codes = graph.add("Round", codes, shape=codes.shape)
    below = graph.add("Less", codes, np.zeros((), np.float32), shape=codes.shape, dtype="bool")
    sizes = np.array(layer.sizes, np.float32)
    beyond = graph.add("GreaterOrEqual", codes, sizes, shape=codes.shape, dtype="bool")
    outside = graph.add("Or", below, beyond, shape=codes.shape, dtype="bool")
    codes = graph.where(outside, np.array(categories.UNKNOWN, np.float32), codes, codes)
    whole = graph.cast(codes, "int32")
    each = [graph.slice(whole, -1, place, place + 1) for place in range(count)]
    flat = [graph.add("Squeeze", one, ints([-1]), shape=one.shape[:-1], dtype="int32") for one in each]
    return [numbers, *flat]


def write_indicators(graph: Graph, layer: categories.Indicators, codes: Value, **_: object) -> Value:
    """Columns of 0 and 1."""
    codes = graph.slice(codes, 1, -1, None) if layer.newest else codes
    shared = graph.plain("Min", codes, np.array(layer.size - 1, np.int32))
    return _one_hot(graph, shared, layer.size)


def _one_hot(graph: Graph, codes: Value, depth: int) -> Value:
    shape = (*codes.shape, depth)
    values = np.array([0.0, 1.0], np.float32)
    whole = graph.cast(codes, "int64")
    return graph.add("OneHot", whole, ints([depth]), values, shape=shape, axis=-1)


def write_one_hot(graph: Graph, layer: masks.OneHot, numbers: Value, **_: object) -> Value:
    """Vectors with a single 1; of 0 none."""
    # One column more and the first one left out: ONNX counts a negative number from the end.
    wide = _one_hot(graph, numbers, layer.depth + 1)
    mask = nonzero(graph, numbers) if layer.mask_zero else None
    return graph.slice(wide, -1, 1, None).masked(mask)


def write_with_mask(graph: Graph, layer: masks.WithMask, inputs: Sequence[Value], **_: object) -> Value:
    """Values with zeros where nothing counts."""
    values, valid = inputs
    mask = nonzero(graph, valid)
    return graph.where(graph.unsqueeze(mask, -1), values, np.zeros((), np.float32), values).masked(mask)


def write_drop_mask(graph: Graph, layer: masks.DropMask, inputs: Value, **_: object) -> Value:
    """The same without a mask."""
    return inputs.masked(None)


def write_mix_previous(graph: Graph, layer: masks.MixPrevious, inputs: Sequence[Value], **_: object) -> Value:
    """What stands before each step: outside of training the true ones."""
    return inputs[0]


def write_split_channels(graph: Graph, layer: channels.SplitChannels, inputs: Value, **_: object) -> Value:
    """Each of the first columns as a sequence of its own, the others beside it."""
    own = graph.transpose(graph.slice(inputs, -1, 0, layer.channels), [0, 2, 1])
    steps = inputs.shape[1]
    sizes = graph.concat([graph.size(inputs, 1), _constant(graph, [1])])
    whole = graph.concat([_constant(graph, [-1]), sizes])
    own = graph.add("Reshape", own, whole, shape=(None, steps, 1))
    mask = None if inputs.mask is None else _repeat_rows(graph, inputs.mask, layer.channels)
    if inputs.width == layer.channels:
        return own.masked(mask)
    shared = _repeat_rows(graph, graph.slice(inputs, -1, layer.channels, None), layer.channels)
    return graph.concat([own, shared]).masked(mask)


def _constant(graph: Graph, numbers: Sequence[int]) -> Value:
    return Value(graph.constant(ints(numbers)), (len(numbers),), "int64")


def _repeat_rows(graph: Graph, value: Value, times: int) -> Value:
    """Each sequence so many times, one after another."""
    many = [1, times, *([1] * (len(value.shape) - 1))]
    wide = graph.unsqueeze(value, 1)
    repeated = graph.add("Tile", wide, ints(many), shape=(wide.shape[0], times, *wide.shape[2:]), dtype=value.dtype)
    sizes = graph.add("Shape", value, shape=(len(value.shape),), dtype="int64")
    rest = graph.add("Slice", sizes, ints([1]), ints([len(value.shape)]), ints([0]), shape=(None,), dtype="int64")
    whole = graph.add("Concat", _constant(graph, [-1]), rest, shape=(len(value.shape),), dtype="int64", axis=0)
    return graph.add("Reshape", repeated, whole, shape=(None, *value.shape[1:]), dtype=value.dtype)


def write_merge_channels(graph: Graph, layer: channels.MergeChannels, inputs: Value, **_: object) -> Value:
    """Series of one column beside each other again."""
    sizes = graph.concat([_constant(graph, [-1, layer.channels]), graph.size(inputs, 1)])
    apart = graph.add("Reshape", inputs, sizes, shape=(None, layer.channels, inputs.shape[1]))
    mask = None if inputs.mask is None else graph.slice(inputs.mask, 0, 0, None, layer.channels)
    return graph.transpose(apart, [0, 2, 1]).masked(mask)


def write_repeat_channels(graph: Graph, layer: channels.RepeatChannels, inputs: Value, **_: object) -> Value:
    """The same columns for every channel."""
    mask = None if inputs.mask is None else _repeat_rows(graph, inputs.mask, layer.channels)
    return _repeat_rows(graph, inputs, layer.channels).masked(mask)


def write_channel_embedding(graph: Graph, layer: channels.ChannelEmbedding, inputs: Value, **_: object) -> Value:
    """A learned vector added to each channel's."""
    shape = (None, layer.channels, inputs.width)
    apart = graph.reshape(inputs, [-1, layer.channels, inputs.width], shape)
    added = graph.plain("Add", apart, weight_of(layer.embeddings))
    return graph.reshape(added, [-1, inputs.width], inputs.shape)


def write_fold_steps(graph: Graph, layer: characters.FoldSteps, inputs: Value, **_: object) -> Value:
    """Each step as a sequence of its own."""
    return graph.reshape(inputs, [-1, inputs.width], (None, inputs.width))


def write_unfold_steps(graph: Graph, layer: characters.UnfoldSteps, inputs: Sequence[Value], **_: object) -> Value:
    """One vector for each step back where the step was."""
    vectors, folded = inputs
    width = vectors.width
    sizes = graph.concat([graph.size(folded, 0), graph.size(folded, 1), _constant(graph, [width])])
    return graph.add("Reshape", vectors, sizes, shape=(*folded.shape[:2], width))


def write_draw_latent(graph: Graph, layer: drawing.DrawLatent, inputs: Sequence[Value], **_: object) -> Value:
    """The mean, as in use."""
    return inputs[0]


def write_step_before(graph: Graph, layer: feedback.StepBefore, inputs: Sequence[Value], **_: object) -> Value:
    """The newest input, then the answers but the last."""
    past, answers = inputs
    missing = graph.add("IsNaN", answers, shape=answers.shape, dtype="bool")
    known = graph.where(missing, np.zeros((), np.float32), answers, answers)
    newest = graph.gather(graph.slice(past, 1, -1, None), layer.columns)
    return graph.concat([newest, graph.slice(known, 1, 0, -1)], axis=1)


def write_repeat(graph: Graph, layer: layers.Repeat, inputs: Value | Sequence[Value], **_: object) -> Value:
    """A vector at every step of a reference, or at so many."""
    if isinstance(inputs, Value):
        shape = (inputs.shape[0], layer.steps, inputs.width)
        return graph.add("Tile", graph.unsqueeze(inputs, 1), ints([1, int(layer.steps or 1), 1]), shape=shape)
    vector, reference = inputs
    times = graph.concat([_constant(graph, [1]), graph.size(reference, 1), _constant(graph, [1])])
    shape = (vector.shape[0], reference.shape[1], vector.width)
    return graph.add("Tile", graph.unsqueeze(vector, 1), times, shape=shape, mask=reference.mask)


def write_join_steps(graph: Graph, layer: layers.JoinSteps, inputs: Value, **_: object) -> Value:
    """Neighbouring steps as one; zeros behind the last one where they are no multiple."""
    count, steps, width, mask = layer.count, inputs.shape[1], inputs.width, inputs.mask
    if mask is not None:
        inputs = graph.where(graph.unsqueeze(mask, -1), inputs, np.zeros((), np.float32), inputs)
    joined = None if steps is None else -(-steps // count)
    if steps is None or steps % count:
        more = ints([0, 0, 0, 0, count - 1, 0])
        inputs = graph.add("Pad", inputs, more, shape=(inputs.shape[0], None, width))
        # So many steps that they are a whole number of groups: length // count * count.
        length = graph.add("Div", graph.size(inputs, 1), ints([count]), shape=(1,), dtype="int64")
        length = graph.add("Mul", length, ints([count]), shape=(1,), dtype="int64")
        inputs = graph.add("Slice", inputs, ints([0]), length, ints([1]), shape=inputs.shape)
    outputs = graph.reshape(inputs, [0, -1, count * width], (inputs.shape[0], joined, count * width))
    return outputs.masked(None if mask is None else graph.slice(mask, 1, 0, None, count))


def write_split_steps(graph: Graph, layer: layers.SplitSteps, inputs: Value, **_: object) -> Value:
    """Each step as several."""
    steps, width = inputs.shape[1], inputs.width // layer.count
    shape = (inputs.shape[0], None if steps is None else steps * layer.count, width)
    outputs = graph.reshape(inputs, [0, -1, width], shape)
    if inputs.mask is None:
        return outputs
    wide = graph.unsqueeze(inputs.mask, -1)
    wide = graph.add("Tile", wide, ints([1, 1, layer.count]), shape=(*inputs.mask.shape, layer.count), dtype="bool")
    return outputs.masked(graph.reshape(wide, [0, -1], shape[:2]))


def write_position_embedding(graph: Graph, layer: layers.PositionEmbedding, inputs: Value, **_: object) -> Value:
    """A learned vector added to each step."""
    return graph.plain("Add", inputs, weight_of(layer.embeddings))


def write_normalise(graph: Graph, layer: layers.Normalise, inputs: Value, **_: object) -> list[Value]:
    """A window without its level and spread, and these."""
    chosen = np.isin(np.arange(inputs.width), layer.columns)
    zero, one = np.zeros((), np.float32), np.ones((), np.float32)
    wide = None if inputs.mask is None else graph.unsqueeze(inputs.mask, -1)
    valid = None if wide is None else graph.cast(wide, "float32")
    values = inputs if wide is None else graph.where(wide, inputs, zero, inputs)
    if layer.method == "last":
        center = graph.slice(inputs, 1, -1, None) if valid is None else _last_valid(graph, values, valid)
        scale = graph.plain("Add", graph.plain("Mul", center, zero), one)
    else:
        steps = graph.cast(graph.size(inputs, 1), "float32")
        count = steps if valid is None else graph.plain("Max", graph.sum(valid, 1), one)
        center = graph.plain("Div", graph.sum(values, 1), count)
        away = graph.plain("Sub", values, center)
        squares = graph.plain("Mul", away, away)
        squares = squares if valid is None else graph.plain("Mul", squares, valid)
        variance = graph.plain("Div", graph.sum(squares, 1), count)
        scale = graph.add("Sqrt", graph.plain("Add", variance, _EPSILON), shape=center.shape)
    picked = Value(graph.constant(chosen), chosen.shape, "bool")
    center, scale = graph.where(picked, center, zero, center), graph.where(picked, scale, one, scale)
    outputs = graph.plain("Div", graph.plain("Sub", inputs, center), scale)
    return [outputs.masked(inputs.mask), graph.concat([center, scale], axis=1)]


def _last_valid(graph: Graph, values: Value, valid: Value) -> Value:
    so_far = graph.add("CumSum", valid, np.array(1), shape=valid.shape)
    is_last = graph.add("Equal", so_far, graph.sum(valid, 1), shape=valid.shape, dtype="bool")
    newest = graph.plain("Mul", valid, graph.cast(is_last, "float32"))
    return graph.sum(graph.plain("Mul", values, newest), 1)


def write_denormalise(graph: Graph, layer: layers.Denormalise, inputs: Sequence[Value], **_: object) -> Value:
    """A window's level and spread put back."""
    outputs, statistics = inputs
    own = graph.gather(statistics, layer.columns)
    scaled = graph.plain("Mul", outputs, graph.slice(own, 1, 1, None))
    return graph.plain("Add", scaled, graph.slice(own, 1, 0, 1))


def write_quantiles(graph: Graph, layer: quantiles.Quantiles, inputs: Sequence[Value], **_: object) -> Value:
    """Quantiles around the medians, each beyond the one nearer to it."""
    medians, spread = inputs[:2]
    targets, gaps, half = len(layer.columns), layer.quantiles - 1, layer.quantiles // 2
    batch, steps = medians.shape[:2]
    if layer.independent:
        sizes = graph.concat([_constant(graph, [-1, targets]), graph.size(medians, 1), _constant(graph, [gaps])])
        apart = graph.add("Reshape", spread, sizes, shape=(batch, targets, steps, gaps))
        apart = graph.transpose(apart, [0, 2, 1, 3])
    else:
        apart = graph.reshape(spread, [0, 0, targets, gaps], (batch, steps, targets, gaps))
    apart = graph.add("Softplus", graph.plain("Add", apart, _FIRST), shape=apart.shape)
    if len(inputs) > 2:
        scale = graph.gather(graph.slice(inputs[2], 1, 1, 2), layer.columns)
        apart = graph.plain("Mul", apart, graph.unsqueeze(scale, -1))
    middle = graph.unsqueeze(medians.masked(None), -1)
    shape = (batch, steps, targets, half)
    axis = np.array(3)
    near, far = graph.slice(apart, -1, 0, half), graph.slice(apart, -1, half, None)
    summed = graph.add("CumSum", near, axis, shape=shape)
    # The first gap is the one next to the median; below it the farthest comes first.
    flipped = graph.gather(summed, list(range(half - 1, -1, -1)))
    below = graph.add("Sub", middle, flipped, shape=shape)
    above = graph.add("Add", middle, graph.add("CumSum", far, axis, shape=shape), shape=shape)
    return graph.concat([below, middle, above])


OWN: dict[type, Callable[..., object]] = {
    categories.SplitCategories: write_split_categories,
    categories.Indicators: write_indicators,
    channels.SplitChannels: write_split_channels,
    channels.MergeChannels: write_merge_channels,
    channels.RepeatChannels: write_repeat_channels,
    channels.ChannelEmbedding: write_channel_embedding,
    characters.FoldSteps: write_fold_steps,
    characters.UnfoldSteps: write_unfold_steps,
    drawing.AddNoise: write_same,
    drawing.DrawLatent: write_draw_latent,
    ensemble.CombineMembers: write_combine_members,
    ensemble.NewestSteps: write_newest_steps,
    feedback.StepBefore: write_step_before,
    layers.Repeat: write_repeat,
    layers.JoinSteps: write_join_steps,
    layers.SplitSteps: write_split_steps,
    layers.PositionEmbedding: write_position_embedding,
    layers.Normalise: write_normalise,
    layers.Denormalise: write_denormalise,
    masks.OneHot: write_one_hot,
    masks.WithMask: write_with_mask,
    masks.DropMask: write_drop_mask,
    masks.MixPrevious: write_mix_previous,
    quantiles.Quantiles: write_quantiles,
}
