from __future__ import annotations

import gzip
import json

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from data.tagging_helpers import named_tags, write, write_json_lines
from hfattnlstm.data.tagged_texts import TAG_COLUMNS, TOKEN_COLUMNS, SentenceReader, load_tagged_texts


NAMES = ["O", "B-LOC", "I-LOC"]
WORDS, TAGS = ["In", "New", "York"], ["O", "B-LOC", "I-LOC"]
CONLL = "In O\nNew B-LOC\nYork I-LOC\n\n" * 4


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def row(**columns):
    return {"tokens": WORDS, "ner_tags": TAGS, **columns}


def rows(count=4, **columns):
    return Dataset.from_list([row(**columns) for _ in range(count)])


def numbered(count=4, names=NAMES, numbers=(0, 1, 2)):
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))})
    return Dataset.from_dict({"tokens": [WORDS] * count, "ner_tags": [list(numbers)] * count}, features=features)


def with_names(tokens="tokens", tags="ner_tags"):
    return Dataset.from_list([{tokens: WORDS, tags: TAGS}] * 4)


def assert_is_the_sentence(loaded, scheme="bio"):
    assert loaded.tagging_scheme == scheme
    assert loaded.splits["train"].features["tags"] == List(ClassLabel(names=NAMES))
    assert loaded.splits["train"]["tokens"][:] == [WORDS] * 3
    assert named_tags(loaded) == [TAGS] * 3
    assert loaded.held_out
    assert len(loaded.splits["validation"]) == 1


# Sources


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.tsv", "a.bio", "A.IOB2", "a.conllx"])
def test_files_of_columns(tmp_path, name):
    path = write(tmp_path / name, CONLL)
    for source in (path, str(path), {"train": str(path)}):
        assert_is_the_sentence(load_tagged_texts(source))


def test_a_compressed_file_of_columns(tmp_path):
    assert_is_the_sentence(load_tagged_texts(write(tmp_path / "a.conll.gz", gzip.compress(CONLL.encode()))))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz"])
def test_json_lines(tmp_path, name):
    content = "".join(f"{json.dumps(row())}\n" for _ in range(4)).encode()
    assert_is_the_sentence(
        load_tagged_texts(write(tmp_path / name, gzip.compress(content) if "gz" in name else content))
    )


def test_an_array_of_json(tmp_path):
    assert_is_the_sentence(load_tagged_texts(write(tmp_path / "a.json", json.dumps([row()] * 4))))


@pytest.mark.parametrize("data", [rows(), numbered()], ids=["names", "numbers"])
def test_data_sets_and_parquet(tmp_path, data):
    data.to_parquet(tmp_path / "a.parquet")
    for source in (
        data,
        {"train": data},
        DatasetDict(train=data),
        tmp_path / "a.parquet",
        {"train": tmp_path / "a.parquet"},
    ):
        assert_is_the_sentence(load_tagged_texts(source))


def test_numbers_of_a_data_set_in_another_order():
    loaded = load_tagged_texts(numbered(names=["I-LOC", "O", "B-LOC"], numbers=(1, 2, 0)))
    assert_is_the_sentence(loaded)


def test_numbers_with_names_that_are_given(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [row(ner_tags=[2, 0, 1])] * 4)
    assert_is_the_sentence(load_tagged_texts(path, tag_names=["B-LOC", "I-LOC", "O"]))
    with pytest.raises(ValueError, match=r"^Row 1 of the file .*a\.jsonl has the tag 2, .* 0 on with tag_names=\.$"):
        load_tagged_texts(path)
    with pytest.raises(
        ValueError, match=r"has the tag 2, a number without a name: there are names for .* from 0 to 1"
    ):
        load_tagged_texts(path, tag_names=["O", "B-LOC"])


def test_a_number_that_is_not_whole_is_no_tag(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [row(ner_tags=[0, 1.5, 0])])
    with pytest.raises(ValueError, match=r"^Row 1 of the file .*a\.jsonl has 1\.5 among its tags"):
        load_tagged_texts(path, tag_names=NAMES)


def test_a_negative_number_has_no_name(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [row(), row(ner_tags=[0, 1, -1])])
    with pytest.raises(ValueError, match=r"^Row 2 of the file .*a\.jsonl has the tag -1, a number without a name"):
        load_tagged_texts(path, tag_names=NAMES)


