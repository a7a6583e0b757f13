"""The verbs on runs of tokens: texts and files in, in a process of its own; what is refused, and with which exit code."""

import json
import re
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from tests import forked
from tests.conftest import levelled_frame, reversed_words, spelled_lines
from tests.untyped import TrainResult

pytestmark = pytest.mark.slow

Captured = pytest.CaptureFixture[str]
RUNS = ["attention_run", "repeat_run", "tag_run", "tag_values_run", "forecast_run"]


@pytest.fixture(scope="module")
def bundles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles of some runs, in a folder of their own."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in RUNS:
        request.getfixturevalue(name).bundle.save(folder / name)
    return folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files of texts, tokens and rows."""
    monkeypatch.chdir(tmp_path)
    reversed_words(12).to_csv("words.csv", index=False)
    Path("letters.conll").write_text(spelled_lines(5, seed=3))
    Path("bare.txt").write_text("a\nb\n\nc\n")
    levelled_frame(30).to_csv("rows.csv", index=False)
    return tmp_path


@pytest.mark.slow
def test_a_fresh_process_answers_as_the_one_that_trained(
    files: Path,
    bundles: Path,
    attention_run: TrainResult,
    tag_run: TrainResult,
    tag_values_run: TrainResult,
    store: Path,
) -> None:
    calls = [
        [attention_run.run_id, "--text", "abc", "--text", "dda", "--out", "texts.csv", "--tracking-uri", str(store)],
        [str(bundles / "attention_run"), "--data", "words.csv", "--beams", "4", "--out", "beams.csv"],
        [str(bundles / "tag_run"), "--data", "letters.conll", "--out", "tags.csv"],
        [str(bundles / "tag_run"), "--data", "bare.txt", "--out", "bare.csv"],
        [str(bundles / "tag_values_run"), "--data", "rows.csv", "--out", "levels.csv"],
    ]
    code = (
        "import json, sys\n"
        "from seq2seq_kit.cli import main\n"
        "sys.exit(sum(main(['predict', *words]) for words in json.loads(sys.argv[1])))"
    )
    done = forked.run([sys.executable, "-c", code, json.dumps(calls)])
    assert done.returncode == 0, done.stderr
    assert "2 rows written to texts.csv" in done.stderr

    translator = attention_run.bundle
    lines = [tuple(line.split("\t")) for line in Path("letters.conll").read_text().split("\n") if line]
    for name, expected in {
        "texts": translator.predict(["abc", "dda"]),
        "beams": translator.predict(reversed_words(12), beams=4),
        "tags": tag_run.bundle.predict(tag_run.bundle.read("letters.conll")),
        "bare": tag_run.bundle.predict([["a", "b"], ["c"]]),
        "levels": tag_values_run.bundle.predict(levelled_frame(30)),
    }.items():
        written = pd.read_csv(f"{name}.csv", keep_default_na=False)
        assert list(written) == list(expected)
        for column in written:
            if column in ("score", "probability"):
                np.testing.assert_allclose(written[column], expected[column], rtol=1e-4)
            else:
                assert written[column].astype(str).tolist() == expected[column].astype(str).tolist(), column
    assert list(pd.read_csv("tags.csv")["letter"]) == [line[0] for line in lines]


def test_a_prediction_is_printed_and_unknown_tokens_are_noted(files: Path, bundles: Path, capsys: Captured) -> None:
    assert main(["predict", str(bundles / "repeat_run"), "--text", "axb"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("word,reverse,score\naxb,")
    assert captured.err == "note: 1 token that the training rows did not have was read as unknown: x\n"


def test_a_text_is_tagged_word_by_word(files: Path, bundles: Path, capsys: Captured) -> None:
    assert main(["predict", str(bundles / "tag_run"), "--text", "a b", "--text", "c"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "sequence,letter,kind,probability"
    assert [row.split(",")[:2] for row in rows[1:]] == [["1", "a"], ["1", "b"], ["2", "c"]]


def test_numbers_in_a_file_of_texts_stay_as_they_are_written(files: Path, bundles: Path, capsys: Captured) -> None:
    Path("numbers.csv").write_text("word\n007\n010\n")
    assert main(["predict", str(bundles / "repeat_run"), "--data", "numbers.csv"]) == 0
    assert [row.split(",")[0] for row in capsys.readouterr().out.splitlines()] == ["word", "007", "010"]


def test_a_table_of_tokens_is_read_whatever_form_the_training_file_had(
    files: Path, bundles: Path, capsys: Captured
) -> None:
    Path("table.csv").write_text("sequence,letter,colour\n1,a,red\n2,b,red\n")
    assert main(["predict", str(bundles / "tag_run"), "--data", "table.csv"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert captured.err == "note: columns of table.csv that the model does not use: colour\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "words", "named"),
    [
        ("repeat_run", ["--text", "abc", "--beams", "2"], r"\w+\]: .*bridge"),
        ("attention_run", ["--text", "abc", "--beams", "0"], r"\w+\]: .*from 1 to 100.*beams=0"),
        ("attention_run", ["--text", ""], r"\w+\]: --text, row 1, column word: "),
        ("attention_run", ["--text", "abcdabcda"], r"\w+\]: --text, row 1, column word: .*9.*8"),
        ("attention_run", ["--text", "abc", "--all-windows"], r"invalid_option\]: .*translate.*--all-windows"),
        ("attention_run", ["--data", "rows.csv"], r"\w+\]: rows\.csv.*column.*word"),
        ("tag_run", ["--text", "a b", "--beams", "2"], r"invalid_option\]: .*tag.*--beams"),
        ("tag_run", ["--data", "rows.csv"], r"\w+\]: rows\.csv.*column.*letter"),
        ("tag_values_run", ["--text", "a b"], r"\w+\]: .*load, heat"),
        ("forecast_run", ["--text", "abc"], r"invalid_option\]: .*forecast.*--text"),
        ("forecast_run", ["--data", "rows.csv", "--beams", "2"], r"invalid_option\]: .*forecast.*--beams"),
    ],
)
def test_a_call_that_a_model_cannot_answer_returns_2(
    run: str, words: list[str], named: str, files: Path, bundles: Path, capsys: Captured
) -> None:
    assert main(["predict", str(bundles / run), *words]) == 2
    err = capsys.readouterr().err
    assert re.search(rf"^error\[{named}", err, re.M)
    assert "Traceback" not in err


def test_texts_and_a_file_exclude_each_other(capsys: Captured) -> None:
    for words in ([], ["--text", "a", "--data", "words.csv"]):
        with pytest.raises(SystemExit) as ended:
            main(["predict", "bundle", *words])
        assert ended.value.code == 2
        assert "--data" in capsys.readouterr().err


def test_a_verb_of_another_task_is_refused(files: Path, bundles: Path, capsys: Captured) -> None:
    assert main(["score", str(bundles / "tag_run"), "--data", "letters.conll"]) == 2
    assert "a tag model can predict, evaluate. Received: score" in capsys.readouterr().err


@pytest.mark.slow
def test_evaluate_repeats_the_figures_and_writes_them(
    files: Path, bundles: Path, store: Path, attention_run: TrainResult, tag_run: TrainResult, capsys: Captured
) -> None:
    assert main(["evaluate", attention_run.run_id, "--tracking-uri", str(store), "--out", "scores.csv"]) == 0
    out = capsys.readouterr().out
    assert attention_run.test.title in out
    assert "the best baseline" in out
    written = pd.read_csv("scores.csv")
    assert written["token_error_rate"].iloc[0] == pytest.approx(attention_run.test.scores["model"].token_error_rate)
    assert main(["evaluate", tag_run.run_id, "--tracking-uri", str(store)]) == 0
    assert tag_run.test.title in capsys.readouterr().out
    assert main(["evaluate", str(bundles / "tag_run"), "--data", "letters.conll"]) == 0
    assert "labelled test steps, 2 labels" in capsys.readouterr().out


@pytest.mark.parametrize("run", ["attention_run", "tag_run"])
@pytest.mark.parametrize("class_name", ["Lambda", "TFSMLayer", "MixPrevious"])
def test_a_bundle_with_a_foreign_class_is_refused(
    run: str, class_name: str, files: Path, bundles: Path, request: pytest.FixtureRequest, capsys: Captured
) -> None:
    folder = request.getfixturevalue(run).bundle.save(files / "foreign")
    place = folder / "model.keras"
    with zipfile.ZipFile(place) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["class_name"] = class_name
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    head = json.loads((folder / "bundle.json").read_text())
    head["sha256"]["model.keras"] = sha256(place.read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(head))
    assert main(["predict", str(folder), "--text", "a"]) == 1
    err = capsys.readouterr().err
    assert class_name in err
    assert "which no model of this kit has. Not loaded" in err
