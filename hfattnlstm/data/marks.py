"""What data sets say of their rows beside labels: which tokens people have marked, and which rows belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


# The column of data sets, and the entry of batches, in which they stand.
RATIONALE = "rationale"
# The column whose equal values belong together, and that of encoded rows by which they follow each other in a batch;
# that one has a name which no other data have by chance.
GROUP, BATCH_GROUP = "group", "batch_group"
# The column by whose values scores are given, too.
KIND = "kind"


def marks_of_spans(spans: Sequence[tuple[int, int]], marked: Sequence[Sequence[int]]) -> np.ndarray:
    """Which tokens people have marked, from stretches of characters.

    Args:
        spans: Start and end of each token in the text.
        marked: Start and end of each marked stretch; a token counts that shares a character with one.

    Returns:
        (tokens,) of 0 and 1.

    Example:

    ```python
    >>> marks_of_spans([(0, 3), (4, 8), (9, 13)], [(5, 8)])
    array([0, 1, 0])
    ```
    """
    starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    found = np.zeros(len(spans), dtype=np.int64)
    for start, end in marked:
        found |= (starts < end) & (start < ends)
    return found
