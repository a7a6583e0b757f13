"""The encoding of a file of text: what is sure is read, and what is not is shown in the words of each that may be meant."""

from pathlib import Path

import pytest

from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.errors import DataError

WORDS = {
    "cp1250": ("Wartość", "żółć"),
    "cp1251": ("Нагрузка", "ясно"),
    "koi8_r": ("Нагрузка", "ясно"),
    "cp866": ("Нагрузка", "ясно"),
    "cp850": ("Größe", "Müllerstraße"),
    "mac_roman": ("Température", "dégagé"),
    "gb18030": ("负荷", "晴朗"),
    "big5": ("負荷", "晴朗"),
    "shift_jis": ("電力", "晴れ"),
    "euc_kr": ("부하", "맑음"),
}


def written(folder: Path, encoding: str, name: str, word: str) -> Path:
    path = folder / "rows.csv"
    rows = [f"2024-01-{day:02d},{day}.5,{word}" for day in range(1, 29)]
    path.write_bytes("\n".join([f"time,{name},note", *rows, ""]).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", WORDS)
def test_what_may_be_meant_is_shown_by_its_words(tmp_path: Path, encoding: str) -> None:
    name, word = WORDS[encoding]
    path = written(tmp_path, encoding, name, word)
    with pytest.raises(DataError, match=r"data\.format\.encoding") as caught:
        detect(path)
    assert caught.value.code == "unclear_format"
    assert f"{encoding} ({name} {word})" in str(caught.value)
    assert detect(path, {"encoding": encoding}).format.encoding == encoding


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Größe", "Müllerstraße"),
        ("Température", "dégagé, « à l\u2019œil »"),
        ("Año", "¡mañana! 3 º, 25 °C"),
        ("ÅRSVÆRDI", "Århus, £5"),
    ],
)
def test_words_of_the_west_are_read(tmp_path: Path, name: str, word: str) -> None:
    found = detect(written(tmp_path, "cp1252", name, word))
    assert found.format.encoding == "cp1252"
    assert repr(name) in " ".join(found.reasons)
