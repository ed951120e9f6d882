"""The files beside an exported model: which of them an export may replace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.feature_extraction_utils import FeatureExtractionMixin

from .._extras import import_optional


# Under which key of its metadata an exported file has the digests of those that were written beside it.
FILES = "files"


def refuse_checkpoint(folder: Path) -> None:
    """Make sure that a folder is not that of a model for torch.

    Raises:
        ValueError: When it holds safetensors.
    """
    if any(folder.glob("*.safetensors")):
        raise ValueError(
            f"The folder {folder} holds the checkpoint of a model, with a config.json of its own: export to another, "
            f"such as {folder / 'onnx'}."
        )


def write_files(
    folder: Path, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase | FeatureExtractionMixin | None
) -> dict[str, str]:
    """Write what belongs to a model into an empty folder, and return a digest of each file."""
    # Not save_pretrained, which would add the code of the configuration.
    config.to_json_file(folder / "config.json")
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return {item.name: _digest(item) for item in folder.iterdir()}


def check_replaced(target: Path, files: Mapping[str, str]) -> None:
    """Make sure that nothing is replaced but what earlier exports have written.

    Args:
        target: The .onnx file that is to be written.
        files: Names and digests of what is to be written beside it.

    Raises:
        ValueError: For another file that is in the way; it names the file.
    """
    known = set(files.items())
    for other in target.parent.glob("*.onnx"):
        known |= set((_written_beside(other) or {}).items())
    if target.exists() and _written_beside(target) is None:
        raise _refusal(target)
    for name in files:
        path = target.parent / name
        if path.exists() and (path.is_dir() or (name, _digest(path)) not in known):
            raise _refusal(path)


def _refusal(path: Path) -> ValueError:
    return ValueError(
        f"{path} would be replaced, and is not as an earlier export has written it: move it away, or export to "
        f"another folder, such as {path.parent / 'onnx'}."
    )


def _written_beside(path: Path) -> dict[str, str] | None:
    """Names and digests of the files that were written beside an exported one; None for no export of ours."""
    try:
        proto = import_optional("onnx").load(path, load_external_data=False)
    except Exception:  # what is no protocol buffer raises errors of its own
        return None
    facts = {entry.key: entry.value for entry in proto.metadata_props}
    return json.loads(facts.get(FILES, "{}")) if proto.producer_name == "hfattnlstm" else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
