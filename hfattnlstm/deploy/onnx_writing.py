"""Writing an ONNX file: what every kind of model needs for it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._extras import import_optional
from .._version import __version__
from ..modeling.configuration_context import HASHED
from .export_files import refuse_checkpoint


FILE_NAMES = {False: "model.onnx", True: "model_int8.onnx"}

# A protocol buffer ends at 2 GiB, and the graph needs some room beside the weights.
MOST_BYTES = 2**31 - 2**24
_OLDEST_OPSET = 18
# Whose warnings and progress are about the export as such, and not for its user.
_CHATTY = ("torch.onnx", "torch.export", "torch._export", "onnxscript", "onnx_ir")


def check_opset(opset: int | None) -> None:
    """ValueError for a version of the operators that torch does not write."""
    newest = import_optional("onnx").defs.onnx_opset_version()
    if opset is not None and not _OLDEST_OPSET <= opset <= newest:
        raise ValueError(f"opset must be between {_OLDEST_OPSET} and {newest}, got {opset}.")


def check_layers(config: Any) -> None:
    """ValueError for a model with layers that no graph computes."""
    hashed = [kind for kind in config.context_layers or () if kind in HASHED]
    if hashed:
        raise ValueError(
            f"The model has {hashed[0]} in context_layers, which sorts the states of a text by their hashes, and no "
            f"graph does: train one with {hashed[0].removeprefix('lsh_')} to export it."
        )


def target_file(path: Path, int8: bool) -> Path:
    """The file that is written: `path` itself, or one in the folder that it names.

    Raises:
        ValueError: For the folder of a checkpoint, and a folder that is called as a file.
    """
    target = path if path.suffix.lower() == ".onnx" else path / FILE_NAMES[int8]
    refuse_checkpoint(target.parent)
    if target.is_dir():
        raise ValueError(f"{target} is a folder: give another name to the file.")
    return target


@contextlib.contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent` for unfinished files; it goes away, and so does `parent` if nothing came into it."""
    created = not parent.exists()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".export-", dir=parent)
    except OSError as error:
        raise OSError(f"The folder {parent} cannot be written: {error.strerror}.") from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if created:
            with contextlib.suppress(OSError):  # not empty: the export is in it
                parent.rmdir()


def in_float32(tensor: torch.Tensor) -> torch.Tensor:
    """On the CPU; the numbers of n-grams stay what they are."""
    tensor = tensor.detach().cpu()
    return tensor.float() if tensor.is_floating_point() else tensor


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporter's warnings and progress to itself."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def describe(proto: Any, facts: dict[str, Any]) -> None:
    """Write facts into the metadata of a file; what is None is left out."""
    proto.producer_name, proto.producer_version = "hfattnlstm", __version__
    del proto.metadata_props[:]
    for key, value in facts.items():
        if value is not None:
            proto.metadata_props.add(key=key, value=str(value))


def save(proto: Any, path: Path) -> None:
    """Write a file."""
    import_optional("onnx").save(proto, str(path))


def export_graph(graph: nn.Module, inputs: tuple[Tensor, ...], opset: int | None, **options: Any) -> Any:
    """The ONNX graph of a module, without what torch says on the way.

    Args:
        graph: What is exported; it is put into evaluation mode.
        inputs: An example of its arguments.
        opset: Version of ONNX's operators; what torch prefers when it is None.
        options: Names and shapes, as for `torch.onnx.export`.

    Raises:
        RuntimeError: torch cannot export it.
    """
    with quiet_exporter():
        try:
            program = torch.onnx.export(
                graph.eval(), inputs, dynamo=True, opset_version=opset, verbose=False, **options
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise RuntimeError(f"torch.onnx cannot export the model: {reason}") from error
    return program.model_proto
