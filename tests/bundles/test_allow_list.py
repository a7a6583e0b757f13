"""A bundle is made of what is listed: a class that is not is refused when it is read, and before it is saved."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.bundles import allow_list
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import BundleError
from tests.bundles.test_files import FILES, leftovers
from tests.conftest import forecast_recipe
from tests.untyped import parse_recipe


class Doubled(keras.layers.Layer):
    """A layer of somebody else."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


def doubled(inputs: Any) -> Any:
    """An activation of somebody else."""
    return 2 * inputs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module": "keras.layers"}, "seq2seq_kit>JoinSteps"),
        ({"module": "os"}, r"os\.JoinSteps"),
        ({"module": "seq2seq_kit.models.channels"}, r"seq2seq_kit\.models\.channels\.JoinSteps"),
        ({"registered_name": "evil>JoinSteps"}, "evil>JoinSteps"),
        ({"registered_name": None}, r"seq2seq_kit\.models\.layers\.JoinSteps"),
        ({"class_name": "System"}, r"seq2seq_kit\.models\.layers\.System"),
        ({"class_name": "System", "registered_name": "seq2seq_kit>System"}, "seq2seq_kit>System"),
        ({"module": "System", "class_name": "System", "registered_name": "seq2seq_kit>System"}, "seq2seq_kit>System"),
        ({"class_name": ["JoinSteps"]}, "JoinSteps"),
        ({"config": {"count": {"class_name": "Lambda", "module": "keras.layers", "config": {}}}}, "Lambda"),
    ],
)
def test_an_own_layer_is_let_in_under_its_own_name_from_its_own_module_only(change: dict[str, Any], said: str) -> None:
    node = {
        "module": "seq2seq_kit.models.layers",
        "class_name": "JoinSteps",
        "config": {"name": "join", "count": 2},
        "registered_name": "seq2seq_kit>JoinSteps",
        "build_config": {"input_shape": [None, 4, 2]},
    }
    foreign = allow_list.classes_in(node) - allow_list.CLASSES
    assert foreign == set()
    foreign = allow_list.classes_in(node | change) - allow_list.CLASSES
    assert re.search(said, " ".join(sorted(foreign)))


def test_every_own_layer_is_let_in_and_nothing_that_is_none() -> None:
    allow_list.register_own_layers()  # whichever test came before
    registered = {
        name.removeprefix("seq2seq_kit>"): kind.__module__
        for name, kind in keras.saving.get_custom_objects().items()
        if name.startswith("seq2seq_kit>")
    }
    assert "JoinSteps" in registered
    # MixPrevious stands in the model that is trained, never in the one that is saved.
    assert registered == allow_list.OWN_CLASSES | {"MixPrevious": "seq2seq_kit.models.masks"}


@dataclass(frozen=True)
class Stub(Bundle):
    """A bundle around any model of numbers."""

    recipe: Any
    model: Any
    info: dict[str, Any] = field(default_factory=dict)
    what = "a stub"

    def evaluate(self, frame: Any, *, origin: str = "the data") -> Any:
        raise NotImplementedError

    def ignored_columns(self, frame: Any) -> list[str]:
        return []

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {}

    @classmethod
    def restore(cls, *parts: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: keras.layers.LayerNormalization(name="norm"), "layer 'norm' (LayerNormalization, Ones)"),
        (lambda: keras.layers.Bidirectional(keras.layers.SimpleRNN(2), name="both"), "layer 'both' (SimpleRNN)"),
        (lambda: Doubled(name="twice"), "layer 'twice' (tests.bundles.test_allow_list.Doubled"),
        (lambda: keras.layers.Dense(2, activation=doubled, name="dense"), "layer 'dense' ("),
    ],
)
def test_a_layer_that_would_not_be_loaded_again_is_told_when_the_bundle_is_saved(
    layer: Callable[[], Any], named: str, tmp_path: Path
) -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layer()(inputs))
    with pytest.raises(BundleError) as caught:
        Stub(parse_recipe(forecast_recipe()), model).save(tmp_path / "bundle")
    assert caught.value.code == "unlisted_layer"
    assert named in str(caught.value)
    assert leftovers(tmp_path) == []


def test_a_model_of_listed_layers_is_saved(tmp_path: Path) -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="relu")(keras.layers.LSTM(2)(inputs)))
    Stub(parse_recipe(forecast_recipe()), model).save(tmp_path / "bundle")
    assert leftovers(tmp_path / "bundle") == sorted(["bundle.json", *FILES])
