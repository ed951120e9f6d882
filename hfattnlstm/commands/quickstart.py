"""`hfattnlstm quickstart`: train, save, reload and explain, on the small corpus in the package."""

# ruff: noqa: T201
from __future__ import annotations

import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from transformers import pipeline

from .._parsing import SentenceParser
from ..data.progress import no_progress_bars
from ..training import TaskRun, parse_task, run_task
from .program import add_traceback, path_from_here, program
from .quiet import threads
from .tables import print_scores
from .terminal import bold, has_colours, legend, printable, shade_words
from .train_display import TrainDisplay


REVIEWS = Path(__file__).parents[1] / "data" / "reviews" / "reviews.jsonl"
# Chosen by cross-validation on the corpus: so few texts need smaller batches and more passes than the recipe.
FLAGS = (
    *("--train_file", str(REVIEWS), "--validation_size", "0.2", "--max_length", "128"),
    *("--num_train_epochs", "12", "--per_device_train_batch_size", "16", "--classifier_pooling", "attention"),
    *("--embedding_dropout", "0.5", "--word_dropout", "0.2", "--eval_strategy", "no", "--save_strategy", "no"),
    *("--logging_strategy", "epoch", "--seed", "1"),
)
_OVERWRITE = ("--overwrite", "true")
_RELOAD = """\
import hfattnlstm
from transformers import pipeline
classifier = pipeline("attention-text-classification", model={model})
"""
UNSEEN = (
    "A wonderful little restaurant, we loved every dish.",
    "The plot is dull and the acting is awful.",
    "Not bad at all, I would happily go again.",
    "I wanted to love it, but it broke after two days and nobody answered my emails.",
)


def quickstart(arguments: Sequence[str] = ()) -> int:
    """Train a classifier on 880 short reviews, show each step, and label a few unseen sentences.

    Args:
        arguments: The command line after `hfattnlstm quickstart`; see its `--help`. A model in the folder is replaced
            when an earlier quickstart has made it.

    Returns:
        The exit status.

    Example:

    ```python
    >>> quickstart(["--output_dir", "quickstart-model"])
    0
    ```
    """
    parser = SentenceParser("hfattnlstm quickstart", description="Train and explain, in a minute.")
    parser.add_argument("--output_dir", default="outputs/quickstart", help="folder for the model")
    parser.add_argument("--overwrite", action="store_true", help="replace a model there that is not the quickstart's")
    add_traceback(parser)
    parsed = parser.parse_args(arguments)
    # The progress bars of loading, tokenising and saving would bury the steps; the one of the training stays. Batches
    # this small gain nothing from a second thread, and threads that wait for each other cost much on a busy machine.
    with no_progress_bars(), threads(1):
        _run(parsed.output_dir, parsed.overwrite)
    return 0


def _run(folder: str, overwrite: bool) -> None:
    start = time.perf_counter()
    flags = [*FLAGS, "--output_dir", folder]

    _step(1, f"Train on {REVIEWS.name}: 704 short reviews, 176 held out")
    task = parse_task([*flags, *_OVERWRITE] if overwrite or _is_own(folder, flags) else flags)
    with TrainDisplay() as display:
        run = run_task(task, display)
    print()
    print_scores(run.scores(), indent=3)
    # Once more, it finds the model that is there now.
    again = [path_from_here(REVIEWS) if word == str(REVIEWS) else word for word in (*flags, *_OVERWRITE)]
    print(f"\n   The same without the quickstart:\n   {program()} train {shlex.join(again)}")
    print(_honest(run))

    _step(2, f"Saved in {folder}")
    print(_indent(", ".join(sorted(path.name for path in Path(folder).iterdir() if path.is_file()))))

    _step(3, "Reload it, as any model of the Hub, and label sentences it has not seen")
    print(_indent(_RELOAD.format(model=json.dumps(folder, ensure_ascii=False))))
    classifier = pipeline("attention-text-classification", model=folder)
    coloured = has_colours(sys.stdout)
    if coloured:
        print(_indent(legend()))
    for text, result in zip(UNSEEN, classifier(list(UNSEEN))):
        _show(text, result, coloured)
    print(f"\nDone in {time.perf_counter() - start:.0f} seconds. Try your own:")
    print(f'   {program()} predict {shlex.quote(folder)} "Great food, slow service"')
    print(f"   {program()} train --train_file reviews.csv --output_dir my-model")


def _is_own(folder: str, flags: Sequence[str]) -> bool:
    """Whether the model in a folder is that of an earlier quickstart: its card has the command of the run."""
    try:
        card = Path(folder, "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return parse_task(flags).command() in card.splitlines()


def _step(number: int, text: str) -> None:
    heading = f"{number}. {text}"
    print(f"\n{bold(heading) if has_colours(sys.stdout) else heading}")


def _show(text: str, result: dict, coloured: bool) -> None:
    shown = shade_words(text, result["attention"]) if coloured else printable(text)
    print(f"   {result['label']} {result['score']:.2f}  {shown}")
    if not coloured:
        top = sorted(result["attention"], key=lambda entry: -entry["weight"])[:3]
        print("            attention: " + ", ".join(f"{entry['text']} {entry['weight']:.2f}" for entry in top))


def _honest(run: TaskRun) -> str:
    accuracy, count = run.metrics["eval_accuracy"], run.metrics["eval_samples"]
    margin = 1.96 * math.sqrt(accuracy * (1 - accuracy) / count)
    return (
        f"\n   {accuracy:.0%} right of {count} held-out reviews (95 % interval ± {margin:.0%}), where guessing gives"
        "\n   50 %. That is what 704 sentences can teach: enough to see how it works, not enough to rely on."
        "\n   With 20,000 reviews of IMDB it is 92 %:"
        f"\n   {program()} train --dataset stanfordnlp/imdb --validation_size 0.2 --output_dir imdb-model"
    )


def _indent(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())