@pytest.mark.parametrize("validation", ["validation", "valid", "dev", "val"])
def test_a_folder_of_files(tmp_path, validation):
    write(tmp_path / "my-train.conll", CONLL)
    write(tmp_path / f"my_{validation}.conll.gz", gzip.compress(b"Ann B-PER\n"))
    write(tmp_path / "test.txt", "Bonn B-LOC\n")
    write(tmp_path / "README.txt", "train")
    write(tmp_path / "train.log", "none")
    (tmp_path / "dev.conll").mkdir()
    loaded = load_tagged_texts(tmp_path)
    assert loaded.splits.num_rows == {"train": 4, "validation": 1, "test": 1}
    assert loaded.splits["validation"]["tokens"][:] == [["Ann"]]
    assert not loaded.held_out
    assert named_tags(loaded, "test") == [["B-LOC"]]


def test_two_files_of_a_folder_for_one_split(tmp_path):
    for name in ("a.train.conll", "b.train.conll"):
        write(tmp_path / name, CONLL)
    with pytest.raises(ValueError, match=r"^The folder .* has two files for train, a\.train\.conll and b\.train\.c"):
        load_tagged_texts(tmp_path)


def test_a_folder_in_the_layout_of_the_hub(tmp_path):
    numbered().to_parquet(tmp_path / "train.parquet")
    numbered(1).to_parquet(tmp_path / "test.parquet")
    loaded = load_tagged_texts(str(tmp_path))
    assert_is_the_sentence(loaded)
    assert named_tags(loaded, "test") == [TAGS]


def test_a_mapping_of_files_of_several_forms(tmp_path):
    train = write(tmp_path / "a.conll", CONLL)
    dev = write_json_lines(tmp_path / "b.jsonl", [row(), row()])
    loaded = load_tagged_texts({"test": str(dev), "dev": dev, "train": train})
    assert list(loaded.splits) == ["train", "validation", "test"]
    assert loaded.splits.num_rows == {"train": 4, "validation": 2, "test": 2}
    assert named_tags(loaded, "validation") == [TAGS] * 2


def test_a_mapping_of_data_sets():
    loaded = load_tagged_texts({"train": rows(), "validation": numbered(2)})
    assert named_tags(loaded, "validation") == [TAGS] * 2
    assert not loaded.held_out


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        (["test"], "There is no split 'train', only 'test': give that of the training rows this name"),
        (["train", "extra"], "The split 'extra' is none of 'train', 'test', "),
        (
            ["train", "dev", "valid"],
            "More than one of the splits 'train', 'dev', 'valid' is for validation: leave one",
        ),
    ],
)
def test_splits_that_cannot_be_meant(tmp_path, splits, told):
    path = write(tmp_path / "a.conll", CONLL)
    with pytest.raises(ValueError, match=f"^{told}"):
        load_tagged_texts(dict.fromkeys(splits, path))


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    for name in ("a.conll", "a.jsonl", "a.parquet"):
        with pytest.raises(FileNotFoundError, match=f"^There is no file .*{name}: check its name"):
            load_tagged_texts(tmp_path / name)
    path = write(tmp_path / "a.csv", "text,label\nx,y\n")
    with pytest.raises(ValueError, match=r"^There is no column of spans that is known in the file .*a\.csv"):
        load_tagged_texts(path)
    path = write(tmp_path / "a.xml", "<a/>")
    with pytest.raises(ValueError, match=r"^The file .*a\.xml is read for no tags, .* in one of '\.conll'.*: convert"):
        load_tagged_texts(path)
    with pytest.raises(ValueError, match=r"^The file .*b\.jsonl is empty"):
        load_tagged_texts(write(tmp_path / "b.jsonl", ""))
    with pytest.raises(ValueError, match=r"^The file .*c\.json has no sentences"):
        load_tagged_texts(write(tmp_path / "c.json", "[]"))


