#!/usr/bin/env python
"""Train, evaluate and save a classifier of texts with a picture each, such as whether a statement is true of it.

    python scripts/make_scenes.py scenes
    python scripts/run_image_text_classification.py --dataset scenes --kind_column kind --output_dir scenes-model
    python scripts/run_image_text_classification.py --train_file photos.csv --image_column file --output_dir photos

The same model is also trained on the texts alone and on the pictures alone, to compare; `--baselines false` leaves
that out. The flags are those of the data and the model, in `--help`, and all of transformers' `TrainingArguments`,
which `--help-all` shows, too. The same run is `hfattnlstm train --task image-text-classification`, and `run_task` of
`hfattnlstm.training` in Python. It needs `pip install "hfattnlstm[train,images]"`.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:], "--task", "image-text-classification"]))
