"""The fields that say how states attend to each other: the sentences for mistakes."""

from __future__ import annotations

import pytest
from huggingface_hub.errors import StrictDataclassFieldValidationError
from modeling_helpers import tiny_config

from hfattnlstm import AttnLSTMConfig


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            {"context_layers": ["attention"], "num_attention_heads": 5},
            "hidden_size=12 must be a multiple of num_attention_heads=5",
        ),
        (
            {"context_layers": ["bogus"]},
            "context_layers must be some of attention, transformer, .*'bogus'",
        ),
        ({"context_layers": "attention"}, "context_layers"),
        ({"context_layers": ["attention"], "context_merge": "sum"}, "context_merge"),
        ({"context_merge": "concat"}, "context_merge is for .* in context_layers: leave it out, or add that"),
        ({"context_causal": True}, "context_causal is for .* in context_layers: leave it out, or add that"),
        (
            {"context_layers": ["attention"], "context_causal": True},
            "context_causal is for states that know nothing of what comes: leave it out, or set bidirectional=False",
        ),
        (
            {"context_layers": ["attention"], "intermediate_size": 8},
            'intermediate_size is for "transformer" or "lsh_transformer" in context_layers: leave it out, or add that',
        ),
        ({"context_layers": ["transformer"], "intermediate_size": 0}, "intermediate_size must be between 1 and"),
        *(
            ({"context_layers": ["transformer"], name: 8}, f'{name} is for "lsh_attention" or "lsh_transformer"')
            for name in ("num_hashes", "num_buckets", "lsh_attn_chunk_length")
        ),
        *(
            ({"context_layers": ["lsh_attention"], name: 0}, f"{name} must be between 1 and")
            for name in ("num_hashes", "num_buckets", "lsh_attn_chunk_length")
        ),
        ({"context_layers": ["lsh_attention"], "num_hashes": 65}, "num_hashes must be between 1 and 64, got 65"),
        ({"context_layers": ["lsh_attention"], "num_buckets": 9}, "num_buckets must be even, .*got 9"),
    ],
)
def test_a_mistake_gets_a_sentence(mistake, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        tiny_config(**mistake)
    assert isinstance(caught.value, (ValueError, StrictDataclassFieldValidationError))


def test_attentions_can_be_asked_for_beside_every_implementation():
    config = tiny_config(output_attentions=True, attn_implementation="sdpa")
    assert config.output_attentions and config._attn_implementation == "sdpa"
    config.output_attentions = False
    assert AttnLSTMConfig(**config.to_dict()).output_attentions is False