def test_options_that_have_no_effect_are_refused(tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    with pytest.raises(ValueError, match=r"^tokens_column= is for rows with lists of words, and the file .*a\.conll"):
        load_tagged_texts(path, tokens_column="words")
    with pytest.raises(ValueError, match=r"^config_name='x' is for a source on the Hub or a folder: leave it out"):
        load_tagged_texts(path, config_name="x")


# Columns


@pytest.mark.parametrize("name", TOKEN_COLUMNS)
def test_usual_names_of_words(name):
    assert_is_the_sentence(load_tagged_texts(with_names(tokens=name)))


@pytest.mark.parametrize("name", TAG_COLUMNS)
def test_usual_names_of_tags(name):
    assert_is_the_sentence(load_tagged_texts(with_names(tags=name)))


def test_columns_that_are_named():
    data = rows(upos=["ADP", "PROPN", "PROPN"], parts=["in", "new", "york"])
    loaded = load_tagged_texts(data, tokens_column="parts", label_column="upos")
    assert loaded.splits["train"][0]["tokens"] == ["in", "new", "york"]
    assert loaded.splits["train"].features["tags"].feature.names == ["ADP", "PROPN"]
    assert loaded.tagging_scheme is None


def test_of_several_columns_of_tags_the_one_that_is_read_is_told(caplog):
    loaded = load_tagged_texts(rows(pos_tags=["IN", "NNP", "NNP"], chunk_tags=["B-PP", "B-NP", "I-NP"]))
    assert_is_the_sentence(loaded)
    told = "column 'ner_tags' is read for the tags, and not 'pos_tags', 'chunk_tags': label_column= names another"
    assert told in caplog.text
    caplog.clear()
    load_tagged_texts(rows(id=[1, 2], label="x"))
    assert not caplog.messages


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"tokens_column": "nix"},
            "There is no column 'nix' in the split 'train', which has 'tokens', 'ner_tags'",
        ),
        ({"label_column": "nix"}, "There is no column 'nix' in the split 'train', which has 'ner_tags': name that of"),
        ({"label_column": "tokens"}, "There is no column 'tokens' in the split 'train'"),
        (
            {"tokens_column": "ner_tags"},
            "There is no column of tags that is known in the split 'train', which has 'tokens'",
        ),
    ],
)
def test_columns_that_are_not_there(options, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        load_tagged_texts(rows(), **options)


def test_no_column_of_words_or_tags():
    with pytest.raises(ValueError, match=r"^There is no column of words that is known in .* name .* tokens_column="):
        load_tagged_texts(with_names(tokens="nix"))
    with pytest.raises(ValueError, match=r"^There is no column of tags that is known in .* name .* label_column="):
        load_tagged_texts(with_names(tags="nix"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ner_tags": ["O"]}, "has 3 words and 1 tags: give every word its tag"),
        ({"ner_tags": None}, "has no list in 'ner_tags': give a list of words and one of tags"),
        ({"tokens": "In"}, "has no list in 'tokens'"),
        ({"ner_tags": ["O", None, "O"]}, "has None among its tags: a tag is a name, or a number"),
        ({"ner_tags": ["O", " ", "O"]}, "has ' ' among its tags"),
        ({"ner_tags": ["O", True, "O"]}, "has True among its tags"),
        ({"ner_tags": ["O", 1, "O"]}, "has the tag 1, a number without a name"),
        ({"tokens": ["In", None, "York"]}, "has None among its words: words are texts"),
        ({"tokens": ["In", 7, "York"]}, "has 7 among its words"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, wrong, told):
    path = write_json_lines(tmp_path / "a.jsonl", [row(), row(), row(**wrong)])
    with pytest.raises(ValueError, match=rf"^Row 3 of the file .*a\.jsonl {told}"):
        load_tagged_texts(path)


def test_a_data_set_with_null_in_its_tags():
    data = DatasetDict(train=rows(), test=Dataset.from_list([row(ner_tags=["O", "O", None])]))
    with pytest.raises(ValueError, match=r"^Row 1 of the split 'test' has None among its tags"):
        load_tagged_texts(data)


def test_json_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"a\.jsonl does not hold one JSON object a line: .* in line 2"):
        load_tagged_texts(write(tmp_path / "a.jsonl", json.dumps(row()) + "\n{\n"))


def test_names_of_tags_are_without_white_space_around_them():
    assert_is_the_sentence(load_tagged_texts(rows(ner_tags=["O ", " B-LOC", "I-LOC\n"])))


# Tags


def test_the_scheme_is_seen_over_all_splits_and_brought_to_one():
    data = {"train": rows(ner_tags=["O", "I-LOC", "I-LOC"]), "test": rows(ner_tags=["I-LOC", "I-LOC", "B-LOC"])}
    loaded = load_tagged_texts(data)
    assert_is_the_sentence(loaded)
    assert named_tags(loaded, "test")[0] == ["B-LOC", "I-LOC", "B-LOC"]
    loaded = load_tagged_texts(data, tagging_scheme="iob1", to_scheme="iobes")
    assert loaded.tagging_scheme == "iobes"
    assert named_tags(loaded)[0] == ["O", "B-LOC", "E-LOC"]
    assert loaded.splits["train"].features["tags"].feature.names == ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]


def test_a_scheme_that_does_not_fit_names_the_line(tmp_path):
    path = write(tmp_path / "a.conll", CONLL + "In O\nYork I-LOC\n")
    with pytest.raises(
        ValueError, match=r"^The file .*a\.conll in line 18 \('York'\) has the tag 'I-LOC' without a B"
    ):
        load_tagged_texts(path)


def test_tags_that_training_has_not_are_told(caplog):
    data = {"train": rows(), "validation": rows(), "test": rows(ner_tags=["B-PER", "O", "B-ORG"])}
    loaded = load_tagged_texts(data)
    assert "No training sentence has the tags 'ORG', 'PER', so that nothing learns them." in caplog.text
    assert loaded.splits["train"].features == loaded.splits["test"].features
    assert loaded.splits["train"].features["tags"].feature.names[-2:] == ["B-PER", "I-PER"]
    assert named_tags(loaded, "test")[0] == ["B-PER", "O", "B-ORG"]


def test_a_single_tag_that_training_has_not(caplog):
    upos = {"train": rows(ner_tags=["ADP", "ADJ", "NOUN"]), "validation": rows(ner_tags=["ADP", "ADJ", "PROPN"])}
    loaded = load_tagged_texts(upos)
    assert "No training sentence has the tag 'PROPN', so that nothing learns it." in caplog.text
    assert loaded.splits["train"].features["tags"].feature.names == ["ADJ", "ADP", "NOUN", "PROPN"]


def test_inside_tags_need_not_be_in_training(caplog):
    loaded = load_tagged_texts({"train": rows(ner_tags=["O", "B-LOC", "O"]), "validation": rows()})
    assert not caplog.messages
    assert loaded.splits["train"].features["tags"].feature.names == NAMES


# Texts with spans


@pytest.mark.parametrize(
    "columns",
    [
        {"label": [[3, 11, "LOC"]]},
        {"entities": [{"start": 3, "end": 11, "label": "LOC"}]},
        {"spans": [{"start": 3, "end": 11, "label": "LOC"}], "label": "x"},
    ],
)
def test_texts_with_spans(tmp_path, columns):
    path = write_json_lines(tmp_path / "a.jsonl", [{"id": 1, "text": "In New York", **columns}] * 4)
    loaded = load_tagged_texts(path)
    assert_is_the_sentence(loaded)
    assert loaded.splits["train"][0]["text"] == "In New York"
    assert loaded.splits["train"][0]["offsets"] == [[0, 2], [3, 6], [7, 11]]


def test_a_data_set_of_texts_with_spans_in_another_scheme():
    spans = [[{"start": 3, "end": 11, "label": "LOC"}]] * 4
    data = Dataset.from_dict({"text": ["In New York"] * 4, "spans": spans})
    loaded = load_tagged_texts(data, to_scheme="iobes")
    assert named_tags(loaded)[0] == ["O", "B-LOC", "E-LOC"]


def test_texts_without_spans_and_words_cut_in_another_way(tmp_path):
    path = write_json_lines(
        tmp_path / "a.jsonl",
        [{"text": "ab cd", "label": [[0, 5, "X"]]}, {"text": "ab cd", "label": None}, {"text": "e"}],
    )
    loaded = load_tagged_texts({"train": path, "validation": path}, split=lambda text: [(0, len(text))])
    assert loaded.splits["train"]["tokens"][:] == [["ab cd"], ["ab cd"], ["e"]]
    assert named_tags(loaded) == [["B-X"], ["O"], ["O"]]


def test_words_have_no_texts():
    assert load_tagged_texts(rows()).splits["train"].column_names == ["tokens", "tags"]
    assert load_tagged_texts(rows(text="In New York")).splits["train"].column_names == ["tokens", "tags"]


def test_spans_inside_words_are_told_once(tmp_path, caplog):
    wrong = {"text": "In New York", "label": [[3, 10, "LOC"], [0, 2, "X"]]}
    loaded = load_tagged_texts(write_json_lines(tmp_path / "a.jsonl", [wrong] * 2), validation_size=1)
    assert named_tags(loaded) == [["B-X", "B-LOC", "I-LOC"]]
    assert caplog.messages == ["2 of the 4 spans begin or end inside a word, or hold none: the whole word is taken."]


def test_several_columns_of_spans_are_told(tmp_path, caplog):
    both = {"text": "In New York", "entities": [[3, 11, "LOC"]], "label": [[0, 2, "X"]]}
    loaded = load_tagged_texts(write_json_lines(tmp_path / "a.jsonl", [both] * 4))
    assert_is_the_sentence(loaded)
    assert "'entities' is read for the spans, and not 'label': label_column= names another" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"label": [[3, 12, "LOC"]]}, "has a span from 3 to 12, but its text has 11 characters"),
        ({"label": [[3, 11, "LOC"], [7, 11, "X"]]}, "has spans that overlap, 'New York'"),
        ({"label": [[3, 11, ""]]}, "has a span from 3 to 11 without a kind"),
        ({"label": "LOC"}, "has no list of spans, but str"),
        ({"text": None}, "has no text in 'text': give one, or leave the row out"),
    ],
)
def test_spans_that_do_not_fit_name_their_row(tmp_path, wrong, told):
    right = {"text": "In New York", "label": [[3, 11, "LOC"]]}
    path = write_json_lines(tmp_path / "a.jsonl", [right, {**right, **wrong}])
    with pytest.raises(ValueError, match=rf"^Row 2 of the file .*a\.jsonl {told}"):
        load_tagged_texts(path)


