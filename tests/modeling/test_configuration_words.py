"""The fields that say what is read of a word, and how tags are scored: bounds, and the sentences for mistakes."""

from __future__ import annotations

import pytest
from huggingface_hub.errors import StrictDataclassFieldValidationError
from modeling_helpers import tiny_config

from hfattnlstm import AttnLSTMConfig


CHARACTERS = {"token_inputs": ["word", "char_cnn"], "num_characters": 9}
VECTORS = {"token_inputs": ["word", "vectors"], "num_characters": 9, "vector_sizes": [4], "vector_rows": [9]}


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            {"token_inputs": "char_cnn"},
            "token_inputs must be word, or a list of it and any of char_cnn, .*got 'char_cnn'",
        ),
        ({"token_inputs": ["word", "glove"]}, "token_inputs must be word, or a list of it and any of"),
        ({"token_inputs": ["word", "case", "case"], "num_characters": 9}, "token_inputs must be word, or"),
        ({"token_inputs": []}, "token_inputs must be word, or a list of it"),
        ({"token_inputs": ["word", "case"]}, "case in token_inputs needs num_characters, .*: set it"),
        ({"token_inputs": ["word", "vectors"]}, "vectors in token_inputs needs num_characters"),
        ({"num_characters": -1}, "num_characters must be between 0 and 1,200,000, got -1"),
        ({"num_characters": 10**9}, "num_characters must be between 0 and 1,200,000"),
        ({"max_word_length": 0, "num_characters": 9}, "max_word_length must be between 1 and 1,000, got 0"),
        ({"max_word_length": 10**6, "num_characters": 9}, "max_word_length must be between 1 and 1,000"),
        ({"max_word_length": 9}, "max_word_length has no effect without num_characters: leave it out, or set that"),
        ({"input_merge": "sum"}, "input_merge is for several token_inputs: leave it out with one"),
        ({"word_input_dropout": 0.1}, "word_input_dropout is for several token_inputs: leave it out with one"),
        ({"input_merge": "mean"}, "input_merge"),
        ({**CHARACTERS, "word_input_dropout": 1.0}, "word_input_dropout is a share"),
        ({**CHARACTERS, "char_dropout": -0.5}, "char_dropout is a share"),
        ({**CHARACTERS, "char_embedding_size": 0}, "char_embedding_size must be between 1 and"),
        ({**CHARACTERS, "char_hidden_size": 10**9}, "char_hidden_size must be between 1 and"),
        ({**CHARACTERS, "char_kernel_size": 4}, "char_kernel_size must be an odd number from 1 to 99, got 4"),
        ({**CHARACTERS, "char_kernel_size": 101}, "char_kernel_size must be an odd number from 1 to 99, got 101"),
        ({**CHARACTERS, "char_kernel_size": -1}, "char_kernel_size must be an odd number"),
        (
            {"char_hidden_size": 8},
            "char_hidden_size has no effect without char_cnn or char_lstm in token_inputs: leave",
        ),
        ({"char_kernel_size": 5}, "char_kernel_size has no effect without char_cnn in token_inputs"),
        ({"case_embedding_size": 5}, "case_embedding_size has no effect without case in token_inputs"),
        (
            {"token_inputs": ["word", "char_lstm"], "num_characters": 9, "char_hidden_size": 7},
            "char_hidden_size is the width of both directions together and must be even, got 7",
        ),
        (
            {"token_inputs": ["word", "vectors"], "num_characters": 9, "vector_sizes": [4]},
            r"vectors in token_inputs, vector_sizes and vector_rows belong together, .*got \[4\] and None",
        ),
        ({"token_inputs": ["word", "vectors"], "num_characters": 9}, "belong together, .* got None and None"),
        ({**CHARACTERS, "vector_sizes": [4], "vector_rows": [9]}, "belong together"),
        ({**VECTORS, "vector_sizes": [4, 4]}, "belong together"),
        ({**VECTORS, "vector_sizes": [0]}, "vector_sizes must be from 1 to 65,536 and vector_rows from 1 to"),
        ({**VECTORS, "vector_sizes": [10**6]}, "vector_sizes must be from 1 to 65,536"),
        ({**VECTORS, "vector_rows": [10**9]}, "vector_rows from 1 to 50,000,000, got .* and .1000000000."),
        ({"tagging_scheme": "bilou"}, "tagging_scheme"),
        ({"tagging_scheme": "bio"}, "The tag 'LABEL_0' is none of the scheme bio"),
        ({"tagging_scheme": "bio", "id2label": {0: "O", 1: "S-PER"}}, "The tag 'S-PER' is none of the scheme bio"),
        (
            {"use_crf": True, "label_smoothing": 0.1},
            "label_smoothing is for tags that are scored by themselves: leave",
        ),
        ({"use_crf": True, "class_weights": [1, 2]}, "class_weights is for tags that are scored by themselves: leave"),
        ({"use_crf": 1}, "use_crf"),
    ],
)
def test_a_mistake_gets_a_sentence(mistake, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        tiny_config(**mistake)
    assert isinstance(caught.value, (ValueError, StrictDataclassFieldValidationError))


@pytest.mark.parametrize(
    "options",
    [
        {"num_characters": 9, "max_word_length": 5},
        {"token_inputs": ["word"]},
        {**CHARACTERS, "char_hidden_size": 7, "input_merge": "attention", "word_input_dropout": 0.5},
        {**VECTORS, "vector_sizes": [4, 5], "vector_rows": [9, 1]},
        {"id2label": {0: "O", 1: "S-PER"}, "tagging_scheme": "iobes", "use_crf": True},
        {"use_crf": True, "sentence_context": True},
        # As wide as what the recurrence reads, which is more than the embedding.
        {**VECTORS, "residual": True},
    ],
    ids=str,
)
def test_options_that_have_an_effect_are_taken(options, tmp_path):
    tiny_config(**options).save_pretrained(tmp_path)
    loaded = AttnLSTMConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in options} == options


@pytest.mark.parametrize(
    ("options", "inputs", "encoders", "width"),
    [
        ({}, ("word",), (), 8),
        ({"token_inputs": ["word"]}, ("word",), (), 8),
        (CHARACTERS, ("word", "char_cnn"), ("char_cnn",), 58),
        (VECTORS, ("word", "vectors"), (), 12),
        ({**VECTORS, "input_merge": "sum"}, ("word", "vectors"), (), 8),
        (
            {"token_inputs": ["case", "char_lstm", "word"], "num_characters": 9, "case_embedding_size": 3},
            ("case", "char_lstm", "word"),
            ("char_lstm",),
            61,
        ),
    ],
)
def test_what_is_read_of_a_word(options, inputs, encoders, width):
    config = tiny_config(**options)
    assert (config.inputs, config.char_encoders, config.input_size) == (inputs, encoders, width)
