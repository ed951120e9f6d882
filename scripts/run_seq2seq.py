#!/usr/bin/env python
"""Train, evaluate and save a model that writes a text from another one: that translates, rewrites or normalises.

    python scripts/run_seq2seq.py --train_file train.de train.en --test_file test.de test.en --output_dir de-en
    python scripts/run_seq2seq.py --dataset my-pairs --source_column de --target_column en --output_dir de-en
    python scripts/run_seq2seq.py --train_file dates.tsv --tokenizer_kind char --output_dir dates

The flags are those of the data and the model, in `--help`, and all of transformers' `Seq2SeqTrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm train --task seq2seq`, and `run_task` of `hfattnlstm.training` in
Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:], "--task", "seq2seq"]))
