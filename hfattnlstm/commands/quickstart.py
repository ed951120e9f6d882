"""`hfattnlstm quickstart`: label with the released classifier; train, reload and explain one's own."""

# ruff: noqa: T201
from __future__ import annotations

import json
import math
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from transformers import pipeline

from .._parsing import SentenceParser
from .._released import released_model
from ..data.progress import no_progress_bars
from ..training import TaskRun, parse_task, run_task
from ..training.output_folder import check_output_folder
from .program import add_traceback, path_from_here, program
from .quiet import threads
from .tables import print_scores
from .terminal import bold, has_colours, legend, printable, shade_words
from .train_display import TrainDisplay


REVIEWS = Path(__file__).parents[1] / "data" / "reviews" / "reviews.jsonl"
CLASSIFIER, BASE = "attnlstm-imdb", "attnlstm-base-reviews"
FLAGS = (
    *("--train_file", str(REVIEWS), "--validation_size", "0.2", "--max_length", "128"),
    *("--per_device_train_batch_size", "16", "--eval_strategy", "no", "--save_strategy", "no"),
    *("--logging_strategy", "epoch", "--seed", "1"),
)
# Both chosen by cross-validation on the corpus: so few texts need smaller batches and more passes than the recipe.
FROM_NOTHING = (
    *("--num_train_epochs", "12", "--classifier_pooling", "attention"),
    *("--embedding_dropout", "0.5", "--word_dropout", "0.2"),
)
FROM_BASE = ("--model_name_or_path", BASE, "--num_train_epochs", "6")
_OVERWRITE = ("--overwrite", "true")
_RELOAD = """\
import hfattnlstm
from transformers import pipeline
classifier = pipeline("attention-text-classification", model={model})
"""
FILMS = (
    "A quiet, beautiful film that stays with you for days.",
    "Two hours of my life that I will never get back.",
    "I expected a dull sequel, and got the best comedy of the year.",
    "The actors do what they can, but the script leaves them nothing to work with.",
)
UNSEEN = (
    "A wonderful little restaurant, we loved every dish.",
    "The plot is dull and the acting is awful.",
    "Not bad at all, I would happily go again.",
    "I wanted to love it, but it broke after two days and nobody answered my emails.",
)


def quickstart(arguments: Sequence[str] = ()) -> int:
    """Label sentences with the released classifier, train one on 880 short reviews, and show what its base brought.

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
    parser = SentenceParser("hfattnlstm quickstart", description="Label, train and explain, in a minute.")
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
    flags = [*FLAGS, *FROM_BASE, "--output_dir", folder]
    task = parse_task([*flags, *_OVERWRITE] if overwrite or _is_own(folder, flags) else flags)
    # Before anything is shown: a model of somebody else's there stops it.
    check_output_folder(task.training, None, task.sources())

    _step(1, f"Label films with {CLASSIFIER}, a model that comes with the package")
    _label(released_model(CLASSIFIER), FILMS)

    _step(2, f"Train one of your own on {REVIEWS.name}: 704 short reviews, 176 held out")
    print("   From nothing:")
    nothing = _train_from_nothing()
    print(f"   From {BASE}, which has read 69,146 reviews of films, without labels:")
    with TrainDisplay(summary=False) as display:
        run = run_task(task, display)
    print()
    print_scores(run.scores(), indent=3)
    print(_honest(run, nothing))
    # Once more, it finds the model that is there now.
    again = [path_from_here(REVIEWS) if word == str(REVIEWS) else word for word in (*flags, *_OVERWRITE)]
    print(f"\n   The same without the quickstart:\n   {program()} train {shlex.join(again)}")

    _step(3, f"Saved in {folder}")
    print(_indent(", ".join(sorted(path.name for path in Path(folder).iterdir() if path.is_file()))))

    _step(4, "Reload it, as any model of the Hub, and label sentences it has not seen")
    print(_indent(_RELOAD.format(model=json.dumps(folder, ensure_ascii=False))))
    _label(folder, UNSEEN)
    print(f"\nDone in {time.perf_counter() - start:.0f} seconds. Try your own:")
    print(f'   {program()} predict {CLASSIFIER} "The best film of the year"')
    print(f'   {program()} predict {shlex.quote(folder)} "Great food, slow service"')
    print(f"   {program()} train --train_file reviews.csv --model_name_or_path {BASE} --output_dir my-model")


def _train_from_nothing() -> TaskRun:
    """Train without the base, for the comparison alone: the model is not kept."""
    with tempfile.TemporaryDirectory() as folder, TrainDisplay() as display:
        return run_task(parse_task([*FLAGS, *FROM_NOTHING, "--output_dir", folder]), display)


def _label(model: str, texts: Sequence[str]) -> None:
    coloured = has_colours(sys.stdout)
    if coloured:
        print(_indent(legend()))
    classifier = pipeline("attention-text-classification", model=model)
    for text, result in zip(texts, classifier(list(texts))):
        _show(text, result, coloured)


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


def _honest(run: TaskRun, nothing: TaskRun) -> str:
    accuracy, count = run.metrics["eval_accuracy"], run.metrics["eval_samples"]
    margin = 1.96 * math.sqrt(accuracy * (1 - accuracy) / count)
    return (
        f"\n   {accuracy:.0%} right of {count} held-out reviews (95 % interval ± {margin:.0%}), and"
        f" {nothing.metrics['eval_accuracy']:.0%} from nothing,"
        "\n   where guessing gives 50 %. Only some of the reviews are of films: the base has learnt the language."
    )


def _indent(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())
