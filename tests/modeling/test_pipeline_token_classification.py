"""The pipeline that tags words: places, spans, order, long sentences, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from datasets import Dataset
from modeling_helpers import tiny_config, tiny_model
from pipeline_helpers import assert_same, word_piece
from tagger_helpers import BIO, TAGS, with_rows_of_padding
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast, pipeline

from hfattnlstm import (
    AttnLSTMForSequenceClassification,
    AttnLSTMForTokenClassification,
    AttnLSTMTokenClassificationPipeline,
    train_word_tokenizer,
)
from hfattnlstm.data.word_tokenizer import spelling_tables
from hfattnlstm.modeling import pipeline_token_classification
from hfattnlstm.modeling.tag_schemes import spans_of


TASK = "attention-token-classification"
SENTENCES = [
    ["In", "Paris", "Anna", "met", "Bob", "."],
    ["Bob", "lives", "in", "New", "York", "now", "."],
    ["Anna", "and", "Bob", "do", "not", "live", "here", "."],
]
TEXT = "Anna met Zoltan in Paris.\nBob, too!  New   York is far"
TEXTS = [TEXT, "", "Bob", " \n", "Wolfgang-Amadeus " * 30, "New York", "in"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_word_tokenizer(SENTENCES * 3)


def tagger_for(tokenizer: PreTrainedTokenizerFast, **options: Any) -> nn.Module:
    tables = spelling_tables(tokenizer, 12)
    model = tiny_model(
        AttnLSTMForTokenClassification,
        **{
            "vocab_size": len(tokenizer),
            "num_characters": len(tables.kinds),
            "max_word_length": 12,
            "token_inputs": ["word", "char_cnn"],
            "char_hidden_size": 6,
            **BIO,
            **options,
        },
    )
    if model.config.num_characters:
        model.attnlstm.set_spelling(*map(torch.from_numpy, tables[:4]))
    return with_rows_of_padding(model)


def tagging(tokenizer: PreTrainedTokenizerFast, model: nn.Module | None = None, **options: Any) -> Any:
    return pipeline(TASK, model=tagger_for(tokenizer) if model is None else model, tokenizer=tokenizer, **options)


@pytest.fixture(scope="module")
def tagger(tokenizer: PreTrainedTokenizerFast) -> AttnLSTMTokenClassificationPipeline:
    torch.manual_seed(0)
    return tagging(tokenizer, tagger_for(tokenizer, use_crf=True))


class TestStockPipeline:
    """`pipeline("token-classification")` of transformers knows neither words nor characters."""

    @pytest.mark.parametrize("strategy", ["simple", "first"])
    @pytest.mark.parametrize("crf", [False, True])
    def test_it_gives_whole_words(self, tokenizer, crf, strategy):
        model = tagger_for(tokenizer, use_crf=crf)
        stock = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy=strategy)
        ours, found, spelt = tagging(tokenizer, model), 0, 0
        for text in ("Wolfgang met Zoltan and Anna", "Paris Zoltan in", "New Yorker live Bobby", "Bo Anna too"):
            own = ours(text, split_sentences=False)
            places = {word["start"] for word in own["words"]}, {word["end"] for word in own["words"]}
            groups = stock(text)
            for group in groups:
                assert group["start"] in places[0] and group["end"] in places[1]
            expected = [(entity["start"], entity["end"], entity["entity_group"]) for entity in own["entities"]]
            assert [(group["start"], group["end"], group["entity_group"]) for group in groups] == expected
            found += len(groups)
            spelt += len(tokenizer.tokenize(text)) > len(own["words"])
        assert found > 2 and spelt == 4

    def test_its_loading_needs_nothing_of_ours(self, tokenizer, tmp_path):
        model = tagger_for(tokenizer)
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        stock = pipeline("token-classification", model=str(tmp_path))
        assert stock("Anna met Bob") == pipeline("token-classification", model=model, tokenizer=tokenizer)(
            "Anna met Bob"
        )


class TestTexts:
    """Words, tags and spans of a text, where they stand."""

    def test_places_are_those_of_the_text(self, tagger):
        for text, result in zip(TEXTS, tagger(TEXTS)):
            ends = [0]
            for word in result["words"]:
                assert word.keys() == {"word", "tag", "score", "start", "end"}
                assert text[word["start"] : word["end"]] == word["word"] and word["word"].strip()
                assert word["tag"] in TAGS["bio"] and 0 < word["score"] <= 1
                assert word["start"] >= ends[-1]
                ends.append(word["end"])
            missed = "".join(text[end : word["start"]] for end, word in zip(ends, result["words"]))
            assert not missed.strip() and not text[ends[-1] :].strip()
            for entity in result["entities"]:
                assert text[entity["start"] : entity["end"]] == entity["word"]
                assert result["words"][entity["first"]]["start"] == entity["start"]
                assert result["words"][entity["last"]]["end"] == entity["end"]
                own = result["words"][entity["first"] : entity["last"] + 1]
                assert entity["score"] == min(word["score"] for word in own)
                assert own[0]["tag"].endswith(entity["entity_group"])

    def test_the_words_that_are_expected(self, tagger):
        words = [word["word"] for word in tagger(TEXT)["words"]]
        assert words == [
            "Anna",
            "met",
            "Zoltan",
            "in",
            "Paris",
            ".",
            "Bob",
            ",",
            "too",
            "!",
            "New",
            "York",
            "is",
            "far",
        ]

    def test_spans_are_those_of_the_tags_of_a_sentence(self, tagger):
        result = tagger(TEXT)
        # The first sentence has six words, the second four.
        found = []
        for start, end in ((0, 6), (6, 10), (10, 14)):
            tags = [word["tag"] for word in result["words"][start:end]]
            found += [(start + one, start + two - 1, kind) for one, two, kind in spans_of(tags)]
        spans = [(entity["first"], entity["last"], entity["entity_group"]) for entity in result["entities"]]
        assert spans == found and found

    def test_sentences_are_tagged_by_themselves(self, tagger):
        whole, parts = tagger(TEXT)["words"], []
        for start, end in ((0, 25), (26, 35), (37, len(TEXT))):
            for word in tagger(TEXT[start:end])["words"]:
                parts.append(word | {"start": word["start"] + start, "end": word["end"] + start})
        assert_same(whole, parts, 1e-5)
        together = tagger(TEXT, split_sentences=False)["words"]
        assert [word["word"] for word in together] == [word["word"] for word in whole]
        assert any(abs(one["score"] - two["score"]) > 1e-4 for one, two in zip(together, whole))

    def test_they_are_the_models_own_tags(self, tokenizer, tagger):
        text = "Anna met Bob in Paris ."
        ids = tokenizer(text, return_tensors="pt").input_ids
        assert ids.shape == (1, 6)
        with torch.no_grad():
            scores, tags = tagger.model(ids).logits.softmax(-1).max(-1)
        for word, score, tag in zip(tagger(text)["words"], scores[0].tolist(), tags[0].tolist()):
            assert word["tag"] == TAGS["bio"][tag] and word["score"] == pytest.approx(score, abs=1e-5)

    @pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u00a0"])
    def test_texts_without_words(self, tagger, text):
        assert tagger(text) == {"entities": [], "words": []}
        assert tagger(text, n_best=2) == {"entities": [], "words": [], "alternatives": []}
        assert tagger([text, "Bob"])[1]["words"][0]["word"] == "Bob"

    def test_letters_that_are_one_in_the_text_and_two_in_unicode(self, tagger):
        text = "Zoe\u0301 👩‍👩‍👧 \ud83d İstanbul"
        words = tagger(text)["words"]
        assert text[words[0]["start"] : words[0]["end"]] == "Zoe\u0301"
        assert words[-1]["end"] == len(text)

    def test_tags_that_mark_no_spans(self, tokenizer):
        result = tagging(tokenizer, tagger_for(tokenizer, id2label=dict(enumerate(TAGS[None])), tagging_scheme=None))(
            TEXT
        )
        assert result["entities"] == [] and {word["tag"] for word in result["words"]} <= set(TAGS[None])


class TestWords:
    """Words that are already cut."""

    def test_every_way_to_give_them(self, tagger):
        words = SENTENCES[0]
        expected = tagger({"tokens": words})
        assert [word["word"] for word in expected["words"]] == words
        assert all(word.keys() == {"word", "tag", "score"} for word in expected["words"])
        assert tagger({"words": words}) == expected
        assert tagger(words, is_split_into_words=True) == expected
        assert tagger(tuple(words), is_split_into_words=True) == expected
        assert_same(tagger([words, words], is_split_into_words=True), [expected] * 2, 1e-5)
        # A text is cut into the same words, and so has the same tags.
        text = tagger({"text": " ".join(words)})
        assert_same(
            [{key: word[key] for key in ("word", "tag", "score")} for word in text["words"]], expected["words"], 1e-5
        )
        assert tagger(" ".join(words)) == text

    def test_spans_of_them(self, tagger):
        for words in SENTENCES:
            result = tagger({"tokens": words})
            tags = [word["tag"] for word in result["words"]]
            assert [(one["first"], one["last"] + 1, one["entity_group"]) for one in result["entities"]] == spans_of(
                tags
            )
            for entity in result["entities"]:
                assert entity["word"] == " ".join(words[entity["first"] : entity["last"] + 1])
                assert "start" not in entity

    def test_words_are_not_cut_and_none_is_lost(self, tagger):
        words = ["New York", "", " ", "it's", "\ud83d", "x" * 600, "Anna", "👩‍👩‍👧"]
        result = tagger({"tokens": words})
        assert [word["word"] for word in result["words"]] == [*words[:4], "�", *words[5:]]

    def test_no_words(self, tagger):
        assert tagger({"tokens": []}) == tagger([], is_split_into_words=True) == {"entities": [], "words": []}
        assert tagger([], is_split_into_words=False) == []

    def test_texts_and_words_together(self, tagger):
        found = tagger([{"tokens": ["Bob"]}, "Bob", {"text": "Bob"}])
        assert "start" not in found[0]["words"][0] and found[1] == found[2] and found[1]["words"][0]["end"] == 3


class TestMany:
    """Batches, iterators and their order."""

    def test_results_do_not_depend_on_batches(self, tagger):
        expected = [tagger(text) for text in TEXTS]
        for size in (None, 1, 2, 100):
            assert_same(tagger(TEXTS, batch_size=size), expected, 1e-5)
        made = tagging(tagger.tokenizer, tagger.model, batch_size=3)
        assert_same(made(TEXTS), expected, 1e-5)

    def test_the_order_of_texts_of_every_length(self, tagger):
        texts = [
            " ".join(itertools.islice(itertools.cycle(SENTENCES[place % 3]), 1 + 7 * place % 23))
            for place in range(60)
        ]
        assert_same(tagger(texts), [tagger(text) for text in texts], 1e-5)

    def test_iterators_are_read_as_their_results_are(self, tagger, monkeypatch):
        monkeypatch.setattr(pipeline_token_classification, "TEXTS_AT_ONCE", 4)
        read = []

        def reading() -> Iterator[str]:
            for text in TEXTS * 2:
                read.append(text)
                yield text

        results = tagger(reading())
        assert isinstance(results, Iterator) and not read
        found = [next(results)]
        assert len(read) == 4
        found += results
        assert_same(found, tagger(TEXTS * 2), 1e-5)
        assert_same(list(tagger({"text": text} for text in TEXTS)), tagger(TEXTS), 1e-5)

    def test_columns_of_data_sets(self, tagger):
        rows = Dataset.from_dict({"text": TEXTS, "tokens": [text.split() for text in TEXTS]})
        assert_same(list(tagger(rows["text"])), tagger(TEXTS), 1e-5)
        words = [text.split() for text in TEXTS]
        assert_same(
            list(tagger(rows["tokens"], is_split_into_words=True)), tagger(words, is_split_into_words=True), 1e-5
        )

    def test_positions_in_later_chunks(self, tagger, monkeypatch):
        monkeypatch.setattr(pipeline_token_classification, "TEXTS_AT_ONCE", 2)
        with pytest.raises(TypeError, match="Text number 5 is of type int"):
            tagger(["Bob"] * 5 + [7])


@pytest.fixture(scope="module")
def short() -> AttnLSTMTokenClassificationPipeline:
    """Of a model that reads ten tokens at once."""
    tokenizer = train_word_tokenizer(SENTENCES * 3, model_max_length=10)
    return tagging(tokenizer, tagger_for(tokenizer, use_crf=True, sentence_context=True))


class TestLongSentences:
    """Windows that overlap, of which each word is tagged in one."""

    @pytest.mark.parametrize("count", [9, 10, 11, 17, 40])
    def test_every_word_is_tagged_once(self, short, count):
        words = list(itertools.islice(itertools.cycle(["Anna", "met", "Bob", "in", "Paris"]), count))
        for given in ({"tokens": words}, " ".join(words)):
            result = short(given)
            assert [word["word"] for word in result["words"]] == words
            assert [part["text"] for part in result["attention"]] == words
            tags = [word["tag"] for word in result["words"]]
            assert [(one["first"], one["last"] + 1, one["entity_group"]) for one in result["entities"]] == spans_of(
                tags
            )

    def test_words_of_many_tokens(self, short):
        words = ["Zoltan", "met", "Wolfgang-Amadeus-Theophilus", "in", "Buxtehude", "Bob"] * 3
        assert [word["word"] for word in short({"tokens": words})["words"]] == words
        text = " ".join(words)
        assert "".join(word["word"] for word in short(text)["words"]) == text.replace(" ", "")

    def test_no_window_is_longer_than_the_tokenizer_allows(self, short, monkeypatch):
        lengths = []
        forward = short.model.forward

        def noting(input_ids, *args, **kwargs):
            lengths.append(input_ids.shape[1])
            return forward(input_ids, *args, **kwargs)

        monkeypatch.setattr(short.model, "forward", noting)
        short(["Zoltan met Anna " * 20, "Bob"])
        assert max(lengths) == 10

    def test_inside_a_window_are_the_models_own_tags(self, short):
        """The first words of a long sentence are those of the sentence that is cut there."""
        words = ["Anna", "met", "Bob", "in", "Paris"] * 4
        long, cut = short({"tokens": words})["words"], short({"tokens": words[:10]})["words"]
        assert_same(long[:8], cut[:8], 1e-5)

    def test_the_alternatives_have_a_tag_for_each_word(self, short):
        words = ["Anna", "met", "Bob"] * 9
        found = short({"tokens": words}, n_best=2)
        assert sum(len(part[0]["tags"]) for part in found["alternatives"]) == len(words)
        best = [tag for part in found["alternatives"] for tag in part[0]["tags"]]
        assert best == [word["tag"] for word in found["words"]]


class TestMore:
    """The best sequences, and the attention."""

    def test_the_best_sequences_are_those_of_the_crf(self, tagger, tokenizer):
        text = "Anna met Bob in Paris ."
        ids = tokenizer(text, return_tensors="pt").input_ids
        outputs = tagger.model(ids, n_best=4)
        tags, logs = outputs.sequences, outputs.sequences_scores
        found = tagger(text, n_best=4)["alternatives"]
        assert len(found) == 1 and len(found[0]) == 4
        for each, own, log in zip(found[0], tags[0].tolist(), logs[0].tolist()):
            assert each["tags"] == [TAGS["bio"][tag] for tag in own]
            assert each["score"] == pytest.approx(torch.tensor(log).exp().item(), abs=1e-6)
        assert [len(each) for each in tagger(TEXT, n_best=2)["alternatives"]] == [2, 2, 2]
        assert "alternatives" not in tagger(text)

    def test_there_are_no_more_than_there_are_sequences(self, tagger):
        # O, B-A and B-B may stand alone.
        assert len(tagger("Bob", n_best=9)["alternatives"][0]) == 3
        total = sum(each["score"] for each in tagger("Bob", n_best=9)["alternatives"][0])
        assert total == pytest.approx(1, abs=1e-5)

    def test_it_can_be_asked_for_when_the_pipeline_is_made(self, tagger):
        made = tagging(tagger.tokenizer, tagger.model, n_best=3, split_sentences=False)
        assert_same(made(TEXT), tagger(TEXT, n_best=3, split_sentences=False))
        assert len(made(TEXT)["alternatives"]) == 1
        assert "alternatives" not in made(TEXT, n_best=None)

    @pytest.mark.parametrize("heads", [1, 3])
    def test_the_attention_of_a_sentence_sums_to_one(self, tokenizer, heads):
        attending = tagging(tokenizer, tagger_for(tokenizer, sentence_context=True, pooler_num_heads=heads))
        for text in (TEXT, "Wolfgang met Zoltan", "Bob"):
            result = attending(text)
            parts = result["attention"]
            assert [part["text"] for part in parts] == [word["word"] for word in result["words"]]
            assert all(text[part["start"] : part["end"]] == part["text"] and part["weight"] > 0 for part in parts)
            sentences = ((0, 6), (6, 10), (10, 14)) if text is TEXT else ((0, len(parts)),)
            for start, end in sentences:
                assert sum(part["weight"] for part in parts[start:end]) == pytest.approx(1, abs=1e-5)
        bare = attending({"tokens": ["Anna", "met"]})["attention"]
        assert all(part.keys() == {"text", "weight"} for part in bare)
        assert "attention" not in tagging(tokenizer)("Bob")

    def test_a_tokenizer_of_pieces(self):
        """Of which a word has several, and only the first is tagged."""
        pieces = word_piece()
        model = tiny_model(AttnLSTMForTokenClassification, vocab_size=len(pieces), **BIO)
        result = tagging(pieces, model)("not understandable!")
        assert [word["word"] for word in result["words"]] == ["not", "understandable", "!"]


class TestFiles:
    """A folder is all that is needed."""

    @pytest.mark.parametrize("options", [{"use_crf": True}, {"sentence_context": True}], ids=str)
    def test_saved_and_loaded(self, tokenizer, options, tmp_path):
        made = tagging(tokenizer, tagger_for(tokenizer, **options))
        made.save_pretrained(str(tmp_path))
        loaded = pipeline(TASK, model=str(tmp_path))
        assert type(loaded) is AttnLSTMTokenClassificationPipeline
        assert_same(loaded(TEXTS), made(TEXTS), 1e-5)
        assert AutoTokenizer.from_pretrained(tmp_path).tokenize("Zoltan") == tokenizer.tokenize("Zoltan")
        assert {"pipeline_token_classification.py", "word_tokens.py", "crf.py"} <= {
            path.name for path in tmp_path.iterdir()
        }


class TestRefusals:
    """One sentence, with the position or the name."""

    @pytest.mark.parametrize(
        ("given", "kind", "sentence"),
        [
            (["Bob", 5], TypeError, "Text number 1 is of type int, not str"),
            (["Bob", None], TypeError, "Text number 1 is of type NoneType, not str"),
            ([["Bob"], "Anna"], TypeError, "Text number 0 is of type list, not str"),
            ([{"text": 3}], TypeError, "Text number 0 is of type int"),
            ([{"tokens": "Bob"}], TypeError, "Text number 0 is of type str, not a list of words"),
            (["Bob", {"tokens": ["Anna", 7]}], TypeError, "Text number 1 has 7 among its words: words are texts"),
            ([{"tokens": 4}], TypeError, "Text number 0 is of type int, not a list of words"),
            ([{"texts": "Bob"}], ValueError, r"Text number 0 is a dictionary with 'texts': give \{\"text\": …\}, or"),
            ([{}], ValueError, "Text number 0 is a dictionary with no keys"),
            ([{"text": "Bob", "tokens": ["Bob"]}], ValueError, "dictionary with 'text', 'tokens'"),
            (5, TypeError, "The pipeline takes a text or texts, got int"),
            (None, TypeError, "The pipeline takes a text or texts, got NoneType"),
            (b"Bob", TypeError, "The pipeline takes a text or texts, got bytes"),
        ],
    )
    def test_what_is_no_text(self, tagger, given, kind, sentence):
        with pytest.raises(kind, match=sentence) as caught:
            tagger(given)
        assert "\n" not in str(caught.value)

    def test_texts_where_words_are_announced(self, tagger):
        with pytest.raises(TypeError, match="Text number 1 is of type str, not a list of words"):
            tagger([["Bob"], "Anna"], is_split_into_words=True)
        with pytest.raises(TypeError, match="Text number 0 is of type str, not a list of words"):
            tagger("Bob", is_split_into_words=True)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"top_k": 3}, "The pipeline has no parameter 'top_k': it takes split_sentences, n_best, is_split_into"),
            ({"aggregation_strategy": "simple"}, "no parameter 'aggregation_strategy'"),
            ({"n_best": 0}, "n_best must be a whole number of at least 1, got 0"),
            ({"n_best": True}, "n_best must be a whole number of at least 1, got True"),
            ({"n_best": 2.0}, "n_best must be a whole number"),
            ({"split_sentences": "no"}, "split_sentences must be True or False, got 'no'"),
            ({"is_split_into_words": 1}, "is_split_into_words must be True or False, got 1"),
            ({"batch_size": 0}, "batch_size must be a whole number of at least 1, or None, got 0"),
            ({"batch_size": True}, "batch_size must be a whole number"),
        ],
    )
    def test_parameters(self, tagger, options, sentence):
        with pytest.raises(ValueError, match=sentence):
            tagger("Bob", **options)

    def test_the_best_sequences_of_a_model_that_has_none(self, tokenizer):
        with pytest.raises(ValueError, match="n_best is for models with a CRF, and this one tags each word by itself"):
            tagging(tokenizer)("Bob", n_best=2)

    def test_models_and_tokenizers_that_do_not_fit(self, tokenizer, tmp_path):
        with pytest.raises(ValueError, match="is a AttnLSTMForSequenceClassification, no tagger of this package"):
            AttnLSTMTokenClassificationPipeline(AttnLSTMForSequenceClassification(tiny_config()), tokenizer)
        small = AttnLSTMForTokenClassification(tiny_config(vocab_size=5))
        with pytest.raises(ValueError, match=rf"has {len(tokenizer)} tokens, but the model's embedding has 5 rows"):
            AttnLSTMTokenClassificationPipeline(small, tokenizer)
        tagger_for(tokenizer).base_model.save_pretrained(tmp_path)
        untrained = AttnLSTMForTokenClassification.from_pretrained(tmp_path)
        with pytest.raises(ValueError, match="lacks 2 of the weights, such as classifier"):
            AttnLSTMTokenClassificationPipeline(untrained, tokenizer)

    def test_broken_weights(self, tokenizer):
        model = tagger_for(tokenizer)
        with torch.no_grad():
            model.classifier.out_proj.bias.fill_(torch.nan)
        with pytest.raises(ValueError, match="The model computes NaN: load its weights again"):
            tagging(tokenizer, model)("Bob")
