#!/usr/bin/env python
"""Pretrain a language model of both directions on texts without labels, for other models to begin with.

    python scripts/run_pretraining.py --dataset stanfordnlp/imdb --splits train unsupervised --output_dir my-base
    python scripts/run_pretraining.py --train_file texts.txt more.jsonl.gz --output_dir my-base
    python scripts/run_classification.py --model_name_or_path my-base --train_file reviews.csv --output_dir my-model

The flags are those of the texts and the model, in `--help`, and all of transformers' `TrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm pretrain`, and `run_task` of `hfattnlstm.training` in Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["pretrain", *sys.argv[1:]]))
