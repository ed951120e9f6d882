"""`hfattnlstm features`: what a vision model says of the regions of pictures, as a data set to train on."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from datasets import Dataset, Value, concatenate_datasets
from transformers import AutoModel, PreTrainedModel

from .._extras import needs_extra
from .._parsing import SentenceParser
from .._places import loading_from
from ..data.picture_files import PictureSplit, read_picture, read_picture_source, undecoded
from ..data.picture_sets import check_folder, save_splits
from ..data.pictures import IMAGE, IMAGE_FEATURES, PictureColumns
from ..data.progress import no_progress_bars
from ..data.region_features import RegionFeatures, with_region_features
from ..data.sources import Split
from ..modeling.image_opening import load_image_processor
from .options import check_at_least
from .program import add_traceback


_ABOUT = (
    "# Features of pictures\n\nThe column `image_features` has, for each picture, a list of numbers for each of its "
    "regions, as {model} gives them. Made by `hfattnlstm features`.\n"
)


def features(arguments: Sequence[str]) -> int:
    """Compute features of the pictures of a data set, and write them in their place.

    Args:
        arguments: The command line after `hfattnlstm features`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        OSError: For a model, a data set or a folder that cannot be read or written.
        ValueError: For a flag that cannot be used, or a model that reads no pictures.

    Example:

    ```python
    >>> features(["my-vit", "scenes", "--output", "scene-features", "--grid", "2"])
    Wrote scene-features: 16 train, 8 validation, 4 regions of 16 numbers each
    0
    ```
    """
    parsed = _parser().parse_args(arguments)
    check_at_least(parsed, grid=1, batch_size=1)
    with needs_extra("hfattnlstm features"):
        import PIL.Image  # noqa: F401
    with no_progress_bars():
        found = read_picture_source(parsed.dataset, parsed.dataset_config)
    check_folder(parsed.output, found)
    columns = PictureColumns(next(iter(found.values())).split, parsed.image_column, None, None, [])
    if columns.is_features:
        raise ValueError(
            f"The column {columns.image!r} of {parsed.dataset} has features already: name one of pictures."
        )
    with no_progress_bars():
        model, image_processor = _load(parsed.model, parsed.trust_remote_code)
    rows = {name: _beside(columns, each) for name, each in found.items()}
    try:
        compute = RegionFeatures(model, image_processor, parsed.grid)
    except TypeError as error:
        raise ValueError(str(error)) from None
    first_split, first_rows = next(iter(rows.items()))
    # What the model cannot do shows at the first picture, not in the middle of a long computation.
    compute.check(read_picture(undecoded(first_rows, IMAGE)[0][IMAGE], f"in row 1 of the split {first_split!r}"))
    if getattr(image_processor, "do_center_crop", False):
        print(f"{parsed.model} sees the middle of a picture: its image processor crops the rest.", file=sys.stderr)
    splits = {name: with_region_features(each, compute, parsed.batch_size, name) for name, each in rows.items()}
    counts = save_splits(splits, parsed.output, _ABOUT.format(model=Path(parsed.model).name))
    first = next(iter(splits.values()))[0]["image_features"]
    sizes = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"Wrote {parsed.output}: {sizes}, {len(first)} regions of {len(first[0])} numbers each")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        "hfattnlstm features",
        description="Turn the pictures of a data set into features of their regions, by a vision model.",
    )
    parser.add_argument("model", help="folder or Hub name of any vision model that AutoModel loads, such as a ViT")
    parser.add_argument("dataset", help="Hub name, folder or file, with a column of pictures")
    parser.add_argument("--output", required=True, help="folder to write, which train and load_dataset read")
    parser.add_argument("--dataset_config", help="configuration of the data set, where it has several")
    parser.add_argument("--image_column", help="column with the pictures; found by its name without")
    parser.add_argument(
        "--grid", type=int, help="rows and columns of regions, each the mean of those of the model; its own without"
    )
    parser.add_argument("--batch_size", type=int, default=16, help="pictures in a batch; 16 without")
    parser.add_argument("--trust_remote_code", action="store_true", help="run the code in the checkpoint")
    add_traceback(parser)
    return parser


def _load(name: str, trust_remote_code: bool) -> tuple[PreTrainedModel, Any]:
    with loading_from(name) as place:
        model, report = AutoModel.from_pretrained(
            place, trust_remote_code=trust_remote_code, output_loading_info=True, dtype=torch.float32
        )
        # A classifier was saved without the layer that AutoModel puts behind the states, which nobody reads here.
        missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
        if missing:
            raise ValueError(
                f"The weights of {name} are incomplete: {missing[0]} is missing. Save or download the model again."
            )
        return model, load_image_processor(place, trust_remote_code=trust_remote_code)


def _beside(columns: PictureColumns, found: PictureSplit) -> Dataset:
    """All columns, with the pictures as `image`."""
    rest = _typed(columns.without(found.split))
    taken = next((name for name in (IMAGE, IMAGE_FEATURES) if name in rest.column_names), None)
    if taken is not None:
        raise ValueError(
            f"The {found.split.origin} has a column {taken!r} beside {columns.image!r}, which would be lost: rename "
            "it."
        )
    pictures = columns.taken_from(*found)
    return concatenate_datasets([rest, pictures], axis=1) if rest.column_names else pictures


def _typed(split: Split) -> Dataset:
    """The rows of a csv with its numbers as such, as they would be read from it."""
    data = split.data
    for name in data.column_names if split.only_strings else ():
        for kind in ("int64", "float64"):
            with contextlib.suppress(pa.ArrowException, ValueError):
                data = data.cast_column(name, Value(kind))
                break
    return data
