"""Keys of `detect` that contradict each other. A trained model's own recipe is not asked: it works as it did."""

from collections.abc import Iterator

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.detect_fields import Detect
from seq2seq_kit.recipe.section import Tree

# By threshold: the key that belongs to the other one.
_OTHER = {"quantile": ("alarms_per_week", "pot"), "pot": ("quantile", "quantile")}


def problems_of_detect(values: Tree) -> list[Problem]:
    """The problems of a recipe's section `detect`; its resolved form, which has every key, has none."""
    section = values.get("detect")
    return list(_threshold_has_one_measure(section)) if isinstance(section, dict) else []


def _threshold_has_one_measure(section: Tree) -> Iterator[Problem]:
    threshold = section.get("threshold", Detect.model_fields["threshold"].default)
    key, other = _OTHER.get(str(threshold), ("", ""))
    if not key or key not in section or section[key] == Detect.model_fields[key].default:
        return
    said = f"has no effect with `threshold: {threshold}`; leave it out, or set `threshold: {other}`"
    yield Problem(f"detect.{key}", said, "unused_key")