def test_a_text_without_a_column_of_spans(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [{"text": "In New York", "label": "x"}])
    with pytest.raises(
        ValueError, match=r"^There is no column of spans that is known in the file .*a\.jsonl, which h"
    ):
        load_tagged_texts(path)


# The validation split


def many(count=20):
    return Dataset.from_dict({"tokens": [[f"w{number}"] for number in range(count)], "tags": [["X"]] * count})


def split_words_of(**options):
    loaded = load_tagged_texts(many(), **options)
    return [[words[0] for words in loaded.splits[name]["tokens"]] for name in ("train", "validation")]


@pytest.mark.parametrize(("size", "count"), [(0.1, 2), (0.5, 10), (0.001, 1), (1, 1), (19, 19)])
def test_held_out_sentences_are_no_longer_in_training(size, count):
    train, held_out = split_words_of(validation_size=size)
    assert len(held_out) == count
    assert sorted(train + held_out) == sorted(many()["tokens"][row][0] for row in range(20))
    for part in (train, held_out):
        assert part == sorted(part, key=lambda word: int(word[1:]))


def test_which_are_held_out_depends_on_the_seed_alone():
    assert split_words_of(seed=1) == split_words_of(seed=1)
    assert split_words_of(seed=1) != split_words_of(seed=2)
    assert split_words_of() == split_words_of(seed=42)


