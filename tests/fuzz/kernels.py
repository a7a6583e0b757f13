"""Recurrent layers with the kit's kernel and with Keras' own loop on the same odd numbers: `compare(number)` runs one case.

Outputs, final states and gradients must agree: what is no number or infinite at the same places, all else to rounding. How much
rounding a case allows is seen from Keras itself, run again with inputs and weights that differ in their last digits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.models.acceleration import accelerate, kernel_of
from tests.models.accelerated import CELLS

MOST_WORK = 3e8  # multiplications of a case, so that Keras takes seconds at most
TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "float16": 0.0}  # half precision takes Keras' loop
VALUES = [*["normal"] * 6, "zero", "tiny", "large", "huge", "huge", "some huge", "some nan", "some inf", "masked nan"]
VALUES += ["masked inf", "nan state", "inf state", "nan weight", "huge weights"]
MASKS = [*["none"] * 4, "right", "right", "left", "any", "any", "all", "one row", "numbers", "empty", "short", "long"]
WAYS = [*["eager"] * 8, "graph", "graph", "open graph", "repeated", "repeated", "twice", "threads", "xla"]
TRACED = ("graph", "open graph", "xla")

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Case:
    """What is computed: see the constants above for `values`, `mask` and `way`; `arguments` are the layer's."""

    seed: int
    cell: str
    dtype: str
    batch: int
    steps: int
    features: int
    units: int
    values: str
    mask: str
    way: str
    states: bool
    training: bool | None
    threads: int
    arguments: dict[str, Any]


def case_of(number: int, *, quick: bool = False) -> Case:
    """The case that its number stands for; equal numbers give equal cases. A quick one has few steps and is run at once."""
    draw = random.Random(number)

    def size(most: int) -> int:
        return round(most ** draw.random())

    batch, steps, features, units = size(300), size(draw.choice([20, 20, 20, 60, 500])), size(300), size(300)
    batch = min(batch, max(1, int(MOST_WORK / (8 * steps * units * (units + features)))))
    batch = draw.choice([*[batch] * 15, 0])
    way = draw.choice([name for name in WAYS if not quick or name not in TRACED])
    steps = min(steps, 8 if quick or way == "xla" else 20 if way == "threads" else steps)
    stateful = way in ("eager", "graph") and batch > 0 and draw.random() < 0.15
    arguments = {
        "return_sequences": draw.random() < 0.6,
        "return_state": draw.random() < 0.5,
        "go_backwards": draw.random() < 0.4,
        "zero_output_for_mask": draw.random() < 0.4,
        "use_bias": draw.random() < 0.8,
        "stateful": stateful,
        "dropout": draw.choice([0.0, 0.0, 0.0, 0.3]) * (way != "threads"),  # they take turns by chance
    }
    return Case(
        seed=number,
        cell=draw.choice(list(CELLS)),
        dtype=draw.choice([*["float32"] * 12, *["float64"] * 6, "float16"]),
        batch=batch,
        steps=steps,
        features=features,
        units=units,
        values=draw.choice(VALUES),
        mask=draw.choice(MASKS),
        way=way,
        states=draw.random() < 0.4,
        training=draw.choice([True, True, False, None]),
        threads=draw.choice([1, 2, 2, 3, 8]),
        arguments=arguments,
    )


def compare(number: int, *, quick: bool = False) -> str:
    """Runs a case.

    Returns:
        `equal`, or what became of a case that Keras refuses.

    Raises:
        AssertionError: They differ; it says in what.
    """
    case = case_of(number, quick=quick)
    given = _given(case)
    ours = accelerate(_layer(case, given))
    assert kernel_of(ours).name == ("loop" if case.dtype == "float16" else "compiled"), kernel_of(ours).reason
    try:
        expected = _run(case, _layer(case, given), given)
    except (ValueError, tf.errors.OpError):
        return _refused(case, ours, given)
    with patch("seq2seq_kit.kernels.recurrent.computing_threads", lambda: case.threads):
        found = _run(case, ours, given)
    assert len(found) == len(expected)
    wrong = _differences(case, given, found, expected, expected)
    if wrong:  # unless so small a change of what is given changes Keras' results as much
        moved = _moved(case, given)
        wrong = _differences(case, given, found, expected, _run(case, _layer(case, moved), moved))
    assert not wrong, f"{wrong}\n{case}"
    return "equal"


