"""The pipeline of models that write: texts, alignment, copying, and what is refused."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline

from hfattnlstm import AttnLSTMText2TextPipeline, PairProcessor, train_pair_tokenizer
from hfattnlstm.modeling.text_generation import write_texts
from hfattnlstm.modeling.token_writing import token_spans, whole_words
from loopback_hub import LoopbackHub, run_python
from training.pair_helpers import WORDS, save_writer


TEXTS = ["ant bee cat", "dog", "fox elk, ant", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_writer(tmp_path_factory.mktemp("writer") / "model", [*WORDS, ","])


@pytest.fixture(scope="module")
def writer(folder: str) -> Any:
    return pipeline("attention-text2text", model=folder)


def test_it_writes_what_generate_writes(writer, folder):
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for beams in (1, 3):
        for text, result in zip(TEXTS[:3], writer(TEXTS[:3], num_beams=beams)):
            ids = model.generate(**tokenizer(text, return_tensors="pt"), num_beams=beams)[0]
            assert result["generated_text"] == tokenizer.decode(ids, skip_special_tokens=True)


def test_one_many_and_a_stream(writer):
    results = writer(TEXTS)
    assert [writer(text)["generated_text"] for text in TEXTS] == [one["generated_text"] for one in results]
    assert [*writer(iter(TEXTS), batch_size=2)] == writer(TEXTS, batch_size=2)
    assert writer([]) == []
    assert isinstance(results[3]["generated_text"], str) and results[3]["source"] == []


def test_the_alignment_is_the_attention(writer):
    (result,) = writer(["ant bee, cat"])
    assert [word["text"] for word in result["source"]] == ["ant", "bee", ",", "cat"]
    for word in (*result["source"], *result["alignment"]):
        whole = "ant bee, cat" if "weights" not in word else result["generated_text"]
        assert whole[word["start"] : word["end"]] == word["text"]
    weights = np.array([word["weights"] for word in result["alignment"]])
    assert weights.shape[1] == 4 and (weights >= 0).all() and (weights.sum(1) <= 1 + 1e-6).all()
    (written,) = write_texts(writer.model, writer.pair_processor, ["ant bee, cat"])
    np.testing.assert_allclose(written.weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(weights[0], written.weights[0, :4], atol=1e-6)


def test_without_the_alignment_and_by_token(writer):
    assert writer("ant bee", alignment=False).keys() == {"generated_text", "score"}
    tokens = writer("ant bee", level="token")
    assert [each["text"] for each in tokens["source"]] == ["ant", "bee"]


def test_scores_are_mean_logarithms(writer):
    (written,) = write_texts(writer.model, writer.pair_processor, ["ant bee"], num_beams=1)
    inputs = writer.tokenizer("ant bee", return_tensors="pt")
    ids = torch.tensor([[2, *written.token_ids]])
    with torch.no_grad():
        logs = writer.model(**inputs, decoder_input_ids=ids[:, :-1]).logits.log_softmax(-1)
    expected = logs.gather(2, ids[:, 1:, None]).mean().item()
    assert writer("ant bee", num_beams=1)["score"] == pytest.approx(expected, abs=1e-5)


def test_several_for_each(writer):
    results = writer(TEXTS[:2], num_beams=3, num_return_sequences=2)
    assert [len(each) for each in results] == [2, 2]
    assert len(writer("ant", num_beams=2, num_return_sequences=2)) == 2


def test_options_of_generate(writer):
    text = writer("ant bee", max_new_tokens=1)["generated_text"]
    assert len(text.split()) <= 1
    torch.manual_seed(0)
    first = writer(["ant bee cat"] * 8, do_sample=True, num_beams=1, temperature=5.0)
    assert len({one["generated_text"] for one in first}) > 1


def test_texts_of_which_much_is_unknown_are_told(writer, caplog):
    logging.Logger.warning_once.cache_clear()
    writer(["ant bee", "cat"])
    assert "unknown" not in caplog.text
    writer(["zebra heron cat ant"])
    assert "40% of the tokens are unknown to the model" in caplog.text


class TestCopying:
    """An unknown token stands for the word that is looked at."""

    @pytest.fixture
    def copier(self, folder) -> Any:
        """It writes the unknown token, and then ends."""
        writer = pipeline("attention-text2text", model=folder)
        with torch.no_grad():
            writer.model.lm_head.bias.fill_(-50.0)
            writer.model.lm_head.bias[1] = 50.0
        return writer

    def test_on_request(self, copier):
        result = copier("ant zebra", copy_unknown=True, max_new_tokens=2, num_beams=1)
        words = result["generated_text"].split()
        assert len(words) == 2 and set(words) <= {"ant", "zebra"}
        assert [word["text"] for word in result["alignment"]] == words
        best = [max(zip(word["weights"], ("ant", "zebra")))[1] for word in result["alignment"]]
        assert best == words

    def test_never_without(self, copier):
        written = write_texts(copier.model, copier.pair_processor, ["ant zebra"], max_new_tokens=2, num_beams=1)
        assert 1 not in written[0].token_ids and not written[0].copied

    def test_between_words_that_are_known(self):
        from hfattnlstm.modeling.text_generation import _text_of

        processor = PairProcessor(train_pair_tokenizer(["I met you ,", "我见"], kind="word", min_frequency=1))
        ids = processor.targets(["I met you"])[0]
        assert _text_of([*ids[:2], 1, *ids[2:]], {2: " Tom"}, processor) == "I met Tom you"
        comma = processor.targets([" ,"])[0][:1]
        assert _text_of([1, *comma], {0: "Tom"}, processor).replace(" ", "") == "Tom,"
        chinese = processor.targets(["我见"])[0][:2]
        assert _text_of([*chinese, 1], {2: "湯"}, processor) == "我见湯"


class TestWords:
    """Tokens become words by what stands between them."""

    @pytest.mark.parametrize(
        ("text", "spans", "words"),
        [
            ("undo it", [(0, 2), (2, 4), (4, 7)], [[0, 1], [2]]),
            ("2013, no", [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 8)], [[0, 1, 2, 3], [4], [5]]),
            ("我们说", [(0, 2), (2, 3)], [[0], [1]]),
            ("Tom说", [(0, 3), (3, 4)], [[0], [1]]),
            ("a", [(0, 1), (0, 0)], [[0]]),
            ("", [], []),
        ],
    )
    def test_whole_words(self, text, spans, words):
        assert whole_words(text, spans) == words

    def test_spans_of_what_was_written(self):
        texts = ["It's 3.50, isn't it?", "über das 我们"]
        for kind in ("bpe", "word", "char"):
            processor = PairProcessor(train_pair_tokenizer(texts, kind=kind, min_frequency=1))
            for text, ids in zip(texts, processor.targets(texts)):
                assert "".join(text[start:end] for start, end in token_spans(ids, processor.decode)) == text


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        (["ant", 7], {}, "Text number 1 is of type int"),
        (7, {}, "takes a text or texts, got int"),
        (b"ant", {}, "takes a text or texts, got bytes"),
        ({"text": "ant"}, {}, "takes a text or texts, got dict"),
        ("ant", {"beams": 2}, "no parameter 'beams'"),
        ("ant", {"level": "line"}, "level must be one of word, token"),
        ("ant", {"alignment": 1}, "alignment must be True or False"),
        (["ant"], {"batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(writer, given, options, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        writer(given, **options)


@pytest.mark.parametrize("beams", [1, 3])
def test_broken_weights_are_told(folder, beams):
    broken = pipeline("attention-text2text", model=folder)
    with torch.no_grad():
        broken.model.lm_head.bias[3] = float("nan")
    with pytest.raises(ValueError, match="The model computes NaN or infinity"):
        broken("ant bee", num_beams=beams)


def test_what_does_not_belong_together(folder, tmp_path):
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    large = train_pair_tokenizer([*WORDS, ",", "gnu", "hen"], kind="word", min_frequency=1)
    with pytest.raises(ValueError, match="but the model's embedding has"):
        AttnLSTMText2TextPipeline(model, large)
    with pytest.raises(ValueError, match="writes no texts"):
        AttnLSTMText2TextPipeline(model.encoder, large)


def test_two_vocabularies(tmp_path):
    folder = save_writer(tmp_path / "two", joint=False)
    writer = pipeline("attention-text2text", model=folder)
    assert not writer.pair_processor.is_joint and isinstance(writer("ant bee")["generated_text"], str)


def test_long_texts_are_told(folder, caplog):
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=3)
    writer = AttnLSTMText2TextPipeline(AutoModelForSeq2SeqLM.from_pretrained(folder), tokenizer)
    writer("ant bee cat dog")
    assert "the end is not read" in caplog.text


@pytest.mark.parametrize("joint", [True, False])
def test_it_is_saved_and_loaded_again(joint, tmp_path):
    writer = pipeline("attention-text2text", model=save_writer(tmp_path / "model", joint=joint))
    writer.save_pretrained(tmp_path / "again")
    assert pipeline("attention-text2text", model=str(tmp_path / "again"))(TEXTS) == writer(TEXTS)


def test_two_tokenizers_come_from_the_hub_where_the_package_cannot_be_imported(tmp_path):
    folder = save_writer(tmp_path / "model", joint=False)
    expected = pipeline("attention-text2text", model=folder)("ant bee")["generated_text"]
    code = f"""
import sys
from huggingface_hub import HfApi
HfApi().create_repo("tester/writer")
HfApi().upload_folder(repo_id="tester/writer", folder_path={folder!r})
sys.modules["hfattnlstm"] = None
from transformers import pipeline
for name in ("tester/writer", {folder!r}):
    writer = pipeline("attention-text2text", model=name, trust_remote_code=True)
    assert writer("ant bee")["generated_text"] == {expected!r}
    assert len(writer.pair_processor.target_tokenizer) == len(writer.tokenizer) + 1
"""
    with LoopbackHub() as hub:
        run_python(code, {**hub.environment(tmp_path), "HF_MODULES_CACHE": str(tmp_path / "code")}, tmp_path)
