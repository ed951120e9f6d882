"""Pictures of what a tagger is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..data.figures import write_figure
from .output_folder import CONFUSION_FILE
from .plots import plot_matrix
from .tagging_evaluation import TagEvaluation


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_tag_confusions(evaluation: TagEvaluation) -> Figure:
    """Which kinds of spans, or tags, are taken for which.

    Example:

    ```python
    >>> from hfattnlstm.training.tagging_evaluation import evaluate_tags
    >>> plot_tag_confusions(evaluate_tags([["Paris"]], [["B-LOC"]], [["B-LOC"]], [[0.9]], "bio")).axes[0].get_xlabel()
    'predicted'
    ```
    """
    spans = evaluation.tagging_scheme is not None
    share = "share of the spans of the kind" if spans else "share of the words with the tag"
    return plot_matrix(evaluation.confusions, evaluation.kinds, evaluation.confusions.sum(1), share)


def write_tag_plots(evaluation: TagEvaluation, folder: str | Path) -> list[Path]:
    """Write the pictures of an evaluation into a folder that there is.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The folder cannot be written.

    Example:

    ```python
    >>> from hfattnlstm.training.tagging_evaluation import evaluate_tags
    >>> write_tag_plots(evaluate_tags([["Paris"]], [["B-LOC"]], [["B-LOC"]], [[0.9]], "bio"), ".")[0].name
    'confusion_matrix.png'
    ```
    """
    return [write_figure(plot_tag_confusions(evaluation), Path(folder) / CONFUSION_FILE)]
