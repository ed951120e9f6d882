"""`hfattnlstm explain` with a model that writes: where it looked for each word."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from transformers import PretrainedConfig

from .._extras import needs_extra
from .._files import written_beside
from ..data.figures import write_figure
from ..data.progress import no_progress_bars
from ..explain.alignments import alignment_page, plot_alignment
from .context_map import ENDINGS as PICTURES
from .context_map import refuse_of_labels
from .inputs import read_inputs
from .models import load_writer


_PAGE = ".html"


def explain_writing(parsed: argparse.Namespace, parser: argparse.ArgumentParser, config: PretrainedConfig) -> None:
    """Write from each text, and print, or draw, where the model looked for each word.

    Args:
        parsed, parser: Of `hfattnlstm explain`.
        config: Of the model.

    Raises:
        ImportError: Without the extra `plots`, for a picture.
        OSError: For a model or a file that cannot be read or written.
        ValueError: For flags that have no effect, or several texts in one picture.
    """
    refuse_of_labels(parsed, parser, f"with {parsed.model}, which writes texts: leave it out.")
    ending = "" if parsed.output is None else Path(parsed.output).suffix.lower()
    if ending not in ("", _PAGE, *PICTURES):
        raise ValueError(
            f"--output {parsed.output!r} must end in {_PAGE} or one of {', '.join(PICTURES)} for a model that writes: "
            "hfattnlstm predict writes the alignment as .jsonl."
        )
    if ending in PICTURES:
        with needs_extra(f"The picture {parsed.output}"):
            importlib.import_module("matplotlib.figure")
    texts = list(read_inputs(parsed))
    if not texts:
        raise ValueError("There are no texts: give some, or a file or standard input that has them.")
    if ending in PICTURES and len(texts) != 1:
        raise ValueError(f"A picture shows one text, and there are {len(texts):,}: give one, or an --output .html.")
    with no_progress_bars():
        results = load_writer(parsed.model, config, parsed.trust_remote_code)(texts)
    if parsed.output is None:
        for result in results:
            _print(result)
        return
    if ending in PICTURES:
        write_figure(plot_alignment(results[0]), parsed.output)
    else:
        with written_beside(parsed.output) as unfinished:
            unfinished.write_text(alignment_page(results, texts, parsed.model), encoding="utf-8")
    print(f"Wrote {parsed.output}: {len(texts):,} {'text' if len(texts) == 1 else 'texts'}")


def _print(result: dict) -> None:
    """What was written, and for each word the one that had most of the attention."""
    from .terminal import printable

    print(printable(result["generated_text"]))
    for word in result["alignment"]:
        weights = word["weights"]
        best = max(range(len(weights)), key=weights.__getitem__) if weights else None
        seen = "" if best is None else f"{printable(result['source'][best]['text'])}  {weights[best]:.2f}"
        print(f"  {printable(word['text'])}  <-  {seen}")
