"""The documents are true: their code runs, their recipes parse, their commands exist, their messages are the real ones."""

import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import pytest

from seq2seq_kit.cli.main import _parser
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import check_space
from tests.conftest import ROOT, unseen
from tests.untyped import load_recipe

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "recipes" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def blocks(language: str) -> list[tuple[str, str]]:
    """Fenced blocks of a language, with the name of their page."""
    found = []
    for page in PAGES:
        texts = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        found += [(f"{page.name}-{position}", text) for position, text in enumerate(texts)]
    return found


PYTHON, YAML, SHELL = blocks("python"), blocks("yaml"), blocks("sh")


def test_the_documents_have_something_to_check() -> None:
    assert len(PYTHON) >= 3
    assert len(YAML) >= 1
    assert len(SHELL) >= 4


@pytest.mark.slow
@pytest.mark.parametrize(("page", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_python_blocks_run(page: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures and served models are made where the page is the README or speaks of what is logged."""
    monkeypatch.chdir(tmp_path)
    with nullcontext() if page.startswith("README") or "mlflow" in code else unseen():
        exec(compile(code, "a document", "exec"), {})


@pytest.mark.parametrize("text", [text for _, text in YAML], ids=[name for name, _ in YAML])
def test_yaml_blocks_are_recipes(text: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
    recipe = load_recipe(tmp_path / "shown.yaml")
    assert recipe.name == "shown"
    check_space(recipe)


def test_commands_are_ones_that_the_program_takes() -> None:
    commands = [
        command.split("#")[0].strip()
        for _, text in SHELL
        for line in text.splitlines()
        for command in line.split("&&")
        if "seq2seq-kit " in command
    ]
    assert len(commands) >= 8
    for command in commands:
        words = shlex.split(command)
        _parser().parse_args(words[words.index("seq2seq-kit") + 1 :])


def test_the_readme_shows_the_real_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    recipe = re.findall(r"^```yaml\n(.*?)^```", readme, re.M | re.S)[0]
    shown = re.findall(r"^```\nerror\[invalid_recipe\]: (.*?)\n```", readme, re.M | re.S)[0]
    broken = recipe.replace("{encoder_units: [64],", "{encoder_unit: [64],").replace("dropout: 0.1", "dropout: 1.5")
    assert broken != recipe
    monkeypatch.chdir(tmp_path)
    Path("sales.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe("sales.yaml")
    assert str(caught.value) == shown


def test_links_between_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
