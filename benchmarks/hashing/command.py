"""`python -m benchmarks hashing`: how much of the attention a model that hashes sees, by the number of its hashes."""

# ruff: noqa: T201
from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from hfattnlstm._places import loading_from
from hfattnlstm.data.progress import no_progress_bars
from hfattnlstm.modeling.lsh_attention import LSHSelfAttention
from hfattnlstm.modeling.text_inputs import TextEncoder

from ..accuracy.measure import summary
from ..accuracy.problem import load_split
from ..output import Files, Parser, add_files, default_threads, hush, make_record, report
from ..table import Column, Table, as_text


DESCRIPTION = """Ask a classifier with hashed attention for the labels of held-out texts, with other numbers of hashes.

What hashing sees is measured on texts that are longer than a chunk: the share of the weights of full attention, of the
same queries and keys, that falls on pairs which any hash has brought together.
"""
HASHES = (1, 2, 4, 8)
FULL = "full"
COLUMNS = (
    Column("hashes", "hashes"),
    Column("recall", "attention seen, %", "score"),
    Column("pairs", "pairs seen, %", "score"),
    Column("equal", "labels as by full attention, %", "score"),
    Column("accuracy", "accuracy, %", "score"),
    Column("runs", "draws", "count"),
)


def main(argv: Sequence[str]) -> int:
    """Print and write the table; 0 on success, 2 after a mistake.

    Args:
        argv: What follows `python -m benchmarks hashing`.
    """
    parser = Parser("python -m benchmarks hashing", description=DESCRIPTION)
    parser.add_argument("model", help="folder or Hub name of a classifier with lsh in its context_layers")
    parser.add_argument("source", metavar="PATH_OR_HUB_NAME", help="texts with labels, of which some are held out")
    parser.add_argument("--texts", type=int, default=200, help="so many of those that are longer than a chunk (200)")
    parser.add_argument("--draws", type=int, default=3, help="random directions that are drawn for each number (3)")
    parser.add_argument("--threads", type=int, default=default_threads(), help="threads of torch")
    add_files(parser)
    parsed = parser.parse_args(argv)
    files = Files(parsed.json, parsed.markdown)
    if mistake := files.mistake():
        parser.error(mistake)
    for name in ("texts", "draws", "threads"):
        if getattr(parsed, name) <= 0:
            parser.error(f"--{name} must be above 0, got {getattr(parsed, name)}.")
    hush()
    torch.set_num_threads(parsed.threads)
    try:
        with no_progress_bars():
            model, batches = _load(parsed.model, parsed.source, parsed.texts)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    record = make_record(["hashing", *argv])
    table = run(model, batches, parsed.draws)
    files.write(record, [table])
    print(f"\n{as_text(table)}\n", flush=True)
    return 0


def run(model: PreTrainedModel, batches: Sequence[tuple[torch.Tensor, int]], draws: int) -> Table:
    """Measure each number of hashes.

    Args:
        model: A classifier that hashes; its layers are changed.
        batches: Of each text its ids (1, length), and the number of its label.
        draws: How often random directions are drawn for each.
    """
    layers = [module for module in model.modules() if isinstance(module, LSHSelfAttention)]
    truth = np.array([label for _, label in batches])
    chunk = layers[0].chunk_length
    for layer in layers:
        layer.chunk_length = max(ids.shape[1] for ids, _ in batches)
    full = _labels(model, batches)
    rows: list[dict[str, Any]] = []
    for number in HASHES:
        found = []
        for draw in range(draws):
            report(f"{number} hashes, draw {draw + 1}")
            torch.manual_seed(draw)
            for layer in layers:
                layer.chunk_length = chunk
                layer.directions = torch.randn(number, *layer.directions.shape[1:])
            seen = np.mean(list(_recalls(model, layers, batches)), axis=0).tolist()
            labels = _labels(model, batches)
            found.append((*seen, float((labels == full).mean()), float((labels == truth).mean())))
        names = ("recall", "pairs", "equal", "accuracy")
        columns = {name: summary(values) for name, values in zip(names, zip(*found))}
        rows.append({"hashes": str(number), **columns, "runs": draws})
    rows.append({"hashes": FULL, "accuracy": summary([float((full == truth).mean())]), "runs": 1})
    table = Table("hashing", "What hashed attention sees", COLUMNS, rows)
    lengths = [ids.shape[1] for ids, _ in batches]
    table.notes.append(
        f"{len(batches)} held-out texts of {min(lengths):,} to {max(lengths):,} tokens, {np.median(lengths):,.0f} in "
        f"the middle; chunks of {chunk}; ± is the standard deviation over draws of the directions."
    )
    return table


def _load(name: str, source: str, texts: int) -> tuple[PreTrainedModel, list[tuple[torch.Tensor, int]]]:
    with loading_from(name) as place:
        model = AutoModelForSequenceClassification.from_pretrained(place).eval()
    with loading_from(name, "tokenizer") as place:
        tokenizer = AutoTokenizer.from_pretrained(place)
    layers = [module for module in model.modules() if isinstance(module, LSHSelfAttention)]
    if not layers:
        raise ValueError(f"{name} has no layer that hashes: train one with --context_layers lsh_attention.")
    split = load_split(source, Path(source).resolve().name if Path(source).exists() else source)
    encode = TextEncoder(tokenizer, truncation=model.config.truncation)
    names = split.problem.label_names
    found = []
    for text, label in zip(split.test.texts, split.test.labels):
        ids = encode.input_ids([text])[0]
        if len(ids) > layers[0].chunk_length:
            found.append((torch.tensor([ids]), model.config.label2id.get(names[label], -1)))
        if len(found) == texts:
            break
    if not found:
        raise ValueError(f"No held-out text of {source} is longer than a chunk of {layers[0].chunk_length} tokens.")
    return model, found


@torch.inference_mode()
def _labels(model: PreTrainedModel, batches: Sequence[tuple[torch.Tensor, int]]) -> np.ndarray:
    return np.array([int(model(ids).logits.argmax()) for ids, _ in batches])


@torch.inference_mode()
def _recalls(
    model: PreTrainedModel, layers: Sequence[LSHSelfAttention], batches: Sequence[tuple[torch.Tensor, int]]
) -> Iterator[tuple[float, float]]:
    """Of each text and layer, the shares of weights and pairs, means over its heads."""
    given: list[tuple[LSHSelfAttention, tuple[torch.Tensor, ...]]] = []
    hooks = [layer.register_forward_pre_hook(lambda layer, args: given.append((layer, args[:2]))) for layer in layers]
    for ids, _ in batches:
        given.clear()
        model(ids)
        for layer, (states, mask) in list(given):
            found = layer.recall(states, mask)
            yield float(found.weights.mean()), float(found.pairs.mean())
    for hook in hooks:
        hook.remove()
