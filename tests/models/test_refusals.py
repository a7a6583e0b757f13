"""Every argument of every builder has a table of bad values, each refused by name and value."""

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_encoder_decoder
from tests.models.test_contract import Case, autoencoder, forecaster

NAN, INFINITE = float("nan"), float("inf")
NO_COUNT = [0, -1, -100, 2.0, 2.5, "5", True, False, NAN, INFINITE, [5], (5,), b"5"]
NO_FRACTION = [15, 1, 1.0, 1.0001, -0.1, -1e-9, "0.1", True, False, None, NAN, INFINITE, -INFINITE, [0.1], 0.5 + 0j]
NO_PENALTY = [-1, -1e-9, "0.1", True, False, None, NAN, INFINITE, [0.1]]
NO_BOOLEAN = [0, 1, 1.0, "true", "", None, [True]]
NO_CELL = ["rnn", "LSTM", "", " lstm", None, 1, True, ["lstm"], b"lstm"]
NO_WORD = ["", "None", "Last", None, 1, True, ["last"], b"last"]
NO_POSITIONS = ["0", 0, [], [-1], [3], [0.0], [True], [None], ["0"], [0, 0], {0}]
NO_UNITS = [[], (), "", "64", "8,8", b"64", 64, 8.0, None, True, {8}, {8: 8}]
# An element at fault is named by its place.
NO_ELEMENT: list[tuple[Any, int]] = [
    ([0], 0),
    ([8, -1], 1),
    ([8, 8, 0], 2),
    ([8.0], 0),
    (["8"], 0),
    ([True], 0),
    ([None], 0),
    ([NAN], 0),
    ([[8]], 0),
]


def refusals(build: Callable[..., keras.Model]) -> list[tuple[str, Any, str]]:
    """Argument, bad value, and how the message repeats it."""
    counts = ["input_steps", "input_features", "pyramid", "segment_steps"]
    none_allowed = ["latent_dim", "output_features"]
    plain: dict[str, list[Any]] = {
        "dropout": NO_FRACTION,
        "recurrent_dropout": NO_FRACTION,
        "kernel_l2": NO_PENALTY,
        "forget_bias": NO_WORD,
        "memory_steps": [*NO_COUNT, 1, 2],
        "bidirectional": NO_BOOLEAN,
        "position_embedding": NO_BOOLEAN,
        "output_dropout": NO_FRACTION,
        "embedding_units": NO_COUNT,
        "cell": NO_CELL,
        "encoder_units": NO_UNITS,
        "decoder_units": NO_UNITS,
    }
    if build is build_encoder_decoder:
        counts += ["output_steps", "output_features"]
        none_allowed = ["input_steps"]
        plain |= dict.fromkeys(["bridge", "channels", "normalise", "decoder_state"], NO_WORD)
        plain |= {"target_positions": [*NO_POSITIONS, [0, 1]], "measured_positions": NO_POSITIONS}
        plain["linear_skip"] = NO_BOOLEAN
        plain["quantiles"] = [bad for bad in NO_COUNT if bad is False or bad != 0] + [None, 1, 2, 4]
        plain |= {
            key: [bad for bad in NO_COUNT if bad is False or bad != 0]
            for key in ["future_categories", "fixed_categories"]
        }
        plain["future_features"] = [bad for bad in NO_COUNT if bad is False or bad != 0] + [None]
    else:
        counts += none_allowed
        plain |= {"noise": NO_PENALTY, "kl_weight": NO_PENALTY, "latent": NO_WORD}
        no_number = [bad for bad in NO_COUNT if bad is False or bad != 0] + [None]
        plain |= dict.fromkeys(["kl_warmup", "forecast_steps", "backcast_steps"], no_number)
    for name in counts:
        plain[name] = NO_COUNT if name in none_allowed else [*NO_COUNT, None]
    table = [(name, bad, f"{name}={bad!r}") for name, bads in plain.items() for bad in bads]
    for name in ("encoder_units", "decoder_units"):
        table += [(name, bad, f"{name}[{at}]={bad[at]!r}") for bad, at in NO_ELEMENT]
    table += [("categories", [bad], f"categories={bad!r}") for bad in (0, 1, -2, 2.0, "2", True, None)]
    if build is build_encoder_decoder:
        table += [("skip_categories", [bad], f"skip_categories={bad!r}") for bad in (0, -1, 2.0, "2", True, None)]
    return table


@pytest.mark.parametrize("case", [forecaster("small"), autoencoder("small")], ids=["encoder_decoder", "autoencoder"])
def test_every_bad_argument_is_refused_by_name_and_value(case: Case) -> None:
    table = refusals(case.build)
    assert len(table) > 130
    accepted, unclear = [], []
    for name, bad, received in table:
        try:
            case.build(**case.arguments | {name: bad})
        except ArgumentError as error:
            # "<argument> must be ... Received: <argument>=<value>", and nothing after the value
            said = rf"{re.escape(received.split('=')[0])} must be .+\. Received: {re.escape(received)}"
            if error.code != "invalid_argument" or not re.fullmatch(said, str(error)):
                unclear.append((received, str(error)))
        else:
            accepted.append(received)
    assert accepted == []
    assert unclear == []


@pytest.mark.parametrize("case", [forecaster("small"), autoencoder("small")], ids=["encoder_decoder", "autoencoder"])
def test_every_argument_has_bad_values_in_the_table(case: Case) -> None:
    arguments = set(case.build.__annotations__) - {"return"}
    assert {name for name, _, _ in refusals(case.build)} == arguments


def test_dropout_is_refused_and_not_clamped() -> None:
    with pytest.raises(ArgumentError, match=r"dropout must be in \[0, 1\)\. Received: dropout=15$"):
        forecaster("small", dropout=15).model()


@pytest.mark.parametrize("case", [forecaster("small"), autoencoder("small")], ids=["encoder_decoder", "autoencoder"])
def test_a_refusal_is_a_value_error(case: Case) -> None:
    with pytest.raises(ValueError, match="input_features=0"):
        case.build(**case.arguments | {"input_features": 0})


def test_numpy_numbers_are_numbers() -> None:
    model = forecaster("small", input_steps=np.int64(5), dropout=np.float32(0.5), encoder_units=[np.int32(4)]).model()
    assert model.input_shape == (None, 5, 3)
    assert model.get_layer("encoder_0").dropout == 0.5
