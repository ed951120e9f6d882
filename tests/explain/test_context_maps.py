"""The attention between the words of a text, and its picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explain_helpers import PIECES, TEXTS, word_pieces

from deploy_helpers import random_model
from hfattnlstm.explain import context_maps
from hfattnlstm.explain.heatmaps import MOST_WORDS, plot_context


LAYERS = ["attention", "lsh_transformer"]


def model_with(**options):
    hashed = {} if "context_layers" in options else {"context_layers": LAYERS, "lsh_attn_chunk_length": 4}
    return random_model(**{"vocab_size": len(PIECES), "num_attention_heads": 3, **hashed, **options})


@pytest.mark.parametrize("special", [False, True])
def test_tokens_of_a_word_are_added_where_attended_to_and_averaged_where_attending(special):
    model, tokenizer = model_with().double().train(), word_pieces(special)
    found = context_maps(TEXTS[2], model, tokenizer)
    assert model.training
    assert found.words == TEXTS[2].split() and found.layers == LAYERS and found.characters_left_out == 0
    with torch.no_grad():
        inputs = tokenizer(TEXTS[2], return_tensors="pt")
        layers = model.eval()(inputs["input_ids"], output_attentions=True).attentions
    of_words = inputs.word_ids(0)
    for layer, weights in zip(layers, found.weights):
        assert weights.shape == (3, len(found.words), len(found.words))
        for row, column in [(0, 1), (1, 0), (1, 1), (8, 3), (len(found.words) - 1, 5)]:
            rows, columns = (
                [place for place, word in enumerate(of_words) if word == wanted] for wanted in (row, column)
            )
            expected = layer[0][:, rows][:, :, columns].sum(-1).mean(-1)
            np.testing.assert_allclose(weights[:, row, column], expected.numpy(), atol=1e-6)
    if not special:
        np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-6)


def test_texts_that_are_read_together_are_one_row_of_words():
    model = model_with(text_columns=["one", "other"], context_layers=["attention"])
    found = context_maps(("good film", "not bad"), model, word_pieces(special=True))
    assert found.words == ["good", "film", "not", "bad"] and found.weights.shape == (1, 3, 4, 4)


def test_long_texts_say_how_much_was_left_out():
    found = context_maps("good film " * 50, model_with(truncation="head"), word_pieces(), max_length=6)
    assert len(found.words) == 6 and found.characters_left_out > 400


def test_a_panel_for_each_layer_and_head():
    found = context_maps(TEXTS[0], model_with(), word_pieces())
    figure = plot_context(found)
    panels = [axes for axes in figure.axes if axes.get_title()]
    titles = [f"{kind} {layer}, head {head}\nup to " for layer, kind in enumerate(LAYERS, 1) for head in (1, 2, 3)]
    assert all(axes.get_title().startswith(title) for axes, title in zip(panels, titles, strict=True))
    for axes, weights in zip(panels, found.weights.reshape(6, 8, 8)):
        np.testing.assert_allclose(axes.images[0].get_array() * weights.max(), weights)
    assert [label.get_text() for label in panels[3].get_xticklabels()] == found.words
    assert [label.get_text() for label in panels[3].get_yticklabels()] == found.words
    assert not panels[4].get_yticklabels() or panels[4].get_yticklabels()[0].get_text() == ""


def test_one_panel_and_many_words():
    model = model_with(context_layers=["attention"], num_attention_heads=1)
    found = context_maps("good " * (MOST_WORDS + 2), model, word_pieces())
    panel = plot_context(found).axes[0]
    assert panel.images[0].get_array().shape == (MOST_WORDS, MOST_WORDS)


def test_what_has_no_map_is_refused():
    with pytest.raises(ValueError, match=r"has no context layers, .*: train one with --context_layers"):
        context_maps("good", random_model(), word_pieces())
    with pytest.raises(TypeError, match="text"):
        context_maps(3, model_with(), word_pieces())
    with pytest.raises(ValueError, match="There is no word to draw: give a text that has one"):
        plot_context(context_maps("", model_with(), word_pieces()))
