"""The table of taggers: it runs without the libraries that it compares with."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.sentences import TAGS, TaggedWorkload
from benchmarks.tables import tagging
from benchmarks.tables.tagging import CRF_CALLS
from benchmarks.targets import FLAIR_TAGGER, OUR_CRF, PYTORCH_CRF, SPACY_TAGGER, TAGGER, TAGGER_ONNX, TAGGER_POS
from hfattnlstm.modeling.tag_schemes import allowed_tags


@pytest.mark.long
def test_ours_alone_is_measured_and_the_missing_ones_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    def load(*_, **__) -> Callable:
        def missing() -> None:
            raise ModuleNotFoundError("No module named 'peer'", name="peer")

        return missing

    monkeypatch.setattr(tagging, "peer", load)
    # The export has tests of its own, and takes as long as all the rest.
    monkeypatch.setattr(tagging, "_our_onnx", tagging._our_decoding)
    monkeypatch.setattr(command, "_hush", lambda: None)
    assert command.main(["tagging", "--quick", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    found = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"][0]
    ours = {(row["configuration"], row["candidate"]) for row in found["rows"]}
    decoding = {(panel, name) for panel in ("decoding, sentences", "one sentence") for name in (TAGGER, TAGGER_POS)}
    decoding |= {(panel, TAGGER_ONNX) for panel in ("decoding, sentences", "one sentence")}
    crf = {(f"CRF alone, {what}", OUR_CRF) for what in CRF_CALLS}
    assert ours == {("training, sentences", TAGGER), *decoding, *crf}
    assert all(row["time"] > 0 and row["ratio"] is None for row in found["rows"])
    left_out = " ".join(found["left_out"])
    assert all(name in left_out for name in (SPACY_TAGGER, FLAIR_TAGGER, PYTORCH_CRF))


def test_sentences_are_the_same_each_time_and_well_formed():
    first, second = (TaggedWorkload(sentences=50, seed=3).sample(60) for _ in range(2))
    assert first == second and len(first) == 60 and first[0] == first[50]
    allowed = allowed_tags(TAGS, "bio")
    for words, tags in first:
        numbers = [TAGS.index(tag) for tag in tags]
        assert len(words) == len(tags) >= 2 and allowed.begin[numbers[0]]
        assert all(allowed.follow[one][two] for one, two in pairwise(numbers))
    assert 10 < np.mean([len(words) for words, _ in first]) < 20
