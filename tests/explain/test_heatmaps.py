"""Heat maps: what stands in their rows, columns and cells, and files that are whole."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from explain_helpers import PIECES, TEXTS, word_pieces
from test_segments import explanation

from deploy_helpers import random_model
from hfattnlstm.data.figures import write_figure
from hfattnlstm.explain import explain
from hfattnlstm.explain.heatmaps import MOST_WORDS, plot_heads, plot_steps, plot_texts


def found(**options):
    return explain(TEXTS, random_model(vocab_size=len(PIECES), pooler_num_heads=3), word_pieces(), **options)


def rows_of(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array()


def test_heads_have_a_row_each_and_tokens_a_column() -> None:
    one = found(method="attention", faithfulness=False)[0]
    figure = plot_heads(one)
    np.testing.assert_allclose(rows_of(figure), one.head_weights)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["head 1", "head 2", "head 3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [token.text for token in one.tokens]
    single = plot_heads(found(method="occlusion", faithfulness=False)[0]).axes[0]
    assert [label.get_text() for label in single.get_yticklabels()] == ["occlusion"]


def test_steps_have_a_row_each_against_the_largest_weight_and_signs_a_colour_map_of_two_ends() -> None:
    signed = found(method="gradient_x_input", faithfulness=False)[0]
    figure = plot_steps([found(faithfulness=False)[0], signed], ["epoch 1", "epoch 2"])
    np.testing.assert_allclose(np.abs(rows_of(figure)).max(1), 1)
    assert figure.axes[0].images[0].get_clim() == (-1, 1)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["epoch 1", "epoch 2"]
    with pytest.raises(ValueError, match="2 explanations and 1 names"):
        plot_steps([signed, signed], ["one"])
    with pytest.raises(ValueError, match="of different texts"):
        plot_steps(found(faithfulness=False)[:2], ["one", "two"])


def test_texts_have_their_words_in_the_cells() -> None:
    every = found(faithfulness=False)
    axes = plot_texts(every).axes[0]
    words = [word.text for one in every for word in one.words[:20]]
    assert [text.get_text() for text in axes.texts] == words
    assert axes.get_yticklabels()[1].get_text() == f"{every[1].label} {every[1].score:.2f}"
    assert np.isnan(np.ma.filled(rows_of(axes.figure), np.nan)[1, 1:]).all()


def test_many_words_have_no_names_and_no_word_is_refused() -> None:
    count = MOST_WORDS + 1
    long = explanation("a " * count, [(2 * place, 2 * place + 1) for place in range(count)], [0.5] * count)
    assert plot_heads(long).axes[0].get_xlabel() == "words, in reading order"
    with pytest.raises(ValueError, match="There is no word to draw"):
        plot_heads(explanation("", [], []))
    with pytest.raises(ValueError, match="There is no word to draw"):
        plot_texts([])


def test_files_are_png_or_svg_by_their_endings_and_the_same_each_time(tmp_path: Path) -> None:
    one = explanation("$x_1$ <b>", [(0, 5), (6, 9)], [1.0, 0.0])
    before = dict(matplotlib.rcParams)
    assert write_figure(plot_heads(one), tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    drawn = write_figure(plot_heads(one), tmp_path / "one.svg").read_text("utf-8")
    assert drawn.startswith("<?xml") and "<dc:date>" not in drawn and "<b>" not in drawn
    assert dict(matplotlib.rcParams) == before
