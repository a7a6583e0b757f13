"""A package that is not installed is told by the name that installs it; one that is there and broken is not called missing."""

import sys
from pathlib import Path

import pytest

from seq2seq_kit.cli.packages import all_packages
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.exports.session import missing_package


class Absent:
    """Packages that are not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in ("sklearn", "umap", "ruamel", "nowhere"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("sklearn", "umap", "ruamel")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(
    ("imported", "package"),
    [
        ("sklearn.metrics", "scikit-learn"),
        ("umap", "umap-learn"),
        ("ruamel.yaml", "ruamel.yaml"),
        ("nowhere", "nowhere"),
    ],
)
def test_a_missing_package_is_told_by_the_name_that_installs_it(imported: str, package: str) -> None:
    said = f"needs the package {package}, .* pip install {package}$"
    with pytest.raises(ArgumentError, match=said) as caught, all_packages():
        __import__(imported)
    assert caught.value.code == "missing_package"
    with pytest.raises(ImportError) as error:
        __import__(imported)
    assert str(missing_package(error.value)).endswith(f"pip install {package}")


def test_a_package_that_is_there_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "__init__.py").touch()
    (tmp_path / "broken.py").write_text("raise ImportError('a library of the system is missing')")
    for statement in ("import older.newer", "from pandas import no_such_name", "import broken", "import numpy.none"):
        with pytest.raises(ImportError) as error, all_packages():
            exec(statement)
        with pytest.raises(ImportError) as again:
            missing_package(error.value)
        assert again.value is error.value