def _refused(case: Case, ours: keras.layers.RNN, given: _Given) -> str:
    """What the accelerated layer does where Keras' own refuses; an empty batch gives nothing."""
    try:
        found = _run(case, ours, given)
    except (ValueError, tf.errors.OpError):
        return "refused"
    nothing = case.batch == 0 and not any(each.any() for each in found)
    assert nothing, f"Keras refuses what the kernel computes: {case}"
    return "nothing from an empty batch, which Keras refuses"


@dataclass(frozen=True)
class _Given:
    x: np.ndarray  # (batch, steps, features); (batch, features) where it is repeated
    mask: np.ndarray | None
    states: Arrays
    weights: Arrays


def _given(case: Case) -> _Given:
    rng = np.random.default_rng(case.seed)
    batch, steps, features, units, values = case.batch, case.steps, case.features, case.units, case.values
    gates = 4 if case.cell == "lstm" else 3
    x = rng.normal(size=(batch, features) if case.way == "repeated" else (batch, steps, features))
    states = [rng.normal(size=(batch, units)) for _ in range(gates - 2)] if case.states else []
    weights = [rng.normal(size=(n, gates * units)) / np.sqrt(n) for n in (features, units)]
    if case.arguments["use_bias"]:
        weights.append(rng.normal(size=(4 * units,) if case.cell == "lstm" else (2, 3 * units)) / 10)
    mask = _mask(case, rng)
    odd = (
        np.nan if "nan" in values else np.inf * rng.choice([-1, 1]) if "inf" in values else 10.0 ** rng.uniform(10, 36)
    )
    if values in ("zero", "tiny", "large", "huge"):
        x *= {"zero": 0.0, "tiny": 1e-39, "large": 10.0 ** rng.uniform(0, 8), "huge": odd}[values]
    elif values.startswith("some"):
        x[rng.random(x.shape) < 1 / max(1, 20 * features)] = odd
    elif values.startswith("masked") and mask is not None and mask.shape == x.shape[:2]:
        x[(mask == 0) & (rng.random(mask.shape) < 0.3)] = odd
    elif values.endswith("state") and case.states and batch:
        rng.choice(states)[rng.integers(batch), rng.integers(units)] = odd
    elif values == "nan weight":
        weights[rng.integers(len(weights))].flat[0] = odd
    elif values == "huge weights":
        weights[0] *= odd
    with np.errstate(over="ignore"):  # half precision
        states, weights = ([each.astype(case.dtype) for each in some] for some in (states, weights))
        return _Given(x.astype(case.dtype), mask, states, weights)


def _mask(case: Case, rng: np.random.Generator) -> np.ndarray | None:
    batch, steps = case.batch, case.steps
    places, lengths = np.arange(steps), rng.integers(0, steps + 1, size=(batch, 1))  # some rows have no step at all
    masks: dict[str, Callable[[], np.ndarray | None]] = {
        "none": lambda: None,
        "right": lambda: places < lengths,
        "left": lambda: places >= lengths,
        "any": lambda: rng.random((batch, steps)) < 0.5,
        "all": lambda: np.zeros((batch, steps), bool),
        "one row": lambda: rng.random((1, steps)) < 0.5,
        "numbers": lambda: rng.choice([0.0, 0.5, -2.0], size=(batch, steps)),
        "empty": lambda: np.zeros((rng.choice([batch, 1, 0]), 0), bool),
        "short": lambda: np.ones((batch, steps - 1), bool),
        "long": lambda: np.ones((batch, steps + 1), bool),
    }
    return masks[case.mask]()


def _moved(case: Case, given: _Given) -> _Given:
    """The same with other last digits."""
    rng = np.random.default_rng(case.seed)
    last = 4 * np.finfo(case.dtype).eps

    def move(array: np.ndarray) -> np.ndarray:
        return (array * (1 + last * rng.uniform(-1, 1, size=array.shape))).astype(case.dtype)

    return _Given(move(given.x), given.mask, [*map(move, given.states)], [*map(move, given.weights)])


