"""docs/messages.md lists every code of an error and of a finding that the package can give, and no other."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = ROOT / "seq2seq_kit"
PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
# Codes that are put together or chosen where they are given, and the class's own for what needs no finer one.
MADE = {"unknown_task", "unknown_framing", "invalid_value"}


@cache
def nodes() -> list[tuple[Path, list[ast.AST]]]:
    """Each module of the package with its nodes: three tests go through them."""
    return [(path, list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))) for path in PACKAGE.rglob("*.py")]


def constants(node: ast.AST) -> Iterator[str]:
    """The codes in an expression: one, or those of a choice; not the parts of one that is put together."""
    parts = {part for inner in ast.walk(node) if isinstance(inner, ast.JoinedStr) for part in ast.walk(inner)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner not in parts:
            yield inner.value


@cache
def codes() -> tuple[set[str], set[str]]:
    """Codes of errors and problems, and of findings, as the package's calls name them."""
    errors, findings = set(), set()
    for _, found in nodes():
        for node in found:
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).split(".")[-1]
            errors |= {text for keyword in node.keywords if keyword.arg == "code" for text in constants(keyword.value)}
            if name == "Problem" and len(node.args) > 2:
                errors |= set(constants(node.args[2]))
            if name == "Finding":
                findings |= set(constants(node.args[0]))
            if name == "_warning":  # of evaluation/diagnostics.py: board, code, text
                findings |= set(constants(node.args[1]))
    return errors, findings


def listed(section: str) -> set[str]:
    """Codes in the first column of a section's table."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def test_every_code_of_an_error_is_explained_and_no_other() -> None:
    errors, _ = codes()
    assert len(errors) > 100
    assert listed("Errors") == errors | MADE


def test_every_code_of_a_finding_is_explained_and_no_other() -> None:
    _, findings = codes()
    assert len(findings) > 25
    assert listed("Findings") == findings


def test_every_code_has_a_cause_and_a_cure() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", PAGE, re.M)
    assert len(rows) == len(listed("Errors")) + len(listed("Findings"))
    for code, kind, cause, cure in rows:
        assert kind, code
        assert len(cause) > 8, code
        assert len(cure) > 3, code


def raised() -> Iterator[tuple[str, int]]:
    """Where an error of the kit is raised without a code of its own."""
    for path, found in nodes():
        for node in found:
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            kit = re.fullmatch(r"(Recipe|Data|Argument|Training|Bundle|Tracking|Sweep)Error", name)
            if kit and not any(keyword.arg in ("code", "problems") for keyword in node.exc.keywords):
                yield path.relative_to(ROOT).as_posix(), node.lineno


def test_every_error_that_is_raised_has_a_code() -> None:
    assert not list(raised())
