"""A new tagger that begins with a pretrained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hfattnlstm import AttnLSTMConfig, AttnLSTMForPreTraining
from hfattnlstm.data.word_tokenizer import train_word_tokenizer
from training.tagging_helpers import run, sentences, write_columns


SMALL = (
    *("--use_cpu", "--disable_tqdm", "true", "--report_to", "none", "--lr", "1e-9"),
    *("--max_steps", "3", "--save_strategy", "no", "--eval_strategy", "no"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_columns(folder / "train.conll", sentences(120))
    return folder


def pretrained(folder: Path, **sizes: Any) -> tuple[AttnLSTMForPreTraining, Any]:
    """A language model that knows the words of the files, and one that they have not."""
    tokenizer = train_word_tokenizer([words for words, _ in sentences(60)] + [["Annana"]] * 5)
    torch.manual_seed(0)
    config = AttnLSTMConfig(vocab_size=len(tokenizer), pad_token_id=0, embedding_size=12, **sizes)
    base = AttnLSTMForPreTraining(config)
    base.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return base, tokenizer


def enters(model: Any, ids: Tensor) -> Tensor:
    """What enters the gates of the first LSTM."""
    lstm = model.base_model.encoder.layers[0].forward_lstm
    return model.embed(ids) @ lstm.weight_ih_l0.t()


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_beginning_with_a_pretrained_model(merge: str, files: Path, tmp_path: Path) -> None:
    base, tokenizer = pretrained(tmp_path / "base", hidden_size=20)
    start = ("--model_name_or_path", str(tmp_path / "base"), "--input_merge", merge)
    finished = run(tmp_path / "model", files / "train.conll", *start, small=SMALL)
    config, model = finished.model.config, finished.model.eval()
    assert (config.embedding_size, config.hidden_size, config.input_merge) == (12, 20, merge)
    assert config.id2label[0] == "O" and config.inputs == ("word", "char_cnn", "case", "vectors")
    recurrent = {name: weight for name, weight in base.base_model.encoder.state_dict().items() if "_ih_" not in name}
    for name, weight in recurrent.items():
        torch.testing.assert_close(model.attnlstm.encoder.state_dict()[name], weight, atol=1e-6, rtol=0)
    # What is read beside the words of the base is small, and nothing without its weights.
    further = model.attnlstm.embeddings.further
    with torch.no_grad():
        for weights in (further.encoders["char_cnn"].convolution, further.case.embeddings):
            for weight in weights.parameters():
                weight.zero_()
        one, two = (
            torch.tensor([each.convert_tokens_to_ids(["Anna", "."])]) for each in (tokenizer, finished.processor)
        )
        torch.testing.assert_close(enters(model, two), enters(base.eval(), one), atol=1e-5, rtol=1e-4)
        spelt = finished.processor("Annana", return_tensors="pt").input_ids
        assert spelt.shape[1] > 1
        known = enters(base, torch.tensor([[tokenizer.convert_tokens_to_ids("Annana")]]))
        torch.testing.assert_close(enters(model, spelt)[:, :1], known, atol=1e-5, rtol=1e-4)


def test_a_pretrained_model_without_its_vectors(files: Path, tmp_path: Path) -> None:
    base, tokenizer = pretrained(tmp_path / "base", hidden_size=20)
    start = ("--model_name_or_path", str(tmp_path / "base"), "--word_vectors", "none")
    finished = run(tmp_path / "model", files / "train.conll", *start, small=SMALL)
    assert finished.model.config.inputs == ("word", "char_cnn", "case")
    old, new = (model.get_input_embeddings().weight for model in (base, finished.model))
    one, two = (each.convert_tokens_to_ids("Anna") for each in (tokenizer, finished.processor))
    torch.testing.assert_close(new[two], old[one], atol=1e-6, rtol=0)
    finished = run(tmp_path / "words", files / "train.conll", *start, "--token_inputs", "word", small=SMALL)
    weights = finished.model.attnlstm.encoder.state_dict()
    for name, weight in base.base_model.encoder.state_dict().items():
        torch.testing.assert_close(weights[name], weight, atol=1e-6, rtol=0)


def test_a_pretrained_model_whose_first_layer_has_a_residual(files: Path, tmp_path: Path) -> None:
    pretrained(tmp_path / "base", hidden_size=12, residual=True)
    start = ("--model_name_or_path", str(tmp_path / "base"))
    assert run(tmp_path / "model", files / "train.conll", *start, small=SMALL).model.config.input_merge == "sum"


def test_flags_that_do_not_fit_a_pretrained_model(files: Path, tmp_path: Path) -> None:
    pretrained(tmp_path / "base", hidden_size=20)
    start = ("--model_name_or_path", str(tmp_path / "base"))
    for flags, sentence in (
        (["--hidden_size", "20"], "--hidden_size cannot be changed beside"),
        (["--token_inputs", "word", "letters"], "--token_inputs takes word and any of char_cnn"),
        (["--token_inputs", "word", "--input_merge", "sum"], "--input_merge has no effect with one of --token_inputs"),
    ):
        with pytest.raises(ValueError, match=sentence):
            run(tmp_path / "other", files / "train.conll", *start, *flags, small=SMALL)
