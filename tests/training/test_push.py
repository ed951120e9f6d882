"""A run that pushes to the Hub."""

from __future__ import annotations

from pathlib import Path

from loopback_hub import LoopbackHub, run_python
from training.test_classification import write_texts


_RUN = """
from hfattnlstm.commands.main import main
flags = ["--train_file", {texts!r}, "--output_dir", {folder!r}, "--push_to_hub", "--hub_model_id", "tester/reviews"]
small = ["--num_train_epochs", "1", "--hidden_size", "16", "--embedding_size", "16", "--disable_tqdm", "true"]
assert main(["train", *flags, *small]) == 0
"""


def test_the_model_its_code_and_its_card_arrive(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv", count=64)
    code = _RUN.format(texts=str(texts), folder=str(tmp_path / "model"))
    with LoopbackHub() as hub:
        environment = hub.environment(tmp_path / "home")
        # The Trainer turns the bars off and on again, and the client warns when the environment forbids it.
        del environment["HF_HUB_DISABLE_PROGRESS_BARS"]
        run_python(code, environment, tmp_path)
        files = hub.files("tester/reviews")
        assert not [call for call in hub.calls if call.status >= 500]
    assert {"model.safetensors", "config.json", "tokenizer.json", "modeling_attnlstm.py", "README.md"} <= set(files)
    card = files["README.md"].decode()
    assert 'model="tester/reviews"' in card and "| validation | accuracy |" in card
    assert "hfattnlstm train --train_file texts.csv" in card and str(tmp_path) not in card
