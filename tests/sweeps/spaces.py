"""A space of every kind of hyperparameter, and trials whose score is known to follow from some of them."""

from typing import Any, Literal

import numpy as np

from seq2seq_kit.recipe.sweep import Knob
from seq2seq_kit.sweeps.trials import Trial


def number(
    key: str, low: float, high: float, *, kind: Literal["int", "float"] = "float", sampling: str = "linear", **more: Any
) -> Knob:
    """An int or a float."""
    return Knob(key, kind, low, high, more.get("step"), sampling, (), False, more.get("when", {}))


def choice(key: str, *values: Any, ordered: bool = False, when: dict[str, tuple[Any, ...]] | None = None) -> Knob:
    """A choice, or a boolean if the values are."""
    kind: Literal["boolean", "choice"] = "boolean" if values == (False, True) else "choice"
    return Knob(key, kind, None, None, None, "linear", values, ordered, when or {})


SPACE = [
    choice("model.encoder_units", [16], [64], [64, 32]),
    number("training.learning_rate", 1e-4, 1e-1, sampling="log"),
    number("training.epochs", 5, 40, kind="int", step=5),
    choice("model.cell", "lstm", "gru"),
    choice("model.bidirectional", False, True),
    number("model.recurrent_dropout", 0.0, 0.4, when={"model.cell": ("lstm",)}),
    choice("training.batch_size", 32, 64, 128, ordered=True),
]


def drawn(knob: Knob, rng: np.random.Generator) -> Any:
    """A value of the space."""
    if knob.values:
        return knob.values[rng.integers(len(knob.values))]
    assert knob.low is not None
    assert knob.high is not None
    if knob.sampling == "log":
        return float(10 ** rng.uniform(np.log10(knob.low), np.log10(knob.high)))
    if knob.kind == "int":
        return int(rng.integers(int(knob.low) // 5, int(knob.high) // 5 + 1) * 5)
    return float(rng.uniform(knob.low, knob.high))


def sweep_of(count: int, *, noise: float = 0.02, failing: int = 9, seed: int = 0) -> list[Trial]:
    """Trials whose loss follows from the learning rate (much) and the epochs (less); every ninth one failed."""
    rng = np.random.default_rng(seed)
    trials = []
    for at in range(1, count + 1):
        values: dict[str, Any] = {}
        for knob in SPACE:
            if all(values.get(parent) in allowed for parent, allowed in knob.when.items()):
                values[knob.key] = drawn(knob, rng)
        rate, epochs = np.log10(values["training.learning_rate"]), values["training.epochs"]
        score = float(0.6 - 0.1 * (rate + 4) - 0.004 * epochs + rng.normal(scale=noise))
        if at % failing == 5:
            trials.append(Trial(at, values, "failed", epochs=1, seconds=2.0, reason="out of memory"))
        else:
            run = f"run{at}"
            trials.append(Trial(at, values, "finished", score, epochs, epochs, 10.0 + at, run_id=run))
    return trials
