"""The CRF of pytorch-crf, which many taggers use."""

from __future__ import annotations

from torchcrf import CRF

from ..sentences import TAGS
from ..timing import Call, Prepare


def crf(what: str) -> Prepare:
    """Its likelihood with gradients, or its best sequences of tags, over the same batches as ours."""
    from ..tables.tagging import crf_batches

    layer = CRF(len(TAGS), batch_first=True)

    def prepare(sentences: list) -> Call:
        batches = crf_batches(sentences)

        def call() -> int:
            for emissions, tags, mask in batches:
                if what == "likelihood":
                    layer(emissions, tags, mask, reduction="sum").backward()
                else:
                    layer.decode(emissions, mask)
            return len(sentences)

        return call

    return prepare
