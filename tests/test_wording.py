"""Options as sentences name them."""

from __future__ import annotations

from hfattnlstm._wording import flags_in_sentences, option, renamed_in_sentences


def test_an_argument_in_python() -> None:
    assert option("text_column") == "text_column="
    assert option("problem_type", "regression") == "problem_type='regression'"


def test_a_flag_on_the_command_line() -> None:
    with flags_in_sentences():
        assert option("text_column") == "--text_column"
        assert option("problem_type", "regression") == "--problem_type regression"
        assert option("config_name") == "--dataset_config"
        with flags_in_sentences():
            pass
        assert option("label_column") == "--label_column"
    assert option("label_column") == "label_column="


def test_an_argument_that_is_passed_on_has_the_name_of_the_outer_function() -> None:
    with renamed_in_sentences({"kind": "tokenizer_kind"}):
        assert option("kind", "bpe") == "tokenizer_kind='bpe'"
        assert option("seed") == "seed="
    assert option("kind") == "kind="
