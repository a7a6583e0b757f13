r"""Names from data as text, wherever they are shown: the terminal, Markdown, figures, interactive pages, MLflow's keys.

A column, a label or a series may be called anything: `temp [c]`, `cost_$`, `<script>`. Each medium has one function here that
gives a name no meaning there; nothing else in the kit escapes.
"""

import re
import unicodedata
from collections.abc import Iterable
from html import escape

# What moves the cursor, colours, turns the direction of writing, breaks a line or is half a character.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are written with them
_LONGEST_KEY = 200  # MLflow takes 250 letters, the group before the slash among them


def duration(seconds: float) -> str:
    """`45 s`, `2.5 min`."""
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


def printable(text: str, *, lines: bool = False) -> str:
    r"""A text for a terminal: control characters are written out (`\x1b`), everything else stands as it is.

    Args:
        text: Any text.
        lines: Whether line breaks stay, as in a message of several lines.

    Example:
        >>> print(printable("temp [c] \x1b[31m"))
        temp [c] \x1b[31m
    """
    if text.isprintable():
        return text
    kept = _JOINERS + "\n" * lines
    return "".join(
        each
        if each in kept or unicodedata.category(each) not in _UNSEEN
        else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


def for_markdown(text: str) -> str:
    r"""A text for a note in Markdown, also in a cell of a table: no markup, no HTML, no link, one line.

    Example:
        >>> print(for_markdown("*b* <i> a|b [x](javascript:y)"))
        \*b\* &lt;i&gt; a\|b \[x\](javascript&#58;y)
    """
    text = re.sub(r"([\\`*\[\]{}|~])", r"\\\1", printable(text).replace("&", "&amp;"))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word it is no markup: known_future
    text = text.replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    # Renderers make links of addresses and pictures of :words:.
    text = re.sub(r":(?=[^\s\d])", "&#58;", text).replace("www.", "www&#46;")
    # A heading, a rule or a list, which only the start of a text can begin.
    return re.sub(r"^(\s*\d*)([#=]|[-+](?=\s)|(?<=\d)[.)](?=\s))", r"\1\\\2", text)


def code_in_markdown(text: str) -> str:
    """A text as code, in which all else has no meaning; one that could end the code as `for_markdown` has it. Not for tables."""
    plain = text.isprintable() and text == text.strip() and text and "`" not in text
    return f"`{text}`" if plain else for_markdown(text)


def for_figure(text: str, *, most: int = 80) -> str:
    r"""A text for matplotlib, which takes what stands between two dollar signs for a formula; of a long one the beginning.

    Example:
        >>> print(for_figure("cost_$^per_$"))
        cost_\$^per_\$
    """
    shown = printable(text)
    return (shown if len(shown) <= most else f"{shown[: most - 1]}…").replace("$", r"\$")


def for_page(text: str) -> str:
    """A text for an interactive page, in HTML and in plotly's labels.

    Example:
        >>> for_page("<b>a & b</b>")
        '&lt;b&gt;a &amp; b&lt;/b&gt;'
    """
    return escape(printable(text), quote=False)


def metric_keys(names: Iterable[str]) -> dict[str, str]:
    """Names as parts of MLflow's keys: letters, digits and underscores; no two are equal.

    Example:
        >>> metric_keys(["seasonal naive (day)", "a b", "a_b", "(!)"])
        {'seasonal naive (day)': 'seasonal_naive_day', 'a b': 'a_b', 'a_b': 'a_b_2', '(!)': 'unnamed'}
    """
    return _distinct({name: "_".join(re.findall(r"[^\W_]+", name)) for name in names})


def param_keys(keys: Iterable[str]) -> dict[str, str]:
    """Dotted recipe keys as MLflow takes them: as they are, but for letters that only names from data have; no two are equal.

    Example:
        >>> param_keys(["data.scale_per_series", "data.scaling.temp [c]"])
        {'data.scale_per_series': 'data.scale_per_series', 'data.scaling.temp [c]': 'data.scaling.temp _c_'}
    """
    return _distinct({key: re.sub(r"[^\w. -]", "_", key) for key in keys})


def _distinct(wanted: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, plain in wanted.items():
        key, count = plain[:_LONGEST_KEY] or "unnamed", 1
        while key in found.values():
            count += 1
            key = f"{plain[:_LONGEST_KEY]}_{count}"
        found[name] = key
    return found
