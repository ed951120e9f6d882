"""Files that mean harm are refused in a sentence: nothing crashes, hangs, runs code, or fills the memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

import hfattnlstm
from training.pair_helpers import save_writer


TESTS = Path(__file__).parents[1]
ROWS = [("good film", "pos"), ("bad film", "neg"), ("so so", "neg"), ("fine", "pos")] * 5
CSV = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with whole files, and the commands that read them."""
    folder = tmp_path_factory.mktemp("hostile")
    cases = [_classifier(folder), _writer(folder), _tables(folder)]
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder


def _classifier(folder: Path) -> dict:
    tokenizer = hfattnlstm.train_tokenizer([text for text, _ in ROWS], min_frequency=1)
    config = hfattnlstm.AttnLSTMConfig(
        vocab_size=len(tokenizer), embedding_size=8, hidden_size=8, id2label={0: "neg", 1: "pos"}
    )
    torch.manual_seed(0)
    hfattnlstm.AttnLSTMForSequenceClassification(config).save_pretrained(folder / "classifier")
    tokenizer.save_pretrained(folder / "classifier")
    names = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
    return {"files": "classifier", "changed": names, "commands": [["predict", "case", "a good film"]]}


def _writer(folder: Path) -> dict:
    save_writer(folder / "writer")
    names = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
    return {"files": "writer", "changed": names, "commands": [["predict", "case", "ant bee"]]}


def _tables(folder: Path) -> dict:
    place = folder / "tables"
    place.mkdir()
    (place / "a.csv").write_text(CSV)
    (place / "a.tsv").write_text(CSV.replace(",", "\t"))
    (place / "a.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))
    (place / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    with zipfile.ZipFile(place / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
    columns = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    pa.parquet.write_table(pa.table(columns), place / "a.parquet")
    names = sorted(path.name for path in place.iterdir())
    return {"files": "tables", "changed": names, "commands": [["check", "case/NAME"]]}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of memory")
@pytest.mark.parametrize("count", [60, pytest.param(3_000, marks=pytest.mark.long)])
def test_commands_end_with_a_sentence(corpus: Path, count: int) -> None:
    environment = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PATH": ""}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    command = [sys.executable, str(TESTS / "security" / "run_hostile.py"), str(corpus), "0", str(count)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3_000)
    assert done.returncode == 0, done.stderr[-2_000:]
    wrong = json.loads((corpus / "wrong.json").read_text())
    assert not wrong, "\n".join(f"{each['number']} {each['file']}: {each['fault']}" for each in wrong)