def _layer(case: Case, given: _Given) -> keras.layers.RNN:
    zeros = dict.fromkeys(("kernel_initializer", "recurrent_initializer"), "zeros")  # others come at once
    layer = CELLS[case.cell](case.units, seed=case.seed, dtype=case.dtype, **zeros, **case.arguments)
    layer.build((case.batch if case.arguments["stateful"] else None, case.steps, case.features))
    for variable, value in zip(layer.trainable_variables, given.weights, strict=True):
        variable.assign(value)
    return layer


def _run(case: Case, layer: keras.layers.RNN, given: _Given) -> Arrays:
    """Outputs and states of all calls, and the gradients of the inputs, the weights and the first states."""
    repeat = accelerate(keras.layers.RepeatVector(case.steps))
    mask = None if given.mask is None else tf.constant(given.mask)

    def compute(x: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            found: list[tf.Tensor] = []
            for call in range(2 if case.way == "twice" else 1):
                inputs = repeat(x) if case.way == "repeated" else x / (1 + call)
                outputs = layer(inputs, mask=mask, initial_state=[*states] or None, training=case.training)
                found += outputs if isinstance(outputs, list | tuple) else [outputs]
            loss = tf.add_n([tf.reduce_sum(each * _weights_like(each)) for each in found])
        learned = [x, *layer.trainable_variables, *states]
        return [*found, *tape.gradient(loss, learned, unconnected_gradients="zero")]

    tensors = [tf.constant(each) for each in (given.x, *given.states)]
    function: Callable[..., list[tf.Tensor]] = compute
    if case.way in ("graph", "xla"):
        function = tf.function(compute, autograph=False, jit_compile=case.way == "xla")
    elif case.way == "open graph":
        shapes = [(None, None, case.features), *[(None, case.units) for _ in given.states]]
        function = tf.function(
            compute, autograph=False, input_signature=[tf.TensorSpec(shape, case.dtype) for shape in shapes]
        )
    if case.way == "threads":
        with ThreadPoolExecutor(4) as callers:
            results = [*callers.map(lambda _: function(*tensors), range(4))]
    else:
        results = [function(*tensors) for _ in range(2 if case.arguments["stateful"] else 1)]
    return [np.asarray(tensor) for result in results for tensor in result]


def _weights_like(tensor: tf.Tensor) -> tf.Tensor:
    """Numbers that differ from place to place, the same in every type and graph."""
    return tf.cast(
        tf.reshape(tf.cos(tf.range(tf.size(tensor), dtype=tf.float64) * 0.7), tf.shape(tensor)), tensor.dtype
    )


def _differences(case: Case, given: _Given, found: Arrays, expected: Arrays, moved: Arrays) -> list[str]:
    """What differs by more than rounding; `moved` are Keras' results from what differs in its last digits."""
    wrong, tolerance = [], TOLERANCE[case.dtype]
    if case.values == "large" and given.x.size:  # a last digit of a gate is multiplied by it
        tolerance += float(4 * np.finfo(case.dtype).eps * np.abs(given.x).max())
    for place, (one, other, third) in enumerate(zip(found, expected, moved, strict=True)):
        finite = np.isfinite(other)
        if one.shape != other.shape or not np.array_equal(one[~finite], other[~finite], equal_nan=True):
            odd = [int(np.isnan(each).sum()) for each in (one, other)]
            wrong.append(f"result {place}: {one.shape} with {odd[0]} NaN, not {other.shape} with {odd[1]}")
        elif finite.any():
            with np.errstate(over="ignore", invalid="ignore"):
                scale = max(1.0, float(np.abs(other[finite]).max()))
                allowed = tolerance + 20 * np.nanmax(np.abs(third / scale - other / scale)[finite], initial=0)
                most = float(np.abs(one / scale - other / scale)[finite].max())
            if not most <= allowed:
                wrong.append(
                    f"result {place}: differs by {most:.1e} of its largest, {scale:.1e}; allowed are {allowed:.1e}"
                )
    return wrong
