"""Writing texts: our decoder beside the transformer of MarianMT, both by `generate` of transformers."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers import MarianConfig, MarianMTModel, PreTrainedModel

from hfattnlstm import AttnLSTMForConditionalGeneration, AttnLSTMSeq2SeqConfig

from ..options import Options
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import MARIAN, MARIAN_SMALL, WRITER
from ..timing import Call, Candidate, Prepare, measure
from ..workload import Sample


VOCABULARY = 8_000
BATCH = 32
# Tokens of a text, read and written.
LENGTH = 15
# How the most of each is written.
BEAMS = (1, 5)
NOTES = [
    f"Texts of {LENGTH} tokens from a vocabulary of {VOCABULARY:,}, of which as many are written, no more and no "
    f"fewer, by `generate` of transformers; batches of {BATCH}, or one text at a time. Weights are random: how fast "
    "they write does not depend on them.",
    "Ours is the default model of `hfattnlstm train --task seq2seq`; MarianMT is a transformer with six layers of "
    "width 512 on either side, as the models of OPUS-MT are, and with three of width 256.",
]


def run(options: Options) -> Table:
    """Measure greedy writing and beams, of many texts and of one."""
    table = speed_table("writing", "Writing texts", MARIAN, list(NOTES))
    workload = _Workload()
    for beams in BEAMS:
        for name, size in (("many texts", BATCH), ("one text", 1)):
            if options.main and (beams, size) != (BEAMS[-1], BATCH):
                continue
            configuration = f"{name}, {'greedy' if beams == 1 else f'{beams} beams'}"
            options.report(configuration)
            makers = {WRITER: our_writer, MARIAN: marian, MARIAN_SMALL: partial(marian, layers=3, width=256)}
            candidates = [
                Candidate(label, partial(_load, make, beams, size), least=size, most=8 * size)
                for label, make in makers.items()
            ]
            measured = measure(candidates, workload, options, baseline=MARIAN)
            add_measurements(table, configuration, measured, MARIAN)
    return table


class _Workload:
    """Numbers of texts, which the candidates make of them."""

    def sample(self, count: int) -> range:
        """So many."""
        return range(count)


def our_writer() -> AttnLSTMForConditionalGeneration:
    """The default model, with random weights.

    Example:

    ```python
    >>> our_writer().config.decoder_size
    512
    ```
    """
    return AttnLSTMForConditionalGeneration(AttnLSTMSeq2SeqConfig(vocab_size=VOCABULARY))


def marian(layers: int = 6, width: int = 512) -> MarianMTModel:
    """A MarianMT model with random weights.

    Args:
        layers: Of encoder and decoder each.
        width: Of the states; inside the layers it is four times as wide.
    """
    sizes: dict[str, Any] = {
        "encoder_layers": layers,
        "decoder_layers": layers,
        "d_model": width,
        "encoder_ffn_dim": 4 * width,
        "decoder_ffn_dim": 4 * width,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
    }
    return MarianMTModel(
        MarianConfig(
            vocab_size=VOCABULARY,
            pad_token_id=0,
            eos_token_id=3,
            decoder_start_token_id=0,
            bos_token_id=2,
            forced_eos_token_id=None,
            max_position_embeddings=64,
            **sizes,
        )
    )


def _load(make: Any, beams: int, size: int) -> Prepare:
    model: PreTrainedModel = make().eval()
    generator = torch.Generator().manual_seed(0)

    def prepare(sample: Sample) -> Call:
        ids = torch.randint(4, VOCABULARY, (len(sample), LENGTH), generator=generator)

        def call() -> int:
            with torch.inference_mode():
                for batch in ids.split(size):
                    model.generate(batch, num_beams=beams, min_new_tokens=LENGTH, max_new_tokens=LENGTH)
            return len(ids)

        return call

    return prepare
