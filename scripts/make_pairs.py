#!/usr/bin/env python
"""Make a data set of pairs of texts, of which each has one right answer, as a folder that `load_dataset` reads.

    python scripts/make_pairs.py dates dates
    python scripts/make_pairs.py names names

The first word is the task: `reverse`, words from their end; `dates`, as people write them, in ISO 8601; `sums`, in
words; `names`, from Russian letters into Latin ones. No pair is in two splits. It needs
`pip install "hfattnlstm[train]"`.
"""

from __future__ import annotations

import argparse
import sys

from hfattnlstm._extras import needs_extra


def main(arguments: list[str]) -> int:
    """Make what the flags say; 0 on success, 2 after a mistake, which is told in one sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", help="reverse, dates, sums or names")
    parser.add_argument("folder", help="where the files are written")
    parser.add_argument("--train_size", type=int, help="training pairs (20,000; of sums 12,000)")
    parser.add_argument("--other_size", type=int, default=1_000, help="pairs of validation and test each (1,000)")
    parser.add_argument("--seed", type=int, default=0, help="of what is made (0)")
    parsed = parser.parse_args(arguments)
    if parsed.train_size is None:
        # There are no more sums.
        parsed.train_size = 12_000 if parsed.task == "sums" else 20_000
    for name in ("train_size", "other_size"):
        if getattr(parsed, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(parsed, name)}.")
    sizes = {"train": parsed.train_size, "validation": parsed.other_size, "test": parsed.other_size}
    try:
        with needs_extra("make_pairs.py"):
            from hfattnlstm.data.pair_sets import make_pairs, save_pairs

            save_pairs(make_pairs(parsed.task, sizes, parsed.seed), parsed.folder, parsed.task)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(f"Wrote {parsed.folder}: " + ", ".join(f"{size:,} {name}" for name, size in sizes.items()))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
