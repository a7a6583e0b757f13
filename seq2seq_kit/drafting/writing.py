"""A recipe as commented YAML: above each key why it says what it says."""

from collections.abc import Mapping
from io import StringIO
from textwrap import wrap

from ruamel.yaml import YAML

from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.text import printable

_WIDTH = 110


def write(recipe: Mapping[str, object], notes: Notes, title: list[str]) -> str:
    """The text of a recipe.

    Args:
        recipe: Its values, sections as mappings.
        notes: Sentences by key; those of a key that the recipe lacks stand on top.
        title: Lines for the head.
    """
    keys = set(recipe) | {key for section in recipe.values() if isinstance(section, Mapping) for key in section}
    lines = [line for text in title for line in _comment(text, "")]
    lines += [line for key, text in notes.said if key not in keys for line in _comment(text, "")]
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            lines.append(f"{key}:")
            for inner, cell in value.items():
                lines += [line for text in notes.about(inner) for line in _comment(text, "  ")]
                lines.append(f"  {_pair(inner, cell)}")
        else:
            lines += [line for text in notes.about(key) for line in _comment(text, "")]
            lines.append(_pair(key, value))
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    return wrap(
        printable(text), _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_on_hyphens=False
    )


def _pair(key: str, value: object) -> str:
    """`key: value` on one line."""
    yaml, stream = YAML(), StringIO()
    yaml.default_flow_style = True
    yaml.width = 100_000
    yaml.allow_unicode = True
    yaml.dump({key: value}, stream)
    return stream.getvalue().strip()[1:-1]
