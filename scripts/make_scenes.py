#!/usr/bin/env python
"""Draw a data set of pictures with true and false statements, as a folder that `load_dataset` reads.

    python scripts/make_scenes.py scenes
    python scripts/make_scenes.py digits --digits

Scenes are coloured shapes. The split `compositional` tells of pairs of a colour and a shape that no picture and no
statement of the other splits has. With `--digits` the pictures are the handwritten digits of scikit-learn, and those
of `test` are others than those of training. It needs `pip install "hfattnlstm[train,images]"`.
"""

from __future__ import annotations

import argparse
import sys

from hfattnlstm._extras import needs_extra


def main(arguments: list[str]) -> int:
    """Draw what the flags say; 0 on success, 2 after a mistake, which is told in one sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the files are written")
    parser.add_argument("--digits", action="store_true", help="handwritten digits in place of scenes")
    parser.add_argument("--train_size", type=int, default=40_000, help="training examples, a multiple of 4 (40,000)")
    parser.add_argument("--other_size", type=int, default=2_000, help="examples of each other split (2,000)")
    parser.add_argument("--side", type=int, help="pixels of a picture's side; 64, of digits 32")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (0)")
    parsed = parser.parse_args(arguments)
    for name in ("train_size", "other_size"):
        if getattr(parsed, name) < 4 or getattr(parsed, name) % 4:
            parser.error(f"--{name} must be a multiple of 4, got {getattr(parsed, name)}.")
    try:
        with needs_extra("make_scenes.py"):
            from hfattnlstm.data import digits, scenes
            from hfattnlstm.data.picture_sets import save_picture_set

            make, side = (digits.digit_examples, digits.SIDE) if parsed.digits else (scenes.examples, scenes.SIDE)
            last = "test" if parsed.digits else "compositional"
            sizes = dict.fromkeys(("train", "validation", "test", "compositional"), parsed.other_size)
            sizes["train"] = parsed.train_size
            if parsed.digits:
                del sizes["compositional"]
            splits = {
                name: make(size // 4, 4 * parsed.seed + number, held_out=name == last)
                for number, (name, size) in enumerate(sizes.items())
            }
            counts = save_picture_set(splits, parsed.folder, parsed.side or side)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(f"Wrote {parsed.folder}: " + ", ".join(f"{count:,} {split}" for split, count in counts.items()))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
