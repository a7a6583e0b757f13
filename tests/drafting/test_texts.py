"""Drafts of translations: which column is read and which is written, by words or by letters."""

import pathlib
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.errors import DataError

SOUNDS = {"a": "AH", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F"}
ITEMS = ["house", "river", "garden", "window", "teacher", "market", "bridge", "summer"]


def dates() -> pd.DataFrame:
    days = pd.Series(pd.date_range("1970-01-01", periods=1_200, freq="9D")).sample(frac=1, random_state=0)
    return pd.DataFrame({"human": days.dt.strftime("%-d %B %Y"), "iso": days.dt.strftime("%Y-%m-%d")})


def words() -> pd.DataFrame:
    rng = random.Random(0)
    made = sorted({"".join(rng.choices("abcdef", k=rng.randint(3, 8))) for _ in range(900)})
    rng.shuffle(made)
    return pd.DataFrame({"word": made, "sounds": [" ".join(SOUNDS[letter] for letter in word) for word in made]})


def commands() -> pd.DataFrame:
    rng = random.Random(0)
    verbs, ways = ["walk", "run", "jump", "look", "turn", "sit"], ["left", "right", "twice", "up", "down", "thrice"]
    said = [f"{rng.choice(verbs)} {rng.choice(ways)} {rng.choice(ways)}" for _ in range(600)]
    return pd.DataFrame({"said": said, "does": [each.upper().replace("TWICE", "DO DO") for each in said]})


def sentences() -> pd.DataFrame:
    rng = random.Random(0)
    pairs = [[rng.choice(ITEMS) for _ in range(6)] for _ in range(600)]
    return pd.DataFrame(
        {"en": [" the ".join(each) for each in pairs], "de": [" das ".join(each[::-1]) for each in pairs]}
    )


def names() -> pd.DataFrame:
    rng = random.Random(0)
    pairs = [(f"{rng.choice('ABCDE')}nna", f"M{rng.randrange(10**5)}er") for _ in range(600)]
    return pd.DataFrame({"full": [f"{a} {b}" for a, b in pairs], "short": [f"{b}, {a[0]}." for a, b in pairs]})


@pytest.mark.parametrize(
    ("frame", "read", "written"),
    [
        (dates(), "char", "char"),
        (words(), "char", "token"),
        (words()[["sounds", "word"]], "token", "char"),
        (commands(), "token", "token"),
        (sentences(), "token", "token"),
        (names(), "char", "char"),
    ],
    ids=["dates", "words to sounds", "sounds to words", "commands", "sentences", "names"],
)
def test_short_texts_are_spelled_and_sentences_read_by_words(frame: pd.DataFrame, read: str, written: str) -> None:
    data: Any = draft_recipe(frame, task="translate").recipe["data"]
    assert (data["source_column"], data["target_column"]) == tuple(frame.columns)
    assert (data["level"], data.get("target_level", data["level"])) == (read, written)


def test_a_column_of_few_values_is_neither_read_nor_written() -> None:
    frame = names().assign(kind=["one", "two", "three"] * 200)[["kind", "full", "short"]]
    for columns in (["kind", "full", "short"], ["full", "kind", "short"], ["full", "short", "kind"]):
        data: Any = draft_recipe(frame[columns], task="translate").recipe["data"]
        assert (data["source_column"], data["target_column"]) == ("full", "short")


def test_of_three_texts_the_one_to_write_is_asked_for() -> None:
    frame = sentences().assign(source=[f"said by {row} (somebody)" for row in range(600)])
    with pytest.raises(DataError, match="--target COLUMN") as caught:
        draft_recipe(frame, task="translate")
    assert caught.value.code == "nothing_to_draft"
    data: Any = draft_recipe(frame, task="translate", target=["de"]).recipe["data"]
    assert (data["source_column"], data["target_column"]) == ("en", "de")
    with pytest.raises(DataError, match="one column to write"):
        draft_recipe(frame, task="translate", target=["de", "source"])


@pytest.mark.parametrize("name", ["label", "stars", "is_spam"])
def test_numbers_called_labels_beside_texts_are_classes(name: str) -> None:
    frame = sentences()[["en"]].assign(**{"id": range(600), name: [row % 3 for row in range(600)]})
    recipe = draft_recipe(frame).recipe
    data: Any = recipe["data"]
    assert (recipe["task"], data["text"], data["label"]) == ("classify", "en", name)


def test_a_label_that_is_a_word_for_missing_is_a_label(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [f"{''.join(rng.choices('abcdef', k=7))},{rng.choice(['NA', 'EU'])}" for _ in range(400)]
    (tmp_path / "regions.csv").write_text("\n".join(["name,region", *rows]), encoding="utf-8")
    draft = draft_recipe(tmp_path / "regions.csv")
    data: Any = draft.recipe["data"]
    assert (draft.recipe["task"], data["text"], data["label"]) == ("classify", "name", "region")
    assert any("region has 2 different values" in said for said in draft.decisions)


def test_days_told_in_two_ways_are_a_translation_and_a_clock_beside_texts_is_none() -> None:
    assert draft_recipe(dates()).recipe["task"] == "translate"
    assert draft_recipe(dates()[["iso", "human"]]).recipe["task"] == "translate"
    log = dates().assign(human=[f"line {row} of a log" for row in range(1_200)])[["iso", "human"]]
    with pytest.raises(DataError):
        draft_recipe(log)


@pytest.mark.parametrize("task", [None, "translate"])
def test_the_sources_of_sentence_pairs_are_left_out(task: str | None) -> None:
    frame = sentences()
    frame.columns = ["column_1", "column_2"]
    frame["column_3"] = [f"CC-BY 2.0 (France) Attribution: tatoeba.org #{row}" for row in range(len(frame))]
    drafted: Any = draft_recipe(frame, task=task)
    assert drafted.recipe["task"] == "translate"
    assert (drafted.recipe["data"]["source_column"], drafted.recipe["data"]["target_column"]) == (
        "column_1",
        "column_2",
    )
    assert "column_3 numbers rows, or names sources or licences, and is left out" in drafted.decisions


def test_texts_with_addresses_are_texts() -> None:
    frame = sentences()
    linked = frame.assign(en=frame["en"] + " https://example.org", de=frame["de"] + " https://example.org")
    assert draft_recipe(linked[["en", "de"]]).recipe["task"] == "translate"
    kind = ["benign" if row % 2 else "phishing" for row in range(600)]
    pages = pd.DataFrame({"url": [f"https://site{row}.org/{row}" for row in range(600)], "kind": kind})
    assert draft_recipe(pages).recipe["task"] == "classify"
    pages["text"] = frame["en"]
    data: Any = draft_recipe(pages).recipe["data"]
    assert (data["text"], data["label"]) == ("text", "kind")
    sources = frame.assign(page=pages["url"])
    data = draft_recipe(sources, task="translate", target="page").recipe["data"]
    assert data["target_column"] == "page"


def test_labels_that_differ_in_case_alone_are_told() -> None:
    frame = sentences()[["en"]].assign(mood=["good" if row % 2 else "bad" if row % 4 else "Bad" for row in range(600)])
    told = [said for said in draft_recipe(frame).decisions if "differ in case or blanks alone" in said]
    assert len(told) == 1
    assert "'Bad' and 'bad'" in told[0]


def test_numbers_are_texts_where_they_are_translated(tmp_path: Path) -> None:
    numbers = [(row * 7 % 1000, row * 13 % 1000) for row in range(600)]
    sums = pd.DataFrame({"question": [f"{a}+{b}" for a, b in numbers], "answer": [a + b for a, b in numbers]})
    sums.to_csv(tmp_path / "sums.csv", index=False)
    data: Any = draft_recipe(tmp_path / "sums.csv", task="translate").recipe["data"]
    assert (data["source_column"], data["target_column"], data["level"]) == ("question", "answer", "char")
    digits = pd.DataFrame(
        {"digits": [f"{a:04}" for a, _ in numbers], "words": [" ".join(f"w{a:03}") for a, _ in numbers]}
    )
    digits.to_csv(tmp_path / "digits.csv", index=False)  # read back as numbers, 0007 as 7
    data = draft_recipe(tmp_path / "digits.csv", task="translate").recipe["data"]
    assert (data["source_column"], data["target_column"]) == ("digits", "words")
    assert any("--task translate or classify" in said for said in draft_recipe(sums).decisions)


def test_yes_and_no_beside_texts_are_labels(tmp_path: Path) -> None:
    frame = sentences()[["en"]].assign(spam=["yes" if row % 3 else "no" for row in range(600)])
    frame.to_csv(tmp_path / "spam.csv", index=False)
    for task in (None, "classify"):
        recipe: Any = draft_recipe(tmp_path / "spam.csv", task=task).recipe
        assert (recipe["task"], recipe["data"]["text"], recipe["data"]["label"]) == ("classify", "en", "spam")


def test_labels_of_zero_and_one_make_no_table_of_numbers(tmp_path: Path) -> None:
    moods = {f"mood{number}": [int(row % (number + 2) == 0) for row in range(600)] for number in range(12)}
    frame = sentences()[["en"]].assign(place=["here" if row % 2 else "there" for row in range(600)], **moods)
    assert draft_recipe(frame, target="place").recipe["task"] == "classify"
    words = pd.DataFrame({"number": range(1, 501), "words": [" ".join(f"w{row:03}") for row in range(500)]})
    words.to_csv(tmp_path / "words.csv", index=False)
    data: Any = draft_recipe(tmp_path / "words.csv", task="translate").recipe["data"]
    assert (data["source_column"], data["target_column"]) == ("number", "words")


def tokens() -> pd.DataFrame:
    rng = random.Random(0)
    words = [("the", "DET"), ("dog", "NOUN"), ("runs", "VERB"), ("big", "ADJ"), ("cat", "NOUN"), ("a", "DET")]
    rows = [(sentence, *rng.choice(words)) for sentence in range(120) for _ in range(rng.randint(3, 8))]
    return pd.DataFrame(rows, columns=["sentence_id", "token", "tag"])


@pytest.mark.parametrize("numbered", [False, True])
def test_a_table_of_tokens_is_tagged_without_being_asked_to(numbered: bool) -> None:
    frame = tokens()
    if numbered:
        frame = frame.assign(tag=frame["tag"].astype("category").cat.codes.astype("int64"))
    recipe: Any = draft_recipe(frame).recipe
    assert recipe["task"] == "tag"
    assert (recipe["data"]["series"], recipe["data"]["tokens"], recipe["data"]["labels"]) == (
        "sentence_id",
        "token",
        "tag",
    )


def test_a_sentence_named_in_its_first_row_only_is_filled_by_the_line_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = tokens().assign(sentence_id=lambda rows: "Sentence: " + rows["sentence_id"].astype("str"))
    once = frame.assign(sentence_id=frame["sentence_id"].mask(frame["sentence_id"].duplicated()))
    once.to_csv("ner.csv", index=False)
    with pytest.raises(DataError) as caught:
        draft_recipe("ner.csv")
    assert caught.value.code == "missing_series_name"
    exec(str(caught.value).split("Fill it: ")[1].split(", then draft")[0], {"pandas": pd})
    pd.testing.assert_frame_equal(pd.read_csv("filled.csv"), frame.astype({"sentence_id": "str"}))
    assert draft_recipe("filled.csv").recipe["task"] == "tag"


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("train.en", "train.de"), ["en", "de"]),
        (("train.de", "train.en"), ["de", "en"]),
        (("src-train.txt", "tgt-train.txt"), ["source", "target"]),
        (("tgt-train.txt", "src-train.txt"), ["target", "source"]),
    ],
)
def test_texts_in_two_files_are_joined_by_the_line_that_is_told(
    names: tuple[str, str], columns: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = sentences().set_axis(columns, axis=1)
    for name, column in zip(names, columns, strict=True):
        Path(name).write_text("\n".join(frame[column]) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        draft_recipe(names[0])
    assert caught.value.code == "unpaired_texts"
    eval(str(caught.value).split("Join them: ")[1].split(", then draft")[0], {"pandas": pd, "pathlib": pathlib})
    joined = pd.read_csv("pairs.csv")
    pd.testing.assert_frame_equal(joined[columns], frame.astype("str"))
    assert joined.columns.tolist() == (columns if columns[0] != "target" else columns[::-1])
    assert draft_recipe("pairs.csv", task="translate").recipe["task"] == "translate"


def test_a_file_beside_one_with_other_lines_is_no_half_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "train.en").write_text(
        "\n".join(["a,b", *(f"{n},{n % 7 + n % 3}" for n in range(80))]), encoding="utf-8"
    )
    (tmp_path / "train.de").write_text("x\ny\n", encoding="utf-8")
    assert draft_recipe(tmp_path / "train.en").recipe["task"] == "forecast"


def alike(kind: str) -> tuple[pd.DataFrame, dict[str, Any], str]:
    """A table that looks like one of tokens in some way, what is asked, and its task."""
    rng, rows = random.Random(1), range(960)
    hours = {"date": [f"2024-{1 + n // 720:02d}-{1 + n // 24 % 30:02d}" for n in rows], "hour": [n % 24 for n in rows]}
    words = {"weather": [rng.choice(["sun", "rain"]) for _ in rows]}
    thread = {"thread": [n // 8 for n in rows]}
    sentence = [" ".join(rng.choices(ITEMS, k=5)) for _ in rows]
    if kind == "asked for a count":
        return pd.DataFrame(hours | words | {"load": [10 + n % 24 for n in rows]}), {"target": "load"}, "forecast"
    if kind == "voltage":
        return (
            pd.DataFrame(hours | {"state": words["weather"], "voltage": [220 + n % 24 for n in rows]}),
            {},
            "forecast",
        )
    if kind == "threads of texts":
        label = [rng.choice(["good", "bad"]) for _ in rows]
        return pd.DataFrame(thread | {"lang": words["weather"], "text": sentence, "label": label}), {}, "classify"
    if kind == "parts of a corpus":
        split = ["train" if n < 600 else "val" if n < 800 else "test" for n in rows]
        return (
            pd.DataFrame({"split": split, "text": sentence, "label": [rng.choice("ab") for _ in rows]}),
            {},
            "classify",
        )
    if kind == "domains":
        url = [f"https/{n}/{rng.random()}" for n in rows]
        return pd.DataFrame({"domain": thread["thread"], "url": url, "label": words["weather"]}), {}, "classify"
    if kind == "lessons":
        english = ["".join(rng.choices("abcdefgh", k=6)) for _ in rows]
        german = [word[::-1] for word in english]
        return (
            pd.DataFrame({"lesson": thread["thread"], "english": english, "german": german}),
            {"target": "german"},
            "translate",
        )
    if kind == "transactions":
        days = [f"2023-{1 + n // 90:02d}-{1 + n // 3 % 28:02d}" for n in rows]
        tokens = [rng.choice(["a", "b", "c"]) for _ in rows]
        amounts = [rng.randint(1, 90) for _ in rows]
        frame = pd.DataFrame({"date": days, "entity": words["weather"], "token": tokens, "amount": amounts})
        return frame, {"given": ["data.duplicates=sum"]}, "forecast"
    if kind == "words of topics":
        made = ["".join(rng.choices("abcdefgh", k=7)) for _ in rows]
        return pd.DataFrame({"topic": thread["thread"], "word": made, "label": words["weather"]}), {}, "classify"
    if kind == "seasons":
        season = [f"{2000 + n % 20}/{(n + 1) % 20:02d}" for n in rows]
        label = [rng.choice(["good", "bad"]) for _ in rows]
        return pd.DataFrame({"id": rows, "text": sentence, "season": season, "label": label}), {}, "classify"
    comment = [f"remark {n}" if n % 7 == 0 else None for n in rows]
    topic = [rng.choice(["red", "green"]) for _ in rows]
    return pd.DataFrame({"comment": comment, "text": sentence, "topic": topic, "class": topic[::-1]}), {}, "classify"


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "asked for a count",
            "voltage",
            "threads of texts",
            "parts of a corpus",
            "domains",
            "lessons",
            "sparse remarks",
        ),
        *("transactions", "words of topics", "seasons"),
    ],
)
def test_a_table_that_only_looks_like_tokens_is_drafted_as_what_it_is(kind: str) -> None:
    frame, asked, task = alike(kind)
    assert draft_recipe(frame, **asked).recipe["task"] == task


