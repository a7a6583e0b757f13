"""Former names of recipe keys: they stay legal, are read as the current ones, and give a warning with code `renamed_key`.

A section declares its own in `renamed` (see section.py). Former names also work in overrides, in a sweep's `space` and in its
conditions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from seq2seq_kit.errors import Problem
from seq2seq_kit.recipe.messages import section_of
from seq2seq_kit.recipe.section import Section, Tree

_SPACE = "sweep.space."


@dataclass
class Renaming:
    """Maps former keys of one recipe to current ones and keeps which it met.

    Attributes:
        kind: Schema of the recipe.
        former: The former key, by the current one; both dotted.
        problems: Keys that are given under both names.
    """

    kind: type[Section]
    former: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def key(self, dotted: str) -> str:
        """A dotted key under its current name."""
        if dotted.startswith(_SPACE):  # what follows is a dotted key of its own
            return _SPACE + self.key(dotted.removeprefix(_SPACE))
        found: list[str] = []
        section: type[BaseModel] | None = self.kind
        for part in dotted.split("."):
            part = _renamed(section).get(part, part)
            found.append(part)
            section = _below(section, part)
        return ".".join(found)

    def spelled(self, key: str) -> str:
        """A current key as the recipe spells it."""
        for current in sorted(self.former, key=len, reverse=True):
            if key == current or key.startswith(f"{current}."):
                return self.former[current] + key[len(current) :]
        return key

    def tree(self, values: Tree) -> dict[str, object]:
        """A recipe as it was written, under its current keys."""
        found = self._section(values, self.kind, "", "")
        sweep = found.get("sweep")
        if isinstance(sweep, Mapping) and isinstance(sweep.get("space"), Mapping):
            space = self._keys(sweep["space"], _SPACE, _SPACE, self.key)
            for key, parameter in space.items():
                if isinstance(parameter, Mapping) and isinstance(parameter.get("when"), Mapping):
                    where = f"{_SPACE}{key}.when."
                    space[key] = {**parameter, "when": self._keys(parameter["when"], where, where, self.key)}
            found["sweep"] = {**sweep, "space": space}
        return found

    def _section(self, values: Tree, section: type[BaseModel], old: str, new: str) -> dict[str, object]:
        names = _renamed(section)
        found = self._keys(values, old, new, lambda name: names.get(name, name))
        former = {names.get(name, name): name for name in values}
        for name, value in found.items():
            inner = _below(section, name)
            if inner and isinstance(value, Mapping):
                found[name] = self._section(value, inner, f"{old}{former[name]}.", f"{new}{name}.")
        return found

    def _keys(self, values: Tree, old: str, new: str, current: Callable[[str], str]) -> dict[str, object]:
        """The values of one mapping under their current keys; `old` and `new` are what its dotted keys begin with."""
        found: dict[str, object] = {}
        for name, value in values.items():
            now = current(name)
            if now != name:
                self.former[new + now] = old + name
                if now in values or now in found:
                    text = f"was renamed to {now}, which is given, too; leave {name} out"
                    self.problems.append(Problem(old + name, text, "duplicate_key"))
            found[now] = value
        return found


def _renamed(section: type[BaseModel] | None) -> Mapping[str, str]:
    return section.renamed if section and issubclass(section, Section) else {}


def _below(section: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    field_of = section.model_fields.get(key) if section else None
    return section_of(field_of) if field_of else None
