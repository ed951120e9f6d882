#!/usr/bin/env python
"""Train, evaluate and save a text classifier.

    python scripts/run_classification.py --dataset stanfordnlp/imdb --output_dir imdb-model
    python scripts/run_classification.py recipe.yaml --learning_rate 1e-3
    torchrun --nproc_per_node 2 scripts/run_classification.py --train_file reviews.csv --output_dir my-model

The flags are those of the data and the model, in `--help`, and all of transformers' `TrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm train --task classification`, and `run_task` of
`hfattnlstm.training` in Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:], "--task", "classification"]))
