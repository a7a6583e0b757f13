"""Fitted baselines as plain values and back: what a bundle of a stranger holds is checked field by field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Protocol, TypeVar, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.recipe.messages import did_you_mean

B = TypeVar("B")
N = TypeVar("N", bound="Named")


class Named(Protocol):
    """A fitted baseline of any task."""

    @property
    def name(self) -> str: ...


def dump_baselines(baselines: Sequence[object]) -> tuple[list[dict[str, object]], dict[str, np.ndarray]]:
    """Fitted baselines, dataclasses of any task, as plain values for JSON and arrays."""
    plain: list[dict[str, object]] = []
    arrays: dict[str, np.ndarray] = {}
    for position, baseline in enumerate(baselines):
        values: dict[str, object] = asdict(baseline)  # type: ignore[call-overload]
        arrays |= {f"{position}.{key}": value for key, value in values.items() if isinstance(value, np.ndarray)}
        rest = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        plain.append({"kind": type(baseline).__name__} | rest)
    return plain, arrays


def restore_baselines(
    stored: Sequence[Mapping[str, object]],
    kinds: Mapping[str, Callable[..., B]],
    arrays: Mapping[str, np.ndarray] | None = None,
) -> list[B]:
    """The inverse of `dump_baselines`.

    Args:
        stored: The plain values.
        kinds: The task's baselines by the names of their classes.
        arrays: The arrays, where there are any.

    Raises:
        ValueError: What was stored is foreign, likewise `KeyError` and `TypeError`.
    """
    baselines = []
    for position, entry in enumerate(stored):
        plain = {key: value for key, value in entry.items() if key != "kind"}
        own = {key.split(".", 1)[1]: each for key, each in (arrays or {}).items() if key.startswith(f"{position}.")}
        baselines.append(restore_dataclass(kinds[str(entry["kind"])], plain | own))
    return baselines


def require_shapes(name: str, **arrays: tuple[np.ndarray, tuple[int, ...]]) -> None:
    """Refuses arrays of a baseline that do not belong together.

    Args:
        name: Of the baseline.
        arrays: By name, each with the shape that it must have.

    Raises:
        BundleError: One has another shape.
    """
    for key, (array, shape) in arrays.items():
        if array.shape != shape:
            raise BundleError(
                f"the baseline {name!r} of this bundle does not fit its model: {key} must have the shape {shape}. Received: "
                f"{array.shape}. Copy the bundle again, or train again",
                code="bundle_damaged",
            )


def restore_dataclass(kind: Callable[..., B], values: Mapping[str, object]) -> B:
    """A dataclass of plain values, texts and arrays; its numbers are finite.

    Raises:
        ValueError: A value has another type than its field, or a number is not finite.
        TypeError: A field is absent, or there is no such field.
    """
    kinds = get_type_hints(kind)
    checked = dict(values)
    for name in {field.name for field in fields(kind)} & set(values):  # type: ignore[arg-type]
        adapter: TypeAdapter[object] = TypeAdapter(kinds[name], config=ConfigDict(arbitrary_types_allowed=True))
        checked[name] = adapter.validate_python(values[name])
        _require_finite(name, checked[name])
    return kind(**checked)


def _require_finite(name: str, value: object) -> None:
    """Refuses numbers that are not finite, wherever they stand in a field."""
    if isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            _require_finite(name, each)
    elif isinstance(value, float | np.ndarray) and not np.isfinite(value).all():
        raise ValueError(f"{name} of a baseline holds a number that is not finite")


def baseline_named(baselines: Sequence[N], name: object) -> N:
    """The baseline of a name; its words before the brackets are enough: `seasonal naive` for `seasonal naive (week)`.

    Raises:
        ArgumentError: There is none.
    """
    names = {peer.name: peer for peer in baselines}
    short = {own.partition(" (")[0]: peer for own, peer in names.items()}
    found = (short | names).get(name) if isinstance(name, str) else None
    if found is None:
        known = f"it has {', '.join(names)}" if names else "it was saved without baselines"
        raise ArgumentError(
            f"this bundle has no such baseline; {known}. Received: baseline={name!r}{did_you_mean(name, [*names, *short])}",
            code="unknown_baseline",
        )
    return found
