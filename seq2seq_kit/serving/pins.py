"""What a served export needs beside this kit, in the versions that are installed here, with all that they need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.exporting import RUNTIME
from seq2seq_kit.errors import ArgumentError

_HTTP, _TABLES = ("fastapi", "uvicorn"), ("pyarrow",)
# Where an image runs, whatever wrote it.
_LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "extra": ""}


def packages_of(bundle: Bundle, *, json_only: bool = False) -> list[str]:
    """Packages that a server of an export imports; `json_only`: without those for bodies of Arrow and Parquet."""
    found = [*RUNTIME, *_HTTP, *(() if json_only else _TABLES)]
    return [*found, *(["holidays"] if getattr(bundle.recipe.data, "holidays", None) else [])]


def pinned(packages: Iterable[str]) -> dict[str, str]:
    """Versions of packages and of what they need, by name.

    Raises:
        ArgumentError: One of the packages is not installed, so nothing says which version works.
    """
    found, waiting = dict[str, str](), [Requirement(name) for name in packages]
    seen = set[tuple[str, frozenset[str]]]()  # one package may be asked for again with extras
    asked = {canonicalize_name(each.name) for each in waiting}
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            needs, found[name] = distribution(name).requires or [], version(name)
        except PackageNotFoundError:
            if name in asked:
                said = f"an image has the versions that are installed here, and {name} is not"
                raise ArgumentError(
                    f"{said}. Install the extra: pip install 'seq2seq-kit[serve]'", code="missing_package"
                ) from None
            continue  # of Linux only, and this machine is another
        extras = [{"extra": extra} for extra in wanted.extras] or [{"extra": ""}]
        waiting += [need for need in map(Requirement, needs) if _applies(need, extras)]
    return dict(sorted(found.items()))


def _applies(need: Requirement, extras: Iterable[dict[str, str]]) -> bool:
    return need.marker is None or any(need.marker.evaluate(_LINUX | extra) for extra in extras)