@pytest.mark.parametrize("size", [0, -1, 0.0, 1.0, 1.5, -0.5, True, float("nan"), "0.1", None])
def test_sizes_that_are_none(size):
    with pytest.raises(
        ValueError, match=r"^validation_size=.* must lie between 0 and 1, or be a whole number of rows"
    ):
        split_words_of(validation_size=size)


@pytest.mark.parametrize("size", [20, 21, 0.99])
def test_sizes_that_leave_nothing_for_training(size):
    with pytest.raises(
        ValueError, match=rf"^validation_size={size} leaves none of the 20 training rows: make it smaller"
    ):
        split_words_of(validation_size=size)


def test_the_reader_gives_the_tags_that_stand_there(tmp_path):
    path = write(tmp_path / "a.conll", "In O\nYork U-LOC\n")
    assert next(SentenceReader().of_file(path)).tags == ["O", "U-LOC"]
    assert SentenceReader(label_column="1").splits_of(path)["train"][0].tags == ["In", "York"]


def test_names_and_schemes_that_have_no_effect_are_refused():
    named = Dataset.from_dict({"tokens": [["a", "b"]] * 4, "tags": [["O", "B-X"]] * 4})
    with pytest.raises(
        ValueError, match="tag_names= is for tags that are numbers, and these have names: leave it out"
    ):
        load_tagged_texts(named, tag_names=["O", "B-X"])
    spans = Dataset.from_dict({"text": ["In Rome"] * 4, "spans": [[{"start": 3, "end": 7, "label": "LOC"}]] * 4})
    with pytest.raises(ValueError, match="tagging_scheme= is for tags, and these are spans of texts: leave it out"):
        load_tagged_texts(spans, tagging_scheme="bio")


def test_a_folder_of_json_lines_with_spans_as_lists(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "In Rome", "label": [[3, 7, "LOC"]]}\n' * 4)
    found = load_tagged_texts(tmp_path).splits
    assert set(found) == {"train", "validation", "test"} and found["test"][0]["tags"] == [0, 1]


def test_tokens_that_are_objects_beside_a_text_are_not_read(tmp_path):
    row = '{"text": "In Rome", "tokens": [{"text": "In"}], "spans": [{"start": 3, "end": 7, "label": "LOC"}]}\n'
    path = tmp_path / "prodigy.jsonl"
    path.write_text(row * 4)
    assert load_tagged_texts(path).splits["train"][0]["tokens"] == ["In", "Rome"]
