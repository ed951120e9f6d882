#!/usr/bin/env python
"""Bring the released models in `model_cards/` up to date; `make cards` is the first line.

    python scripts/make_cards.py                                    # rewrite the copies of the code in each folder
    python scripts/make_cards.py attnlstm-imdb outputs/my-imdb      # lay one out anew from a model that was trained

The weights are kept in half precision, and loaded in single precision. The card of a folder is a person's: it is
written where there is none, and left alone afterwards.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_NAME

import hfattnlstm
from hfattnlstm.training.output_folder import CARD_FILE


MODEL_CARDS = Path(__file__).parents[1] / "model_cards"


def refresh_code(folder: Path) -> None:
    """Replace the copies of the package's code in a checkpoint by today's."""
    config = AutoConfig.from_pretrained(folder)
    model = _class_of(config.architectures[0])(config)
    fresh = folder / ".fresh"
    model.save_pretrained(fresh)
    for path in folder.glob("*.py"):
        path.unlink()
    for path in fresh.glob("*.py"):
        path.rename(folder / path.name)
    shutil.rmtree(fresh)


def lay_out(folder: Path, trained: Path) -> None:
    """Write a released model from one that was trained: its weights in half precision, all else as it is."""
    config = AutoConfig.from_pretrained(trained)
    model = _class_of(config.architectures[0]).from_pretrained(trained, dtype=torch.float32)
    half = model.half().state_dict()
    # The configuration says single precision, in which the weights are loaded and computed with.
    model.float().save_pretrained(folder, state_dict=half)
    # For everybody's eyes, as the other files; safetensors writes for its owner's.
    (folder / SAFE_WEIGHTS_NAME).chmod(0o644)
    AutoTokenizer.from_pretrained(trained).save_pretrained(folder)
    if not (folder / CARD_FILE).exists():
        shutil.copyfile(trained / CARD_FILE, folder / CARD_FILE)


def _class_of(architecture: str) -> type[PreTrainedModel]:
    return getattr(hfattnlstm, architecture)


def main() -> int:
    """Refresh all folders, or lay out one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="folder in model_cards/ that is laid out anew")
    parser.add_argument("trained", nargs="?", type=Path, help="folder of the model that was trained")
    parsed = parser.parse_args()
    if parsed.name is not None and parsed.trained is None:
        parser.error(f"name the trained model that {parsed.name} is laid out from.")
    if parsed.name is not None:
        lay_out(MODEL_CARDS / parsed.name, parsed.trained)
        return 0
    for path in sorted(MODEL_CARDS.glob("*/config.json")):
        refresh_code(path.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
