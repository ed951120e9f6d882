#!/usr/bin/env python
"""Train, evaluate and save a tagger of words: named entities, parts of speech, or whatever else has a tag a word.

    python scripts/run_tagging.py --train_file train.conll --test_file test.conll --output_dir ner
    python scripts/run_tagging.py --dataset eriktks/conll2003 --word_vectors glove.6B.100d.txt --output_dir ner
    python scripts/run_tagging.py --dataset my-treebank --label_column upos --output_dir pos

The flags are those of the data and the model, in `--help`, and all of transformers' `TrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm train --task tagging`, and `run_task` of `hfattnlstm.training` in
Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:], "--task", "tagging"]))