def test_a_misspelt_target_is_told_beside_texts() -> None:
    frame, _, _ = alike("asked for a count")
    with pytest.raises(DataError, match="laod"):
        draft_recipe(frame, target="laod")


def test_numbers_of_rows_as_texts_are_not_read(tmp_path: Path) -> None:
    frame, _, _ = alike("threads of texts")
    frame = frame[["text", "label"]].assign(id=[f"{n:05d}" for n in range(len(frame))])
    frame[["id", "text", "label"]].to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    data: Any = draft_recipe(tmp_path / "rows.jsonl").recipe["data"]
    assert (data["text"], data["label"]) == ("text", "label")


@pytest.mark.parametrize(
    "names", [("source.txt", "target.txt"), ("meter.en", "meter.de"), ("power-source.txt", "power-target.txt")]
)
def test_tables_beside_each_other_are_no_texts_in_two_languages(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        rows = "\n".join(f"2024-01-{1 + n // 24:02d} {n % 24:02d}:00,{n % 24 + n % 5}" for n in range(240))
        (tmp_path / name).write_text(f"time,load\n{rows}\n", encoding="utf-8")
    assert draft_recipe(tmp_path / names[0]).recipe["task"] == "forecast"


def test_texts_in_two_files_are_joined_whatever_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    english, german = (
        ["a house", "b\rin two", *["the river"] * 60, "end"],
        ["ein Haus", "gr\u00fcn", *["der Flu\u00df"] * 60, ""],
    )
    Path("x.en").write_bytes("\r\n".join(english).encode() + b"\r\n")
    Path("x.de").write_bytes("\n".join(german).encode("latin-1") + b"\n")
    with pytest.raises(DataError) as caught:
        draft_recipe("x.en")
    assert caught.value.code == "unpaired_texts"
    eval(str(caught.value).split("Join them: ")[1].split(", then draft")[0], {"pandas": pd, "pathlib": pathlib})
    joined = pd.read_csv("pairs.csv", lineterminator="\n").fillna("")
    assert joined["en"].tolist() == english
    assert joined["de"].tolist() == german


def test_a_score_is_the_label_beside_names_of_products() -> None:
    frame, _, _ = alike("threads of texts")
    rng = random.Random(2)
    products = [f"B00{rng.randrange(90)}X" for _ in range(len(frame))]
    reviews = pd.DataFrame(
        {"ProductId": products, "Score": [rng.randint(1, 5) for _ in products], "Text": frame["text"]}
    )
    data: Any = draft_recipe(reviews).recipe["data"]
    assert (data["text"], data["label"]) == ("Text", "Score")
