#!/usr/bin/env python
"""Train, evaluate and save a model that says what is in a picture, from its pixels or from features of its regions.

    python scripts/make_scenes.py scenes
    python scripts/run_image_captioning.py --dataset scenes --further_splits compositional --output_dir captioner
    python scripts/run_image_captioning.py --train_file photos.csv --output_dir photos-captioner

The flags are those of the data and the model, in `--help`, and all of transformers' `Seq2SeqTrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm train --task image-captioning`, and `run_task` of
`hfattnlstm.training` in Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:], "--task", "image-captioning"]))
