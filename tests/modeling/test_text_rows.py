"""Several texts that are read together: joined as the tokenizer joins pairs, the longest cut first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modeling_helpers import tiny_model
from pipeline_helpers import LABELS, attention_pipeline
from text_helpers import BACKENDS, TRUNCATIONS, cut, fast, sentence, whole, word_level
from transformers import PreTrainedTokenizerFast, pipeline

from hfattnlstm.data.tokenization import train_tokenizer
from hfattnlstm.modeling.attention_entries import attention_entries
from hfattnlstm.modeling.text_cuts import equal_shares
from hfattnlstm.modeling.text_inputs import EncodedText, TextEncoder
from hfattnlstm.modeling.text_rows import text_or_row


COLUMNS = ["premise", "hypothesis"]
# With an empty second text, the tokenizer's own call leaves out what stands between.
PAIRS = [("not so good", "good"), ("", "so"), ("good good", "not so good as it was when")]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer([["not so good", "as it was"], ["when all", "the people"]], min_frequency=1)


def pair_model(columns: list[str] = COLUMNS, **options: Any) -> Any:
    return tiny_model(id2label=LABELS, text_columns=columns, **options)


def test_a_pair_has_the_ids_of_the_tokenizers_own_call(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = TextEncoder(tokenizer)
    expected = [tokenizer(*pair)["input_ids"] for pair in PAIRS]
    assert [encoded.input_ids for encoded in encoder(PAIRS)] == encoder.input_ids(PAIRS) == expected
    assert encoder.input_ids([("not",) * 3]) == [
        [*tokenizer("not", "not")["input_ids"], 3, *encoder(["not"])[0].input_ids]
    ]


@pytest.mark.parametrize("length", [4, 7, 8, 11])
def test_the_longest_is_cut_first_as_the_tokenizer_does(tokenizer: PreTrainedTokenizerFast, length: int) -> None:
    # Of two that are both longer than all that is kept, the tokenizer gives the longer one a token more at times.
    pairs = [(sentence(one), sentence(two)) for one, two in ((2, 9), (9, 2), (6, 6), (5, 7), (1, 1))]
    for pair, ids in zip(pairs, TextEncoder(tokenizer, length).input_ids(pairs)):
        assert ids == tokenizer(*pair, truncation="longest_first", max_length=length)["input_ids"]


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("kind", ["word", "wordpiece", "bpe"])
def test_each_text_is_cut_like_its_whole_encoding(kind: str, truncation: str) -> None:
    tokenizer = fast(BACKENDS[kind]())
    tokenizer.backend_tokenizer.post_processor = separated()
    rows = [(sentence(5_000), sentence(3)), (sentence(2), sentence(5_000)), (sentence(4_000), sentence(5_000))]
    encoder = TextEncoder(tokenizer, 21, truncation)
    encoded = encoder(rows)
    assert encoder.input_ids(rows) == [found.input_ids for found in encoded]
    for row, found in zip(rows, encoded):
        wholes = [whole(tokenizer, text) for text in row]
        shares = equal_shares([min(len(tokens), 20) for tokens in wholes], 20)
        for tokens, share, part in zip(wholes, shares, found.parts):
            assert found.input_ids[part] == cut(tokens.ids, share, truncation)
            assert found.spans[part] == cut(tokens.offsets, share, truncation)
        words = [word for word in found.word_ids if word is not None]
        assert words == sorted(words) and found.left_out > 10_000


def separated() -> Any:
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(single="$A", pair="$A [SEP] $B", special_tokens=[("[SEP]", 3)])


def test_what_cannot_be_joined_is_told(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="sets no token between two texts"):
        TextEncoder(fast(word_level()))([("so", "good")])
    with pytest.raises(ValueError, match="max_length=2 leaves no room for a token of each of 2 texts"):
        TextEncoder(tokenizer, 2)([("so", "good")])
    with pytest.raises(ValueError, match="Text number 1 is no row of 2 texts"):
        TextEncoder(tokenizer).input_ids([("so", "good"), ("so",)])
    with pytest.raises(TypeError, match="Text number 1 is of type NoneType"):
        TextEncoder(tokenizer)([("so", "good"), ("so", None)])


def test_the_weights_of_all_texts_sum_to_one() -> None:
    encoded = EncodedText([4, 3, 5, 6], [(0, 2), None, (0, 3), (3, 5)], [0, None, 1, 1], 0, (slice(0, 1), slice(2, 4)))
    weights = np.array([[0.2, 0.5, 0.1, 0.2]])
    entries = attention_entries(("so", "bad!?"), encoded, weights, "word", False)
    assert [(entry["text"], entry["text_index"]) for entry in entries] == [("so", 0), ("bad!?", 1)]
    assert [entry["weight"] for entry in entries] == pytest.approx([0.4, 0.6])


def test_the_pipelines_agree_on_pairs(tokenizer: PreTrainedTokenizerFast) -> None:
    model = pair_model()
    ours = attention_pipeline(model, tokenizer)
    stock = pipeline("text-classification", model=model, tokenizer=tokenizer)
    dictionaries = [dict(zip(("text", "text_pair"), pair)) for pair in PAIRS]
    expected = stock(dictionaries)
    for given in (dictionaries, [list(pair) for pair in PAIRS], [dict(zip(COLUMNS, pair)) for pair in PAIRS]):
        found = ours(given)
        assert [one["label"] for one in found] == [one["label"] for one in expected]
        assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=1e-6)
    for pair, result in zip(PAIRS, found):
        assert sum(entry["weight"] for entry in result["attention"]) == pytest.approx(1)
        for entry in result["attention"]:
            assert pair[entry["text_index"]][entry["start"] : entry["end"]] == entry["text"]
    assert ours(dictionaries[0])["label"] == expected[0]["label"]
    assert ours([PAIRS[2]], max_length=5)[0]["truncated"]


def test_more_than_two_texts_are_read_together(tokenizer: PreTrainedTokenizerFast) -> None:
    ours = attention_pipeline(pair_model(["a", "b", "c"]), tokenizer)
    (result,) = ours([("so", "", "good")])
    assert [entry["text_index"] for entry in result["attention"]] == [0, 2]
    assert ours({"c": "good", "b": "", "a": "so"}) == result


@pytest.mark.parametrize(
    ("given", "columns", "message"),
    [
        (
            "so",
            COLUMNS,
            "Text number 7 is a single text, and the model reads 2 texts together, premise and hypothesis",
        ),
        (("so",), COLUMNS, "is a row of 1 texts"),
        ({"text": "so"}, COLUMNS, 'is a dictionary with \'text\', and .* give {"text": …, "text_pair": …}'),
        ({"text": "so", "text_pair": "so"}, ["a", "b", "c"], '3 texts together, a, b and c: give {"a": …'),
        (("so", "so"), None, "is a row of 2 texts, and the model reads single texts"),
    ],
)
def test_another_number_of_texts_is_told(given: Any, columns: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_or_row(given, columns, 7)


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"], ["a", " "]])
def test_the_columns_of_a_configuration_are_checked(names: list[str]) -> None:
    with pytest.raises(ValueError, match="text_columns must be two or more different names"):
        pair_model(names)
