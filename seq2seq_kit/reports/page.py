"""One page of HTML that needs nothing else: no network, pictures inside, every text of data as text.

Blocks are HTML; the functions here make them from plain texts and files. The page's own policy forbids all that is not inside it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.text import for_page, printable

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
body, td { overflow-wrap: anywhere } table:not(.words) :is(th, td:not(:first-child)) { overflow-wrap: break-word }
td:first-child { min-width: 7rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #dde1e6 }
th:first-child, td:first-child, table.words td, table.words th { text-align: left }
img { max-width: 100% } iframe { width: 100%; height: 36rem; border: 0 }
iframe.tall { height: 66rem; border-top: 1px solid #dde1e6 }
pre { background: #f3f5f7; padding: 1rem; overflow-x: auto }
.yes, .no { display: inline-block; padding: .1rem .6rem; border-radius: .3rem; color: #fff; background: #1f7a4d }
.no { background: #b3261e }
.warning { font-weight: 600 }
"""
# The library of all interactive pages stands here once; each page is a frame of its own that sees nothing of this one.
_FRAMES = """
const text = id => JSON.parse(document.getElementById(id).textContent);
const library = text("library");
for (const frame of document.querySelectorAll("iframe")) {
  frame.srcdoc = text(frame.dataset.page).replace("<!--library-->", () => library);
}
"""
_LARGEST_SCRIPT = 500_000  # letters from which a script is the library
_PROGRAM = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_TALL = " class=tall"  # a page that has more than a figure says so


def heading(text: str) -> str:
    """A heading inside the page."""
    return f"<h2>{for_page(text)}</h2>"


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph; `kind` is a class of the page's style."""
    return f'<p class="{kind}">{for_page(text)}</p>' if kind else f"<p>{for_page(text)}</p>"


def badge(text: str, *, good: bool) -> str:
    """A verdict."""
    return f'<p><span class="{"yes" if good else "no"}">{for_page(text)}</span></p>'


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """A table; all columns but the first are numbers, or (`figures=False`) words."""
    head = "".join(f"<th>{for_page(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{for_page(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table{'' if figures else ' class=words'}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def points(texts: Iterable[tuple[str, str]]) -> str:
    """A list of texts, each with its class."""
    items = "".join(f"<li{f' class={kind}' if kind else ''}>{for_page(text)}</li>" for text, kind in texts)
    return f"<ul>{items}</ul>" if items else ""


def code(text: str) -> str:
    """A text as it is written, such as a recipe."""
    return f"<pre>{escape(printable(text, lines=True), quote=False)}</pre>"


def picture(png: bytes, about: str) -> str:
    """A picture inside the page, with what it shows in words."""
    return f'<img alt="{escape(printable(about))}" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'


def whole_page(title: str, blocks: Iterable[str], *, interactive: Iterable[Path] = ()) -> str:
    """The page.

    Args:
        title: Its title and first heading.
        blocks: HTML, in order.
        interactive: Pages of `interactive.write_interactive`, shown below in frames.
    """
    frames, library = "", ""
    for number, path in enumerate(interactive):
        page, found = _without_library(path.read_text(encoding="utf-8"))
        library = library or found
        tall = _TALL if f"<body{_TALL}>" in page else ""
        frames += (
            f'<iframe{tall} sandbox="allow-scripts" data-page="page{number}" title="{escape(path.stem)}"></iframe>'
        )
        frames += _kept(f"page{number}", page)
    if frames:
        frames = f"{heading('Interactive')}{frames}{_kept('library', library)}<script>{_FRAMES}</script>"
    scripts = "'unsafe-inline'" if frames else "'none'"
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}; frame-src 'self'"
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{for_page(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{_STYLE}</style></head><body><h1>{for_page(title)}</h1>{''.join(blocks)}{frames}</body></html>\n"
    )


def program_page(title: str, program: str, data: Mapping[str, object], *, policy: str = _PROGRAM) -> str:
    """A page that runs a program of the kit on data: `static/<program>.html`, `<program>_*.js` and `<program>.js`, with plotly.

    Args:
        title: Its title and first heading.
        program: Name of the program.
        data: What it shows, JSON-safe; arrays by `packed`.
        policy: What the page may load and run.
    """
    static = Path(__file__).parent / "static"
    scripts = [static / "common.js", *sorted(static.glob(f"{program}_*.js")), static / f"{program}.js"]
    body, style, *written = (
        path.read_text(encoding="utf-8") for path in (static / f"{program}.html", static / "common.css", *scripts)
    )
    from plotly.offline import get_plotlyjs

    # The library comes first: `whole_page` knows it by its length, and the data may be longer.
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{for_page(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<script>{get_plotlyjs()}</script><style>{style}</style></head><body{_TALL}><h1>{for_page(title)}</h1>{body}"
        f"{_kept('data', data)}{''.join(f'<script>{each}</script>' for each in written)}</body></html>\n"
    )


def packed(values: np.ndarray) -> dict[str, str]:
    """An array for `program_page`: its type and its bytes in base64, as typed arrays of JavaScript are."""
    kind = {"f": "float64", "i": "int32"}[values.dtype.kind] if values.dtype != np.float32 else "float32"
    raw = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).tobytes()
    return {"kind": kind, "packed": base64.b64encode(raw).decode("ascii")}


def write_page(text: str, out: str | Path) -> Path:
    """Writes a page.

    Raises:
        ArgumentError: The file cannot be written.
    """
    path = Path(out)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        said = f"could not write {path}: {error.strerror}. Choose another --out"
        raise ArgumentError(said, code="unwritable_file") from None
    return path


def _without_library(page: str) -> tuple[str, str]:
    """An interactive page with a mark where its library stood, and the library."""
    for found in re.finditer(r"<script[^>]*>(?:(?!</script>).)*</script>", page, re.DOTALL):
        if len(found[0]) > _LARGEST_SCRIPT:
            return page[: found.start()] + "<!--library-->" + page[found.end() :], found[0]
    return page, ""


def _kept(name: str, value: object) -> str:
    """A value that a script of the page reads and that means nothing where it stands."""
    written = json.dumps(value, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{name}">{written}</script>'
