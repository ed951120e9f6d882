"""Pairs as rows and batches."""

from __future__ import annotations

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from hfattnlstm import AttnLSTMSeq2SeqConfig, PairProcessor, train_pair_tokenizer, train_tokenizer
from hfattnlstm.data.pair_rows import encode_pairs


PAIRS = Dataset.from_dict({"source": ["ab cd", "ef"], "target": ["cd", "ef gh ij"]})


def words(texts: list[str], **options):
    return train_pair_tokenizer(texts, kind="word", min_frequency=1, **options)


def test_both_sides_end_and_the_length_is_of_both():
    processor = PairProcessor(words(["ab cd ef gh ij"]))
    rows = encode_pairs(PAIRS, processor)
    assert processor.is_joint and rows["length"][:] == [5, 6]
    assert all(row[-1] == 3 for column in ("input_ids", "labels") for row in rows[column])
    assert processor.decode(rows["labels"][:]) == PAIRS["target"][:]


def test_two_vocabularies(tmp_path):
    processor = PairProcessor(words(["ab cd", "ef"]), words(["cd", "ef gh ij"]))
    processor.save_pretrained(tmp_path)
    config = AttnLSTMSeq2SeqConfig(decoder_vocab_size=9)
    loaded = PairProcessor.from_pretrained(tmp_path, config)
    assert not loaded.is_joint
    assert loaded.sources(PAIRS["source"]) == processor.sources(PAIRS["source"])
    assert loaded.targets(PAIRS["target"]) == processor.targets(PAIRS["target"])
    assert loaded.decode(loaded.targets(["gh ij"])) == ["gh ij"]
    assert AutoTokenizer.from_pretrained(tmp_path).get_vocab() == processor.tokenizer.get_vocab()


def test_long_texts_are_cut_and_end_all_the_same():
    processor = PairProcessor(words(["ab cd ef gh ij"], model_max_length=3))
    assert [len(row) for row in processor.targets(["ab cd ef gh", "ab"])] == [3, 2]
    assert processor.targets(["ab cd ef gh"])[0][-1] == 3


def test_a_tokenizer_that_does_not_end_texts_is_refused():
    with pytest.raises(ValueError, match="does not end a text with its eos_token"):
        PairProcessor(train_tokenizer(["ab cd"], min_frequency=1))
